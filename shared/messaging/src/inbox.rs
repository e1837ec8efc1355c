//! Recording an event in the transaction of its effect, so that a repeat has no second effect.

use std::{collections::HashSet, sync::Arc};

use leadflow_kernel::EventId;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

/// The inbox table of one schema.
#[derive(Debug, Clone)]
pub struct Inbox {
    record: Arc<str>,
    prune: Arc<str>,
}

impl Inbox {
    /// The inbox of `schema`, whose table its migrations create (see `migrations/README.md`).
    #[must_use]
    pub fn new(schema: &'static str) -> Self {
        Self {
            record: format!(
                "INSERT INTO {schema}.inbox (consumer, event_id) SELECT $1, unnest($2::uuid[]) \
                 ON CONFLICT DO NOTHING RETURNING event_id"
            )
            .into(),
            prune: format!("DELETE FROM {schema}.inbox WHERE seen_at < now() - interval '14 days'").into(),
        }
    }

    /// Records `events` as seen by `consumer` and returns those that were not known: only they may
    /// have an effect. Two transactions with the same event wait for each other here.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn record(
        &self,
        connection: &mut PgConnection,
        consumer: &str,
        events: &[EventId],
    ) -> Result<HashSet<EventId>, sqlx::Error> {
        // Sorted, so that two batches with the same events cannot deadlock on the primary key.
        let mut ids: Vec<Uuid> = events.iter().map(|id| id.uuid()).collect();
        ids.sort_unstable();
        ids.dedup();
        let fresh: Vec<Uuid> = sqlx::query_scalar(AssertSqlSafe(self.record.clone()))
            .bind(consumer)
            .bind(ids)
            .fetch_all(connection)
            .await?;
        Ok(fresh.into_iter().map(EventId::from_uuid).collect())
    }

    /// Forgets events seen over 14 days ago: longer than any stream keeps one for redelivery.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn prune(&self, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        Ok(sqlx::query(AssertSqlSafe(self.prune.clone())).execute(connection).await?.rows_affected())
    }
}
