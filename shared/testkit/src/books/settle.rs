//! Waiting until everything has come to rest.

use std::time::Duration;

use leadflow_kernel::LeadId;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use super::invariants::AT_REST;
use crate::wait;

/// What had not come to rest in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not settled after {waited:?}: {}", .left.join(", "))]
pub struct Unsettled {
    /// How long was waited.
    pub waited: Duration,
    /// One entry for each kind of work that is left, with how much.
    pub left: Vec<String>,
}

/// Waits until every one of `leads` is decided, every outbox empty, every assignment paid and handed
/// to its buyer's endpoint, no hold open, of every charge and refund known what became of it, everything that was sent
/// counted, and whatever else the books promise of rest is so. Deliveries may still be pending.
///
/// # Errors
/// [`Unsettled`] when that takes longer than `timeout`, or the database cannot be read.
pub async fn wait_until_settled(pool: &PgPool, leads: &[LeadId], timeout: Duration) -> Result<(), Unsettled> {
    let ids: Vec<Uuid> = leads.iter().map(|id| id.uuid()).collect();
    let mut left = Vec::new();
    let settled = wait::try_for("everything at rest", timeout, async || {
        left = match remaining(pool, &ids).await {
            Ok(left) => left,
            Err(error) => vec![format!("the database cannot be read: {error}")],
        };
        left.is_empty().then_some(())
    })
    .await;
    settled.map_err(|_| Unsettled { waited: timeout, left })
}

/// Work that small tables and indexes tell of.
const IN_HAND: &str = "
    SELECT what, number FROM (
        SELECT 1 AS place, 'leads not decided' AS what,
            (SELECT count(*) FROM unnest($1::uuid[]) AS t (lead_id)
             WHERE NOT EXISTS (SELECT 1 FROM distribution.leads l WHERE l.lead_id = t.lead_id)) AS number
        UNION ALL SELECT 2, 'rows in accounts.outbox', (SELECT count(*) FROM accounts.outbox)
        UNION ALL SELECT 3, 'rows in distribution.outbox', (SELECT count(*) FROM distribution.outbox)
        UNION ALL SELECT 4, 'rows in billing.outbox', (SELECT count(*) FROM billing.outbox)
        UNION ALL SELECT 5, 'rows in notifier.outbox', (SELECT count(*) FROM notifier.outbox)
        UNION ALL SELECT 6, 'open holds', (SELECT count(*) FROM billing.holds WHERE state = 'held')
        UNION ALL SELECT 7, 'card payments without an answer',
            (SELECT count(*) FROM billing.payments WHERE attempt_at IS NOT NULL AND state = 'pending')
        UNION ALL SELECT 8, 'refunds without an answer',
            (SELECT count(*) FROM billing.refunds WHERE attempt_at IS NOT NULL AND provider_id IS NULL)
        UNION ALL SELECT 9, 'webhooks of Stripe that nobody has looked at',
            (SELECT count(*) FROM billing.provider_events WHERE state = 'waiting' AND attempts = 0)
    ) AS work WHERE number > 0 ORDER BY place";

/// Work that only whole tables tell of; asked for when none of the other is left.
const TO_COME: &str = "
    SELECT what, number FROM (
        SELECT 1 AS place, 'assignments not paid' AS what,
            (SELECT count(*) FROM distribution.assignments a
             WHERE NOT EXISTS (SELECT 1 FROM billing.holds h WHERE h.hold_id = a.assignment_id AND h.state = 'captured'))
            AS number
        UNION ALL SELECT 2, 'returns not paid back',
            (SELECT count(*) FROM distribution.returns r WHERE r.state = 'approved'
             AND NOT EXISTS (SELECT 1 FROM billing.postings p WHERE p.assignment_id = r.assignment_id AND p.kind = 'lead_return'))
        UNION ALL SELECT 3, 'deliveries not written',
            (SELECT count(*) FROM distribution.assignments a
             JOIN notifier.endpoints e ON e.seller_id = a.seller_id AND e.buyer_id = a.buyer_id AND e.enabled
                 AND e.created_at < a.assigned_at
             WHERE NOT EXISTS (SELECT 1 FROM notifier.deliveries d
                               WHERE d.assignment_id = a.assignment_id AND d.endpoint_id = e.endpoint_id))
        UNION ALL SELECT 4, 'messages not counted',
            (SELECT count(*) FROM notifier.deliveries WHERE status IN ('DELIVERED', 'REFUSED') AND ended_at > now() - interval '30 days')
            + (SELECT count(*) FROM notifier.mails WHERE status = 'SENT' AND seller_id IS NOT NULL AND ended_at > now() - interval '30 days')
            + (SELECT count(*) FROM notifier.messages WHERE status IN ('SENT', 'DELIVERED', 'BOUNCED') AND seller_id IS NOT NULL
                   AND ended_at > now() - interval '30 days')
            - (SELECT coalesce(sum(messages), 0)::bigint
               FROM (SELECT messages FROM billing.usage_months UNION ALL SELECT messages FROM billing.usage_unpriced) AS counted)
    ) AS work WHERE number > 0 ORDER BY place";

async fn remaining(pool: &PgPool, leads: &[Uuid]) -> Result<Vec<String>, sqlx::Error> {
    let mut rows: Vec<(String, i64)> = sqlx::query_as(IN_HAND).bind(leads).fetch_all(pool).await?;
    if rows.is_empty() {
        rows = sqlx::query_as(TO_COME).fetch_all(pool).await?;
    }
    if rows.is_empty() {
        for invariant in AT_REST {
            let broken = format!("SELECT count(*) FROM ({}) AS broken (what)", invariant.broken);
            let number: i64 = sqlx::query_scalar(AssertSqlSafe(broken)).fetch_one(pool).await?;
            if number > 0 {
                rows.push((format!("against {}", invariant.name), number));
            }
        }
    }
    Ok(rows.into_iter().map(|(what, number)| format!("{number} {what}")).collect())
}
