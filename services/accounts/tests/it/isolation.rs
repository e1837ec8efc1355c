//! No tenant sees, changes or takes over anything of another, nor learns that it exists.

use leadflow_contracts::{
    accounts::{
        CreateAdminRequest, CreateApiKeyRequest, ListBuyersRequest, ListInvitationsRequest, ListUsersRequest,
        RevokeApiKeyRequest, RotateApiKeyRequest, UpdateBuyerRequest, UpdateSellerRequest, UpdateSupplierRequest,
    },
    audit::ListEntriesRequest,
};
use leadflow_kernel::{ApiKeyId, BuyerId, SellerId, SupplierId};
use tonic::{Code, Request};

use crate::{
    someone::tenant,
    world::{World, as_tenant, buyer_request, code, seller_request, supplier_request, unbound},
};

#[tokio::test]
async fn another_tenants_records_are_not_found() {
    let world = World::start().await;
    let (mine, theirs) = (world.seller().await, world.seller().await);
    let buyer = world.buyer(theirs).await;
    let supplier = world.supplier(theirs).await;
    let key = world.key(theirs, &supplier).await.supplier.unwrap().keys[0].key_id.clone();
    let before = world.count("SELECT count(*)::bigint * 1000 + sum(version)::bigint FROM accounts.suppliers").await;
    let mut client = world.client();

    let rename = UpdateSellerRequest {
        seller_id: theirs.to_string(),
        company_name: Some("Mine Now".into()),
        ..Default::default()
    };
    assert_eq!(code(client.update_seller(as_tenant(mine, rename)).await), "seller_not_found");
    let request = UpdateBuyerRequest { buyer_id: buyer.buyer_id, priority: Some(10), ..Default::default() };
    assert_eq!(code(client.update_buyer(as_tenant(mine, request)).await), "buyer_not_found");
    let supplier_id = supplier.supplier_id;
    let request =
        UpdateSupplierRequest { supplier_id: supplier_id.clone(), name: Some("Mine".into()), ..Default::default() };
    assert_eq!(code(client.update_supplier(as_tenant(mine, request)).await), "supplier_not_found");
    let key_id = ApiKeyId::new().to_string();
    let request = CreateApiKeyRequest { supplier_id: supplier_id.clone(), key_id: key_id.clone() };
    assert_eq!(code(client.create_api_key(as_tenant(mine, request)).await), "supplier_not_found");
    let request = RotateApiKeyRequest { supplier_id: supplier_id.clone(), key_id, overlap_seconds: 0 };
    assert_eq!(code(client.rotate_api_key(as_tenant(mine, request)).await), "supplier_not_found");
    let request = RevokeApiKeyRequest { supplier_id, key_id: key };
    assert_eq!(code(client.revoke_api_key(as_tenant(mine, request)).await), "supplier_not_found");

    let after = world.count("SELECT count(*)::bigint * 1000 + sum(version)::bigint FROM accounts.suppliers").await;
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_list_holds_only_the_tenants_own() {
    let world = World::start().await;
    let (mine, theirs) = (world.seller().await, world.seller().await);
    let own = world.buyer(mine).await;
    world.buyer(theirs).await;
    let request = ListBuyersRequest { limit: 500, after: String::new() };
    let listed = world.client().list_buyers(as_tenant(mine, request)).await.unwrap().into_inner().buyers;
    assert_eq!(listed, [own]);
}

#[tokio::test]
async fn another_tenants_id_cannot_be_used_again_and_nothing_of_it_is_told() {
    let world = World::start().await;
    let (mine, theirs) = (world.seller().await, world.seller().await);
    let (buyer, supplier, key) = (BuyerId::new(), SupplierId::new(), ApiKeyId::new().to_string());
    let mut client = world.client();
    client.create_buyer(as_tenant(theirs, buyer_request(buyer))).await.unwrap();
    client.create_supplier(as_tenant(theirs, supplier_request(supplier))).await.unwrap();
    let request = CreateApiKeyRequest { supplier_id: supplier.to_string(), key_id: key.clone() };
    client.create_api_key(as_tenant(theirs, request)).await.unwrap();

    // Byte for byte the request of the other tenant, so that only the tenant differs.
    assert_eq!(code(client.create_buyer(as_tenant(mine, buyer_request(buyer))).await), "buyer_exists");
    assert_eq!(code(client.create_supplier(as_tenant(mine, supplier_request(supplier))).await), "supplier_exists");
    let own = world.supplier(mine).await;
    let request = CreateApiKeyRequest { supplier_id: own.supplier_id, key_id: key };
    assert_eq!(code(client.create_api_key(as_tenant(mine, request)).await), "api_key_exists");
    assert_eq!(world.count("SELECT count(*) FROM accounts.api_keys").await, 1);
}

#[tokio::test]
async fn a_seller_is_made_in_its_own_name_and_nothing_is_made_without_a_seller() {
    let world = World::start().await;
    let (one, other) = (SellerId::new(), SellerId::new());
    let mut client = world.client();
    assert_eq!(code(client.create_seller(as_tenant(other, seller_request(one))).await), "seller_not_found");
    assert_eq!(code(client.create_buyer(as_tenant(one, buyer_request(BuyerId::new()))).await), "seller_not_found");
    let answer = client.create_supplier(as_tenant(one, supplier_request(SupplierId::new()))).await;
    assert_eq!(code(answer), "seller_not_found");
    assert_eq!(world.count("SELECT count(*) FROM accounts.sellers").await, 0);
}

#[tokio::test]
async fn without_the_service_token_or_a_tenant_nothing_is_answered() {
    let world = World::start().await;
    let seller = world.seller().await;
    let request = ListBuyersRequest { limit: 1, after: String::new() };
    let mut client = world.client();
    let answer = client.list_buyers(Request::new(request.clone())).await.unwrap_err();
    assert_eq!(answer.code(), Code::Unauthenticated);
    let mut wrong = as_tenant(seller, request.clone());
    wrong.metadata_mut().insert("authorization", "Bearer something else".parse().unwrap());
    assert_eq!(client.list_buyers(wrong).await.unwrap_err().code(), Code::Unauthenticated);
    let mut nobody = as_tenant(seller, request);
    nobody.metadata_mut().remove("x-leadflow-tenant");
    assert_eq!(code(client.list_buyers(nobody).await), "tenant_missing");
}

#[tokio::test]
async fn people_too_are_only_for_services_and_tenants_questions_only_with_a_tenant() {
    let world = World::start().await;
    let seller = world.registered_seller("sam@example.com").await.user.unwrap();
    let mut people = world.people();
    let admin = CreateAdminRequest {
        user_id: leadflow_kernel::UserId::new().to_string(),
        email: "eve@example.com".into(),
        password: crate::someone::PASSWORD.into(),
        name: "Eve".into(),
    };
    assert_eq!(people.create_admin(Request::new(admin)).await.unwrap_err().code(), Code::Unauthenticated);
    let users = ListUsersRequest { team: true, ..Default::default() };
    assert_eq!(code(people.list_users(unbound(users)).await), "tenant_missing");
    let invitations = ListInvitationsRequest::default();
    assert_eq!(code(people.list_invitations(unbound(invitations)).await), "tenant_missing");
    let entries = ListEntriesRequest { limit: 1, ..Default::default() };
    let refused = world.audit().list_entries(Request::new(entries)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    // Another tenant's records name none of their people.
    let theirs = world.registered_buyer("bea@example.com", &world.invite_code(tenant(&seller)).await).await;
    let mine = world.seller().await;
    let users = ListUsersRequest { buyer_ids: vec![theirs.buyer_id], team: true, ..Default::default() };
    assert!(people.list_users(as_tenant(mine, users)).await.unwrap().into_inner().users.is_empty());
    let many = ListUsersRequest { buyer_ids: vec![BuyerId::new().to_string(); 501], ..Default::default() };
    assert_eq!(code(people.list_users(as_tenant(mine, many)).await), "invalid_field");
}
