//! What becomes of posted leads.

use leadflow_contracts::{
    Event,
    common::{Logic, Outcome, Status, Verdict},
    distribution::distribution_server::Distribution as _,
    events::{Decisions, LeadAssigned, LeadDecided},
};
use leadflow_distribution::app::Posted;
use leadflow_kernel::{CampaignId, LeadId, SupplierId};
use leadflow_testkit::wait;
use prost::Message as _;

use crate::support::*;

#[tokio::test]
async fn a_lead_is_sold_answered_and_told() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 2).await;
    let mut gateway = world.bus.subscribe_core("gateway.one").await.unwrap();
    let mut assigned = world.bus.subscribe_core("lead.assigned").await.unwrap();
    let posted = Posted { reply_subject: "gateway.one".to_owned(), ..world.post(tenant, campaign) };
    app.decide_batch(std::slice::from_ref(&posted)).await.unwrap();

    let answer = Decisions::decode(gateway.next().await.unwrap()).unwrap().decisions.remove(0);
    assert_eq!(answer.outcome(), Outcome::Distributed);
    assert_eq!((answer.buyers_assigned, answer.price.clone()), (1, Some(usd("25.00"))));
    assert_eq!(answer, decision(&app, &posted).await);
    assert_eq!(world.bought(&buyers).await, [1, 0], "the older subscription comes first");

    let event = LeadAssigned::decode(assigned.next().await.unwrap()).unwrap();
    assert_eq!(event.lead_id, posted.lead.to_string());
    assert_eq!((event.campaign_name.as_str(), event.category_name.as_str()), ("Medicare California", "Medicare"));
    assert_eq!(event.data_json, posted.data.as_bytes());
    assert_eq!(event.assignments[0].buyer_id, buyers[0].to_string());

    let lead = lead(&app, &posted).await;
    assert_eq!(lead.assignments[0].assignment_id, event.assignments[0].assignment_id);
    assert_eq!(lead.trace.unwrap().candidates[0].verdict(), Verdict::Chosen);
    assert!(lead.explanation[1].starts_with("Best Insurance got it"), "{:?}", lead.explanation);
    wait::until("an empty outbox", PATIENCE, async || {
        world.count("SELECT count(*) FROM distribution.outbox").await == 0
    })
    .await;
    world.check_books().await;
}

#[tokio::test]
async fn a_broadcast_sells_to_all_and_adds_up_the_price() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::Broadcast, 3).await;
    world.purse.set(buyers[1], 0);
    let posted = world.post(tenant, campaign);
    app.decide_batch(std::slice::from_ref(&posted)).await.unwrap();
    let answer = decision(&app, &posted).await;
    assert_eq!((answer.buyers_assigned, answer.price), (2, Some(usd("50.00"))));
    assert_eq!(world.bought(&buyers).await, [1, 0, 1]);
    world.check_books().await;
}

#[tokio::test]
async fn a_redelivered_lead_is_answered_again_and_not_decided_again() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 2).await;
    let posted = Posted { reply_subject: "gateway.two".to_owned(), ..world.post(tenant, campaign) };
    let mut gateway = world.bus.subscribe_core("gateway.two").await.unwrap();
    // Twice in one batch, and once more in another replica.
    app.decide_batch(&[posted.clone(), posted.clone()]).await.unwrap();
    world.replica().decide_batch(std::slice::from_ref(&posted)).await.unwrap();
    let mut answers = Decisions::decode(gateway.next().await.unwrap()).unwrap().decisions;
    answers.extend(Decisions::decode(gateway.next().await.unwrap()).unwrap().decisions);
    assert_eq!(answers.len(), 3);
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.outcome() == Outcome::Distributed));
    assert_eq!(world.bought(&buyers).await, [1, 0]);
    world.check_books().await;
}

