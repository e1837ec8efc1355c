//! What a receiver answers decides what becomes of a lead, by its endpoint's rules.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use leadflow_contracts::{
    events::{LeadRefusal, LeadRefused},
    notifier::{
        AnswerMeaning, AnswerRule, AnswerRules, EndpointFormat, PutEndpointRequest, ReplayDeliveriesRequest,
        SendSampleRequest,
    },
};
use leadflow_kernel::{BuyerId, EndpointId, EventId};
use leadflow_messaging::{
    CoreMessages,
    listener::{Heard as Told, Listener},
};
use leadflow_testkit::wait;

use crate::{
    receiver::{Manner, Receiver, status},
    usage::Heard,
    world::{LEASE, PATIENCE, World, code, put},
};

fn says(pointer: &str, equals: &str, means: AnswerMeaning) -> AnswerRule {
    AnswerRule { json_pointer: pointer.into(), equals: equals.into(), means: means.into(), ..AnswerRule::default() }
}

/// `{"result":"dup"}`, `{"result":"no","why":…}`, `{"result":"later"}`, and 409 for an acceptance.
fn rules() -> EndpointFormat {
    let rules = vec![
        says("/result", "dup", AnswerMeaning::Duplicate),
        says("/result", "no", AnswerMeaning::Rejected),
        says("/result", "later", AnswerMeaning::Retry),
        AnswerRule { statuses: vec![409], means: AnswerMeaning::Accepted.into(), ..AnswerRule::default() },
    ];
    EndpointFormat { answer: Some(AnswerRules { rules, because_pointer: "/why".into() }), ..EndpointFormat::default() }
}

