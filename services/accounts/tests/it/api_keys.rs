//! API keys: made, shown once, rotated, revoked.

use leadflow_contracts::{
    accounts::{CreateApiKeyRequest, RevokeApiKeyRequest, RotateApiKeyRequest, UpdateSupplierRequest},
    common::Status,
    events::SupplierChanged,
};
use leadflow_kernel::{ApiKeyId, Clock as _};
use sha2::{Digest as _, Sha256};

use crate::world::{World, as_tenant, code, ms};

#[tokio::test]
async fn a_keys_text_is_shown_once_and_only_its_hash_is_kept() {
    let world = World::start().await;
    let seller = world.seller().await;
    let supplier = world.supplier(seller).await;
    let seen = world.follow();
    let issued = world.key(seller, &supplier).await;
    let text = issued.api_key;
    assert!(text.starts_with("sk_") && text.len() == 46, "{} characters", text.len());
    let info = &issued.supplier.as_ref().unwrap().keys[0];
    assert_eq!(info.hint, text[..8]);

    let sha256 = Sha256::digest(&text).to_vec();
    let stored: Vec<u8> =
        sqlx::query_scalar("SELECT sha256 FROM accounts.api_keys").fetch_one(world.db.pool()).await.unwrap();
    assert_eq!(stored, sha256);
    let rows: String = sqlx::query_scalar("SELECT string_agg(k::text, '') FROM accounts.api_keys k")
        .fetch_one(world.db.pool())
        .await
        .unwrap();
    assert!(!rows.contains(&text[8..]), "the text is in the table");
    let event = seen.wait_for::<SupplierChanged>(&supplier.supplier_id, |e| e.version == 2).await;
    assert_eq!(event.keys[0].sha256, sha256);
    assert_ne!(text, world.key(seller, &supplier).await.api_key);
}

#[tokio::test]
async fn the_same_key_id_again_is_refused_because_its_text_is_gone() {
    let world = World::start().await;
    let seller = world.seller().await;
    let supplier = world.supplier(seller).await;
    let request = CreateApiKeyRequest { supplier_id: supplier.supplier_id, key_id: ApiKeyId::new().to_string() };
    world.client().create_api_key(as_tenant(seller, request.clone())).await.unwrap();
    assert_eq!(code(world.client().create_api_key(as_tenant(seller, request.clone())).await), "api_key_exists");
    let rotate = RotateApiKeyRequest { supplier_id: request.supplier_id, key_id: request.key_id, overlap_seconds: 60 };
    assert_eq!(code(world.client().rotate_api_key(as_tenant(seller, rotate)).await), "api_key_exists");
}

#[tokio::test]
async fn a_rotation_lets_the_old_key_work_for_the_overlap() {
    let world = World::start().await;
    let seller = world.seller().await;
    let supplier = world.supplier(seller).await;
    let seen = world.follow();
    let old = world.key(seller, &supplier).await.supplier.unwrap().keys[0].key_id.clone();
    let key_id = ApiKeyId::new().to_string();
    let request = RotateApiKeyRequest {
        supplier_id: supplier.supplier_id.clone(),
        key_id: key_id.clone(),
        overlap_seconds: 3600,
    };
    world.client().rotate_api_key(as_tenant(seller, request)).await.unwrap();
    let event = seen.wait_for::<SupplierChanged>(&supplier.supplier_id, |e| e.version == 3).await;
    let ends: Vec<_> = event.keys.iter().map(|key| (key.key_id.as_str(), key.expires_at_ms)).collect();
    assert_eq!(ends, [(old.as_str(), ms(world.clock.now()) + 3_600_000), (key_id.as_str(), 0)]);

    // Once it has ended it is not told of any more.
    world.advance(3600);
    world.key(seller, &supplier).await;
    let event = seen.wait_for::<SupplierChanged>(&supplier.supplier_id, |e| e.version == 4).await;
    assert!(event.keys.iter().all(|key| key.key_id != old));
}

