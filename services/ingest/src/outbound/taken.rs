//! Telling the other gateways what this one let through.

use std::{sync::Arc, time::Duration};

use leadflow_contracts::{events::PostsTaken, subjects};
use leadflow_messaging::Bus;
use leadflow_platform::Shutdown;
use prost::Message as _;
use tokio::time::MissedTickBehavior;

use crate::store::{directory::Directory, strangers::Strangers};

/// Between two tellings: what all gateways together may let through too much is what one of them can within this.
const EVERY: Duration = Duration::from_millis(100);
/// In one message, which is some 100 KB then.
const MOST: usize = 2_000;

/// Tells it until `shutdown`. What cannot be sent is not told again: it is of the past by then.
pub async fn tell(bus: Bus, gateway: String, directory: Arc<Directory>, strangers: Arc<Strangers>, shutdown: Shutdown) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        for message in messages(&gateway, &directory, &strangers) {
            if let Err(error) = bus.send_core(subjects::INGEST_TAKEN, message.encode_to_vec().into()).await {
                tracing::debug!(%error, "other gateways were not told what was let through here");
            }
        }
    }
}

enum Whose {
    SupplierPosts,
    SellerPosts,
    Lookups,
    UnknownKeys,
}

fn messages(gateway: &str, directory: &Directory, strangers: &Strangers) -> Vec<PostsTaken> {
    let taken = directory.to_tell();
    let supplier_posts = taken.supplier_posts.into_iter().map(|(id, n)| (Whose::SupplierPosts, id.to_string(), n));
    let seller_posts = taken.seller_posts.into_iter().map(|(id, n)| (Whose::SellerPosts, id.to_string(), n));
    let lookups = taken.lookups.into_iter().map(|(id, n)| (Whose::Lookups, id.to_string(), n));
    let unknown_keys = strangers.to_tell().into_iter().map(|(address, n)| (Whose::UnknownKeys, address, n));
    let mut told: Vec<PostsTaken> = Vec::new();
    for (at, (whose, key, count)) in supplier_posts.chain(seller_posts).chain(lookups).chain(unknown_keys).enumerate() {
        if at % MOST == 0 {
            told.push(PostsTaken { gateway: gateway.to_owned(), ..PostsTaken::default() });
        }
        let Some(message) = told.last_mut() else { continue };
        let map = match whose {
            Whose::SupplierPosts => &mut message.supplier_posts,
            Whose::SellerPosts => &mut message.seller_posts,
            Whose::Lookups => &mut message.lookups,
            Whose::UnknownKeys => &mut message.unknown_keys,
        };
        map.insert(key, count);
    }
    told
}
