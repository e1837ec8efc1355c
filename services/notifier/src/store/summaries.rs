//! Who wants a summary each day, and which day he was told of last (column `summarised_day` of `notifier.preferences`).

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_kernel::{BuyerId, SellerId};
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

/// Somebody who wants summaries.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// The tenant.
    pub seller: SellerId,
    /// Who.
    pub buyer: BuyerId,
    /// IANA name, or empty.
    pub time_zone: String,
    /// The last day he was told of.
    pub told: Option<NaiveDate>,
}

/// At most `limit` after `after` whose last day was before `newest`, by their ids.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn subscribers(
    connection: &mut PgConnection,
    newest: NaiveDate,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Subscriber>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT p.seller_id, p.buyer_id, COALESCE(NULLIF(p.time_zone, ''), s.time_zone, '') AS time_zone, p.summarised_day \
         FROM notifier.preferences p LEFT JOIN notifier.sellers s ON s.seller_id = p.seller_id \
         WHERE p.daily_summary AND p.buyer_id > $2 AND (p.summarised_day IS NULL OR p.summarised_day < $1) \
         ORDER BY p.buyer_id LIMIT $3",
    )
    .bind(newest)
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let subscriber = |row: &PgRow| {
        Ok(Subscriber {
            seller: SellerId::from_uuid(row.try_get("seller_id")?),
            buyer: BuyerId::from_uuid(row.try_get("buyer_id")?),
            time_zone: row.try_get("time_zone")?,
            told: row.try_get("summarised_day")?,
        })
    };
    rows.iter().map(subscriber).collect()
}

/// Marks `day` as told; whether it was this call that did it, and the buyer still wants it.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn mark(connection: &mut PgConnection, buyer: BuyerId, day: NaiveDate) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE notifier.preferences SET summarised_day = $2 \
         WHERE buyer_id = $1 AND daily_summary AND (summarised_day IS NULL OR summarised_day < $2)",
    )
    .bind(buyer.uuid())
    .bind(day)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Webhooks of the buyer's sales in that time: how many arrived, and how many were given up.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn webhooks(
    connection: &mut PgConnection,
    seller: SellerId,
    buyer: BuyerId,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(u64, u64), sqlx::Error> {
    let (delivered, gave_up): (i64, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE status = 'DELIVERED'), count(*) FILTER (WHERE status = 'GAVE_UP') \
         FROM notifier.deliveries WHERE seller_id = $1 AND buyer_id = $2 AND created_at >= $3 AND created_at < $4",
    )
    .bind(seller.uuid())
    .bind(buyer.uuid())
    .bind(from)
    .bind(until)
    .fetch_one(connection)
    .await?;
    Ok((u64::try_from(delivered).unwrap_or_default(), u64::try_from(gave_up).unwrap_or_default()))
}
