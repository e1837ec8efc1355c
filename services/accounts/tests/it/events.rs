//! What the directory is told.

use leadflow_contracts::{
    accounts::{CreateBuyerRequest, CreateSellerRequest, UpdateSellerRequest},
    common::{Money, Status},
    events::{BuyerChanged, SellerChanged, SupplierChanged},
};
use leadflow_kernel::{BuyerId, SellerId};

use crate::world::{World, as_tenant, buyer_request, seller_request};

#[tokio::test]
async fn an_event_carries_the_whole_state() {
    let world = World::start().await;
    let id = SellerId::new();
    let request = CreateSellerRequest {
        time_zone: "America/Los_Angeles".into(),
        currency: "CAD".into(),
        platform_fee_percent: "2.50".into(),
        posts_per_second: 200,
        ..seller_request(id)
    };
    world.client().create_seller(as_tenant(id, request)).await.unwrap();
    let seen = world.follow();
    let event = seen.wait_for::<SellerChanged>(id, |_| true).await;
    let expected = SellerChanged {
        seller_id: id.to_string(),
        version: 1,
        company_name: "Acme Leads".into(),
        status: Status::Active.into(),
        time_zone: "America/Los_Angeles".into(),
        currency: "CAD".into(),
        platform_fee_percent: "2.5".into(),
        posts_per_second: 200,
        retention_days: 0,
    };
    assert_eq!(event, expected);

    let limit = Money { amount: "99.90".into(), currency: "CAD".into() };
    let buyer = BuyerId::new();
    let request =
        CreateBuyerRequest { priority: 7, weekly_spending_limit: Some(limit.clone()), ..buyer_request(buyer) };
    world.client().create_buyer(as_tenant(id, request)).await.unwrap();
    let event = seen.wait_for::<BuyerChanged>(buyer, |_| true).await;
    let expected = BuyerChanged {
        buyer_id: buyer.to_string(),
        seller_id: id.to_string(),
        version: 1,
        company_name: "XYZ Agency".into(),
        status: Status::Active.into(),
        priority: 7,
        weekly_spending_limit: Some(limit),
        monthly_spending_limit: None,
    };
    assert_eq!(event, expected);

    let supplier = world.supplier(id).await;
    let event = seen.wait_for::<SupplierChanged>(&supplier.supplier_id, |_| true).await;
    assert_eq!((&event.seller_id, &event.category_ids), (&supplier.seller_id, &supplier.category_ids));
    assert_eq!((event.keys.len(), event.version, event.name.as_str()), (0, 1, "Leads Inc"));
}

#[tokio::test]
async fn what_changes_nothing_is_not_told() {
    let world = World::start().await;
    let id = SellerId::new();
    world.client().create_seller(as_tenant(id, seller_request(id))).await.unwrap();
    world.client().create_seller(as_tenant(id, seller_request(id))).await.unwrap();
    let same = UpdateSellerRequest { seller_id: id.to_string(), posts_per_second: Some(0), ..Default::default() };
    world.client().update_seller(as_tenant(id, same)).await.unwrap();
    let appended =
        world.count("SELECT coalesce(last_value, 0) FROM pg_sequences WHERE sequencename = 'outbox_seq_seq'");
    assert_eq!(appended.await, 1);
}

#[tokio::test]
async fn the_newest_state_is_what_stays_in_the_stream() {
    let world = World::start().await;
    let id = world.seller().await;
    for version in 2..=30_u32 {
        let request =
            UpdateSellerRequest { seller_id: id.to_string(), posts_per_second: Some(version), ..Default::default() };
        world.client().update_seller(as_tenant(id, request)).await.unwrap();
    }
    world.outbox_is_empty().await;
    let seen = world.follow();
    let event = seen.wait_for::<SellerChanged>(id, |_| true).await;
    assert_eq!((event.version, event.posts_per_second), (30, 30));
}