#[tokio::test]
async fn a_reused_key_with_another_body_is_a_conflict_and_tells_nothing() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, _) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    let first = world.post(tenant, campaign);
    let mut other = Posted { body_hash: vec![2; 32], reply_subject: "gateway.three".to_owned(), ..first.clone() };
    let mut gateway = world.bus.subscribe_core("gateway.three").await.unwrap();
    app.decide_batch(std::slice::from_ref(&first)).await.unwrap();
    app.decide_batch(std::slice::from_ref(&other)).await.unwrap();
    let answer = Decisions::decode(gateway.next().await.unwrap()).unwrap().decisions.remove(0);
    assert_eq!((answer.outcome(), answer.price.as_ref()), (Outcome::Conflict, None));
    assert_eq!(outcome(&app, &other).await.0, Outcome::Conflict);
    // Both in one batch are no different.
    let again = world.post(tenant, campaign);
    other.lead = again.lead;
    app.decide_batch(&[again.clone(), other]).await.unwrap();
    let answer = Decisions::decode(gateway.next().await.unwrap()).unwrap().decisions.remove(0);
    assert_eq!(answer.outcome(), Outcome::Conflict);
    assert_eq!(outcome(&app, &again).await.0, Outcome::Distributed);
}

#[tokio::test]
async fn a_lead_that_nobody_may_have_stays_for_sale_and_says_why() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, _) = world.campaign(&app, tenant, Logic::Waterfall, 0).await;
    let buyer = world.buyer(&app, tenant).await;
    let mut wanted = subscription(campaign, buyer);
    wanted.states = vec!["NY".to_owned()];
    put_subscription(&app, tenant, wanted).await;
    let mut unsold = world.bus.subscribe_core("lead.unsold").await.unwrap();
    let (here, nowhere) =
        (world.post(tenant, campaign), Posted { state: String::new(), ..world.post(tenant, campaign) });
    app.decide_batch(std::slice::from_ref(&here)).await.unwrap();
    let event = LeadDecided::decode(unsold.next().await.unwrap()).unwrap();
    assert_eq!(event.decision.unwrap().outcome(), Outcome::Unsold);
    app.decide_batch(std::slice::from_ref(&nowhere)).await.unwrap();
    assert_eq!(outcome(&app, &here).await, (Outcome::Unsold, "no_eligible_buyer".to_owned()));
    let verdict = |lead: leadflow_contracts::distribution::Lead| lead.trace.unwrap().candidates[0].verdict();
    assert_eq!(verdict(lead(&app, &here).await), Verdict::StateMismatch);
    assert_eq!(verdict(lead(&app, &nowhere).await), Verdict::LeadHasNoState);
    let expires = lead(&app, &here).await.expires_at_ms;
    assert_eq!(expires, here.received_at.timestamp_millis() + 72 * 3_600_000, "three days unless the campaign says");
    world.check_books().await;
}

#[tokio::test]
async fn who_is_not_active_at_the_moment_of_sale_sells_and_buys_nothing() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let mut request = campaign(tenant, Logic::RoundRobin);
    let id: CampaignId = put_campaign(&app, tenant, request.clone()).await.campaign_id.parse().unwrap();
    let bought = world.buyer(&app, tenant).await;
    put_subscription(&app, tenant, subscription(id, bought)).await;
    // The replica has the campaign in memory from here on; the changes are made by another one.
    let warm = world.post(tenant, id);
    app.decide_batch(&[warm]).await.unwrap();
    let other = world.replica();

    request.status = Status::Paused.into();
    put_campaign(&other, tenant, request.clone()).await;
    let posted = world.post(tenant, id);
    app.decide_batch(std::slice::from_ref(&posted)).await.unwrap();
    assert_eq!(outcome(&app, &posted).await, (Outcome::Rejected, "campaign_inactive".to_owned()));
    request.status = Status::Active.into();
    put_campaign(&other, tenant, request).await;

    let mut kind = category(tenant);
    kind.status = Status::Paused.into();
    call(&other).put_category(as_tenant(tenant.seller, kind)).await.unwrap();
    let posted = world.post(tenant, id);
    app.decide_batch(std::slice::from_ref(&posted)).await.unwrap();
    assert_eq!(outcome(&app, &posted).await, (Outcome::Rejected, "category_inactive".to_owned()));
    call(&other).put_category(as_tenant(tenant.seller, category(tenant))).await.unwrap();

    let mut suspended = buyer(tenant.seller, bought, 2);
    suspended.status = leadflow_distribution_domain::Status::Paused;
    other.project_directory(vec![], vec![suspended]).await.unwrap();
    let posted = world.post(tenant, id);
    app.decide_batch(std::slice::from_ref(&posted)).await.unwrap();
    assert_eq!(lead(&app, &posted).await.trace.unwrap().candidates[0].verdict(), Verdict::BuyerInactive);
    world.check_books().await;
}

