//! Taking what is due from the queue that [`super::deliveries`] is.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use leadflow_kernel::{DeliveryId, EndpointId};
use leadflow_notifier_domain::EventKind;
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::{deliveries::read_sale, endpoints};
use crate::model::{DeliveryKey, Endpoint, Job};

/// What to take, and for whom.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Now.
    pub now: DateTime<Utc>,
    /// The taker's token.
    pub lease: Uuid,
    /// The end of the lease.
    pub leased_until: DateTime<Utc>,
    /// At most this many.
    pub limit: i64,
    /// Endpoints that have no room now.
    pub full: Vec<EndpointId>,
    /// For how many more others have room, and how many they hold.
    pub lines: Vec<(EndpointId, i64, i64)>,
    /// For how many all others have room.
    pub room: i64,
    /// And for how many one whose last attempt failed, with what it holds.
    pub room_when_failing: i64,
}

/// Takes what is due, with a lease: from each endpoint that has room the same number, what has been due longest first. So
/// however much waits for one that fails, the others' turn comes at once. Who fails comes after the others. Rows
/// that another replica is taking are passed over.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn claim(connection: &mut PgConnection, claim: &Claim) -> Result<Vec<Job>, sqlx::Error> {
    let rows = sqlx::query(concat!(
        // What each endpoint has waited for longest: one step along the index for each, however many rows it has.
        "WITH RECURSIVE heads AS ( \
           (SELECT endpoint_id, due_at FROM notifier.deliveries WHERE status = 'PENDING' \
            ORDER BY endpoint_id, due_at LIMIT 1) \
           UNION ALL \
           SELECT next.endpoint_id, next.due_at FROM heads CROSS JOIN LATERAL ( \
             SELECT d.endpoint_id, d.due_at FROM notifier.deliveries d \
             WHERE d.status = 'PENDING' AND d.endpoint_id > heads.endpoint_id \
             ORDER BY d.endpoint_id, d.due_at LIMIT 1) next), \
         waiting AS ( \
           SELECT heads.endpoint_id, heads.due_at, e.enabled AND e.failing_since IS NOT NULL AS failing, \
             LEAST(COALESCE(l.room, $8), CASE WHEN e.enabled AND e.failing_since IS NOT NULL \
                                              THEN $9 - COALESCE(l.held, 0) ELSE $4 END) AS room \
           FROM heads JOIN notifier.endpoints e USING (endpoint_id) \
           LEFT JOIN unnest($6::uuid[], $7::int8[], $10::int8[]) AS l(endpoint_id, room, held) USING (endpoint_id) \
           WHERE heads.due_at <= $1 AND heads.endpoint_id <> ALL($5)), \
         shares AS MATERIALIZED ( \
           SELECT endpoint_id, LEAST(room, GREATEST($4 / count(*) OVER (), 1)) AS share \
           FROM (SELECT * FROM waiting WHERE room > 0 ORDER BY failing, due_at LIMIT $4) w), \
         due AS MATERIALIZED ( \
           SELECT d.delivery_id, d.taken_over FROM shares CROSS JOIN LATERAL ( \
             SELECT delivery_id, lease IS NOT NULL AS taken_over FROM notifier.deliveries \
             WHERE status = 'PENDING' AND endpoint_id = shares.endpoint_id AND due_at <= $1 \
             ORDER BY due_at LIMIT shares.share FOR UPDATE SKIP LOCKED) d), \
         taken AS ( \
           UPDATE notifier.deliveries d SET lease = $2, due_at = $3 FROM due WHERE d.delivery_id = due.delivery_id \
           RETURNING d.delivery_id, d.lead_id, d.assignment_id, d.payload, d.traceparent, d.attempts_made, \
             d.attempts_before, d.arrived, d.event, d.endpoint_id, due.taken_over) \
         SELECT delivery_id, lead_id, assignment_id, payload, traceparent, attempts_made, attempts_before, arrived, event, \
                taken_over, ",
        endpoints::columns!(),
        " FROM taken JOIN notifier.endpoints USING (endpoint_id)"
    ))
    .bind(claim.now)
    .bind(claim.lease)
    .bind(claim.leased_until)
    .bind(claim.limit)
    .bind(claim.full.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>())
    .bind(claim.lines.iter().map(|(id, ..)| id.uuid()).collect::<Vec<Uuid>>())
    .bind(claim.lines.iter().map(|(_, room, _)| *room).collect::<Vec<i64>>())
    .bind(claim.room)
    .bind(claim.room_when_failing)
    .bind(claim.lines.iter().map(|(.., held)| *held).collect::<Vec<i64>>())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| read_job(row, claim)).collect()
}

fn read_job(row: &PgRow, claim: &Claim) -> Result<Job, sqlx::Error> {
    let endpoint: Endpoint = endpoints::read(row)?;
    let number = |column: &str| row.try_get::<i32, _>(column).map(|number| u32::try_from(number).unwrap_or(0));
    let event: String = row.try_get("event")?;
    Ok(Job {
        key: DeliveryKey {
            id: DeliveryId::from_uuid(row.try_get("delivery_id")?),
            seller: endpoint.seller,
            buyer: endpoint.buyer,
            sale: read_sale(row)?,
            event: EventKind::parse(&event).unwrap_or(EventKind::LeadAssigned),
        },
        payload: row.try_get::<Vec<u8>, _>("payload")?.into(),
        traceparent: row.try_get("traceparent")?,
        attempts_made: number("attempts_made")?,
        attempts_before: number("attempts_before")?,
        arrived: row.try_get("arrived")?,
        taken_over: row.try_get("taken_over")?,
        lease: claim.lease,
        leased_until: claim.leased_until,
        endpoint: Arc::new(endpoint),
    })
}
