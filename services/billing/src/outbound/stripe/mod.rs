//! Stripe, with the client of async-stripe.
//!
//! Whatever changes something carries an idempotency key of ours, and a call is made once: asking again is decided by
//! whoever knows what the answer is needed for. The library's own strategies make keys up, so they are not used.

mod amounts;
mod calls;
mod convert;
mod errors;
mod movements;
mod records;
mod settings;
mod signature;

use leadflow_kernel::PaymentId;
use stripe::{Client, ClientBuilder, IdempotencyKey, RequestStrategy};

pub use settings::StripeSettings;
pub use signature::{Signatures, WebhookRefusal};

use self::errors::{Failure, refused};
use super::provider::{
    Charge, Intent, MovementPage, NewCustomer, PaymentProvider, ProviderCard, ProviderError, ProviderRefund,
    RefundOrder,
};

/// Stripe, as one account.
#[derive(Clone)]
pub struct Stripe {
    client: Client,
}

impl Stripe {
    /// The account of `secret_key`.
    ///
    /// # Errors
    /// When the key or the address cannot be used; in words, without them.
    pub fn new(secret_key: &str, settings: &StripeSettings) -> Result<Self, String> {
        let client = ClientBuilder::new(secret_key)
            // The library appends "v1/…".
            .url(format!("{}/", settings.api_base.trim_end_matches('/')))
            .timeout(settings.timeout)
            .request_strategy(RequestStrategy::Once)
            .build()
            .map_err(|_| "STRIPE_SECRET_KEY or STRIPE_API_BASE cannot be used".to_owned())?;
        Ok(Self { client })
    }
}

/// One attempt, with this key.
fn once(key: &str) -> Result<RequestStrategy, Failure> {
    let key =
        IdempotencyKey::new(key).map_err(|error| Failure::Other(refused("idempotency_key", error.to_string())))?;
    Ok(RequestStrategy::Idempotent(key))
}

/// An id that goes into a path: nothing else does.
fn path_id(id: &str) -> Result<&str, Failure> {
    let plain = id.len() <= 255 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain && !id.is_empty() { Ok(id) } else { Err(Failure::Missing) }
}

#[async_trait::async_trait]
impl PaymentProvider for Stripe {
    async fn create_customer(&self, new: &NewCustomer) -> Result<String, ProviderError> {
        Ok(self.make_customer(new).await?)
    }

    async fn create_setup_intent(&self, customer: &str) -> Result<String, ProviderError> {
        Ok(self.make_setup_intent(customer).await?)
    }

    async fn attach_card(&self, customer: &str, payment_method: &str) -> Result<ProviderCard, ProviderError> {
        Ok(self.attach(customer, payment_method).await?)
    }

    async fn detach_card(&self, payment_method: &str) -> Result<(), ProviderError> {
        Ok(self.detach(payment_method).await?)
    }

    async fn charge(&self, charge: &Charge) -> Result<Intent, ProviderError> {
        match self.confirm(charge).await {
            Ok(intent) => Ok(intent),
            Err(Failure::Card(error)) => match convert::declined(&error) {
                Some(Ok(intent)) => Ok(intent),
                // The card was refused before there was a charge, or the charge in the error cannot be read.
                _ => match self.search(&charge.customer, charge.payment).await? {
                    Some(intent) => Ok(intent),
                    None => Err(Failure::Card(error).into()),
                },
            },
            Err(failure @ Failure::Theirs(_)) => match self.search(&charge.customer, charge.payment).await {
                Ok(Some(intent)) => Ok(intent),
                Ok(None) | Err(_) => Err(failure.into()),
            },
            Err(failure) => Err(failure.into()),
        }
    }

    async fn intent(&self, id: &str) -> Result<Intent, ProviderError> {
        Ok(self.look(id).await?)
    }

    async fn find_intent(&self, customer: &str, payment: PaymentId) -> Result<Option<Intent>, ProviderError> {
        Ok(self.search(customer, payment).await?)
    }

    async fn cancel(&self, intent: &str) -> Result<Intent, ProviderError> {
        Ok(self.give_up(intent).await?)
    }

    async fn refund(&self, refund: &RefundOrder) -> Result<ProviderRefund, ProviderError> {
        match self.give_back(refund).await {
            Err(failure @ Failure::Theirs(_)) => {
                let made = self.refunds_with(&refund.intent).await.unwrap_or_default();
                let made = made.into_iter().find(|found| found.ours == Some(refund.refund));
                made.map(|found| found.refund).ok_or_else(|| failure.into())
            }
            answer => Ok(answer?),
        }
    }

    async fn movements(
        &self,
        from: chrono::DateTime<chrono::Utc>,
        to: chrono::DateTime<chrono::Utc>,
        after: Option<&str>,
    ) -> Result<MovementPage, ProviderError> {
        Ok(self.page(from, to, after).await?)
    }
}
