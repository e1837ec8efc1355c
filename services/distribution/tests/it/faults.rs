//! Things that break half-way.

use std::{sync::atomic::Ordering, time::Duration};

use leadflow_contracts::{
    Event as _,
    common::{Logic, Outcome},
    distribution::{AssignmentRef, ConfirmAssignmentsRequest, distribution_server::Distribution as _},
    events::LeadReceived,
};
use leadflow_distribution::{
    app::AppError,
    inbound::lead_events::LeadEvents,
    outbound::billing::{BillingHolds, Hold, Holds as _, HoldsError},
};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, Currency, EventId, LeadId, Money, SellerId};
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler as _, HandleError},
};
use leadflow_platform::grpc::{ServiceToken, channel};
use leadflow_testkit::wait;
use prost::Message as _;
use tokio::net::TcpListener;

use crate::support::*;

#[tokio::test]
async fn while_billing_is_away_nothing_is_written_and_nothing_is_lost() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 2).await;
    let posted = world.posts(tenant, campaign, 4);
    world.purse.down.store(true, Ordering::SeqCst);
    let error = app.decide_batch(&posted).await.unwrap_err();
    assert!(matches!(error, AppError::Holds(HoldsError::Unavailable(_))), "{error}");
    assert_eq!(world.count("SELECT count(*) FROM distribution.leads").await, 0);
    world.purse.down.store(false, Ordering::SeqCst);
    // Another replica is not kept waiting by a lock left behind.
    world.replica().decide_batch(&posted).await.unwrap();
    assert_eq!(world.bought(&buyers).await, [2, 2]);
    world.check_books().await;
}

#[tokio::test]
async fn a_crash_between_hold_and_commit_sells_once_with_the_same_hold() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    for logic in [Logic::RoundRobin, Logic::WeightedRoundRobin, Logic::Waterfall, Logic::Broadcast] {
        let (campaign, buyers) = world.campaign(&app, tenant, logic, 3).await;
        let posted = world.posts(tenant, campaign, 5);
        let before = world.purse.held_ids().len();
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                    AND application_name = 'distribution-test' AND state = 'idle in transaction'";
        *world.purse.after_grant.lock().unwrap() = Some((world.pool().clone(), kill));
        assert!(matches!(app.decide_batch(&posted).await, Err(AppError::Database(_))), "{logic:?}");
        let sales = world.bought(&buyers).await.iter().sum::<usize>();
        assert_eq!(sales, 0);
        let granted = world.purse.held_ids().len() - before;
        // The stream delivers the batch again, to whoever lives.
        decide(&world.replica(), &posted).await;
        assert_eq!(world.purse.held_ids().len() - before, granted, "{logic:?}: the holds are the same");
        assert_eq!(world.bought(&buyers).await.iter().sum::<usize>(), granted);
        for one in &posted {
            assert_eq!(outcome(&app, one).await.0, Outcome::Distributed);
        }
    }
    world.check_books().await;
}

