//! Statements look into the partition of the month that is meant, and into no other.

use std::{collections::BTreeSet, sync::Arc};

use chrono::TimeDelta;
use leadflow_contracts::{
    common::{Logic, Outcome},
    distribution::{
        ListLeadsRequest, ListPurchasesRequest, SumByDayRequest, catalogue_server::Catalogue as _,
        returns_server::Returns as _,
    },
};
use leadflow_distribution::{
    app::{App, Catalogue, Posted},
    inbound::catalogue::CatalogueService,
};
use leadflow_kernel::{BuyerId, CampaignId, Clock as _};
use leadflow_platform::db::{self, DbSettings};
use leadflow_testkit::wait;

use crate::{
    months::{JUNE, MAY, at, make},
    support::*,
};

/// Which partitions `work` looked into. A connection tells what it did when it is closed at the latest: all that touch leads are called
/// [`APPLICATION`], or as those of the catalogue, and closed.
async fn touched(world: &World, work: impl Future<Output = ()>) -> BTreeSet<String> {
    closed(world).await;
    sqlx::query("SELECT pg_stat_reset()").execute(world.pool()).await.unwrap();
    work.await;
    closed(world).await;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_stat_all_tables WHERE schemaname = 'distribution' AND relname LIKE 'leads\\_%' \
           AND coalesce(seq_scan, 0) + coalesce(idx_scan, 0) > 0",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    tables.into_iter().collect()
}

async fn closed(world: &World) {
    wait::until("the connections are closed", PATIENCE, async || {
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ANY($1)",
        )
        .bind([APPLICATION, "leadflow-catalogue"])
        .fetch_one(world.pool())
        .await
        .unwrap();
        open == 0
    })
    .await;
}

const APPLICATION: &str = "distribution-months";

/// The same of a replica that is made for it.
async fn touched_by_replica(world: &World, work: impl AsyncFnOnce(App)) -> BTreeSet<String> {
    let pool = db::connect(&DbSettings { application: APPLICATION, ..world.settings() }).unwrap();
    let app = world.app(pool.clone(), world.pool().clone());
    touched(world, async {
        work(app).await;
        pool.close().await;
    })
    .await
}

/// The same of whoever answers questions.
async fn touched_by_catalogue(world: &World, work: impl AsyncFnOnce(CatalogueService)) -> BTreeSet<String> {
    let settings = DbSettings { application: APPLICATION, ..world.settings() };
    let catalogue = Catalogue::connect(&settings, Arc::new(world.clock.clone())).unwrap();
    touched(world, async {
        work(CatalogueService::new(catalogue.clone())).await;
        catalogue.close().await;
    })
    .await
}

/// A tenant with one buyer, who bought a lead in May; today the same person was posted twice, in June.
async fn two_months(world: &World) -> (Tenant, CampaignId, BuyerId, Posted) {
    let pool = db::connect(&DbSettings { application: APPLICATION, ..world.settings() }).unwrap();
    make(&pool, MAY, 3).await;
    world.clock.advance(at(MAY) - world.clock.now());
    let app = world.app(pool.clone(), world.pool().clone());
    let tenant = world.tenant(&app).await;
    let mut rules = campaign(tenant, Logic::RoundRobin);
    rules.duplicates = Some(no_repeats(&["email"]));
    rules.returns = Some(policy());
    let campaign: CampaignId = put_campaign(&app, tenant, rules).await.campaign_id.parse().unwrap();
    let buyer = world.buyer(&app, tenant).await;
    put_subscription(&app, tenant, subscription(campaign, buyer)).await;
    let posted = world.post(tenant, campaign);
    app.decide_batch(std::slice::from_ref(&posted)).await.unwrap();
    pool.close().await;
    world.clock.advance(TimeDelta::days(5));
    (tenant, campaign, buyer, posted)
}

#[tokio::test]
async fn one_month_is_looked_into_where_one_is_meant() {
    let world = World::new().await;
    let (tenant, campaign, buyer, first) = two_months(&world).await;
    let one = |name: &str| BTreeSet::from([name.to_owned()]);
    let person = || Posted { received_at: at(JUNE), ..world.post(tenant, campaign) };

    // With the campaign not in memory, and then as it is remembered. The person was seen in May.
    let repeats = [person(), person()];
    let decided = touched_by_replica(&world, async |app| {
        for posted in &repeats {
            app.decide_batch(std::slice::from_ref(posted)).await.unwrap();
        }
    });
    assert_eq!(decided.await, one("leads_2031_05"));
    let asked = touched_by_replica(&world, async |app| {
        app.decide_batch(std::slice::from_ref(&first)).await.unwrap();
        assert_eq!(decision(&app, &first).await.outcome(), Outcome::Distributed);
        lead(&app, &first).await;
    });
    assert_eq!(asked.await, one("leads_2031_05"));
    let refused = touched_by_replica(&world, async |app| {
        assert_eq!(outcome(&app, &repeats[1]).await, (Outcome::Rejected, "duplicate".to_owned()));
    });
    assert_eq!(refused.await, one("leads_2031_06"));

    let (from_ms, until_ms) =
        (at("2031-06-01T00:00:00Z").timestamp_millis(), at("2031-06-20T00:00:00Z").timestamp_millis());
    let listed = touched_by_catalogue(&world, async |service| {
        let wanted = ListLeadsRequest { from_ms, until_ms, page: 1, limit: 10, ..Default::default() };
        let found = service.list_leads(as_tenant(tenant.seller, wanted)).await.unwrap().into_inner();
        assert_eq!(found.leads.len(), 2);
    });
    assert_eq!(listed.await, one("leads_2031_06"));
    let summed = touched_by_catalogue(&world, async |service| {
        let wanted = SumByDayRequest { from_ms, until_ms, ..Default::default() };
        service.sum_by_day(as_tenant(tenant.seller, wanted)).await.unwrap();
    });
    assert_eq!(summed.await, one("leads_2031_06"));
    let mut purchases = Vec::new();
    let bought = touched_by_catalogue(&world, async |service| {
        let wanted = ListPurchasesRequest { buyer_id: buyer.to_string(), page: 1, limit: 10, ..Default::default() };
        purchases = service.list_purchases(as_tenant(tenant.seller, wanted)).await.unwrap().into_inner().purchases;
    });
    assert_eq!(bought.await, one("leads_2031_05"));
    let returned = touched_by_replica(&world, async |app| {
        let wish = wish(buyer, &purchases[0].assignment_id);
        world.returns(&app).request_return(as_tenant(tenant.seller, wish)).await.unwrap();
    });
    assert_eq!(returned.await, one("leads_2031_05"));
}
