//! The gRPC service `Payments`: which call is answered where.

use leadflow_contracts::billing::{
    AttachCardRequest, Card, ConfigureRechargeRequest, CreateSetupIntentRequest, GetPaymentRequest, GetRechargeRequest,
    ListCardsRequest, ListCardsResponse, Payment, ReceiveProviderEventRequest, ReceiveProviderEventResponse, Recharge,
    ReconcileRequest, ReconcileResponse, RefundBalanceRequest, RefundBalanceResponse, RemoveCardRequest,
    RemoveCardResponse, SetPrimaryCardRequest, SetupIntent, TopUpRequest, payments_server,
};
use tonic::{Request, Response, Status};

use super::{cards, money, provider};
use crate::app::{cards::Cards, payments::Payments, provider_events::ProviderEvents, reconcile::Reconciler};

/// Answers calls with the use cases.
pub struct Service {
    cards: Cards,
    payments: Payments,
    events: ProviderEvents,
    reconciler: Reconciler,
    publishable_key: String,
}

impl Service {
    /// Answers with these; front ends are given `publishable_key`.
    #[must_use]
    pub const fn new(
        cards: Cards,
        payments: Payments,
        events: ProviderEvents,
        reconciler: Reconciler,
        publishable_key: String,
    ) -> Self {
        Self { cards, payments, events, reconciler, publishable_key }
    }
}

#[tonic::async_trait]
impl payments_server::Payments for Service {
    async fn create_setup_intent(
        &self,
        request: Request<CreateSetupIntentRequest>,
    ) -> Result<Response<SetupIntent>, Status> {
        cards::create_setup_intent(&self.cards, &self.publishable_key, &request).await
    }

    async fn attach_card(&self, request: Request<AttachCardRequest>) -> Result<Response<Card>, Status> {
        cards::attach(&self.cards, &request).await
    }

    async fn list_cards(&self, request: Request<ListCardsRequest>) -> Result<Response<ListCardsResponse>, Status> {
        cards::list(&self.cards, &request).await
    }

    async fn set_primary_card(&self, request: Request<SetPrimaryCardRequest>) -> Result<Response<Card>, Status> {
        cards::set_primary(&self.cards, &request).await
    }

    async fn remove_card(&self, request: Request<RemoveCardRequest>) -> Result<Response<RemoveCardResponse>, Status> {
        cards::remove(&self.cards, &request).await
    }

    async fn top_up(&self, request: Request<TopUpRequest>) -> Result<Response<Payment>, Status> {
        money::top_up(&self.payments, request).await
    }

    async fn get_payment(&self, request: Request<GetPaymentRequest>) -> Result<Response<Payment>, Status> {
        money::get_payment(&self.payments, &request).await
    }

    async fn get_recharge(&self, request: Request<GetRechargeRequest>) -> Result<Response<Recharge>, Status> {
        money::get_recharge(&self.payments, &request).await
    }

    async fn configure_recharge(
        &self,
        request: Request<ConfigureRechargeRequest>,
    ) -> Result<Response<Recharge>, Status> {
        money::configure_recharge(&self.payments, &request).await
    }

    async fn refund_balance(
        &self,
        request: Request<RefundBalanceRequest>,
    ) -> Result<Response<RefundBalanceResponse>, Status> {
        money::refund_balance(&self.payments, request).await
    }

    async fn receive_provider_event(
        &self,
        request: Request<ReceiveProviderEventRequest>,
    ) -> Result<Response<ReceiveProviderEventResponse>, Status> {
        provider::receive(&self.events, &request).await
    }

    async fn reconcile(&self, request: Request<ReconcileRequest>) -> Result<Response<ReconcileResponse>, Status> {
        provider::reconcile(&self.reconciler, &request).await
    }
}
