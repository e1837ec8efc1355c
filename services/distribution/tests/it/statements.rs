//! How many SQL statements something takes does not depend on how many leads there are.

use leadflow_contracts::{
    common::Logic,
    distribution::{
        AssignmentRef, ConfirmAssignmentsRequest, GetCampaignRequest, ListCampaignsRequest, ListLeadsRequest,
        ListPurchasesRequest, SumByDayRequest, SumByRequest, catalogue_server::Catalogue as _,
        distribution_server::Distribution as _,
    },
};
use leadflow_distribution::{
    app::{App, Catalogue, Posted},
    inbound::catalogue::CatalogueService,
};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId};
use leadflow_platform::db::{self, DbSettings};
use leadflow_testkit::StatementCounter;

use crate::support::*;

const FEW: usize = 3;
/// Below the size of a batch, so one transaction in both cases.
const MANY: usize = 240;

/// A replica whose statements are counted, apart from those that publish its events.
async fn counted(world: &World) -> (App, StatementCounter) {
    let counter = StatementCounter::start(&world.db.url()).await.unwrap();
    let pool = db::connect(&DbSettings { url: counter.url().to_owned(), ..world.settings() }).unwrap();
    (world.app(pool, world.pool().clone()), counter)
}

/// What `work` executes, in alphabetical order.
async fn statements(counter: &StatementCounter, work: impl Future<Output = ()>) -> Vec<String> {
    let _ = counter.take();
    work.await;
    let mut executed = counter.take();
    // What only read ends with a ROLLBACK that nobody waits for: it may come after this.
    executed.retain(|sql| sql != "ROLLBACK");
    executed.sort_unstable();
    assert!(executed.iter().any(|sql| sql == "BEGIN" || sql.contains("SELECT")), "nothing was counted: {executed:?}");
    executed
}

/// One campaign of each logic with five buyers, who may not get a person twice.
async fn campaigns(world: &World, app: &App, tenant: Tenant) -> (Vec<CampaignId>, Vec<BuyerId>) {
    let (mut campaigns, mut buyers) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        buyers.push(world.buyer(app, tenant).await);
    }
    for logic in [Logic::RoundRobin, Logic::WeightedRoundRobin, Logic::Broadcast] {
        let mut request = campaign(tenant, logic);
        request.duplicates = Some(no_repeats(&["email"]));
        let id: CampaignId = put_campaign(app, tenant, request).await.campaign_id.parse().unwrap();
        for buyer in &buyers {
            put_subscription(app, tenant, subscription(id, *buyer)).await;
        }
        campaigns.push(id);
    }
    (campaigns, buyers)
}

/// Leads of different people, in turn to these campaigns.
fn people(world: &World, tenant: Tenant, campaigns: &[CampaignId], count: usize) -> Vec<Posted> {
    (0..count)
        .map(|at| {
            let mut posted = world.post(tenant, campaigns[at % campaigns.len()]);
            posted.data = format!(r#"{{"email":"{}@example.com"}}"#, posted.lead);
            posted
        })
        .collect()
}

#[tokio::test]
async fn deciding_a_batch() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaigns, buyers) = campaigns(&world, &app, tenant).await;
    let batches = [people(&world, tenant, &campaigns, FEW), people(&world, tenant, &campaigns, MANY)];
    let (mut cold, mut warm, mut known, mut poor) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for batch in &batches {
        // By a replica that knows nothing yet, and by one that has the campaigns in memory.
        let (app, counter) = counted(&world).await;
        cold.push(statements(&counter, async { app.decide_batch(batch).await.unwrap() }).await);
        known.push(statements(&counter, async { app.decide_batch(batch).await.unwrap() }).await);
        let more = people(&world, tenant, &campaigns, batch.len());
        warm.push(statements(&counter, async { app.decide_batch(&more).await.unwrap() }).await);
    }
    assert_eq!(world.bought(&buyers).await.iter().sum::<usize>(), 2 * (FEW + MANY) / 3 * (1 + 1 + 5));
    for buyer in &buyers {
        world.purse.set(*buyer, 0);
    }
    for size in [FEW, MANY] {
        let (app, counter) = counted(&world).await;
        let batch = people(&world, tenant, &campaigns, size);
        poor.push(statements(&counter, async { app.decide_batch(&batch).await.unwrap() }).await);
    }
    assert_eq!(warm[0].len(), 2, "one to read and one to write: {:#?}", warm[0]);
    for (case, executed) in [("cold", cold), ("warm", warm), ("known", known), ("poor", poor)] {
        assert_eq!(executed[0], executed[1], "{case}");
        assert!(executed[0].len() <= 12, "{case}: {:#?}", executed[0]);
    }
    world.check_books().await;
}

