//! Table `notifier.deliveries`: a queue with leases.
//!
//! `due_at` says when a worker may take a row. Taking it moves `due_at` to the end of the lease and
//! writes a token; a result is only stored by whoever still has that token. So a worker that dies
//! or hangs loses its rows to another one, and its late result changes nothing.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use leadflow_kernel::{AssignmentId, BuyerId, DeliveryId, EndpointId, LeadId, SellerId};
use leadflow_notifier_domain::EventKind;
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, PgPool, Postgres, Row, Transaction, postgres::PgRow};
use uuid::Uuid;

use super::endpoints;
use crate::model::{DeliveryKey, Endpoint, Job};

/// Begins a transaction whose commit returns before the disk has it. For results only: one that a
/// power loss takes is a webhook sent again when its lease ends, as after any crash, and receivers
/// know it by its id.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn begin_without_waiting_for_the_disk(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    pool.begin_with("BEGIN; SET LOCAL synchronous_commit = off").await
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// To be sent, or sent again.
    Pending,
    /// The receiver has it.
    Delivered,
    /// The receiver does not take it.
    Refused,
    /// It will not be sent again.
    GaveUp,
}

impl Status {
    /// As stored and as told.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Delivered => "DELIVERED",
            Self::Refused => "REFUSED",
            Self::GaveUp => "GAVE_UP",
        }
    }
}

/// A delivery to be stored.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Which.
    pub key: DeliveryKey,
    /// Where to.
    pub endpoint: EndpointId,
    /// The bytes to send.
    pub payload: Bytes,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// PENDING, or GAVE_UP when there is no point in sending.
    pub status: Status,
    /// For a pending one.
    pub due_at: Option<DateTime<Utc>>,
    /// Of whoever sends it right away.
    pub lease: Option<Uuid>,
    /// Why it is given up.
    pub error: String,
    /// Now.
    pub created_at: DateTime<Utc>,
}

/// Stores those that are new and returns their ids.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(
    connection: &mut PgConnection,
    new: impl Iterator<Item = &NewDelivery>,
) -> Result<HashSet<DeliveryId>, sqlx::Error> {
    fn column<'a, T>(new: &[&'a NewDelivery], value: impl FnMut(&&'a NewDelivery) -> T) -> Vec<T> {
        new.iter().map(value).collect()
    }
    let new: Vec<&NewDelivery> = new.collect();
    let new = new.as_slice();
    let inserted: Vec<Uuid> = sqlx::query_scalar(
        "INSERT INTO notifier.deliveries (delivery_id, seller_id, buyer_id, lead_id, assignment_id, endpoint_id, \
           payload, traceparent, status, due_at, lease, error, created_at, event, ended_at) \
         SELECT t.*, CASE WHEN t.status <> 'PENDING' THEN t.created_at END \
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::bytea[], $8::text[], \
                     $9::text[], $10::timestamptz[], $11::uuid[], $12::text[], $13::timestamptz[], $14::text[]) \
           AS t(delivery_id, seller_id, buyer_id, lead_id, assignment_id, endpoint_id, payload, traceparent, status, \
                due_at, lease, error, created_at, event) \
         ON CONFLICT (delivery_id) DO NOTHING RETURNING delivery_id",
    )
    .bind(column(new, |d| d.key.id.uuid()))
    .bind(column(new, |d| d.key.seller.uuid()))
    .bind(column(new, |d| d.key.buyer.uuid()))
    .bind(column(new, |d| d.key.lead.uuid()))
    .bind(column(new, |d| d.key.assignment.uuid()))
    .bind(column(new, |d| d.endpoint.uuid()))
    .bind(column(new, |d| &d.payload[..]))
    .bind(column(new, |d| d.traceparent.as_deref()))
    .bind(column(new, |d| d.status.text()))
    .bind(column(new, |d| d.due_at))
    .bind(column(new, |d| d.lease))
    .bind(column(new, |d| d.error.as_str()))
    .bind(column(new, |d| d.created_at))
    .bind(column(new, |d| d.key.event.text()))
    .fetch_all(connection)
    .await?;
    Ok(inserted.into_iter().map(DeliveryId::from_uuid).collect())
}

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
            lead: LeadId::from_uuid(row.try_get("lead_id")?),
            assignment: AssignmentId::from_uuid(row.try_get("assignment_id")?),
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

/// The result of a job.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Which.
    pub delivery: DeliveryId,
    /// The token it was taken with.
    pub lease: Uuid,
    /// Where it stands now.
    pub status: Status,
    /// Attempts so far.
    pub attempts_made: i32,
    /// When to try again, if it is still pending.
    pub due_at: Option<DateTime<Utc>>,
    /// Why it is given up.
    pub error: String,
    /// Now.
    pub at: DateTime<Utc>,
    /// The attempt that led to it, if one was made.
    pub attempt: Option<super::attempts::AttemptRow>,
}

