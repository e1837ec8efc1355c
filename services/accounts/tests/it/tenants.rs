//! Tenants as those see them who run the platform.

use leadflow_contracts::{
    accounts::{GetSellerRequest, ListSellersRequest, SellerRow, UpdateSellerRequest},
    common::Status,
};
use leadflow_kernel::SellerId;

use crate::{
    someone::{PASSWORD, tenant},
    world::{World, as_tenant, code, unbound},
};

fn ids(rows: &[SellerRow]) -> Vec<String> {
    rows.iter().map(|row| row.seller.clone().unwrap().seller_id).collect()
}

#[tokio::test]
async fn tenants_are_listed_searched_and_counted() {
    let world = World::start().await;
    let mut all = Vec::new();
    for name in ["sam", "sue", "sid"] {
        all.push(tenant(&world.registered_seller(&format!("{name}@example.com")).await.user.unwrap()));
        world.advance(1);
    }
    world.registered_buyer("bea@example.com", &world.invite_code(all[0]).await).await;
    world.supplier(all[0]).await;
    let list = async |request: ListSellersRequest| {
        world.client().list_sellers(unbound(request)).await.unwrap().into_inner().sellers
    };
    let usual = || ListSellersRequest { limit: 10, ..Default::default() };
    let newest_first: Vec<String> = all.iter().rev().map(ToString::to_string).collect();
    assert_eq!(ids(&list(usual()).await), newest_first);
    let page = list(ListSellersRequest { limit: 2, ..usual() }).await;
    assert_eq!(ids(&page), newest_first[..2]);
    let next = list(ListSellersRequest { after: newest_first[1].clone(), ..usual() }).await;
    assert_eq!(ids(&next), newest_first[2..]);
    let first = &next[0];
    assert_eq!((first.owner_email.as_str(), first.team_count), ("sam@example.com", 1));
    assert_eq!((first.buyer_count, first.supplier_count), (1, 1));
    for (search, count) in [("SUE@", 1), ("acme", 3), ("bea@", 0), ("%", 0), ("_", 0), ("  sid ", 1)] {
        assert_eq!(list(ListSellersRequest { search: search.into(), ..usual() }).await.len(), count, "{search}");
    }
    let change = UpdateSellerRequest {
        seller_id: all[1].to_string(),
        status: Some(Status::Paused.into()),
        ..Default::default()
    };
    world.client().update_seller(as_tenant(all[1], change)).await.unwrap();
    let suspended = ListSellersRequest { statuses: vec![Status::Paused.into()], ..usual() };
    assert_eq!(ids(&list(suspended).await), [all[1].to_string()]);
    let one = GetSellerRequest { seller_id: all[0].to_string() };
    assert_eq!(&world.client().get_seller(unbound(one)).await.unwrap().into_inner(), first);
    let none = GetSellerRequest { seller_id: SellerId::new().to_string() };
    assert_eq!(code(world.client().get_seller(unbound(none)).await), "seller_not_found");
    let many = ListSellersRequest { limit: 501, ..Default::default() };
    assert_eq!(code(world.client().list_sellers(unbound(many)).await), "invalid_field");
}

#[tokio::test]
async fn a_tenant_put_out_of_use_has_no_session_left_and_signs_in_anew() {
    let world = World::start().await;
    let seller = world.registered_seller("sam@example.com").await;
    let own = tenant(seller.user.as_ref().unwrap());
    world.registered_buyer("bea@example.com", &seller.invite_code).await;
    let sessions = [world.session("sam@example.com").await.token, world.session("bea@example.com").await.token];
    world.registered_seller("sue@example.com").await;
    let other = world.session("sue@example.com").await.token;
    let put = async |status: Status| {
        let change =
            UpdateSellerRequest { seller_id: own.to_string(), status: Some(status.into()), ..Default::default() };
        world.client().update_seller(as_tenant(own, change)).await.unwrap();
    };
    put(Status::Paused).await;
    for token in &sessions {
        assert!(world.whose(token).await.is_none());
    }
    assert_eq!(code(world.log_in("bea@example.com", PASSWORD).await), "account_suspended");
    put(Status::Active).await;
    for token in &sessions {
        assert!(world.whose(token).await.is_none(), "they ended for good");
    }
    world.session("bea@example.com").await;
    assert!(world.whose(&other).await.is_some());
}
