//! SQL of the outbox table.

use std::sync::Arc;

use leadflow_kernel::EventId;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use super::batch;
use crate::Envelope;

/// Rows a sweep takes at once.
const SWEEP_ROWS: i64 = 64;

/// The outbox table of one schema.
#[derive(Debug, Clone)]
pub struct Outbox(Arc<Statements>);

#[derive(Debug)]
struct Statements {
    schema: &'static str,
    append: Arc<str>,
    delete: Arc<str>,
    claim: Arc<str>,
    lock_ordered: Arc<str>,
    read_ordered: Arc<str>,
    count: Arc<str>,
}

/// Events that are written but, as far as this process knows, not published: hand them to
/// [`super::Relay::send`] once the transaction has committed. Dropped, they wait for the sweeper.
#[must_use = "hand it to Relay::send after the commit"]
#[derive(Debug, Default)]
pub struct Pending {
    pub(super) rows: Vec<PendingRow>,
    pub(super) ordered: bool,
}

#[derive(Debug)]
pub(super) struct PendingRow {
    pub(super) id: Uuid,
    pub(super) events: Vec<Envelope>,
}

/// Events as columns of the outbox table (`id uuid, ordered bool, batch bytea`), for a service that writes
/// them in a statement of its own; `retry_at` has its default then.
#[derive(Debug, Default)]
pub struct Rows {
    /// One for each row.
    pub ids: Vec<Uuid>,
    /// Whether their order matters.
    pub ordered: Vec<bool>,
    /// The encoded events.
    pub batches: Vec<Vec<u8>>,
}

impl Rows {
    /// The rows to write, and what to hand to the relay after the commit.
    pub fn of(events: Vec<Envelope>) -> (Self, Pending) {
        let (ordered, unordered): (Vec<_>, Vec<_>) = events.into_iter().partition(|event| is_ordered(&event.subject));
        let mut pending = Pending { rows: Vec::new(), ordered: !ordered.is_empty() };
        let mut rows = Self::default();
        for (flag, events) in [(true, ordered), (false, unordered)] {
            if events.is_empty() {
                continue;
            }
            let id = EventId::new().uuid();
            rows.ids.push(id);
            rows.ordered.push(flag);
            rows.batches.push(batch::encode(&events));
            if !flag {
                pending.rows.push(PendingRow { id, events });
            }
        }
        (rows, pending)
    }
}

impl Outbox {
    /// The outbox of `schema`, whose table its migrations create (see `migrations/README.md`).
    #[must_use]
    pub fn new(schema: &'static str) -> Self {
        Self(Arc::new(Statements {
            schema,
            // The grace lets the direct path finish before a sweeper takes the row for left behind.
            append: format!(
                "INSERT INTO {schema}.outbox (id, ordered, batch, retry_at) \
                 SELECT t.id, t.ordered, t.batch, now() + interval '10 seconds' \
                 FROM unnest($1::uuid[], $2::bool[], $3::bytea[]) AS t(id, ordered, batch)"
            )
            .into(),
            // Not worth waiting for the disk: a deletion that a power loss undoes only repeats events, which
            // every consumer bears. The setting is local to the transaction.
            delete: format!(
                "DELETE FROM {schema}.outbox o USING (SELECT set_config('synchronous_commit', 'off', true) AS mode) s \
                 WHERE o.id = ANY($1::uuid[]) AND s.mode = 'off'"
            )
            .into(),
            claim: format!(
                "UPDATE {schema}.outbox SET retry_at = now() + interval '30 seconds' WHERE id IN ( \
                   SELECT id FROM {schema}.outbox WHERE NOT ordered AND retry_at < now() \
                   ORDER BY retry_at LIMIT $1 FOR UPDATE SKIP LOCKED) \
                 RETURNING id, batch"
            )
            .into(),
            lock_ordered: format!("SELECT pg_advisory_xact_lock(hashtext('{schema}.outbox.ordered'))").into(),
            read_ordered: format!("SELECT id, batch FROM {schema}.outbox WHERE ordered ORDER BY seq LIMIT $1").into(),
            count: format!("SELECT count(*) FROM {schema}.outbox").into(),
        }))
    }

    /// Writes `events` in the open transaction. No events write nothing.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn append(&self, transaction: &mut PgConnection, events: Vec<Envelope>) -> Result<Pending, sqlx::Error> {
        let (rows, pending) = Rows::of(events);
        if !rows.ids.is_empty() {
            sqlx::query(AssertSqlSafe(self.0.append.clone()))
                .bind(rows.ids)
                .bind(rows.ordered)
                .bind(rows.batches)
                .execute(transaction)
                .await?;
        }
        Ok(pending)
    }

    /// How many rows wait to be published.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn waiting(&self, pool: &PgPool) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(AssertSqlSafe(self.0.count.clone())).fetch_one(pool).await
    }

    pub(super) fn schema(&self) -> &'static str {
        self.0.schema
    }

    pub(super) async fn delete(&self, connection: &mut PgConnection, ids: Vec<Uuid>) -> Result<(), sqlx::Error> {
        sqlx::query(AssertSqlSafe(self.0.delete.clone())).bind(ids).execute(connection).await.map(|_| ())
    }

    pub(super) async fn claim_left_behind(&self, pool: &PgPool) -> Result<Vec<PendingRow>, sqlx::Error> {
        let rows = sqlx::query(AssertSqlSafe(self.0.claim.clone())).bind(SWEEP_ROWS).fetch_all(pool).await?;
        rows.iter().map(read).collect()
    }

    pub(super) async fn lock_and_read_ordered(
        &self,
        transaction: &mut PgConnection,
    ) -> Result<Vec<PendingRow>, sqlx::Error> {
        sqlx::query(AssertSqlSafe(self.0.lock_ordered.clone())).execute(&mut *transaction).await?;
        let rows =
            sqlx::query(AssertSqlSafe(self.0.read_ordered.clone())).bind(SWEEP_ROWS).fetch_all(transaction).await?;
        rows.iter().map(read).collect()
    }
}

fn read(row: &PgRow) -> Result<PendingRow, sqlx::Error> {
    let bytes: Vec<u8> = row.try_get("batch")?;
    let events = batch::decode(&bytes).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(PendingRow { id: row.try_get("id")?, events })
}

// Subjects of the DIRECTORY stream: `<noun>.changed.<id>`.
fn is_ordered(subject: &str) -> bool {
    matches!(subject.split('.').nth(1), Some("changed" | "contact"))
}
