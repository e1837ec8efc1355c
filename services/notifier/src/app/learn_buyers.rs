//! The directory tells whose buyers there are.

use leadflow_kernel::{BuyerId, SellerId};

use super::Notifier;
use crate::store::buyers;

impl Notifier {
    /// Remembers buyers' tenants. Repeats change nothing, so no inbox is needed.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn learn_buyers(&self, told: &[(BuyerId, SellerId)]) -> Result<(), sqlx::Error> {
        buyers::remember(&mut *self.pool.acquire().await?, told).await
    }
}
