//! Table `notifier.masked_sales`, and removing what is kept of a sale.

use chrono::{DateTime, Utc};
use leadflow_kernel::{AssignmentId, BuyerId, DeliveryId, EndpointId, ErasureId, LeadId, SellerId};
use leadflow_notifier_domain::Channel;
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::messages::{self, MessageKey};

/// What stands where words of others stood.
pub const REMOVED: &str = "removed with the personal data of its lead";

/// A sale of a lead whose personal data is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskedSale {
    /// The tenant.
    pub seller: SellerId,
    /// What was sold.
    pub lead: LeadId,
    /// The sale.
    pub assignment: AssignmentId,
    /// To whom.
    pub buyer: BuyerId,
    /// Whose wish it was.
    pub erasure: Option<ErasureId>,
}

/// Remembers sales, to be worked on from `now` on; those that are known stay as they are.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn insert(
    connection: &mut PgConnection,
    sales: &[MaskedSale],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut sales: Vec<&MaskedSale> = sales.iter().collect();
    sales.sort_unstable_by_key(|sale| (sale.lead, sale.assignment));
    sqlx::query(
        "INSERT INTO notifier.masked_sales (lead_id, assignment_id, seller_id, buyer_id, erasure_id, told_at, due_at) \
         SELECT t.*, $6, $6 FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[]) AS t \
         ON CONFLICT (lead_id, assignment_id) DO NOTHING",
    )
    .bind(sales.iter().map(|sale| sale.lead.uuid()).collect::<Vec<_>>())
    .bind(sales.iter().map(|sale| sale.assignment.uuid()).collect::<Vec<_>>())
    .bind(sales.iter().map(|sale| sale.seller.uuid()).collect::<Vec<_>>())
    .bind(sales.iter().map(|sale| sale.buyer.uuid()).collect::<Vec<_>>())
    .bind(sales.iter().map(|sale| sale.erasure.map(ErasureId::uuid)).collect::<Vec<_>>())
    .bind(now)
    .execute(connection)
    .await
    .map(drop)
}

/// Locks sales that are due. Whatever stored something of them without seeing that they are masked has ended by then, so all that
/// there is of them can be seen. A transaction that is yet to begin here is one of the server from which this database was restored, and has
/// ended. Those that another replica works on are passed over.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock_due(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<MaskedSale>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT lead_id, assignment_id, seller_id, buyer_id, erasure_id FROM notifier.masked_sales \
         WHERE due_at <= $1 AND (written_by < pg_snapshot_xmin(pg_current_snapshot()) \
           OR written_by >= pg_snapshot_xmax(pg_current_snapshot())) \
         ORDER BY due_at, lead_id, assignment_id LIMIT $2 FOR UPDATE SKIP LOCKED",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let read = |row: &PgRow| {
        Ok(MaskedSale {
            seller: SellerId::from_uuid(row.try_get("seller_id")?),
            lead: LeadId::from_uuid(row.try_get("lead_id")?),
            assignment: AssignmentId::from_uuid(row.try_get("assignment_id")?),
            buyer: BuyerId::from_uuid(row.try_get("buyer_id")?),
            erasure: row.try_get::<Option<Uuid>, _>("erasure_id")?.map(ErasureId::from_uuid),
        })
    };
    rows.iter().map(read).collect()
}

/// Transactions that have read which sales are masked and have not ended: their statements may have begun before these sales were, and may yet
/// store something of them. Statements lock a table before they take their snapshot, so none that did is missing.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn readers(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT DISTINCT virtualtransaction FROM pg_locks WHERE relation = 'notifier.masked_sales'::regclass \
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
           AND mode = 'AccessShareLock' AND pid <> pg_backend_pid()",
    )
    .fetch_all(connection)
    .await
}

/// The endpoints that these buyers have or had: what was sent to a deleted one is kept, too.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn endpoints(
    connection: &mut PgConnection,
    sales: &[MaskedSale],
) -> Result<Vec<(BuyerId, EndpointId)>, sqlx::Error> {
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT buyer_id, endpoint_id FROM notifier.endpoints WHERE seller_id = ANY($1) AND buyer_id = ANY($2)",
    )
    .bind(sales.iter().map(|sale| sale.seller.uuid()).collect::<Vec<_>>())
    .bind(sales.iter().map(|sale| sale.buyer.uuid()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(buyer, endpoint)| (buyer.into(), endpoint.into())).collect())
}

