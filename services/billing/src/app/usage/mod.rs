//! What sellers pay for messages that were sent for them: counted as `usage.recorded` tells of them, posted at the end of
//! each month.

mod count;
mod post;
mod price;
mod report;
mod terms;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use chrono::TimeDelta;
use leadflow_billing_domain::{UnitCost, UsageKind};
use leadflow_kernel::{Clock, Currency};
use leadflow_platform::db::Tenants;
use sqlx::PgPool;
use tokio::sync::OnceCell;

pub use count::{SentUsage, Uncountable};
pub use report::UsageReport;
pub use terms::{UsageTerm, UsageTerms};

/// How long after its end a month is posted: what was sent at its end is counted by then.
pub const GRACE: TimeDelta = TimeDelta::days(1);

/// Counts and posts. Cheap to clone.
#[derive(Clone)]
pub struct Usage {
    pool: PgPool,
    tenants: Tenants,
    clock: Arc<dyn Clock>,
    costs: Arc<[UnitCost]>,
    costs_are_written: Arc<OnceCell<()>>,
    /// Of these it was told that they have no price.
    told: Arc<Mutex<BTreeSet<(Currency, UsageKind)>>>,
}

impl Usage {
    /// In the database of `pool`. `costs` are those of a unit, from now on.
    #[must_use]
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>, costs: &[UnitCost]) -> Self {
        let tenants = Tenants::new(pool.clone(), crate::TENANT_ROLE);
        Self { pool, tenants, clock, costs: costs.into(), costs_are_written: Arc::default(), told: Arc::default() }
    }
}
