//! The calls that make or move something, and looks at charges.

use std::collections::HashMap;

use leadflow_kernel::{EventId, PaymentId};
use stripe::StripeRequest as _;
use stripe_core::{
    PaymentIntent,
    charge::RetrieveCharge,
    customer::CreateCustomer,
    payment_intent::{
        CancelPaymentIntent, CreatePaymentIntent, CreatePaymentIntentAutomaticPaymentMethods,
        CreatePaymentIntentAutomaticPaymentMethodsAllowRedirects, CreatePaymentIntentOffSession, ListPaymentIntent,
        RetrievePaymentIntent,
    },
    refund::{CreateRefund, CreateRefundReason},
    setup_intent::{CreateSetupIntent, CreateSetupIntentUsage},
};
use stripe_payment::payment_method::{AttachPaymentMethod, DetachPaymentMethod, RetrievePaymentMethod};
use stripe_types::Expandable;

use super::{Stripe, amounts, convert, errors::Failure, errors::refused, once, path_id};
use crate::outbound::{
    provider::{Charge, Intent, NewCustomer, ProviderCard, ProviderRefund, RefundOrder},
    records::HeldCard,
};

/// Its charge comes with an intent, because it knows what went back.
const WITH_CHARGE: &str = "latest_charge";
/// The most of a page.
const PAGE: i64 = 100;

/// A key for a call that may be made again with another one: doing it twice is doing it once.
fn fresh(purpose: &str) -> String {
    format!("{purpose}-{}", EventId::new())
}

