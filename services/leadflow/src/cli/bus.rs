//! The connection that commands for operators use.

use std::time::Duration;

use leadflow_messaging::{Bus, BusSettings};
use leadflow_platform::settings;

/// Connects to `NATS_URL`, or to what `leadflow up` started here.
///
/// # Errors
/// When NATS cannot be reached within three seconds; the text names the setting.
pub(super) async fn connect() -> anyhow::Result<Bus> {
    let mut env = crate::local::environment::env()?;
    let url = settings::nats_url(&mut env);
    env.finish()?;
    let settings = BusSettings { url, source: "operator".to_owned(), connect_within: Duration::from_secs(3) };
    Ok(Bus::connect(&settings).await?)
}
