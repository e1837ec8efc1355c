//! The provider's records as they are now.

use stripe::StripeRequest as _;
use stripe_core::{
    dispute::RetrieveDispute,
    refund::{ListRefund, RetrieveRefund},
};

use super::{Stripe, convert, errors::Failure, path_id};
use crate::outbound::{
    provider::ProviderError,
    records::{FoundRefund, HeldCard, ProviderDispute, ProviderRecords},
};

/// The most of a page.
const PAGE: i64 = 100;

/// What is not there is no error.
fn found<T>(answer: Result<T, Failure>) -> Result<Option<T>, ProviderError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Failure::Missing) => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

impl Stripe {
    async fn refund_with(&self, id: &str) -> Result<FoundRefund, Failure> {
        let answer = RetrieveRefund::new(path_id(id)?).customize().send(&self.client).await?;
        Ok(convert::found_refund(&answer)?)
    }

    async fn dispute_with(&self, id: &str) -> Result<ProviderDispute, Failure> {
        let answer = RetrieveDispute::new(path_id(id)?).customize().send(&self.client).await?;
        Ok(convert::dispute(&answer)?)
    }

    pub(super) async fn refunds_with(&self, intent: &str) -> Result<Vec<FoundRefund>, Failure> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut request = ListRefund::new().payment_intent(path_id(intent)?).limit(PAGE);
            if let Some(last) = after.take() {
                request = request.starting_after(last);
            }
            let page = request.customize().send(&self.client).await?;
            after = page.data.last().map(|refund| refund.id.to_string());
            for refund in &page.data {
                all.push(convert::found_refund(refund)?);
            }
            if !page.has_more || after.is_none() {
                return Ok(all);
            }
        }
    }
}

#[async_trait::async_trait]
impl ProviderRecords for Stripe {
    async fn card_now(&self, payment_method: &str) -> Result<Option<HeldCard>, ProviderError> {
        match self.held(payment_method).await {
            Err(Failure::Other(ProviderError::Refused { code, .. })) if code == "not_a_card" => Ok(None),
            answer => found(answer),
        }
    }

    async fn refund_now(&self, id: &str) -> Result<Option<FoundRefund>, ProviderError> {
        found(self.refund_with(id).await)
    }

    async fn refunds_of(&self, intent: &str) -> Result<Vec<FoundRefund>, ProviderError> {
        Ok(found(self.refunds_with(intent).await)?.unwrap_or_default())
    }

    async fn dispute_now(&self, id: &str) -> Result<Option<ProviderDispute>, ProviderError> {
        found(self.dispute_with(id).await)
    }
}
