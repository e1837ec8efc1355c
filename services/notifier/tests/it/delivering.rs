//! What arrives, and that it arrives.

use hmac::{Hmac, KeyInit, Mac};
use leadflow_contracts::{
    events::{BuyerChanged, DeliveryEnded},
    notifier::ListDeliveriesRequest,
};
use leadflow_kernel::{BuyerId, DeliveryId};
use leadflow_notifier::Limits;
use leadflow_testkit::wait;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    receiver::{Manner, Receiver},
    world::{PATIENCE, World, call_as, put, sold},
};

fn hmac(parts: &[&[u8]]) -> Vec<u8> {
    // The bytes that SECRET holds.
    let mut mac = Hmac::<Sha256>::new_from_slice(b"01234567890123456789012345678901").unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

#[tokio::test]
async fn a_sold_lead_arrives_once_signed_in_both_ways() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    let mut told = world.bus.subscribe_core("notification.>").await.unwrap();
    let sale = world.sell(&[buyer]).await;
    let got = receiver.wait_for(1).await.remove(0);

    let assignment = &sale.assignments[0];
    assert_eq!(
        serde_json::from_slice::<Value>(&got.body).unwrap(),
        json!({
            "event": "lead.assigned",
            "timestamp": "2027-01-15T08:00:00.000Z",
            "data": {
                "leadId": sale.lead_id, "buyerId": assignment.buyer_id, "assignmentId": assignment.assignment_id,
                "campaignId": sale.campaign_id, "campaign": "Solar West", "category": "Solar", "state": "CA",
                "quality": "HOT", "price": 25.0, "firstName": "John", "email": "john@example.com",
            }
        })
    );
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(got.header("x-webhook-signature"), hex::encode(hmac(&[&got.body])));
    let (id, timestamp) = (got.header("webhook-id"), got.header("webhook-timestamp"));
    let mac = hmac(&[id.as_bytes(), b".", timestamp.as_bytes(), b".", &got.body]);
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mac);
    assert_eq!(got.header("webhook-signature"), format!("v1,{encoded}"));

    let delivery = world.delivery_when(buyer, "it is recorded", |d| d.status == "DELIVERED").await;
    assert_eq!((delivery.delivery_id.as_str(), delivery.attempts_made, delivery.next_attempt_at_ms), (id, 1, 0));
    let attempt = &delivery.attempts[0];
    assert_eq!((attempt.number, attempt.status_code, attempt.response.as_str()), (1, 200, "noted"));
    let payload = tokio::time::timeout(PATIENCE, told.next()).await.unwrap().unwrap();
    let event = <DeliveryEnded as prost::Message>::decode(payload).unwrap();
    assert_eq!((event.delivery_id.as_str(), event.delivered, event.attempts), (id, true, 1));
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn the_same_sale_told_twice_is_one_delivery() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    let sale = world.sell(&[buyer]).await;
    // The same sale under another event id, then a sale that proves that both were seen.
    world.publish(&sale).await;
    world.sell(&[buyer]).await;
    world.all_delivered(2).await;
    assert_eq!(receiver.times_by_id().into_values().collect::<Vec<_>>(), [1, 1]);
    assert_eq!(world.count("SELECT count(*) FROM notifier.deliveries").await, 2);
}

#[tokio::test]
async fn each_buyer_of_a_lead_gets_his_own_and_a_buyer_without_endpoint_none() {
    let world = World::start().await;
    let (one, two) = (Receiver::start().await, Receiver::start().await);
    let buyers = [world.buyer_at(&one.url).await, world.buyer_at(&two.url).await, BuyerId::new()];
    let sale = world.sell(&buyers).await;
    world.all_delivered(2).await;
    for (receiver, assignment) in [&one, &two].into_iter().zip(&sale.assignments) {
        let body: Value = serde_json::from_slice(&receiver.got()[0].body).unwrap();
        assert_eq!(body["data"]["buyerId"], json!(assignment.buyer_id));
        assert_eq!(body["data"]["assignmentId"], json!(assignment.assignment_id));
    }
    assert_eq!(world.count("SELECT count(*) FROM notifier.deliveries").await, 2);
}

