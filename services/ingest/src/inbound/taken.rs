//! What other gateways let through.

use std::{collections::HashMap, sync::Arc};

use leadflow_contracts::{events::PostsTaken, subjects};
use leadflow_kernel::{Id, Kind};
use leadflow_messaging::{Bus, CoreMessages};
use leadflow_platform::Shutdown;
use prost::Message as _;

use super::core;
use crate::store::{
    directory::{Directory, Taken},
    strangers::Strangers,
};

/// Counts it against the limits here, until `shutdown`.
pub async fn listen(
    bus: Bus,
    messages: CoreMessages,
    gateway: String,
    directory: Arc<Directory>,
    strangers: Arc<Strangers>,
    shutdown: Shutdown,
) {
    let count = |payload: &[u8]| match PostsTaken::decode(payload) {
        Ok(message) if message.gateway == gateway => {}
        Ok(message) => {
            directory.taken_elsewhere(&Taken {
                supplier_posts: read(&message.supplier_posts),
                seller_posts: read(&message.seller_posts),
                lookups: read(&message.lookups),
            });
            for (address, count) in &message.unknown_keys {
                strangers.of(address).taken_elsewhere(*count);
            }
        }
        Err(error) => tracing::warn!(%error, "what another gateway let through cannot be read"),
    };
    core::each(bus, subjects::INGEST_TAKEN.to_owned(), messages, shutdown, count).await;
}

/// What this version cannot read is a limit that it does not know.
fn read<K: Kind>(told: &HashMap<String, u32>) -> Vec<(Id<K>, u32)> {
    told.iter().filter_map(|(id, count)| Some((id.parse().ok()?, *count))).collect()
}
