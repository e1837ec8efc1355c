//! Card payments.

use leadflow_billing::app::provider_events::GivenUpEvents;
use leadflow_platform::{
    db::{self, DbSettings},
    settings,
};

use super::{Check, Known, PATIENCE};
use crate::local::environment;

const WHAT: &str = "card payments";

/// Whether webhooks of the payment provider were given up. A database that is away, or has no such table, was told of already.
pub(super) async fn look(known: &Known, checks: &mut Vec<Check>) {
    let mut env = environment::env_of(&known.merged);
    let database = settings::database(&mut env, "BILLING_DATABASE_URL", leadflow_billing::ROLE, "leadflow-doctor");
    if env.finish().is_err() {
        return;
    }
    let Ok(pool) = db::connect(&DbSettings { max_connections: 1, ..database }) else { return };
    let count = tokio::time::timeout(PATIENCE, GivenUpEvents::new(pool.clone()).count()).await;
    pool.close().await;
    let Ok(Ok(count)) = count else { return };
    checks.push(if count == 0 {
        Check::good(WHAT, "every webhook of the payment provider was worked off or is being tried")
    } else {
        let found = if count == 1 {
            "one webhook of the payment provider was given up".to_owned()
        } else {
            format!("{count} webhooks of the payment provider were given up")
        };
        Check::warning(WHAT, found, "leadflow provider-events list says why; then leadflow provider-events retry --all")
    });
}
