//! Forgetting sessions, mailed tokens, invitations, begun sign-ins and allowances that have ended.

use std::{sync::Arc, time::Duration};

use leadflow_kernel::Clock;
use leadflow_platform::Shutdown;
use sqlx::PgPool;

use crate::store::cleanup;

/// What has ended is refused wherever it is shown; this only keeps the tables small.
const EVERY: Duration = Duration::from_secs(300);

/// Works until `shutdown`.
pub async fn run(pool: PgPool, clock: Arc<dyn Clock>, shutdown: Shutdown) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = step(&pool, clock.as_ref()).await {
            tracing::warn!(%error, "what has ended could not be deleted; trying again later");
        }
    }
}

/// Deletes until nothing is left that has ended; returns how many rows they were.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn step(pool: &PgPool, clock: &dyn Clock) -> Result<u64, sqlx::Error> {
    let mut all = 0;
    loop {
        match cleanup::step(pool, clock.now()).await? {
            0 => return Ok(all),
            some => all += some,
        }
    }
}
