//! Table `accounts.sessions`.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Allowance, AllowanceKind, AllowanceState, Session, User};
use leadflow_kernel::{SellerId, SessionId, UserId};
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::users::{self, whole_person};

/// Sessions of one user that are kept; the oldest go first.
const AT_MOST: i64 = 50;

/// Stores a new session, and forgets those of its user that have ended or are too many.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(
    connection: &mut PgConnection,
    user: UserId,
    session: &Session,
    sha256: [u8; 32],
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM accounts.sessions WHERE user_id = $1 AND (expires_at <= $2 OR session_id IN ( \
           SELECT session_id FROM accounts.sessions WHERE user_id = $1 ORDER BY created_at DESC OFFSET $3))",
    )
    .bind(user.uuid())
    .bind(session.created_at)
    .bind(AT_MOST - 1)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO accounts.sessions (session_id, sha256, user_id, created_at, last_used_at, expires_at, address, \
           user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(session.id.uuid())
    .bind(sha256.as_slice())
    .bind(user.uuid())
    .bind(session.created_at)
    .bind(session.last_used_at)
    .bind(session.expires_at)
    .bind(&session.address)
    .bind(&session.user_agent)
    .execute(connection)
    .await
    .map(|_| ())
}

/// What a request found at the door.
pub struct Admitted {
    /// Whose session it is, if it is good and he may sign in.
    pub session: Option<(Session, User)>,
    /// What is left of the allowance.
    pub allowance: AllowanceState,
}

/// Looks the session up and takes a permit, from its user's allowance or else from that of `address`: one
/// statement, because every request of every front end begins with it.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn admit(
    connection: &mut PgConnection,
    sha256: Option<[u8; 32]>,
    address: &str,
    kind: AllowanceKind,
    allowance: Allowance,
    now: DateTime<Utc>,
) -> Result<Admitted, sqlx::Error> {
    let row = sqlx::query(concat!(
        "WITH found AS ( \
           SELECT s.session_id, s.created_at AS started_at, s.last_used_at, s.expires_at, s.address, s.user_agent, ",
        whole_person!(),
        " \
           FROM accounts.sessions s JOIN accounts.people p USING (user_id) \
           WHERE s.sha256 = $1 AND s.expires_at > $2 AND p.may_sign_in \
         ), taken AS ( \
           INSERT INTO accounts.allowances AS a (kind, subject, full_at, allowed) \
           SELECT $3::text, coalesce((SELECT 'user:' || user_id::text FROM found), 'address:' || $4::text), \
                  $2::timestamptz + $5::interval, true \
           ON CONFLICT (kind, subject) DO UPDATE SET \
             allowed = greatest(a.full_at, $2) + $5 <= $2 + $6::interval, \
             full_at = CASE WHEN greatest(a.full_at, $2) + $5 <= $2 + $6::interval \
                            THEN greatest(a.full_at, $2) + $5 ELSE a.full_at END \
           RETURNING a.full_at, a.allowed \
         ) \
         SELECT taken.full_at, taken.allowed, found.* FROM taken LEFT JOIN found ON true"
    ))
    .bind(sha256.map(|hash| hash.to_vec()))
    .bind(now)
    .bind(kind.code())
    .bind(address)
    .bind(allowance.interval())
    .bind(allowance.window())
    .fetch_one(connection)
    .await?;
    let session = match row.try_get::<Option<uuid::Uuid>, _>("session_id")? {
        Some(_) => Some((read(&row, "started_at")?, users::read(&row)?)),
        None => None,
    };
    let state = allowance.state(row.try_get("full_at")?, row.try_get("allowed")?, now);
    Ok(Admitted { session, allowance: state })
}

/// Notes a use; false when the session has ended meanwhile.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn note_use(connection: &mut PgConnection, session: &Session) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE accounts.sessions SET last_used_at = greatest(last_used_at, $2), expires_at = greatest(expires_at, $3) \
         WHERE session_id = $1",
    )
    .bind(session.id.uuid())
    .bind(session.last_used_at)
    .bind(session.expires_at)
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The user's sessions that are good at `now`, newest first.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of_user(
    connection: &mut PgConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> Result<Vec<Session>, sqlx::Error> {
    sqlx::query(
        "SELECT session_id, user_id, created_at, last_used_at, expires_at, address, user_agent FROM accounts.sessions WHERE user_id = $1 AND expires_at > $2 ORDER BY created_at DESC LIMIT $3",
    )
    .bind(user.uuid())
    .bind(now)
    .bind(AT_MOST)
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| read(row, "created_at"))
    .collect()
}

/// Those of `sessions` that are good at `now` and whose users may sign in.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn good(
    connection: &mut PgConnection,
    sessions: &[SessionId],
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>, sqlx::Error> {
    let ids: Vec<_> = sessions.iter().map(|session| session.uuid()).collect();
    sqlx::query(
        "SELECT s.session_id FROM accounts.sessions s JOIN accounts.people p USING (user_id) \
         WHERE s.session_id = ANY($1) AND s.expires_at > $2 AND p.may_sign_in",
    )
    .bind(ids)
    .bind(now)
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| row.try_get("session_id").map(SessionId::from_uuid))
    .collect()
}

/// Ends the session with this token; whose and which it was.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn end_by_token(
    connection: &mut PgConnection,
    sha256: [u8; 32],
) -> Result<Option<(UserId, SessionId)>, sqlx::Error> {
    sqlx::query("DELETE FROM accounts.sessions WHERE sha256 = $1 RETURNING user_id, session_id")
        .bind(sha256.as_slice())
        .fetch_optional(connection)
        .await?
        .map(|row| Ok((UserId::from_uuid(row.try_get("user_id")?), SessionId::from_uuid(row.try_get("session_id")?))))
        .transpose()
}

/// Ends one session of the user, or all but `keep`; which they were.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn end_of_user(
    connection: &mut PgConnection,
    user: UserId,
    only: Option<SessionId>,
    keep: Option<SessionId>,
) -> Result<Vec<SessionId>, sqlx::Error> {
    sqlx::query(
        "DELETE FROM accounts.sessions WHERE user_id = $1 AND ($2::uuid IS NULL OR session_id = $2) \
           AND ($3::uuid IS NULL OR session_id <> $3) RETURNING session_id",
    )
    .bind(user.uuid())
    .bind(only.map(SessionId::uuid))
    .bind(keep.map(SessionId::uuid))
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| row.try_get("session_id").map(SessionId::from_uuid))
    .collect()
}

/// Ends every session of the tenant's team, buyers and suppliers.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn end_of_tenant(tx: &mut TenantTx, seller_id: SellerId) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM accounts.sessions WHERE user_id IN (SELECT user_id FROM accounts.users WHERE seller_id = $1)",
    )
    .bind(seller_id.uuid())
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

fn read(row: &PgRow, created_at: &str) -> Result<Session, sqlx::Error> {
    Ok(Session {
        id: SessionId::from_uuid(row.try_get("session_id")?),
        created_at: row.try_get(created_at)?,
        last_used_at: row.try_get("last_used_at")?,
        expires_at: row.try_get("expires_at")?,
        address: row.try_get("address")?,
        user_agent: row.try_get("user_agent")?,
    })
}
