//! Stripe's side: what cards paid and got back is what billing has booked. (`books_stripe_…` hold what Stripe has.)

use super::Invariant;

pub(super) const ALL: &[Invariant] = &[
    Invariant {
        name: "charge_at_stripe_is_ours",
        sentence: "Every charge at Stripe, one that failed, too, is of a payment of ours under the same id, for the same amount and \
                   currency; it succeeded with us if the card paid, and no payment was paid twice.",
        only_when_settled: true,
        checked: "SELECT 1 FROM books_stripe_charges",
        broken: "SELECT format('charge %s of %s %s (%s) %s; our payment %s of %s %s (%s) is %s and received %s', c.id, c.amount, c.currency,
                     c.intent, CASE WHEN c.paid THEN 'succeeded' ELSE 'failed' END, c.payment_id, p.amount, p.currency, p.intent_id,
                     coalesce(p.state, 'missing'), p.received)
                 FROM books_stripe_charges c LEFT JOIN billing.payments p USING (payment_id)
                 WHERE (p.intent_id = c.intent AND p.amount = c.amount AND p.currency = c.currency
                     AND CASE WHEN c.paid THEN p.state = 'succeeded' AND p.received = c.amount ELSE p.state <> 'pending' END) IS NOT TRUE
                 UNION ALL
                 SELECT format('payment %s was paid by %s', payment_id, string_agg(id, ' and '))
                 FROM books_stripe_charges WHERE paid AND payment_id IS NOT NULL GROUP BY payment_id HAVING count(*) > 1",
    },
    Invariant {
        name: "charge_at_stripe_is_credited_once",
        sentence: "What a card paid has exactly one posting, which adds it to its buyer's wallet.",
        only_when_settled: true,
        checked: "SELECT 1 FROM books_stripe_charges WHERE paid",
        broken: "SELECT format('charge %s of %s: %s credits of %s', c.id, c.amount, count(b.posting_id), coalesce(sum(b.amount), 0))
                 FROM books_stripe_charges c
                 LEFT JOIN (
                     SELECT g.posting_id, g.payment_id, e.amount
                     FROM billing.postings g
                     JOIN billing.payments p ON p.payment_id = g.payment_id
                     JOIN billing.entries e ON e.posting_id = g.posting_id AND e.number IS NOT NULL
                     JOIN billing.accounts a ON a.account_id = e.account_id AND a.kind = 'buyer_wallet' AND a.buyer_id = p.buyer_id
                     WHERE g.kind IN ('top_up', 'recharge')) b ON b.payment_id = c.payment_id
                 WHERE c.paid GROUP BY c.id, c.amount
                 HAVING count(b.posting_id) <> 1 OR sum(b.amount) <> c.amount",
    },
    Invariant {
        name: "payment_was_paid_at_stripe",
        sentence: "Every payment that succeeded was paid by exactly one charge at Stripe.",
        only_when_settled: true,
        checked: "SELECT 1 FROM billing.payments WHERE state = 'succeeded'",
        broken: "SELECT format('payment %s of %s %s (%s) was paid by %s charges', p.payment_id, p.received, p.currency, p.intent_id, count(c.id))
                 FROM billing.payments p LEFT JOIN books_stripe_charges c ON c.intent = p.intent_id AND c.paid
                 WHERE p.state = 'succeeded' GROUP BY p.payment_id HAVING count(c.id) <> 1",
    },
    Invariant {
        name: "refund_is_the_same_at_stripe",
        sentence: "Every refund that we ordered is at Stripe and every one there that bears an id of ours is ours, once, of the same payment, with \
                   the same amount, currency and state; only one that Stripe refused is not there.",
        only_when_settled: true,
        checked: "SELECT 1 FROM books_stripe_refunds UNION ALL SELECT 1 FROM billing.refunds WHERE request_id IS NOT NULL",
        broken: "SELECT format('refund %s of %s %s is %s; at Stripe: %s of %s %s, %s', refund_id, r.amount, r.currency,
                     coalesce(r.state, 'missing'), s.id, s.amount, s.currency, coalesce(s.state, 'missing'))
                 FROM (SELECT f.*, p.intent_id, p.currency FROM billing.refunds f JOIN billing.payments p USING (payment_id)
                       WHERE f.request_id IS NOT NULL) r
                 FULL JOIN (SELECT *, count(*) OVER (PARTITION BY refund_id) AS number
                            FROM books_stripe_refunds WHERE refund_id IS NOT NULL) s USING (refund_id)
                 WHERE NOT (r.state = 'failed' AND r.provider_id IS NULL AND s.id IS NULL) IS TRUE
                     AND (s.number = 1 AND s.intent = r.intent_id AND s.amount = r.amount AND s.currency = r.currency AND s.state = r.state
                          AND coalesce(r.provider_id, s.id) = s.id) IS NOT TRUE",
    },
    Invariant {
        name: "payment_counts_what_stripe_gave_back",
        sentence: "Of every charge that a card paid as much went back at Stripe as its payment counts, whoever ordered it.",
        only_when_settled: true,
        checked: "SELECT 1 FROM books_stripe_charges WHERE paid",
        broken: "SELECT format('charge %s: %s went back, payment %s counts %s', c.id, c.refunded, p.payment_id, p.refunded)
                 FROM books_stripe_charges c JOIN billing.payments p ON p.intent_id = c.intent
                 WHERE c.paid AND c.refunded <> p.refunded",
    },
    Invariant {
        name: "dispute_is_the_same_at_stripe",
        sentence: "Every dispute at Stripe is one of ours and every one of ours is there, of the same payment, with the same amount, currency and state.",
        only_when_settled: true,
        checked: "SELECT 1 FROM books_stripe_disputes UNION ALL SELECT 1 FROM billing.disputes",
        broken: "SELECT format('dispute %s of %s %s is %s; at Stripe: %s %s, %s', coalesce(d.dispute_id, s.id), d.amount, d.currency,
                     coalesce(d.state, 'missing'), s.amount, s.currency, coalesce(s.state, 'missing'))
                 FROM (SELECT t.*, p.intent_id, p.currency FROM billing.disputes t JOIN billing.payments p USING (payment_id)) d
                 FULL JOIN books_stripe_disputes s ON s.id = d.dispute_id
                 WHERE (s.intent = d.intent_id AND s.amount = d.amount AND s.currency = d.currency
                     AND d.state = CASE WHEN s.state IN ('won', 'lost') THEN s.state ELSE 'open' END) IS NOT TRUE",
    },
];
