//! Messages that were counted and have no price yet.

use chrono::NaiveDate;
use leadflow_billing_domain::{Unposted, UsageKey, UsageKind};
use leadflow_kernel::{Currency, SellerId};
use rust_decimal::Decimal;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{
    unreadable,
    usage::{read_buyer, read_kind, stored_buyer},
};

/// A seller whose messages of a kind wait for a price.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// Who.
    pub seller: SellerId,
    /// His currency.
    pub currency: Currency,
    /// What was sent.
    pub kind: UsageKind,
}

/// Everybody with such messages whose currency is known.
pub async fn waiting(connection: &mut PgConnection) -> Result<Vec<Waiting>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT DISTINCT s.seller_id, s.currency, u.kind FROM billing.usage_unpriced u \
         JOIN billing.sellers s ON s.seller_id = u.seller_id WHERE s.currency IS NOT NULL ORDER BY 1, 3",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Waiting {
                seller: SellerId::from_uuid(row.try_get("seller_id")?),
                currency: Currency::parse(row.try_get("currency")?).map_err(unreadable)?,
                kind: read_kind(row)?,
            })
        })
        .collect()
}

/// Locks what waits. Its keys have no cost.
pub async fn lock(connection: &mut PgConnection, waiting: &Waiting) -> Result<Vec<Unposted>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT month, buyer_id, markup_percent, units FROM billing.usage_unpriced WHERE seller_id = $1 AND kind = $2 \
         ORDER BY month, buyer_id, markup_percent FOR UPDATE",
    )
    .bind(waiting.seller.uuid())
    .bind(waiting.kind.name())
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let key = UsageKey {
                seller: waiting.seller,
                month: row.try_get("month")?,
                kind: waiting.kind,
                buyer: read_buyer(row)?,
                cost: None,
                markup_percent: row.try_get("markup_percent")?,
            };
            Ok(Unposted { key, units: u64::try_from(row.try_get::<i64, _>("units")?).map_err(unreadable)? })
        })
        .collect()
}

/// Takes these, which are locked, to their months with the costs of their keys; how many.
pub async fn give_prices(
    connection: &mut PgConnection,
    waiting: &Waiting,
    rows: &[Unposted],
) -> Result<u64, sqlx::Error> {
    let keys = || rows.iter().map(|row| &row.key);
    let moved = sqlx::query(
        "WITH priced AS ( \
           DELETE FROM billing.usage_unpriced u \
           USING unnest($3::date[], $4::uuid[], $5::numeric[], $6::numeric[]) AS t(month, buyer_id, markup_percent, cost) \
           WHERE u.seller_id = $1 AND u.kind = $2 AND u.month = t.month AND u.buyer_id = t.buyer_id \
             AND u.markup_percent = t.markup_percent \
           RETURNING u.seller_id, u.month, u.kind, u.buyer_id, t.cost, u.markup_percent, u.messages, u.units) \
         INSERT INTO billing.usage_months AS m (seller_id, month, kind, buyer_id, cost, markup_percent, messages, units) \
         SELECT seller_id, month, kind, buyer_id, cost, markup_percent, messages, units FROM priced ORDER BY 1, 2, 3, 4, 5, 6 \
         ON CONFLICT (seller_id, month, kind, buyer_id, cost, markup_percent) \
         DO UPDATE SET messages = m.messages + excluded.messages, units = m.units + excluded.units",
    )
    .bind(waiting.seller.uuid())
    .bind(waiting.kind.name())
    .bind(keys().map(|key| key.month).collect::<Vec<NaiveDate>>())
    .bind(keys().map(|key| stored_buyer(key.buyer)).collect::<Vec<Uuid>>())
    .bind(keys().map(|key| key.markup_percent).collect::<Vec<Decimal>>())
    .bind(keys().map(|key| key.cost).collect::<Vec<Option<Decimal>>>())
    .execute(connection)
    .await?;
    Ok(moved.rows_affected())
}
