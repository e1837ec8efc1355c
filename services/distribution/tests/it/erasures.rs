//! One person's data is removed, and nobody else's.

use std::sync::Arc;

use chrono::TimeDelta;
use leadflow_contracts::{
    Event,
    common::{Logic, Outcome},
    distribution::{Erasure, ErasureState, GetErasureRequest, RequestErasureRequest, privacy_server::Privacy as _},
    events::{LeadAssigned, LeadReceived, LeadsMasked},
    streams, subjects,
};
use leadflow_distribution::{
    app::{App, Posted},
    inbound::{lead_events::LeadEvents, privacy::PrivacyService},
};
use leadflow_kernel::{Clock as _, EventId, LeadId};
use leadflow_messaging::{
    Envelope, Message,
    consumer::{self, BatchHandler, ConsumerSettings, HandleError},
    dlq,
};
use leadflow_testkit::wait;
use prost::Message as _;
use tonic::Code;

use crate::support::*;

const ANN: &str = r#"{"email":"ann@example.com","phone":"+12125550100"}"#;
const BEN: &str = r#"{"email":"ben@example.com","phone":"+12125550199"}"#;

async fn ask(app: &App, tenant: Tenant, email: &str, phone: &str) -> Result<Erasure, (Code, String)> {
    let wanted = RequestErasureRequest { email: email.to_owned(), phone: phone.to_owned() };
    let answer = PrivacyService::new(app.clone()).request_erasure(as_tenant(tenant.seller, wanted)).await;
    match answer {
        Ok(answer) => Ok(answer.into_inner()),
        refused => Err(refusal(refused)),
    }
}

async fn state(app: &App, tenant: Tenant, id: &str) -> Result<Erasure, (Code, String)> {
    let wanted = GetErasureRequest { erasure_id: id.to_owned() };
    let answer = PrivacyService::new(app.clone()).get_erasure(as_tenant(tenant.seller, wanted)).await;
    match answer {
        Ok(answer) => Ok(answer.into_inner()),
        refused => Err(refusal(refused)),
    }
}

/// Steps until the erasure has ended.
async fn ended(app: &App, tenant: Tenant, id: &str) -> Erasure {
    wait::until_some("the erasure ends", PATIENCE, async || {
        while app.erase().await.unwrap() {}
        Some(state(app, tenant, id).await.unwrap()).filter(|one| one.state() == ErasureState::Done)
    })
    .await
}

fn post(world: &World, tenant: Tenant, campaign: leadflow_kernel::CampaignId, data: &str) -> Posted {
    Posted { data: data.to_owned(), ..world.post(tenant, campaign) }
}

async fn masked(world: &World) -> Vec<LeadId> {
    let ids: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT lead_id FROM distribution.leads WHERE masked_at IS NOT NULL ORDER BY lead_id")
            .fetch_all(world.pool())
            .await
            .unwrap();
    ids.into_iter().map(LeadId::from).collect()
}

fn sorted(mut leads: Vec<LeadId>) -> Vec<LeadId> {
    leads.sort();
    leads
}

