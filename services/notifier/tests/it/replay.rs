//! Ended deliveries are sent again: one, or those of a time.

use futures::future::join_all;
use leadflow_contracts::{
    events::LeadRefused,
    notifier::{
        AnswerMeaning, AnswerRule, AnswerRules, EndpointFormat, PutEndpointRequest, ReplayDeliveriesRequest,
        ReplayDeliveriesResponse,
    },
};
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_testkit::wait;
use tonic::{Response, Status};

use crate::{
    receiver::{Receiver, status},
    usage::Heard,
    world::{PATIENCE, World, call_as, code, put},
};

type Answer = Result<Response<ReplayDeliveriesResponse>, Status>;

fn one(buyer: BuyerId, delivery: &str) -> ReplayDeliveriesRequest {
    ReplayDeliveriesRequest {
        buyer_id: buyer.to_string(),
        delivery_id: delivery.to_owned(),
        ..ReplayDeliveriesRequest::default()
    }
}

async fn replay(world: &World, request: ReplayDeliveriesRequest) -> Answer {
    world.endpoints().replay_deliveries(world.call(request)).await
}

#[tokio::test]
async fn one_that_was_given_up_arrives_with_the_id_it_had_and_a_schedule_of_its_own() {
    let world = World::start().await;
    let heard = Heard::on(&world);
    let receiver = Receiver::start().await;
    receiver.behave(status(503));
    let buyer = world.buyer_at(&receiver.url).await;
    world.sell(&[buyer]).await;
    for attempt in 1..=8_u32 {
        world.delivery_when(buyer, &format!("attempt {attempt}"), |d| d.attempts_made == attempt).await;
        if attempt == 3 {
            let waiting = world.deliveries(buyer).await.remove(0).delivery_id;
            assert_eq!(code(replay(&world, one(buyer, &waiting)).await), "delivery_waits");
        }
        world.advance(13 * 3_600);
    }
    let given_up = world.delivery_when(buyer, "it is given up", |d| d.status == "GAVE_UP").await;
    let id = given_up.delivery_id.as_str();
    // Not another buyer's, nor another tenant's.
    assert_eq!(code(replay(&world, one(BuyerId::new(), id)).await), "delivery_not_found");
    let stranger = world.endpoints().replay_deliveries(call_as(SellerId::new(), one(buyer, id))).await;
    assert_eq!(code(stranger), "delivery_not_found");

    assert_eq!(replay(&world, one(buyer, id)).await.unwrap().into_inner().replayed, 1);
    let failed = world.delivery_when(buyer, "it fails again", |d| d.attempts_made == 9).await;
    assert_eq!((failed.status.as_str(), failed.attempts.len()), ("PENDING", 9));
    let wait = failed.next_attempt_at_ms - world.now().timestamp_millis();
    assert!((4_000..=6_000).contains(&wait), "the schedule begins anew: {wait} ms");
    receiver.behave(status(200));
    world.advance(7);
    let ended = world.delivery_when(buyer, "it arrives", |d| d.status == "DELIVERED").await;
    assert_eq!((ended.attempts_made, ended.error.as_str()), (10, ""));
    assert!(receiver.got().iter().all(|got| got.id() == id));
    assert_eq!(heard.wait_for(1).await.len(), 1);
    assert_eq!(world.count("SELECT count(*) FROM notifier.audit_entries WHERE action = 'webhook.replayed'").await, 1);
}

