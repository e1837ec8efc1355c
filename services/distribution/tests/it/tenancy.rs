//! Tenants are kept apart by PostgreSQL, also where a statement forgets to.

use leadflow_contracts::{
    common::Logic,
    distribution::{
        GetCategoryRequest, ListPurchasesRequest, MarkViewedRequest, PutCategoryRequest, RequestErasureRequest,
        catalogue_server::Catalogue as _, distribution_server::Distribution as _, privacy_server::Privacy as _,
        returns_server::Returns as _,
    },
};
use leadflow_distribution::{SCHEMA, TENANT_ROLE, inbound::privacy::PrivacyService};
use leadflow_kernel::{BuyerId, CategoryId, SellerId};
use leadflow_platform::db::Tenants;
use leadflow_testkit::{tenancy, wait};
use tonic::Code;

use crate::support::*;

/// A tenant that has a row in every table: a sale that was looked at and asked back, and a campaign to be looked at again.
async fn busy_tenant(world: &World) -> (Tenant, Vec<BuyerId>) {
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 2).await;
    take_back(&app, tenant, campaign, policy()).await;
    app.decide_batch(&world.posts(tenant, campaign, 4)).await.unwrap();
    let catalogue = world.catalogue();
    let wanted = ListPurchasesRequest { buyer_id: buyers[0].to_string(), page: 1, limit: 10, ..Default::default() };
    let bought = catalogue.list_purchases(as_tenant(tenant.seller, wanted)).await.unwrap().into_inner().purchases;
    let looked_at =
        MarkViewedRequest { buyer_id: buyers[0].to_string(), assignment_id: bought[0].assignment_id.clone() };
    catalogue.mark_viewed(as_tenant(tenant.seller, looked_at)).await.unwrap();
    let wish = wish(buyers[0], &bought[0].assignment_id);
    world.returns(&app).request_return(as_tenant(tenant.seller, wish)).await.unwrap();
    let person = RequestErasureRequest { email: "ann@example.com".to_owned(), phone: String::new() };
    PrivacyService::new(app.clone()).request_erasure(as_tenant(tenant.seller, person)).await.unwrap();
    wait::until("leads are erased", PATIENCE, async || {
        while app.erase().await.unwrap() {}
        world.count("SELECT count(*) FROM distribution.erasures WHERE state <> 'done'").await == 0
    })
    .await;
    (tenant, buyers)
}

#[tokio::test]
async fn without_any_condition_only_the_tenants_rows_are_seen_and_changed() {
    let world = World::new().await;
    let ((mine, _), (theirs, _)) = (busy_tenant(&world).await, busy_tenant(&world).await);
    let tenants = Tenants::new(world.pool().clone(), TENANT_ROLE);
    let proven =
        tenancy::prove(world.pool(), SCHEMA, TENANT_ROLE, (mine.seller.uuid(), theirs.seller.uuid()), async |tenant| {
            tenants.begin(SellerId::from_uuid(tenant)).await.unwrap()
        })
        .await;
    let names: Vec<&str> = proven.iter().filter_map(|name| name.strip_prefix("distribution.")).collect();
    let all = [
        "assignment_views",
        "assignments",
        "audit_entries",
        "buyers",
        "campaign_retry",
        "campaign_routing",
        "campaigns",
        "categories",
        "erased_leads",
        "erasures",
        "lead_ids",
        "leads",
        "returns",
        "sellers",
        "subscription_rotation",
        "subscriptions",
    ];
    for table in all {
        assert!(names.contains(&table), "{table}: {names:?}");
    }
}

/// What their statements leave out is added by the database: of campaigns and purchases the lists join tables by ids
/// alone, and a category is locked and written by its id.
#[tokio::test]
async fn use_cases_do_not_reach_what_their_statements_would() {
    let world = World::new().await;
    let ((mine, _), (theirs, their_buyers)) = (busy_tenant(&world).await, busy_tenant(&world).await);
    let app = world.replica();
    let before = world.count("SELECT sum(version)::bigint FROM distribution.categories").await;
    let stolen = PutCategoryRequest { category_id: theirs.category.to_string(), ..category(mine) };
    let answer = call(&app).put_category(as_tenant(mine.seller, stolen)).await;
    assert_eq!(refusal(answer), (Code::NotFound, "category_not_found".to_owned()));
    assert_eq!(world.count("SELECT sum(version)::bigint FROM distribution.categories").await, before);

    // The same statements that the use cases run, as they would be with the tenant forgotten.
    let tenants = Tenants::new(world.pool().clone(), TENANT_ROLE);
    let mut tx = tenants.begin(mine.seller).await.unwrap();
    let forgotten = "SELECT category_id FROM distribution.categories WHERE category_id = $1 FOR UPDATE";
    let locked: Option<uuid::Uuid> =
        sqlx::query_scalar(forgotten).bind(theirs.category.uuid()).fetch_optional(&mut *tx).await.unwrap();
    assert_eq!(locked, None);
    let forgotten = "SELECT count(*) FROM distribution.assignments a JOIN distribution.leads l USING (lead_id) \
                     WHERE a.buyer_id = $1";
    let bought: i64 = sqlx::query_scalar(forgotten).bind(their_buyers[0].uuid()).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(bought, 0);
    drop(tx);

    // Nor is anything said of an id that another tenant has or nobody has.
    for id in [theirs.category, CategoryId::new()] {
        let wanted = GetCategoryRequest { category_id: id.to_string() };
        let answer = world.catalogue().get_category(as_tenant(mine.seller, wanted)).await;
        assert_eq!(refusal(answer), (Code::NotFound, "category_not_found".to_owned()));
    }
}