/// Stores results and their attempts. Returns the deliveries whose lease still stood; the results
/// of the others are dropped.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn finish(connection: &mut PgConnection, endings: &[Ending]) -> Result<HashSet<DeliveryId>, sqlx::Error> {
    fn column<T>(endings: &[Ending], value: impl FnMut(&Ending) -> T) -> Vec<T> {
        endings.iter().map(value).collect()
    }
    let attempts: Vec<_> = endings.iter().filter_map(|ending| ending.attempt.as_ref()).collect();
    let stored: Vec<Uuid> = sqlx::query_scalar(
        "WITH done AS ( \
           UPDATE notifier.deliveries d SET status = t.status, attempts_made = t.attempts_made, due_at = t.due_at, \
             error = t.error, ended_at = CASE WHEN t.status <> 'PENDING' THEN t.at END, lease = NULL \
           FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int4[], $5::timestamptz[], $6::text[], $7::timestamptz[]) \
             AS t(delivery_id, lease, status, attempts_made, due_at, error, at) \
           WHERE d.delivery_id = ANY($1) AND d.delivery_id = t.delivery_id AND d.lease = t.lease \
           RETURNING d.delivery_id), \
         tried AS ( \
           INSERT INTO notifier.attempts (delivery_id, number, started_at, duration_ms, status_code, error, response, \
                                         meaning, note) \
           SELECT a.* FROM unnest($8::uuid[], $9::int4[], $10::timestamptz[], $11::int4[], $12::int4[], $13::text[], \
                                  $14::text[], $15::text[], $16::text[]) \
             AS a(delivery_id, number, started_at, duration_ms, status_code, error, response, meaning, note) \
           JOIN done USING (delivery_id)) \
         SELECT delivery_id FROM done",
    )
    .bind(column(endings, |e| e.delivery.uuid()))
    .bind(column(endings, |e| e.lease))
    .bind(column(endings, |e| e.status.text()))
    .bind(column(endings, |e| e.attempts_made))
    .bind(column(endings, |e| e.due_at))
    .bind(column(endings, |e| e.error.clone()))
    .bind(column(endings, |e| e.at))
    .bind(attempts.iter().map(|a| a.delivery.uuid()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.number).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.started_at).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.duration_ms).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.status_code).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.error.as_str()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.response.as_str()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.meaning.as_str()).collect::<Vec<_>>())
    .bind(attempts.iter().map(|a| a.note.as_str()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(stored.into_iter().map(DeliveryId::from_uuid).collect())
}

/// Gives leases back: the rows are due at once. Each is told whether it had been taken over: then its lease stays as the sign
/// that it may have been sent.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn give_back(
    connection: &mut PgConnection,
    leases: &[(DeliveryId, Uuid, bool)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE notifier.deliveries d SET lease = CASE WHEN t.taken_over THEN d.lease END, due_at = $3 \
         FROM unnest($1::uuid[], $2::uuid[], $4::bool[]) AS t(delivery_id, lease, taken_over) \
         WHERE d.delivery_id = ANY($1) AND d.delivery_id = t.delivery_id AND d.lease = t.lease",
    )
    .bind(leases.iter().map(|(id, ..)| id.uuid()).collect::<Vec<Uuid>>())
    .bind(leases.iter().map(|(_, lease, _)| *lease).collect::<Vec<Uuid>>())
    .bind(now)
    .bind(leases.iter().map(|(.., taken_over)| *taken_over).collect::<Vec<bool>>())
    .execute(connection)
    .await
    .map(drop)
}

/// Makes what waits for these endpoints due, so that a worker ends it now that they are off. Rows
/// that somebody is writing are left: they come up at their own time.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn make_due(
    connection: &mut PgConnection,
    endpoints: &[EndpointId],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE notifier.deliveries SET due_at = $2 WHERE delivery_id IN ( \
           SELECT delivery_id FROM notifier.deliveries \
           WHERE status = 'PENDING' AND endpoint_id = ANY($1) AND lease IS NULL AND due_at > $2 \
           FOR UPDATE SKIP LOCKED)",
    )
    .bind(endpoints.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>())
    .bind(now)
    .execute(connection)
    .await
    .map(drop)
}

/// A delivery as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Its id.
    pub id: DeliveryId,
    /// The sale.
    pub assignment: AssignmentId,
    /// What was sold.
    pub lead: LeadId,
    /// Where to.
    pub endpoint: EndpointId,
    /// PENDING, DELIVERED, REFUSED or GAVE_UP.
    pub status: String,
    /// Attempts so far.
    pub attempts_made: i32,
    /// When it comes up next.
    pub due_at: Option<DateTime<Utc>>,
    /// What it tells of.
    pub event: String,
    /// Why it ended without arriving, in words.
    pub error: String,
    /// When there was something to send.
    pub created_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// A buyer's deliveries, newest first, older than `before` if that is given.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of_buyer(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    before: Option<DeliveryId>,
    limit: u32,
) -> Result<Vec<DeliveryRow>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT delivery_id, assignment_id, lead_id, endpoint_id, status, attempts_made, due_at, event, error, \
           created_at, ended_at \
         FROM notifier.deliveries WHERE seller_id = $1 AND buyer_id = $2 AND ($3::uuid IS NULL OR \
           (created_at, delivery_id) < (SELECT b.created_at, b.delivery_id FROM notifier.deliveries b \
             WHERE b.delivery_id = $3 AND b.seller_id = $1 AND b.buyer_id = $2)) \
         ORDER BY created_at DESC, delivery_id DESC LIMIT $4",
    )
    .bind(seller.uuid())
    .bind(buyer.uuid())
    .bind(before.map(Uuid::from))
    .bind(i64::from(limit))
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(DeliveryRow {
                id: DeliveryId::from_uuid(row.try_get("delivery_id")?),
                assignment: AssignmentId::from_uuid(row.try_get("assignment_id")?),
                lead: LeadId::from_uuid(row.try_get("lead_id")?),
                endpoint: EndpointId::from_uuid(row.try_get("endpoint_id")?),
                status: row.try_get("status")?,
                attempts_made: row.try_get("attempts_made")?,
                due_at: row.try_get("due_at")?,
                event: row.try_get("event")?,
                error: row.try_get("error")?,
                created_at: row.try_get("created_at")?,
                ended_at: row.try_get("ended_at")?,
            })
        })
        .collect()
}
