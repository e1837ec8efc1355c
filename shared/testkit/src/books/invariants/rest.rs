//! What holds once everything has come to rest. Asked of the tables alone, so that it can be waited for.

use super::Invariant;

pub(in crate::books) const ALL: &[Invariant] = &[
    Invariant {
        name: "no_hold_is_left",
        sentence: "At rest no money is set aside: every hold has ended.",
        only_when_settled: true,
        checked: "SELECT 1 FROM billing.holds",
        broken: "SELECT format('hold %s of %s since %s (%s attempts)', hold_id, amount, placed_at, attempts)
                 FROM billing.holds WHERE state = 'held'",
    },
    Invariant {
        name: "outboxes_are_empty",
        sentence: "At rest every event has been published, but for those of the last ten seconds.",
        only_when_settled: true,
        checked: "SELECT 1 FROM (VALUES ('accounts'), ('billing'), ('distribution'), ('notifier')) AS schemas",
        // A delivery may end at any time and tell of it. A row's id begins with the milliseconds of its birth.
        broken: "SELECT format('%s.outbox: %s', schema, id)
                 FROM (SELECT 'accounts' AS schema, id FROM accounts.outbox
                       UNION ALL SELECT 'billing', id FROM billing.outbox
                       UNION ALL SELECT 'distribution', id FROM distribution.outbox
                       UNION ALL SELECT 'notifier', id FROM notifier.outbox) AS rows
                 WHERE ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint
                     < extract(epoch FROM now()) * 1000 - 10000",
    },
    Invariant {
        name: "copies_are_current",
        sentence: "At rest every service has heard of the newest version of every seller and buyer.",
        only_when_settled: true,
        checked: "SELECT 1 FROM accounts.buyers UNION ALL SELECT 1 FROM accounts.sellers",
        broken: "SELECT format('seller %s is at version %s, distribution has %s, billing %s', s.seller_id, s.version, d.version, b.version)
                 FROM accounts.sellers s LEFT JOIN distribution.sellers d USING (seller_id)
                 LEFT JOIN billing.sellers b USING (seller_id)
                 WHERE (d.version = s.version AND b.version = s.version) IS NOT TRUE
                 UNION ALL
                 SELECT format('buyer %s is at version %s, distribution has %s, billing %s', s.buyer_id, s.version, d.version, b.version)
                 FROM accounts.buyers s LEFT JOIN distribution.buyers d USING (buyer_id)
                 LEFT JOIN billing.wallets b USING (buyer_id)
                 WHERE (d.version = s.version AND b.version = s.version) IS NOT TRUE",
    },
];
