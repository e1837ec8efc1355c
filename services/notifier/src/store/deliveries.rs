//! Table `notifier.deliveries`: a queue with leases.
//!
//! `due_at` says when a worker may take a row. Taking it moves `due_at` to the end of the lease and
//! writes a token; a result is only stored by whoever still has that token. So a worker that dies
//! or hangs loses its rows to another one, and its late result changes nothing.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use leadflow_kernel::{AssignmentId, BuyerId, DeliveryId, EndpointId, LeadId, SellerId};
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, PgPool, Postgres, Row, Transaction, postgres::PgRow};
use uuid::Uuid;

use crate::model::{DeliveryKey, SaleKey};

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
    /// When the lead was received that it delivers.
    pub received_at: Option<DateTime<Utc>>,
    /// Now.
    pub created_at: DateTime<Utc>,
}

/// Stores those that are new and returns their ids. What tells of a sale whose lead is masked is not stored.
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
           payload, traceparent, status, due_at, lease, error, created_at, event, received_at, ended_at) \
         SELECT t.*, CASE WHEN t.status <> 'PENDING' THEN t.created_at END \
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::bytea[], $8::text[], \
                     $9::text[], $10::timestamptz[], $11::uuid[], $12::text[], $13::timestamptz[], $14::text[], \
                     $15::timestamptz[]) \
           AS t(delivery_id, seller_id, buyer_id, lead_id, assignment_id, endpoint_id, payload, traceparent, status, \
                due_at, lease, error, created_at, event, received_at) \
         WHERE t.event <> 'lead.assigned' OR NOT EXISTS (SELECT FROM notifier.masked_sales m \
           WHERE m.lead_id = t.lead_id AND m.assignment_id = t.assignment_id) \
         ON CONFLICT (delivery_id) DO NOTHING RETURNING delivery_id",
    )
    .bind(column(new, |d| d.key.id.uuid()))
    .bind(column(new, |d| d.key.seller.uuid()))
    .bind(column(new, |d| d.key.buyer.uuid()))
    .bind(column(new, |d| d.key.sale.map_or(Uuid::nil(), |sale| sale.lead.uuid())))
    .bind(column(new, |d| d.key.sale.map_or(Uuid::nil(), |sale| sale.assignment.uuid())))
    .bind(column(new, |d| d.endpoint.uuid()))
    .bind(column(new, |d| &d.payload[..]))
    .bind(column(new, |d| d.traceparent.as_deref()))
    .bind(column(new, |d| d.status.text()))
    .bind(column(new, |d| d.due_at))
    .bind(column(new, |d| d.lease))
    .bind(column(new, |d| d.error.as_str()))
    .bind(column(new, |d| d.created_at))
    .bind(column(new, |d| d.key.event.text()))
    .bind(column(new, |d| d.received_at))
    .fetch_all(connection)
    .await?;
    Ok(inserted.into_iter().map(DeliveryId::from_uuid).collect())
}

/// What tells of no sale has nil ids: the release before this one reads them as ids.
pub(super) fn read_sale(row: &PgRow) -> Result<Option<SaleKey>, sqlx::Error> {
    let (lead, assignment): (Uuid, Uuid) = (row.try_get("lead_id")?, row.try_get("assignment_id")?);
    let sale = SaleKey { lead: LeadId::from_uuid(lead), assignment: AssignmentId::from_uuid(assignment) };
    Ok((!assignment.is_nil()).then_some(sale))
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

/// Stores results and their attempts. Returns the deliveries whose lease still stood, with when their leads were received;
/// the results of the others are dropped.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn finish(
    connection: &mut PgConnection,
    endings: &[Ending],
) -> Result<HashMap<DeliveryId, Option<DateTime<Utc>>>, sqlx::Error> {
    fn column<T>(endings: &[Ending], value: impl FnMut(&Ending) -> T) -> Vec<T> {
        endings.iter().map(value).collect()
    }
    let attempts: Vec<_> = endings.iter().filter_map(|ending| ending.attempt.as_ref()).collect();
    let stored: Vec<(Uuid, Option<DateTime<Utc>>)> = sqlx::query_as(
        "WITH done AS ( \
           UPDATE notifier.deliveries d SET status = t.status, attempts_made = t.attempts_made, due_at = t.due_at, \
             error = t.error, ended_at = CASE WHEN t.status <> 'PENDING' THEN t.at END, lease = NULL \
           FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int4[], $5::timestamptz[], $6::text[], $7::timestamptz[]) \
             AS t(delivery_id, lease, status, attempts_made, due_at, error, at) \
           WHERE d.delivery_id = ANY($1) AND d.delivery_id = t.delivery_id AND d.lease = t.lease \
           RETURNING d.delivery_id, d.received_at), \
         tried AS ( \
           INSERT INTO notifier.attempts (delivery_id, number, started_at, duration_ms, status_code, error, response, \
                                         meaning, note) \
           SELECT a.* FROM unnest($8::uuid[], $9::int4[], $10::timestamptz[], $11::int4[], $12::int4[], $13::text[], \
                                  $14::text[], $15::text[], $16::text[]) \
             AS a(delivery_id, number, started_at, duration_ms, status_code, error, response, meaning, note) \
           JOIN done USING (delivery_id)) \
         SELECT delivery_id, received_at FROM done",
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
    Ok(stored.into_iter().map(|(id, received)| (DeliveryId::from_uuid(id), received)).collect())
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
    /// The sale, if it tells of one.
    pub sale: Option<SaleKey>,
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
                sale: read_sale(row)?,
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