#[tokio::test]
async fn the_price_is_the_one_at_the_moment_of_sale() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let mut request = campaign(tenant, Logic::RoundRobin);
    let id: CampaignId = put_campaign(&app, tenant, request.clone()).await.campaign_id.parse().unwrap();
    let buyer = world.buyer(&app, tenant).await;
    put_subscription(&app, tenant, subscription(id, buyer)).await;
    let first = world.post(tenant, id);
    app.decide_batch(std::slice::from_ref(&first)).await.unwrap();
    request.price = Some(usd("0"));
    put_campaign(&world.replica(), tenant, request).await;
    let second = world.post(tenant, id);
    app.decide_batch(std::slice::from_ref(&second)).await.unwrap();
    assert_eq!(decision(&app, &first).await.price, Some(usd("25.00")));
    assert_eq!(decision(&app, &second).await.price, Some(usd("0.00")), "a price of zero is a price");
}

#[tokio::test]
async fn an_unknown_campaign_and_another_tenants_are_the_same() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, stranger) = (world.tenant(&app).await, world.tenant(&app).await);
    let (foreign, buyers) = world.campaign(&app, stranger, Logic::RoundRobin, 1).await;
    for campaign in [CampaignId::new(), foreign] {
        let posted = world.post(tenant, campaign);
        app.decide_batch(std::slice::from_ref(&posted)).await.unwrap();
        assert_eq!(outcome(&app, &posted).await, (Outcome::Rejected, "campaign_unknown".to_owned()));
    }
    assert_eq!(world.bought(&buyers).await, [0]);
}

#[tokio::test]
async fn a_repeated_person_is_a_duplicate_until_the_window_has_passed() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let mut request = campaign(tenant, Logic::RoundRobin);
    request.duplicates = Some(no_repeats(&["email", "phone"]));
    let id: CampaignId = put_campaign(&app, tenant, request).await.campaign_id.parse().unwrap();
    let buyer = world.buyer(&app, tenant).await;
    put_subscription(&app, tenant, subscription(id, buyer)).await;
    let first = world.post(tenant, id);
    app.decide_batch(std::slice::from_ref(&first)).await.unwrap();

    let data = r#"{"email":"other@example.com","phone":"(212) 555-0100"}"#.to_owned();
    let second = Posted { data, ..world.post(tenant, id) };
    app.decide_batch(std::slice::from_ref(&second)).await.unwrap();
    assert_eq!(outcome(&app, &second).await, (Outcome::Rejected, "duplicate".to_owned()));
    let shown = lead(&app, &second).await;
    let trace = shown.trace.unwrap();
    assert_eq!((trace.duplicate_of, trace.duplicate_field), (first.lead.to_string(), "phone".to_owned()));
    assert!(shown.explanation[0].contains("same phone"), "{:?}", shown.explanation);

    // A refused lead leaves nothing behind: its other address is free.
    let data = r#"{"email":"other@example.com"}"#.to_owned();
    let third = Posted { data, ..world.post(tenant, id) };
    app.decide_batch(std::slice::from_ref(&third)).await.unwrap();
    assert_eq!(outcome(&app, &third).await.0, Outcome::Distributed);

    world.clock.advance(chrono::TimeDelta::days(31));
    let late = world.post(tenant, id);
    app.decide_batch(std::slice::from_ref(&late)).await.unwrap();
    assert_eq!(outcome(&app, &late).await.0, Outcome::Distributed);
    world.check_books().await;
}

