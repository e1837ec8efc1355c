//! Returns that are asked for and decided at once, on several replicas, while leads are decided.

use futures::future::join_all;
use leadflow_contracts::{
    common::Logic,
    distribution::{
        DecideReturnRequest, ListPurchasesRequest, Purchase, ReturnPolicy, ReturnState,
        catalogue_server::Catalogue as _, returns_server::Returns as _,
    },
};
use leadflow_distribution::{app::App, inbound::returns::ReturnsService};
use leadflow_kernel::{BuyerId, CampaignId};
use tonic::Code;

use crate::support::*;

struct Market {
    tenant: Tenant,
    campaign: CampaignId,
    buyer: BuyerId,
    bought: Vec<Purchase>,
}

/// One buyer who may have `cap` leads a day, and bought `sold`.
async fn market(world: &World, app: &App, policy: ReturnPolicy, cap: Option<u32>, sold: usize) -> Market {
    let tenant = world.tenant(app).await;
    let campaign: CampaignId =
        put_campaign(app, tenant, campaign(tenant, Logic::RoundRobin)).await.campaign_id.parse().unwrap();
    take_back(app, tenant, campaign, policy).await;
    let buyer = world.buyer(app, tenant).await;
    let mut wanted = subscription(campaign, buyer);
    wanted.daily_cap = cap;
    put_subscription(app, tenant, wanted).await;
    decide(app, &world.posts(tenant, campaign, sold)).await;
    let wanted = ListPurchasesRequest { buyer_id: buyer.to_string(), page: 1, limit: 200, ..Default::default() };
    let bought = world.catalogue().list_purchases(as_tenant(tenant.seller, wanted)).await.unwrap().into_inner();
    Market { tenant, campaign, buyer, bought: bought.purchases }
}

