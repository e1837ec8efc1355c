//! A buyer's money, as his endpoints are told of it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, DeliveryId, EndpointId, EventId, Money, PaymentId, SellerId};
use leadflow_messaging::consumer::HandleError;
use leadflow_notifier_domain::{
    EventKind, LowBalance, PayloadError, PaymentFailed, payload_of_failed_payment, payload_of_low_balance,
};

use super::{Notifier, occasions::Occasion};
use crate::{model::SaleKey, outbound::dispatcher::Dispatcher};

/// A wallet that fell below its threshold.
#[derive(Debug, Clone)]
pub struct LowWallet {
    /// The event that told so: the same for a repeat.
    pub source: EventId,
    /// Its trace.
    pub traceparent: Option<String>,
    /// The tenant.
    pub seller: SellerId,
    /// Whose.
    pub buyer: BuyerId,
    /// What he may spend.
    pub available: Money,
    /// What he wanted to have.
    pub threshold: Money,
}

/// A payment by card that was declined.
#[derive(Debug, Clone)]
pub struct Declined {
    /// The event that told so: the same for a repeat.
    pub source: EventId,
    /// Its trace.
    pub traceparent: Option<String>,
    /// The tenant.
    pub seller: SellerId,
    /// Whose.
    pub buyer: BuyerId,
    /// Which.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
    /// Made by the program, not by the buyer.
    pub recharge: bool,
    /// What it means, in words.
    pub reason: Arc<str>,
    /// When it is tried again, if it is.
    pub next_attempt_at: Option<DateTime<Utc>>,
}

fn derived(event: EventKind, source: EventId, endpoint: EndpointId) -> DeliveryId {
    DeliveryId::derive(&[event.text().as_bytes(), source.as_bytes(), endpoint.as_bytes()])
}

impl Occasion for LowWallet {
    const EVENT: EventKind = EventKind::WalletLowBalance;

    fn whose(&self) -> (SellerId, BuyerId) {
        (self.seller, self.buyer)
    }
    fn sale(&self) -> Option<SaleKey> {
        None
    }
    fn delivery(&self, endpoint: EndpointId) -> DeliveryId {
        derived(Self::EVENT, self.source, endpoint)
    }
    fn traceparent(&self) -> Option<&String> {
        self.traceparent.as_ref()
    }
    fn body(&self, at: DateTime<Utc>) -> Result<Vec<u8>, PayloadError> {
        let Self { buyer, available, threshold, .. } = *self;
        payload_of_low_balance(&LowBalance { buyer, available, threshold, at })
    }
}

impl Occasion for Declined {
    const EVENT: EventKind = EventKind::PaymentFailed;

    fn whose(&self) -> (SellerId, BuyerId) {
        (self.seller, self.buyer)
    }
    fn sale(&self) -> Option<SaleKey> {
        None
    }
    fn delivery(&self, endpoint: EndpointId) -> DeliveryId {
        derived(Self::EVENT, self.source, endpoint)
    }
    fn traceparent(&self) -> Option<&String> {
        self.traceparent.as_ref()
    }
    fn body(&self, at: DateTime<Utc>) -> Result<Vec<u8>, PayloadError> {
        payload_of_failed_payment(&PaymentFailed {
            payment: self.payment,
            buyer: self.buyer,
            amount: self.amount,
            recharge: self.recharge,
            reason: &self.reason,
            next_attempt_at: self.next_attempt_at,
            at,
        })
    }
}

impl Notifier {
    /// Stores the deliveries that tell of wallets that run low and of declined payments, and begins to send them.
    ///
    /// # Errors
    /// Transient for the database.
    pub async fn accept_money(
        &self,
        low: &[LowWallet],
        declined: &[Declined],
        dispatcher: &Dispatcher,
    ) -> Result<(), HandleError> {
        if !low.is_empty() {
            self.accept(low, dispatcher).await?;
        }
        if !declined.is_empty() {
            self.accept(declined, dispatcher).await?;
        }
        Ok(())
    }
}
