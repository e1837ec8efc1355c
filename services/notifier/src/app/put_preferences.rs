//! A buyer wants to be told otherwise.

use leadflow_kernel::{BuyerId, SellerId};
use leadflow_notifier_domain::{Preferences, PreferencesChange};

use super::{
    Actor, AppError, Notifier, PreferencesView,
    audit::{self, TRAIL},
};
use crate::store::preferences;

impl Notifier {
    /// Changes a buyer's preferences, if they are of the `expected` version (0: never set). What changes nothing is not
    /// counted.
    ///
    /// # Errors
    /// [`AppError::NotFound`] for a buyer of another tenant, or one not heard of yet; [`AppError::Preferences`];
    /// [`AppError::ChangedMeanwhile`].
    pub async fn put_preferences(
        &self,
        actor: Actor,
        seller: SellerId,
        buyer: BuyerId,
        change: PreferencesChange,
        expected: Option<u64>,
    ) -> Result<PreferencesView, AppError> {
        let preferences =
            self.change_preferences(actor, seller, buyer, "preferences.updated", change, expected).await?;
        self.preferences_view(buyer, preferences).await
    }

    /// The preferences after `change`, which is written down as `action`.
    pub(super) async fn change_preferences(
        &self,
        actor: Actor,
        seller: SellerId,
        buyer: BuyerId,
        action: &'static str,
        change: PreferencesChange,
        expected: Option<u64>,
    ) -> Result<Preferences, AppError> {
        let now = self.clock.now();
        let mut tx = self.tenants.begin(seller).await?;
        let phone = preferences::phone_of(&mut tx, seller, buyer).await?.ok_or(AppError::NotFound("buyer"))?;
        let known = preferences::lock(&mut tx, seller, buyer, now).await?.ok_or(AppError::NotFound("buyer"))?;
        let Some(next) = known.changed(change, !phone.is_empty(), now)? else {
            // What was only written down to be locked goes again.
            return Ok(known);
        };
        if expected.is_some_and(|expected| expected != known.version) {
            return Err(AppError::ChangedMeanwhile);
        }
        preferences::update(&mut tx, seller, buyer, &next, now).await?;
        let noted = audit::preferences(action, actor, buyer, &known, &next);
        TRAIL.write(&mut tx, Some(seller), now, noted).await?;
        tx.commit().await?;
        Ok(next)
    }
}
