//! Messages that sellers pay for: what was sent, what is counted, and what is in the ledger. `books_sent` is made by
//! [`crate::books::sent`].

use super::Invariant;

pub(super) const ALL: &[Invariant] = &[
    Invariant {
        name: "sent_message_is_counted",
        sentence: "At rest every webhook that was answered (it arrived, or was refused) and every message that was sent is counted, but for those of the last 30 seconds \
                   (and those of more than 30 days ago, which are forgotten one by one).",
        only_when_settled: true,
        checked: "SELECT 1 FROM books_sent WHERE sent",
        broken: "SELECT format('%s %s of seller %s ended at %s and is not counted', b.what, b.id, b.seller_id, b.ended_at)
                 FROM books_sent b LEFT JOIN billing.usage_seen s ON s.message = b.seen
                 WHERE b.sent AND s.message IS NULL
                     AND b.ended_at BETWEEN now() - interval '30 days' AND now() - interval '30 seconds'",
    },
    Invariant {
        name: "counted_message_was_sent",
        sentence: "Nothing is counted that was not sent.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.usage_seen",
        broken: "SELECT format('message %s is counted, and is %s', s.message,
                     coalesce(b.what || ' ' || b.id || ', which was not sent', 'nothing that was sent'))
                 FROM billing.usage_seen s LEFT JOIN books_sent b ON b.seen = s.message
                 WHERE (b.sent OR b.open) IS NOT TRUE",
    },
    Invariant {
        name: "counted_messages_add_up",
        sentence: "A seller's counted messages and units are those of the messages that are known to be counted, by kind and buyer; \
                   none is counted twice.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.usage_months",
        // Between what is known to be counted, which is forgotten after a month, and everything that was sent.
        broken: "SELECT format('seller %s, %s for buyer %s: %s messages and %s units are counted, %s and %s are known, %s and %s were sent',
                     seller_id, kind, buyer_id, coalesce(c.messages, 0), coalesce(c.units, 0), coalesce(s.known, 0),
                     coalesce(s.known_units, 0), coalesce(s.messages, 0), coalesce(s.units, 0))
                 FROM (SELECT seller_id, kind, buyer_id, sum(messages) AS messages, sum(units) AS units
                       FROM (SELECT seller_id, kind, buyer_id, messages, units FROM billing.usage_months
                             UNION ALL SELECT seller_id, kind, buyer_id, messages, units FROM billing.usage_unpriced) AS both_kinds
                       GROUP BY 1, 2, 3) c
                 FULL JOIN (
                     SELECT b.seller_id, b.kind, coalesce(b.buyer_id, '00000000-0000-0000-0000-000000000000') AS buyer_id,
                         count(*) FILTER (WHERE b.sent OR u.message IS NOT NULL) AS messages,
                         sum(b.units) FILTER (WHERE b.sent OR u.message IS NOT NULL) AS units,
                         count(u.message) AS known, sum(b.units) FILTER (WHERE u.message IS NOT NULL) AS known_units
                     FROM books_sent b LEFT JOIN billing.usage_seen u ON u.message = b.seen
                     GROUP BY 1, 2, 3) s USING (seller_id, kind, buyer_id)
                 WHERE NOT coalesce(c.messages, 0) BETWEEN coalesce(s.known, 0) AND coalesce(s.messages, 0)
                     OR NOT coalesce(c.units, 0) BETWEEN coalesce(s.known_units, 0) AND coalesce(s.units, 0)",
    },
    Invariant {
        name: "posted_messages_were_counted",
        sentence: "A seller's postings have the units that are marked as posted, at their prices, and are no more than half a cent from \
                   their exact sum in all.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.usage_postings",
        broken: "SELECT format('seller %s: %s units for %s are posted of %s, postings have %s units for %s and take %s', seller_id, m.units,
                     m.exact, m.counted, p.units, p.exact, p.amount)
                 FROM (SELECT seller_id, sum(posted_units) AS units, sum(units) AS counted,
                           sum(posted_units * cost * (1 + markup_percent / 100)) AS exact, bool_or(posted_units > units) AS too_many
                       FROM billing.usage_months GROUP BY 1) m
                 FULL JOIN (SELECT seller_id, sum(units) AS units, sum(exact) AS exact, sum(amount) AS amount
                            FROM billing.usage_postings GROUP BY 1) p USING (seller_id)
                 WHERE coalesce(m.units, 0) <> coalesce(p.units, 0) OR coalesce(m.exact, 0) <> coalesce(p.exact, 0)
                     OR abs(coalesce(p.exact, 0) - coalesce(p.amount, 0)) > 0.005 OR m.too_many",
    },
    Invariant {
        name: "month_is_posted_once",
        sentence: "A month's messages have one posting, which takes its amount from the seller's earnings and gives it to the platform, in \
                   the seller's currency; there is no other posting of messages.",
        only_when_settled: false,
        checked: "SELECT 1 FROM billing.usage_postings",
        broken: "SELECT format('%s of seller %s: posting %s of seller %s takes %s and gives %s, of %s', u.month, u.seller_id, p.posting_id,
                     p.seller_id, e.taken, e.given, u.amount)
                 FROM billing.usage_postings u
                 FULL JOIN (SELECT * FROM billing.postings WHERE kind = 'usage') p USING (posting_id)
                 LEFT JOIN (
                     SELECT e.posting_id, -sum(e.amount) FILTER (WHERE a.kind = 'seller_earnings' AND a.currency = s.currency) AS taken,
                         sum(e.amount) FILTER (WHERE a.kind = 'platform_usage' AND a.currency = s.currency) AS given
                     FROM billing.entries e JOIN billing.accounts a USING (account_id) LEFT JOIN billing.sellers s ON s.seller_id = a.seller_id
                     GROUP BY 1) e ON e.posting_id = p.posting_id
                 WHERE (u.seller_id = p.seller_id AND e.taken = u.amount AND e.given = u.amount) IS NOT TRUE
                 UNION ALL
                 SELECT format('%s of seller %s is posted %s times', month, seller_id, count(*))
                 FROM billing.usage_postings GROUP BY month, seller_id HAVING count(*) > 1",
    },
];
