//! What a process tells of itself: its metrics, and whether each of its roles is ready.

use std::{net::IpAddr, time::Duration};

use leadflow_platform::{Shutdown, metrics, telemetry::Telemetry};

use crate::{
    local::probe::{Readiness, readiness_at},
    role::Role,
};

/// How often a role is asked whether it is ready.
const EVERY: Duration = Duration::from_secs(5);

/// Serves `/metrics` on `port` of `address`, if there is something to show, until `shutdown`. A port that cannot be had is said and
/// stops nothing: leads are worth more than their numbers.
pub async fn serve_metrics(telemetry: &Telemetry, address: IpAddr, port: Option<u16>, shutdown: &Shutdown) {
    let (Some(registry), Some(port)) = (telemetry.registry().cloned(), port) else { return };
    let listener = match metrics::bind(address, port).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "metrics are not served");
            return;
        }
    };
    let stop = shutdown.clone();
    tokio::spawn(async move {
        if let Err(error) = metrics::serve(listener, registry, stop).await {
            tracing::error!(%error, "metrics are no longer served");
        }
    });
    let build = metrics::gauge("leadflow.build", "", "1; the version is in the label");
    build.record(1.0, &[metrics::KeyValue::new("version", env!("CARGO_PKG_VERSION"))]);
}

/// Tells now and then whether `role`, whose HTTP is on `port` of `address`, says that it is ready, until `shutdown`.
pub async fn watch_readiness(role: Role, address: IpAddr, port: u16, shutdown: Shutdown) {
    let ready = metrics::gauge("leadflow.ready", "", "whether a role can do its work: 1 or 0");
    let label = [metrics::KeyValue::new("role", role.name())];
    let address = if address.is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { address };
    while !shutdown.is_cancelled() {
        let is_ready = readiness_at(address, port).await == Readiness::Ready;
        ready.record(if is_ready { 1.0 } else { 0.0 }, &label);
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