fn replicas(world: &World) -> Vec<(App, ReturnsService)> {
    (0..3)
        .map(|_| {
            let app = world.replica();
            let service = world.returns(&app);
            (app, service)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_wishes_at_once_for_one_sale_one_is_taken() {
    let world = World::new().await;
    let replicas = replicas(&world);
    let auto = ReturnPolicy { auto_approve: true, ..policy() };
    let it = market(&world, &replicas[0].0, auto, None, 1).await;
    let asked = join_all((0..12).map(|n| {
        let wanted = wish(it.buyer, &it.bought[0].assignment_id);
        replicas[n % 3].1.request_return(as_tenant(it.tenant.seller, wanted))
    }))
    .await;
    let (made, refused): (Vec<_>, Vec<_>) = asked.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for answer in refused {
        assert_eq!(refusal(answer), (Code::AlreadyExists, "already_returned".to_owned()));
    }
    // The very same request many times at once is one.
    let it = market(&world, &replicas[0].0, policy(), None, 1).await;
    let wanted = wish(it.buyer, &it.bought[0].assignment_id);
    let asked =
        join_all((0..12).map(|n| replicas[n % 3].1.request_return(as_tenant(it.tenant.seller, wanted.clone())))).await;
    assert!(asked.iter().all(Result::is_ok), "{asked:?}");
    assert_eq!(world.count("SELECT count(*) FROM distribution.returns").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_ask_at_once_the_share_is_exact() {
    let world = World::new().await;
    let replicas = replicas(&world);
    let share = ReturnPolicy { max_share_percent_per_month: 25, ..policy() };
    let it = market(&world, &replicas[0].0, share, None, 20).await;
    let asked = join_all(it.bought.iter().enumerate().map(|(n, bought)| {
        let wanted = wish(it.buyer, &bought.assignment_id);
        replicas[n % 3].1.request_return(as_tenant(it.tenant.seller, wanted))
    }))
    .await;
    let (made, refused): (Vec<_>, Vec<_>) = asked.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 5, "a quarter of twenty");
    for answer in refused {
        assert_eq!(refusal(answer), (Code::FailedPrecondition, "return_share_reached".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn approved_and_rejected_at_once_a_return_has_one_end() {
    let world = World::new().await;
    let replicas = replicas(&world);
    let it = market(&world, &replicas[0].0, policy(), None, 8).await;
    let mut approved = 0;
    for bought in &it.bought {
        let wanted = wish(it.buyer, &bought.assignment_id);
        let made = replicas[0].1.request_return(as_tenant(it.tenant.seller, wanted)).await.unwrap().into_inner();
        let decided = join_all((0..6).map(|n| {
            let wanted =
                DecideReturnRequest { return_id: made.return_id.clone(), approve: n % 2 == 0, note: String::new() };
            replicas[n % 3].1.decide_return(as_tenant(it.tenant.seller, wanted))
        }))
        .await;
        let (done, refused): (Vec<_>, Vec<_>) = decided.into_iter().partition(Result::is_ok);
        let states: Vec<ReturnState> = done.into_iter().map(|answer| answer.unwrap().into_inner().state()).collect();
        assert_eq!(states.len(), 3, "those who say what was decided");
        assert!(states.iter().all(|state| *state == states[0]), "{states:?}");
        for answer in refused {
            assert_eq!(refusal(answer), (Code::FailedPrecondition, "return_decided".to_owned()));
        }
        approved += i64::from(states[0] == ReturnState::Approved);
    }
    assert_eq!(world.count("SELECT count(*) FROM distribution.returns WHERE state = 'approved'").await, approved);
    assert_eq!(
        world
            .count(
                "SELECT count(*) FROM distribution.audit_entries WHERE action IN ('return.approved', 'return.rejected')"
            )
            .await,
        8
    );
}

/// Decisions are made by what replicas remember; each return moves what they count by. However the two meet, the cap is full at
/// the end and never passed.
#[tokio::test(flavor = "multi_thread")]
async fn the_cap_is_exact_while_leads_are_sold_and_returned_at_once() {
    let world = World::new().await;
    let replicas = replicas(&world);
    let auto = ReturnPolicy { auto_approve: true, counts_out_of_caps: true, ..policy() };
    let it = market(&world, &replicas[0].0, auto, Some(12), 12).await;
    let returning = async {
        for (n, bought) in it.bought.iter().enumerate() {
            let wanted = wish(it.buyer, &bought.assignment_id);
            replicas[n % 3].1.request_return(as_tenant(it.tenant.seller, wanted)).await.unwrap();
        }
    };
    let deciding = join_all(replicas.iter().map(|(app, _)| async {
        for _ in 0..10 {
            decide(app, &world.posts(it.tenant, it.campaign, 2)).await;
        }
    }));
    futures::join!(returning, deciding);
    world.retry(&replicas[0].0).await;
    assert_eq!(world.bought(&[it.buyer]).await, [24], "twelve that stay, and twelve that were returned");
    assert_eq!(world.count("SELECT sum(sold_today)::bigint FROM distribution.subscription_rotation").await, 12);
    assert_eq!(world.count("SELECT count(*) FROM distribution.returns WHERE out_of_caps").await, 12);
    world.check_books().await;
}

/// A decision is under way, made by the count of before, when a return is approved: it is not saved.
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_was_overtaken_by_a_return_is_made_anew() {
    let world = World::new().await;
    let (app, other) = (world.replica(), world.replica());
    let auto = ReturnPolicy { auto_approve: true, counts_out_of_caps: true, ..policy() };
    let it = market(&world, &app, auto, Some(2), 1).await;
    let gate = world.purse.gate.lock().await;
    let asked = world.purse.asked.load(std::sync::atomic::Ordering::SeqCst);
    let posted = world.posts(it.tenant, it.campaign, 1);
    let deciding = tokio::spawn({
        let (app, posted) = (app.clone(), posted.clone());
        async move { decide(&app, &posted).await }
    });
    leadflow_testkit::wait::until("billing was asked", PATIENCE, async || {
        world.purse.asked.load(std::sync::atomic::Ordering::SeqCst) > asked
    })
    .await;
    let wanted = wish(it.buyer, &it.bought[0].assignment_id);
    world.returns(&other).request_return(as_tenant(it.tenant.seller, wanted)).await.unwrap();
    drop(gate);
    deciding.await.unwrap();
    assert_eq!(world.count("SELECT sold_today::bigint FROM distribution.subscription_rotation").await, 1);
    decide(&other, &world.posts(it.tenant, it.campaign, 2)).await;
    world.retry(&app).await;
    assert_eq!(world.bought(&[it.buyer]).await, [3], "two of them count");
    world.check_books().await;
}
