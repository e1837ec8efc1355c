//! Sellers, buyers and suppliers as records.

use leadflow_contracts::{
    accounts::{CategoryList, ListBuyersRequest, UpdateBuyerRequest, UpdateSellerRequest, UpdateSupplierRequest},
    common::{Money, Status},
};
use leadflow_kernel::{BuyerId, CategoryId, SellerId};

use crate::world::{World, as_tenant, buyer_request, code, seller_request, supplier_request};

fn dollars(amount: &str) -> Option<Money> {
    Some(Money { amount: amount.into(), currency: "USD".into() })
}

#[tokio::test]
async fn a_new_seller_has_the_documented_defaults() {
    let world = World::start().await;
    let id = SellerId::new();
    let seller = world.client().create_seller(as_tenant(id, seller_request(id))).await.unwrap().into_inner();
    assert_eq!(seller.seller_id, id.to_string());
    assert_eq!((seller.version, seller.status()), (1, Status::Active));
    assert_eq!(seller.time_zone, "America/New_York");
    assert_eq!((seller.currency.as_str(), seller.platform_fee_percent.as_str()), ("USD", "5"));
}

#[tokio::test]
async fn a_fee_of_zero_stays_zero() {
    let world = World::start().await;
    let id = SellerId::new();
    let mut request = seller_request(id);
    request.platform_fee_percent = "0".into();
    let seller = world.client().create_seller(as_tenant(id, request)).await.unwrap().into_inner();
    assert_eq!(seller.platform_fee_percent, "0");
}

#[tokio::test]
async fn the_same_creation_again_answers_the_record_as_it_is_and_other_content_is_refused() {
    let world = World::start().await;
    let id = SellerId::new();
    let request = seller_request(id);
    world.client().create_seller(as_tenant(id, request.clone())).await.unwrap();
    let update = UpdateSellerRequest {
        seller_id: id.to_string(),
        company_name: Some("Acme Renamed".into()),
        platform_fee_percent: Some("7.25".into()),
        ..Default::default()
    };
    world.client().update_seller(as_tenant(id, update)).await.unwrap();

    // The caller's retry of the first request, late: still the same request.
    let again = world.client().create_seller(as_tenant(id, request.clone())).await.unwrap().into_inner();
    assert_eq!((again.company_name.as_str(), again.version), ("Acme Renamed", 2));
    // The defaults written out are the same content as the defaults left out.
    let mut explicit = request.clone();
    (explicit.time_zone, explicit.currency) = ("America/New_York".into(), "USD".into());
    assert!(world.client().create_seller(as_tenant(id, explicit)).await.is_ok());
    let mut other = request;
    other.company_name = "Somebody Else".into();
    assert_eq!(code(world.client().create_seller(as_tenant(id, other)).await), "seller_exists");

    let seller = world.seller().await;
    let buyer = buyer_request(BuyerId::new());
    let first = world.client().create_buyer(as_tenant(seller, buyer.clone())).await.unwrap().into_inner();
    let second = world.client().create_buyer(as_tenant(seller, buyer.clone())).await.unwrap().into_inner();
    assert_eq!(first, second);
    let mut other = buyer;
    other.weekly_spending_limit = dollars("0");
    assert_eq!(code(world.client().create_buyer(as_tenant(seller, other)).await), "buyer_exists");

    let supplier = supplier_request(leadflow_kernel::SupplierId::new());
    let first = world.client().create_supplier(as_tenant(seller, supplier.clone())).await.unwrap().into_inner();
    world.key(seller, &first).await;
    let second = world.client().create_supplier(as_tenant(seller, supplier.clone())).await.unwrap().into_inner();
    assert_eq!((second.version, second.keys.len()), (2, 1));
    let mut other = supplier;
    other.category_ids.clear();
    assert_eq!(code(world.client().create_supplier(as_tenant(seller, other)).await), "supplier_exists");
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_counts_the_version() {
    let world = World::start().await;
    let seller = world.seller().await;
    let buyer = world.buyer(seller).await;
    assert_eq!((buyer.priority, buyer.version), (5, 1));
    let update = |change: UpdateBuyerRequest| {
        let request = UpdateBuyerRequest { buyer_id: buyer.buyer_id.clone(), ..change };
        let mut client = world.client();
        async move { client.update_buyer(as_tenant(seller, request)).await.unwrap().into_inner() }
    };
    let next = update(UpdateBuyerRequest {
        priority: Some(9),
        weekly_spending_limit: dollars("250.5"),
        monthly_spending_limit: dollars("0"),
        ..Default::default()
    })
    .await;
    assert_eq!((next.priority, next.version), (9, 2));
    assert_eq!((next.weekly_spending_limit, next.monthly_spending_limit), (dollars("250.50"), dollars("0.00")));
    let next = update(UpdateBuyerRequest { clear_monthly_spending_limit: true, ..Default::default() }).await;
    assert_eq!((next.monthly_spending_limit, next.version), (None, 3));
    let same = update(UpdateBuyerRequest { priority: Some(9), ..Default::default() }).await;
    assert_eq!(same.version, 3);

    let supplier = world.supplier(seller).await;
    let category = CategoryId::new().to_string();
    let request = UpdateSupplierRequest {
        supplier_id: supplier.supplier_id,
        categories: Some(CategoryList { category_ids: vec![category.clone(), category.clone()] }),
        posts_per_second: Some(50),
        status: Some(Status::Paused.into()),
        ..Default::default()
    };
    let next = world.client().update_supplier(as_tenant(seller, request)).await.unwrap().into_inner();
    assert_eq!((next.category_ids, next.posts_per_second, next.version), (vec![category], 50, 2));
    assert_eq!(Status::try_from(next.status), Ok(Status::Paused));
}

#[tokio::test]
async fn what_is_archived_stays_archived() {
    let world = World::start().await;
    let seller = world.seller().await;
    let buyer = world.buyer(seller).await;
    let set = |status: Status| UpdateBuyerRequest {
        buyer_id: buyer.buyer_id.clone(),
        status: Some(status.into()),
        ..Default::default()
    };
    world.client().update_buyer(as_tenant(seller, set(Status::Archived))).await.unwrap();
    assert_eq!(code(world.client().update_buyer(as_tenant(seller, set(Status::Active))).await), "buyer_archived");
    // A repeat of the archiving is not an error.
    assert!(world.client().update_buyer(as_tenant(seller, set(Status::Archived))).await.is_ok());

    let archive = UpdateSellerRequest {
        seller_id: seller.to_string(),
        status: Some(Status::Archived.into()),
        ..Default::default()
    };
    world.client().update_seller(as_tenant(seller, archive)).await.unwrap();
    let answer = world.client().create_buyer(as_tenant(seller, buyer_request(BuyerId::new()))).await;
    assert_eq!(code(answer), "seller_archived");
}

#[tokio::test]
async fn buyers_are_listed_page_by_page() {
    let world = World::start().await;
    let seller = world.seller().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(world.buyer(seller).await.buyer_id);
    }
    ids.sort();
    let mut listed = Vec::new();
    loop {
        let after = listed.last().cloned().unwrap_or_default();
        let request = ListBuyersRequest { limit: 2, after };
        let page = world.client().list_buyers(as_tenant(seller, request)).await.unwrap().into_inner().buyers;
        if page.is_empty() {
            break;
        }
        listed.extend(page.into_iter().map(|buyer| buyer.buyer_id));
    }
    assert_eq!(listed, ids);
}
