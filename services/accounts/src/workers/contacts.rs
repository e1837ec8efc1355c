//! Telling how buyers are reached who were there before that was told, or were changed by an older release.

use std::time::Duration;

use leadflow_platform::Shutdown;

use crate::app::{Accounts, AppError};

/// Every change is told as it is made; this is for what an older release does while it is being replaced.
const EVERY: Duration = Duration::from_hours(1);
const RETRY: Duration = Duration::from_secs(10);

/// Works until `shutdown`.
pub async fn run(accounts: Accounts, shutdown: Shutdown) {
    loop {
        let pause = match step(&accounts).await {
            Ok(()) => EVERY,
            Err(error) => {
                tracing::warn!(%error, "how buyers are reached could not be told; trying again");
                RETRY
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Tells until nothing is left that was not told.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn step(accounts: &Accounts) -> Result<(), AppError> {
    let mut after = None;
    while let Some(last) = accounts.tell_contacts(after).await? {
        after = Some(last);
    }
    Ok(())
}
