//! Many callers at once, on two replicas.

use std::collections::HashSet;

use futures::future::join_all;
use leadflow_contracts::{
    accounts::{
        CreateApiKeyRequest, RotateApiKeyRequest, UpdateBuyerRequest, UpdateSellerRequest, UpdateSupplierRequest,
        accounts_client::AccountsClient,
    },
    common::Status,
    events::{BuyerChanged, SupplierChanged},
};
use leadflow_kernel::{ApiKeyId, BuyerId};
use leadflow_platform::grpc::{Channel, stable_code};
use tonic::Code;

use crate::world::{World, as_tenant, buyer_request};

const CALLERS: usize = 24;

async fn callers(world: &World) -> Vec<AccountsClient<Channel>> {
    let clients = [world.client(), world.replica().await];
    (0..CALLERS).map(|number| clients[number % 2].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_creation_many_times_at_once_makes_one_record_and_one_event() {
    let world = World::start().await;
    let seller = world.seller().await;
    let before = world.count("SELECT last_value FROM pg_sequences WHERE sequencename = 'outbox_seq_seq'").await;
    let request = buyer_request(BuyerId::new());
    let answers = join_all(callers(&world).await.into_iter().map(|mut client| {
        let request = as_tenant(seller, request.clone());
        async move { client.create_buyer(request).await.unwrap().into_inner() }
    }))
    .await;
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let after = world.count("SELECT last_value FROM pg_sequences WHERE sequencename = 'outbox_seq_seq'").await;
    assert_eq!(after - before, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_with_many_contents_goes_to_one_of_them() {
    let world = World::start().await;
    let seller = world.seller().await;
    let id = BuyerId::new();
    let answers = join_all(callers(&world).await.into_iter().enumerate().map(|(number, mut client)| {
        let mut request = buyer_request(id);
        request.company_name = format!("Company {number}");
        async move { client.create_buyer(as_tenant(seller, request)).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().filter_map(|a| a.as_ref().err()).all(|refusal| stable_code(refusal) == "buyer_exists"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_update_is_lost_and_the_last_state_is_told_last() {
    let world = World::start().await;
    let seller = world.seller().await;
    let buyer = world.buyer(seller).await;
    // Each caller switches between two states, so that every call is a change.
    let switch = |status: Status, name: String| UpdateBuyerRequest {
        buyer_id: buyer.buyer_id.clone(),
        status: Some(status.into()),
        company_name: Some(name),
        ..Default::default()
    };
    let versions = join_all(callers(&world).await.into_iter().enumerate().map(|(number, mut client)| {
        let one = as_tenant(seller, switch(Status::Paused, format!("{number} a")));
        let two = as_tenant(seller, switch(Status::Active, format!("{number} b")));
        async move {
            let first = client.update_buyer(one).await.unwrap().into_inner().version;
            let second = client.update_buyer(two).await.unwrap().into_inner().version;
            [first, second]
        }
    }))
    .await;
    let versions: HashSet<u64> = versions.into_iter().flatten().collect();
    let last = 2 * CALLERS as u64 + 1;
    assert_eq!(versions, (2..=last).collect());
    world.outbox_is_empty().await;
    let event = world.follow().wait_for::<BuyerChanged>(&buyer.buyer_id, |_| true).await;
    assert_eq!(event.version, last);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_something_else_of_a_seller_leaves_its_retention() {
    let world = World::start().await;
    let seller = world.seller().await;
    let change = |days: Option<u32>, name: Option<String>| UpdateSellerRequest {
        seller_id: seller.to_string(),
        retention_days: days,
        company_name: name,
        ..Default::default()
    };
    // Each of one kind is a change, and the other kind's are under way meanwhile.
    let all = callers(&world).await.into_iter().enumerate().map(|(number, mut client)| {
        let request = match number {
            0 => change(Some(30), None),
            _ => change(None, Some(format!("Company {number}"))),
        };
        async move { client.update_seller(as_tenant(seller, request)).await.unwrap().into_inner() }
    });
    let versions: HashSet<u64> = join_all(all).await.iter().map(|seller| seller.version).collect();
    assert_eq!(versions.len(), CALLERS);
    let kept = "SELECT days::bigint FROM accounts.retention WHERE seller_id = (SELECT seller_id FROM accounts.sellers)";
    assert_eq!(world.count(kept).await, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_at_once_are_five() {
    let world = World::start().await;
    let seller = world.seller().await;
    let supplier = world.supplier(seller).await;
    let answers = join_all(callers(&world).await.into_iter().map(|mut client| {
        let request =
            CreateApiKeyRequest { supplier_id: supplier.supplier_id.clone(), key_id: ApiKeyId::new().to_string() };
        async move { client.create_api_key(as_tenant(seller, request)).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5);
    assert_eq!(world.count("SELECT count(*) FROM accounts.api_keys").await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_many_rotations_at_once_one_key_works_and_it_was_shown() {
    let world = World::start().await;
    let seller = world.seller().await;
    let supplier = world.supplier(seller).await;
    let shown = join_all(callers(&world).await.into_iter().map(|mut client| {
        let request = RotateApiKeyRequest {
            supplier_id: supplier.supplier_id.clone(),
            key_id: ApiKeyId::new().to_string(),
            overlap_seconds: 0,
        };
        async move { client.rotate_api_key(as_tenant(seller, request)).await.unwrap().into_inner() }
    }))
    .await;
    let newest = shown.iter().filter_map(|answer| answer.supplier.as_ref()).map(|s| s.version).max().unwrap();
    assert_eq!(newest, CALLERS as u64 + 1);
    world.outbox_is_empty().await;
    let event = world.follow().wait_for::<SupplierChanged>(&supplier.supplier_id, |_| true).await;
    let last = shown.iter().find(|answer| answer.supplier.as_ref().unwrap().version == newest).unwrap();
    assert_eq!(event.keys.len(), 1);
    assert_eq!(event.keys[0].sha256, <sha2::Sha256 as sha2::Digest>::digest(&last.api_key).to_vec());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_id_many_times_at_once_shows_one_text() {
    let world = World::start().await;
    let seller = world.seller().await;
    let supplier = world.supplier(seller).await;
    let request =
        CreateApiKeyRequest { supplier_id: supplier.supplier_id.clone(), key_id: ApiKeyId::new().to_string() };
    let answers = join_all(callers(&world).await.into_iter().map(|mut client| {
        let request = as_tenant(seller, request.clone());
        async move { client.create_api_key(request).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().filter_map(|a| a.as_ref().err()).all(|refusal| stable_code(refusal) == "api_key_exists"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_changes_made_for_one_version_one_is_carried_out() {
    let world = World::start().await;
    let seller = world.seller().await;
    let (buyer, supplier) = (world.buyer(seller).await, world.supplier(seller).await);
    let answers = join_all(callers(&world).await.into_iter().enumerate().map(|(number, mut client)| {
        let change = UpdateBuyerRequest {
            buyer_id: buyer.buyer_id.clone(),
            company_name: Some(format!("Company {number}")),
            expected_version: Some(buyer.version),
            ..Default::default()
        };
        async move { client.update_buyer(as_tenant(seller, change)).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().filter_map(|a| a.as_ref().err()).all(|refusal| stable_code(refusal) == "changed_meanwhile"));
    let renamed = |name: &str| UpdateSupplierRequest {
        supplier_id: supplier.supplier_id.clone(),
        name: Some(name.to_owned()),
        expected_version: Some(supplier.version),
        ..Default::default()
    };
    let mut client = world.client();
    let now = client.update_supplier(as_tenant(seller, renamed("First"))).await.unwrap().into_inner();
    assert_eq!(now.version, supplier.version + 1);
    let late = client.update_supplier(as_tenant(seller, renamed("Late"))).await.unwrap_err();
    assert_eq!((late.code(), stable_code(&late)), (Code::Aborted, "changed_meanwhile"));
    // Who missed the answer sends the same again.
    assert_eq!(client.update_supplier(as_tenant(seller, renamed("First"))).await.unwrap().into_inner(), now);
}
