//! Table `accounts.audit_entries`.

use chrono::{DateTime, Utc};
use leadflow_kernel::{AuditId, SellerId, UserId};
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, Row, types::Json};

/// Who changed what.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its id; ids sort by time.
    pub id: AuditId,
    /// The tenant, unless it belongs to none.
    pub seller_id: Option<SellerId>,
    /// When.
    pub at: DateTime<Utc>,
    /// Who; `None` for a service or somebody not signed in.
    pub actor: Option<UserId>,
    /// What was done, e.g. `buyer.updated`.
    pub action: String,
    /// The id of what was changed.
    pub subject_id: String,
    /// What it was like. No secrets.
    pub before: Option<serde_json::Value>,
    /// What it is like now. No secrets.
    pub after: Option<serde_json::Value>,
}

/// Writes an entry in the open transaction.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn append(connection: &mut PgConnection, entry: &Entry) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO accounts.audit_entries (audit_id, seller_id, at, actor_user_id, action, subject_id, before, after) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(entry.id.uuid())
    .bind(entry.seller_id.map(SellerId::uuid))
    .bind(entry.at)
    .bind(entry.actor.map(UserId::uuid))
    .bind(&entry.action)
    .bind(&entry.subject_id)
    .bind(entry.before.as_ref().map(Json))
    .bind(entry.after.as_ref().map(Json))
    .execute(connection)
    .await
    .map(|_| ())
}

/// Up to `limit` of the tenant's entries that are older than `before`, newest first.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn page(
    tx: &mut TenantTx,
    seller_id: SellerId,
    before: Option<AuditId>,
    limit: u32,
) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query(
        "SELECT * FROM accounts.audit_entries WHERE seller_id = $1 AND ($2::uuid IS NULL OR audit_id < $2) \
         ORDER BY audit_id DESC LIMIT $3",
    )
    .bind(seller_id.uuid())
    .bind(before.map(AuditId::uuid))
    .bind(i64::from(limit))
    .fetch_all(&mut **tx)
    .await?
    .iter()
    .map(|row| {
        let json =
            |column| row.try_get::<Option<Json<serde_json::Value>>, _>(column).map(|json| json.map(|json| json.0));
        Ok(Entry {
            id: AuditId::from_uuid(row.try_get("audit_id")?),
            seller_id: Some(SellerId::from_uuid(row.try_get("seller_id")?)),
            at: row.try_get("at")?,
            actor: row.try_get::<Option<uuid::Uuid>, _>("actor_user_id")?.map(UserId::from_uuid),
            action: row.try_get("action")?,
            subject_id: row.try_get("subject_id")?,
            before: json("before")?,
            after: json("after")?,
        })
    })
    .collect()
}
