//! Card money: charges, refunds and disputes.

use super::Invariant;

pub(super) const ALL: &[Invariant] = &[
    Invariant {
        name: "card_payment_is_credited_once",
        sentence: "Every card payment that succeeded has exactly one posting, which adds what the card paid to its buyer's wallet; \
                   no other payment has one.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.payments",
        broken: "SELECT format('payment %s is %s and received %s: posting %s adds %s to buyer %s', p.payment_id, p.state, p.received,
                     b.posting_id, e.amount, a.buyer_id)
                 FROM billing.payments p
                 FULL JOIN (SELECT * FROM billing.postings WHERE kind IN ('top_up', 'recharge')) b ON b.payment_id = p.payment_id
                 LEFT JOIN billing.entries e ON e.posting_id = b.posting_id AND e.number IS NOT NULL
                 LEFT JOIN billing.accounts a ON a.account_id = e.account_id
                 WHERE CASE WHEN p.state = 'succeeded'
                     THEN (b.posting_id = p.posting_id AND b.kind = p.kind AND e.amount = p.received AND a.buyer_id = p.buyer_id) IS NOT TRUE
                     ELSE b.posting_id IS NOT NULL END",
    },
    Invariant {
        name: "card_money_is_explained",
        sentence: "What a tenant's cards paid, less what went back and what disputes lost, is what its ledger says is with the card provider.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.accounts WHERE kind = 'card_clearing'",
        broken: "SELECT format('seller %s: the ledger has %s with the card provider, payments say %s', seller_id, coalesce(booked, 0),
                     coalesce(paid, 0) - coalesce(back, 0) - coalesce(lost, 0))
                 FROM (SELECT seller_id, sum(received) AS paid FROM billing.payments GROUP BY seller_id) p
                 FULL JOIN (
                     SELECT seller_id, sum(CASE WHEN state <> 'failed' THEN amount WHEN request_id IS NULL THEN -amount ELSE 0 END) AS back
                     FROM billing.refunds GROUP BY seller_id) r USING (seller_id)
                 FULL JOIN (
                     SELECT seller_id, sum(amount) AS lost FROM billing.disputes WHERE state = 'lost' GROUP BY seller_id) d USING (seller_id)
                 FULL JOIN (
                     SELECT a.seller_id, -sum(e.amount) AS booked
                     FROM billing.accounts a JOIN billing.entries e USING (account_id) WHERE a.kind = 'card_clearing'
                     GROUP BY a.seller_id) b USING (seller_id)
                 WHERE coalesce(booked, 0) <> coalesce(paid, 0) - coalesce(back, 0) - coalesce(lost, 0)",
    },
    Invariant {
        name: "disputed_money_is_set_aside",
        sentence: "What a tenant's ledger has set aside is the sum of its disputes that are not decided, and each wallet counts its own.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.disputes",
        broken: "SELECT format('seller %s has set aside %s, its open disputes sum to %s', seller_id, coalesce(aside, 0), coalesce(open, 0))
                 FROM (SELECT seller_id, sum(amount) AS open FROM billing.disputes WHERE state = 'open' GROUP BY seller_id) d
                 FULL JOIN (
                     SELECT a.seller_id, sum(e.amount) AS aside
                     FROM billing.accounts a JOIN billing.entries e USING (account_id) WHERE a.kind = 'disputed'
                     GROUP BY a.seller_id) b USING (seller_id)
                 WHERE coalesce(aside, 0) <> coalesce(open, 0)
                 UNION ALL
                 SELECT format('wallet of buyer %s counts %s open disputes, there are %s', w.buyer_id, w.open_disputes, count(d.dispute_id))
                 FROM billing.wallets w LEFT JOIN billing.disputes d ON d.buyer_id = w.buyer_id AND d.state = 'open'
                 GROUP BY w.buyer_id HAVING w.open_disputes <> count(d.dispute_id)",
    },
    Invariant {
        name: "debt_is_what_is_owed",
        sentence: "What a wallet says that its buyer owes is what the ledger says.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.wallets",
        broken: "SELECT format('wallet of buyer %s owes %s, the ledger says %s', w.buyer_id, w.debt, -coalesce(sum(e.amount), 0))
                 FROM billing.wallets w
                 LEFT JOIN billing.accounts a ON a.buyer_id = w.buyer_id AND a.kind = 'buyer_debt'
                 LEFT JOIN billing.entries e ON e.account_id = a.account_id
                 GROUP BY w.buyer_id HAVING w.debt <> -coalesce(sum(e.amount), 0)",
    },
    Invariant {
        name: "payment_counts_what_went_back",
        sentence: "What a payment counts as refunded and disputed is the sum of its refunds and of its disputes that are open or lost.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.refunds UNION ALL SELECT 1 FROM billing.disputes",
        broken: "SELECT format('payment %s counts %s refunded and %s disputed, there are %s and %s', payment_id, refunded, disputed, back, taken)
                 FROM (
                     SELECT p.payment_id, p.refunded, p.disputed,
                         (SELECT coalesce(sum(CASE WHEN state <> 'failed' THEN amount WHEN request_id IS NULL THEN -amount ELSE 0 END), 0)
                          FROM billing.refunds r WHERE r.payment_id = p.payment_id) AS back,
                         (SELECT coalesce(sum(amount), 0) FROM billing.disputes d
                          WHERE d.payment_id = p.payment_id AND d.state <> 'won') AS taken
                     FROM billing.payments p) AS counted
                 WHERE refunded <> back OR disputed <> taken",
    },
    Invariant {
        name: "one_recharge_at_a_time",
        sentence: "No buyer's card is being charged by the program twice at once.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.payments WHERE kind = 'recharge'",
        broken: "SELECT format('buyer %s has %s recharges under way', buyer_id, count(*)) FROM billing.payments
                 WHERE kind = 'recharge' AND state IN ('pending', 'requires_action') GROUP BY buyer_id HAVING count(*) > 1",
    },
];
