//! Between distribution and billing: what is sold is paid, what is paid was sold.

use super::Invariant;

pub(super) const ALL: &[Invariant] = &[
    Invariant {
        name: "assignment_is_covered",
        sentence: "Every assignment has a hold of its price on its buyer's wallet, open or captured.",
        only_when_settled: false,
        checked: "SELECT 1 FROM distribution.assignments",
        broken: "SELECT format('assignment %s of %s: its hold is %s', a.assignment_id, a.price,
                     coalesce(format('%s of %s', h.state, h.amount), 'missing'))
                 FROM distribution.assignments a LEFT JOIN billing.holds h ON h.hold_id = a.assignment_id
                 WHERE (h.state IN ('held', 'captured') AND h.amount = a.price AND h.buyer_id = a.buyer_id
                     AND h.seller_id = a.seller_id AND h.lead_id = a.lead_id AND h.campaign_id = a.campaign_id) IS NOT TRUE",
    },
    Invariant {
        name: "assignment_is_paid_once",
        sentence: "Every assignment is paid by exactly one posting, which takes its price from its buyer's wallet.",
        only_when_settled: true,
        checked: "SELECT 1 FROM distribution.assignments",
        broken: "SELECT format('assignment %s of %s: %s debits of %s', a.assignment_id, a.price, count(w.account_id),
                     coalesce(sum(e.amount) FILTER (WHERE w.account_id IS NOT NULL), 0))
                 FROM distribution.assignments a
                 LEFT JOIN billing.postings p ON p.assignment_id = a.assignment_id AND p.seller_id = a.seller_id
                     AND p.kind = 'lead_purchase'
                 LEFT JOIN billing.entries e ON e.posting_id = p.posting_id AND e.number IS NOT NULL
                 LEFT JOIN billing.accounts w ON w.account_id = e.account_id AND w.kind = 'buyer_wallet'
                     AND w.buyer_id = a.buyer_id
                 GROUP BY a.assignment_id, a.price
                 HAVING count(w.account_id) <> 1 OR sum(e.amount) FILTER (WHERE w.account_id IS NOT NULL) <> -a.price",
    },
    Invariant {
        name: "debit_has_its_assignment",
        sentence: "Nobody pays for a lead that was not assigned to him.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.postings WHERE kind = 'lead_purchase'",
        broken: "SELECT format('posting %s pays for assignment %s, which does not exist', p.posting_id, p.assignment_id)
                 FROM billing.postings p LEFT JOIN distribution.assignments a USING (assignment_id)
                 WHERE p.kind = 'lead_purchase' AND a.assignment_id IS NULL",
    },
    Invariant {
        name: "return_is_paid_back_once",
        sentence: "Every approved return is paid back by exactly one posting, which gives its price to its buyer's wallet, and nothing \
                   else is paid back.",
        only_when_settled: true,
        checked: "SELECT 1 FROM distribution.returns WHERE state = 'approved'",
        broken: "SELECT format('assignment %s: returned for %s, paid back %s times, %s to its buyer', assignment_id, r.price,
                     coalesce(p.number, 0), p.amount)
                 FROM (SELECT * FROM distribution.returns WHERE state = 'approved') r
                 FULL JOIN (
                     SELECT p.assignment_id, count(DISTINCT p.posting_id) AS number, min(p.seller_id::text) AS seller,
                         min(a.buyer_id::text) AS buyer, sum(e.amount) AS amount
                     FROM billing.postings p
                     LEFT JOIN billing.entries e ON e.posting_id = p.posting_id AND e.number IS NOT NULL
                     LEFT JOIN billing.accounts a ON a.account_id = e.account_id
                     WHERE p.kind = 'lead_return' GROUP BY p.assignment_id) p USING (assignment_id)
                 WHERE (p.number = 1 AND p.amount = r.price AND p.seller = r.seller_id::text AND p.buyer = r.buyer_id::text)
                     IS NOT TRUE",
    },
    Invariant {
        name: "test_lead_costs_nothing",
        sentence: "A test lead holds no money and is assigned to nobody.",
        only_when_settled: true,
        checked: "SELECT 1 FROM distribution.leads WHERE test",
        broken: "SELECT format('test lead %s has hold %s (%s)', l.lead_id, h.hold_id, h.state)
                 FROM distribution.leads l JOIN billing.holds h USING (lead_id) WHERE l.test AND h.state <> 'released'
                 UNION ALL
                 SELECT format('test lead %s is assigned to buyer %s', l.lead_id, a.buyer_id)
                 FROM distribution.leads l JOIN distribution.assignments a USING (lead_id) WHERE l.test",
    },
];
