//! Leads that nobody bought at once.

use std::sync::atomic::Ordering;

use chrono::TimeDelta;
use leadflow_contracts::{
    common::{Logic, Outcome, Status, Verdict},
    events::LeadDecided,
};
use leadflow_distribution::app::Posted;
use leadflow_kernel::CampaignId;
use prost::Message as _;

use crate::support::*;

/// Posts a second apart, decided one after the other.
async fn post_in_turn(
    world: &World,
    app: &leadflow_distribution::app::App,
    tenant: Tenant,
    campaign: CampaignId,
    count: usize,
) -> Vec<Posted> {
    let mut all = Vec::new();
    for _ in 0..count {
        world.clock.advance(TimeDelta::seconds(1));
        let posted = world.post(tenant, campaign);
        app.decide_batch(std::slice::from_ref(&posted)).await.unwrap();
        all.push(posted);
    }
    all
}

#[tokio::test]
async fn money_sells_the_oldest_lead_first() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::Waterfall, 1).await;
    world.purse.set(buyers[0], 0);
    let posted = post_in_turn(&world, &app, tenant, campaign, 3).await;
    world.retry(&app).await;
    let trace = lead(&app, &posted[0]).await.trace.unwrap();
    assert_eq!(trace.candidates[0].verdict(), Verdict::InsufficientFunds);

    world.purse.set(buyers[0], 1);
    assert!(!app.retry_unsold().await.unwrap(), "nothing says that anything changed");
    app.wallets_changed(&buyers).await.unwrap();
    // Two replicas may do it.
    let other = world.replica();
    tokio::join!(world.retry(&app), world.retry(&other));
    assert_eq!(outcome(&app, &posted[0]).await.0, Outcome::Distributed);
    assert_eq!(outcome(&app, &posted[1]).await.0, Outcome::Unsold);
    assert_eq!(lead(&app, &posted[0]).await.trace.unwrap().candidates[0].verdict(), Verdict::Chosen);
    assert_eq!(lead(&app, &posted[0]).await.expires_at_ms, 0);
    world.check_books().await;
}

#[tokio::test]
async fn a_new_subscription_and_a_resumed_campaign_sell_what_waits() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let mut request = campaign(tenant, Logic::RoundRobin);
    let id: CampaignId = put_campaign(&app, tenant, request.clone()).await.campaign_id.parse().unwrap();
    let posted = post_in_turn(&world, &app, tenant, id, 2).await;
    request.status = Status::Paused.into();
    put_campaign(&app, tenant, request.clone()).await;
    let buyer = world.buyer(&app, tenant).await;
    put_subscription(&app, tenant, subscription(id, buyer)).await;
    world.retry(&app).await;
    assert_eq!(outcome(&app, &posted[0]).await.0, Outcome::Unsold, "a paused campaign sells nothing");
    request.status = Status::Active.into();
    put_campaign(&world.replica(), tenant, request).await;
    world.retry(&app).await;
    for one in &posted {
        assert_eq!(outcome(&app, one).await.0, Outcome::Distributed);
    }
    world.check_books().await;
}

#[tokio::test]
async fn a_buyer_who_comes_back_buys_what_waits() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    let mut away = buyer(tenant.seller, buyers[0], 2);
    away.status = leadflow_distribution_domain::Status::Paused;
    app.project_directory(vec![], vec![away.clone()]).await.unwrap();
    post_in_turn(&world, &app, tenant, campaign, 1).await;
    app.project_directory(vec![], vec![buyer(tenant.seller, buyers[0], 3)]).await.unwrap();
    // A late delivery of an older state changes nothing.
    app.project_directory(vec![], vec![away]).await.unwrap();
    world.retry(&app).await;
    assert_eq!(world.bought(&buyers).await, [1]);
}

#[tokio::test]
async fn a_new_day_where_the_tenant_is_sells_what_the_cap_left() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, _) = world.campaign(&app, tenant, Logic::RoundRobin, 0).await;
    let buyer = world.buyer(&app, tenant).await;
    let mut capped = subscription(campaign, buyer);
    capped.daily_cap = Some(2);
    put_subscription(&app, tenant, capped).await;
    post_in_turn(&world, &app, tenant, campaign, 5).await;
    assert_eq!(app.begin_days().await.unwrap(), 1, "today was not noticed yet");
    world.retry(&app).await;
    assert_eq!(world.bought(&[buyer]).await, [2]);
    assert_eq!(app.begin_days().await.unwrap(), 0);
    world.clock.advance(TimeDelta::hours(17));
    let other = world.replica();
    let (one, two) = tokio::join!(app.begin_days(), other.begin_days());
    assert_eq!(one.unwrap() + two.unwrap(), 1, "two replicas notice it once");
    world.retry(&app).await;
    assert_eq!(world.bought(&[buyer]).await, [4]);
    world.check_books().await;
}

