//! Ended deliveries that are sent again, in table `notifier.deliveries`.
//!
//! One that is sent again is pending and due, with the id it had. Its schedule begins anew, and `arrived` remembers that the
//! receiver has it, whatever comes of this. Two who ask for the same at once send it once: the second finds it pending.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, DeliveryId, EndpointId, SellerId};
use leadflow_platform::db::TenantTx;
use sqlx::Row;
use uuid::Uuid;

/// Whether delivery `c` is of a sale that was given back, because none of its buyer's systems took it (see
/// [`refusals`](super::refusals)): the lead may be somebody else's by now.
macro_rules! given_back {
    () => {
        "c.status = 'GAVE_UP' AND (SELECT bool_or(d.status = 'REFUSED') AND NOT bool_or(d.arrived OR d.status IN ('PENDING', 'DELIVERED')) \
           FROM notifier.deliveries d \
           WHERE d.seller_id = c.seller_id AND d.buyer_id = c.buyer_id AND d.created_at = c.created_at \
             AND d.assignment_id = c.assignment_id AND d.event = c.event)"
    };
}

/// A delivery that somebody wants to be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Where to.
    pub endpoint: EndpointId,
    /// Where it stands.
    pub status: String,
    /// There is nothing to send any more.
    pub masked: bool,
}

/// A buyer's delivery, locked until the transaction ends.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    delivery: DeliveryId,
) -> Result<Option<Candidate>, sqlx::Error> {
    let row = sqlx::query(concat!(
        "SELECT endpoint_id, CASE WHEN ",
        given_back!(),
        " THEN 'REFUSED' ELSE status END AS status, octet_length(payload) = 0 AS masked \
         FROM notifier.deliveries c \
         WHERE delivery_id = $3 AND seller_id = $1 AND buyer_id = $2 FOR UPDATE OF c"
    ))
    .bind(seller.uuid())
    .bind(buyer.uuid())
    .bind(delivery.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| {
        Ok(Candidate {
            endpoint: EndpointId::from_uuid(row.try_get("endpoint_id")?),
            status: row.try_get("status")?,
            masked: row.try_get("masked")?,
        })
    })
    .transpose()
}

/// Makes one that is locked due.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn one(
    tx: &mut TenantTx,
    seller: SellerId,
    delivery: DeliveryId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE notifier.deliveries SET status = 'PENDING', due_at = $3, ended_at = NULL, error = '', lease = NULL, \
           attempts_before = attempts_made, arrived = arrived OR status = 'DELIVERED' \
         WHERE delivery_id = $1 AND seller_id = $2",
    )
    .bind(delivery.uuid())
    .bind(seller.uuid())
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(drop)
}

/// Which deliveries of an endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// The tenant.
    pub seller: SellerId,
    /// Whose.
    pub buyer: BuyerId,
    /// Where to.
    pub endpoint: EndpointId,
    /// Made then or later.
    pub from: DateTime<Utc>,
    /// Made before then.
    pub until: DateTime<Utc>,
    /// Only what did not arrive.
    pub failed_only: bool,
    /// Those after this one, in the order they were made.
    pub after: Option<DeliveryId>,
    /// At most this many.
    pub limit: u32,
}

/// Makes those of a range due, the oldest first: how many, and which was the last.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn range(
    tx: &mut TenantTx,
    range: &Range,
    now: DateTime<Utc>,
) -> Result<(u32, Option<DeliveryId>), sqlx::Error> {
    let made: Vec<Uuid> = sqlx::query_scalar(
        concat!("WITH chosen AS MATERIALIZED ( \
           SELECT delivery_id, created_at FROM notifier.deliveries c \
           WHERE seller_id = $1 AND buyer_id = $2 AND endpoint_id = $3 AND created_at >= $4 AND created_at < $5 \
             AND (status = 'GAVE_UP' OR status = 'DELIVERED' AND NOT $6) AND octet_length(payload) > 0 AND NOT (", given_back!(), ") \
             AND ($7::uuid IS NULL OR (created_at, delivery_id) > (SELECT b.created_at, b.delivery_id \
               FROM notifier.deliveries b WHERE b.delivery_id = $7 AND b.seller_id = $1 AND b.buyer_id = $2)) \
           ORDER BY created_at, delivery_id LIMIT $8 FOR UPDATE OF c), \
         due AS ( \
           UPDATE notifier.deliveries d SET status = 'PENDING', due_at = $9, ended_at = NULL, error = '', lease = NULL, \
             attempts_before = d.attempts_made, arrived = d.arrived OR d.status = 'DELIVERED' \
           FROM chosen WHERE d.delivery_id = chosen.delivery_id RETURNING d.delivery_id, d.created_at) \
         SELECT delivery_id FROM due ORDER BY created_at, delivery_id"),
    )
    .bind(range.seller.uuid())
    .bind(range.buyer.uuid())
    .bind(range.endpoint.uuid())
    .bind(range.from)
    .bind(range.until)
    .bind(range.failed_only)
    .bind(range.after.map(Uuid::from))
    .bind(i64::from(range.limit))
    .bind(now)
    .fetch_all(&mut **tx)
    .await?;
    let last = made.last().copied().map(DeliveryId::from_uuid);
    Ok((u32::try_from(made.len()).unwrap_or(u32::MAX), last))
}
