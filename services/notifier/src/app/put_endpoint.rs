//! Sets one of a buyer's webhooks.

use leadflow_kernel::{BuyerId, EndpointId, SellerId};
use leadflow_notifier_domain::{AnswerRules, BodyTemplate, Credentials, EventKind, Secret, sample};
use leadflow_platform::db::TenantTx;
use url::Url;

use super::{
    Actor, AppError, EndpointView, Notifier,
    audit::{self, TRAIL},
};
use crate::{
    model::Endpoint,
    secrets::SecretKeys,
    store::{buyers, endpoints},
};

/// Endpoints of one buyer.
pub const MAX_ENDPOINTS: i64 = 20;
/// Characters of a name.
const MAX_NAME: usize = 100;
/// Requests at once that an endpoint may ask for.
const MAX_CONCURRENCY: u32 = 1_000;

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
    /// What its owner calls it; `None`: as it is.
    pub name: Option<String>,
    /// What it is told of; `None`: as it is, or sales.
    pub events: Option<Vec<EventKind>>,
    /// Requests at once, 0: the service's limit; `None`: as it is.
    pub concurrency: Option<u32>,
    /// How it is called and understood; `None`: as it is.
    pub format: Option<Format>,
    /// The version that it was made for; 0: there is none yet. `None`: whatever there is.
    pub expected: Option<u64>,
    /// One with this id that was deleted stays so.
    pub keep_deleted: bool,
}

/// How an endpoint is called and understood.
#[derive(Debug, Clone, Default)]
pub struct Format {
    /// Headers and credentials; what is hidden stays.
    pub credentials: Credentials,
    /// `None`: the usual body.
    pub body: Option<BodyTemplate>,
    /// How its answers are read; `None`: by their status alone.
    pub rules: Option<AnswerRules>,
}

impl Notifier {
    /// Creates an endpoint of the buyer's, or changes the one with this id. Switching on, or another URL, forgets earlier
    /// failures. What is secret is encrypted under the newest key each time.
    ///
    /// # Errors
    /// What is refused of it; [`AppError::NotFound`] for another tenant's buyer;
    /// [`AppError::EndpointExists`]; [`AppError::ChangedMeanwhile`], unless it is as wished already.
    pub async fn put_endpoint(
        &self,
        actor: Actor,
        seller: SellerId,
        put: PutEndpoint,
    ) -> Result<EndpointView, AppError> {
        let given = if put.secret.is_empty() { None } else { Some(Secret::parse(&put.secret)?) };
        self.check(&put)?;
        self.client.check_url(&put.url).await?;
        // The directory may lag: an unknown buyer passes. What is stored is the caller's tenant's in
        // any case, and only that tenant's sales are ever sent to it. (Asked beside the tenant's transaction, which
        // would not see another one's buyer.)
        if buyers::tenant_of(&mut *self.pool.acquire().await?, put.buyer).await?.is_some_and(|tenant| tenant != seller)
        {
            return Err(AppError::NotFound("buyer"));
        }
        let mut tx = self.tenants.begin(seller).await?;
        let view = match endpoints::lock(&mut tx, seller, put.buyer, put.id).await? {
            Some(old) if old.deleted && put.keep_deleted => return Err(AppError::EndpointDeleted),
            Some(old) if !old.deleted => self.change(&mut tx, actor, &old, put, given).await?,
            old => match self.create(&mut tx, actor, seller, &put, given.clone(), old).await? {
                Some(view) => view,
                // Somebody made it at this moment.
                None => {
                    let old = endpoints::lock(&mut tx, seller, put.buyer, put.id).await?;
                    let old = old.filter(|old| !old.deleted).ok_or(AppError::EndpointExists)?;
                    self.change(&mut tx, actor, &old, put, given).await?
                }
            },
        };
        tx.commit().await?;
        Ok(view)
    }

    /// What can be said without knowing what there is.
    fn check(&self, put: &PutEndpoint) -> Result<(), AppError> {
        if let Some(name) = &put.name
            && (name.chars().count() > MAX_NAME || name.chars().any(char::is_control))
        {
            return Err(AppError::Field("name", "must be at most 100 characters, all printable"));
        }
        if put.events.as_ref().is_some_and(Vec::is_empty) {
            return Err(AppError::Field("events", "must name at least one"));
        }
        if put.concurrency.is_some_and(|requests| requests > MAX_CONCURRENCY) {
            return Err(AppError::Field("concurrency", "must be at most 1000"));
        }
        let Some(format) = &put.format else { return Ok(()) };
        if let Some(rules) = &format.rules {
            rules.check()?;
        }
        if let Some(body) = &format.body {
            let usual = sample(
                put.buyer,
                leadflow_kernel::LeadId::new(),
                leadflow_kernel::AssignmentId::new(),
                self.clock.now(),
            );
            body.check(&usual.map_err(|error| AppError::Sample(error.to_string()))?)?;
        }
        Ok(())
    }

