//! Decisions hold no lock while billing is asked: what happens to the campaign meanwhile is seen before they are written.

use std::sync::atomic::Ordering;

use leadflow_contracts::{
    common::{Logic, Outcome},
    distribution::{AssignmentRef, ConfirmAssignmentsRequest, distribution_server::Distribution as _},
};
use leadflow_distribution::{app::App, outbound::billing::Holds as _};
use leadflow_kernel::{BuyerId, CampaignId};
use leadflow_testkit::wait;

use crate::support::*;

/// A campaign in round robin, and a replica that knows it and sold a lead to each buyer.
async fn market(world: &World, buyers: usize) -> (App, Tenant, CampaignId, Vec<BuyerId>) {
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, buyers).await;
    app.decide_batch(&world.posts(tenant, campaign, buyers.len())).await.unwrap();
    (app, tenant, campaign, buyers)
}

/// Waits until billing was asked once more than `before`.
async fn asked(world: &World, before: usize) {
    wait::until("a question to billing", PATIENCE, async || world.purse.asked.load(Ordering::SeqCst) > before).await;
}

#[tokio::test]
async fn a_change_of_the_campaign_is_obeyed_and_the_hold_for_the_old_decision_given_back() {
    let world = World::new().await;
    let (app, tenant, campaign, buyers) = market(&world, 2).await;
    // Whose turn it is next leaves after his hold was granted.
    let leave = "WITH left_now AS (UPDATE distribution.subscriptions SET status = 'paused' WHERE subscription_id = \
                 (SELECT subscription_id FROM distribution.subscription_rotation ORDER BY last_served LIMIT 1)) \
                 UPDATE distribution.campaign_routing SET version = version + 1";
    *world.purse.after_grant.lock().unwrap() = Some((world.pool().clone(), leave));
    app.decide_batch(&world.posts(tenant, campaign, 1)).await.unwrap();
    let bought = world.bought(&buyers).await;
    assert!(bought == [1, 2] || bought == [2, 1], "{bought:?}");
    for (buyer, bought) in buyers.iter().zip(&bought) {
        assert_eq!(world.purse.held_for(*buyer), *bought, "nothing is held for what was not sold");
    }
    assert_eq!(
        world
            .count(
                "SELECT count(*) FROM distribution.assignments a JOIN distribution.subscriptions s \
        USING (subscription_id) WHERE s.status = 'paused'"
            )
            .await,
        1
    );
    world.check_books().await;
}

#[tokio::test]
async fn a_hold_for_a_lead_that_stays_for_sale_is_given_back() {
    let world = World::new().await;
    let (app, tenant, campaign, buyers) = market(&world, 1).await;
    let leave = "WITH left_now AS (UPDATE distribution.subscriptions SET status = 'paused') \
                 UPDATE distribution.campaign_routing SET version = version + 1";
    *world.purse.after_grant.lock().unwrap() = Some((world.pool().clone(), leave));
    let posted = world.post(tenant, campaign);
    app.decide_batch(std::slice::from_ref(&posted)).await.unwrap();
    assert_eq!(outcome(&app, &posted).await.0, Outcome::Unsold);
    assert_eq!(world.bought(&buyers).await, [1]);
    assert_eq!(world.purse.held_for(buyers[0]), 1, "the hold of what was sold");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_that_another_replica_decides_meanwhile_keeps_its_hold_and_both_answer_the_same() {
    let world = World::new().await;
    let (app, tenant, campaign, buyers) = market(&world, 2).await;
    let posted = world.posts(tenant, campaign, 3);
    let before = world.purse.asked.load(Ordering::SeqCst);
    let gate = world.purse.gate.lock().await;
    let deciding = [app.clone(), world.replica()].map(|app| {
        let posted = posted.clone();
        tokio::spawn(async move { app.decide_batch(&posted).await })
    });
    asked(&world, before + 1).await;
    drop(gate);
    for one in deciding {
        one.await.unwrap().unwrap();
    }
    assert_eq!(world.bought(&buyers).await.iter().sum::<usize>(), 5);
    for buyer in &buyers {
        let bought = world.bought(&[*buyer]).await;
        assert_eq!(bought, [world.purse.held_for(*buyer)], "each sale has its hold, and each hold its sale");
    }
    for one in &posted {
        assert_eq!(outcome(&app, one).await.0, Outcome::Distributed);
    }
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assignment_called_unknown_is_not_made_by_a_decision_that_began_before() {
    let world = World::new().await;
    let (app, tenant, campaign, buyers) = market(&world, 1).await;
    let sold = world.purse.held_ids();
    let posted = world.post(tenant, campaign);
    let gate = world.purse.gate.lock().await;
    let deciding = tokio::spawn({
        let (app, posted) = (app.clone(), posted.clone());
        async move { app.decide_batch(&[posted]).await }
    });
    wait::until("a granted hold", PATIENCE, async || world.purse.held_ids().len() > sold.len()).await;
    let held = *world.purse.held_ids().difference(&sold).next().unwrap();
    // As billing does with a hold that stands for long: it asks, and gives back what nobody knows.
    let ask = ConfirmAssignmentsRequest {
        assignments: vec![AssignmentRef { assignment_id: held.to_string(), campaign_id: campaign.to_string() }],
    };
    let answer = call(&world.replica()).confirm_assignments(as_tenant(tenant.seller, ask)).await.unwrap();
    assert!(answer.into_inner().known_assignment_ids.is_empty());
    world.purse.release(tenant.seller, &[held]).await.unwrap();
    drop(gate);
    deciding.await.unwrap().unwrap();
    assert_eq!(outcome(&app, &posted).await.0, Outcome::Distributed);
    assert!(world.purse.held_ids().contains(&held), "the sale was made on a hold that was placed again");
    assert_eq!(world.bought(&buyers).await, [2]);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_refused_before_a_credit_is_not_left_behind_the_look_that_the_credit_asked_for() {
    let world = World::new().await;
    let (app, tenant, campaign, buyers) = market(&world, 1).await;
    world.purse.set(buyers[0], 0);
    let posted = world.post(tenant, campaign);
    let before = world.purse.asked.load(Ordering::SeqCst);
    let gate = world.purse.gate.lock().await;
    let deciding = tokio::spawn({
        let (app, posted) = (app.clone(), posted.clone());
        async move { app.decide_batch(&[posted]).await }
    });
    asked(&world, before).await;
    let other = world.replica();
    world.purse.set(buyers[0], 5);
    other.wallets_changed(&buyers).await.unwrap();
    world.retry(&other).await;
    drop(gate);
    deciding.await.unwrap().unwrap();
    assert_eq!(outcome(&app, &posted).await.0, Outcome::Distributed);
    assert_eq!(world.bought(&buyers).await, [2]);
    world.check_books().await;
}
