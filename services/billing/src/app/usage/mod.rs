//! What sellers pay for messages that were sent for them: counted as `usage.recorded` tells of them, posted at the end of
//! each month.

mod count;
mod post;
mod report;
mod terms;

use std::sync::Arc;

use chrono::TimeDelta;
use leadflow_billing_domain::UsageKind;
use leadflow_kernel::Clock;
use leadflow_platform::db::Tenants;
use rust_decimal::Decimal;
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
    costs: Arc<[(UsageKind, Decimal)]>,
    costs_are_written: Arc<OnceCell<()>>,
}

impl Usage {
    /// In the database of `pool`. `costs` are those of a unit, in the platform's currency, from now on.
    #[must_use]
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>, costs: &[(UsageKind, Decimal)]) -> Self {
        let tenants = Tenants::new(pool.clone(), crate::TENANT_ROLE);
        Self { pool, tenants, clock, costs: costs.into(), costs_are_written: Arc::default() }
    }
}
