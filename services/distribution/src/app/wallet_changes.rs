//! A buyer has money, or other limits: leads that wait for it may sell now.

use leadflow_kernel::BuyerId;

use super::{App, AppError};
use crate::store::projections;

impl App {
    /// Asks for another look at the unsold leads of the campaigns these buyers subscribe to. Doing
    /// it twice does no harm, so no event needs to be remembered.
    ///
    /// Campaigns are marked whether or not they have unsold leads at the moment: a lead whose hold
    /// was refused before the change may only be written after this.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn wallets_changed(&self, buyers: &[BuyerId]) -> Result<(), AppError> {
        let mut transaction = self.pool.begin().await?;
        let campaigns = projections::campaigns_of(&mut transaction, &[], buyers).await?;
        self.look_again(&mut transaction, &campaigns).await?;
        transaction.commit().await?;
        self.retry_wanted.notify_one();
        Ok(())
    }
}