#[tokio::test]
async fn a_lead_is_for_sale_until_its_time_is_up() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let mut request = campaign(tenant, Logic::RoundRobin);
    request.lead_ttl_hours = 2;
    request.duplicates = Some(no_repeats(&["email"]));
    let id: CampaignId = put_campaign(&app, tenant, request).await.campaign_id.parse().unwrap();
    let posted = world.post(tenant, id);
    app.decide_batch(std::slice::from_ref(&posted)).await.unwrap();
    world.clock.advance(TimeDelta::minutes(119));
    assert_eq!(app.expire_unsold().await.unwrap(), 0);
    let repeat = world.post(tenant, id);
    app.decide_batch(std::slice::from_ref(&repeat)).await.unwrap();
    assert_eq!(outcome(&app, &repeat).await, (Outcome::Rejected, "duplicate".to_owned()));

    world.clock.advance(TimeDelta::minutes(1));
    let mut expired = world.bus.subscribe_core("lead.expired").await.unwrap();
    let other = world.replica();
    let (one, two) = tokio::join!(app.expire_unsold(), other.expire_unsold());
    assert_eq!(one.unwrap() + two.unwrap(), 1, "it ends once");
    let event = LeadDecided::decode(expired.next().await.unwrap()).unwrap();
    assert_eq!(event.decision.unwrap().lead_id, posted.lead.to_string());
    let buyer = world.buyer(&app, tenant).await;
    put_subscription(&app, tenant, subscription(id, buyer)).await;
    world.retry(&app).await;
    assert_eq!(outcome(&app, &posted).await, (Outcome::Expired, "expired".to_owned()));
    // Nobody bought the person, so a new post of it is no repeat.
    let again = world.post(tenant, id);
    app.decide_batch(std::slice::from_ref(&again)).await.unwrap();
    assert_eq!(outcome(&app, &again).await.0, Outcome::Distributed);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn money_for_fifty_sells_the_fifty_oldest_of_six_hundred() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 2).await;
    for buyer in &buyers {
        world.purse.set(*buyer, 0);
    }
    let mut posted = Vec::new();
    for _ in 0..600 {
        world.clock.advance(TimeDelta::milliseconds(10));
        posted.push(world.post(tenant, campaign));
    }
    for part in posted.chunks(200) {
        app.decide_batch(part).await.unwrap();
    }
    world.retry(&app).await;
    world.purse.set(buyers[0], 25);
    world.purse.set(buyers[1], 25);
    app.wallets_changed(&buyers).await.unwrap();
    let other = world.replica();
    let (one, two) = (
        tokio::spawn({
            let app = app.clone();
            async move { while app.retry_unsold().await.unwrap() {} }
        }),
        tokio::spawn(async move { while other.retry_unsold().await.unwrap() {} }),
    );
    one.await.unwrap();
    two.await.unwrap();
    assert_eq!(world.bought(&buyers).await, [25, 25]);
    assert_eq!(outcome(&app, &posted[49]).await.0, Outcome::Distributed);
    assert_eq!(outcome(&app, &posted[50]).await.0, Outcome::Unsold);
    assert_eq!(world.count("SELECT count(*) FROM distribution.campaign_retry").await, 0);
    world.check_books().await;
}

#[tokio::test]
async fn a_look_that_billing_could_not_answer_is_repeated() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    world.purse.set(buyers[0], 0);
    post_in_turn(&world, &app, tenant, campaign, 1).await;
    world.purse.set(buyers[0], 1);
    app.wallets_changed(&buyers).await.unwrap();
    world.purse.down.store(true, Ordering::SeqCst);
    assert!(app.retry_unsold().await.is_err());
    world.purse.down.store(false, Ordering::SeqCst);
    world.retry(&app).await;
    assert_eq!(world.bought(&buyers).await, [1]);
}

#[tokio::test]
async fn a_campaign_that_always_fails_does_not_stand_in_the_way_of_others() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (failing, one) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    let (healthy, two) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    for (campaign, buyer) in [(failing, one[0]), (healthy, two[0])] {
        world.purse.set(buyer, 0);
        post_in_turn(&world, &app, tenant, campaign, 1).await;
        world.retry(&app).await;
        world.purse.set(buyer, 1);
    }
    *world.purse.refuses.lock().unwrap() = Some(failing);
    // The failing one is due first.
    app.wallets_changed(&one).await.unwrap();
    world.clock.advance(TimeDelta::seconds(1));
    app.wallets_changed(&two).await.unwrap();
    world.retry(&app).await;
    assert_eq!(world.bought(&[one[0], two[0]]).await, [0, 1]);
    // Mended, it sells by itself.
    *world.purse.refuses.lock().unwrap() = None;
    world.clock.advance(TimeDelta::minutes(1));
    world.retry(&app).await;
    assert_eq!(world.bought(&[one[0], two[0]]).await, [1, 1]);
    world.check_books().await;
}

#[tokio::test]
async fn what_no_event_tells_of_is_found_by_looking_at_everything() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    world.purse.set(buyers[0], 0);
    post_in_turn(&world, &app, tenant, campaign, 1).await;
    world.retry(&app).await;
    world.purse.set(buyers[0], 1);
    assert_eq!(app.retry_everything().await.unwrap(), 1);
    world.retry(&app).await;
    assert_eq!(world.bought(&buyers).await, [1]);
    assert_eq!(app.retry_everything().await.unwrap(), 0);
}
