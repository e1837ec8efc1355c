//! Partitions of attempts: made before their month begins, and dropped when nobody asks for them any more.

use super::Notifier;
use crate::store::months;

/// Months that have their partition ahead, beside the current one.
const AHEAD: i32 = 3;

impl Notifier {
    /// Makes the partitions that are missing for this month and the next three, and drops those that ended `keep` months before this one (0: none).
    /// Returns how many were made and dropped. Any number of replicas may do this at once.
    ///
    /// # Errors
    /// Those of PostgreSQL; what was done stays done.
    pub async fn keep_months(&self, keep: u32) -> Result<(i32, i32), sqlx::Error> {
        let made = months::make(&self.pool, self.clock.now(), AHEAD).await?;
        let dropped = match keep {
            0 => 0,
            keep => months::drop_before(&self.pool, i32::try_from(keep).unwrap_or(i32::MAX)).await?,
        };
        if made > 0 || dropped > 0 {
            tracing::info!(made, dropped, "partitions of attempts were made or dropped");
        }
        Ok((made, dropped))
    }
}
