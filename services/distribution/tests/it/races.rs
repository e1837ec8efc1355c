//! The same things at the same time.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::future::join_all;
use leadflow_contracts::{
    common::{Logic, Outcome},
    distribution::{
        PutCampaignRequest, PutCategoryRequest, PutSubscriptionRequest, distribution_server::Distribution as _,
    },
};
use leadflow_distribution::app::Posted;
use leadflow_kernel::CampaignId;
use leadflow_testkit::wait;
use tonic::Code;

use crate::support::*;

/// Decides `posted` in portions, spread over two replicas at once.
async fn decide_everywhere(world: &World, posted: &[Posted], portion: usize) {
    let replicas = [world.replica(), world.replica()];
    let work = posted.chunks(portion).enumerate().map(|(at, part)| {
        let (app, part) = (replicas[at % 2].clone(), part.to_vec());
        tokio::spawn(async move { decide(&app, &part).await })
    });
    for done in join_all(work.collect::<Vec<_>>()).await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_lead_in_two_replicas_at_once_is_sold_once() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 3).await;
    for round in 1..=10 {
        let posted = vec![world.post(tenant, campaign); 8];
        decide_everywhere(&world, &posted, 1).await;
        assert_eq!(world.bought(&buyers).await.iter().sum::<usize>(), round);
    }
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_key_for_two_campaigns_at_once_is_one_lead() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (one, first) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    let (two, second) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    for round in 1..=10 {
        let posted = world.post(tenant, one);
        // Another campaign is another body.
        let other = Posted { campaign: two, body_hash: vec![9; 32], ..posted.clone() };
        decide_everywhere(&world, &[posted, other], 1).await;
        assert_eq!(world.bought(&[first[0], second[0]]).await.iter().sum::<usize>(), round);
    }
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cap_of_ten_admits_ten_of_two_hundred() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    for logic in [Logic::RoundRobin, Logic::WeightedRoundRobin, Logic::Waterfall, Logic::Broadcast] {
        let (campaign, _) = world.campaign(&app, tenant, logic, 0).await;
        let buyer = world.buyer(&app, tenant).await;
        let mut capped = subscription(campaign, buyer);
        capped.daily_cap = Some(10);
        put_subscription(&app, tenant, capped).await;
        decide_everywhere(&world, &world.posts(tenant, campaign, 200), 7).await;
        assert_eq!(world.bought(&[buyer]).await, [10], "{logic:?}");
    }
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cap_of_ten_is_kept_by_a_buyer_who_leaves_and_comes_back_meanwhile() {
    const TIMES: i64 = 30;
    let world = Arc::new(World::new().await);
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, _) = world.campaign(&app, tenant, Logic::RoundRobin, 0).await;
    let buyer = world.buyer(&app, tenant).await;
    let capped = move || PutSubscriptionRequest { daily_cap: Some(10), ..subscription(campaign, buyer) };
    put_subscription(&app, tenant, capped()).await;
    let over = Arc::new(AtomicBool::new(false));
    let deciding = (0..2).map(|_| {
        let (world, app, over) = (world.clone(), world.replica(), over.clone());
        tokio::spawn(async move {
            while !over.load(Ordering::SeqCst) {
                decide(&app, &world.posts(tenant, campaign, 2)).await;
            }
        })
    });
    let deciding: Vec<_> = deciding.collect();
    for _ in 0..TIMES {
        // Each of the subscriptions sees leads: with a cap of its own it would get some.
        let before = world.count("SELECT count(*) FROM distribution.leads").await;
        wait::until("more leads", PATIENCE, async || {
            world.count("SELECT count(*) FROM distribution.leads").await > before + 4
        })
        .await;
        unsubscribe(&app, tenant, campaign, buyer).await;
        put_subscription(&app, tenant, capped()).await;
    }
    over.store(true, Ordering::SeqCst);
    for done in join_all(deciding).await {
        done.unwrap();
    }
    world.retry(&app).await;
    assert_eq!(world.bought(&[buyer]).await, [10]);
    assert_eq!(world.count("SELECT count(*) FROM distribution.subscriptions").await, TIMES + 1);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_round_over_seven_buyers_and_two_replicas_differs_by_at_most_one() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 7).await;
    decide_everywhere(&world, &world.posts(tenant, campaign, 200), 9).await;
    let bought = world.bought(&buyers).await;
    assert_eq!(bought.iter().sum::<usize>(), 200);
    assert!(bought.iter().max().unwrap() - bought.iter().min().unwrap() <= 1, "{bought:?}");
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn money_for_forty_buys_forty_of_two_hundred() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    world.purse.set(buyers[0], 40);
    decide_everywhere(&world, &world.posts(tenant, campaign, 200), 11).await;
    assert_eq!(world.bought(&buyers).await, [40]);
    assert_eq!(world.purse.held_for(buyers[0]), 40);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_posts_of_one_person_are_one_sale() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let mut request = campaign(tenant, Logic::Broadcast);
    request.duplicates = Some(no_repeats(&["email"]));
    let id: CampaignId = put_campaign(&app, tenant, request).await.campaign_id.parse().unwrap();
    let buyer = world.buyer(&app, tenant).await;
    put_subscription(&app, tenant, subscription(id, buyer)).await;
    let posted = world.posts(tenant, id, 200);
    decide_everywhere(&world, &posted, 13).await;
    assert_eq!(world.bought(&[buyer]).await, [1]);
    let mut outcomes = Vec::new();
    for one in &posted {
        outcomes.push(outcome(&app, one).await.0);
    }
    assert_eq!(outcomes.iter().filter(|one| **one == Outcome::Distributed).count(), 1);
    assert_eq!(outcomes.iter().filter(|one| **one == Outcome::Rejected).count(), 199);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_the_configuration_and_decisions_do_not_lock_each_other_out() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let mut campaigns = Vec::new();
    let mut buyers = Vec::new();
    for _ in 0..3 {
        let (campaign, ids) = world.campaign(&app, tenant, Logic::RoundRobin, 2).await;
        campaigns.push(campaign);
        buyers.extend(ids);
    }
    let posted: Vec<Posted> = (0..120).map(|at| world.post(tenant, campaigns[at % campaigns.len()])).collect();
    let world = Arc::new(world);
    let changes = tokio::spawn({
        let (world, buyers) = (world.clone(), buyers.clone());
        async move {
            let app = world.replica();
            for version in 2..30 {
                app.project_directory(
                    vec![seller(tenant.seller, version)],
                    buyers.iter().map(|id| buyer(tenant.seller, *id, version)).collect(),
                )
                .await
                .unwrap();
                app.wallets_changed(&buyers).await.unwrap();
                app.retry_unsold().await.unwrap();
            }
        }
    });
    decide_everywhere(&world, &posted, 5).await;
    changes.await.unwrap();
    let ids: HashSet<_> = posted.iter().map(|one| one.lead).collect();
    assert_eq!(world.bought(&buyers).await.iter().sum::<usize>(), ids.len());
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_changes_made_for_one_version_one_is_carried_out() {
    let world = World::new().await;
    let (app, other) = (world.replica(), world.replica());
    let tenant = world.tenant(&app).await;
    let (id, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    let made = campaign(tenant, Logic::RoundRobin);
    let version = put_campaign(&app, tenant, made.clone()).await.version;
    let renamed = |number: usize, expected: Option<u64>| PutCampaignRequest {
        name: format!("Name {number}"),
        expected_version: expected,
        ..made.clone()
    };
    let answers = join_all((0..6).map(|number| {
        let app = if number % 2 == 0 { &app } else { &other };
        let request = as_tenant(tenant.seller, renamed(number, Some(version)));
        async move { call(app).put_campaign(request).await }
    }))
    .await;
    let (made_now, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((made_now.len(), refused.len()), (1, 5));
    for answer in refused {
        assert_eq!(refusal(answer), (Code::Aborted, "changed_meanwhile".into()));
    }
    let now = made_now.into_iter().next().unwrap().unwrap().into_inner();
    assert_eq!(now.version, version + 1);
    // Who missed the answer sends the same again, and it is done already.
    let number = now.name.strip_prefix("Name ").unwrap().parse().unwrap();
    let again = put_campaign(&app, tenant, renamed(number, Some(version))).await;
    assert_eq!(again.version, now.version);
    put_campaign(&app, tenant, renamed(7, None)).await;
    // There is one already, and a new one is not of any version.
    let answer = call(&app).put_campaign(as_tenant(tenant.seller, renamed(8, Some(0)))).await;
    assert_eq!(refusal(answer), (Code::Aborted, "changed_meanwhile".into()));
    let none = PutCampaignRequest { campaign_id: CampaignId::new().to_string(), ..renamed(9, Some(1)) };
    let answer = call(&app).put_campaign(as_tenant(tenant.seller, none.clone())).await;
    assert_eq!(refusal(answer), (Code::Aborted, "changed_meanwhile".into()));
    put_campaign(&app, tenant, PutCampaignRequest { expected_version: Some(0), ..none }).await;

    // Categories and subscriptions likewise.
    let kind = PutCategoryRequest { name: "Other".into(), expected_version: Some(1), ..category(tenant) };
    call(&app).put_category(as_tenant(tenant.seller, kind.clone())).await.unwrap();
    let late = PutCategoryRequest { name: "Late".into(), ..kind };
    let answer = call(&app).put_category(as_tenant(tenant.seller, late)).await;
    assert_eq!(refusal(answer), (Code::Aborted, "changed_meanwhile".into()));
    let fresh = subscription(CampaignId::new(), buyers[0]);
    let answer = call(&app)
        .put_subscription(as_tenant(tenant.seller, PutSubscriptionRequest { expected_version: Some(3), ..fresh }))
        .await;
    assert_eq!(refusal(answer), (Code::NotFound, "campaign_not_found".into()));
    let view = app.get_campaign(tenant.seller, id).await.unwrap();
    let known = PutSubscriptionRequest {
        subscription_id: view.subscriptions[0].0.id.to_string(),
        daily_cap: Some(9),
        ..subscription(id, buyers[0])
    };
    let first = PutSubscriptionRequest { expected_version: Some(1), ..known.clone() };
    put_subscription(&app, tenant, first).await;
    let late = PutSubscriptionRequest { daily_cap: Some(8), expected_version: Some(1), ..known };
    let answer = call(&app).put_subscription(as_tenant(tenant.seller, late)).await;
    assert_eq!(refusal(answer), (Code::Aborted, "changed_meanwhile".into()));
}
