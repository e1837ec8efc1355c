//! Sets a buyer's webhook.

use leadflow_kernel::{BuyerId, EndpointId, SellerId};
use leadflow_notifier_domain::Secret;

use super::{AppError, EndpointView, Notifier};
use crate::{
    model::Endpoint,
    secrets::SecretKeys,
    store::{buyers, endpoints},
};

/// What a buyer's webhook shall be.
#[derive(Debug, Clone)]
pub struct PutEndpoint {
    /// Made by the caller; the same again is the same request.
    pub id: EndpointId,
    /// Whose.
    pub buyer: BuyerId,
    /// Where to.
    pub url: String,
    /// Empty: the one there is, or a new one.
    pub secret: String,
    /// In use.
    pub enabled: bool,
}

impl Notifier {
    /// Creates the buyer's endpoint, or changes it if it is there with this id. Switching on, or
    /// another URL, forgets earlier failures. The secret is renewed under the newest key each time.
    ///
    /// # Errors
    /// A refused URL or secret; [`AppError::NotFound`] for another tenant's buyer;
    /// [`AppError::EndpointExists`].
    pub async fn put_endpoint(&self, seller: SellerId, put: PutEndpoint) -> Result<EndpointView, AppError> {
        let given = if put.secret.is_empty() { None } else { Some(Secret::parse(&put.secret)?) };
        self.client.check_url(&put.url).await?;
        let now = self.clock.now();
        // The directory may lag: an unknown buyer passes. What is stored is the caller's tenant's in
        // any case, and only that tenant's sales are ever sent to it. (Asked beside the tenant's transaction, which
        // would not see another one's buyer.)
        if buyers::tenant_of(&mut *self.pool.acquire().await?, put.buyer).await?.is_some_and(|tenant| tenant != seller)
        {
            return Err(AppError::NotFound("buyer"));
        }
        let mut transaction = self.tenants.begin(seller).await?;
        let new_secret = match &given {
            Some(secret) => secret.clone(),
            None => SecretKeys::make()?,
        };
        let new = Endpoint {
            id: put.id,
            seller,
            buyer: put.buyer,
            url: put.url,
            secret: self.keys.seal(put.id, &new_secret)?,
            enabled: put.enabled,
            disabled_reason: String::new(),
            failing_since: None,
        };
        if endpoints::insert(&mut transaction, &new, now).await? {
            transaction.commit().await?;
            return Ok(EndpointView { endpoint: new, secret: new_secret });
        }
        let old = endpoints::lock(&mut transaction, seller, put.buyer).await?.filter(|old| old.id == put.id);
        let old = old.ok_or(AppError::EndpointExists)?;
        let secret = match given {
            Some(secret) => secret,
            None => self.keys.open(old.id, &old.secret)?,
        };
        let same_target = old.url == new.url && old.enabled;
        let changed = Endpoint {
            secret: self.keys.seal(old.id, &secret)?,
            failing_since: old.failing_since.filter(|_| same_target),
            disabled_reason: if new.enabled { String::new() } else { old.disabled_reason },
            ..new
        };
        endpoints::update(&mut transaction, &changed, now).await?;
        transaction.commit().await?;
        Ok(EndpointView { endpoint: changed, secret })
    }
}
