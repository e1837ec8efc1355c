//! Posting what was counted.

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_billing_domain::{MonthDue, PostedBefore, Unposted, UsageKey};
use leadflow_kernel::{Currency, PostingId, SellerId};
use rust_decimal::Decimal;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{
    unreadable,
    usage::{read_buyer, read_kind, stored_buyer},
};

/// A seller with something to post.
#[derive(Debug, Clone)]
pub struct SellerDue {
    /// Who.
    pub seller: SellerId,
    /// His currency.
    pub currency: Currency,
    /// An IANA name.
    pub time_zone: String,
}

/// Sellers, whose record has come, with messages of months before `month` that are not posted.
pub async fn sellers(connection: &mut PgConnection, month: NaiveDate) -> Result<Vec<SellerDue>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT s.seller_id, s.currency, s.time_zone FROM billing.sellers s \
         WHERE s.version > 0 AND s.seller_id IN ( \
           SELECT m.seller_id FROM billing.usage_months m WHERE m.month < $1 AND m.posted_units < m.units) \
         ORDER BY s.seller_id",
    )
    .bind(month)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(SellerDue {
                seller: SellerId::from_uuid(row.try_get("seller_id")?),
                currency: Currency::parse(row.try_get("currency")?).map_err(unreadable)?,
                time_zone: row.try_get("time_zone")?,
            })
        })
        .collect()
}

/// Locks what a seller has not posted of months before `month`.
pub async fn lock_unposted(
    connection: &mut PgConnection,
    seller: SellerId,
    month: NaiveDate,
) -> Result<Vec<Unposted>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT month, kind, buyer_id, cost, markup_percent, units - posted_units AS units FROM billing.usage_months \
         WHERE seller_id = $1 AND month < $2 AND posted_units < units \
         ORDER BY month, kind, buyer_id, cost, markup_percent FOR UPDATE",
    )
    .bind(seller.uuid())
    .bind(month)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let key = UsageKey {
                seller,
                month: row.try_get("month")?,
                kind: read_kind(row)?,
                buyer: read_buyer(row)?,
                cost: row.try_get("cost")?,
                markup_percent: row.try_get("markup_percent")?,
            };
            Ok(Unposted { key, units: u64::try_from(row.try_get::<i64, _>("units")?).map_err(unreadable)? })
        })
        .collect()
}

/// What is posted: months from `first` on. Asked for under the lock of what is not.
pub async fn posted(
    connection: &mut PgConnection,
    seller: SellerId,
    first: NaiveDate,
) -> Result<PostedBefore, sqlx::Error> {
    let (months, remainder): (Vec<NaiveDate>, Decimal) = sqlx::query_as(
        "SELECT coalesce(array_agg(month) FILTER (WHERE month >= $2), '{}'), coalesce(sum(exact - amount), 0) \
         FROM billing.usage_postings WHERE seller_id = $1",
    )
    .bind(seller.uuid())
    .bind(first)
    .fetch_one(connection)
    .await?;
    Ok(PostedBefore { months: months.into_iter().collect(), remainder })
}

/// Writes down that a month is posted, and its messages with it. False: somebody else has posted it; then nothing may
/// be committed.
pub async fn settle(
    connection: &mut PgConnection,
    seller: SellerId,
    due: &MonthDue,
    posting: PostingId,
    at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let keys = || due.rows.iter().map(|row| &row.key);
    let units: i64 = i64::try_from(due.rows.iter().map(|row| row.units).sum::<u64>()).map_err(unreadable)?;
    let written = sqlx::query(
        "INSERT INTO billing.usage_postings (seller_id, month, posting_id, units, exact, amount, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (seller_id, month) DO NOTHING",
    )
    .bind(seller.uuid())
    .bind(due.month)
    .bind(posting.uuid())
    .bind(units)
    .bind(due.exact)
    .bind(due.amount)
    .bind(at)
    .execute(&mut *connection)
    .await?;
    if written.rows_affected() != 1 {
        return Ok(false);
    }
    // By their keys: a row that came after the lock is not among them.
    sqlx::query(
        "UPDATE billing.usage_months m SET posted_units = m.units \
         FROM unnest($2::date[], $3::text[], $4::uuid[], $5::numeric[], $6::numeric[]) \
           AS t(month, kind, buyer_id, cost, markup_percent) \
         WHERE m.seller_id = $1 AND m.month = t.month AND m.kind = t.kind AND m.buyer_id = t.buyer_id \
           AND m.cost = t.cost AND m.markup_percent = t.markup_percent",
    )
    .bind(seller.uuid())
    .bind(keys().map(|key| key.month).collect::<Vec<NaiveDate>>())
    .bind(keys().map(|key| key.kind.name()).collect::<Vec<&str>>())
    .bind(keys().map(|key| stored_buyer(key.buyer)).collect::<Vec<Uuid>>())
    .bind(keys().map(|key| key.cost).collect::<Vec<Option<Decimal>>>())
    .bind(keys().map(|key| key.markup_percent).collect::<Vec<Decimal>>())
    .execute(connection)
    .await?;
    Ok(true)
}
