//! Partitions of leads, made before their month begins.

use super::{App, AppError};
use crate::store::months;

/// Months that have their partition ahead, beside the current one.
const AHEAD: i32 = 3;
/// Counted at most: that there are any is what matters.
const COUNTED: i64 = 10_000;

impl App {
    /// Makes the partitions that are missing for this month and the next three. Returns how many were made. Any number of replicas may do
    /// this at once.
    ///
    /// # Errors
    /// Those of PostgreSQL; nothing was made then.
    pub async fn make_months(&self) -> Result<i32, AppError> {
        let made = months::make(&self.pool, self.clock.now(), AHEAD).await?;
        if made > 0 {
            tracing::info!(made, "partitions of leads were made");
        }
        let outside = months::outside(&self.pool, COUNTED).await?;
        if outside > 0 {
            tracing::warn!(
                leads = outside,
                "leads were received in months that have no partition; see \"Data by month\" in docs/operations.md"
            );
        }
        Ok(made)
    }
}
