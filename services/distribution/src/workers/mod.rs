//! Loops around the use cases that nobody asks for. Each step is safe on any number of replicas.

use std::time::Duration;

use leadflow_kernel::Backoff;
use leadflow_platform::Shutdown;
use tokio::sync::Notify;

use crate::app::{App, AppError};

/// How often to look for campaigns marked by other replicas.
const RETRY_EVERY: Duration = Duration::from_secs(1);
const EXPIRY_EVERY: Duration = Duration::from_secs(5);
const RETENTION_EVERY: Duration = Duration::from_secs(30);
const ERASURES_EVERY: Duration = Duration::from_secs(1);
const DAYS_EVERY: Duration = Duration::from_secs(10);
/// Partitions are made months ahead: a day that is missed is no harm.
const MONTHS_EVERY: Duration = Duration::from_secs(12 * 3600);
const FAILED: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));

/// Sells what can be sold by now, as soon as something marks it.
pub async fn retry(app: App, shutdown: Shutdown) {
    let wanted = app.retry_wanted();
    let step = || {
        let app = app.clone();
        async move { app.retry_unsold().await }
    };
    repeat("retry of unsold leads", RETRY_EVERY, Some(&wanted), &shutdown, step).await;
}

/// Ends leads whose time is up.
pub async fn expiry(app: App, shutdown: Shutdown) {
    let step = || {
        let app = app.clone();
        async move { Ok(app.expire_unsold().await? > 0) }
    };
    repeat("expiry of unsold leads", EXPIRY_EVERY, None, &shutdown, step).await;
}

/// Masks leads that were kept as long as their tenant wants.
pub async fn retention(app: App, shutdown: Shutdown) {
    let step = || {
        let app = app.clone();
        async move { app.keep_no_longer().await }
    };
    repeat("masking of old leads", RETENTION_EVERY, None, &shutdown, step).await;
}

/// Removes data of persons, as soon as somebody asks for it.
pub async fn erasures(app: App, shutdown: Shutdown) {
    let wanted = app.erasure_wanted();
    let step = || {
        let app = app.clone();
        async move { app.erase().await }
    };
    repeat("erasures of persons", ERASURES_EVERY, Some(&wanted), &shutdown, step).await;
}

/// Notices that a tenant's day has begun.
pub async fn new_days(app: App, shutdown: Shutdown) {
    let step = || {
        let app = app.clone();
        async move { app.begin_days().await.map(|_| false) }
    };
    repeat("new days", DAYS_EVERY, None, &shutdown, step).await;
}

/// Makes partitions of leads before their month begins.
pub async fn months(app: App, shutdown: Shutdown) {
    let step = || {
        let app = app.clone();
        async move { app.make_months().await.map(|_| false) }
    };
    repeat("partitions by month", MONTHS_EVERY, None, &shutdown, step).await;
}

/// Looks at everything for sale now and then.
pub async fn everything(app: App, every: Duration, shutdown: Shutdown) {
    let step = || {
        let app = app.clone();
        async move { app.retry_everything().await.map(|_| false) }
    };
    repeat("retry of everything", every, None, &shutdown, step).await;
}

/// Steps until `shutdown`: at once again while there is more, else when woken or after `every`.
async fn repeat<F: Future<Output = Result<bool, AppError>>>(
    what: &'static str,
    every: Duration,
    wake: Option<&Notify>,
    shutdown: &Shutdown,
    step: impl Fn() -> F,
) {
    let mut failures = 0_u32;
    while !shutdown.is_cancelled() {
        let pause = match step().await {
            Ok(true) => {
                failures = 0;
                continue;
            }
            Ok(false) => {
                failures = 0;
                every
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                tracing::warn!(worker = what, failures, error = %anyhow::Error::from(error), "worker failed");
                FAILED.delay(failures, rand::random())
            }
        };
        let woken = async {
            match wake {
                // After a failure only time helps.
                Some(wake) if failures == 0 => wake.notified().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = woken => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