#[tokio::test]
async fn a_rotation_without_overlap_and_a_revocation_end_keys_at_once() {
    let world = World::start().await;
    let seller = world.seller().await;
    let supplier = world.supplier(seller).await;
    let seen = world.follow();
    world.key(seller, &supplier).await;
    let key_id = ApiKeyId::new().to_string();
    let supplier_id = supplier.supplier_id;
    let request = RotateApiKeyRequest { supplier_id: supplier_id.clone(), key_id: key_id.clone(), overlap_seconds: 0 };
    world.client().rotate_api_key(as_tenant(seller, request)).await.unwrap();
    let event = seen.wait_for::<SupplierChanged>(&supplier_id, |e| e.version == 3).await;
    assert_eq!(event.keys.iter().map(|key| &key.key_id).collect::<Vec<_>>(), [&key_id]);

    let request = RevokeApiKeyRequest { supplier_id: supplier_id.clone(), key_id: key_id.clone() };
    let after = world.client().revoke_api_key(as_tenant(seller, request.clone())).await.unwrap().into_inner();
    assert_eq!(after.version, 4);
    assert_eq!(after.keys.last().unwrap().revoked_at_ms, ms(world.clock.now()));
    let event = seen.wait_for::<SupplierChanged>(&supplier_id, |e| e.version == 4).await;
    assert_eq!(event.keys, []);
    // Once more: nothing changes. An id that never was: refused.
    let again = world.client().revoke_api_key(as_tenant(seller, request)).await.unwrap().into_inner();
    assert_eq!(again.version, 4);
    let unknown = RevokeApiKeyRequest { supplier_id, key_id: ApiKeyId::new().to_string() };
    assert_eq!(code(world.client().revoke_api_key(as_tenant(seller, unknown)).await), "api_key_not_found");
}

#[tokio::test]
async fn no_more_than_five_keys_work_and_ended_ones_do_not_count() {
    let world = World::start().await;
    let seller = world.seller().await;
    let supplier = world.supplier(seller).await;
    let mut last = String::new();
    for _ in 0..5 {
        last = world.key(seller, &supplier).await.supplier.unwrap().keys.last().unwrap().key_id.clone();
    }
    let one_more =
        || CreateApiKeyRequest { supplier_id: supplier.supplier_id.clone(), key_id: ApiKeyId::new().to_string() };
    assert_eq!(code(world.client().create_api_key(as_tenant(seller, one_more())).await), "too_many_api_keys");
    let revoke = RevokeApiKeyRequest { supplier_id: supplier.supplier_id.clone(), key_id: last };
    world.client().revoke_api_key(as_tenant(seller, revoke)).await.unwrap();
    assert!(world.client().create_api_key(as_tenant(seller, one_more())).await.is_ok());
}

#[tokio::test]
async fn a_supplier_with_a_long_history_still_has_all_its_working_keys() {
    let world = World::start().await;
    let seller = world.seller().await;
    let supplier = world.supplier(seller).await;
    let first = world.key(seller, &supplier).await.supplier.unwrap().keys[0].key_id.clone();
    // Sixty keys made and ended after the first, which still works.
    sqlx::query(
        "INSERT INTO accounts.api_keys (key_id, supplier_id, seller_id, sha256, hint, created_at, revoked_at) \
         SELECT gen_random_uuid(), supplier_id, seller_id, sha256(n::text::bytea), 'sk_old', \
                created_at + n * interval '1 minute', created_at + n * interval '2 minutes' \
         FROM accounts.api_keys, generate_series(1, 60) n",
    )
    .execute(world.db.pool())
    .await
    .unwrap();
    world.advance(86_400);
    let after = world.key(seller, &supplier).await.supplier.unwrap();
    assert!(after.keys.iter().any(|key| key.key_id == first));
    assert!(after.keys.len() <= 51);
}

#[tokio::test]
async fn an_archived_supplier_gets_no_key_but_its_keys_can_be_revoked() {
    let world = World::start().await;
    let seller = world.seller().await;
    let supplier = world.supplier(seller).await;
    let key_id = world.key(seller, &supplier).await.supplier.unwrap().keys[0].key_id.clone();
    let supplier_id = supplier.supplier_id;
    let archive = UpdateSupplierRequest {
        supplier_id: supplier_id.clone(),
        status: Some(Status::Archived.into()),
        ..Default::default()
    };
    world.client().update_supplier(as_tenant(seller, archive)).await.unwrap();
    let request = CreateApiKeyRequest { supplier_id: supplier_id.clone(), key_id: ApiKeyId::new().to_string() };
    assert_eq!(code(world.client().create_api_key(as_tenant(seller, request)).await), "supplier_archived");
    let request = RevokeApiKeyRequest { supplier_id, key_id };
    assert!(world.client().revoke_api_key(as_tenant(seller, request)).await.is_ok());
}
