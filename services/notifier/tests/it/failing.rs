//! Retries, giving up and switching off.

use leadflow_contracts::{
    events::{DeliveryEnded, EndpointDisabled},
    notifier::PutEndpointRequest,
};
use leadflow_messaging::CoreMessages;
use leadflow_testkit::wait;

use crate::{
    receiver::{Manner, Receiver, status},
    world::{PATIENCE, World, put},
};

async fn next<E: prost::Message + Default>(messages: &mut CoreMessages) -> E {
    let payload = tokio::time::timeout(PATIENCE, messages.next()).await.unwrap().unwrap();
    E::decode(payload).unwrap()
}

/// Seconds from now until the next attempt.
fn pause(world: &World, delivery: &leadflow_contracts::notifier::Delivery) -> i64 {
    (delivery.next_attempt_at_ms - world.now().timestamp_millis()) / 1000
}

#[tokio::test]
async fn a_failure_is_tried_again_with_the_same_id_and_body() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    receiver.behave(status(500));
    let buyer = world.buyer_at(&receiver.url).await;
    world.sell(&[buyer]).await;
    let failed = world.delivery_when(buyer, "the failure is recorded", |d| d.attempts_made == 1).await;
    assert_eq!(failed.status, "PENDING");
    assert_eq!((failed.attempts[0].status_code, failed.attempts[0].error.as_str()), (500, "the receiver answered 500"));
    assert!((4..=6).contains(&pause(&world, &failed)), "{}", pause(&world, &failed));
    assert!(world.endpoint(buyer).await.failing_since_ms > 0);
    receiver.behave(status(204));
    assert_eq!(receiver.got().len(), 1, "not before its time");
    world.advance(7);
    let delivered = world.delivery_when(buyer, "it is delivered", |d| d.status == "DELIVERED").await;
    assert_eq!((delivered.attempts_made, delivered.attempts[1].status_code), (2, 204));
    let got = receiver.got();
    assert_eq!((got[0].id(), &got[0].body), (got[1].id(), &got[1].body));
    assert_ne!(got[0].header("webhook-timestamp"), got[1].header("webhook-timestamp"));
    assert_eq!(world.endpoint(buyer).await.failing_since_ms, 0);
}

#[tokio::test]
async fn a_receiver_may_ask_for_more_time() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let headers = vec![("retry-after", "120".to_owned())];
    receiver.behave(Manner::Answer { status: 429, headers, body: Vec::new() });
    let buyer = world.buyer_at(&receiver.url).await;
    world.sell(&[buyer]).await;
    let failed = world.delivery_when(buyer, "the failure is recorded", |d| d.attempts_made == 1).await;
    assert_eq!(pause(&world, &failed), 120);
}

#[tokio::test]
async fn a_hanging_receiver_is_timed_out_and_left_alone_for_a_minute() {
    let mut world = World::empty().await;
    let timeout = std::time::Duration::from_millis(700);
    world.replica(|config| config.timeout = timeout).await;
    let receiver = Receiver::start().await;
    receiver.behave(Manner::Hang);
    let buyer = world.buyer_at(&receiver.url).await;
    world.sell(&[buyer]).await;
    let failed = world.delivery_when(buyer, "the time-out is recorded", |d| d.attempts_made == 1).await;
    let attempt = &failed.attempts[0];
    assert_eq!((attempt.status_code, attempt.error.as_str()), (0, "no complete answer in time"));
    assert!(u128::from(attempt.duration_ms) >= timeout.as_millis());
    assert_eq!(pause(&world, &failed), 60);
}

#[tokio::test]
async fn redirects_to_private_addresses_are_not_followed() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let headers = vec![("location", "http://169.254.169.254/latest/meta-data/".to_owned())];
    receiver.behave(Manner::Answer { status: 307, headers, body: Vec::new() });
    let buyer = world.buyer_at(&receiver.url).await;
    world.sell(&[buyer]).await;
    let failed = world.delivery_when(buyer, "the failure is recorded", |d| d.attempts_made == 1).await;
    assert_eq!(failed.attempts[0].error, "the address is refused: it must not point to a link-local address");
}

#[tokio::test]
async fn an_address_that_is_refused_by_now_is_not_called() {
    let mut world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    world.stop_one().await;
    world.replica(|config| config.allow_loopback = false).await;
    world.sell(&[buyer]).await;
    let failed = world.delivery_when(buyer, "the failure is recorded", |d| d.attempts_made == 1).await;
    assert!(failed.attempts[0].error.contains("loopback") && receiver.got().is_empty());
}