fn answer(status: u16, body: &str) -> Manner {
    Manner::Answer { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

async fn buyer_with_rules(world: &World, url: &str) -> BuyerId {
    let buyer = BuyerId::new();
    let request = PutEndpointRequest { format: Some(rules()), ..put(buyer, url) };
    world.client().put_endpoint(world.call(request)).await.unwrap();
    buyer
}

async fn refused(messages: &mut CoreMessages) -> LeadRefused {
    let payload = tokio::time::timeout(PATIENCE, messages.next()).await.unwrap().unwrap();
    prost::Message::decode(payload).unwrap()
}

#[tokio::test]
async fn a_refusal_ends_the_delivery_with_its_reason_and_is_told_once() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let heard = Heard::on(&world);
    let mut told = world.bus.subscribe_core("notification.lead_refused").await.unwrap();
    let buyer = buyer_with_rules(&world, &receiver.url).await;

    receiver.behave(answer(200, r#"{"result":"no","why":"outside\nour area"}"#));
    let sale = world.sell(&[buyer]).await;
    let ended = world.delivery_when(buyer, "it is refused", |d| d.status == "REFUSED").await;
    assert_eq!(ended.error, "the receiver does not take it: outside our area");
    assert_eq!((ended.attempts_made, ended.next_attempt_at_ms), (1, 0));
    assert_eq!(ended.ended_at_ms, world.now().timestamp_millis());
    let attempt = &ended.attempts[0];
    assert_eq!((attempt.meaning.as_str(), attempt.error.as_str()), ("REJECTED", "outside our area"));
    let event = refused(&mut told).await;
    assert_eq!(event.assignment_id, sale.assignments[0].assignment_id);
    assert_eq!((&event.lead_id, &event.buyer_id), (&sale.lead_id, &buyer.to_string()));
    assert_eq!((event.refusal(), event.because.as_str()), (LeadRefusal::Rejected, "outside our area"));
    assert_eq!(event.delivery_id, ended.delivery_id);
    // It was answered, and is paid for like any message that was.
    assert_eq!(heard.wait_for(1).await[0].message_id, ended.delivery_id);
    assert_eq!(world.endpoint(buyer).await.failing_since_ms, 0, "an endpoint that refuses works");

    receiver.behave(answer(422, r#"{"result":"dup"}"#));
    world.publish(&sale).await;
    let second = world.sell(&[buyer]).await;
    let event = refused(&mut told).await;
    assert_eq!(event.assignment_id, second.assignments[0].assignment_id, "the first is not told of again");
    assert_eq!((event.refusal(), event.because.as_str()), (LeadRefusal::Duplicate, r#"{"result":"dup"}"#));
    let all = world.deliveries(buyer).await;
    assert!(all.iter().any(|d| d.error == r#"the receiver has this person already: {"result":"dup"}"#), "{all:?}");
    assert_eq!(receiver.got().len(), 2, "what was refused is not sent again");
}

/// Another endpoint of `buyer`, by the same rules; its id.
async fn another(world: &World, buyer: BuyerId, url: &str, name: &str) -> String {
    let request = PutEndpointRequest {
        endpoint_id: EndpointId::new().to_string(),
        name: Some(name.to_owned()),
        format: Some(rules()),
        ..put(buyer, url)
    };
    world.client().put_endpoint(world.call(request)).await.unwrap().into_inner().endpoint_id
}

async fn ends(world: &World, buyer: BuyerId, lead: &str, wanted: [&str; 2]) {
    wait::until(format!("the deliveries of a sale are {wanted:?}"), PATIENCE, async || {
        let all = world.deliveries(buyer).await;
        let mut of: Vec<_> = all.iter().filter(|d| d.lead_id == lead).map(|d| d.status.as_str()).collect();
        of.sort_unstable();
        of == wanted
    })
    .await;
}

#[tokio::test]
async fn one_endpoint_gives_nothing_back_that_another_has_or_may_still_get() {
    let world = World::start().await;
    let (one, other) = (Receiver::start().await, Receiver::start().await);
    let mut told = world.bus.subscribe_core("notification.lead_refused").await.unwrap();
    let buyer = buyer_with_rules(&world, &one.url).await;
    another(&world, buyer, &other.url, "other").await;
    let no = || answer(200, r#"{"result":"no","why":"not ours"}"#);

    // One has it, whatever the other says.
    other.behave(no());
    let kept = world.sell(&[buyer]).await;
    ends(&world, buyer, &kept.lead_id, ["DELIVERED", "REFUSED"]).await;
    // One may still get it, and does.
    one.behave(answer(200, r#"{"result":"later"}"#));
    let late = world.sell(&[buyer]).await;
    ends(&world, buyer, &late.lead_id, ["PENDING", "REFUSED"]).await;
    one.behave(status(200));
    world.advance(60);
    ends(&world, buyer, &late.lead_id, ["DELIVERED", "REFUSED"]).await;
    // Neither takes it, at the same time: it is told once.
    one.behave(no());
    let refused_by_both = world.sell(&[buyer]).await;
    let event = refused(&mut told).await;
    assert_eq!(event.lead_id, refused_by_both.lead_id, "those before were not given back");
    assert_eq!((event.refusal(), event.because.as_str()), (LeadRefusal::Rejected, "not ours"));
    // One does not take it, and the other is gone for good.
    one.behave(status(410));
    let lost = world.sell(&[buyer]).await;
    let event = refused(&mut told).await;
    assert_eq!((event.lead_id.as_str(), event.because.as_str()), (lost.lead_id.as_str(), "not ours"));
    let all = world.deliveries(buyer).await;
    let of_lost = |status: &str| all.iter().find(|d| d.lead_id == lost.lead_id && d.status == status).unwrap();
    assert_eq!(event.delivery_id, of_lost("REFUSED").delivery_id);
    // It may be somebody else's by now: nothing of it is sent again.
    world.client().put_endpoint(world.call(put(buyer, &one.url))).await.unwrap();
    let again = ReplayDeliveriesRequest {
        buyer_id: buyer.to_string(),
        delivery_id: of_lost("GAVE_UP").delivery_id.clone(),
        ..ReplayDeliveriesRequest::default()
    };
    assert_eq!(code(world.endpoints().replay_deliveries(world.call(again)).await), "delivery_refused");
}

#[tokio::test]
async fn what_the_rules_accept_arrives_and_what_they_call_later_is_tried_again() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = buyer_with_rules(&world, &receiver.url).await;
    receiver.behave(answer(200, r#"{"result":"later"}"#));
    world.sell(&[buyer]).await;
    let failed = world.delivery_when(buyer, "it is told to wait", |d| d.attempts_made == 1).await;
    assert_eq!((failed.status.as_str(), failed.attempts[0].meaning.as_str()), ("PENDING", "RETRY"));
    assert_eq!(failed.attempts[0].error, "the receiver answered 200, which its rules read as: later");
    receiver.behave(answer(409, "there it is"));
    world.advance(7);
    let ended = world.delivery_when(buyer, "it arrives", |d| d.status == "DELIVERED").await;
    assert_eq!((ended.attempts[1].meaning.as_str(), ended.error.as_str()), ("ACCEPTED", ""));
    // What no rule reads is judged by its status.
    receiver.behave(answer(200, r#"{"result":"fine"}"#));
    world.sell(&[buyer]).await;
    world.all_delivered(2).await;
    receiver.behave(answer(503, r#"{"result":"no"}"#));
    world.sell(&[buyer]).await;
    let down = world.delivery_when(buyer, "it failed", |d| d.attempts_made == 1 && d.status == "PENDING").await;
    assert_eq!((down.attempts[0].meaning.as_str(), down.attempts[0].status_code), ("", 503));
}

#[tokio::test]
async fn a_duplicate_of_what_we_may_have_sent_before_is_a_delivery() {
    let mut world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = buyer_with_rules(&world, &receiver.url).await;
    // It took the lead, and its answer was lost.
    receiver.behave(status(500));
    world.sell(&[buyer]).await;
    world.delivery_when(buyer, "the answer is no answer", |d| d.attempts_made == 1).await;
    receiver.behave(answer(200, r#"{"result":"dup"}"#));
    world.advance(7);
    let ended = world.delivery_when(buyer, "it arrived", |d| d.status == "DELIVERED").await;
    assert_eq!(ended.attempts[1].meaning, "DUPLICATE");

    // The same when whoever sent it died before he could say so, and when the next one had no room for it first.
    receiver.behave(Manner::Hang);
    world.sell(&[buyer]).await;
    receiver.wait_for(3).await;
    let victim = world.replicas.remove(0);
    victim.service.abort();
    drop(victim.service.await);
    receiver.behave(answer(200, r#"{"result":"dup"}"#));
    world.advance(LEASE);
    world.replica(|_| {}).await;
    world.all_delivered(2).await;
    let all = world.deliveries(buyer).await;
    assert!(
        all.iter().all(|d| d.status == "DELIVERED" && d.attempts.last().unwrap().meaning == "DUPLICATE"),
        "{all:?}"
    );
    assert_eq!(world.count("SELECT count(*) FROM notifier.deliveries WHERE status = 'REFUSED'").await, 0);
}

#[tokio::test]
async fn a_refusal_is_told_once_whatever_dies() {
    let receiver = Receiver::start().await;
    let mut world = World::start().await;
    let heard = RefusalsHeard::on(&world).await;
    world.replica(|_| {}).await;
    let buyer = buyer_with_rules(&world, &receiver.url).await;
    receiver.behave(answer(200, r#"{"result":"no"}"#));
    for _ in 0..3 {
        for _ in 0..20 {
            world.sell(&[buyer]).await;
        }
        let victim = world.replicas.remove(0);
        victim.service.abort();
        drop(victim.service.await);
        world.replica(|_| {}).await;
    }
    let (mut known, mut still) = (-1, 0);
    wait::until("all are refused", PATIENCE * 2, async || {
        let refused = world.count("SELECT count(*) FROM notifier.deliveries WHERE status = 'REFUSED'").await;
        still = if refused == known { still + 1 } else { 0 };
        known = refused;
        if still % 20 == 19 {
            world.advance(LEASE);
        }
        refused == 60
    })
    .await;
    wait::until("all are told of", PATIENCE * 3, async || heard.counts().0 == 60).await;
    assert_eq!(heard.counts(), (60, 1));
}

#[tokio::test]
async fn rules_are_checked_shown_kept_and_forgotten() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = buyer_with_rules(&world, &receiver.url).await;
    assert_eq!(world.endpoint(buyer).await.format.unwrap().answer, rules().answer);
    // Not named, they stay.
    let same = world.client().put_endpoint(world.call(put(buyer, &receiver.url))).await.unwrap().into_inner();
    assert_eq!((same.format.unwrap().answer, same.version), (rules().answer, 1));
    for bad in [
        says("", "x", AnswerMeaning::Rejected),
        says("result", "", AnswerMeaning::Rejected),
        says("/result", "", AnswerMeaning::Unspecified),
        AnswerRule { statuses: vec![70_000], means: AnswerMeaning::Rejected.into(), ..AnswerRule::default() },
    ] {
        let answer = Some(AnswerRules { rules: vec![bad], because_pointer: String::new() });
        let format = Some(EndpointFormat { answer, ..EndpointFormat::default() });
        let request = PutEndpointRequest { format, ..put(buyer, &receiver.url) };
        assert_eq!(code(world.client().put_endpoint(world.call(request)).await), "invalid_answer_rules");
    }
    // A sample is read by them, too.
    receiver.behave(answer(200, r#"{"result":"no"}"#));
    let sample = SendSampleRequest { buyer_id: buyer.to_string(), ..SendSampleRequest::default() };
    let attempt = world.client().send_sample(world.call(sample)).await.unwrap().into_inner();
    assert_eq!((attempt.meaning.as_str(), attempt.status_code), ("REJECTED", 200));
    let none = PutEndpointRequest { format: Some(EndpointFormat::default()), ..put(buyer, &receiver.url) };
    let plain = world.client().put_endpoint(world.call(none)).await.unwrap().into_inner();
    assert_eq!((plain.format.unwrap().answer, plain.version), (None, 2));
    world.sell(&[buyer]).await;
    world.all_delivered(1).await;
}

/// Which sales are told of as refused, and by which events.
#[derive(Clone, Default)]
struct RefusalsHeard(Arc<Mutex<BTreeMap<String, BTreeSet<EventId>>>>);

impl RefusalsHeard {
    async fn on(world: &World) -> Self {
        let heard = Self::default();
        let into = heard.clone();
        let mut listener = Listener::on(&world.bus, &["notification.lead_refused"]).await.unwrap();
        tokio::spawn(async move {
            while let Some(told) = listener.next().await {
                let Told::Event(message) = told else { panic!("something may have been missed") };
                let event: LeadRefused = message.decode().unwrap();
                into.0.lock().unwrap().entry(event.assignment_id).or_default().insert(message.id);
            }
        });
        heard
    }

    /// How many sales, and the most events about one.
    fn counts(&self) -> (usize, usize) {
        let heard = self.0.lock().unwrap();
        (heard.len(), heard.values().map(BTreeSet::len).max().unwrap_or(0))
    }
}
