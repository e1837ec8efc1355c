//! How wallets are recharged, and which are to be looked at.

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_billing_domain::{Recharge, Wanted};
use leadflow_kernel::{BuyerId, CardId, SellerId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::unreadable;

/// A lead that a wallet could not pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want {
    /// Whose wallet.
    pub buyer: BuyerId,
    /// The dearest price.
    pub price: Decimal,
    /// What the wallet had to spend.
    pub available: Decimal,
}

/// A wallet to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Whose.
    pub buyer: BuyerId,
    /// The tenant.
    pub seller: SellerId,
}

/// How this wallet is recharged; as nobody configured it, when nobody did. The wallet must be locked before what is read is written back.
pub async fn find(tx: &mut TenantTx, tenant: SellerId, buyer: BuyerId) -> Result<Recharge, sqlx::Error> {
    let row = sqlx::query(
        "SELECT enabled, amount, cover_waiting_lead, most_a_day, declines, declined_card, not_before, day, made_that_day, \
           turned_off_because \
         FROM billing.recharges WHERE seller_id = $1 AND buyer_id = $2",
    )
    .bind(tenant.uuid())
    .bind(buyer.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.map_or_else(|| Ok(Recharge::none(tenant, buyer)), |row| read(tenant, buyer, &row))
}

/// Saves it, under the wallet's lock.
pub async fn save(tx: &mut TenantTx, recharge: &Recharge) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO billing.recharges (buyer_id, seller_id, enabled, amount, cover_waiting_lead, most_a_day, declines, declined_card, \
           not_before, day, made_that_day, turned_off_because) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (buyer_id) DO UPDATE SET enabled = excluded.enabled, amount = excluded.amount, \
           cover_waiting_lead = excluded.cover_waiting_lead, most_a_day = excluded.most_a_day, declines = excluded.declines, \
           declined_card = excluded.declined_card, not_before = excluded.not_before, day = excluded.day, \
           made_that_day = excluded.made_that_day, turned_off_because = excluded.turned_off_because",
    )
    .bind(recharge.buyer.uuid())
    .bind(recharge.seller.uuid())
    .bind(recharge.enabled)
    .bind(recharge.amount)
    .bind(recharge.cover_waiting_lead)
    .bind(count(recharge.most_a_day))
    .bind(count(recharge.declines))
    .bind(recharge.declined_card.map(CardId::uuid))
    .bind(recharge.not_before)
    .bind(recharge.day.max(NaiveDate::default()))
    .bind(count(recharge.made_that_day))
    .bind(&recharge.turned_off_because)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// Wallets that could not pay are looked at, if they are recharged and that could help; the caller has their locks, and `wants` are in
/// the order of their ids. Writes nothing where nothing changes.
pub async fn want(
    connection: &mut PgConnection,
    tenant: SellerId,
    wants: &[Want],
    now: DateTime<Utc>,
    stale: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO billing.recharge_due AS d (buyer_id, seller_id, wanted, wanted_at, due_at) \
         SELECT t.buyer_id, r.seller_id, t.wanted, $5, $5 \
         FROM unnest($1::uuid[], $2::numeric[], $3::numeric[]) AS t(buyer_id, wanted, available) \
         JOIN billing.recharges r ON r.buyer_id = t.buyer_id AND r.enabled \
         WHERE r.seller_id = $4 AND (r.cover_waiting_lead OR t.available + r.amount >= t.wanted) \
         ORDER BY t.buyer_id \
         ON CONFLICT (buyer_id) DO UPDATE SET wanted = excluded.wanted, wanted_at = excluded.wanted_at \
         WHERE d.wanted IS NULL OR d.wanted < excluded.wanted OR d.wanted_at < $6",
    )
    .bind(wants.iter().map(|want| want.buyer.uuid()).collect::<Vec<Uuid>>())
    .bind(wants.iter().map(|want| want.price).collect::<Vec<Decimal>>())
    .bind(wants.iter().map(|want| want.available).collect::<Vec<Decimal>>())
    .bind(tenant.uuid())
    .bind(now)
    .bind(stale)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Wallets of these buyers are looked at now, those that are recharged at all. Of whatever tenants.
