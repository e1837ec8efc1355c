//! Counting messages that were sent: by what terms, and once each.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_billing_domain::{History, Markups, Prices, UnitCost, UsageKey, UsageKind};
use leadflow_kernel::{BuyerId, Currency, SellerId};
use rust_decimal::Decimal;
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::unreadable;

/// What messages cost the platform, by kind and currency.
pub type Costs = HashMap<(UsageKind, Currency), Prices>;

/// What a seller's messages are counted by.
#[derive(Debug, Clone, Default)]
pub struct SellerTerms {
    /// An IANA name; `None` until the seller's record has come.
    pub time_zone: Option<String>,
    /// His currency; `None` until then, too.
    pub currency: Option<Currency>,
    /// His markups.
    pub markups: History<Markups>,
}

/// A message to be counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// Its id.
    pub message: Uuid,
    /// Under what.
    pub key: UsageKey,
    /// What is paid for.
    pub units: u32,
}

/// Writes down what a unit costs from `since` on, where that is not what is written already. What has no price in
/// `costs` and had one has none from then on.
pub async fn set_costs(
    connection: &mut PgConnection,
    costs: &[UnitCost],
    since: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO billing.usage_prices (kind, currency, since, cost) \
         SELECT kind, currency, $4, t.cost FROM unnest($1::text[], $2::text[], $3::numeric[]) AS t(kind, currency, cost) \
         FULL JOIN (SELECT DISTINCT ON (kind, currency) kind, currency, cost FROM billing.usage_prices \
           ORDER BY kind, currency, since DESC) p USING (kind, currency) \
         WHERE t.cost IS DISTINCT FROM p.cost ORDER BY kind, currency \
         ON CONFLICT DO NOTHING",
    )
    .bind(costs.iter().map(|one| one.kind.name()).collect::<Vec<&str>>())
    .bind(costs.iter().map(|one| one.currency.code().to_owned()).collect::<Vec<String>>())
    .bind(costs.iter().map(|one| one.cost).collect::<Vec<Decimal>>())
    .bind(since)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Every cost there was.
pub async fn costs(connection: &mut PgConnection) -> Result<Costs, sqlx::Error> {
    let rows =
        sqlx::query("SELECT kind, currency, since, cost FROM billing.usage_prices").fetch_all(connection).await?;
    let mut found: HashMap<_, Vec<(DateTime<Utc>, Option<Decimal>)>> = HashMap::new();
    for row in &rows {
        let of = (read_kind(row)?, Currency::parse(row.try_get("currency")?).map_err(unreadable)?);
        found.entry(of).or_default().push((row.try_get("since")?, row.try_get("cost")?));
    }
    Ok(found.into_iter().map(|(of, values)| (of, History::new(values))).collect())
}

/// The terms of these sellers; those without any are left out.
pub async fn terms(
    connection: &mut PgConnection,
    sellers: &[SellerId],
) -> Result<HashMap<SellerId, SellerTerms>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT coalesce(s.seller_id, t.seller_id) AS seller_id, s.time_zone, s.currency, t.since, t.email_markup, t.sms_markup, \
           t.webhook_markup \
         FROM (SELECT * FROM billing.sellers WHERE seller_id = ANY($1)) s \
         FULL JOIN (SELECT * FROM billing.usage_terms WHERE seller_id = ANY($1)) t ON t.seller_id = s.seller_id",
    )
    .bind(sellers.iter().map(|seller| seller.uuid()).collect::<Vec<Uuid>>())
    .fetch_all(connection)
    .await?;
    let mut records: HashMap<SellerId, (Option<String>, Option<Currency>)> = HashMap::new();
    let mut markups: HashMap<SellerId, Vec<(DateTime<Utc>, Markups)>> = HashMap::new();
    for row in &rows {
        let seller = SellerId::from_uuid(row.try_get("seller_id")?);
        let currency: Option<&str> = row.try_get("currency")?;
        let currency = currency.map(Currency::parse).transpose().map_err(unreadable)?;
        records.insert(seller, (row.try_get("time_zone")?, currency));
        if let Some(since) = row.try_get("since")? {
            markups.entry(seller).or_default().push((since, read_markups(row)?));
        }
    }
    let terms = |(seller, (time_zone, currency))| {
        let markups = History::new(markups.remove(&seller).unwrap_or_default());
        (seller, SellerTerms { time_zone, currency, markups })
    };
    Ok(records.into_iter().map(terms).collect())
}