#[tokio::test]
async fn more_than_fits_in_memory_waits_in_the_table_and_arrives() {
    let mut world = World::empty().await;
    let small = Limits {
        in_flight: 4,
        per_endpoint: 2,
        held: 10,
        held_per_endpoint: 5,
        held_when_failing: 1,
        ..Limits::default()
    };
    world.replica(|config| config.limits = small).await;
    let receivers = [Receiver::start().await, Receiver::start().await, Receiver::start().await];
    let mut buyers = Vec::new();
    for receiver in &receivers {
        buyers.push(world.buyer_at(&receiver.url).await);
    }
    for _ in 0..50 {
        world.sell(&buyers).await;
    }
    world.all_delivered(150).await;
    for receiver in &receivers {
        let times = receiver.times_by_id();
        assert!(times.len() == 50 && times.values().all(|times| *times == 1));
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_delays_nobody_else() {
    let mut world = World::empty().await;
    // Longer than the test: no request to the one that hangs ever ends.
    world.replica(|config| config.timeout = std::time::Duration::from_secs(300)).await;
    let (hanging, quick) = (Receiver::start().await, Receiver::start().await);
    hanging.behave(Manner::Hang);
    let (slow_buyer, quick_buyer) = (world.buyer_at(&hanging.url).await, world.buyer_at(&quick.url).await);
    for _ in 0..100 {
        world.sell(&[slow_buyer, quick_buyer]).await;
    }
    world.all_delivered(100).await;
    assert!(quick.times_by_id().values().all(|times| *times == 1));
    assert!(hanging.got().len() <= Limits::default().per_endpoint, "{} requests hang", hanging.got().len());
}

#[tokio::test]
async fn what_cannot_be_delivered_at_all_is_put_aside_and_the_rest_goes_on() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    let mut broken = sold(world.seller, &[buyer], world.now());
    broken.data_json = b"[1]".as_slice().into();
    world.publish(&broken).await;
    world.sell(&[buyer]).await;
    world.all_delivered(1).await;
    let dead = leadflow_messaging::dlq::list(&world.bus, 0, 10).await.unwrap();
    assert_eq!(dead.len(), 1, "{dead:?}");
}

#[tokio::test]
async fn another_tenants_sale_to_a_known_buyer_goes_nowhere() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    world.publish(&sold(leadflow_kernel::SellerId::new(), &[buyer], world.now())).await;
    world.sell(&[buyer]).await;
    world.all_delivered(1).await;
    assert_eq!((receiver.got().len(), world.deliveries(buyer).await.len()), (1, 1));
}

#[tokio::test]
async fn responses_are_kept_up_to_16_kib_whatever_they_hold() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let mut body = b"a\0b\xff".to_vec();
    body.resize(100_000, b'x');
    receiver.behave(Manner::Answer { status: 200, headers: Vec::new(), body });
    let buyer = world.buyer_at(&receiver.url).await;
    world.sell(&[buyer]).await;
    let delivery = world.delivery_when(buyer, "it is recorded", |d| d.status == "DELIVERED").await;
    let response = &delivery.attempts[0].response;
    assert!(response.starts_with("a\u{fffd}b\u{fffd}xx"));
    assert_eq!(response.chars().count(), 16 * 1024);
}

#[tokio::test]
async fn the_list_is_newest_first_in_pages_and_the_tenants_own() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    let mut sales = Vec::new();
    for number in 1..=3 {
        sales.insert(0, world.sell(&[buyer]).await.lead_id);
        world.all_delivered(number).await;
        world.advance(1);
    }
    let page = async |seller, limit, before: &str| {
        let request = ListDeliveriesRequest { buyer_id: buyer.to_string(), limit, before: before.to_owned() };
        world.client().list_deliveries(call_as(seller, request)).await.map(|page| page.into_inner().deliveries)
    };
    let leads = |page: &[leadflow_contracts::notifier::Delivery]| -> Vec<String> {
        page.iter().map(|delivery| delivery.lead_id.clone()).collect()
    };
    let first = page(world.seller, 2, "").await.unwrap();
    assert_eq!(leads(&first), sales[..2]);
    let second = page(world.seller, 2, &first[1].delivery_id).await.unwrap();
    assert_eq!(leads(&second), sales[2..]);
    assert_eq!(page(leadflow_kernel::SellerId::new(), 10, "").await.unwrap(), []);
    assert_eq!(page(world.seller, 10, &DeliveryId::new().to_string()).await.unwrap(), []);
    for (limit, before) in [(0, ""), (201, ""), (10, "dlv_x")] {
        assert!(page(world.seller, limit, before).await.is_err());
    }
}

#[tokio::test]
async fn a_stop_waits_for_requests_at_hand_and_records_them() {
    let mut world = World::start().await;
    let receiver = Receiver::start().await;
    let hold = std::sync::Arc::new(tokio::sync::Notify::new());
    receiver.behave(Manner::Hold(hold.clone()));
    let buyer = world.buyer_at(&receiver.url).await;
    world.sell(&[buyer]).await;
    receiver.wait_for(1).await;
    world.replicas[0].shutdown.cancel();
    hold.notify_one();
    world.stop_one().await;
    assert_eq!(world.count("SELECT count(*) FROM notifier.deliveries WHERE status = 'DELIVERED'").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM notifier.outbox").await, 0);
}

#[tokio::test]
async fn the_directory_tells_whose_buyer_it_is() {
    let world = World::start().await;
    let buyer = BuyerId::new();
    let other = leadflow_kernel::SellerId::new();
    let told =
        BuyerChanged { buyer_id: buyer.to_string(), seller_id: other.to_string(), version: 1, ..Default::default() };
    world.publish(&told).await;
    wait::until("the buyer is known", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.buyers").await == 1
    })
    .await;
    let refused = world.client().put_endpoint(world.call(put(buyer, "http://127.0.0.1:1/"))).await;
    assert_eq!(crate::world::code(refused), "buyer_not_found");
    world.client().put_endpoint(call_as(other, put(buyer, "http://127.0.0.1:1/"))).await.unwrap();
}
