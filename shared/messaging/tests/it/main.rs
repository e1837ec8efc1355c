//! Messaging against a real nats-server and a real PostgreSQL.

mod consumer;
mod copy;
mod directory;
mod group_commit;
mod janitor;
mod listener;
mod ordered;
mod outbox;
mod topology;

use std::time::Duration;

use chrono::DateTime;
use leadflow_contracts::events::WalletCredited;
use leadflow_kernel::EventId;
use leadflow_messaging::{Bus, BusSettings, Envelope, topology as streams};
use leadflow_testkit::TestNats;

/// How long any state may take to come true before a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

async fn bus_to(url: &str) -> Bus {
    let settings = BusSettings { url: url.to_owned(), source: "test".to_owned(), connect_within: PATIENCE };
    Bus::connect(&settings).await.unwrap()
}

async fn bus_with_streams(nats: &TestNats) -> Bus {
    let bus = bus_to(&nats.url()).await;
    streams::ensure(&bus, settings()).await.unwrap();
    bus
}

fn settings() -> streams::TopologySettings {
    streams::TopologySettings { replicas: 1, max_bytes: 64 << 20 }
}

fn credited(note: &str) -> Envelope {
    let event = WalletCredited { buyer_id: note.to_owned(), ..Default::default() };
    Envelope::new(EventId::new(), &event, DateTime::from_timestamp_millis(1_765_108_800_000).unwrap())
}