#[tokio::test]
async fn selling_later_and_expiring() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (mut marking, mut selling, mut expiring) = (Vec::new(), Vec::new(), Vec::new());
    for size in [FEW, MANY] {
        let (campaigns, buyers) = campaigns(&world, &app, tenant).await;
        let broadcast = &campaigns[2..];
        for buyer in &buyers {
            world.purse.set(*buyer, 0);
        }
        app.decide_batch(&people(&world, tenant, broadcast, size)).await.unwrap();
        world.retry(&app).await;
        for buyer in &buyers {
            world.purse.set(*buyer, 10_000);
        }
        let (app, counter) = counted(&world).await;
        marking.push(statements(&counter, async { app.wallets_changed(&buyers).await.unwrap() }).await);
        selling.push(statements(&counter, async { world.retry(&app).await }).await);
        assert_eq!(world.bought(&buyers).await, [size; 5]);

        for buyer in &buyers {
            world.purse.set(*buyer, 0);
        }
        app.decide_batch(&people(&world, tenant, broadcast, size)).await.unwrap();
        world.clock.advance(chrono::TimeDelta::days(4));
        expiring.push(statements(&counter, async { assert_eq!(app.expire_unsold().await.unwrap(), size) }).await);
    }
    for (case, executed) in [("marking", marking), ("selling", selling), ("expiring", expiring)] {
        assert_eq!(executed[0], executed[1], "{case}");
    }
    world.check_books().await;
}

#[tokio::test]
async fn confirming_sales_taking_records_over_and_showing_a_campaign() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (mut confirming, mut projecting, mut showing) = (Vec::new(), Vec::new(), Vec::new());
    for size in [FEW, MANY] {
        let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, size).await;
        app.decide_batch(&world.posts(tenant, campaign, size)).await.unwrap();
        let (app, counter) = counted(&world).await;
        let assignments = (0..size).map(|_| AssignmentRef {
            assignment_id: AssignmentId::new().to_string(),
            campaign_id: campaign.to_string(),
        });
        let ask = ConfirmAssignmentsRequest { assignments: assignments.collect() };
        let work = async { drop(call(&app).confirm_assignments(as_tenant(tenant.seller, ask)).await.unwrap()) };
        confirming.push(statements(&counter, work).await);
        let records = buyers.iter().map(|id| buyer(tenant.seller, *id, 2)).collect();
        let work = async { app.project_directory(vec![seller(tenant.seller, 2)], records).await.unwrap() };
        projecting.push(statements(&counter, work).await);
        let show = GetCampaignRequest { campaign_id: campaign.to_string() };
        let work = async {
            let view = call(&app).get_campaign(as_tenant(tenant.seller, show)).await.unwrap().into_inner();
            assert_eq!(view.subscriptions.len(), size);
        };
        showing.push(statements(&counter, work).await);
    }
    for (case, executed) in [("confirming", confirming), ("projecting", projecting), ("showing", showing)] {
        assert_eq!(executed[0], executed[1], "{case}");
    }
}

#[tokio::test]
async fn asking_the_catalogue() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let counter = StatementCounter::start(&world.db.url()).await.unwrap();
    let settings = DbSettings { url: counter.url().to_owned(), ..world.settings() };
    let catalogue = Catalogue::connect(&settings, std::sync::Arc::new(world.clock.clone())).unwrap();
    let service = CatalogueService::new(catalogue);
    let (mut listing, mut posting, mut buying, mut adding) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for campaigns in [1, 10] {
        let mut made = Vec::new();
        for _ in 0..campaigns {
            made.push(world.campaign(&app, tenant, Logic::Broadcast, 3).await);
        }
        for (campaign, _) in &made {
            app.decide_batch(&world.posts(tenant, *campaign, 4)).await.unwrap();
        }
        let all = ListCampaignsRequest { subscriptions_of: "*".into(), limit: 200, ..Default::default() };
        let work = async {
            let found = service.list_campaigns(as_tenant(tenant.seller, all)).await.unwrap().into_inner().campaigns;
            assert!(found.iter().all(|row| row.lead_count == 4 && row.subscription_count == 3));
        };
        listing.push(statements(&counter, work).await);
        // A page that is full: its length has to be counted.
        let page = ListLeadsRequest { page: 1, limit: campaigns, ..Default::default() };
        let work = async {
            let found = service.list_leads(as_tenant(tenant.seller, page)).await.unwrap().into_inner();
            assert!(found.leads.iter().all(|lead| lead.assignments.len() == 3));
        };
        posting.push(statements(&counter, work).await);
        let page = ListPurchasesRequest {
            buyer_id: made[0].1[0].to_string(),
            page: 1,
            limit: campaigns.min(4),
            ..Default::default()
        };
        let work = async { drop(service.list_purchases(as_tenant(tenant.seller, page)).await.unwrap()) };
        buying.push(statements(&counter, work).await);
        let range = SumByDayRequest { from_ms: 1, until_ms: i64::from(campaigns) * 86_400_000, ..Default::default() };
        let sum = SumByRequest { from_ms: 1, until_ms: 86_400_000, dimension: 1, ..Default::default() };
        let work = async {
            drop(service.sum_by_day(as_tenant(tenant.seller, range)).await.unwrap());
            drop(service.sum_by(as_tenant(tenant.seller, sum)).await.unwrap());
        };
        adding.push(statements(&counter, work).await);
    }
    // One of each is for opening the tenant's transaction.
    for (case, executed, most) in
        [("listing", listing, 3), ("posting", posting, 4), ("buying", buying, 3), ("adding", adding, 6)]
    {
        assert_eq!(executed[0], executed[1], "{case}");
        assert!(executed[0].len() <= most, "{case}: {:#?}", executed[0]);
    }
}