    /// Makes it, or makes a deleted one anew; `None` when its id is taken.
    async fn create(
        &self,
        tx: &mut TenantTx,
        actor: Actor,
        seller: SellerId,
        put: &PutEndpoint,
        given: Option<Secret>,
        deleted: Option<Endpoint>,
    ) -> Result<Option<EndpointView>, AppError> {
        if put.expected.is_some_and(|expected| expected > 0) {
            return Err(AppError::NotFound("endpoint"));
        }
        let now = self.clock.now();
        let secret = given.map_or_else(SecretKeys::make, Ok)?;
        let format = put.format.clone().unwrap_or_default();
        let credentials = format.credentials.filled(&Credentials::default())?;
        let new = Endpoint {
            id: put.id,
            seller,
            buyer: put.buyer,
            url: put.url.clone(),
            secret: self.keys.seal(put.id, &secret)?,
            enabled: put.enabled,
            disabled_reason: String::new(),
            failing_since: None,
            version: deleted.as_ref().map_or(1, |deleted| deleted.version + 1),
            rules: format.rules,
            credentials: self.keys.seal_credentials(put.id, &credentials)?,
            body: format.body,
            name: put.name.clone().unwrap_or_default(),
            events: sorted(put.events.clone().unwrap_or_else(|| vec![EventKind::LeadAssigned])),
            concurrency: put.concurrency.unwrap_or(0),
            old_secret: None,
            deleted: false,
        };
        let others = endpoints::count_alone(tx, seller, put.buyer).await?;
        if deleted.is_some() {
            endpoints::update(tx, &new, now).await?;
        } else if !endpoints::insert(tx, &new, now).await? {
            return Ok(None);
        }
        if others >= MAX_ENDPOINTS {
            return Err(AppError::TooManyEndpoints);
        }
        TRAIL.write(tx, Some(seller), now, audit::created(actor, &new)).await?;
        Ok(Some(EndpointView { endpoint: new, secret, credentials: credentials.hidden() }))
    }

    async fn change(
        &self,
        tx: &mut TenantTx,
        actor: Actor,
        old: &Endpoint,
        put: PutEndpoint,
        given: Option<Secret>,
    ) -> Result<EndpointView, AppError> {
        let now = self.clock.now();
        let old_secret = self.keys.open(old.id, &old.secret);
        let secret = match given {
            Some(secret) => secret,
            None => old_secret.clone()?,
        };
        let same_secret = old_secret.is_ok_and(|old| old == secret);
        let known = self.keys.open_credentials(old.id, old.credentials.as_ref());
        let elsewhere = place(&old.url) != place(&put.url);
        let (credentials, body, rules) = match put.format {
            Some(format) => {
                // What is given for one host is not sent to another by somebody who does not know it.
                if elsewhere && format.credentials.keeps_some() {
                    return Err(AppError::CredentialsNeeded);
                }
                let stored = if format.credentials.keeps_some() { known.clone()? } else { Credentials::default() };
                (format.credentials.filled(&stored)?, format.body, format.rules)
            }
            None if elsewhere && old.credentials.is_some() => return Err(AppError::CredentialsNeeded),
            None => (known.clone()?, old.body.clone(), old.rules.clone()),
        };
        let events = put.events.map_or_else(|| old.events.clone(), sorted);
        let (name, concurrency) =
            (put.name.unwrap_or_else(|| old.name.clone()), put.concurrency.unwrap_or(old.concurrency));
        let what: Vec<_> = [
            ("url", old.url != put.url),
            ("enabled", old.enabled != put.enabled),
            ("name", old.name != name),
            ("events", old.events != events),
            ("concurrency", old.concurrency != concurrency),
            ("credentials", known.is_err() || known.is_ok_and(|known| known != credentials)),
            ("body", old.body != body),
            ("answer", old.rules != rules),
            ("secret", !same_secret),
        ]
        .into_iter()
        .filter_map(|(name, changed)| changed.then_some(name))
        .collect();
        if !what.is_empty() && put.expected.is_some_and(|expected| expected != old.version) {
            return Err(AppError::ChangedMeanwhile);
        }
        let same_target = old.url == put.url && old.enabled;
        let changed = Endpoint {
            id: old.id,
            seller: old.seller,
            buyer: old.buyer,
            secret: self.keys.seal(old.id, &secret)?,
            failing_since: old.failing_since.filter(|_| same_target),
            disabled_reason: if put.enabled { String::new() } else { old.disabled_reason.clone() },
            version: old.version + u64::from(!what.is_empty()),
            url: put.url,
            enabled: put.enabled,
            rules,
            credentials: self.keys.seal_credentials(old.id, &credentials)?,
            body,
            name,
            events,
            concurrency,
            // Whoever sets another one does not want the one before to be good any more.
            old_secret: old.old_secret.clone().filter(|_| same_secret),
            deleted: false,
        };
        endpoints::update(tx, &changed, now).await?;
        if !what.is_empty() {
            TRAIL.write(tx, Some(old.seller), now, audit::updated(actor, old, &changed, &what)).await?;
        }
        Ok(EndpointView { endpoint: changed, secret, credentials: credentials.hidden() })
    }
}

fn sorted(mut events: Vec<EventKind>) -> Vec<EventKind> {
    events.sort_unstable();
    events.dedup();
    events
}

/// Scheme, host and port.
fn place(url: &str) -> Option<url::Origin> {
    Url::parse(url).ok().map(|url| url.origin())
}
