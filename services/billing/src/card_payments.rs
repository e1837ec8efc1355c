//! Puts together what card payments are made of.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use chrono::TimeDelta;
use leadflow_platform::Shutdown;
use tokio::task::JoinHandle;

use crate::{
    app::{Billing, cards::Cards, payments::Payments, provider_events::ProviderEvents, reconcile::Reconciler},
    config::Config,
    inbound::payments_grpc,
    outbound::{
        NotConfigured,
        measured::Measured,
        provider::PaymentProvider,
        records::ProviderRecords,
        stripe::{Signatures, Stripe},
    },
    workers::{provider_events::EventWorker, recharge::Recharger, reconcile::DailyReconciler, settle::Settler},
};

/// How often webhooks that another replica received, or that failed, are looked for.
const EVENTS_EVERY: Duration = Duration::from_secs(2);
/// How often it is asked whether today's comparison was made.
const RECONCILE_EVERY: Duration = Duration::from_secs(600);

/// Everything about card payments.
pub(crate) struct CardPayments {
    billing: Billing,
    pub(crate) payments: Payments,
    cards: Cards,
    events: ProviderEvents,
    reconciler: Reconciler,
}

impl CardPayments {
    /// With the provider that is configured, if any.
    pub(crate) fn new(config: &Config, billing: &Billing) -> anyhow::Result<Self> {
        let settings = &config.stripe;
        let (provider, records): (Arc<dyn PaymentProvider>, Arc<dyn ProviderRecords>) = match &settings.secret_key {
            Some(key) => {
                let stripe = Arc::new(Stripe::new(key, settings).map_err(anyhow::Error::msg)?);
                (Arc::new(Measured(stripe.clone())), stripe)
            }
            None => (Arc::new(NotConfigured), Arc::new(NotConfigured)),
        };
        let payments = Payments::new(billing.clone(), provider.clone(), records.clone(), config.payments.policy);
        let news = Arc::new(payments.clone());
        let cards = Cards::new(billing.clone(), payments.clone(), provider.clone(), records.clone());
        let events = ProviderEvents::new(
            billing.clone(),
            cards.clone(),
            news.clone(),
            provider.clone(),
            records.clone(),
            Signatures::new(settings.webhook_secrets.clone(), settings.tolerance),
        );
        let reconciler = Reconciler::new(billing.clone(), provider, records, news);
        Ok(Self { billing: billing.clone(), payments, cards, events, reconciler })
    }

    /// The gRPC service.
    pub(crate) fn service(&self, config: &Config) -> payments_grpc::Service {
        payments_grpc::Service::new(
            self.cards.clone(),
            self.payments.clone(),
            self.events.clone(),
            self.reconciler.clone(),
            config.stripe.publishable_key.clone(),
        )
    }

    /// The workers, until `shutdown`. Without a provider there is nothing to ask.
    pub(crate) fn work(&self, config: &Config, shutdown: &Shutdown) -> anyhow::Result<Vec<JoinHandle<()>>> {
        if config.stripe.secret_key.is_none() {
            return Ok(Vec::new());
        }
        let every = config.payments.every;
        let kept = TimeDelta::try_days(config.stripe.events_kept_days.into()).context("STRIPE_EVENTS_KEPT_DAYS")?;
        let events = EventWorker::new(self.billing.clone(), self.events.clone(), self.cards.clone(), kept);
        let reconciler = DailyReconciler::new(self.reconciler.clone(), config.stripe.reconcile_days);
        Ok(vec![
            tokio::spawn(Recharger::new(self.payments.clone()).run(every, shutdown.clone())),
            tokio::spawn(Settler::new(self.payments.clone()).run(every, shutdown.clone())),
            tokio::spawn(events.run(EVENTS_EVERY, shutdown.clone())),
            tokio::spawn(reconciler.run(RECONCILE_EVERY, shutdown.clone())),
        ])
    }
}
