//! Parts of backups on real servers. (A whole one under load is `tests/system/backup.rs`.)

mod damaged;
mod moment;
mod password;
mod whole;

use std::time::Duration;

use leadflow_messaging::{Bus, BusSettings, topology};
use leadflow_testkit::TestNats;

const PATIENCE: Duration = Duration::from_secs(20);

async fn bus_to(nats: &TestNats) -> Bus {
    let settings = BusSettings { url: nats.url(), source: "test".to_owned(), connect_within: PATIENCE };
    Bus::connect(&settings).await.unwrap()
}

const fn small() -> topology::TopologySettings {
    topology::TopologySettings { replicas: 1, max_bytes: 16 << 20 }
}
