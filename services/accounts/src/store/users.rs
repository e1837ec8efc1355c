//! Table `accounts.users` and the view `accounts.people`.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Email, Member, NewUser, Phone, Place, Team, User};
use leadflow_kernel::{BuyerId, SellerId, SupplierId, UserId};
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::columns;

/// What [`read`] needs of a person `p`, column by column: see [`super`].
macro_rules! whole_person {
    () => {
        "p.user_id, p.email, p.name, p.phone, p.role, p.member, p.seller_id, p.buyer_id, p.supplier_id, \
         p.email_verified, p.created_at, p.company_name, p.may_sign_in"
    };
}
pub(super) use whole_person;

/// Stores a new user, with the hash of his password if he has one, and whether his address is known to be his; false
/// when his id or his address is taken.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(
    connection: &mut PgConnection,
    user: &NewUser,
    password_hash: Option<&str>,
    email_verified: bool,
    created_with: [u8; 32],
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO accounts.users (user_id, role, member, seller_id, buyer_id, supplier_id, email, email_key, name, \
           phone, password_hash, email_verified_at, created_with, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14) ON CONFLICT DO NOTHING",
    )
    .bind(user.id.uuid())
    .bind(user.place.role().code())
    .bind(user.place.member().code())
    .bind(user.place.seller_id().map(SellerId::uuid))
    .bind(user.place.buyer_id().map(BuyerId::uuid))
    .bind(user.place.supplier_id().map(SupplierId::uuid))
    .bind(user.email.as_str())
    .bind(user.email.key())
    .bind(user.name.as_str())
    .bind(user.phone.as_ref().map(Phone::as_str))
    .bind(password_hash)
    .bind(email_verified.then_some(now))
    .bind(created_with.as_slice())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A user with the hash of his password.
pub struct WithHash {
    /// He.
    pub user: User,
    /// In the PHC string format; `None` when he has no password.
    pub password_hash: Option<String>,
}

/// The user, if he was created with this content.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find_created_with(
    connection: &mut PgConnection,
    id: UserId,
    created_with: [u8; 32],
) -> Result<Option<WithHash>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_person!(),
        ", u.password_hash FROM accounts.people p JOIN accounts.users u USING (user_id) \
         WHERE u.user_id = $1 AND u.created_with = $2"
    ))
    .bind(id.uuid())
    .bind(created_with.as_slice())
    .fetch_optional(connection)
    .await?
    .map(|row| read_with_hash(&row))
    .transpose()
}

/// The user.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find(connection: &mut PgConnection, id: UserId) -> Result<Option<User>, sqlx::Error> {
    sqlx::query(concat!("SELECT ", whole_person!(), " FROM accounts.people p WHERE user_id = $1"))
        .bind(id.uuid())
        .fetch_optional(connection)
        .await?
        .map(|row| read(&row))
        .transpose()
}

/// The user, whom nobody else can change until the transaction ends.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find_locked(connection: &mut PgConnection, id: UserId) -> Result<Option<WithHash>, sqlx::Error> {
    let known = sqlx::query("SELECT 1 FROM accounts.users WHERE user_id = $1 FOR UPDATE")
        .bind(id.uuid())
        .fetch_optional(&mut *connection)
        .await?;
    if known.is_none() {
        return Ok(None);
    }
    // In a statement of its own, which sees what was committed while the lock was waited for.
    with_hash(connection, id).await
}

/// The user with the hash of his password.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn with_hash(connection: &mut PgConnection, id: UserId) -> Result<Option<WithHash>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_person!(),
        ", u.password_hash FROM accounts.people p JOIN accounts.users u USING (user_id) WHERE u.user_id = $1"
    ))
    .bind(id.uuid())
    .fetch_optional(connection)
    .await?
    .map(|row| read_with_hash(&row))
    .transpose()
}

/// The user with this address.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find_by_email(connection: &mut PgConnection, email: &Email) -> Result<Option<WithHash>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_person!(),
        ", u.password_hash FROM accounts.people p JOIN accounts.users u USING (user_id) \
         WHERE u.email_key = $1"
    ))
    .bind(email.key())
    .fetch_optional(connection)
    .await?
    .map(|row| read_with_hash(&row))
    .transpose()
}

