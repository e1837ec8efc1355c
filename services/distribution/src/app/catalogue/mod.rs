//! Questions about what is set up, leads and what was sold.

mod campaigns;
mod categories;
mod leads;
mod purchases;
mod returns;
mod sums;

use std::{sync::Arc, time::Duration};

use leadflow_distribution_domain::ask::Page;
use leadflow_kernel::Clock;
use leadflow_platform::db::{self, DbSettings, Tenants};
use sqlx::PgPool;

use super::AppError;
use crate::store::catalogue::MAX_COUNTED;

pub use campaigns::{CampaignPage, Shown};
pub use leads::LeadPage;
pub use purchases::PurchasePage;
pub use returns::ReturnPage;
pub use sums::{Days, SUMS, Sums};

/// Connections for questions: deciding leads has its own, so a long report does not keep it waiting.
const CONNECTIONS: u32 = 4;
/// A question that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(8);

/// Answers questions. Cheap to clone.
#[derive(Clone)]
pub struct Catalogue {
    tenants: Tenants,
    /// Only to be closed: every question is one tenant's.
    connections: PgPool,
    clock: Arc<dyn Clock>,
}

impl Catalogue {
    /// Reads the tables that `database` names, over connections of its own. Connects when first asked.
    ///
    /// # Errors
    /// When the database's URL cannot be read.
    pub fn connect(database: &DbSettings, clock: Arc<dyn Clock>) -> Result<Self, sqlx::Error> {
        let settings = DbSettings {
            max_connections: CONNECTIONS.min(database.max_connections),
            application: "leadflow-catalogue",
            ..database.clone()
        };
        let patience = PATIENCE.as_millis().to_string();
        let pool = db::connect_tuned(
            &settings,
            &[
                // Which filters are given decides what is the best way.
                ("plan_cache_mode", "force_custom_plan"),
                ("statement_timeout", &patience),
                ("jit", "off"),
                // The processors are for leads; a report may take a little longer.
                ("max_parallel_workers_per_gather", "0"),
            ],
        )?;
        Ok(Self { tenants: Tenants::new(pool.clone(), crate::TENANT_ROLE), connections: pool, clock })
    }

    /// Closes its connections.
    pub async fn close(&self) {
        self.connections.close().await;
    }
}

/// The length of a list of which one page was found, if need be from `count`.
async fn total(
    page: Page,
    found: usize,
    count: impl Future<Output = Result<i64, sqlx::Error>>,
) -> Result<u64, AppError> {
    if let Some(total) = page.total(found) {
        return Ok(total);
    }
    let counted = count.await?.clamp(0, MAX_COUNTED);
    // Between the two a row may have come, but what was found is there.
    let at_least = if found == 0 { 0 } else { u64::from(page.offset) + u64::try_from(found).unwrap_or(0) };
    Ok(u64::try_from(counted).unwrap_or(0).max(at_least))
}