/// Empties those of these deliveries that are in nobody's hands, with their attempts, and makes those due that wait: whoever takes one
/// finds nothing to send and ends it. Returns the sales of those emptied, and of those that still have something.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn empty_deliveries(
    connection: &mut PgConnection,
    deliveries: &[DeliveryId],
    now: DateTime<Utc>,
) -> Result<(Vec<AssignmentId>, Vec<AssignmentId>), sqlx::Error> {
    let ids: Vec<Uuid> = deliveries.iter().map(|id| id.uuid()).collect();
    let full: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT delivery_id, assignment_id FROM notifier.deliveries WHERE delivery_id = ANY($1) AND octet_length(payload) > 0",
    )
    .bind(&ids)
    .fetch_all(&mut *connection)
    .await?;
    let free: Vec<Uuid> = sqlx::query_scalar(
        "SELECT delivery_id FROM notifier.deliveries WHERE delivery_id = ANY($1) AND (lease IS NULL OR due_at <= $2) \
         ORDER BY delivery_id FOR UPDATE SKIP LOCKED",
    )
    .bind(full.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(now)
    .fetch_all(&mut *connection)
    .await?;
    if !free.is_empty() {
        // Of a refusal it stays known that it was one, and of which kind.
        sqlx::query(
            "UPDATE notifier.deliveries SET payload = '', lease = NULL, due_at = CASE WHEN status = 'PENDING' THEN $2::timestamptz END, \
               error = CASE WHEN error = '' THEN '' \
                            ELSE coalesce(substring(error FROM '^the receiver (?:has this person already|does not take it): '), '') || $3 END \
             WHERE delivery_id = ANY($1)",
        )
        .bind(&free)
        .bind(now)
        .bind(REMOVED)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "UPDATE notifier.attempts SET response = '', error = CASE WHEN error = '' THEN '' ELSE $2 END \
             WHERE delivery_id = ANY($1) AND (response <> '' OR error <> '')",
        )
        .bind(&free)
        .bind(REMOVED)
        .execute(connection)
        .await?;
    }
    let (emptied, left): (Vec<_>, Vec<_>) = full.into_iter().partition(|(id, _)| free.contains(id));
    let sale = |(_, sale): (Uuid, Uuid)| AssignmentId::from_uuid(sale);
    Ok((emptied.into_iter().map(sale).collect(), left.into_iter().map(sale).collect()))
}

/// Ends those messages about these leads that wait and are in nobody's hands; which, and the (lead, buyer) of those that are left.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn end_messages(
    connection: &mut PgConnection,
    leads: &[LeadId],
    now: DateTime<Utc>,
) -> Result<(Vec<MessageKey>, Vec<(LeadId, BuyerId)>), sqlx::Error> {
    let leads: Vec<Uuid> = leads.iter().map(|lead| lead.uuid()).collect();
    let rows = sqlx::query(
        "UPDATE notifier.messages SET status = 'EXPIRED', contents = NULL, due_at = NULL, lease = NULL, ended_at = $2, \
           may_be_sent = may_be_sent OR lease IS NOT NULL, error = $3 \
         WHERE message_id = ANY(ARRAY( \
           SELECT message_id FROM notifier.messages WHERE status = 'WAITING' AND lead_id = ANY($1) \
             AND (lease IS NULL OR due_at <= $2) ORDER BY message_id FOR UPDATE SKIP LOCKED)) \
         RETURNING message_id, seller_id, buyer_id, lead_id, channel, kind",
    )
    .bind(&leads)
    .bind(now)
    .bind(REMOVED)
    .fetch_all(&mut *connection)
    .await?;
    let ended = rows
        .iter()
        .map(|row| messages::key(row, Channel::of(row.try_get("channel")?).unwrap_or(Channel::Email)))
        .collect::<Result<Vec<_>, sqlx::Error>>()?;
    let left: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT lead_id, buyer_id FROM notifier.messages WHERE status = 'WAITING' AND lead_id = ANY($1) AND buyer_id IS NOT NULL",
    )
    .bind(&leads)
    .fetch_all(connection)
    .await?;
    Ok((ended, left.into_iter().map(|(lead, buyer)| (lead.into(), buyer.into())).collect()))
}

/// What was done about a sale.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// Which.
    pub sale: MaskedSale,
    /// Deliveries that were emptied.
    pub deliveries: i32,
    /// Messages that were ended.
    pub messages: i32,
    /// When to go on; `None`: nothing is left.
    pub due_at: Option<DateTime<Utc>>,
}

/// Remembers what was done.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn save(connection: &mut PgConnection, done: &[Done], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE notifier.masked_sales m SET deliveries = m.deliveries + t.deliveries, messages = m.messages + t.messages, \
           due_at = t.due_at, masked_at = CASE WHEN t.due_at IS NULL THEN $6 ELSE m.masked_at END \
         FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::timestamptz[]) \
           AS t(lead_id, assignment_id, deliveries, messages, due_at) \
         WHERE m.lead_id = t.lead_id AND m.assignment_id = t.assignment_id AND m.lead_id = ANY($1)",
    )
    .bind(done.iter().map(|one| one.sale.lead.uuid()).collect::<Vec<_>>())
    .bind(done.iter().map(|one| one.sale.assignment.uuid()).collect::<Vec<_>>())
    .bind(done.iter().map(|one| one.deliveries).collect::<Vec<_>>())
    .bind(done.iter().map(|one| one.messages).collect::<Vec<_>>())
    .bind(done.iter().map(|one| one.due_at).collect::<Vec<_>>())
    .bind(now)
    .execute(connection)
    .await
    .map(drop)
}

/// What became of the sales of an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Erased {
    /// Told of.
    pub sales: i64,
    /// That still have something.
    pub waiting: i64,
    /// Deliveries that were emptied.
    pub deliveries: i64,
    /// Messages that were ended.
    pub messages: i64,
    /// When the last of them was done.
    pub done_at: Option<DateTime<Utc>>,
}

/// What became of a tenant's erasure.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn erased(tx: &mut TenantTx, seller: SellerId, erasure: ErasureId) -> Result<Erased, sqlx::Error> {
    sqlx::query_as(
        "SELECT count(*) AS sales, count(due_at) AS waiting, coalesce(sum(deliveries), 0)::bigint AS deliveries, \
           coalesce(sum(messages), 0)::bigint AS messages, max(masked_at) AS done_at \
         FROM notifier.masked_sales WHERE erasure_id = $1 AND seller_id = $2",
    )
    .bind(erasure.uuid())
    .bind(seller.uuid())
    .fetch_one(&mut **tx)
    .await
}