/// Adds the messages that were not counted before to their months, or to those that wait for a price. How many these
/// were. No message may be named twice.
pub async fn count(connection: &mut PgConnection, messages: &[Counted], today: NaiveDate) -> Result<i64, sqlx::Error> {
    let column = |value: fn(&Counted) -> Uuid| messages.iter().map(value).collect::<Vec<Uuid>>();
    // Messages and then months in the order of their keys, everywhere: no two batches can wait for each other.
    sqlx::query_scalar(
        "WITH fresh AS ( \
           INSERT INTO billing.usage_seen (message, day) \
           SELECT t.message, $2 FROM unnest($1::uuid[]) AS t(message) ORDER BY t.message \
           ON CONFLICT (message) DO NOTHING RETURNING message), \
         counted AS ( \
           SELECT t.seller_id, t.month, t.kind, t.buyer_id, t.cost, t.markup_percent, count(*) AS messages, \
             sum(t.units)::bigint AS units \
           FROM unnest($1::uuid[], $3::uuid[], $4::date[], $5::text[], $6::uuid[], $7::numeric[], $8::numeric[], \
             $9::bigint[]) AS t(message, seller_id, month, kind, buyer_id, cost, markup_percent, units) \
           JOIN fresh USING (message) GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6), \
         added AS ( \
           INSERT INTO billing.usage_months AS m (seller_id, month, kind, buyer_id, cost, markup_percent, messages, \
             units) SELECT * FROM counted WHERE cost IS NOT NULL \
           ON CONFLICT (seller_id, month, kind, buyer_id, cost, markup_percent) \
           DO UPDATE SET messages = m.messages + excluded.messages, units = m.units + excluded.units), \
         waiting AS ( \
           INSERT INTO billing.usage_unpriced AS u (seller_id, month, kind, buyer_id, markup_percent, messages, units) \
           SELECT seller_id, month, kind, buyer_id, markup_percent, messages, units FROM counted WHERE cost IS NULL \
           ON CONFLICT (seller_id, month, kind, buyer_id, markup_percent) \
           DO UPDATE SET messages = u.messages + excluded.messages, units = u.units + excluded.units) \
         SELECT count(*) FROM fresh",
    )
    .bind(column(|one| one.message))
    .bind(today)
    .bind(column(|one| one.key.seller.uuid()))
    .bind(messages.iter().map(|one| one.key.month).collect::<Vec<NaiveDate>>())
    .bind(messages.iter().map(|one| one.key.kind.name()).collect::<Vec<&str>>())
    .bind(column(|one| stored_buyer(one.key.buyer)))
    .bind(messages.iter().map(|one| one.key.cost).collect::<Vec<Option<Decimal>>>())
    .bind(messages.iter().map(|one| one.key.markup_percent).collect::<Vec<Decimal>>())
    .bind(messages.iter().map(|one| i64::from(one.units)).collect::<Vec<i64>>())
    .fetch_one(connection)
    .await
}

/// Forgets at most `most` messages that were counted before `day`; how many these were.
pub async fn forget(connection: &mut PgConnection, day: NaiveDate, most: i64) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(
        "DELETE FROM billing.usage_seen WHERE message = ANY(ARRAY( \
           SELECT message FROM billing.usage_seen WHERE day < $1 ORDER BY day LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind(day)
    .bind(most)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// As it is stored: a key has no NULL.
pub(super) fn stored_buyer(buyer: Option<BuyerId>) -> Uuid {
    buyer.map_or(Uuid::nil(), BuyerId::uuid)
}

pub(super) fn read_buyer(row: &PgRow) -> Result<Option<BuyerId>, sqlx::Error> {
    let id: Uuid = row.try_get("buyer_id")?;
    Ok((!id.is_nil()).then(|| BuyerId::from_uuid(id)))
}

pub(super) fn read_kind(row: &PgRow) -> Result<UsageKind, sqlx::Error> {
    let name: &str = row.try_get("kind")?;
    UsageKind::from_name(name).ok_or_else(|| unreadable(format!("usage kind {name:?}")))
}

pub(super) fn read_markups(row: &PgRow) -> Result<Markups, sqlx::Error> {
    Ok(Markups {
        email: row.try_get("email_markup")?,
        sms: row.try_get("sms_markup")?,
        webhook: row.try_get("webhook_markup")?,
    })
}
