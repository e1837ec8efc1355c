//! Leads, assignments, caps and duplicates: what the tables of distribution promise by themselves.
//! Outcomes are 2 distributed, 3 unsold, 4 rejected, 5 expired, 7 test.

use super::Invariant;

pub(super) const ALL: &[Invariant] = &[
    Invariant {
        name: "lead_outcome_matches_assignments",
        sentence: "A lead is distributed exactly if it has assignments, as many and for as much as it says; one that all its \
                   buyers' systems refused is for sale again, or has expired.",
        only_when_settled: false,
        checked: "SELECT 1 FROM distribution.leads",
        broken: "SELECT format('lead %s has outcome %s, %s buyers, price %s, but %s assignments for %s', l.lead_id,
                     l.outcome, l.buyers_assigned, l.price, count(a.lead_id), sum(a.price))
                 FROM distribution.leads l LEFT JOIN distribution.assignments a USING (lead_id)
                 GROUP BY l.lead_id, l.received_at, l.outcome, l.buyers_assigned, l.price, l.test
                 HAVING NOT CASE
                     WHEN l.outcome = 2 THEN count(a.lead_id) >= 1 AND count(a.lead_id) = l.buyers_assigned
                         AND sum(a.price) = l.price AND NOT l.test
                     WHEN l.outcome IN (3, 5) AND NOT l.test AND count(a.lead_id) > 0 THEN bool_and(EXISTS (
                             SELECT FROM distribution.returns r WHERE r.assignment_id = a.assignment_id AND r.by_receiver))
                         AND count(a.lead_id) = l.buyers_assigned AND sum(a.price) = l.price
                     ELSE count(a.lead_id) = 0 END",
    },
    Invariant {
        name: "lead_is_there_once",
        sentence: "A lead is there once, whatever month it lies in, and lies where it is looked for.",
        only_when_settled: false,
        checked: "SELECT 1 FROM distribution.leads",
        broken: "SELECT format('lead %s of %s lies at %s, and is looked for at %s as one of %s', lead_id, l.seller_id,
                     l.received_at, i.received_at, i.seller_id)
                 FROM distribution.leads l FULL JOIN distribution.lead_ids i USING (lead_id)
                 WHERE (l.received_at = i.received_at AND l.seller_id = i.seller_id) IS NOT TRUE",
    },
    Invariant {
        name: "lead_for_sale_expires",
        sentence: "A lead that is for sale has a time at which that ends.",
        only_when_settled: false,
        checked: "SELECT 1 FROM distribution.leads WHERE outcome = 3",
        broken: "SELECT format('lead %s is for sale for ever', lead_id)
                 FROM distribution.leads WHERE outcome = 3 AND NOT test AND expires_at IS NULL",
    },
    Invariant {
        name: "assignment_belongs_together",
        sentence: "An assignment's lead, subscription, campaign and buyer exist and belong to each other and to one tenant.",
        only_when_settled: false,
        checked: "SELECT 1 FROM distribution.assignments",
        broken: "SELECT format('assignment %s: its lead, subscription, campaign, buyer or tenant do not fit', a.assignment_id)
                 FROM distribution.assignments a
                 LEFT JOIN distribution.leads l ON l.lead_id = a.lead_id
                 LEFT JOIN distribution.subscriptions s ON s.subscription_id = a.subscription_id
                 LEFT JOIN distribution.campaigns c ON c.campaign_id = a.campaign_id
                 LEFT JOIN distribution.buyers b ON b.buyer_id = a.buyer_id
                 WHERE (l.campaign_id = a.campaign_id AND s.campaign_id = a.campaign_id AND s.buyer_id = a.buyer_id
                     AND l.seller_id = a.seller_id AND s.seller_id = a.seller_id AND c.seller_id = a.seller_id
                     AND b.seller_id = a.seller_id AND c.currency = a.currency) IS NOT TRUE",
    },
    Invariant {
        name: "buyer_gets_a_lead_once",
        sentence: "Nobody is sold the same lead twice.",
        only_when_settled: false,
        checked: "SELECT 1 FROM distribution.assignments",
        broken: "SELECT format('lead %s was sold to buyer %s %s times', lead_id, buyer_id, count(*))
                 FROM distribution.assignments GROUP BY lead_id, buyer_id HAVING count(*) > 1",
    },
    Invariant {
        name: "one_buyer_unless_broadcast",
        sentence: "A lead of a campaign that does not broadcast goes to one buyer, and to another only when that one's system \
                   refused it.",
        only_when_settled: false,
        checked: "SELECT 1 FROM distribution.leads JOIN distribution.campaigns USING (campaign_id)
                  WHERE logic <> 'broadcast' AND outcome = 2",
        broken: "SELECT format('lead %s of a %s campaign went to %s buyers', a.lead_id, c.logic, count(*))
                 FROM distribution.assignments a JOIN distribution.campaigns c USING (campaign_id)
                 WHERE c.logic <> 'broadcast' AND NOT EXISTS (
                     SELECT FROM distribution.returns r WHERE r.assignment_id = a.assignment_id AND r.by_receiver)
                 GROUP BY a.lead_id, c.logic HAVING count(*) > 1",
    },
    Invariant {
        name: "daily_cap_is_kept",
        sentence: "A subscription gets no lead on one of its tenant's days beyond its cap; what its buyer got that day by \
                   subscriptions that he had there before counts too, what he returned and was taken out of the count does not.",
        only_when_settled: false,
        checked: "SELECT 1 FROM distribution.subscriptions WHERE daily_cap IS NOT NULL",
        // Of two subscriptions of a buyer, the one that was served later has the higher number in the rotation.
        broken: "WITH sold AS (
                     SELECT s.*, r.last_served, (a.assigned_at AT TIME ZONE t.time_zone)::date AS day, count(*) AS number
                     FROM distribution.assignments a
                     JOIN distribution.subscriptions s USING (subscription_id)
                     JOIN distribution.sellers t ON t.seller_id = s.seller_id
                     LEFT JOIN distribution.subscription_rotation r USING (subscription_id)
                     LEFT JOIN distribution.returns u ON u.assignment_id = a.assignment_id
                     WHERE u.out_of_caps IS NOT TRUE
                     GROUP BY s.subscription_id, r.last_served, day)
                 SELECT format('subscription %s: its buyer got %s leads on %s, its cap is %s', s.subscription_id,
                     sum(b.number), s.day, s.daily_cap)
                 FROM sold s
                 JOIN sold b ON b.campaign_id = s.campaign_id AND b.buyer_id = s.buyer_id AND b.day = s.day
                     AND (b.subscription_id = s.subscription_id OR b.last_served <= s.last_served)
                 WHERE s.daily_cap IS NOT NULL AND s.subscription_id NOT IN (SELECT subscription_id FROM books_changed)
                 GROUP BY s.subscription_id, s.day, s.daily_cap HAVING sum(b.number) > s.daily_cap",
    },
    Invariant {
        name: "sold_today_is_counted_right",
        sentence: "What counts for a subscription's cap today is what its buyer got by it, and by those that he had in the \
                   campaign before, without what he returned and was taken out of the count.",
        only_when_settled: false,
        checked: "SELECT 1 FROM distribution.subscription_rotation",
        broken: "WITH sold AS (
                     SELECT a.subscription_id, (a.assigned_at AT TIME ZONE t.time_zone)::date AS day, count(*) AS number
                     FROM distribution.assignments a JOIN distribution.sellers t USING (seller_id)
                     LEFT JOIN distribution.returns u ON u.assignment_id = a.assignment_id
                     WHERE u.out_of_caps IS NOT TRUE
                     GROUP BY 1, 2),
                 places AS (
                     SELECT r.*, coalesce(s.buyer_id, r.subscription_id) AS owner
                     FROM distribution.subscription_rotation r LEFT JOIN distribution.subscriptions s USING (subscription_id))
                 SELECT format('subscription %s is counted %s on %s and its buyer got %s', r.subscription_id, r.sold_today,
                     r.cap_day, coalesce(sum(sold.number), 0))
                 FROM places r
                 JOIN places b ON b.campaign_id = r.campaign_id AND b.owner = r.owner AND b.last_served <= r.last_served
                 LEFT JOIN sold ON sold.subscription_id = b.subscription_id AND sold.day = r.cap_day
                 GROUP BY r.subscription_id, r.sold_today, r.cap_day HAVING coalesce(sum(sold.number), 0) <> r.sold_today",
    },
    Invariant {
        name: "return_is_of_its_sale",
        sentence: "What is returned was sold to that buyer at that price, it is asked back once, within a year, and counts out of caps \
                   only if it is undone.",
        only_when_settled: false,
        checked: "SELECT 1 FROM distribution.returns",
        broken: "SELECT format('return %s (%s) of assignment %s for %s', r.return_id, r.state, r.assignment_id, r.price)
                 FROM distribution.returns r
                 LEFT JOIN distribution.assignments a ON a.assignment_id = r.assignment_id
                 LEFT JOIN distribution.leads l ON l.lead_id = a.lead_id
                 WHERE (a.buyer_id = r.buyer_id AND a.seller_id = r.seller_id AND a.lead_id = r.lead_id
                     AND a.campaign_id = r.campaign_id AND a.price = r.price AND a.currency = r.currency
                     AND a.assigned_at = r.assigned_at AND l.received_at = r.received_at AND l.supplier_id = r.supplier_id
                     AND l.category_id = r.category_id AND r.requested_at < a.assigned_at + interval '366 days'
                     AND (r.state = 'requested') = (r.decided_at IS NULL)
                     AND (r.state = 'approved' OR NOT r.out_of_caps)) IS NOT TRUE
                 UNION ALL
                 SELECT format('assignment %s is asked back %s times', assignment_id, count(*))
                 FROM distribution.returns GROUP BY assignment_id HAVING count(*) > 1",
    },
    Invariant {
        name: "state_matches",
        sentence: "A subscription to certain states gets leads of those states only, and none without a state.",
        only_when_settled: false,
        checked: "SELECT 1 FROM distribution.assignments JOIN distribution.subscriptions USING (subscription_id)
                  WHERE cardinality(states) > 0",
        broken: "SELECT format('assignment %s: a lead of state ''%s'' went to a subscription for %s', a.assignment_id, l.state,
                     array_to_string(s.states, ', '))
                 FROM distribution.assignments a
                 JOIN distribution.leads l USING (lead_id)
                 JOIN distribution.subscriptions s USING (subscription_id)
                 JOIN distribution.campaigns c ON c.campaign_id = a.campaign_id
                 WHERE c.allow_state_selection AND cardinality(s.states) > 0 AND NOT l.state = ANY (s.states)
                     AND s.subscription_id NOT IN (SELECT subscription_id FROM books_changed)",
    },
    Invariant {
        name: "person_is_sold_once",
        sentence: "Within a campaign's duplicate window no two leads about the same person are sold.",
        only_when_settled: false,
        checked: "SELECT 1 FROM distribution.leads JOIN distribution.campaigns USING (campaign_id)
                  WHERE duplicate_window_days > 0 AND outcome = 2",
        broken: "SELECT format('leads %s and %s have the same %s', before, lead_id, field) FROM (
                     SELECT lead_id, field, received_at, days,
                         lag(lead_id) OVER same AS before, lag(received_at) OVER same AS before_at
                     FROM (
                         SELECT l.lead_id, l.campaign_id, l.received_at, c.duplicate_window_days AS days, k.field, k.value
                         FROM distribution.leads l
                         JOIN distribution.campaigns c USING (campaign_id)
                         CROSS JOIN LATERAL (
                             SELECT f AS field, lower(btrim(l.data ->> f)) AS value
                             FROM unnest(c.duplicate_fields) f WHERE c.duplicate_match = 'any'
                             UNION ALL
                             SELECT array_to_string(c.duplicate_fields, '+'),
                                 string_agg(lower(btrim(l.data ->> f)), chr(1) ORDER BY f)
                             FROM unnest(c.duplicate_fields) f WHERE c.duplicate_match = 'all'
                             HAVING bool_and(l.data ->> f ~ '[[:alnum:]]')
                         ) k
                         WHERE l.outcome = 2 AND c.duplicate_window_days > 0 AND k.value ~ '[[:alnum:]]'
                     ) keyed
                     WINDOW same AS (PARTITION BY campaign_id, field, value ORDER BY received_at, lead_id)
                 ) pairs
                 WHERE before IS NOT NULL AND received_at - before_at < days * interval '24 hours'",
    },
];