#[tokio::test]
async fn every_lead_that_names_the_person_is_masked_and_no_other() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, other) = (world.tenant(&app).await, world.tenant(&app).await);
    let mut rules = campaign(tenant, Logic::RoundRobin);
    rules.duplicates = Some(no_repeats(&["email"]));
    let strict = put_campaign(&app, tenant, rules).await.campaign_id.parse().unwrap();
    let (free, buyers) = world.campaign(&app, tenant, Logic::Broadcast, 2).await;
    let (theirs, _) = world.campaign(&app, other, Logic::RoundRobin, 1).await;
    let anns = [
        post(&world, tenant, free, ANN),
        // For sale, with fingerprints.
        post(&world, tenant, strict, ANN),
        post(&world, tenant, free, r#"{"email":"ann.new@example.com","mobile":12125550100}"#),
        Posted { raw: Some(r#"{"phone":"(212) 555-0100 x7"}"#.to_owned()), ..post(&world, tenant, free, BEN) },
        Posted { reference: "Ann@Example.com".to_owned(), ..post(&world, tenant, free, BEN) },
        post(&world, tenant, free, r#"{"notes":["write to Ann@example.com, please"],"deep":{"x":1}}"#),
        Posted { test: true, ..post(&world, tenant, free, ANN) },
    ];
    let others = [
        post(&world, tenant, free, BEN),
        post(&world, tenant, strict, BEN),
        post(&world, tenant, free, r#"{"email":"joann@example.com","phone":"+12125550101","age":2125550}"#),
        post(&world, other, theirs, ANN),
    ];
    for one in anns.iter().chain(&others) {
        decide(&app, std::slice::from_ref(one)).await;
    }
    let mut told = world.bus.subscribe_core(subjects::LEAD_MASKED).await.unwrap();
    let asked = ask(&app, tenant, " ANN@Example.com", "212-555-0100").await.unwrap();
    assert_eq!((asked.state(), asked.leads, asked.times_asked), (ErasureState::Waiting, 0, 1));
    let done = ended(&app, tenant, &asked.erasure_id).await;
    assert_eq!(masked(&world).await, sorted(anns.iter().map(|one| one.lead).collect()));
    // Four of them were sold, each to both.
    let sold = 5;
    assert_eq!((done.leads, done.sales, done.leads_searched, done.dead_letters), (7, 2 * sold, 10, 0));
    assert_eq!(done.fingerprints, 1);
    let had: Vec<_> = done.buyers.iter().map(|buyer| (buyer.buyer_id.clone(), buyer.leads)).collect();
    let mut wanted: Vec<_> = buyers.iter().map(|buyer| (buyer.to_string(), sold)).collect();
    wanted.sort();
    assert_eq!(
        {
            let mut had = had;
            had.sort();
            had
        },
        wanted
    );
    assert_eq!(outcome(&app, &anns[1]).await, (Outcome::Expired, "expired".to_owned()));
    let mut sales = 0;
    while sales < 2 * sold {
        let event = LeadsMasked::decode(told.next().await.unwrap()).unwrap();
        assert_eq!(event.erasure_id, asked.erasure_id);
        sales += u32::try_from(event.leads.iter().map(|lead| lead.sales.len()).sum::<usize>()).unwrap();
    }

    // The same person is the same erasure, and what came since is found; of whom it is about nothing is kept.
    let again = post(&world, tenant, free, ANN);
    world.clock.advance(TimeDelta::hours(1));
    decide(&app, std::slice::from_ref(&again)).await;
    let repeat = ask(&app, tenant, "ann@example.com", "+1 212 555 0100").await.unwrap();
    assert_eq!((repeat.erasure_id.as_str(), repeat.times_asked), (asked.erasure_id.as_str(), 2));
    let done = ended(&app, tenant, &asked.erasure_id).await;
    assert_eq!((done.leads, done.leads_searched), (8, 4));
    let kept: String = sqlx::query_scalar("SELECT string_agg(e::text, ' ') FROM distribution.erasures e")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert!(!kept.contains("ann") && !kept.contains("5550100"), "{kept}");
    let noted: String = sqlx::query_scalar("SELECT string_agg(a::text, ' ') FROM distribution.audit_entries a")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert!(noted.contains("erasure.requested") && !noted.contains("ann@") && !noted.contains("5550100"), "{noted}");
    world.check_books().await;
}

#[tokio::test]
async fn who_names_nobody_or_somebody_elses_erasure_is_refused() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, other) = (world.tenant(&app).await, world.tenant(&app).await);
    for (email, phone) in [("", ""), (" ", ""), ("ann", ""), ("", "12"), ("ann@example.com", "abc")] {
        assert_eq!(ask(&app, tenant, email, phone).await, Err((Code::InvalidArgument, "invalid_field".to_owned())));
    }
    let asked = ask(&app, tenant, "ann@example.com", "").await.unwrap();
    let unknown = Err((Code::NotFound, "erasure_not_found".to_owned()));
    assert_eq!(state(&app, other, &asked.erasure_id).await, unknown);
    assert_eq!(state(&app, tenant, &leadflow_kernel::ErasureId::new().to_string()).await, unknown);
    let theirs = ask(&app, other, "ann@example.com", "").await.unwrap();
    assert_ne!(theirs.erasure_id, asked.erasure_id);
}

/// What the gateway publishes.
fn received(posted: &Posted) -> LeadReceived {
    LeadReceived {
        lead_id: posted.lead.to_string(),
        seller_id: posted.seller.to_string(),
        supplier_id: posted.supplier.to_string(),
        campaign_id: posted.campaign.to_string(),
        category_id: posted.category.to_string(),
        data_json: posted.data.clone().into(),
        received_at_ms: posted.received_at.timestamp_millis(),
        ..LeadReceived::default()
    }
}

async fn publish<E: Event>(world: &World, event: &E) {
    world.bus.publish(&[Envelope::new(EventId::new(), event, world.clock.now())]).await.unwrap();
}

#[tokio::test]
async fn a_lead_that_is_on_its_way_is_waited_for() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, _) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    let on_its_way = post(&world, tenant, campaign, ANN);
    publish(&world, &received(&on_its_way)).await;
    let asked = ask(&app, tenant, "ann@example.com", "").await.unwrap();
    // Nobody has consumed it, so nothing is searched.
    for _ in 0..5 {
        assert!(!app.erase().await.unwrap());
    }
    assert_eq!(state(&app, tenant, &asked.erasure_id).await.unwrap().state(), ErasureState::Waiting);
    let settings = ConsumerSettings {
        stream: streams::LEADS,
        consumer: streams::LEADS_DISTRIBUTION,
        max_batch: 10,
        pace: std::time::Duration::ZERO,
    };
    tokio::spawn(consumer::run(world.bus.clone(), settings, Arc::new(LeadEvents::new(app.clone())), world.stop()));
    let done = ended(&app, tenant, &asked.erasure_id).await;
    assert_eq!(done.leads, 1);
    assert_eq!(masked(&world).await, [on_its_way.lead]);
}

