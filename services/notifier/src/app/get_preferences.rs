//! What a buyer wants to be told, and where he cannot be reached.

use leadflow_kernel::{BuyerId, SellerId};
use leadflow_notifier_domain::Preferences;

use super::{AppError, Notifier};
use crate::store::{
    buyers,
    dead_addresses::{self, Unreachable},
    preferences,
};

/// A buyer's preferences, and what keeps them from being followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreferencesView {
    /// What he wants.
    pub preferences: Preferences,
    /// Where he is not reached, whatever he wants.
    pub unreachable: Unreachable,
}

impl Notifier {
    /// A buyer's preferences; whoever said nothing has the usual ones.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a buyer of another tenant.
    pub async fn get_preferences(&self, seller: SellerId, buyer: BuyerId) -> Result<PreferencesView, AppError> {
        // The directory may lag: a buyer not heard of yet said nothing. (Asked beside the tenant's transaction, which would
        // not see another one's.)
        let tenant = buyers::tenant_of(&mut *self.pool.acquire().await?, buyer).await?;
        if tenant.is_some_and(|tenant| tenant != seller) {
            return Err(AppError::NotFound("buyer"));
        }
        let mut tx = self.tenants.begin(seller).await?;
        let preferences = preferences::find(&mut tx, seller, buyer).await?.unwrap_or_default();
        drop(tx);
        self.preferences_view(buyer, preferences).await
    }

    pub(super) async fn preferences_view(
        &self,
        buyer: BuyerId,
        preferences: Preferences,
    ) -> Result<PreferencesView, AppError> {
        // An address is dead for all who have it, whose tenant they are, so it is asked beside the tenant's transaction.
        let unreachable = dead_addresses::of(&mut *self.pool.acquire().await?, buyer).await?;
        Ok(PreferencesView { preferences, unreachable })
    }
}
