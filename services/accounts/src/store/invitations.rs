//! Table `accounts.invitations`.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Email, Invitation, Invited, Member};
use leadflow_kernel::{InvitationId, SellerId, SupplierId, UserId};
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::columns;

/// What [`read`] needs of an invitation `i`, column by column: see [`super`].
macro_rules! whole_invitation {
    () => {
        "i.invitation_id, i.seller_id, i.supplier_id, i.member, i.email, i.invited_by, i.created_at, \
         i.expires_at"
    };
}

/// Stores an invitation in the place of the one to the same address; false when its id is in use.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn put(tx: &mut TenantTx, invitation: &Invitation, sha256: [u8; 32]) -> Result<bool, sqlx::Error> {
    sqlx::query("DELETE FROM accounts.invitations WHERE seller_id = $1 AND email_key = $2")
        .bind(invitation.seller_id.uuid())
        .bind(invitation.email.key())
        .execute(&mut **tx)
        .await?;
    let member = invitation.invited.place(invitation.seller_id).member();
    let done = sqlx::query(
        "INSERT INTO accounts.invitations (invitation_id, seller_id, member, supplier_id, email, email_key, sha256, \
           invited_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT (invitation_id) DO NOTHING",
    )
    .bind(invitation.id.uuid())
    .bind(invitation.seller_id.uuid())
    .bind(member.code())
    .bind(invitation.invited.supplier_id().map(SupplierId::uuid))
    .bind(invitation.email.as_str())
    .bind(invitation.email.key())
    .bind(sha256.as_slice())
    .bind(invitation.invited_by.map(UserId::uuid))
    .bind(invitation.created_at)
    .bind(invitation.expires_at)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The tenant's invitation, also when it has expired.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find(tx: &mut TenantTx, seller_id: SellerId, id: InvitationId) -> Result<Option<Invitation>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_invitation!(),
        " FROM accounts.invitations i WHERE invitation_id = $1 AND seller_id = $2"
    ))
    .bind(id.uuid())
    .bind(seller_id.uuid())
    .fetch_optional(&mut **tx)
    .await?
    .map(|row| read(&row))
    .transpose()
}

/// The tenant's invitations that work at `now`, the newest first.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn open(tx: &mut TenantTx, seller_id: SellerId, now: DateTime<Utc>) -> Result<Vec<Invitation>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_invitation!(),
        " FROM accounts.invitations i WHERE seller_id = $1 AND expires_at > $2 ORDER BY created_at DESC LIMIT $3"
    ))
    .bind(seller_id.uuid())
    .bind(now)
    .bind(i64::from(Invitation::AT_MOST))
    .fetch_all(&mut **tx)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// The invitation that this token accepts, if it works at `now` and whoever invites is in use.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find_by_token(
    connection: &mut PgConnection,
    sha256: [u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Invitation>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_invitation!(),
        " FROM accounts.invitations i JOIN accounts.sellers s USING (seller_id) \
         LEFT JOIN accounts.suppliers p ON p.supplier_id = i.supplier_id \
         WHERE i.sha256 = $1 AND i.expires_at > $2 AND s.status = 'ACTIVE' AND coalesce(p.status, 'ACTIVE') = 'ACTIVE'"
    ))
    .bind(sha256.as_slice())
    .bind(now)
    .fetch_optional(connection)
    .await?
    .map(|row| read(&row))
    .transpose()
}

/// Uses the token up: of many who try, one finds it.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn take(tx: &mut TenantTx, sha256: [u8; 32], now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM accounts.invitations WHERE sha256 = $1 AND expires_at > $2")
        .bind(sha256.as_slice())
        .bind(now)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes an invitation back; false when there is none any more.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn delete(tx: &mut TenantTx, id: InvitationId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM accounts.invitations WHERE invitation_id = $1")
        .bind(id.uuid())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

fn read(row: &PgRow) -> Result<Invitation, sqlx::Error> {
    let supplier = row.try_get::<Option<Uuid>, _>("supplier_id")?.map(SupplierId::from_uuid);
    let member = Member::from_code(row.try_get("member")?).ok_or_else(|| columns::wrong("member"))?;
    Ok(Invitation {
        id: InvitationId::from_uuid(row.try_get("invitation_id")?),
        seller_id: SellerId::from_uuid(row.try_get("seller_id")?),
        email: Email::parse("email", row.try_get("email")?).map_err(columns::corrupt)?,
        invited: supplier.map_or(Invited::Team(member), Invited::Supplier),
        invited_by: row.try_get::<Option<Uuid>, _>("invited_by")?.map(UserId::from_uuid),
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
    })
}
