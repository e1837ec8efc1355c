//! Gives an endpoint a new secret, with a day in which the one before is good, too.

use leadflow_kernel::{BuyerId, EndpointId, SellerId};
use leadflow_notifier_domain::{OLD_SECRET_FOR, Secret};

use super::{
    Actor, AppError, EndpointView, Notifier,
    audit::{self, TRAIL},
};
use crate::{
    model::Endpoint,
    secrets::{Part, SecretKeys},
    store::endpoints,
};

impl Notifier {
    /// `given` is the new secret; empty: one is made. The same again changes nothing. Of two rotations within a day the first
    /// secret is good no more.
    ///
    /// # Errors
    /// [`AppError::Secret`], [`AppError::NotFound`].
    pub async fn rotate_endpoint_secret(
        &self,
        actor: Actor,
        seller: SellerId,
        buyer: BuyerId,
        id: EndpointId,
        given: &str,
    ) -> Result<EndpointView, AppError> {
        let secret = if given.is_empty() { SecretKeys::make()? } else { Secret::parse(given)? };
        let now = self.clock.now();
        let mut tx = self.tenants.begin(seller).await?;
        let old = endpoints::lock(&mut tx, seller, buyer, id).await?.filter(|endpoint| !endpoint.deleted);
        let old = old.ok_or(AppError::NotFound("endpoint"))?;
        let before = self.keys.open(id, &old.secret)?;
        if before == secret {
            return self.view(old);
        }
        let sealed = self.keys.seal_part(id, Part::OldSecret, before.text().as_bytes())?;
        let changed = Endpoint {
            secret: self.keys.seal(id, &secret)?,
            old_secret: Some((sealed, now + OLD_SECRET_FOR)),
            version: old.version + 1,
            ..old.clone()
        };
        endpoints::update(&mut tx, &changed, now).await?;
        TRAIL.write(&mut tx, Some(seller), now, audit::updated(actor, &old, &changed, &["secret"])).await?;
        tx.commit().await?;
        self.view(changed)
    }
}