/// The tenant's users who belong to these buyers or suppliers, or to its own team; at most `limit`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of_tenant(
    tx: &mut TenantTx,
    seller_id: SellerId,
    buyers: &[BuyerId],
    suppliers: &[SupplierId],
    team: bool,
    limit: u32,
) -> Result<Vec<User>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_person!(),
        " FROM accounts.people p WHERE seller_id = $1 \
           AND (buyer_id = ANY($2::uuid[]) OR supplier_id = ANY($3::uuid[]) OR ($4 AND role = 'SELLER')) \
         ORDER BY user_id LIMIT $5"
    ))
    .bind(seller_id.uuid())
    .bind(buyers.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>())
    .bind(suppliers.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>())
    .bind(team)
    .bind(i64::from(limit))
    .fetch_all(&mut **tx)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// Stores a user's new name and number.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn update(connection: &mut PgConnection, user: &User, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE accounts.users SET name = $2, phone = $3, updated_at = $4 WHERE user_id = $1")
        .bind(user.id.uuid())
        .bind(user.name.as_str())
        .bind(user.phone.as_ref().map(Phone::as_str))
        .bind(now)
        .execute(connection)
        .await
        .map(|_| ())
}

/// Who is in the tenant's team.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn team(tx: &mut TenantTx, seller_id: SellerId) -> Result<Team, sqlx::Error> {
    sqlx::query("SELECT user_id, member FROM accounts.users WHERE seller_id = $1 AND role = 'SELLER'")
        .bind(seller_id.uuid())
        .fetch_all(&mut **tx)
        .await?
        .iter()
        .map(|row| {
            let member = Member::from_code(row.try_get("member")?).ok_or_else(|| columns::wrong("member"))?;
            Ok((UserId::from_uuid(row.try_get("user_id")?), member))
        })
        .collect::<Result<Vec<_>, sqlx::Error>>()
        .map(Team::new)
}

/// Stores what a member of a team may do.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn set_member(tx: &mut TenantTx, id: UserId, member: Member, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE accounts.users SET member = $2, updated_at = $3 WHERE user_id = $1")
        .bind(id.uuid())
        .bind(member.code())
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// Forgets the user, and with him his sessions and the links that were mailed to him.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn remove(tx: &mut TenantTx, id: UserId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM accounts.users WHERE user_id = $1").bind(id.uuid()).execute(&mut **tx).await.map(|_| ())
}

/// Notes that the user's address is his.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn verify_email(connection: &mut PgConnection, id: UserId, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE accounts.users SET email_verified_at = coalesce(email_verified_at, $2), updated_at = $2 WHERE user_id = $1",
    )
    .bind(id.uuid())
    .bind(now)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Stores the hash of a user's new password.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn set_password(
    connection: &mut PgConnection,
    id: UserId,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE accounts.users SET password_hash = $2, updated_at = $3 WHERE user_id = $1")
        .bind(id.uuid())
        .bind(password_hash)
        .bind(now)
        .execute(connection)
        .await
        .map(|_| ())
}

fn read_with_hash(row: &PgRow) -> Result<WithHash, sqlx::Error> {
    Ok(WithHash { user: read(row)?, password_hash: row.try_get("password_hash")? })
}

/// A row of `accounts.people`.
pub(super) fn read(row: &PgRow) -> Result<User, sqlx::Error> {
    let phone: Option<&str> = row.try_get("phone")?;
    Ok(User {
        id: UserId::from_uuid(row.try_get("user_id")?),
        email: Email::parse("email", row.try_get("email")?).map_err(columns::corrupt)?,
        name: columns::name(row, "name")?,
        phone: Phone::parse("phone", phone.unwrap_or_default()).map_err(columns::corrupt)?,
        place: place(row)?,
        email_verified: row.try_get("email_verified")?,
        created_at: row.try_get("created_at")?,
        company_name: row.try_get("company_name")?,
        may_sign_in: row.try_get("may_sign_in")?,
    })
}

fn place(row: &PgRow) -> Result<Place, sqlx::Error> {
    let seller = row.try_get::<Option<Uuid>, _>("seller_id")?.map(SellerId::from_uuid);
    let buyer = row.try_get::<Option<Uuid>, _>("buyer_id")?.map(BuyerId::from_uuid);
    let supplier = row.try_get::<Option<Uuid>, _>("supplier_id")?.map(SupplierId::from_uuid);
    Ok(match (seller, buyer, supplier) {
        (None, ..) => Place::Admin,
        (Some(seller), Some(buyer), _) => Place::Buyer(seller, buyer),
        (Some(seller), None, Some(supplier)) => Place::Supplier(seller, supplier),
        (Some(seller), None, None) => {
            let member = Member::from_code(row.try_get("member")?).ok_or_else(|| columns::wrong("member"))?;
            Place::Seller(seller, member)
        }
    })
}