/// Buries everything.
struct Refuses;

#[tonic::async_trait]
impl BatchHandler for Refuses {
    async fn handle(&self, _: &[Message]) -> Result<(), HandleError> {
        Err(HandleError::permanent("ann@example.com is not understood, for a test"))
    }
}

#[tokio::test]
async fn dead_letters_lose_the_person_and_keep_what_money_needs() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, _) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    let mut assigned = world.bus.subscribe_core(subjects::LEAD_ASSIGNED).await.unwrap();
    for data in [ANN, BEN] {
        decide(&app, &[post(&world, tenant, campaign, data)]).await;
    }
    let mut sold = Vec::new();
    for _ in 0..2 {
        sold.push(LeadAssigned::decode(assigned.next().await.unwrap()).unwrap());
    }
    // Two that were never decided, and two whose capture billing could not understand.
    for data in [ANN, BEN] {
        publish(&world, &received(&post(&world, tenant, campaign, data))).await;
    }
    for (stream, consumer) in [(streams::LEADS, streams::LEADS_DISTRIBUTION), (streams::LEADS, streams::LEADS_BILLING)]
    {
        let settings = ConsumerSettings { stream, consumer, max_batch: 10, pace: std::time::Duration::ZERO };
        tokio::spawn(consumer::run(world.bus.clone(), settings, Arc::new(Refuses), world.stop()));
    }
    wait::until("all are dead letters", PATIENCE, async || dlq::list(&world.bus, 1, 100).await.unwrap().len() == 4)
        .await;
    let asked = ask(&app, tenant, "ann@example.com", "").await.unwrap();
    let done = ended(&app, tenant, &asked.erasure_id).await;
    assert_eq!((done.leads, done.dead_letters), (1, 2));
    let left = dlq::list(&world.bus, 1, 100).await.unwrap();
    assert_eq!(left.len(), 3, "the lead that never was one is gone");
    let of_ann = |letter: &dlq::DeadLetter| String::from_utf8_lossy(&letter.payload).contains("ann@example.com");
    assert!(!left.iter().any(of_ann));
    let ann = sold.iter().find(|event| event.data_json.as_ref() == ANN.as_bytes()).unwrap();
    let emptied = left.iter().find(|letter| letter.error.starts_with("not kept")).unwrap();
    let event = LeadAssigned::decode(emptied.payload.clone()).unwrap();
    assert_eq!(event, LeadAssigned { data_json: b"{}".as_slice().into(), ..ann.clone() });
    assert_eq!((emptied.consumer.as_str(), emptied.subject.as_str()), ("LEADS/billing", "lead.assigned"));
    // Once more there is nothing to do.
    ask(&app, tenant, "ann@example.com", "").await.unwrap();
    let done = ended(&app, tenant, &asked.erasure_id).await;
    assert_eq!((done.leads, done.dead_letters), (1, 2));
    assert_eq!(dlq::list(&world.bus, 1, 100).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_and_a_crash_between_steps_do_it_once() {
    let world = World::new().await;
    let (app, other) = (world.replica(), world.replica());
    let tenant = world.tenant(&app).await;
    let (campaign, _) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    let mut anns = Vec::new();
    for round in 0..4 {
        let mut posts = world.posts(tenant, campaign, 300);
        for (at, one) in posts.iter_mut().enumerate() {
            one.data = if at % 3 == round % 3 { ANN.to_owned() } else { BEN.to_owned() };
        }
        anns.extend(posts.iter().filter(|one| one.data == ANN).map(|one| one.lead));
        decide(&app, &posts).await;
    }
    let asked = ask(&app, tenant, "ann@example.com", "").await.unwrap();
    // A step that masks and is never committed, as by a crash, is done by the next.
    wait::until("it is searched", PATIENCE, async || {
        app.erase().await.unwrap();
        state(&app, tenant, &asked.erasure_id).await.unwrap().state() != ErasureState::Waiting
    })
    .await;
    let steps = async |app: &App| while app.erase().await.unwrap() {};
    tokio::join!(steps(&app), steps(&other));
    let done = ended(&app, tenant, &asked.erasure_id).await;
    assert_eq!((done.leads as usize, done.leads_searched), (anns.len(), 1_200));
    assert_eq!(masked(&world).await, sorted(anns));
    world.check_books().await;
}

#[tokio::test]
async fn a_lead_that_is_sent_again_after_its_persons_erasure_is_masked_too() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, other) = (world.tenant(&app).await, world.tenant(&app).await);
    let (campaign, _) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    let (theirs, _) = world.campaign(&app, other, Logic::RoundRobin, 1).await;
    // Two dead letters, posted before, and one of another tenant.
    let late =
        [post(&world, tenant, campaign, ANN), post(&world, tenant, campaign, BEN), post(&world, other, theirs, ANN)];
    world.clock.advance(TimeDelta::minutes(1));
    decide(&app, &[post(&world, tenant, campaign, BEN)]).await;
    let asked = ask(&app, tenant, "ann@example.com", "").await.unwrap();
    assert_eq!(ended(&app, tenant, &asked.erasure_id).await.leads, 0);
    world.clock.advance(TimeDelta::days(2));
    let later = post(&world, tenant, campaign, ANN);
    decide(&app, &[later]).await;
    assert_eq!(state(&app, tenant, &asked.erasure_id).await.unwrap().state(), ErasureState::Done, "nothing came late");
    for one in &late {
        decide(&app, std::slice::from_ref(one)).await;
    }
    let again = state(&app, tenant, &asked.erasure_id).await.unwrap();
    assert_eq!((again.state(), again.done_at_ms), (ErasureState::Searching, 0));
    // What she posted after her wish is not what she wished for.
    assert_eq!(ended(&app, tenant, &asked.erasure_id).await.leads, 1);
    assert_eq!(masked(&world).await, [late[0].lead]);
}

