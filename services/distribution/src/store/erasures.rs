//! Wishes that one person's data be removed.

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_distribution_domain::person::{Hash, Wanted};
use leadflow_kernel::{BuyerId, CampaignId, ErasureId, LeadId, SellerId, UserId};
use leadflow_platform::db::TenantTx;
use sqlx::{FromRow, PgConnection, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::columns;

/// A wish; the migration describes each column.
#[derive(Debug, FromRow)]
pub struct ErasureRow {
    pub erasure_id: Uuid,
    pub first_asked_at: DateTime<Utc>,
    pub asked_at: DateTime<Utc>,
    pub asked_by: Option<Uuid>,
    pub times_asked: i32,
    pub by_email: bool,
    pub by_phone: bool,
    pub state: String,
    pub searched: i64,
    pub leads: i64,
    pub sales: i64,
    pub fingerprints: i32,
    pub letters: i32,
    pub done_at: Option<DateTime<Utc>>,
}

/// Writes a wish down. One that is known begins anew when it had ended; until then it is as it was, but for who asked last.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn ask(
    tx: &mut TenantTx,
    seller: SellerId,
    id: ErasureId,
    wanted: &Wanted,
    by: Option<UserId>,
    sequence: u64,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO distribution.erasures AS e (erasure_id, seller_id, email_hash, phone_hash, first_asked_at, asked_at, asked_by, \
           stream_sequence, state) \
         VALUES ($1, $2, $3, $4, $7, $7, $5, $6, 'waiting') \
         ON CONFLICT (erasure_id) DO UPDATE SET asked_at = excluded.asked_at, asked_by = excluded.asked_by, \
           times_asked = e.times_asked + 1, stream_sequence = excluded.stream_sequence, state = 'waiting', done_at = NULL, searched = 0, \
           cursor_at = '1970-01-01 00:00:00+00', cursor_id = '00000000-0000-0000-0000-000000000000'",
    )
    .bind(id.uuid())
    .bind(seller.uuid())
    .bind(wanted.email.as_ref().map(<[u8; 32]>::as_slice))
    .bind(wanted.phone.as_ref().map(<[u8; 32]>::as_slice))
    .bind(by.map(UserId::uuid))
    .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
    .bind(now)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// A tenant's wish, with what came of it so far.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find(tx: &mut TenantTx, seller: SellerId, id: ErasureId) -> Result<Option<ErasureRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT erasure_id, first_asked_at, asked_at, asked_by, times_asked, email_hash IS NOT NULL AS by_email, \
           phone_hash IS NOT NULL AS by_phone, state, searched, \
           (SELECT count(*) FROM distribution.erased_leads l WHERE l.erasure_id = e.erasure_id AND l.seller_id = $2) AS leads, \
           (SELECT count(*) FROM distribution.erased_leads l JOIN distribution.assignments a ON a.lead_id = l.lead_id \
            WHERE l.erasure_id = e.erasure_id AND l.seller_id = $2 AND a.seller_id = $2) AS sales, \
           fingerprints, cardinality(letters) AS letters, done_at \
         FROM distribution.erasures e WHERE erasure_id = $1 AND seller_id = $2",
    )
    .bind(id.uuid())
    .bind(seller.uuid())
    .fetch_optional(&mut **tx)
    .await
}

/// Who had bought the leads of a wish, and how many of them.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn buyers(
    tx: &mut TenantTx,
    seller: SellerId,
    id: ErasureId,
) -> Result<Vec<(BuyerId, String, u32)>, sqlx::Error> {
    let rows: Vec<(Uuid, String, i64)> = sqlx::query_as(
        "SELECT a.buyer_id, coalesce(min(b.company_name), ''), count(*) FROM distribution.erased_leads l \
         JOIN distribution.assignments a ON a.lead_id = l.lead_id AND a.seller_id = l.seller_id \
         LEFT JOIN distribution.buyers b ON b.buyer_id = a.buyer_id AND b.seller_id = a.seller_id \
         WHERE l.erasure_id = $1 AND l.seller_id = $2 GROUP BY a.buyer_id ORDER BY a.buyer_id",
    )
    .bind(id.uuid())
    .bind(seller.uuid())
    .fetch_all(&mut **tx)
    .await?;
    Ok(rows.into_iter().map(|(id, name, leads)| (id.into(), name, u32::try_from(leads).unwrap_or(u32::MAX))).collect())
}

