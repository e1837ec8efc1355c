//! Requests that are not well-formed: each refused with a sentence that names the field, nothing stored.

use leadflow_contracts::{
    accounts::{
        CategoryList, CreateApiKeyRequest, CreateBuyerRequest, CreateSellerRequest, CreateSupplierRequest,
        ListBuyersRequest, RotateApiKeyRequest, UpdateBuyerRequest, UpdateSellerRequest, UpdateSupplierRequest,
    },
    common::{Money, Status},
};
use leadflow_kernel::{ApiKeyId, BuyerId, CategoryId, SellerId, SupplierId};
use leadflow_platform::grpc::stable_code;
use tonic::{Code, Response};

use crate::world::{World, as_tenant, buyer_request, seller_request, supplier_request};

fn names<T: std::fmt::Debug>(answer: Result<Response<T>, tonic::Status>, field: &str) {
    let refusal = answer.expect_err(field);
    assert_eq!((refusal.code(), stable_code(&refusal)), (Code::InvalidArgument, "invalid_field"), "{refusal:?}");
    assert!(refusal.message().contains(field), "{field}: {}", refusal.message());
}

fn money(amount: &str, currency: &str) -> Option<Money> {
    Some(Money { amount: amount.into(), currency: currency.into() })
}

#[tokio::test]
async fn sellers() {
    let world = World::start().await;
    let id = SellerId::new();
    let good = seller_request(id);
    let long = "x".repeat(201);
    let cases: Vec<(&str, CreateSellerRequest)> = vec![
        ("company_name", CreateSellerRequest { company_name: " ".into(), ..good.clone() }),
        ("company_name", CreateSellerRequest { company_name: long, ..good.clone() }),
        ("company_name", CreateSellerRequest { company_name: "a\u{0}b".into(), ..good.clone() }),
        ("time_zone", CreateSellerRequest { time_zone: "Middle/Earth".into(), ..good.clone() }),
        ("currency", CreateSellerRequest { currency: "dollars".into(), ..good.clone() }),
        ("platform_fee_percent", CreateSellerRequest { platform_fee_percent: "100.01".into(), ..good.clone() }),
        ("platform_fee_percent", CreateSellerRequest { platform_fee_percent: "-1".into(), ..good.clone() }),
        ("platform_fee_percent", CreateSellerRequest { platform_fee_percent: "0.005".into(), ..good.clone() }),
        ("platform_fee_percent", CreateSellerRequest { platform_fee_percent: "NaN".into(), ..good.clone() }),
        ("posts_per_second", CreateSellerRequest { posts_per_second: 100_001, ..good.clone() }),
    ];
    for (field, request) in cases {
        names(world.client().create_seller(as_tenant(id, request)).await, field);
    }
    let malformed = CreateSellerRequest { seller_id: BuyerId::new().to_string(), ..good.clone() };
    names(world.client().create_seller(as_tenant(id, malformed)).await, "seller_id");
    assert_eq!(world.count("SELECT count(*) FROM accounts.sellers").await, 0);

    world.client().create_seller(as_tenant(id, good)).await.unwrap();
    let same = UpdateSellerRequest { seller_id: id.to_string(), ..Default::default() };
    let cases = [
        ("company_name", UpdateSellerRequest { company_name: Some(String::new()), ..same.clone() }),
        ("time_zone", UpdateSellerRequest { time_zone: Some(String::new()), ..same.clone() }),
        ("platform_fee_percent", UpdateSellerRequest { platform_fee_percent: Some(String::new()), ..same.clone() }),
        ("status", UpdateSellerRequest { status: Some(Status::Unspecified.into()), ..same.clone() }),
        ("status", UpdateSellerRequest { status: Some(77), ..same.clone() }),
        ("posts_per_second", UpdateSellerRequest { posts_per_second: Some(u32::MAX), ..same.clone() }),
    ];
    for (field, request) in cases {
        names(world.client().update_seller(as_tenant(id, request)).await, field);
    }
    assert_eq!(world.count("SELECT version FROM accounts.sellers").await, 1);
}

