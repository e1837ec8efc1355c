//! Leads that were kept as long as their tenant wants.

use std::sync::atomic::Ordering;

use chrono::TimeDelta;
use leadflow_contracts::{
    common::{Logic, Outcome},
    distribution::{
        DecideReturnRequest, ListLeadsRequest, ListPurchasesRequest, ReturnState, catalogue_server::Catalogue as _,
        returns_server::Returns as _,
    },
    events::{LeadAssigned, LeadDecided, LeadsMasked},
    subjects,
};
use leadflow_distribution::{
    Seller,
    app::{App, Posted},
};
use leadflow_kernel::{CampaignId, Clock as _};
use leadflow_messaging::CoreMessages;
use leadflow_testkit::wait;
use prost::Message as _;

use crate::support::*;

/// Does all that is due.
async fn keep_no_longer(app: &App) {
    while app.keep_no_longer().await.unwrap() {}
}

async fn keeps_for(app: &App, tenant: Tenant, days: u32, version: u64) {
    let wanted = Seller { retention_days: days, ..seller(tenant.seller, version) };
    app.project_directory(vec![wanted], vec![]).await.unwrap();
}

async fn posted(world: &World, app: &App, tenant: Tenant, campaign: CampaignId) -> Posted {
    let raw = Some(r#"{"email":"Ann@Example.com"}"#.to_owned());
    let posted = Posted { raw, unknown_fields: vec!["nickname".to_owned()], ..world.post(tenant, campaign) };
    decide(app, std::slice::from_ref(&posted)).await;
    posted
}

/// The leads that the next events tell of.
async fn told(masked: &mut CoreMessages, leads: usize) -> Vec<String> {
    let mut told = Vec::new();
    while told.len() < leads {
        let event = LeadsMasked::decode(masked.next().await.unwrap()).unwrap();
        assert!(event.erasure_id.is_empty() && !event.seller_id.is_empty());
        told.extend(event.leads.into_iter().map(|lead| lead.lead_id));
    }
    told.sort();
    told
}

async fn is_masked(app: &App, posted: &Posted) -> bool {
    let lead = lead(app, posted).await;
    let empty = lead.data_json.as_ref() == b"{}" && lead.raw_json.is_empty() && lead.unknown_fields.is_empty();
    assert_eq!(empty, lead.masked_at_ms > 0);
    assert_eq!(lead.decision.unwrap().reference.is_empty(), lead.masked_at_ms > 0);
    lead.masked_at_ms > 0
}

#[tokio::test]
async fn each_tenants_leads_are_masked_when_their_time_is_up_and_not_before() {
    let world = World::new().await;
    let app = world.replica();
    let (short, usual, long) = (world.tenant(&app).await, world.tenant(&app).await, world.tenant(&app).await);
    keeps_for(&app, short, 30, 2).await;
    keeps_for(&app, long, 3_650, 2).await;
    let mut campaigns = Vec::new();
    for tenant in [short, usual, long] {
        campaigns.push(world.campaign(&app, tenant, Logic::RoundRobin, 2).await);
    }
    let old = posted(&world, &app, short, campaigns[0].0).await;
    let others = [posted(&world, &app, usual, campaigns[1].0).await, posted(&world, &app, long, campaigns[2].0).await];
    let before = lead(&app, &old).await;
    world.clock.advance(TimeDelta::days(1));
    let young = posted(&world, &app, short, campaigns[0].0).await;
    let mut masked = world.bus.subscribe_core(subjects::LEAD_MASKED).await.unwrap();

    world.clock.advance(TimeDelta::days(29));
    keep_no_longer(&app).await;
    assert!(!is_masked(&app, &old).await, "it is thirty days old, and no more");
    world.clock.advance(TimeDelta::hours(2));
    keep_no_longer(&app).await;
    assert!(is_masked(&app, &old).await);
    assert_eq!(told(&mut masked, 1).await, [old.lead.to_string()]);
    for other in [&young, &others[0], &others[1]] {
        assert!(!is_masked(&app, other).await);
    }

    // Everything else is as it was.
    let after = lead(&app, &old).await;
    assert_eq!((after.assignments, &after.trace, after.state), (before.assignments, &before.trace, before.state));
    let decision = after.decision.unwrap();
    assert_eq!((decision.outcome(), &decision.price), (Outcome::Distributed, &before.decision.as_ref().unwrap().price));
    let wanted = ListLeadsRequest { page: 1, limit: 10, ..Default::default() };
    let listed = world.catalogue().list_leads(as_tenant(short.seller, wanted)).await.unwrap().into_inner().leads;
    assert_eq!(listed.iter().map(|lead| lead.masked_at_ms > 0).collect::<Vec<_>>(), [false, true]);
    let mut bought = Vec::new();
    for buyer in &campaigns[0].1 {
        let wanted = ListPurchasesRequest { buyer_id: buyer.to_string(), page: 1, limit: 10, ..Default::default() };
        let listed = world.catalogue().list_purchases(as_tenant(short.seller, wanted)).await.unwrap();
        bought.extend(listed.into_inner().purchases);
    }
    let of_old = bought.iter().find(|one| one.lead_id == old.lead.to_string()).unwrap();
    assert!(of_old.masked_at_ms > 0 && of_old.data_json.as_ref() == b"{}");
    assert_eq!(bought.iter().filter(|one| one.masked_at_ms > 0).count(), 1);

    // A repeat of the post hears what it heard then; whether it is the same cannot be told any more.
    for body in [vec![1; 32], vec![2; 32]] {
        let repeat = Posted { body_hash: body, ..old.clone() };
        assert_eq!(outcome(&app, &repeat).await.0, Outcome::Distributed);
        decide(&app, &[repeat]).await;
    }
    assert!(is_masked(&app, &old).await);

    // Who chooses no number has the service's.
    let app = app.masking_after(30);
    keep_no_longer(&app).await;
    assert!(is_masked(&app, &others[0]).await && !is_masked(&app, &others[1]).await);
    // And a shorter time begins when it is chosen.
    keeps_for(&app, long, 1, 3).await;
    keep_no_longer(&app).await;
    assert!(is_masked(&app, &others[1]).await);
    world.check_books().await;
}

#[tokio::test]
async fn a_lead_for_sale_expires_by_it_and_is_never_sold_without_its_data() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let mut request = campaign(tenant, Logic::RoundRobin);
    request.lead_ttl_hours = 24 * 60;
    let id: CampaignId = put_campaign(&app, tenant, request).await.campaign_id.parse().unwrap();
    let (old, test) = (posted(&world, &app, tenant, id).await, Posted { test: true, ..world.post(tenant, id) });
    decide(&app, std::slice::from_ref(&test)).await;
    keeps_for(&app, tenant, 7, 2).await;
    let mut expired = world.bus.subscribe_core(subjects::LEAD_EXPIRED).await.unwrap();
    world.clock.advance(TimeDelta::days(8));
    let young = posted(&world, &app, tenant, id).await;
    keep_no_longer(&app).await;
    assert_eq!(outcome(&app, &old).await, (Outcome::Expired, "expired".to_owned()));
    let event = LeadDecided::decode(expired.next().await.unwrap()).unwrap().decision.unwrap();
    assert_eq!((event.lead_id, event.reference.as_str()), (old.lead.to_string(), ""));
    assert!(is_masked(&app, &old).await && is_masked(&app, &test).await && !is_masked(&app, &young).await);

    let mut assigned = world.bus.subscribe_core(subjects::LEAD_ASSIGNED).await.unwrap();
    let buyer = world.buyer(&app, tenant).await;
    put_subscription(&app, tenant, subscription(id, buyer)).await;
    world.retry(&app).await;
    assert_eq!(world.bought(&[buyer]).await, [1]);
    let event = LeadAssigned::decode(assigned.next().await.unwrap()).unwrap();
    assert_eq!(event.lead_id, young.lead.to_string());
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_that_is_under_way_is_waited_for() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    world.purse.set(buyers[0], 0);
    let old = posted(&world, &app, tenant, campaign).await;
    world.clock.advance(TimeDelta::days(2));
    sqlx::query("UPDATE distribution.leads SET expires_at = 'infinity'").execute(world.pool()).await.unwrap();
    keeps_for(&app, tenant, 1, 2).await;
    let mut assigned = world.bus.subscribe_core(subjects::LEAD_ASSIGNED).await.unwrap();
    let mut masked = world.bus.subscribe_core(subjects::LEAD_MASKED).await.unwrap();

    // Billing has granted the money, and the look at unsold leads has not heard of it yet.
    world.purse.set(buyers[0], 1);
    let gate = world.purse.gate.lock().await;
    let asked = world.purse.asked.load(Ordering::SeqCst);
    let (seller, masker) = (app.clone(), world.replica());
    let selling = tokio::spawn(async move { while seller.retry_unsold().await.unwrap() {} });
    wait::until("billing was asked", PATIENCE, async || world.purse.asked.load(Ordering::SeqCst) > asked).await;
    let masking = tokio::spawn(async move { keep_no_longer(&masker).await });
    wait::until("the look at old leads waits for the sale", PATIENCE, async || {
        world
            .count(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
                   AND query LIKE '%masked_at IS NULL%FOR UPDATE%'",
            )
            .await
            == 1
    })
    .await;
    drop(gate);
    selling.await.unwrap();
    masking.await.unwrap();
    assert_eq!(world.bought(&buyers).await, [1]);
    let event = LeadAssigned::decode(assigned.next().await.unwrap()).unwrap();
    assert!(event.data_json.as_ref() != b"{}", "it was sold with its data");
    assert!(is_masked(&app, &old).await);
    assert_eq!(outcome(&app, &old).await.0, Outcome::Distributed);
    assert_eq!(told(&mut masked, 1).await, [old.lead.to_string()], "and who keeps its data by then is told");
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_mask_each_lead_once() {
    let world = World::new().await;
    let (app, other) = (world.replica(), world.replica());
    let mut all = Vec::new();
    for _ in 0..2 {
        let tenant = world.tenant(&app).await;
        let (campaign, _) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
        for _ in 0..3 {
            // Of one moment.
            let posts = world.posts(tenant, campaign, 200);
            decide(&app, &posts).await;
            all.extend(posts);
        }
        keeps_for(&app, tenant, 1, 2).await;
    }
    world.clock.advance(TimeDelta::days(2));
    let mut masked = world.bus.subscribe_core(subjects::LEAD_MASKED).await.unwrap();
    tokio::join!(keep_no_longer(&app), keep_no_longer(&other));
    assert_eq!(world.count("SELECT count(*) FROM distribution.leads WHERE masked_at IS NULL").await, 0);
    let mut ids: Vec<_> = all.iter().map(|posted| posted.lead.to_string()).collect();
    ids.sort();
    assert_eq!(told(&mut masked, all.len()).await, ids);
    world.check_books().await;
}

#[tokio::test]
async fn a_lead_that_waited_long_for_its_decision_is_not_forgotten() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, _) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    keeps_for(&app, tenant, 1, 2).await;
    let late = world.post(tenant, campaign);
    world.clock.advance(TimeDelta::minutes(1));
    let old = posted(&world, &app, tenant, campaign).await;
    world.clock.advance(TimeDelta::days(3));
    keep_no_longer(&app).await;
    assert!(is_masked(&app, &old).await);
    decide(&app, std::slice::from_ref(&late)).await;
    keep_no_longer(&app).await;
    assert!(is_masked(&app, &late).await, "the cursor was set back");
}

