//! No provider: every call answers that none is configured.

use chrono::{DateTime, Utc};
use leadflow_kernel::PaymentId;

use super::{
    provider::{
        Charge, Intent, MovementPage, NewCustomer, PaymentProvider, ProviderCard, ProviderError, ProviderRefund,
        RefundOrder,
    },
    records::{FoundRefund, HeldCard, ProviderDispute, ProviderRecords},
};

/// Stands where a provider would, when no key of one is set.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotConfigured;

const NO: ProviderError = ProviderError::NotConfigured;

#[async_trait::async_trait]
impl PaymentProvider for NotConfigured {
    async fn create_customer(&self, _: &NewCustomer) -> Result<String, ProviderError> {
        Err(NO)
    }

    async fn create_setup_intent(&self, _: &str) -> Result<String, ProviderError> {
        Err(NO)
    }

    async fn attach_card(&self, _: &str, _: &str) -> Result<ProviderCard, ProviderError> {
        Err(NO)
    }

    async fn detach_card(&self, _: &str) -> Result<(), ProviderError> {
        Err(NO)
    }

    async fn charge(&self, _: &Charge) -> Result<Intent, ProviderError> {
        Err(NO)
    }

    async fn intent(&self, _: &str) -> Result<Intent, ProviderError> {
        Err(NO)
    }

    async fn find_intent(&self, _: &str, _: PaymentId) -> Result<Option<Intent>, ProviderError> {
        Err(NO)
    }

    async fn cancel(&self, _: &str) -> Result<Intent, ProviderError> {
        Err(NO)
    }

    async fn refund(&self, _: &RefundOrder) -> Result<ProviderRefund, ProviderError> {
        Err(NO)
    }

    async fn movements(
        &self,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
        _: Option<&str>,
    ) -> Result<MovementPage, ProviderError> {
        Err(NO)
    }
}

#[async_trait::async_trait]
impl ProviderRecords for NotConfigured {
    async fn card_now(&self, _: &str) -> Result<Option<HeldCard>, ProviderError> {
        Err(NO)
    }

    async fn refund_now(&self, _: &str) -> Result<Option<FoundRefund>, ProviderError> {
        Err(NO)
    }

    async fn refunds_of(&self, _: &str) -> Result<Vec<FoundRefund>, ProviderError> {
        Err(NO)
    }

    async fn dispute_now(&self, _: &str) -> Result<Option<ProviderDispute>, ProviderError> {
        Err(NO)
    }
}