#[tokio::test]
async fn buyers() {
    let world = World::start().await;
    let seller = world.seller().await;
    let good = buyer_request(BuyerId::new());
    let weekly = |limit| CreateBuyerRequest { weekly_spending_limit: limit, ..good.clone() };
    let cases = vec![
        ("buyer_id", CreateBuyerRequest { buyer_id: "buyer_1".into(), ..good.clone() }),
        ("company_name", CreateBuyerRequest { company_name: String::new(), ..good.clone() }),
        ("priority", CreateBuyerRequest { priority: 11, ..good.clone() }),
        ("weekly_spending_limit", weekly(money("-0.01", "USD"))),
        ("weekly_spending_limit", weekly(money("1.001", "USD"))),
        ("weekly_spending_limit", weekly(money("lots", "USD"))),
        ("weekly_spending_limit", weekly(money("10000000000", "USD"))),
        ("weekly_spending_limit", weekly(money("5", ""))),
        // Well-formed, but not the seller's currency.
        ("weekly_spending_limit", weekly(money("5", "EUR"))),
        ("monthly_spending_limit", CreateBuyerRequest { monthly_spending_limit: money("5", "EUR"), ..good.clone() }),
    ];
    for (field, request) in cases {
        names(world.client().create_buyer(as_tenant(seller, request)).await, field);
    }
    assert_eq!(world.count("SELECT count(*) FROM accounts.buyers").await, 0);

    let buyer = world.client().create_buyer(as_tenant(seller, good)).await.unwrap().into_inner();
    let same = UpdateBuyerRequest { buyer_id: buyer.buyer_id, ..Default::default() };
    let cases = [
        ("priority", UpdateBuyerRequest { priority: Some(0), ..same.clone() }),
        ("status", UpdateBuyerRequest { status: Some(0), ..same.clone() }),
        ("weekly_spending_limit", UpdateBuyerRequest { weekly_spending_limit: money("5", "EUR"), ..same.clone() }),
        (
            "monthly_spending_limit",
            UpdateBuyerRequest {
                monthly_spending_limit: money("5", "USD"),
                clear_monthly_spending_limit: true,
                ..same.clone()
            },
        ),
    ];
    for (field, request) in cases {
        names(world.client().update_buyer(as_tenant(seller, request)).await, field);
    }
    for (field, limit, after) in [("limit", 0, ""), ("limit", 501, ""), ("after", 1, "buyer_x")] {
        let request = ListBuyersRequest { limit, after: after.into() };
        names(world.client().list_buyers(as_tenant(seller, request)).await, field);
    }
}

#[tokio::test]
async fn suppliers_and_keys() {
    let world = World::start().await;
    let seller = world.seller().await;
    let good = supplier_request(SupplierId::new());
    let many = (0..501_u32).map(|n| CategoryId::derive(&[&n.to_be_bytes()]).to_string()).collect();
    let cases: Vec<(&str, CreateSupplierRequest)> = vec![
        ("supplier_id", CreateSupplierRequest { supplier_id: String::new(), ..good.clone() }),
        ("name", CreateSupplierRequest { name: "\t".into(), ..good.clone() }),
        ("category_ids", CreateSupplierRequest { category_ids: vec!["cat_1".into()], ..good.clone() }),
        ("category_ids", CreateSupplierRequest { category_ids: vec![SellerId::new().to_string()], ..good.clone() }),
        ("category_ids", CreateSupplierRequest { category_ids: many, ..good.clone() }),
        ("posts_per_second", CreateSupplierRequest { posts_per_second: 100_001, ..good.clone() }),
    ];
    for (field, request) in cases {
        names(world.client().create_supplier(as_tenant(seller, request)).await, field);
    }
    assert_eq!(world.count("SELECT count(*) FROM accounts.suppliers").await, 0);

    let supplier_id = world.supplier(seller).await.supplier_id;
    let same = UpdateSupplierRequest { supplier_id: supplier_id.clone(), ..Default::default() };
    let bad = CategoryList { category_ids: vec!["x".into()] };
    let cases = [
        ("name", UpdateSupplierRequest { name: Some(String::new()), ..same.clone() }),
        ("status", UpdateSupplierRequest { status: Some(-1), ..same.clone() }),
        ("category_ids", UpdateSupplierRequest { categories: Some(bad), ..same.clone() }),
    ];
    for (field, request) in cases {
        names(world.client().update_supplier(as_tenant(seller, request)).await, field);
    }
    let request = CreateApiKeyRequest { supplier_id: supplier_id.clone(), key_id: "key".into() };
    names(world.client().create_api_key(as_tenant(seller, request)).await, "key_id");
    let request =
        RotateApiKeyRequest { supplier_id, key_id: ApiKeyId::new().to_string(), overlap_seconds: 30 * 86_400 + 1 };
    names(world.client().rotate_api_key(as_tenant(seller, request)).await, "overlap_seconds");
    assert_eq!(world.count("SELECT count(*) FROM accounts.api_keys").await, 0);
}
