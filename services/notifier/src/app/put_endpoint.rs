//! Sets a buyer's webhook.

use leadflow_kernel::{BuyerId, EndpointId, SellerId};
use leadflow_notifier_domain::Secret;

use super::{
    Actor, AppError, EndpointView, Notifier,
    audit::{self, TRAIL},
};
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
    /// The version that it was made for; 0: there is none yet. `None`: whatever there is.
    pub expected: Option<u64>,
}

impl Notifier {
    /// Creates the buyer's endpoint, or changes it if it is there with this id. Switching on, or
    /// another URL, forgets earlier failures. The secret is renewed under the newest key each time.
    ///
    /// # Errors
    /// A refused URL or secret; [`AppError::NotFound`] for another tenant's buyer;
    /// [`AppError::EndpointExists`]; [`AppError::ChangedMeanwhile`], unless it is as wished already.
    pub async fn put_endpoint(
        &self,
        actor: Actor,
        seller: SellerId,
        put: PutEndpoint,
    ) -> Result<EndpointView, AppError> {
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
            version: 1,
        };
        if put.expected.is_none_or(|expected| expected == 0) && endpoints::insert(&mut transaction, &new, now).await? {
            TRAIL.write(&mut transaction, Some(seller), now, audit::created(actor, &new)).await?;
            transaction.commit().await?;
            return Ok(EndpointView { endpoint: new, secret: new_secret });
        }
        let old = endpoints::lock(&mut transaction, seller, put.buyer).await?;
        if old.is_none() && put.expected.is_some_and(|expected| expected > 0) {
            return Err(AppError::NotFound("endpoint"));
        }
        let old = old.filter(|old| old.id == put.id).ok_or(AppError::EndpointExists)?;
        let old_secret = self.keys.open(old.id, &old.secret);
        let secret = match given {
            Some(secret) => secret,
            None => old_secret.clone()?,
        };
        let what: Vec<_> = [
            ("url", old.url != new.url),
            ("enabled", old.enabled != new.enabled),
            ("secret", old_secret.is_err() || old_secret.is_ok_and(|old| old != secret)),
        ]
        .into_iter()
        .filter_map(|(name, changed)| changed.then_some(name))
        .collect();
        if !what.is_empty() && put.expected.is_some_and(|expected| expected != old.version) {
            return Err(AppError::ChangedMeanwhile);
        }
        let same_target = old.url == new.url && old.enabled;
        let changed = Endpoint {
            secret: self.keys.seal(old.id, &secret)?,
            failing_since: old.failing_since.filter(|_| same_target),
            disabled_reason: if new.enabled { String::new() } else { old.disabled_reason.clone() },
            version: old.version + u64::from(!what.is_empty()),
            ..new
        };
        endpoints::update(&mut transaction, &changed, now).await?;
        if !what.is_empty() {
            TRAIL.write(&mut transaction, Some(seller), now, audit::updated(actor, &old, &changed, &what)).await?;
        }
        transaction.commit().await?;
        Ok(EndpointView { endpoint: changed, secret })
    }
}
