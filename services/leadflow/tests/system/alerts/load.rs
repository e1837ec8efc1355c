//! What goes on all the time: leads come in and a buyer's page is open.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use http::Method;
use leadflow_kernel::CampaignId;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    cards::shop::{Buyer, Shop},
    client::Client,
    world::{World, lead},
};

/// Suppliers of each tenant posting at once.
const POSTERS: usize = 2;
/// A supplier's own pace.
const PAUSE: Duration = Duration::from_millis(400);

/// Numbers of people: nobody is posted twice.
static NEXT: AtomicUsize = AtomicUsize::new(0);

pub fn next() -> usize {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Goes on until it is dropped; whatever is answered.
pub fn start(world: &World, campaign: CampaignId, shop: &Shop, reader: &Buyer) -> JoinSet<()> {
    let mut working = JoinSet::new();
    let url = format!("{}/api/leads/ingest", world.cluster.http_urls("ingest")[0]);
    for _ in 0..POSTERS {
        let (client, url, key) = (Client::new(), url.clone(), world.api_key.clone());
        working.spawn(async move {
            loop {
                let _ = client.send(Method::POST, &url, &[("x-api-key", &key)], Some(&lead(campaign, next()))).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
        let shop = shop.clone();
        working.spawn(async move {
            loop {
                let n = next();
                let _ = shop.post_once(&format!("load-{n}"), &lead(shop.campaign, n)).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    let (shop, reader) = (shop.clone(), reader.clone());
    working.spawn(async move {
        loop {
            let _ = shop.send(Method::GET, "/api/payments/wallet", &reader.token, "", None).await;
            tokio::time::sleep(PAUSE).await;
        }
    });
    working
}

/// Leads of one campaign, at once; whatever is answered.
pub async fn burst(world: &World, campaign: CampaignId, count: usize) {
    let mut posting = JoinSet::new();
    let url = format!("{}/api/leads/ingest", world.cluster.http_urls("ingest")[0]);
    for _ in 0..count {
        let (client, url, key) = (world.client.clone(), url.clone(), world.api_key.clone());
        posting.spawn(async move {
            let headers = [("x-api-key", key.as_str()), ("prefer", "respond-async")];
            client.send(Method::POST, &url, &headers, Some(&lead(campaign, next()))).await
        });
    }
    for answer in posting.join_all().await {
        let answer = answer.unwrap();
        assert!(answer.status.is_success(), "{answer:?}");
    }
}

/// Tells a receiver of the sandbox how to answer.
pub async fn behave(shop: &Shop, receiver: &str, behaviour: &serde_json::Value) {
    shop.sandbox(Method::PUT, &format!("/api/hooks/{receiver}/behaviour"), Some(behaviour)).await;
}

/// As receivers usually do.
pub fn well() -> serde_json::Value {
    json!({ "mode": "ok" })
}