#[tokio::test]
async fn a_test_lead_is_decided_and_leaves_no_trace_elsewhere() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let mut request = campaign(tenant, Logic::RoundRobin);
    request.duplicates = Some(no_repeats(&["email"]));
    let id: CampaignId = put_campaign(&app, tenant, request).await.campaign_id.parse().unwrap();
    let buyer = world.buyer(&app, tenant).await;
    let mut capped = subscription(id, buyer);
    capped.daily_cap = Some(1);
    put_subscription(&app, tenant, capped).await;
    for _ in 0..3 {
        let test = Posted { test: true, ..world.post(tenant, id) };
        app.decide_batch(std::slice::from_ref(&test)).await.unwrap();
        let answer = decision(&app, &test).await;
        assert_eq!((answer.outcome(), answer.test, answer.buyers_assigned), (Outcome::Test, true, 1));
    }
    assert!(world.purse.held_ids().is_empty());
    assert_eq!(world.count("SELECT count(*) FROM distribution.assignments").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM distribution.lead_fingerprints").await, 0);
    assert_eq!(world.count("SELECT count(*) FROM distribution.outbox WHERE NOT ordered").await, 0);
    let real = world.post(tenant, id);
    app.decide_batch(std::slice::from_ref(&real)).await.unwrap();
    assert_eq!(outcome(&app, &real).await.0, Outcome::Distributed);
    // As if it were real: now it is a repeat, and without that the cap is reached.
    let repeat = Posted { test: true, ..world.post(tenant, id) };
    let data = r#"{"email":"new@example.com"}"#.to_owned();
    let full = Posted { test: true, data, ..world.post(tenant, id) };
    app.decide_batch(&[repeat.clone(), full.clone()]).await.unwrap();
    assert_eq!(outcome(&app, &repeat).await, (Outcome::Rejected, "duplicate".to_owned()));
    assert_eq!(outcome(&app, &full).await, (Outcome::Unsold, "no_eligible_buyer".to_owned()));
    world.check_books().await;
}

#[tokio::test]
async fn a_batch_of_several_tenants_and_campaigns_is_decided_at_once() {
    let world = World::new().await;
    let app = world.replica();
    let mut posted = Vec::new();
    let mut all = Vec::new();
    for logic in [Logic::RoundRobin, Logic::WeightedRoundRobin, Logic::Waterfall, Logic::Broadcast] {
        let tenant = world.tenant(&app).await;
        let (campaign, buyers) = world.campaign(&app, tenant, logic, 3).await;
        world.purse.set(buyers[0], 2);
        posted.extend(world.posts(tenant, campaign, 9));
        all.push(buyers);
    }
    app.decide_batch(&posted).await.unwrap();
    assert_eq!(world.bought(&all[0]).await, [2, 4, 3]);
    assert_eq!(world.bought(&all[1]).await.iter().sum::<usize>(), 9);
    assert_eq!(world.bought(&all[2]).await, [2, 7, 0]);
    assert_eq!(world.bought(&all[3]).await, [2, 9, 9]);
    world.check_books().await;
}

#[tokio::test]
async fn the_day_of_a_cap_is_the_tenants() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, _) = world.campaign(&app, tenant, Logic::RoundRobin, 0).await;
    let buyer = world.buyer(&app, tenant).await;
    let mut capped = subscription(campaign, buyer);
    capped.daily_cap = Some(1);
    put_subscription(&app, tenant, capped).await;
    // Noon in UTC is seven in the morning in New York: midnight there is seventeen hours away.
    for (hours, sold) in [(0, 1), (16, 1), (2, 2)] {
        world.clock.advance(chrono::TimeDelta::hours(hours));
        app.decide_batch(&[world.post(tenant, campaign)]).await.unwrap();
        assert_eq!(world.bought(&[buyer]).await, [sold], "{hours} hours later");
    }
}

#[tokio::test]
async fn events_that_no_gateway_writes_are_refused() {
    use leadflow_contracts::events::LeadReceived;
    let good = LeadReceived {
        lead_id: LeadId::new().to_string(),
        seller_id: leadflow_kernel::SellerId::new().to_string(),
        supplier_id: SupplierId::new().to_string(),
        campaign_id: CampaignId::new().to_string(),
        category_id: leadflow_kernel::CategoryId::new().to_string(),
        data_json: "{}".into(),
        received_at_ms: 1,
        ..LeadReceived::default()
    };
    assert_eq!(good.subject(), "lead.received");
    assert!(Posted::read(good.clone(), None).is_ok());
    let bad = [
        LeadReceived { lead_id: "lead_".into(), ..good.clone() },
        LeadReceived { seller_id: good.lead_id.clone(), ..good.clone() },
        LeadReceived { received_at_ms: 0, ..good.clone() },
        LeadReceived { data_json: vec![0xff].into(), ..good.clone() },
    ];
    assert!(bad.into_iter().all(|event| Posted::read(event, None).is_err()));
}
