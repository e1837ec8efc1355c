//! Deliveries to buyers' endpoints.

use super::Invariant;

pub(super) const ALL: &[Invariant] = &[
    Invariant {
        name: "assignment_is_delivered",
        sentence: "Every assignment to a buyer with an endpoint (which was there before, and is on) has one delivery to it.",
        only_when_settled: true,
        checked: "SELECT 1 FROM distribution.assignments JOIN notifier.endpoints USING (seller_id, buyer_id) WHERE enabled",
        broken: "SELECT format('assignment %s to buyer %s has %s deliveries', a.assignment_id, a.buyer_id, count(d.delivery_id))
                 FROM distribution.assignments a
                 JOIN notifier.endpoints e ON e.seller_id = a.seller_id AND e.buyer_id = a.buyer_id AND e.enabled
                     AND e.created_at < a.assigned_at
                 LEFT JOIN notifier.deliveries d ON d.assignment_id = a.assignment_id AND d.endpoint_id = e.endpoint_id
                 GROUP BY a.assignment_id, e.endpoint_id HAVING count(d.delivery_id) <> 1",
    },
    Invariant {
        name: "delivery_has_its_assignment",
        sentence: "What is delivered goes to the buyer's own endpoint, and a lead was sold to him.",
        only_when_settled: false,
        checked: "SELECT 1 FROM notifier.deliveries",
        broken: "SELECT format('delivery %s of assignment %s to buyer %s', d.delivery_id, d.assignment_id, d.buyer_id)
                 FROM notifier.deliveries d
                 LEFT JOIN distribution.assignments a USING (assignment_id)
                 LEFT JOIN notifier.endpoints e USING (endpoint_id)
                 WHERE (e.buyer_id = d.buyer_id AND e.seller_id = d.seller_id AND (d.event NOT LIKE 'lead.%'
                     OR a.buyer_id = d.buyer_id AND a.seller_id = d.seller_id AND a.lead_id = d.lead_id)) IS NOT TRUE",
    },
    Invariant {
        name: "delivery_ends_visibly",
        sentence: "A delivery waits for a next attempt, or was received, or was refused or given up with a reason; its attempts are all there, as \
                   long as such are kept.",
        only_when_settled: false,
        checked: "SELECT 1 FROM notifier.deliveries",
        broken: "SELECT format('delivery %s is %s after %s attempts (%s rows, %s received), due %s, error ''%s''', d.delivery_id,
                     d.status, d.attempts_made, n.attempts, n.received, d.due_at, d.error)
                 FROM notifier.deliveries d
                 LEFT JOIN (
                     SELECT delivery_id, count(*) AS attempts, max(number) AS last,
                         count(*) FILTER (WHERE meaning IN ('ACCEPTED', 'DUPLICATE')
                             OR meaning = '' AND status_code BETWEEN 200 AND 299) AS received,
                         count(*) FILTER (WHERE meaning IN ('REJECTED', 'DUPLICATE')) AS refused
                     FROM notifier.attempts GROUP BY delivery_id) n USING (delivery_id)
                 WHERE d.created_at >= coalesce((SELECT since FROM notifier.attempts_kept), '-infinity')
                     AND (coalesce(n.attempts, 0) <> d.attempts_made OR coalesce(n.last, 0) <> d.attempts_made
                     OR NOT CASE d.status
                         WHEN 'PENDING' THEN d.due_at IS NOT NULL AND d.ended_at IS NULL
                         WHEN 'DELIVERED' THEN coalesce(n.received, 0) >= 1 AND d.ended_at IS NOT NULL
                         WHEN 'REFUSED' THEN coalesce(n.refused, 0) >= 1 AND d.error <> '' AND d.ended_at IS NOT NULL
                         WHEN 'GAVE_UP' THEN d.error <> '' AND d.ended_at IS NOT NULL
                         ELSE false END)",
    },
    Invariant {
        name: "pending_delivery_is_not_forgotten",
        sentence: "At rest no delivery is more than five minutes late for its next attempt.",
        only_when_settled: true,
        checked: "SELECT 1 FROM notifier.deliveries WHERE status = 'PENDING'",
        broken: "SELECT format('delivery %s was due at %s', delivery_id, due_at)
                 FROM notifier.deliveries WHERE status = 'PENDING' AND due_at < now() - interval '5 minutes'",
    },
];