/// Wishes that wait until their stream's message is passed, the oldest first.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn waiting(connection: &mut PgConnection, limit: i64) -> Result<Vec<(ErasureId, u64)>, sqlx::Error> {
    let rows: Vec<(Uuid, i64)> = sqlx::query_as(
        "SELECT erasure_id, stream_sequence FROM distribution.erasures WHERE state = 'waiting' ORDER BY asked_at LIMIT $1",
    )
    .bind(limit)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(id, sequence)| (id.into(), u64::try_from(sequence).unwrap_or(0))).collect())
}

/// Begins to search for those whose message is passed.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn begin(connection: &mut PgConnection, passed: &[(ErasureId, u64)]) -> Result<(), sqlx::Error> {
    // One that was asked for again meanwhile waits for a later message.
    sqlx::query(
        "UPDATE distribution.erasures e SET state = 'searching' FROM unnest($1::uuid[], $2::bigint[]) AS t(erasure_id, sequence) \
         WHERE e.erasure_id = t.erasure_id AND e.stream_sequence <= t.sequence AND e.state = 'waiting'",
    )
    .bind(passed.iter().map(|(id, _)| id.uuid()).collect::<Vec<_>>())
    .bind(passed.iter().map(|(_, sequence)| i64::try_from(*sequence).unwrap_or(i64::MAX)).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(|_| ())
}

/// Has the wishes that were asked for after leads were received, and that come only now, searched again from there. Who searches at the moment
/// is waited for: he does not see what this transaction writes.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn look_back(
    connection: &mut PgConnection,
    late: &[(SellerId, DateTime<Utc>)],
    clocks: TimeDelta,
) -> Result<(), sqlx::Error> {
    // Just before the lead: the cursor is passed over.
    sqlx::query(
        "WITH late AS (SELECT seller_id, min(at) AS at FROM unnest($1::uuid[], $2::timestamptz[]) AS t(seller_id, at) GROUP BY seller_id), \
           locked AS (SELECT e.erasure_id, late.at FROM distribution.erasures e JOIN late ON late.seller_id = e.seller_id \
             WHERE e.asked_at + $3 >= late.at ORDER BY e.erasure_id FOR UPDATE OF e) \
         UPDATE distribution.erasures e SET cursor_at = least(e.cursor_at, locked.at - interval '1 ms'), done_at = NULL, \
           state = CASE e.state WHEN 'waiting' THEN 'waiting' ELSE 'searching' END \
         FROM locked WHERE e.erasure_id = locked.erasure_id",
    )
    .bind(late.iter().map(|(seller, _)| seller.uuid()).collect::<Vec<_>>())
    .bind(late.iter().map(|(_, at)| *at).collect::<Vec<_>>())
    .bind(clocks)
    .execute(connection)
    .await
    .map(|_| ())
}

/// One that is worked on.
#[derive(Debug, Clone, Copy)]
pub struct Open {
    /// Which.
    pub id: ErasureId,
    /// Whose.
    pub seller: SellerId,
    /// Whom it is about.
    pub wanted: Wanted,
    /// Its leads are done.
    pub letters: bool,
    /// Leads up to this one were looked at.
    pub cursor: (DateTime<Utc>, LeadId),
    /// When it was asked for last.
    pub asked_at: DateTime<Utc>,
}

/// Locks the oldest wish that can be worked on and that no other replica works on; of those in `last`, in their order, only when there is no other.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn lock_next(connection: &mut PgConnection, last: &[ErasureId]) -> Result<Option<Open>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT erasure_id, seller_id, email_hash, phone_hash, state, cursor_at, cursor_id, asked_at FROM distribution.erasures \
         WHERE state IN ('searching', 'letters') \
         ORDER BY array_position($1::uuid[], erasure_id) NULLS FIRST, asked_at LIMIT 1 FOR UPDATE SKIP LOCKED",
    )
    .bind(last.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &PgRow) -> Result<Open, sqlx::Error> {
    let hash = |column: &'static str| -> Result<Option<Hash>, sqlx::Error> {
        let bytes: Option<Vec<u8>> = row.try_get(column)?;
        bytes.map(|bytes| Hash::try_from(bytes).map_err(|_| columns::impossible(column))).transpose()
    };
    let state: String = row.try_get("state")?;
    Ok(Open {
        id: ErasureId::from_uuid(row.try_get("erasure_id")?),
        seller: SellerId::from_uuid(row.try_get("seller_id")?),
        wanted: Wanted { email: hash("email_hash")?, phone: hash("phone_hash")? },
        letters: state == "letters",
        cursor: (row.try_get("cursor_at")?, LeadId::from_uuid(row.try_get("cursor_id")?)),
        asked_at: row.try_get("asked_at")?,
    })
}

