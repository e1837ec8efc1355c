//! What sellers pay for is told once for each message, whatever it took to send it.

use std::{collections::BTreeMap, sync::Arc};

use leadflow_contracts::{
    events::{UsageKind, UsageRecorded},
    streams,
};
use leadflow_messaging::{
    Message,
    consumer::{self, BatchHandler, ConsumerSettings, HandleError},
};
use leadflow_platform::Shutdown;
use leadflow_testkit::wait;
use std::sync::Mutex;

use crate::{
    receiver::{Receiver, status},
    world::{LEASE, PATIENCE, World},
};

/// What billing would hear, by the message's id: once for each time it is told under another event.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<BTreeMap<String, Vec<UsageRecorded>>>>);

#[async_trait::async_trait]
impl BatchHandler for Heard {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        for message in batch {
            let event = message.decode::<UsageRecorded>().map_err(HandleError::permanent)?;
            self.0.lock().unwrap().entry(event.message_id.clone()).or_default().push(event);
        }
        Ok(())
    }
}

impl Heard {
    /// From the beginning.
    pub fn on(world: &World) -> Self {
        let heard = Self::default();
        let settings = ConsumerSettings {
            stream: streams::NOTIFY,
            consumer: streams::NOTIFY_BILLING,
            max_batch: 100,
            pace: std::time::Duration::ZERO,
        };
        tokio::spawn(consumer::run(world.bus.clone(), settings, Arc::new(heard.clone()), Shutdown::new()));
        heard
    }

    pub fn messages(&self) -> Vec<UsageRecorded> {
        self.0.lock().unwrap().values().map(|told| told[0].clone()).collect()
    }

    /// Waits until so many messages were told of.
    pub async fn wait_for(&self, messages: usize) -> Vec<UsageRecorded> {
        wait::until(format!("{messages} messages are told of"), PATIENCE, async || self.messages().len() >= messages)
            .await;
        self.messages()
    }
}

/// All that waits in the outbox is published, and so heard: nothing more can come.
async fn nothing_waits(world: &World) {
    wait::until("the outbox is empty", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.outbox").await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_paid_for_once_when_it_arrives_and_never_when_it_does_not() {
    let world = World::start().await;
    let heard = Heard::on(&world);
    let (good, bad) = (Receiver::start().await, Receiver::start().await);
    bad.behave(status(410));
    good.behave(status(500));
    let (lucky, unlucky) = (world.buyer_at(&good.url).await, world.buyer_at(&bad.url).await);
    let sale = world.sell(&[lucky, unlucky]).await;
    world.delivery_when(lucky, "the first attempt failed", |d| d.attempts_made == 1).await;
    world.delivery_when(unlucky, "it is given up", |d| d.status == "GAVE_UP").await;
    world.advance(7);
    world.delivery_when(lucky, "the second attempt failed", |d| d.attempts_made == 2).await;
    good.behave(status(200));
    world.advance(400);
    let delivered = world.delivery_when(lucky, "it is delivered", |d| d.status == "DELIVERED").await;
    let told = heard.wait_for(1).await;
    // Told again, the sale is no new delivery.
    world.publish(&sale).await;
    nothing_waits(&world).await;
    assert_eq!(heard.messages(), told);
    let one = &told[0];
    assert_eq!((&one.message_id, one.kind(), one.units), (&delivered.delivery_id, UsageKind::Webhook, 1));
    assert_eq!((one.seller_id.as_str(), one.buyer_id.as_str()), (&*world.seller.to_string(), &*lucky.to_string()));
    assert_eq!(one.at_ms, world.now().timestamp_millis());
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_and_replicas_make_no_message_of_one_and_lose_none() {
    let receiver = Receiver::start().await;
    let mut world = World::start().await;
    let heard = Heard::on(&world);
    world.replica(|_| {}).await;
    let buyer = world.buyer_at(&receiver.url).await;
    for round in 0..3 {
        receiver.behave(status(if round == 1 { 500 } else { 200 }));
        for _ in 0..30 {
            world.sell(&[buyer]).await;
        }
        // Dropped in the middle of whatever it does, as by a crash.
        let victim = world.replicas.remove(0);
        victim.service.abort();
        drop(victim.service.await);
        world.replica(|_| {}).await;
    }
    receiver.behave(status(200));
    let (mut known, mut still) = (-1, 0);
    wait::until("everything is delivered", PATIENCE * 2, async || {
        let delivered = world.count("SELECT count(*) FROM notifier.deliveries WHERE status = 'DELIVERED'").await;
        still = if delivered == known { still + 1 } else { 0 };
        known = delivered;
        // Time goes on when nothing else does: what is left waits for a retry or the end of a lease.
        if still % 20 == 19 {
            world.advance(LEASE);
        }
        delivered == 90
    })
    .await;
    // What a crash left in the outbox is published by the sweeper.
    wait::until("all are told of", PATIENCE * 3, async || heard.messages().len() == 90).await;
    nothing_waits(&world).await;
    assert_eq!(heard.messages().len(), 90);
    assert!(receiver.got().len() >= 90);
}