#[tokio::test]
async fn fingerprints_go_when_they_tell_no_duplicate_any_more() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let mut request = campaign(tenant, Logic::RoundRobin);
    request.duplicates = Some(no_repeats(&["email"]));
    let id: CampaignId = put_campaign(&app, tenant, request).await.campaign_id.parse().unwrap();
    let buyer = world.buyer(&app, tenant).await;
    put_subscription(&app, tenant, subscription(id, buyer)).await;
    let first = posted(&world, &app, tenant, id).await;
    keeps_for(&app, tenant, 10, 2).await;
    world.clock.advance(TimeDelta::days(11));
    keep_no_longer(&app).await;
    assert!(is_masked(&app, &first).await);
    let repeat = posted(&world, &app, tenant, id).await;
    assert_eq!(outcome(&app, &repeat).await, (Outcome::Rejected, "duplicate".to_owned()), "its window is 30 days");
    assert_eq!(world.count("SELECT count(*) FROM distribution.lead_fingerprints").await, 1);
    world.clock.advance(TimeDelta::days(20));
    keep_no_longer(&app).await;
    assert_eq!(world.count("SELECT count(*) FROM distribution.lead_fingerprints").await, 0);
    assert_eq!(outcome(&app, &posted(&world, &app, tenant, id).await).await.0, Outcome::Distributed);
}

