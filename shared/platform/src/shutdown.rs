//! Stopping without losing anything: what everything listens to.

use std::{ops::Deref, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled when the process (or the one service) shall stop: take no new work, finish what is at
/// hand, return. Clones are one.
///
/// Before that, for a while, a process may be [leaving](Self::leaving): it works as always, and those who send it requests are told to go
/// elsewhere. Otherwise a request that is on its way when the process stops is lost, however well it stops.
#[derive(Debug, Clone)]
pub struct Shutdown {
    now: CancellationToken,
    leaving: CancellationToken,
}

impl Shutdown {
    /// Not cancelled.
    #[must_use]
    pub fn new() -> Self {
        CancellationToken::new().into()
    }

    /// Cancelled when others shall send their requests elsewhere: some time before the stop, or with it.
    #[must_use]
    pub const fn leaving(&self) -> &CancellationToken {
        &self.leaving
    }

    /// Begins to leave. Whoever says so stops later.
    pub fn leave(&self) {
        self.leaving.cancel();
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl From<CancellationToken> for Shutdown {
    fn from(now: CancellationToken) -> Self {
        // Who stops has left.
        let leaving = now.child_token();
        Self { now, leaving }
    }
}

impl Deref for Shutdown {
    type Target = CancellationToken;

    fn deref(&self) -> &CancellationToken {
        &self.now
    }
}

impl From<Shutdown> for CancellationToken {
    fn from(shutdown: Shutdown) -> Self {
        shutdown.now
    }
}

/// Leaves by SIGTERM and stops `delay` later, which is how long balancers, proxies and the other services may take to notice. SIGINT stops at
/// once, and so does a second signal: a person waits.
///
/// # Errors
/// When the signal handlers cannot be installed.
pub fn on_signal(delay: Duration) -> std::io::Result<Shutdown> {
    let shutdown = Shutdown::new();
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let told = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {
                tracing::info!("SIGTERM: stopping in {} s", delay.as_secs());
                told.leave();
                tokio::select! {
                    () = tokio::time::sleep(delay) => {}
                    _ = term.recv() => {}
                    _ = int.recv() => {}
                }
                tracing::info!("stopping");
            }
            _ = int.recv() => tracing::info!("SIGINT: stopping"),
        }
        told.cancel();
    });
    Ok(shutdown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_has_not_stopped_and_who_stops_has_left() {
        let one = Shutdown::new();
        one.clone().leave();
        assert!(one.leaving().is_cancelled() && !one.is_cancelled());
        let other = Shutdown::new();
        CancellationToken::from(other.clone()).cancel();
        assert!(other.leaving().is_cancelled() && other.is_cancelled());
    }
}
