//! Who may post where; what a change of the records changes.

use leadflow_contracts::{common::Status, events::ApiKey};
use leadflow_testkit::wait;
use sha2::{Digest as _, Sha256};

use crate::world::{JSON, KEY, OTHER_KEY, PATIENCE, World, body};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supplier_posts_only_to_its_own_sellers_campaigns_and_categories() {
    let world = World::with(|_| {}, false).await;
    for (key, campaign, status, code) in [
        (KEY, world.tenant.closed_campaign, 403, "category_not_allowed"),
        (KEY, world.other.campaign, 404, "campaign_unknown"),
        (KEY, world.other.closed_campaign, 404, "campaign_unknown"),
        (OTHER_KEY, world.tenant.campaign, 404, "campaign_unknown"),
    ] {
        let answer = world.post_with(&[("X-API-Key", key), JSON], &body(campaign, "Doe", "")).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{answer:?}");
    }
    assert_eq!(world.stored().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_end_when_they_are_revoked_or_expire() {
    let world = World::with(|_| {}, false).await;
    let status = async |key: &str| {
        let answer = world.post_with(&[("X-API-Key", key), JSON], "{}").await;
        (answer.status, answer.code())
    };
    // Rotation: the old key with an end in the past, the new one without.
    let mut record = world.tenant.supplier_record(2, &["sk_new"]);
    record.keys.push(ApiKey { sha256: Sha256::digest(KEY).to_vec().into(), expires_at_ms: 1, ..ApiKey::default() });
    world.publish(&record).await;
    wait::until("the new key works", PATIENCE, async || status("sk_new").await.0 == 422).await;
    assert_eq!(status(KEY).await, (401, "api_key_expired".to_owned()));
    world.publish(&world.tenant.supplier_record(3, &["sk_newer"])).await;
    wait::until("the newer key works", PATIENCE, async || status("sk_newer").await.0 == 422).await;
    for key in [KEY, "sk_new"] {
        assert_eq!(status(key).await, (401, "api_key_invalid".to_owned()));
    }
    // A late copy of an older record brings no key back.
    world.publish(&world.tenant.supplier_record(1, &[KEY])).await;
    let mut paused = world.tenant.supplier_record(4, &["sk_newer"]);
    paused.set_status(Status::Paused);
    world.publish(&paused).await;
    wait::until("the supplier is paused", PATIENCE, async || {
        status("sk_newer").await == (403, "supplier_inactive".to_owned())
    })
    .await;
    assert_eq!(status(KEY).await.0, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_sellers_suppliers_are_turned_away() {
    let world = World::with(|_| {}, false).await;
    let mut record = world.tenant.seller_record();
    record.version = 2;
    record.set_status(Status::Paused);
    world.publish(&record).await;
    wait::until("the seller is paused", PATIENCE, async || world.post("{}").await.code() == "seller_inactive").await;
    assert_eq!(world.post_with(&[("X-API-Key", OTHER_KEY), JSON], "{}").await.status, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_record_leaves_the_one_before_it() {
    let world = World::with(|_| {}, false).await;
    let mut record = world.tenant.supplier_record(2, &["sk_new"]);
    record.category_ids = vec!["nonsense".to_owned()];
    world.publish(&record).await;
    world.publish(&world.other.supplier_record(2, &["sk_other_new"])).await;
    wait::until("the record after it is here", PATIENCE, async || {
        world.post_with(&[("X-API-Key", "sk_other_new"), JSON], "{}").await.status == 422
    })
    .await;
    assert_eq!(world.post("{}").await.status, 422);
}
