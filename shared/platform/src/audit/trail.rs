//! The table `<schema>.audit_entries`.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use leadflow_kernel::{AuditId, Id, Kind, SellerId, UserId};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, Row, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::{Actor, ActorRole};

/// Entries are counted up to this many.
const COUNTED: i64 = 10_000;

/// The audit of one schema, whose table its migrations create (see `migrations/README.md`).
#[derive(Debug, Clone, Copy)]
pub struct Trail {
    schema: &'static str,
}

/// A change on its way into the audit.
#[derive(Debug, Clone)]
pub struct Change {
    action: &'static str,
    subject_id: String,
    actor: Option<Actor>,
    before: Option<Value>,
    after: Option<Value>,
}

impl Change {
    /// `action`, such as `buyer.updated`, happened to `subject`.
    #[must_use]
    pub fn new<K: Kind>(action: &'static str, subject: Id<K>) -> Self {
        Self { action, subject_id: subject.to_string(), actor: None, before: None, after: None }
    }

    /// Who did it; `None` for a service, or somebody not signed in.
    #[must_use]
    pub fn by(self, actor: impl Into<Option<Actor>>) -> Self {
        Self { actor: actor.into(), ..self }
    }

    /// What it was like. No secrets.
    #[must_use]
    pub fn from(self, before: Value) -> Self {
        Self { before: Some(before), ..self }
    }

    /// What it is like now. No secrets.
    #[must_use]
    pub fn to(self, after: Value) -> Self {
        Self { after: Some(after), ..self }
    }
}

/// Who changed what.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its id.
    pub id: AuditId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who; `None` for a service or somebody not signed in.
    pub actor: Option<Actor>,
    /// What was done, e.g. `buyer.updated`.
    pub action: Cow<'static, str>,
    /// The id of what was changed.
    pub subject_id: String,
    /// What it was like.
    pub before: Option<Value>,
    /// What it is like now.
    pub after: Option<Value>,
}

/// Where an entry is among the others: newest first, by time and then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryKey {
    /// Its id.
    pub id: AuditId,
    /// When.
    pub at: DateTime<Utc>,
}

impl Trail {
    /// The audit of `schema`.
    #[must_use]
    pub const fn new(schema: &'static str) -> Self {
        Self { schema }
    }

    /// Writes a change down in the open transaction; `seller_id` is the tenant that may read it.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn write(
        self,
        connection: &mut PgConnection,
        seller_id: Option<SellerId>,
        now: DateTime<Utc>,
        change: Change,
    ) -> Result<(), sqlx::Error> {
        let Change { action, subject_id, actor, before, after } = change;
        sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {}.audit_entries (audit_id, seller_id, at, actor_user_id, actor_role, action, subject_id, \
               before, after) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            self.schema
        )))
        .bind(AuditId::new().uuid())
        .bind(seller_id.map(SellerId::uuid))
        .bind(now)
        .bind(actor.map(|actor| actor.user.uuid()))
        .bind(actor.and_then(|actor| actor.role).map(ActorRole::code))
        .bind(action)
        .bind(subject_id)
        .bind(before.map(Json))
        .bind(after.map(Json))
        .execute(connection)
        .await
        .map(|_| ())
    }

    /// The newest `limit` entries of a tenant, or of none, within bounds; and how many there are, counted up to
    /// 10,000.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn keys(
        self,
        connection: &mut PgConnection,
        seller_id: Option<SellerId>,
        from: Option<DateTime<Utc>>,
        until: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<(Vec<EntryKey>, u64), sqlx::Error> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT audit_id, at FROM {}.audit_entries \
             WHERE {} AND at >= coalesce($2, '-infinity') AND at < coalesce($3, 'infinity') \
             ORDER BY at DESC, audit_id DESC LIMIT $4",
            self.schema,
            of(seller_id)
        )))
        .bind(seller_id.map(SellerId::uuid))
        .bind(from)
        .bind(until)
        // What is beyond the limit is only counted.
        .bind(COUNTED)
        .fetch_all(connection)
        .await?;
        let total = rows.len() as u64;
        let keys = rows
            .iter()
            .take(limit as usize)
            .map(|row| Ok(EntryKey { id: AuditId::from_uuid(row.try_get("audit_id")?), at: row.try_get("at")? }));
        Ok((keys.collect::<Result<_, sqlx::Error>>()?, total))
    }

    /// Those of these entries that the tenant, or none, has; in no order.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn entries(
        self,
        connection: &mut PgConnection,
        seller_id: Option<SellerId>,
        ids: &[AuditId],
    ) -> Result<Vec<Entry>, sqlx::Error> {
        sqlx::query(AssertSqlSafe(format!(
            "SELECT * FROM {}.audit_entries WHERE {} AND audit_id = ANY($2::uuid[])",
            self.schema,
            of(seller_id)
        )))
        .bind(seller_id.map(SellerId::uuid))
        .bind(ids.iter().map(|id| id.uuid()).collect::<Vec<Uuid>>())
        .fetch_all(connection)
        .await?
        .iter()
        .map(read)
        .collect()
    }
}

/// Whose entries; each way its own text, so that each finds its index.
const fn of(seller_id: Option<SellerId>) -> &'static str {
    match seller_id {
        Some(_) => "seller_id = $1",
        None => "seller_id IS NULL AND $1::uuid IS NULL",
    }
}

fn read(row: &PgRow) -> Result<Entry, sqlx::Error> {
    let json = |column| row.try_get::<Option<Json<Value>>, _>(column).map(|json| json.map(|json| json.0));
    let role: Option<&str> = row.try_get("actor_role")?;
    let user = row.try_get::<Option<Uuid>, _>("actor_user_id")?.map(UserId::from_uuid);
    Ok(Entry {
        id: AuditId::from_uuid(row.try_get("audit_id")?),
        at: row.try_get("at")?,
        actor: user.map(|user| Actor { user, role: role.and_then(ActorRole::from_code) }),
        action: Cow::Owned(row.try_get("action")?),
        subject_id: row.try_get("subject_id")?,
        before: json("before")?,
        after: json("after")?,
    })
}
