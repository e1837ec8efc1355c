//! Errors to plant, each with the invariants that must be seen to break by it, and no others.

use sqlx::PgPool;

use super::fixture::run;

pub(super) struct Plant {
    pub(super) what: &'static str,
    pub(super) breaks: &'static [&'static str],
    sql: &'static str,
}

impl Plant {
    /// Plants it; needs loose books.
    pub(super) async fn carry_out(&self, pool: &PgPool) {
        run(pool, self.sql).await;
    }
}

const fn plant(what: &'static str, breaks: &'static [&'static str], sql: &'static str) -> Plant {
    Plant { what, breaks, sql }
}

pub(super) const ALL: &[Plant] = &[
    // What suppliers were told.
    plant(
        "a lost lead",
        &["answered_lead_is_stored", "lead_is_there_once"],
        "DELETE FROM distribution.leads WHERE lead_id = 'lead-3'",
    ),
    plant(
        "a lead that nobody finds",
        &["lead_is_there_once"],
        "UPDATE distribution.lead_ids SET received_at = received_at + interval '1 month' WHERE lead_id = 'lead-1'",
    ),
    plant(
        "a lead twice, in two months",
        &["lead_is_there_once"],
        "INSERT INTO distribution.leads (lead_id, seller_id, supplier_id, campaign_id, category_id, received_at, decided_at, outcome, test,
             buyers_assigned, reason, state, quality, reference, body_hash, data, trace)
         SELECT lead_id, seller_id, supplier_id, campaign_id, category_id, now() + interval '3 years', decided_at, outcome, test,
             buyers_assigned, reason, state, quality, reference, body_hash, data, trace
         FROM distribution.leads WHERE lead_id = 'lead-4'",
    ),
    plant(
        "a rejected lead sells after all",
        &["answer_was_true"],
        "UPDATE distribution.leads SET outcome = 5 WHERE lead_id = 'lead-4'",
    ),
    // Leads and assignments.
    plant(
        "an unsold lead with an outcome of sold",
        &["lead_outcome_matches_assignments"],
        "UPDATE distribution.leads SET outcome = 2, buyers_assigned = 1, price = 25 WHERE lead_id = 'lead-5'",
    ),
    plant(
        "a sale that its lead does not know of",
        &["lead_outcome_matches_assignments", "answer_was_true"],
        "UPDATE distribution.leads SET outcome = 3, expires_at = now() WHERE lead_id = 'lead-1'",
    ),
    plant(
        "a lead that counts too many buyers",
        &["lead_outcome_matches_assignments"],
        "UPDATE distribution.leads SET buyers_assigned = 2 WHERE lead_id = 'lead-7'",
    ),
    plant(
        "a lead for sale for ever",
        &["lead_for_sale_expires"],
        "UPDATE distribution.leads SET expires_at = NULL WHERE lead_id = 'lead-3'",
    ),
    plant(
        "an assignment of another campaign's subscription",
        &["assignment_belongs_together", "sold_today_is_counted_right"],
        "UPDATE distribution.assignments SET subscription_id = 'sub-2' WHERE assignment_id = 'asg-1'",
    ),
    plant(
        "an assignment to another tenant's buyer",
        &["assignment_belongs_together"],
        "UPDATE distribution.buyers SET seller_id = 'seller-2' WHERE buyer_id = 'buyer-1'",
    ),
    plant(
        "a lead sold twice to one buyer, and paid twice",
        &["buyer_gets_a_lead_once", "assignment_belongs_together", "sold_today_is_counted_right"],
        "UPDATE distribution.assignments SET buyer_id = 'buyer-1', subscription_id = 'sub-2' WHERE assignment_id = 'asg-3';
         UPDATE distribution.subscriptions SET buyer_id = 'buyer-3' WHERE subscription_id = 'sub-2';
         UPDATE notifier.deliveries SET buyer_id = 'buyer-1', endpoint_id = 'ep-1' WHERE assignment_id = 'asg-3';
         UPDATE billing.holds SET buyer_id = 'buyer-1', amount = 10 WHERE hold_id = 'asg-3';
         UPDATE billing.entries SET account_id = 'wallet-1', number = 4, balance_after = 55 WHERE posting_id = 'post-5' AND line = 1;
         UPDATE billing.entries SET number = number - 1, balance_after = balance_after + 10 WHERE account_id = 'wallet-2' AND number > 2;
         UPDATE billing.wallets SET balance = 55, lines = 4, spent_week = 45, spent_month = 45 WHERE buyer_id = 'buyer-1';
         UPDATE billing.wallets SET balance = 40, lines = 4, spent_week = 10, spent_month = 10 WHERE buyer_id = 'buyer-2'",
    ),
    plant(
        "two buyers without a broadcast",
        &["one_buyer_unless_broadcast"],
        "UPDATE distribution.campaigns SET logic = 'waterfall' WHERE campaign_id = 'camp-2'",
    ),
    plant(
        "one lead more than the cap",
        &["daily_cap_is_kept"],
        "UPDATE distribution.subscriptions SET daily_cap = 1 WHERE subscription_id = 'sub-3'",
    ),
    plant(
        "a cap passed by subscribing anew",
        &["daily_cap_is_kept"],
        "UPDATE distribution.assignments SET subscription_id = 'sub-4' WHERE assignment_id = 'asg-4';
         UPDATE distribution.subscription_rotation SET last_served = 2, sold_today = 1 WHERE subscription_id = 'sub-3'",
    ),
    plant(
        "a count that began anew with another subscription",
        &["sold_today_is_counted_right"],
        "UPDATE distribution.subscription_rotation SET sold_today = 0 WHERE subscription_id = 'sub-4'",
    ),
    plant(
        "a sale not counted today",
        &["sold_today_is_counted_right"],
        "UPDATE distribution.subscription_rotation SET sold_today = 1 WHERE subscription_id = 'sub-3'",
    ),
    plant(
        "a lead of a state not asked for",
        &["state_matches"],
        "UPDATE distribution.leads SET state = 'NY' WHERE lead_id = 'lead-1'",
    ),
    plant(
        "a lead without a state",
        &["state_matches"],
        "UPDATE distribution.leads SET state = '' WHERE lead_id = 'lead-1'",
    ),
    plant(
        "the same person sold twice by one field",
        &["person_is_sold_once"],
        "UPDATE distribution.campaigns SET duplicate_match = 'any' WHERE campaign_id = 'camp-2'",
    ),
    plant(
        "the same person sold twice by all fields",
        &["person_is_sold_once"],
        "UPDATE distribution.leads SET received_at = received_at + interval '29 days',
             data = '{\"email\": \"A@example.com \", \"phone\": \"+12025550101\"}' WHERE lead_id = 'lead-7';
         UPDATE distribution.lead_ids SET received_at = received_at + interval '29 days' WHERE lead_id = 'lead-7';
         UPDATE distribution.returns SET received_at = received_at + interval '29 days' WHERE return_id = 'return-2'",
    ),
    // Between selling and paying.
    plant(
        "a lead given away",
        &["assignment_is_covered", "assignment_is_paid_once", "captured_hold_has_its_posting"],
        "DELETE FROM billing.entries WHERE posting_id = 'post-6'; DELETE FROM billing.postings WHERE posting_id = 'post-6';
         UPDATE billing.holds SET state = 'released', posting_id = NULL WHERE hold_id = 'asg-4';
         UPDATE billing.holds SET posting_id = NULL WHERE hold_id = 'asg-1';
         UPDATE billing.entries SET number = number - 1, balance_after = balance_after + 10 WHERE account_id = 'wallet-2' AND number > 3;
         UPDATE billing.wallets SET balance = 40, lines = 4, spent_week = 10, spent_month = 10 WHERE buyer_id = 'buyer-2'",
    ),
    plant(
        "a price that the wallet did not pay",
        &["assignment_is_covered", "assignment_is_paid_once", "lead_outcome_matches_assignments"],
        "UPDATE distribution.assignments SET price = 30 WHERE assignment_id = 'asg-1'",
    ),
    plant(
        "a debit without a lead",
        &[
            "debit_has_its_assignment",
            "lead_outcome_matches_assignments",
            "answer_was_true",
            "sold_today_is_counted_right",
            "delivery_has_its_assignment",
        ],
        "DELETE FROM distribution.assignments WHERE assignment_id = 'asg-1';
         UPDATE distribution.leads SET outcome = 4 WHERE lead_id = 'lead-1';
         UPDATE distribution.leads SET buyers_assigned = 9 WHERE lead_id = 'lead-7'",
    ),
    plant(
        "a test lead that costs money",
        &["test_lead_costs_nothing", "no_hold_is_left"],
        "INSERT INTO billing.holds VALUES ('asg-8', 'buyer-1', 'seller-1', 'lead-6', 'camp-1', 0, 'held', 1, now(),
             '2026-03-02', '2026-03-01', NULL, NULL)",
    ),
    // The ledger.
    plant(
        "money out of nothing",
        &["posting_sums_to_zero"],
        "UPDATE billing.entries SET amount = amount + 0.01 WHERE posting_id = 'post-3' AND line = 2",
    ),
    plant(
        "an entry without a posting",
        &["posting_is_whole"],
        "INSERT INTO billing.entries VALUES ('post-9', 1, 'account-3', 1, NULL, NULL), ('post-9', 2, 'account-4', -1, NULL, NULL)",
    ),
    plant(
        "a posting without entries",
        &["posting_is_whole", "credit_has_its_posting"],
        "INSERT INTO billing.postings VALUES ('post-9', 'credit', 'seller-1', NULL, now(), '')",
    ),
    plant(
        "another tenant's account",
        &["posting_is_whole"],
        "UPDATE billing.accounts SET seller_id = 'seller-2' WHERE account_id = 'account-4'",
    ),
    plant(
        "a lost update of a balance",
        &["balance_is_the_sum_of_entries", "statement_is_a_chain"],
        "UPDATE billing.wallets SET balance = 75 WHERE buyer_id = 'buyer-1'",
    ),
    plant(
        "money set aside for nothing",
        &["held_is_the_sum_of_open_holds"],
        "UPDATE billing.wallets SET held = 5 WHERE buyer_id = 'buyer-1'",
    ),
    plant(
        "a hold on no wallet",
        &["held_is_the_sum_of_open_holds"],
        "INSERT INTO billing.holds VALUES ('asg-8', 'buyer-9', 'seller-1', 'lead-3', 'camp-1', 5, 'released', 1, now(),
             '2026-03-02', '2026-03-01', now(), NULL)",
    ),
    plant(
        "more set aside than there is",
        &["available_is_never_negative", "held_is_the_sum_of_open_holds"],
        "UPDATE billing.wallets SET held = 66 WHERE buyer_id = 'buyer-1'",
    ),
    plant(
        "a statement that does not continue",
        &["statement_is_a_chain"],
        "UPDATE billing.entries SET balance_after = 76 WHERE posting_id = 'post-3' AND line = 1",
    ),
    plant(
        "a gap in a statement",
        &["statement_is_a_chain"],
        "UPDATE billing.entries SET number = 4 WHERE posting_id = 'post-4' AND line = 1;
         UPDATE billing.wallets SET lines = 4 WHERE buyer_id = 'buyer-1'",
    ),
    plant(
        "a line of a statement on the seller's account",
        &["wallet_entry_is_on_a_statement", "captured_hold_has_its_posting"],
        "UPDATE billing.entries SET number = 1, balance_after = 23.75 WHERE posting_id = 'post-3' AND line = 2",
    ),
    plant(
        "a hold that says captured and was not",
        &["captured_hold_has_its_posting", "spending_is_counted_right"],
        "UPDATE billing.holds SET state = 'captured', posting_id = 'post-9' WHERE hold_id = 'asg-9'",
    ),
    plant(
        "a posting that took too much",
        &["captured_hold_has_its_posting", "assignment_is_paid_once", "statement_is_a_chain", "balance_is_the_sum_of_entries"],
        "UPDATE billing.entries SET amount = amount - 1 WHERE posting_id = 'post-3' AND line = 1;
         UPDATE billing.entries SET amount = amount + 1 WHERE posting_id = 'post-3' AND line = 2",
    ),
    plant(
        "an assignment paid twice",
        &["captured_hold_has_its_posting", "assignment_is_paid_once"],
        "INSERT INTO billing.postings VALUES ('post-9', 'lead_purchase', 'seller-1', 'asg-1', now(), '');
         INSERT INTO billing.entries VALUES ('post-9', 1, 'wallet-1', -25, 4, 40), ('post-9', 2, 'account-3', 25, NULL, NULL);
         UPDATE billing.wallets SET balance = 40, lines = 4 WHERE buyer_id = 'buyer-1'",
    ),
    plant(
        "a credit entered twice",
        &["credit_has_its_posting"],
        "INSERT INTO billing.postings VALUES ('post-9', 'credit', 'seller-1', NULL, now(), '');
         INSERT INTO billing.entries VALUES ('post-9', 1, 'wallet-1', 100, 4, 165), ('post-9', 2, 'account-5', -100, NULL, NULL);
         UPDATE billing.wallets SET balance = 165, lines = 4 WHERE buyer_id = 'buyer-1'",
    ),
    // Card money.
    plant(
        "a charge that was never credited",
        &["card_payment_is_credited_once", "card_money_is_explained", "payment_was_paid_at_stripe"],
        "INSERT INTO billing.payments (payment_id, seller_id, buyer_id, kind, request_id, amount, currency, card_id, customer,
             payment_method, state, received, posting_id, created_at)
         VALUES ('pay-9', 'seller-1', 'buyer-5', 'top_up', 's', 10, 'USD', 'card-1', '', '', 'succeeded', 10, 'post-19', now())",
    ),
    plant(
        "a charge that was credited twice",
        &["card_payment_is_credited_once", "card_money_is_explained", "charge_at_stripe_is_credited_once"],
        "INSERT INTO billing.postings (posting_id, kind, seller_id, at, description, payment_id)
             VALUES ('post-19', 'top_up', 'seller-1', now(), '', 'pay-1');
         INSERT INTO billing.entries VALUES ('post-19', 1, 'wallet-5', 100, 9, 150), ('post-19', 2, 'account-6', -100, NULL, NULL);
         UPDATE billing.wallets SET balance = 150, lines = 9 WHERE buyer_id = 'buyer-5'",
    ),
    plant(
        "a charge credited to somebody else",
        &["card_payment_is_credited_once", "charge_at_stripe_is_credited_once"],
        "UPDATE billing.payments SET buyer_id = 'buyer-1' WHERE payment_id = 'pay-1'",
    ),
    plant(
        "a refund that was booked and not made",
        &["card_money_is_explained", "payment_counts_what_went_back", "refund_is_the_same_at_stripe"],
        "DELETE FROM billing.refunds WHERE refund_id = 'refund-1'",
    ),
    plant(
        "a payment that forgot its refund",
        &["payment_counts_what_went_back", "payment_counts_what_stripe_gave_back"],
        "UPDATE billing.payments SET refunded = 0 WHERE payment_id = 'pay-1'",
    ),
    plant(
        "a dispute decided without its money",
        &["disputed_money_is_set_aside", "payment_counts_what_went_back", "dispute_is_the_same_at_stripe"],
        "UPDATE billing.disputes SET state = 'won' WHERE dispute_id = 'dp-2'",
    ),
    plant(
        "a debt that nobody booked",
        &["debt_is_what_is_owed"],
        "UPDATE billing.wallets SET debt = 5 WHERE buyer_id = 'buyer-5'",
    ),
    plant(
        "two recharges at once",
        &["one_recharge_at_a_time"],
        "INSERT INTO billing.payments (payment_id, seller_id, buyer_id, kind, amount, currency, card_id, customer, payment_method,
             created_at, attempt_at)
         SELECT id, 'seller-1', 'buyer-5', 'recharge', 10, 'USD', 'card-1', '', '', now(), now()
         FROM unnest(ARRAY['pay-8', 'pay-9']::uuid[]) AS t(id)",
    ),
    plant(
        "a payment that was ordered for another amount",
        &["charge_at_stripe_is_ours"],
        "UPDATE billing.payments SET amount = 90 WHERE payment_id = 'pay-1'",
    ),
    plant(
        "a decline that nobody heard of",
        &["charge_at_stripe_is_ours"],
        "UPDATE billing.payments SET state = 'pending' WHERE payment_id = 'pay-3'",
    ),
    plant(
        "a credit that never arrived",
        &["credit_has_its_posting"],
        "INSERT INTO billing.credits VALUES ('seller-1', 'third', 'buyer-1', 100, 'post-9', now())",
    ),
    plant(
        "spending not counted",
        &["spending_is_counted_right"],
        "UPDATE billing.wallets SET spent_week = 25 WHERE buyer_id = 'buyer-1'",
    ),
    // Returns.
    plant(
        "a return that nobody paid back",
        &["return_is_paid_back_once", "spending_is_counted_right"],
        "DELETE FROM billing.entries WHERE posting_id = 'post-8'; DELETE FROM billing.postings WHERE posting_id = 'post-8';
         UPDATE billing.wallets SET balance = 20, lines = 4 WHERE buyer_id = 'buyer-2'",
    ),
    plant(
        "a return paid back twice",
        &["return_is_paid_back_once", "return_is_its_sale_reversed"],
        "INSERT INTO billing.postings VALUES ('post-9', 'lead_return', 'seller-1', 'asg-5', now(), '');
         INSERT INTO billing.entries VALUES ('post-9', 1, 'wallet-2', 10, 6, 40), ('post-9', 2, 'account-3', -10, NULL, NULL);
         UPDATE billing.wallets SET balance = 40, lines = 6 WHERE buyer_id = 'buyer-2'",
    ),
    plant(
        "a sale paid back that was not returned",
        &["return_is_paid_back_once"],
        "UPDATE distribution.returns SET state = 'rejected', out_of_caps = false WHERE return_id = 'return-1';
         UPDATE distribution.subscription_rotation SET sold_today = 3 WHERE subscription_id IN ('sub-3', 'sub-4')",
    ),
    plant(
        "a share that stays with the seller",
        &["return_is_its_sale_reversed"],
        "UPDATE billing.entries SET amount = -9 WHERE posting_id = 'post-8' AND line = 2;
         UPDATE billing.entries SET amount = -1 WHERE posting_id = 'post-8' AND line = 3",
    ),
    plant(
        "a return of somebody else's lead",
        &["return_is_of_its_sale", "return_is_paid_back_once"],
        "UPDATE distribution.returns SET buyer_id = 'buyer-1' WHERE return_id = 'return-1'",
    ),
    plant(
        "a sale asked back twice",
        &["return_is_of_its_sale", "sold_today_is_counted_right"],
        "UPDATE distribution.returns SET assignment_id = 'asg-5', lead_id = 'lead-8', assigned_at = '2026-03-02 16:00Z'
         WHERE return_id = 'return-2'",
    ),
    plant(
        "a return that leaves the cap and was not taken out of the count",
        &["sold_today_is_counted_right"],
        "UPDATE distribution.returns SET out_of_caps = false WHERE return_id = 'return-1'",
    ),
    // Deliveries.
    plant("an assignment that was not delivered", &["assignment_is_delivered"], "DELETE FROM notifier.deliveries WHERE delivery_id = 'dlv-3'"),
    plant(
        "a delivery to somebody else's endpoint",
        &["delivery_has_its_assignment", "assignment_is_delivered"],
        "UPDATE notifier.deliveries SET endpoint_id = 'ep-2' WHERE delivery_id = 'dlv-1'",
    ),
    plant(
        "a delivery of what was not sold",
        &["delivery_has_its_assignment", "delivery_ends_visibly"],
        "INSERT INTO notifier.deliveries VALUES
             ('dlv-9', 'seller-1', 'buyer-1', 'lead-6', 'asg-9', 'ep-1', '', NULL, 'DELIVERED', 0, NULL, NULL, '', now(), now())",
    ),
    plant(
        "a delivery that says received and was not",
        &["delivery_ends_visibly"],
        "UPDATE notifier.attempts SET status_code = 500 WHERE delivery_id = 'dlv-1'",
    ),
    plant(
        "a delivery given up without a reason",
        &["delivery_ends_visibly"],
        "UPDATE notifier.deliveries SET error = '' WHERE delivery_id = 'dlv-2'",
    ),
    plant(
        "a refusal that nobody answered",
        &["delivery_ends_visibly"],
        "UPDATE notifier.deliveries SET status = 'REFUSED', ended_at = now() WHERE delivery_id = 'dlv-2'",
    ),
    plant("a lost attempt", &["delivery_ends_visibly"], "DELETE FROM notifier.attempts WHERE delivery_id = 'dlv-1' AND number = 1"),
    plant(
        "a delivery without a next attempt",
        &["delivery_ends_visibly"],
        "UPDATE notifier.deliveries SET due_at = NULL WHERE delivery_id = 'dlv-3'",
    ),
    plant(
        "a delivery that nobody takes",
        &["pending_delivery_is_not_forgotten"],
        "UPDATE notifier.deliveries SET due_at = now() - interval '6 minutes' WHERE delivery_id = 'dlv-3'",
    ),
    // What sellers pay for.
    plant(
        "a webhook that nobody counted",
        &["sent_message_is_counted"],
        "UPDATE notifier.deliveries SET ended_at = now() - interval '1 minute' WHERE delivery_id = 'dlv-4';
         DELETE FROM billing.usage_seen WHERE message = 'counteddlv-4';
         UPDATE billing.usage_months SET messages = 1, units = 1, posted_units = 1, cost = 0.02 WHERE buyer_id = 'buyer-2';
         UPDATE billing.usage_postings SET units = 2",
    ),
    plant(
        "a mail that nobody counted",
        &["sent_message_is_counted"],
        "UPDATE notifier.mails SET ended_at = now() - interval '1 minute' WHERE event_id = 'evt-1';
         DELETE FROM billing.usage_seen WHERE message = 'countedevt-1'; DELETE FROM billing.usage_months WHERE kind = 'email'",
    ),
    plant(
        "a webhook that was refused and that nobody counted",
        &["sent_message_is_counted"],
        "UPDATE notifier.deliveries SET status = 'REFUSED', error = 'no', ended_at = now() - interval '1 minute' WHERE delivery_id = 'dlv-4';
         UPDATE notifier.attempts SET meaning = 'REJECTED' WHERE delivery_id = 'dlv-4';
         DELETE FROM billing.usage_seen WHERE message = 'counteddlv-4';
         UPDATE billing.usage_months SET messages = 1, units = 1, posted_units = 1, cost = 0.02 WHERE buyer_id = 'buyer-2';
         UPDATE billing.usage_postings SET units = 2",
    ),
    plant(
        "a delivery counted that was given up",
        &["counted_message_was_sent"],
        "INSERT INTO billing.usage_seen VALUES ('counteddlv-2', '2026-03-02');
         UPDATE billing.usage_months SET messages = 2, units = 2 WHERE buyer_id = 'buyer-1'",
    ),
    plant(
        "something counted that was never there",
        &["counted_message_was_sent"],
        "INSERT INTO billing.usage_seen VALUES ('counteddlv-77', '2026-03-02')",
    ),
    plant(
        "a mail counted that was never there",
        &["counted_messages_add_up"],
        "UPDATE billing.usage_months SET messages = 2, units = 2 WHERE kind = 'email'",
    ),
    plant(
        "a webhook counted twice",
        &["counted_messages_add_up"],
        "UPDATE billing.usage_months SET messages = 2, units = 2 WHERE buyer_id = 'buyer-1'",
    ),
    plant(
        "a webhook counted for another buyer",
        &["counted_messages_add_up"],
        "UPDATE billing.usage_months SET buyer_id = 'buyer-2' WHERE buyer_id = 'buyer-1'",
    ),
    plant(
        "a text message counted with too few parts",
        &["counted_messages_add_up"],
        "UPDATE billing.usage_unpriced SET units = 1",
    ),
    plant(
        "a message that vanished on its way to a price",
        &["counted_messages_add_up"],
        "DELETE FROM billing.usage_unpriced",
    ),
    plant(
        "units posted that no posting has",
        &["posted_messages_were_counted"],
        "UPDATE billing.usage_months SET posted_units = 1 WHERE kind = 'email'",
    ),
    plant(
        "a posting at another price",
        &["posted_messages_were_counted"],
        "UPDATE billing.usage_months SET cost = 0.02 WHERE buyer_id = 'buyer-1'",
    ),
    plant(
        "a cent lost by rounding",
        &["posted_messages_were_counted"],
        "UPDATE billing.usage_postings SET amount = 0.03;
         UPDATE billing.entries SET amount = sign(amount) * 0.03 WHERE posting_id = 'post-20'",
    ),
    plant(
        "a month posted twice",
        &["month_is_posted_once", "posted_messages_were_counted"],
        "INSERT INTO billing.postings VALUES ('post-21', 'usage', 'seller-1', NULL, '2026-04-02 05:00Z', '');
         INSERT INTO billing.entries VALUES ('post-21', 1, 'account-3', -0.04, NULL, NULL), ('post-21', 2, 'account-8', 0.04, NULL, NULL);
         ALTER TABLE billing.usage_postings DROP CONSTRAINT usage_postings_pkey;
         INSERT INTO billing.usage_postings VALUES ('seller-1', '2026-03-01', 'post-21', 3, 0.037, 0.04, '2026-04-02 05:00Z')",
    ),
    plant(
        "a posting of messages that no month has",
        &["month_is_posted_once"],
        "INSERT INTO billing.postings VALUES ('post-21', 'usage', 'seller-1', NULL, '2026-04-02 05:00Z', '');
         INSERT INTO billing.entries VALUES ('post-21', 1, 'account-3', -0.04, NULL, NULL), ('post-21', 2, 'account-8', 0.04, NULL, NULL)",
    ),
    plant(
        "messages posted in another currency",
        &["month_is_posted_once"],
        "UPDATE billing.accounts SET currency = 'EUR' WHERE account_id = 'account-8'",
    ),
    // At rest.
    plant(
        "a hold left behind",
        &["no_hold_is_left"],
        "INSERT INTO billing.holds VALUES ('asg-8', 'buyer-1', 'seller-1', 'lead-3', 'camp-1', 5, 'held', 1, now(),
             '2026-03-02', '2026-03-01', NULL, NULL);
         UPDATE billing.wallets SET held = 5, spent_week = 40, spent_month = 40 WHERE buyer_id = 'buyer-1'",
    ),
    plant(
        "an event that was not published",
        &["outboxes_are_empty"],
        "INSERT INTO distribution.outbox (id, ordered, batch, retry_at) VALUES ('00000000-0000-7000-8000-000000000001', false, '', now())",
    ),
    plant(
        "a service that did not hear of a change",
        &["copies_are_current"],
        "UPDATE accounts.buyers SET version = 2 WHERE buyer_id = 'buyer-2'",
    ),
];
