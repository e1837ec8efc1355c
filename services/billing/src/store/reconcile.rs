//! Payments of all tenants, for comparing them with the provider's books; and on which days that was done.

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_billing_domain::DisputeState;
use leadflow_kernel::{Currency, Money, PaymentId};
use rust_decimal::Decimal;
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::unreadable;

/// A payment of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurCharge {
    /// It.
    pub payment: PaymentId,
    /// `pi_…`, when the provider has told.
    pub intent: Option<String>,
    /// Its money is in the wallet.
    pub credited: bool,
    /// What was received, when it is; else what was asked for.
    pub amount: Money,
    /// What went back of it, as far as we know, and what we have ordered.
    pub refunded: Money,
    /// Of that, what was ordered, and the provider has not answered.
    pub unconfirmed: Money,
    /// When it was credited, or made.
    pub at: DateTime<Utc>,
}

macro_rules! charges {
    ($tail:literal) => {
        concat!(
            "SELECT p.payment_id, p.intent_id, p.state, p.amount, p.received, p.refunded, p.currency, \
                    coalesce(p.settled_at, p.created_at) AS at, \
                    coalesce((SELECT sum(r.amount) FROM billing.refunds r WHERE r.payment_id = p.payment_id \
                      AND r.state = 'pending' AND r.provider_id IS NULL), 0) AS unconfirmed \
             FROM billing.payments p ",
            $tail
        )
    };
}

/// The payments with these ids, or charged by these intents.
pub async fn charges(
    connection: &mut PgConnection,
    payments: &[PaymentId],
    intents: &[String],
) -> Result<Vec<OurCharge>, sqlx::Error> {
    let rows = sqlx::query(charges!("WHERE p.payment_id = ANY($1) OR p.intent_id = ANY($2)"))
        .bind(payments.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>())
        .bind(intents)
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

/// A page of the payments that were credited in `from <= time < to`, oldest first, after `after`.
pub async fn credited(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    after: Option<&OurCharge>,
    most: i64,
) -> Result<Vec<OurCharge>, sqlx::Error> {
    let rows = sqlx::query(charges!(
        "WHERE p.state = 'succeeded' AND p.settled_at >= $1 AND p.settled_at < $2 \
           AND ($3::timestamptz IS NULL OR (p.settled_at, p.payment_id) > ($3, $4)) \
         ORDER BY p.settled_at, p.payment_id LIMIT $5"
    ))
    .bind(from)
    .bind(to)
    .bind(after.map(|last| last.at))
    .bind(after.map(|last| last.payment.uuid()))
    .bind(most)
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

/// The payments of which something went back, or was ordered to, in `from <= time < to`.
pub async fn refunded(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<OurCharge>, sqlx::Error> {
    let rows = sqlx::query(charges!(
        "WHERE p.payment_id IN (SELECT payment_id FROM billing.refunds WHERE created_at >= $1 AND created_at < $2)"
    ))
    .bind(from)
    .bind(to)
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

/// A dispute as we know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OurDispute {
    /// The provider's id.
    pub id: String,
    /// What is disputed.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub state: DisputeState,
    /// When that was heard.
    pub at: DateTime<Utc>,
}

/// The disputes with these ids, and those that we heard something of in `from <= time < to`.
pub async fn disputes(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    ids: &[String],
) -> Result<Vec<OurDispute>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT d.dispute_id, d.payment_id, d.amount, d.state, p.currency, coalesce(d.closed_at, d.opened_at) AS at \
         FROM billing.disputes d JOIN billing.payments p USING (payment_id) \
         WHERE d.dispute_id = ANY($3) OR (d.opened_at >= $1 AND d.opened_at < $2) OR (d.closed_at >= $1 AND d.closed_at < $2)",
    )
    .bind(from)
    .bind(to)
    .bind(ids)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let currency = Currency::parse(row.try_get("currency")?).map_err(unreadable)?;
            let state: &str = row.try_get("state")?;
            Ok(OurDispute {
                id: row.try_get("dispute_id")?,
                payment: PaymentId::from_uuid(row.try_get("payment_id")?),
                amount: Money::new(row.try_get("amount")?, currency).map_err(unreadable)?,
                state: DisputeState::from_name(state)
                    .ok_or_else(|| unreadable(format!("state of a dispute: {state:?}")))?,
                at: row.try_get("at")?,
            })
        })
        .collect()
}

/// Takes the comparison of a day; false when it is done, or somebody has been at it since `lease_from`.
pub async fn begin_day(
    connection: &mut PgConnection,
    day: NaiveDate,
    now: DateTime<Utc>,
    lease_from: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO billing.reconciliations AS r (day, started_at) VALUES ($1, $2) \
         ON CONFLICT (day) DO UPDATE SET started_at = excluded.started_at \
         WHERE r.finished_at IS NULL AND r.started_at < $3",
    )
    .bind(day)
    .bind(now)
    .bind(lease_from)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What a day's comparison has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayFound {
    /// Payments of ours that were compared.
    pub ours: u32,
    /// Movements of the provider's.
    pub theirs: u32,
    /// What does not agree.
    pub differences: u32,
    /// Of these, what was settled.
    pub settled: u32,
}

/// Keeps what was found.
pub async fn end_day(
    connection: &mut PgConnection,
    day: NaiveDate,
    found: DayFound,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE billing.reconciliations SET finished_at = $2, ours = $3, theirs = $4, differences = $5, settled = $6 \
         WHERE day = $1",
    )
    .bind(day)
    .bind(now)
    .bind(i64::from(found.ours))
    .bind(i64::from(found.theirs))
    .bind(i64::from(found.differences))
    .bind(i64::from(found.settled))
    .execute(connection)
    .await
    .map(|_| ())
}

fn read(row: &PgRow) -> Result<OurCharge, sqlx::Error> {
    let currency = Currency::parse(row.try_get("currency")?).map_err(unreadable)?;
    let money = |column: &str| Money::new(row.try_get::<Decimal, _>(column)?, currency).map_err(unreadable);
    let credited = row.try_get::<&str, _>("state")? == "succeeded";
    Ok(OurCharge {
        payment: PaymentId::from_uuid(row.try_get("payment_id")?),
        intent: row.try_get("intent_id")?,
        credited,
        amount: money(if credited { "received" } else { "amount" })?,
        refunded: money("refunded")?,
        unconfirmed: money("unconfirmed")?,
        at: row.try_get("at")?,
    })
}
