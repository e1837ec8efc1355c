//! Sales that their buyer's systems do not take. A buyer may have several endpoints: one of them alone gives nothing back, as long as
//! another one has the lead or may still get it.

use leadflow_kernel::{AssignmentId, DeliveryId};
use sqlx::PgConnection;
use uuid::Uuid;

/// Has these sales' ends recorded one after the other, until the transaction ends: of two that are recorded at once each
/// would take the other for one that may still arrive. To be called before any row is locked.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn take_turns(connection: &mut PgConnection, sales: &[AssignmentId]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "SELECT pg_advisory_xact_lock(turn) FROM ( \
           SELECT DISTINCT hashtextextended('notifier sale ' || id::text, 0) AS turn FROM unnest($1::uuid[]) AS id \
           ORDER BY turn) AS turns",
    )
    .bind(sales.iter().map(|sale| sale.uuid()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

/// A sale that none of its buyer's systems takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One of the deliveries that were asked about.
    pub asked: DeliveryId,
    /// The delivery that was refused first.
    pub refused: DeliveryId,
    /// As it was recorded for it.
    pub error: String,
}

/// Of the sales that `ended` are of, those of which a delivery was refused, none arrived, and none waits.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of(connection: &mut PgConnection, ended: &[DeliveryId]) -> Result<Vec<Refusal>, sqlx::Error> {
    // All deliveries of a sale are made in one statement, so they have one time: there is an index that begins with it.
    let rows: Vec<(Uuid, Uuid, String)> = sqlx::query_as(
        "SELECT a.delivery_id, s.refused, s.error FROM notifier.deliveries a CROSS JOIN LATERAL ( \
           SELECT (array_agg(d.delivery_id ORDER BY d.ended_at, d.delivery_id) FILTER (WHERE d.status = 'REFUSED'))[1] AS refused, \
             (array_agg(d.error ORDER BY d.ended_at, d.delivery_id) FILTER (WHERE d.status = 'REFUSED'))[1] AS error, \
             bool_or(d.arrived OR d.status IN ('PENDING', 'DELIVERED')) AS may_have_it \
           FROM notifier.deliveries d \
           WHERE d.seller_id = a.seller_id AND d.buyer_id = a.buyer_id AND d.created_at = a.created_at \
             AND d.assignment_id = a.assignment_id AND d.event = a.event) s \
         WHERE a.delivery_id = ANY($1) AND s.refused IS NOT NULL AND NOT s.may_have_it",
    )
    .bind(ended.iter().map(|delivery| delivery.uuid()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let refusal = |(asked, refused, error)| Refusal {
        asked: DeliveryId::from_uuid(asked),
        refused: DeliveryId::from_uuid(refused),
        error,
    };
    Ok(rows.into_iter().map(refusal).collect())
}
