use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::DateTime;
use leadflow_contracts::events::SellerChanged;
use leadflow_kernel::EventId;
use leadflow_messaging::{Bus, Envelope, Message, directory};
use leadflow_testkit::{ChaosProxy, TestNats, wait};
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, bus_to, bus_with_streams};

/// The records seen, each with its version, and whether the current state is complete.
type Seen = (Vec<(String, u64)>, bool);

#[derive(Default, Clone)]
struct Known(Arc<Mutex<Seen>>);

impl directory::Sink for Known {
    fn apply(&mut self, message: &Message) {
        let seller: SellerChanged = message.decode().unwrap();
        self.0.lock().unwrap().0.push((seller.seller_id, seller.version));
    }

    fn loaded(&mut self) {
        self.0.lock().unwrap().1 = true;
    }
}

async fn publish(bus: &Bus, id: &str, version: u64) {
    let event = SellerChanged { seller_id: id.to_owned(), version, ..Default::default() };
    let time = DateTime::from_timestamp_millis(1_765_108_800_000).unwrap();
    bus.publish(&[Envelope::new(EventId::new(), &event, time)]).await.unwrap();
}

#[tokio::test]
async fn the_newest_state_of_each_record_is_loaded_and_then_followed() {
    let nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    for version in 1..=3 {
        publish(&bus, "one", version).await;
    }
    publish(&bus, "two", 1).await;
    let known = Known::default();
    tokio::spawn(directory::follow(bus.clone(), &["seller"], known.clone(), CancellationToken::new()));
    wait::until("loaded", PATIENCE, async || known.0.lock().unwrap().1).await;
    assert_eq!(known.0.lock().unwrap().0, [("one".to_owned(), 3), ("two".to_owned(), 1)]);
    publish(&bus, "two", 2).await;
    wait::until("the change was followed", PATIENCE, async || known.0.lock().unwrap().0.len() == 3).await;
    assert_eq!(known.0.lock().unwrap().0[2], ("two".to_owned(), 2));
}

#[tokio::test]
async fn an_empty_directory_is_loaded_at_once_and_survives_a_killed_server() {
    let mut nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let known = Known::default();
    tokio::spawn(directory::follow(bus.clone(), &["seller"], known.clone(), CancellationToken::new()));
    wait::until("loaded", PATIENCE, async || known.0.lock().unwrap().1).await;
    nats.kill9();
    nats.restart().await.unwrap();
    wait::until("connected again", PATIENCE, async || bus.is_connected()).await;
    publish(&bus, "after", 1).await;
    wait::until("followed", PATIENCE, async || known.0.lock().unwrap().0.contains(&("after".to_owned(), 1))).await;
}

#[tokio::test]
async fn after_a_cut_changes_made_meanwhile_arrive_within_seconds() {
    let nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let proxy = ChaosProxy::start(([127, 0, 0, 1], nats.port()).into()).await.unwrap();
    let behind_proxy = bus_to(&format!("nats://{}", proxy.addr())).await;
    let known = Known::default();
    tokio::spawn(directory::follow(behind_proxy.clone(), &["seller"], known.clone(), CancellationToken::new()));
    wait::until("loaded", PATIENCE, async || known.0.lock().unwrap().1).await;
    proxy.cut().await;
    wait::until("the cut is noticed", PATIENCE, async || !behind_proxy.is_connected()).await;
    publish(&bus, "one", 1).await;
    proxy.restore().await.unwrap();
    let seconds = Duration::from_secs(6);
    wait::until("the change arrived", seconds, async || !known.0.lock().unwrap().0.is_empty()).await;
}
