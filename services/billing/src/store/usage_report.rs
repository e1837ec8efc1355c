//! What one seller's messages cost, and his terms.

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_billing_domain::{Markups, UsageKind};
use leadflow_kernel::{BuyerId, Currency, PostingId, SellerId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::{Row, postgres::PgRow};

use super::{
    unreadable,
    usage::{read_buyer, read_kind, read_markups},
};

/// Messages and what they cost, exactly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageSum {
    /// How many.
    pub messages: u64,
    /// What is paid for.
    pub units: u64,
    /// Of these, what has no price in the seller's currency; it is in no amount.
    pub unpriced: u64,
    /// What they cost the platform.
    pub base: Decimal,
    /// What is paid on top.
    pub markup: Decimal,
    /// Of both, what is in the ledger.
    pub posted: Decimal,
}

/// A month's messages of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindSum {
    /// The first of the month.
    pub month: NaiveDate,
    /// What was sent.
    pub kind: UsageKind,
    /// How much.
    pub sum: UsageSum,
}

/// A month's posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostedMonth {
    /// The first of the month.
    pub month: NaiveDate,
    /// The posting.
    pub posting: PostingId,
    /// How much.
    pub amount: Decimal,
    /// When.
    pub at: DateTime<Utc>,
}

/// The columns of [`UsageSum`].
const SUMS: &str = "sum(messages)::bigint AS messages, sum(units)::bigint AS units, sum(unpriced)::bigint AS unpriced, \
     sum(base) AS base, sum(markup) AS markup, sum(posted) AS posted";
/// What they are sums of: a seller's messages from the month `$2` to `$3`.
const COUNTED: &str = "( \
     SELECT month, kind, buyer_id, messages, units, 0::bigint AS unpriced, units * cost AS base, \
       units * cost * markup_percent * 0.01 AS markup, posted_units * cost * (1 + markup_percent * 0.01) AS posted \
     FROM billing.usage_months WHERE seller_id = $1 AND month BETWEEN $2 AND $3 \
     UNION ALL SELECT month, kind, buyer_id, messages, units, units, 0, 0, 0 \
     FROM billing.usage_unpriced WHERE seller_id = $1 AND month BETWEEN $2 AND $3) AS counted";

/// The time zone and currency of a seller whose record has come.
pub async fn calendar(tx: &mut TenantTx, seller: SellerId) -> Result<Option<(String, Currency)>, sqlx::Error> {
    let row = sqlx::query("SELECT time_zone, currency FROM billing.sellers WHERE seller_id = $1 AND version > 0")
        .bind(seller.uuid())
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| Ok((row.try_get("time_zone")?, Currency::parse(row.try_get("currency")?).map_err(unreadable)?)))
        .transpose()
}

/// From the month `first` to `last`, the newest first.
pub async fn by_kind(
    tx: &mut TenantTx,
    seller: SellerId,
    (first, last): (NaiveDate, NaiveDate),
) -> Result<Vec<KindSum>, sqlx::Error> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT month, kind, {SUMS} FROM {COUNTED} GROUP BY month, kind ORDER BY month DESC, kind"
    )))
    .bind(seller.uuid())
    .bind(first)
    .bind(last)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| Ok(KindSum { month: row.try_get("month")?, kind: read_kind(row)?, sum: read_sum(row)? }))
        .collect()
}

/// From the month `first` to `last`, those first for whom most was paid; `None` is what was not for a buyer.
pub async fn by_buyer(
    tx: &mut TenantTx,
    seller: SellerId,
    (first, last): (NaiveDate, NaiveDate),
    limit: i64,
) -> Result<Vec<(Option<BuyerId>, UsageSum)>, sqlx::Error> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT buyer_id, {SUMS} FROM {COUNTED} \
         GROUP BY buyer_id ORDER BY sum(base + markup) DESC, sum(units) DESC, buyer_id LIMIT $4"
    )))
    .bind(seller.uuid())
    .bind(first)
    .bind(last)
    .bind(limit)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(|row| Ok((read_buyer(row)?, read_sum(row)?))).collect()
}

/// What was posted for the months from `first` to `last`, the newest first.
pub async fn postings(
    tx: &mut TenantTx,
    seller: SellerId,
    (first, last): (NaiveDate, NaiveDate),
) -> Result<Vec<PostedMonth>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT month, posting_id, amount, at FROM billing.usage_postings \
         WHERE seller_id = $1 AND month BETWEEN $2 AND $3 ORDER BY month DESC",
    )
    .bind(seller.uuid())
    .bind(first)
    .bind(last)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(PostedMonth {
                month: row.try_get("month")?,
                posting: PostingId::from_uuid(row.try_get("posting_id")?),
                amount: row.try_get("amount")?,
                at: row.try_get("at")?,
            })
        })
        .collect()
}

/// The markups that were chosen last.
pub async fn markups(tx: &mut TenantTx, seller: SellerId) -> Result<Markups, sqlx::Error> {
    let row = sqlx::query(
        "SELECT email_markup, sms_markup, webhook_markup FROM billing.usage_terms WHERE seller_id = $1 \
         ORDER BY since DESC LIMIT 1",
    )
    .bind(seller.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map_or_else(|| Ok(Markups::default()), read_markups)
}

/// Others that choose for this seller wait until this transaction has ended.
pub async fn lock_markups(tx: &mut TenantTx, seller: SellerId) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('billing.usage_terms'), hashtext($1::text))")
        .bind(seller.uuid())
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// Chooses markups for what is sent from `since` on.
pub async fn set_markups(
    tx: &mut TenantTx,
    seller: SellerId,
    markups: Markups,
    since: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO billing.usage_terms (seller_id, since, email_markup, sms_markup, webhook_markup) \
         VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (seller_id, since) DO UPDATE SET email_markup = excluded.email_markup, \
           sms_markup = excluded.sms_markup, webhook_markup = excluded.webhook_markup",
    )
    .bind(seller.uuid())
    .bind(since)
    .bind(markups.email)
    .bind(markups.sms)
    .bind(markups.webhook)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

fn read_sum(row: &PgRow) -> Result<UsageSum, sqlx::Error> {
    let number = |name: &str| u64::try_from(row.try_get::<i64, _>(name)?).map_err(unreadable);
    Ok(UsageSum {
        messages: number("messages")?,
        units: number("units")?,
        unpriced: number("unpriced")?,
        base: row.try_get("base")?,
        markup: row.try_get("markup")?,
        posted: row.try_get("posted")?,
    })
}
