//! Reading the ledger as a whole, as it was at one moment, without holding it in memory.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use leadflow_kernel::{BuyerId, Currency, PostingId, SellerId};
use rust_decimal::Decimal;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Row, Transaction};
use uuid::Uuid;

use super::unreadable;

/// Lines read at once.
const PAGE: u32 = 2_000;

/// Which part of the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Part {
    /// One tenant's; `None` is all of them.
    pub seller: Option<SellerId>,
    /// From this day on (UTC); `None` is from the beginning.
    pub from: Option<NaiveDate>,
    /// To this day, which is included (UTC); `None` is to the end.
    pub to: Option<NaiveDate>,
}

impl Part {
    fn since(&self) -> Option<DateTime<Utc>> {
        self.from.map(midnight)
    }

    fn until(&self) -> Option<DateTime<Utc>> {
        self.to.map(|day| midnight(day.succ_opt().unwrap_or(day)))
    }
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

/// An account that has lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerAccount {
    /// Its id.
    pub id: Uuid,
    /// What for, as in `AccountKind::name`.
    pub kind: String,
    /// The tenant.
    pub seller: SellerId,
    /// The buyer, if it is one's.
    pub buyer: Option<BuyerId>,
    /// Of its amounts.
    pub currency: Currency,
    /// What was in it before the part.
    pub opening: Decimal,
    /// What is in it at the part's end.
    pub closing: Decimal,
}

/// One line of a posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerLine {
    /// Of which posting.
    pub posting: PostingId,
    /// When.
    pub at: DateTime<Utc>,
    /// What for, as in `PostingKind::name`.
    pub kind: String,
    /// In words.
    pub description: String,
    /// Of which account.
    pub account: Uuid,
    /// Positive adds to it.
    pub amount: Decimal,
}

/// The first and the last moment of a part, if there is anything in it.
pub type Span = Option<(DateTime<Utc>, DateTime<Utc>)>;

/// Opens a transaction that sees the ledger as it is now, however long it is read.
pub async fn snapshot(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    // A reader of everything: the limits and plans of short statements do not fit.
    pool.begin_with(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; \
         SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL enable_seqscan = on; \
         SET LOCAL plan_cache_mode = auto",
    )
    .await
}

/// The same for a transaction that is open and was not used yet. Whoever leaves it idle, or asks for too much, loses it.
pub async fn steady(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL statement_timeout = '120s'; \
         SET LOCAL idle_in_transaction_session_timeout = '60s'; SET LOCAL enable_seqscan = on; \
         SET LOCAL plan_cache_mode = auto",
    )
    .execute(connection)
    .await
    .map(|_| ())
}

/// Every account with a line before the part's end, in the order of their kinds and owners.
pub async fn accounts(connection: &mut PgConnection, part: &Part) -> Result<Vec<LedgerAccount>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT a.account_id, a.kind, a.seller_id, a.buyer_id, a.currency, sum(e.amount) AS closing, \
           coalesce(sum(e.amount) FILTER (WHERE p.at < $2), 0) AS opening \
         FROM billing.entries e JOIN billing.postings p USING (posting_id) JOIN billing.accounts a USING (account_id) \
         WHERE ($1::uuid IS NULL OR p.seller_id = $1) AND ($3::timestamptz IS NULL OR p.at < $3) \
         GROUP BY a.account_id ORDER BY a.seller_id, a.kind, a.buyer_id",
    )
    .bind(part.seller.map(SellerId::uuid))
    .bind(part.since())
    .bind(part.until())
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(LedgerAccount {
                id: row.try_get("account_id")?,
                kind: row.try_get("kind")?,
                seller: SellerId::from_uuid(row.try_get("seller_id")?),
                buyer: row.try_get::<Option<Uuid>, _>("buyer_id")?.map(BuyerId::from_uuid),
                currency: Currency::parse(row.try_get("currency")?).map_err(unreadable)?,
                opening: row.try_get("opening")?,
                closing: row.try_get("closing")?,
            })
        })
        .collect()
}

/// From when to when the part has postings.
pub async fn span(connection: &mut PgConnection, part: &Part) -> Result<Span, sqlx::Error> {
    let row = sqlx::query(
        "SELECT min(at) AS first, max(at) AS last FROM billing.postings \
         WHERE ($1::uuid IS NULL OR seller_id = $1) AND ($2::timestamptz IS NULL OR at >= $2) \
           AND ($3::timestamptz IS NULL OR at < $3)",
    )
    .bind(part.seller.map(SellerId::uuid))
    .bind(part.since())
    .bind(part.until())
    .fetch_one(connection)
    .await?;
    let (first, last): (Option<_>, Option<_>) = (row.try_get("first")?, row.try_get("last")?);
    Ok(first.zip(last))
}

/// Begins to read the part's lines, by time, then by posting, then as they are in it.
pub async fn open(connection: &mut PgConnection, part: &Part) -> Result<(), sqlx::Error> {
    // A cursor takes no parameters. What is written into it are an id and times, these as numbers: the day after the last of the
    // year 9999 is no text that PostgreSQL reads.
    let mut conditions = String::new();
    if let Some(seller) = part.seller {
        conditions += &format!(" AND p.seller_id = '{}'", seller.uuid());
    }
    if let Some(since) = part.since() {
        conditions += &format!(" AND p.at >= to_timestamp({})", since.timestamp());
    }
    if let Some(until) = part.until() {
        conditions += &format!(" AND p.at < to_timestamp({})", until.timestamp());
    }
    sqlx::raw_sql(AssertSqlSafe(format!(
        "DECLARE ledger NO SCROLL CURSOR FOR \
         SELECT p.posting_id, p.at, p.kind, p.description, e.account_id, e.amount \
         FROM billing.postings p JOIN billing.entries e USING (posting_id) WHERE true{conditions} \
         ORDER BY p.at, p.posting_id, e.line"
    )))
    .execute(connection)
    .await
    .map(|_| ())
}

/// The next lines; none at the end.
pub async fn next(connection: &mut PgConnection) -> Result<Vec<LedgerLine>, sqlx::Error> {
    let fetch = AssertSqlSafe(format!("FETCH FORWARD {PAGE} FROM ledger"));
    let rows = sqlx::query(fetch).persistent(false).fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(LedgerLine {
                posting: PostingId::from_uuid(row.try_get("posting_id")?),
                at: row.try_get("at")?,
                kind: row.try_get("kind")?,
                description: row.try_get("description")?,
                account: row.try_get("account_id")?,
                amount: row.try_get("amount")?,
            })
        })
        .collect()
}