pub async fn look_at(connection: &mut PgConnection, buyers: &[BuyerId], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO billing.recharge_due AS d (buyer_id, seller_id, due_at) \
         SELECT r.buyer_id, r.seller_id, $2 FROM billing.recharges r WHERE r.buyer_id = ANY($1) AND r.enabled ORDER BY r.buyer_id \
         ON CONFLICT (buyer_id) DO UPDATE SET due_at = excluded.due_at WHERE d.due_at > excluded.due_at",
    )
    .bind(buyers.iter().map(|buyer| buyer.uuid()).collect::<Vec<Uuid>>())
    .bind(now)
    .execute(connection)
    .await
    .map(|_| ())
}

/// The net: wallets of all tenants that are low and recharged, and that nobody told of. Returns how many.
pub async fn sweep(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO billing.recharge_due (buyer_id, seller_id, due_at) \
         SELECT r.buyer_id, r.seller_id, $1 FROM billing.recharges r JOIN billing.wallets w ON w.buyer_id = r.buyer_id \
         WHERE r.enabled AND w.balance - w.held < w.low_balance_threshold AND w.status = 'active' AND NOT w.suspended \
         ORDER BY r.buyer_id ON CONFLICT DO NOTHING",
    )
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Takes wallets to look at, of all tenants: nobody else takes them before `lease_until`.
pub async fn claim(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Due>, sqlx::Error> {
    let rows = sqlx::query(
        "UPDATE billing.recharge_due SET due_at = $2 \
         WHERE buyer_id IN (SELECT buyer_id FROM billing.recharge_due WHERE due_at <= $1 ORDER BY due_at LIMIT $3 \
           FOR UPDATE SKIP LOCKED) \
         RETURNING buyer_id, seller_id",
    )
    .bind(now)
    .bind(lease_until)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Due {
                buyer: BuyerId::from_uuid(row.try_get("buyer_id")?),
                seller: SellerId::from_uuid(row.try_get("seller_id")?),
            })
        })
        .collect()
}

/// What made this wallet due, locked; `None`: nothing any more. Its wallet must be locked before.
pub async fn lock_due(
    tx: &mut TenantTx,
    tenant: SellerId,
    buyer: BuyerId,
) -> Result<Option<Option<Wanted>>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT wanted, wanted_at FROM billing.recharge_due WHERE seller_id = $1 AND buyer_id = $2 FOR UPDATE",
    )
    .bind(tenant.uuid())
    .bind(buyer.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.map(|row| {
        let price: Option<Decimal> = row.try_get("wanted")?;
        let at: Option<DateTime<Utc>> = row.try_get("wanted_at")?;
        Ok(price.zip(at).map(|(price, at)| Wanted { price, at }))
    })
    .transpose()
}

/// It has been looked at.
pub async fn done(tx: &mut TenantTx, tenant: SellerId, buyer: BuyerId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM billing.recharge_due WHERE seller_id = $1 AND buyer_id = $2")
        .bind(tenant.uuid())
        .bind(buyer.uuid())
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// It is looked at then.
pub async fn later(
    tx: &mut TenantTx,
    tenant: SellerId,
    buyer: BuyerId,
    due_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE billing.recharge_due SET due_at = $3 WHERE seller_id = $1 AND buyer_id = $2")
        .bind(tenant.uuid())
        .bind(buyer.uuid())
        .bind(due_at)
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn read(seller: SellerId, buyer: BuyerId, row: &PgRow) -> Result<Recharge, sqlx::Error> {
    let count = |name: &str| u32::try_from(row.try_get::<i32, _>(name)?).map_err(unreadable);
    Ok(Recharge {
        buyer,
        seller,
        enabled: row.try_get("enabled")?,
        amount: row.try_get("amount")?,
        cover_waiting_lead: row.try_get("cover_waiting_lead")?,
        most_a_day: count("most_a_day")?,
        declines: count("declines")?,
        declined_card: row.try_get::<Option<Uuid>, _>("declined_card")?.map(CardId::from_uuid),
        not_before: row.try_get("not_before")?,
        day: row.try_get("day")?,
        made_that_day: count("made_that_day")?,
        turned_off_because: row.try_get("turned_off_because")?,
    })
}