#[tokio::test]
async fn a_wish_that_fails_holds_up_no_other() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, _) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    let (ann, ben) = (post(&world, tenant, campaign, ANN), post(&world, tenant, campaign, BEN));
    decide(&app, &[ann.clone(), ben.clone()]).await;
    let broken = format!(
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken, for a test'; END $$; \
         CREATE TRIGGER broken BEFORE UPDATE ON distribution.leads FOR EACH ROW WHEN (OLD.lead_id = '{}') EXECUTE FUNCTION broken()",
        ann.lead.uuid()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(broken)).execute(world.pool()).await.unwrap();
    let first = ask(&app, tenant, "ann@example.com", "").await.unwrap();
    world.clock.advance(TimeDelta::seconds(1));
    let second = ask(&app, tenant, "ben@example.com", "").await.unwrap();
    let mut failures = 0;
    wait::until("the second ends", PATIENCE, async || {
        failures += usize::from(app.erase().await.is_err());
        state(&app, tenant, &second.erasure_id).await.unwrap().state() == ErasureState::Done
    })
    .await;
    assert!(failures > 0, "the first was tried");
    assert_eq!(masked(&world).await, [ben.lead]);
    sqlx::raw_sql("DROP TRIGGER broken ON distribution.leads").execute(world.pool()).await.unwrap();
    assert_eq!(ended(&app, tenant, &first.erasure_id).await.leads, 1);
}