/// A lead that may be the person's.
#[derive(Debug, FromRow)]
pub struct Searched {
    pub lead_id: Uuid,
    pub campaign_id: Uuid,
    pub received_at: DateTime<Utc>,
    pub reference: String,
    pub data: String,
    pub raw: Option<String>,
    pub unknown_fields: Option<String>,
    pub masked: bool,
}

/// The next leads of a tenant up to `until`, as they are stored.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn next_leads(
    connection: &mut PgConnection,
    open: &Open,
    until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Searched>, sqlx::Error> {
    sqlx::query_as(
        "SELECT lead_id, campaign_id, received_at, reference, data::text AS data, raw::text AS raw, unknown_fields::text AS unknown_fields, \
           masked_at IS NOT NULL AS masked FROM distribution.leads \
         WHERE seller_id = $1 AND received_at >= $2 AND (received_at, lead_id) > ($2, $3) AND received_at <= $4 \
         ORDER BY received_at, lead_id LIMIT $5",
    )
    .bind(open.seller.uuid())
    .bind(open.cursor.0)
    .bind(open.cursor.1.uuid())
    .bind(until)
    .bind(limit)
    .fetch_all(connection)
    .await
}

/// Forgets by which fingerprints these leads are recognised.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn forget_prints(
    connection: &mut PgConnection,
    campaigns: &[CampaignId],
    leads: &[LeadId],
) -> Result<u64, sqlx::Error> {
    sqlx::query("DELETE FROM distribution.lead_fingerprints WHERE campaign_id = ANY($1) AND lead_id = ANY($2)")
        .bind(campaigns.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .bind(leads.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(|done| done.rows_affected())
}

/// What a step of a search did.
#[derive(Debug)]
pub struct Step {
    /// Leads that were masked.
    pub leads: Vec<LeadId>,
    /// Leads with data that were looked at.
    pub searched: i64,
    /// Fingerprints that were forgotten.
    pub fingerprints: u64,
    /// The last lead looked at.
    pub cursor: (DateTime<Utc>, LeadId),
    /// There are no more.
    pub ended: bool,
}

/// Remembers what a step did.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn save(
    connection: &mut PgConnection,
    open: &Open,
    step: &Step,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO distribution.erased_leads (erasure_id, lead_id, seller_id, masked_at) \
         SELECT $1, lead_id, $2, $4 FROM unnest($3::uuid[]) AS lead_id ON CONFLICT DO NOTHING",
    )
    .bind(open.id.uuid())
    .bind(open.seller.uuid())
    .bind(step.leads.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE distribution.erasures SET searched = searched + $2, fingerprints = fingerprints + $3, cursor_at = $4, cursor_id = $5, \
           state = CASE WHEN $6 THEN 'letters' ELSE state END WHERE erasure_id = $1",
    )
    .bind(open.id.uuid())
    .bind(step.searched)
    .bind(i32::try_from(step.fingerprints).unwrap_or(i32::MAX))
    .bind(step.cursor.0)
    .bind(step.cursor.1.uuid())
    .bind(step.ended)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Remembers dead letters that are removed or emptied for it, before they are.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn note_letters(connection: &mut PgConnection, open: &Open, letters: &[u64]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE distribution.erasures SET letters = ARRAY(SELECT DISTINCT unnest(letters || $2::bigint[]) ORDER BY 1) WHERE erasure_id = $1",
    )
    .bind(open.id.uuid())
    .bind(letters.iter().map(|number| i64::try_from(*number).unwrap_or(i64::MAX)).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(|_| ())
}

/// It has ended here, unless it was asked for again meanwhile.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn end(connection: &mut PgConnection, open: &Open, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE distribution.erasures SET state = 'done', done_at = $2 \
         WHERE erasure_id = $1 AND state = 'letters' AND asked_at = $3",
    )
    .bind(open.id.uuid())
    .bind(now)
    .bind(open.asked_at)
    .execute(connection)
    .await
    .map(|_| ())
}

/// Those of these leads that are masked.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn masked(
    connection: &mut PgConnection,
    seller: SellerId,
    leads: &[LeadId],
) -> Result<Vec<LeadId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT lead_id FROM distribution.leads WHERE lead_id = ANY($2) AND seller_id = $1 AND masked_at IS NOT NULL",
    )
    .bind(seller.uuid())
    .bind(leads.iter().map(|id| id.uuid()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(LeadId::from).collect())
}