#[tokio::test]
async fn memory_of_a_replica_that_could_not_write_is_not_used() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 3).await;
    app.decide_batch(&world.posts(tenant, campaign, 3)).await.unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                AND application_name = 'distribution-test'";
    *world.purse.after_grant.lock().unwrap() = Some((world.pool().clone(), kill));
    assert!(app.decide_batch(&world.posts(tenant, campaign, 1)).await.is_err());
    // As the stream does it: again, until a connection stands.
    decide(&app, &world.posts(tenant, campaign, 3)).await;
    assert_eq!(world.bought(&buyers).await, [2, 2, 2]);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assignment_is_only_called_unknown_when_nobody_can_still_commit_it() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, _) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    let posted = world.post(tenant, campaign);
    let gate = world.purse.gate.lock().await;
    let deciding = tokio::spawn({
        let (app, posted) = (app.clone(), posted.clone());
        async move { app.decide_batch(&[posted]).await }
    });
    wait::until("a granted hold", PATIENCE, async || !world.purse.held_ids().is_empty()).await;
    let held = *world.purse.held_ids().iter().next().unwrap();
    let ask = |id: AssignmentId| ConfirmAssignmentsRequest {
        assignments: vec![AssignmentRef { assignment_id: id.to_string(), campaign_id: campaign.to_string() }],
    };
    let asking = tokio::spawn({
        let (service, request) = (call(&world.replica()), as_tenant(tenant.seller, ask(held)));
        async move { service.confirm_assignments(request).await }
    });
    wait::until("the question to wait for the lock", PATIENCE, async || {
        world
            .count(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
            .await
            > 0
    })
    .await;
    assert!(!asking.is_finished());
    drop(gate);
    deciding.await.unwrap().unwrap();
    let known = asking.await.unwrap().unwrap().into_inner().known_assignment_ids;
    assert_eq!(known, [held.to_string()]);
    // What does not exist is not known, nor is it to another tenant.
    let nobody = call(&app).confirm_assignments(as_tenant(tenant.seller, ask(AssignmentId::new()))).await.unwrap();
    assert!(nobody.into_inner().known_assignment_ids.is_empty());
    let stranger = call(&app).confirm_assignments(as_tenant(SellerId::new(), ask(held))).await.unwrap();
    assert!(stranger.into_inner().known_assignment_ids.is_empty());
}

#[tokio::test]
async fn a_billing_that_is_away_or_hangs_is_given_up_in_time() {
    let hold = Hold {
        id: AssignmentId::new(),
        buyer: BuyerId::new(),
        lead: LeadId::new(),
        campaign: CampaignId::new(),
        amount: Money::parse("25", Currency::USD).unwrap(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = format!("http://{}", listener.local_addr().unwrap());
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    for url in [hanging, away] {
        let holds = BillingHolds::new(channel(&url, "BILLING_GRPC_URL").unwrap(), ServiceToken::new(TOKEN));
        let asked = holds.place(SellerId::new(), std::slice::from_ref(&hold), None);
        let answer = tokio::time::timeout(Duration::from_secs(8), asked).await.expect("an end");
        assert!(matches!(answer, Err(HoldsError::Unavailable(_))), "{answer:?}");
    }
    drop(listener);
}

#[tokio::test]
async fn a_message_that_is_no_lead_is_told_apart_from_a_dependency_that_is_away() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, _) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    let handler = LeadEvents::new(app);
    let event = |data: &str| LeadReceived {
        lead_id: LeadId::new().to_string(),
        seller_id: tenant.seller.to_string(),
        supplier_id: tenant.supplier.to_string(),
        campaign_id: campaign.to_string(),
        category_id: tenant.category.to_string(),
        data_json: data.to_owned().into(),
        received_at_ms: 1_700_000_000_000,
        ..LeadReceived::default()
    };
    let message = |payload: Vec<u8>| Message {
        id: EventId::new(),
        subject: "lead.received".to_owned(),
        kind: LeadReceived::TYPE.to_owned(),
        traceparent: None,
        payload: payload.into(),
        delivered: 1,
        sequence: 1,
    };
    let broken = [vec![0xff], event("no JSON").encode_to_vec(), LeadReceived::default().encode_to_vec()];
    for payload in broken {
        let batch = [message(event("{}").encode_to_vec()), message(payload)];
        assert!(matches!(handler.handle(&batch).await, Err(HandleError::Permanent(_))));
    }
    assert_eq!(world.count("SELECT count(*) FROM distribution.leads").await, 0, "all of a batch or nothing");
    world.purse.down.store(true, Ordering::SeqCst);
    let batch = [message(event("{}").encode_to_vec())];
    assert!(matches!(handler.handle(&batch).await, Err(HandleError::Transient(_))));
    world.purse.down.store(false, Ordering::SeqCst);
    assert!(handler.handle(&batch).await.is_ok());
}