#[tokio::test]
async fn after_eight_attempts_it_is_given_up_visibly() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    receiver.behave(status(503));
    let buyer = world.buyer_at(&receiver.url).await;
    let mut told = world.bus.subscribe_core("notification.gave_up").await.unwrap();
    world.sell(&[buyer]).await;
    for attempt in 1..=8_u32 {
        world.delivery_when(buyer, &format!("attempt {attempt}"), |d| d.attempts_made == attempt).await;
        // Longer than any step.
        world.advance(13 * 3_600);
    }
    let ended = world.delivery_when(buyer, "it is given up", |d| d.status == "GAVE_UP").await;
    assert_eq!((ended.attempts.len(), ended.next_attempt_at_ms), (8, 0));
    let event: DeliveryEnded = next(&mut told).await;
    assert_eq!((event.delivered, event.attempts, event.delivery_id), (false, 8, ended.delivery_id));
    assert_eq!(event.error, "8 attempts failed; the last: the receiver answered 503");
}

#[tokio::test]
async fn gone_switches_the_endpoint_off_at_once_and_ends_what_waits() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    receiver.behave(status(500));
    let buyer = world.buyer_at(&receiver.url).await;
    let mut disabled = world.bus.subscribe_core("notification.endpoint_disabled").await.unwrap();
    world.sell(&[buyer]).await;
    world.delivery_when(buyer, "one waits for its retry", |d| d.attempts_made == 1).await;
    receiver.behave(status(410));
    world.sell(&[buyer]).await;
    let event: EndpointDisabled = next(&mut disabled).await;
    assert_eq!((event.buyer_id, event.reason.as_str()), (buyer.to_string(), "the receiver answered 410 Gone"));
    let endpoint = world.endpoint(buyer).await;
    assert_eq!((endpoint.enabled, endpoint.disabled_reason.as_str()), (false, "the receiver answered 410 Gone"));
    // The one that was waiting ends without the clock moving, and a new sale ends at once.
    world.sell(&[buyer]).await;
    wait::until("all three have ended", PATIENCE, async || {
        let all = world.deliveries(buyer).await;
        all.len() == 3 && all.iter().all(|delivery| delivery.status == "GAVE_UP")
    })
    .await;
    assert_eq!(receiver.got().len(), 2);
    let reasons: Vec<String> = sqlx::query_scalar("SELECT error FROM notifier.deliveries ORDER BY error")
        .fetch_all(world.db.pool())
        .await
        .unwrap();
    let off = "the endpoint is switched off: the receiver answered 410 Gone";
    assert_eq!(reasons, [off, off, "the receiver answered 410"]);
    // Its owner switches it on again.
    receiver.behave(status(200));
    world.client().put_endpoint(world.call(put(buyer, &receiver.url))).await.unwrap();
    world.sell(&[buyer]).await;
    world.all_delivered(1).await;
    assert_eq!(world.endpoint(buyer).await.disabled_reason, "");
}

#[tokio::test]
async fn days_of_nothing_but_failures_switch_the_endpoint_off() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    receiver.behave(status(500));
    let buyer = world.buyer_at(&receiver.url).await;
    let mut disabled = world.bus.subscribe_core("notification.endpoint_disabled").await.unwrap();
    let began = world.now().timestamp_millis();
    world.sell(&[buyer]).await;
    world.delivery_when(buyer, "the first failure", |d| d.attempts_made == 1).await;
    world.advance(5 * 86_400 - 60);
    world.delivery_when(buyer, "a failure a minute early", |d| d.attempts_made == 2).await;
    assert!(world.endpoint(buyer).await.enabled);
    world.advance(86_400);
    let event: EndpointDisabled = next(&mut disabled).await;
    assert_eq!((event.failing_since_ms, event.reason.as_str()), (began, "nothing but failures for 5 days"));
    world.delivery_when(buyer, "what waited is given up", |d| d.status == "GAVE_UP").await;
    assert!(!world.endpoint(buyer).await.enabled);
}

#[tokio::test]
async fn an_endpoint_that_its_owner_switched_off_gets_nothing() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    let off = PutEndpointRequest { enabled: false, ..put(buyer, &receiver.url) };
    world.client().put_endpoint(world.call(off)).await.unwrap();
    let mut told = world.bus.subscribe_core("notification.gave_up").await.unwrap();
    world.sell(&[buyer]).await;
    let event: DeliveryEnded = next(&mut told).await;
    assert_eq!((event.attempts, event.error.as_str()), (0, "the endpoint is switched off"));
    assert_eq!(world.deliveries(buyer).await[0].status, "GAVE_UP");
    assert!(receiver.got().is_empty());
}