#[tokio::test]
async fn what_had_arrived_has_arrived_whatever_comes_of_sending_it_again() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = BuyerId::new();
    let rule = AnswerRule { statuses: vec![422], means: AnswerMeaning::Rejected.into(), ..AnswerRule::default() };
    let answer = Some(AnswerRules { rules: vec![rule], because_pointer: String::new() });
    let format = Some(EndpointFormat { answer, ..EndpointFormat::default() });
    let request = PutEndpointRequest { format, ..put(buyer, &receiver.url) };
    world.client().put_endpoint(world.call(request)).await.unwrap();
    world.sell(&[buyer]).await;
    world.all_delivered(1).await;
    let id = world.deliveries(buyer).await.remove(0).delivery_id;
    receiver.behave(status(422));
    let mut told = world.bus.subscribe_core("notification.lead_refused").await.unwrap();
    // Twice at once, it is sent once.
    let answers = join_all((0..4).map(|_| replay(&world, one(buyer, &id)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let ended = world.delivery_when(buyer, "it is answered", |d| d.attempts_made == 2 && d.status != "PENDING").await;
    assert_eq!(
        (ended.status.as_str(), ended.error.as_str()),
        ("DELIVERED", "sent again: the receiver does not take it: noted")
    );
    assert_eq!(receiver.got().len(), 2);
    // What is refused the first time is given back, so it is not sent again.
    let sale = world.sell(&[buyer]).await;
    let payload = tokio::time::timeout(PATIENCE, told.next()).await.unwrap().unwrap();
    let event: LeadRefused = prost::Message::decode(payload).unwrap();
    assert_eq!(event.assignment_id, sale.assignments[0].assignment_id, "the one that had arrived is not told of");
    let refused = world.delivery_when(buyer, "it is refused", |d| d.status == "REFUSED").await;
    assert_eq!(code(replay(&world, one(buyer, &refused.delivery_id)).await), "delivery_refused");
    // Nor is anything sent to an endpoint that is off.
    let off = PutEndpointRequest { enabled: false, ..put(buyer, &receiver.url) };
    world.client().put_endpoint(world.call(off)).await.unwrap();
    assert_eq!(code(replay(&world, one(buyer, &id)).await), "endpoint_off");
}

#[tokio::test]
async fn a_time_is_sent_again_once_by_any_number_of_replicas() {
    let mut world = World::start().await;
    world.replica(|_| {}).await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    let endpoint_id = world.endpoint(buyer).await.endpoint_id;
    let mut times = Vec::new();
    for round in 0..3_i64 {
        receiver.behave(status(if round == 1 { 410 } else { 200 }));
        times.push(world.now().timestamp_millis());
        for _ in 0..10 {
            world.sell(&[buyer]).await;
        }
        wait::until("all have ended", PATIENCE, async || {
            world.count("SELECT count(*) FROM notifier.deliveries WHERE status <> 'PENDING'").await == (round + 1) * 10
        })
        .await;
        world.client().put_endpoint(world.call(put(buyer, &receiver.url))).await.unwrap();
        world.advance(3_600);
    }
    let before = receiver.times_by_id();
    receiver.behave(status(200));
    let range = |from_ms: i64, until_ms: i64, failed_only| ReplayDeliveriesRequest {
        buyer_id: buyer.to_string(),
        endpoint_id: endpoint_id.clone(),
        from_ms,
        until_ms,
        failed_only,
        ..ReplayDeliveriesRequest::default()
    };
    for bad in [range(times[0], times[0], false), range(times[0], times[0] + 32 * 86_400_000, false)] {
        assert_eq!(code(replay(&world, bad).await), "invalid_field");
    }
    let end = times[2] + 3_600_000;
    let failed = replay(&world, range(times[0], end, true)).await.unwrap().into_inner();
    assert_eq!((failed.replayed, failed.next_after.as_str()), (10, ""));
    world.all_delivered(30).await;
    // The first two hours, asked for by several at once.
    let answers = join_all((0..4).map(|_| replay(&world, range(times[0], times[2], false)))).await;
    let replayed: u32 = answers.into_iter().map(|answer| answer.unwrap().into_inner().replayed).sum();
    assert!(replayed >= 20, "{replayed}");
    wait::until("all have ended again", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.deliveries WHERE status = 'DELIVERED'").await == 30
    })
    .await;
    let again: usize = receiver.times_by_id().values().sum::<usize>() - before.values().sum::<usize>();
    assert_eq!(again, 10 + usize::try_from(replayed).unwrap());
    let known = world.deliveries(buyer).await;
    assert!(receiver.times_by_id().keys().all(|id| known.iter().any(|delivery| delivery.delivery_id == *id)));
}
