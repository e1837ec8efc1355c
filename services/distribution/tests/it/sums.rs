//! Sums of leads and sales.

use leadflow_contracts::{
    common::{Logic, Status},
    distribution::{
        DaySum, Dimension, PutCampaignRequest, Sum, SumByDayRequest, SumByRequest, catalogue_server::Catalogue as _,
    },
};
use leadflow_distribution::{app::Posted, inbound::catalogue::CatalogueService};
use leadflow_kernel::{BuyerId, CampaignId, Clock as _, SellerId};
use tonic::Code;

use crate::support::*;

fn ms(text: &str) -> i64 {
    text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp_millis()
}

/// Four of the tenant's days, from midnight to midnight in New York.
fn four_days() -> SumByDayRequest {
    SumByDayRequest {
        from_ms: ms("2026-11-21T05:00:00Z"),
        until_ms: ms("2026-11-25T05:00:00Z"),
        ..SumByDayRequest::default()
    }
}

fn by(dimension: Dimension) -> SumByRequest {
    let SumByDayRequest { from_ms, until_ms, .. } = four_days();
    SumByRequest { from_ms, until_ms, dimension: dimension.into(), ..SumByRequest::default() }
}

async fn days(service: &CatalogueService, seller: SellerId, request: SumByDayRequest) -> Vec<DaySum> {
    service.sum_by_day(as_tenant(seller, request)).await.unwrap().into_inner().days
}

async fn sums(service: &CatalogueService, seller: SellerId, request: SumByRequest) -> Vec<Sum> {
    service.sum_by(as_tenant(seller, request)).await.unwrap().into_inner().sums
}

fn day(day: &str, [leads, sold, rejected, assignments]: [u64; 4], revenue: &str) -> DaySum {
    DaySum { day: day.to_owned(), leads, sold, rejected, assignments, revenue: Some(usd(revenue)), returned: 0 }
}

/// Without `last_at_ms`.
fn short(sums: &[Sum]) -> Vec<(String, [u64; 3], String)> {
    let short = |sum: &Sum| {
        let revenue = sum.revenue.clone().unwrap();
        assert_eq!(revenue.currency, "USD");
        (sum.id.clone(), [sum.leads, sum.sold, sum.assignments], revenue.amount)
    };
    sums.iter().map(short).collect()
}

struct Market {
    tenant: Tenant,
    everybody: CampaignId,
    poor: CampaignId,
    closed: CampaignId,
    buyers: Vec<BuyerId>,
}

/// On the 22nd two leads that two buyers can have, of whom one has money for one; a test; one that is rejected; and, a
/// second before midnight, one that nobody has money for until it is the 23rd.
async fn market(world: &World) -> Market {
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (everybody, mut buyers) = world.campaign(&app, tenant, Logic::Broadcast, 2).await;
    let (poor, third) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    buyers.extend(third);
    let paused = PutCampaignRequest { status: Status::Paused.into(), ..campaign(tenant, Logic::RoundRobin) };
    let closed = put_campaign(&app, tenant, paused).await.campaign_id.parse().unwrap();
    world.purse.set(buyers[1], 1);
    world.purse.set(buyers[2], 0);
    let mut posted = world.posts(tenant, everybody, 2);
    posted.push(Posted { test: true, ..world.post(tenant, everybody) });
    posted.push(world.post(tenant, closed));
    decide(&app, &posted).await;
    let midnight: chrono::DateTime<chrono::Utc> = "2026-11-23T05:00:00Z".parse().unwrap();
    world.clock.advance(midnight - world.clock.now() - chrono::TimeDelta::seconds(1));
    decide(&app, &[world.post(tenant, poor)]).await;
    world.clock.advance(chrono::TimeDelta::seconds(1));
    world.purse.set(buyers[2], 1);
    app.wallets_changed(&buyers[2..]).await.unwrap();
    world.retry(&app).await;
    assert_eq!(world.bought(&buyers).await, [2, 1, 1]);
    world.check_books().await;
    Market { tenant, everybody, poor, closed, buyers }
}

#[tokio::test]
async fn days_are_the_tenants_and_all_there() {
    let world = World::new().await;
    let Market { tenant, buyers, .. } = market(&world).await;
    let service = world.catalogue();
    let none = [0, 0, 0, 0];
    assert_eq!(
        days(&service, tenant.seller, four_days()).await,
        [
            day("2026-11-21", none, "0.00"),
            day("2026-11-22", [4, 3, 1, 3], "75.00"),
            day("2026-11-23", [0, 0, 0, 1], "25.00"),
            day("2026-11-24", none, "0.00"),
        ]
    );
    let of = async |buyer: BuyerId| {
        let request = SumByDayRequest { buyer_id: buyer.to_string(), ..four_days() };
        days(&service, tenant.seller, request).await.into_iter().filter(|day| day.leads > 0).collect::<Vec<_>>()
    };
    assert_eq!(of(buyers[0]).await, [day("2026-11-22", [2, 2, 0, 2], "50.00")]);
    assert_eq!(of(buyers[2]).await, [day("2026-11-23", [1, 1, 0, 1], "25.00")]);
    assert_eq!(of(BuyerId::new()).await, []);
    let request = SumByDayRequest { supplier_id: tenant.supplier.to_string(), ..four_days() };
    let supplied = days(&service, tenant.seller, request).await;
    assert_eq!(supplied[1], day("2026-11-22", [4, 3, 1, 4], "100.00"), "what his leads brought so far");
    assert_eq!(supplied[2], day("2026-11-23", none, "0.00"));

    // The range cuts its first and last day.
    let cut = SumByDayRequest {
        from_ms: ms("2026-11-22T12:00:03.001Z"),
        until_ms: ms("2026-11-23T05:00:00Z"),
        ..SumByDayRequest::default()
    };
    assert_eq!(days(&service, tenant.seller, cut).await, [day("2026-11-22", [1, 1, 0, 0], "0.00")]);

    let long = SumByDayRequest {
        from_ms: ms("2026-01-01T05:00:00Z"),
        until_ms: ms("2027-02-05T05:00:00Z"),
        ..SumByDayRequest::default()
    };
    let long = days(&service, tenant.seller, long).await;
    assert_eq!((long.len(), long[0].day.as_str(), long[399].day.as_str()), (400, "2026-01-01", "2027-02-04"));
    assert_eq!(long.iter().map(|day| day.assignments).sum::<u64>(), 4);
}

