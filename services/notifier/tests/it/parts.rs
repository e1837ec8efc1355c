//! A replica without its loops: steps are taken by hand.

use std::sync::Arc;

use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, Currency, LeadId, Money};
use leadflow_messaging::outbox::{Outbox, Relay};
use leadflow_notifier::{
    SCHEMA,
    app::{Notifier, Sale},
    outbound::{
        dispatcher::{self, Dispatcher},
        webhook::Webhooks,
    },
};
use leadflow_outbound_http::{Client, Options};
use leadflow_platform::Shutdown;
use tokio::sync::mpsc;

use crate::world::{TIMEOUT, World};

pub struct Parts {
    pub notifier: Notifier,
    pub dispatcher: Dispatcher,
    pub results: mpsc::Receiver<dispatcher::Result>,
}

pub fn parts(world: &World) -> Parts {
    parts_with(world, Options { allow_loopback: true, ..Options::default() })
}

/// With another client's options; the time-out is that of the tests.
pub fn parts_with(world: &World, options: Options) -> Parts {
    let config = world.config();
    let clock = Arc::new(world.clock.clone());
    let client = Client::new(Options { total_timeout: TIMEOUT, connect_timeout: TIMEOUT, ..options }).unwrap();
    let (relay, relaying) =
        Relay::new(Outbox::new(SCHEMA), world.db.pool().clone(), world.bus.clone(), Shutdown::new());
    tokio::spawn(relaying);
    let webhooks = Webhooks::new(client.clone(), config.keys.clone(), clock.clone());
    let (dispatcher, results) =
        Dispatcher::new(webhooks, clock.clone(), config.limits, config.timeout, Shutdown::new());
    let lease = config.lease();
    let notifier = Notifier::new(world.db.pool().clone(), relay, clock, config.keys, client, lease);
    Parts { notifier, dispatcher, results }
}

pub fn sale(world: &World, buyer: BuyerId) -> Sale {
    Sale {
        traceparent: None,
        seller: world.seller,
        buyer,
        lead: LeadId::new(),
        assignment: AssignmentId::new(),
        campaign: CampaignId::new(),
        campaign_name: "Solar West".into(),
        category_name: "Solar".into(),
        state: "CA".into(),
        quality: "HOT".into(),
        price: Money::parse("25", Currency::USD).unwrap(),
        received_at: world.now(),
        assigned_at: world.now(),
        data_json: b"{}".as_slice().into(),
    }
}
