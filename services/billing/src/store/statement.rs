//! The lines of a wallet's statement.

use chrono::{DateTime, Utc};
use leadflow_billing_domain::Account;
use leadflow_kernel::{AssignmentId, PostingId};
use leadflow_platform::db::TenantTx;
use rust_decimal::Decimal;
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The posting it belongs to; also the line's id.
    pub posting: PostingId,
    /// `lead_purchase`, `lead_return`, `credit` and so on.
    pub kind: String,
    /// Negative for a debit. Major units.
    pub amount: Decimal,
    /// The balance after it.
    pub balance_after: Decimal,
    /// In words.
    pub description: String,
    /// What was paid for or paid back.
    pub assignment: Option<AssignmentId>,
    /// The provider's id of the charge, of movements of card money.
    pub intent: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

macro_rules! lines {
    ($tail:literal) => {
        concat!(
            "SELECT e.posting_id, p.kind, e.amount, e.balance_after, p.description, p.assignment_id, p.at, c.intent_id \
             FROM billing.entries e JOIN billing.postings p ON p.posting_id = e.posting_id \
             LEFT JOIN billing.payments c ON c.payment_id = p.payment_id ",
            $tail
        )
    };
}

/// The number of a posting's line in this wallet's statement.
pub async fn number(tx: &mut TenantTx, wallet: Account, posting: PostingId) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar("SELECT number FROM billing.entries WHERE posting_id = $1 AND account_id = $2")
        .bind(posting.uuid())
        .bind(wallet.id().uuid())
        .fetch_optional(&mut **tx)
        .await
}

/// The lines with numbers below `before`, newest first.
pub async fn page(tx: &mut TenantTx, wallet: Account, before: i64, limit: u32) -> Result<Vec<Line>, sqlx::Error> {
    let rows = sqlx::query(lines!(
        "WHERE e.account_id = $1 AND e.number IS NOT NULL AND e.number < $2 AND p.seller_id = $3 \
         ORDER BY e.number DESC LIMIT $4"
    ))
    .bind(wallet.id().uuid())
    .bind(before)
    .bind(wallet.seller.uuid())
    .bind(i64::from(limit))
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(read).collect()
}

/// The line that this posting made on the wallet's statement.
pub async fn line(tx: &mut TenantTx, wallet: Account, posting: PostingId) -> Result<Option<Line>, sqlx::Error> {
    let row = sqlx::query(lines!(
        "WHERE e.account_id = $1 AND e.number IS NOT NULL AND e.posting_id = $2 AND p.seller_id = $3"
    ))
    .bind(wallet.id().uuid())
    .bind(posting.uuid())
    .bind(wallet.seller.uuid())
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &PgRow) -> Result<Line, sqlx::Error> {
    Ok(Line {
        posting: PostingId::from_uuid(row.try_get("posting_id")?),
        kind: row.try_get("kind")?,
        amount: row.try_get("amount")?,
        balance_after: row.try_get("balance_after")?,
        description: row.try_get("description")?,
        assignment: row.try_get::<Option<Uuid>, _>("assignment_id")?.map(AssignmentId::from_uuid),
        intent: row.try_get("intent_id")?,
        at: row.try_get("at")?,
    })
}