#[tokio::test]
async fn what_was_written_about_a_sale_goes_with_its_lead() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    take_back(&app, tenant, campaign, policy()).await;
    let sold = [posted(&world, &app, tenant, campaign).await, posted(&world, &app, tenant, campaign).await];
    let returns = world.returns(&app);
    for one in &sold {
        let sale = lead(&app, one).await.assignments.remove(0).assignment_id;
        let asked = returns.request_return(as_tenant(tenant.seller, wish(buyers[0], &sale))).await.unwrap();
        if one.lead == sold[0].lead {
            let decided = DecideReturnRequest {
                return_id: asked.into_inner().return_id,
                approve: true,
                note: "John rang us".to_owned(),
            };
            returns.decide_return(as_tenant(tenant.seller, decided)).await.unwrap();
        }
    }
    keeps_for(&app, tenant, 5, 2).await;
    world.clock.advance(TimeDelta::days(6));
    keep_no_longer(&app).await;
    let left = "SELECT count(*) FROM distribution.returns WHERE note <> '' OR decision_note <> ''";
    assert_eq!(world.count(left).await, 0);
    for change in [
        "UPDATE distribution.returns SET note = 'something else' WHERE state = 'approved'",
        "UPDATE distribution.returns SET note = '', state = 'rejected' WHERE state = 'approved'",
        "DELETE FROM distribution.returns",
    ] {
        assert!(sqlx::query(change).execute(world.pool()).await.is_err(), "{change}");
    }
    // What is written later is about a lead that is masked already, and goes when it is as old.
    let now = world.clock.now();
    sqlx::query("UPDATE distribution.returns SET note = 'once more', requested_at = $1 WHERE state = 'requested'")
        .bind(now)
        .execute(world.pool())
        .await
        .unwrap();
    world.clock.advance(TimeDelta::days(4));
    keep_no_longer(&app).await;
    assert_eq!(world.count(left).await, 1);
    world.clock.advance(TimeDelta::days(2));
    keep_no_longer(&app).await;
    assert_eq!(world.count(left).await, 0);
}

