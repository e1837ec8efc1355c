//! A payment provider whose calls are measured.

use std::{sync::Arc, time::Instant};

use chrono::{DateTime, Utc};
use leadflow_kernel::PaymentId;

use super::provider::{
    Charge, Intent, MovementPage, NewCustomer, PaymentProvider, ProviderCard, ProviderError, ProviderRefund,
    RefundOrder,
};
use crate::metrics;

/// Rate, errors and duration of `P`'s calls, by operation.
pub(crate) struct Measured<P>(pub(crate) Arc<P>);

async fn measure<T>(
    operation: &'static str,
    call: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    let began = Instant::now();
    let answer = call.await;
    let outcome = match &answer {
        Ok(_) => "ok",
        Err(ProviderError::NotConfigured) => "not_configured",
        Err(ProviderError::Refused { .. }) => "refused",
        Err(ProviderError::Busy(_)) => "busy",
        Err(ProviderError::Unknown(_)) => "unknown",
    };
    metrics::provider_call(operation, outcome, began.elapsed());
    answer
}

#[async_trait::async_trait]
impl<P: PaymentProvider> PaymentProvider for Measured<P> {
    async fn create_customer(&self, new: &NewCustomer) -> Result<String, ProviderError> {
        measure("create_customer", self.0.create_customer(new)).await
    }

    async fn create_setup_intent(&self, customer: &str) -> Result<String, ProviderError> {
        measure("create_setup_intent", self.0.create_setup_intent(customer)).await
    }

    async fn attach_card(&self, customer: &str, payment_method: &str) -> Result<ProviderCard, ProviderError> {
        measure("attach_card", self.0.attach_card(customer, payment_method)).await
    }

    async fn detach_card(&self, payment_method: &str) -> Result<(), ProviderError> {
        measure("detach_card", self.0.detach_card(payment_method)).await
    }

    async fn charge(&self, charge: &Charge) -> Result<Intent, ProviderError> {
        measure("charge", self.0.charge(charge)).await
    }

    async fn intent(&self, id: &str) -> Result<Intent, ProviderError> {
        measure("intent", self.0.intent(id)).await
    }

    async fn find_intent(&self, customer: &str, payment: PaymentId) -> Result<Option<Intent>, ProviderError> {
        measure("find_intent", self.0.find_intent(customer, payment)).await
    }

    async fn cancel(&self, intent: &str) -> Result<Intent, ProviderError> {
        measure("cancel", self.0.cancel(intent)).await
    }

    async fn refund(&self, refund: &RefundOrder) -> Result<ProviderRefund, ProviderError> {
        measure("refund", self.0.refund(refund)).await
    }

    async fn movements(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&str>,
    ) -> Result<MovementPage, ProviderError> {
        measure("movements", self.0.movements(from, to, after)).await
    }
}