#[tokio::test]
async fn sums_by_whom_and_what() {
    let world = World::new().await;
    let Market { tenant, everybody, poor, closed, buyers } = market(&world).await;
    let service = world.catalogue();
    let of_buyers = sums(&service, tenant.seller, by(Dimension::Buyer)).await;
    let found = short(&of_buyers);
    assert_eq!(found[0], (buyers[0].to_string(), [2, 2, 2], "50.00".into()), "the most sales first");
    assert_eq!(found.len(), 3);
    assert!(found.contains(&(buyers[1].to_string(), [1, 1, 1], "25.00".into())));
    let last = |id: BuyerId| of_buyers.iter().find(|sum| sum.id == id.to_string()).unwrap().last_at_ms;
    assert_eq!(last(buyers[2]), ms("2026-11-23T05:00:00Z"));
    assert_eq!(
        short(&sums(&service, tenant.seller, by(Dimension::Campaign)).await),
        [
            (everybody.to_string(), [2, 2, 3], "75.00".into()),
            (poor.to_string(), [1, 1, 1], "25.00".into()),
            (closed.to_string(), [1, 0, 0], "0.00".into()),
        ]
    );
    let all = [4, 3, 4];
    assert_eq!(
        short(&sums(&service, tenant.seller, by(Dimension::Supplier)).await),
        [(tenant.supplier.to_string(), all, "100.00".into())]
    );
    assert_eq!(
        short(&sums(&service, tenant.seller, by(Dimension::Category)).await),
        [(tenant.category.to_string(), all, "100.00".into())]
    );
    for (dimension, id) in [
        (Dimension::Buyer, buyers[0].to_string()),
        (Dimension::Campaign, everybody.to_string()),
        (Dimension::Supplier, tenant.supplier.to_string()),
        (Dimension::Category, tenant.category.to_string()),
    ] {
        let own = SumByRequest { buyer_id: buyers[0].to_string(), ..by(dimension) };
        assert_eq!(
            short(&sums(&service, tenant.seller, own).await),
            [(id, [2, 2, 2], "50.00".into())],
            "{dimension:?}"
        );
    }
    // Those asked for, in that order, also the ones that bought nothing.
    let nobody = BuyerId::new().to_string();
    let named = vec![nobody.clone(), buyers[2].to_string()];
    let named = sums(&service, tenant.seller, SumByRequest { ids: named, ..by(Dimension::Buyer) }).await;
    assert_eq!(short(&named), [(nobody, [0, 0, 0], "0.00".into()), (buyers[2].to_string(), [1, 1, 1], "25.00".into())]);
    assert_eq!(named[0].last_at_ms, 0);
}

#[tokio::test]
async fn another_tenants_leads_and_sales_add_nothing() {
    let world = World::new().await;
    let Market { tenant, everybody, buyers, .. } = market(&world).await;
    let app = world.replica();
    let stranger = world.tenant(&app).await;
    let service = world.catalogue();
    let nothing = |days: Vec<DaySum>| days.iter().all(|day| day.leads + day.assignments == 0);
    for request in [
        four_days(),
        SumByDayRequest { buyer_id: buyers[0].to_string(), ..four_days() },
        SumByDayRequest { supplier_id: tenant.supplier.to_string(), ..four_days() },
    ] {
        assert!(nothing(days(&service, stranger.seller, request).await));
    }
    for (dimension, id) in [
        (Dimension::Buyer, buyers[0].to_string()),
        (Dimension::Campaign, everybody.to_string()),
        (Dimension::Supplier, tenant.supplier.to_string()),
        (Dimension::Category, tenant.category.to_string()),
    ] {
        for buyer_id in [String::new(), buyers[0].to_string()] {
            let request = SumByRequest { buyer_id, ..by(dimension) };
            assert_eq!(sums(&service, stranger.seller, request.clone()).await, []);
            let named = sums(&service, stranger.seller, SumByRequest { ids: vec![id.clone()], ..request }).await;
            assert_eq!(short(&named), [(id.clone(), [0, 0, 0], "0.00".into())], "as one that is unknown");
        }
    }
    // A post that names another tenant's campaign counts for neither.
    let foreign = Posted { seller: stranger.seller, ..world.post(tenant, everybody) };
    decide(&app, &[foreign]).await;
    world.check_books().await;

    let unknown = service.sum_by_day(as_tenant(SellerId::new(), four_days())).await;
    assert_eq!(refusal(unknown), (Code::FailedPrecondition, "seller_unknown".into()));
}