#[tokio::test]
async fn words_that_come_while_their_lead_is_masked_are_not_kept() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    take_back(&app, tenant, campaign, policy()).await;
    let sold = posted(&world, &app, tenant, campaign).await;
    let sale = lead(&app, &sold).await.assignments.remove(0).assignment_id;
    let returns = world.returns(&app);
    let asking = async { returns.request_return(as_tenant(tenant.seller, wish(buyers[0], &sale))).await.unwrap() };
    let asked = while_masked(&world, asking).await;
    assert_eq!(asked.into_inner().note, "");
    assert_eq!(world.count("SELECT count(*) FROM distribution.returns WHERE note <> ''").await, 0);
}

#[tokio::test]
async fn a_decisions_words_that_come_while_their_lead_is_masked_are_not_kept() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    take_back(&app, tenant, campaign, policy()).await;
    let returns = world.returns(&app);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let sold = posted(&world, &app, tenant, campaign).await;
        let sale = lead(&app, &sold).await.assignments.remove(0).assignment_id;
        let asked = returns.request_return(as_tenant(tenant.seller, wish(buyers[0], &sale))).await.unwrap();
        ids.push(asked.into_inner().return_id);
    }
    let decide = async |id: &str| {
        let wish = DecideReturnRequest { return_id: id.to_owned(), approve: true, note: "John rang us".to_owned() };
        returns.decide_return(as_tenant(tenant.seller, wish)).await.unwrap().into_inner()
    };
    let meanwhile = while_masked(&world, decide(&ids[0])).await;
    let after = decide(&ids[1]).await;
    for decided in [meanwhile, after] {
        assert_eq!((decided.state(), decided.decision_note.as_str()), (ReturnState::Approved, ""));
    }
    assert_eq!(world.count("SELECT count(*) FROM distribution.returns WHERE decision_note <> ''").await, 0);
}

/// What comes of this when all leads are being masked, as soon as it waits for that.
async fn while_masked<T>(world: &World, work: impl Future<Output = T>) -> T {
    let mut masking = world.pool().begin().await.unwrap();
    let mask = "UPDATE distribution.leads SET data = '{}', raw = NULL, unknown_fields = NULL, reference = '', body_hash = '', masked_at = $1";
    sqlx::query(mask).bind(world.clock.now()).execute(&mut *masking).await.unwrap();
    let masked = async {
        wait::until("somebody waits for the lead", PATIENCE, async || {
            let waiting =
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            world.count(waiting).await == 1
        })
        .await;
        masking.commit().await.unwrap();
    };
    tokio::join!(work, masked).0
}
