//! Tables `accounts.google_attempts` and `accounts.google_identities`.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Attempt, GooglePerson, InviteText, Role, TimeZone, Wish};
use leadflow_kernel::UserId;
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::columns;

/// Stores a sign-in that was begun, until `expires_at`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn begin(
    connection: &mut PgConnection,
    state: [u8; 32],
    browser: [u8; 32],
    attempt: &Attempt,
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let (role, company, invite, zone) = match &attempt.wish {
        Wish::SignIn => (None, None, None, None),
        Wish::Sell { company_name, time_zone } => {
            (Some(Role::Seller), Some(company_name.as_str()), None, Some(time_zone.name()))
        }
        Wish::Buy { company_name, invite } => {
            (Some(Role::Buyer), company_name.as_ref().map(|name| name.as_str()), Some(invite.as_str()), None)
        }
    };
    sqlx::query(
        "INSERT INTO accounts.google_attempts (state_sha256, browser_sha256, redirect_uri, return_to, role, \
           company_name, invite_code, time_zone, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(state.as_slice())
    .bind(browser.as_slice())
    .bind(&attempt.redirect_uri)
    .bind(&attempt.return_to)
    .bind(role.map(Role::code))
    .bind(company)
    .bind(invite)
    .bind(zone)
    .bind(expires_at)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Uses a sign-in up: of many who try, one gets it, and only from the browser that began it.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn take(
    connection: &mut PgConnection,
    state: [u8; 32],
    browser: [u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Attempt>, sqlx::Error> {
    sqlx::query(
        "DELETE FROM accounts.google_attempts WHERE state_sha256 = $1 AND browser_sha256 = $2 AND expires_at > $3 \
         RETURNING role, company_name, time_zone, invite_code, redirect_uri, return_to",
    )
    .bind(state.as_slice())
    .bind(browser.as_slice())
    .bind(now)
    .fetch_optional(connection)
    .await?
    .map(|row| read(&row))
    .transpose()
}

/// The user whose Google account this is.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find(connection: &mut PgConnection, person: &GooglePerson) -> Result<Option<UserId>, sqlx::Error> {
    sqlx::query("SELECT user_id FROM accounts.google_identities WHERE issuer = $1 AND subject = $2")
        .bind(&person.issuer)
        .bind(&person.subject)
        .fetch_optional(connection)
        .await?
        .map(|row| row.try_get("user_id").map(UserId::from_uuid))
        .transpose()
}

/// Whether the user has a Google account.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn is_linked(connection: &mut PgConnection, user: UserId) -> Result<bool, sqlx::Error> {
    sqlx::query("SELECT EXISTS (SELECT 1 FROM accounts.google_identities WHERE user_id = $1) AS linked")
        .bind(user.uuid())
        .fetch_one(connection)
        .await?
        .try_get("linked")
}

/// Makes it the user's Google account; false when it is somebody's, or he has one.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn link(
    connection: &mut PgConnection,
    person: &GooglePerson,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO accounts.google_identities (issuer, subject, user_id, linked_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
    )
    .bind(&person.issuer)
    .bind(&person.subject)
    .bind(user.uuid())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes the user's Google account from him; whether he had one.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn unlink(connection: &mut PgConnection, user: UserId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("DELETE FROM accounts.google_identities WHERE user_id = $1")
        .bind(user.uuid())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

fn read(row: &PgRow) -> Result<Attempt, sqlx::Error> {
    let role: Option<&str> = row.try_get("role")?;
    let wish = match role {
        None => Wish::SignIn,
        Some(role) if role == Role::Seller.code() => Wish::Sell {
            company_name: columns::name(row, "company_name")?,
            time_zone: TimeZone::parse("time_zone", row.try_get("time_zone")?).map_err(columns::corrupt)?,
        },
        Some(_) => Wish::Buy {
            company_name: match row.try_get::<Option<&str>, _>("company_name")? {
                Some(_) => Some(columns::name(row, "company_name")?),
                None => None,
            },
            invite: InviteText::parse(row.try_get("invite_code")?).ok_or_else(|| columns::wrong("invite_code"))?,
        },
    };
    Ok(Attempt { redirect_uri: row.try_get("redirect_uri")?, return_to: row.try_get("return_to")?, wish })
}