fn metadata<const N: usize>(pairs: [(&str, String); N]) -> HashMap<String, String> {
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

impl Stripe {
    pub(super) async fn make_customer(&self, new: &NewCustomer) -> Result<String, Failure> {
        let mut request = CreateCustomer::new()
            .metadata(metadata([(convert::BUYER, new.buyer.to_string()), (convert::SELLER, new.seller.to_string())]));
        if !new.email.is_empty() {
            request = request.email(&new.email);
        }
        if !new.name.is_empty() {
            request = request.name(&new.name);
        }
        let key = once(&format!("customer-{}", new.buyer))?;
        let made = request.customize().request_strategy(key).send(&self.client).await?;
        Ok(made.id.to_string())
    }

    pub(super) async fn make_setup_intent(&self, customer: &str) -> Result<String, Failure> {
        let request = CreateSetupIntent::new().customer(customer).usage(CreateSetupIntentUsage::OffSession);
        let made = request.customize().request_strategy(once(&fresh("setup"))?).send(&self.client).await?;
        made.client_secret.ok_or_else(|| Failure::Other(refused("client_secret", "Stripe gave no client secret")))
    }

    pub(super) async fn held(&self, payment_method: &str) -> Result<HeldCard, Failure> {
        let request = RetrievePaymentMethod::new(path_id(payment_method)?);
        let found = request.customize().send(&self.client).await?;
        convert::card(&found).ok_or_else(|| Failure::Other(refused("not_a_card", "the payment method is no card")))
    }

    pub(super) async fn attach(&self, customer: &str, payment_method: &str) -> Result<ProviderCard, Failure> {
        let held = self.held(payment_method).await?;
        if let Some(owner) = held.customer {
            return if owner == customer { Ok(held.card) } else { Err(Failure::Missing) };
        }
        let request = AttachPaymentMethod::new(path_id(payment_method)?).customer(customer);
        let attached = request.customize().request_strategy(once(&fresh("attach"))?).send(&self.client).await;
        match attached.map_err(Failure::from) {
            Ok(attached) => convert::card(&attached)
                .map(|held| held.card)
                .ok_or_else(|| Failure::Other(refused("not_a_card", "the payment method is no card"))),
            // Somebody was faster: perhaps we ourselves.
            Err(failure) => match self.held(payment_method).await {
                Ok(HeldCard { card, customer: Some(owner) }) if owner == customer => Ok(card),
                Ok(HeldCard { customer: Some(_), .. }) => Err(Failure::Missing),
                _ => Err(failure),
            },
        }
    }

    pub(super) async fn detach(&self, payment_method: &str) -> Result<(), Failure> {
        let request = DetachPaymentMethod::new(path_id(payment_method)?);
        match request
            .customize()
            .request_strategy(once(&fresh("detach"))?)
            .send(&self.client)
            .await
            .map_err(Failure::from)
        {
            Ok(_) | Err(Failure::Missing) => Ok(()),
            // One that is nobody's is refused; only then it is no error.
            Err(failure @ Failure::Other(crate::outbound::provider::ProviderError::Refused { .. })) => {
                match self.held(payment_method).await {
                    Ok(HeldCard { customer: None, .. }) | Err(Failure::Missing) => Ok(()),
                    _ => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn confirm(&self, charge: &Charge) -> Result<Intent, Failure> {
        let methods = CreatePaymentIntentAutomaticPaymentMethods {
            allow_redirects: Some(CreatePaymentIntentAutomaticPaymentMethodsAllowRedirects::Never),
            enabled: true,
        };
        let mut request = CreatePaymentIntent::new(amounts::to_minor(charge.amount)?, amounts::currency(charge.amount))
            .customer(&charge.customer)
            .payment_method(&charge.payment_method)
            .confirm(true)
            .automatic_payment_methods(methods)
            .description(&charge.description)
            .metadata(metadata([
                (convert::PAYMENT, charge.payment.to_string()),
                (convert::SELLER, charge.seller.to_string()),
                (convert::BUYER, charge.buyer.to_string()),
            ]))
            .expand([WITH_CHARGE.to_owned()]);
        if charge.off_session {
            request = request.off_session(CreatePaymentIntentOffSession::Bool(true));
        }
        let key = once(&charge.payment.to_string())?;
        let made = request.customize().request_strategy(key).send(&self.client).await?;
        self.complete(made).await
    }

    pub(super) async fn look(&self, id: &str) -> Result<Intent, Failure> {
        let request = RetrievePaymentIntent::new(path_id(id)?).expand([WITH_CHARGE.to_owned()]);
        let found = request.customize().send(&self.client).await?;
        self.complete(found).await
    }

    pub(super) async fn search(&self, customer: &str, payment: PaymentId) -> Result<Option<Intent>, Failure> {
        let wanted = payment.to_string();
        let mut after: Option<String> = None;
        loop {
            // A list, not a search: what is searched is known to Stripe only after a while.
            let mut request = ListPaymentIntent::new().customer(customer).limit(PAGE);
            if let Some(last) = after.take() {
                request = request.starting_after(last);
            }
            let page = request.customize().send(&self.client).await?;
            let found = page.data.iter().find(|intent| intent.metadata.get(convert::PAYMENT) == Some(&wanted));
            if let Some(found) = found {
                return self.look(found.id.as_str()).await.map(Some);
            }
            after = page.data.last().map(|intent| intent.id.to_string());
            if !page.has_more || after.is_none() {
                return Ok(None);
            }
        }
    }

    pub(super) async fn give_up(&self, intent: &str) -> Result<Intent, Failure> {
        let request = CancelPaymentIntent::new(path_id(intent)?).expand([WITH_CHARGE.to_owned()]);
        match request
            .customize()
            .request_strategy(once(&fresh("cancel"))?)
            .send(&self.client)
            .await
            .map_err(Failure::from)
        {
            Ok(canceled) => self.complete(canceled).await,
            // It succeeded meanwhile, or was given up before.
            Err(Failure::Other(crate::outbound::provider::ProviderError::Refused { code, .. }))
                if code == "payment_intent_unexpected_state" =>
            {
                self.look(intent).await
            }
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn give_back(&self, refund: &RefundOrder) -> Result<ProviderRefund, Failure> {
        let request = CreateRefund::new()
            .payment_intent(&refund.intent)
            .amount(amounts::to_minor(refund.amount)?)
            .reason(CreateRefundReason::RequestedByCustomer)
            .metadata(metadata([
                (convert::REFUND, refund.refund.to_string()),
                (convert::PAYMENT, refund.payment.to_string()),
            ]));
        let key = once(&refund.refund.to_string())?;
        let made = request.customize().request_strategy(key).send(&self.client).await?;
        Ok(convert::refund(&made)?)
    }

    /// With what went back of its charge, which an answer may leave out.
    async fn complete(&self, from: PaymentIntent) -> Result<Intent, Failure> {
        let refunded = match (convert::refunded(&from), &from.latest_charge) {
            (Some(refunded), _) => refunded,
            (None, Some(Expandable::Id(charge))) => {
                RetrieveCharge::new(charge.as_str()).customize().send(&self.client).await?.amount_refunded
            }
            (None, _) => 0,
        };
        Ok(convert::intent(&from, refunded)?)
    }
}
