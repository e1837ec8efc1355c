//! What suppliers were told is true. (`books_answers` holds what they were told.)

use super::Invariant;

pub(super) const ALL: &[Invariant] = &[
    Invariant {
        name: "answered_lead_is_stored",
        sentence: "A lead that was answered with 2xx is never lost: it has been decided and stored.",
        only_when_settled: true,
        checked: "SELECT 1 FROM books_answers",
        broken: "SELECT format('lead %s was answered %s and does not exist', a.lead_id, a.answered)
                 FROM books_answers a LEFT JOIN distribution.leads l USING (lead_id)
                 WHERE l.lead_id IS NULL",
    },
    Invariant {
        name: "answer_was_true",
        sentence: "What the answer said of a lead is so: sold stays sold (to as many, for as much) unless a buyer's system \
                   refused it, rejected stays rejected for the same reason, a test stays a test; what was unsold may have \
                   sold or expired since.",
        only_when_settled: false,
        checked: "SELECT 1 FROM books_answers JOIN distribution.leads USING (lead_id)",
        broken: "SELECT format('lead %s was answered %s (%s buyers, %s, %s) and is %s (%s buyers, %s, %s)', l.lead_id,
                     a.answered, a.buyers, a.price, a.reason, l.outcome, l.buyers_assigned, l.price, l.reason)
                 FROM books_answers a JOIN distribution.leads l USING (lead_id)
                 WHERE NOT CASE a.answered
                     WHEN 'pending' THEN true
                     WHEN 'distributed' THEN l.outcome = 2 AND l.buyers_assigned = a.buyers AND l.price = a.price
                         OR l.outcome IN (2, 3, 5) AND l.buyers_assigned >= a.buyers AND EXISTS (
                             SELECT FROM distribution.returns r WHERE r.lead_id = l.lead_id AND r.by_receiver)
                     WHEN 'unsold' THEN l.outcome IN (2, 3, 5) OR l.test AND l.outcome = 7
                     WHEN 'rejected' THEN l.outcome = 4 AND l.reason = a.reason
                     WHEN 'test' THEN l.outcome = 7 AND l.test
                     ELSE false END",
    },
];
