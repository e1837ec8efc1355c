//! Table `accounts.invite_codes`.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Invite, InviteText};
use leadflow_kernel::SellerId;
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::columns;

/// Whose code this is, with the seller's name, if it works at `now` and the seller is in use.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find_open(
    connection: &mut PgConnection,
    code: &InviteText,
    now: DateTime<Utc>,
) -> Result<Option<(SellerId, String)>, sqlx::Error> {
    // The seller first, as everybody who replaces codes; it keeps them off the code, too.
    let seller = sqlx::query(
        "SELECT seller_id, company_name FROM accounts.sellers \
         WHERE seller_id = (SELECT seller_id FROM accounts.invite_codes WHERE code = $1) AND status = 'ACTIVE' FOR SHARE",
    )
    .bind(code.as_str())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(seller) = seller else { return Ok(None) };
    // In a statement of its own, which sees what was committed while the lock was waited for.
    let works = sqlx::query(
        "SELECT 1 FROM accounts.invite_codes \
         WHERE code = $1 AND replaced_at IS NULL AND (expires_at IS NULL OR expires_at > $2)",
    )
    .bind(code.as_str())
    .bind(now)
    .fetch_optional(connection)
    .await?;
    works.map(|_| Ok((SellerId::from_uuid(seller.try_get("seller_id")?), seller.try_get("company_name")?))).transpose()
}

/// The tenant's code now.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn current(tx: &mut TenantTx, seller_id: SellerId) -> Result<Option<Invite>, sqlx::Error> {
    sqlx::query(
        "SELECT code, created_at, expires_at FROM accounts.invite_codes WHERE seller_id = $1 AND replaced_at IS NULL",
    )
    .bind(seller_id.uuid())
    .fetch_optional(&mut **tx)
    .await?
    .map(|row| read(&row))
    .transpose()
}

/// Ends the tenant's code.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn end(tx: &mut TenantTx, seller_id: SellerId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE accounts.invite_codes SET replaced_at = $2 WHERE seller_id = $1 AND replaced_at IS NULL")
        .bind(seller_id.uuid())
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// Makes this the tenant's code; false when the text was given out before, or the tenant has a code.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(tx: &mut TenantTx, seller_id: SellerId, invite: &Invite) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO accounts.invite_codes (code, seller_id, created_at, expires_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(invite.text.as_str())
    .bind(seller_id.uuid())
    .bind(invite.created_at)
    .bind(invite.expires_at)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn read(row: &PgRow) -> Result<Invite, sqlx::Error> {
    Ok(Invite {
        text: InviteText::parse(row.try_get("code")?).ok_or_else(|| columns::wrong("code"))?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
    })
}
