//! Several endpoints of one buyer: what each is told of, how fast, with which secrets, and their end.

use std::sync::Arc;

use futures::future::join_all;
use leadflow_contracts::{
    common,
    events::LeadReturned,
    notifier::{
        DeleteEndpointRequest, EndpointEvents, GetEndpointRequest, ListEndpointsRequest, PutEndpointRequest,
        SendSampleRequest,
    },
};
use leadflow_kernel::{BuyerId, EndpointId, ReturnId, SellerId};
use leadflow_notifier_domain::Secret;
use leadflow_testkit::wait;
use serde_json::Value;

use crate::{
    receiver::{Manner, Receiver, status},
    world::{PATIENCE, SECRET, World, call_as, code, put},
};

fn another(buyer: BuyerId, url: &str, name: &str, events: &[&str]) -> PutEndpointRequest {
    PutEndpointRequest {
        endpoint_id: EndpointId::new().to_string(),
        name: Some(name.to_owned()),
        events: Some(EndpointEvents { names: events.iter().map(|&event| event.to_owned()).collect() }),
        ..put(buyer, url)
    }
}

async fn list(world: &World, buyer: BuyerId) -> Vec<leadflow_contracts::notifier::Endpoint> {
    let request = ListEndpointsRequest { buyer_id: buyer.to_string() };
    world.endpoints().list_endpoints(world.call(request)).await.unwrap().into_inner().endpoints
}

fn returned(world: &World, sale: &leadflow_contracts::events::LeadAssigned) -> LeadReturned {
    let assignment = &sale.assignments[0];
    LeadReturned {
        return_id: ReturnId::new().to_string(),
        assignment_id: assignment.assignment_id.clone(),
        lead_id: sale.lead_id.clone(),
        buyer_id: assignment.buyer_id.clone(),
        seller_id: sale.seller_id.clone(),
        campaign_id: sale.campaign_id.clone(),
        campaign_name: sale.campaign_name.clone(),
        price: Some(common::Money { amount: "25.00".into(), currency: "USD".into() }),
        reason: "wrong_number".into(),
        decided_at_ms: world.now().timestamp_millis(),
    }
}

#[tokio::test]
async fn each_endpoint_is_told_of_what_it_wants() {
    let world = World::start().await;
    let (first, second, third) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let buyer = world.buyer_at(&first.url).await;
    for (receiver, name, events) in
        [(&second, "returns", &["lead.returned"][..]), (&third, "all", &["lead.returned", "lead.assigned"])]
    {
        world.advance(1);
        world.client().put_endpoint(world.call(another(buyer, &receiver.url, name, events))).await.unwrap();
    }
    let listed = list(&world, buyer).await;
    let told: Vec<_> = listed.iter().map(|endpoint| (endpoint.name.as_str(), endpoint.events.join(" "))).collect();
    assert_eq!(
        told,
        [
            ("", "lead.assigned".to_owned()),
            ("returns", "lead.returned".to_owned()),
            ("all", "lead.assigned lead.returned".to_owned())
        ]
    );
    assert_eq!(world.endpoint(buyer).await.endpoint_id, listed[0].endpoint_id, "the first is the one without a name");
    let sale = world.sell(&[buyer]).await;
    world.all_delivered(2).await;
    let back = returned(&world, &sale);
    world.publish(&back).await;
    // Told twice, it is one.
    world.publish(&back).await;
    world.sell(&[buyer]).await;
    world.all_delivered(6).await;
    let events = |receiver: &Receiver| -> Vec<String> {
        let event =
            |got: &crate::receiver::Got| serde_json::from_slice::<Value>(&got.body).unwrap()["event"].to_string();
        let mut events: Vec<_> = receiver.got().iter().map(event).collect();
        events.sort();
        events
    };
    assert_eq!(events(&first), [r#""lead.assigned""#; 2]);
    assert_eq!(events(&second), [r#""lead.returned""#]);
    assert_eq!(events(&third), [r#""lead.assigned""#, r#""lead.assigned""#, r#""lead.returned""#]);
    let body: Value = serde_json::from_slice(&second.got()[0].body).unwrap();
    assert_eq!((&body["data"]["reason"], &body["data"]["returnId"]), (&"wrong_number".into(), &back.return_id.into()));
    let listed = world.deliveries(buyer).await;
    assert_eq!(listed.iter().filter(|delivery| delivery.event == "lead.returned").count(), 2);
}

#[tokio::test]
async fn names_events_and_numbers_have_bounds_and_so_has_how_many_there_are() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = BuyerId::new();
    for bad in [
        another(buyer, &receiver.url, &"x".repeat(101), &["lead.assigned"]),
        another(buyer, &receiver.url, "a\nb", &["lead.assigned"]),
        another(buyer, &receiver.url, "a", &[]),
        another(buyer, &receiver.url, "a", &["lead.unsold"]),
        PutEndpointRequest { concurrency: Some(1_001), ..another(buyer, &receiver.url, "a", &["lead.assigned"]) },
    ] {
        assert_eq!(code(world.client().put_endpoint(world.call(bad)).await), "invalid_field");
    }
    // Many at once are no more than there may be.
    let answers = join_all((0..25).map(|number| {
        let (mut client, name) = (world.client(), format!("number {number}"));
        let request = world.call(another(buyer, &receiver.url, &name, &["lead.assigned"]));
        async move { client.put_endpoint(request).await }
    }))
    .await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), list(&world, buyer).await.len()), (20, 20));
    assert!(refused.into_iter().all(|answer| code(answer) == "too_many_endpoints"));
}

#[tokio::test]
async fn a_deleted_endpoint_gets_nothing_more_keeps_no_secret_and_can_be_made_anew() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    receiver.behave(status(500));
    let buyer = world.buyer_at(&receiver.url).await;
    let id = world.endpoint(buyer).await.endpoint_id;
    world.sell(&[buyer]).await;
    world.delivery_when(buyer, "one waits for its retry", |d| d.attempts_made == 1).await;
    let delete = |seller: SellerId, buyer: BuyerId, expected_version| {
        let request = DeleteEndpointRequest { buyer_id: buyer.to_string(), endpoint_id: id.clone(), expected_version };
        let mut client = world.endpoints();
        async move { client.delete_endpoint(call_as(seller, request)).await }
    };
    assert_eq!(code(delete(SellerId::new(), buyer, None).await), "endpoint_not_found");
    assert_eq!(code(delete(world.seller, BuyerId::new(), None).await), "endpoint_not_found");
    assert_eq!(code(delete(world.seller, buyer, Some(7)).await), "changed_meanwhile");
    delete(world.seller, buyer, None).await.unwrap();
    delete(world.seller, buyer, None).await.unwrap();
    let ended = world.delivery_when(buyer, "what waited is given up", |d| d.status == "GAVE_UP").await;
    assert_eq!(ended.error, "the endpoint was deleted");
    world.sell(&[buyer]).await;
    let request = GetEndpointRequest { buyer_id: buyer.to_string(), ..GetEndpointRequest::default() };
    assert_eq!(code(world.client().get_endpoint(world.call(request)).await), "endpoint_not_found");
    assert!(list(&world, buyer).await.is_empty());
    let secrets = "SELECT count(*) FROM notifier.endpoints WHERE length(secret) > 0 OR secret_key_id <> ''";
    assert_eq!(world.count(secrets).await, 0);
    assert_eq!(world.count("SELECT count(*) FROM notifier.audit_entries WHERE action = 'webhook.deleted'").await, 1);
    receiver.behave(status(200));
    // A creation that is repeated late does not bring it back.
    let late = PutEndpointRequest { keep_deleted: true, ..put(buyer, &receiver.url) };
    assert_eq!(code(world.client().put_endpoint(world.call(late)).await), "endpoint_deleted");
    assert!(list(&world, buyer).await.is_empty());
    // The one that replaces it is new: the first version of a new life.
    let again = PutEndpointRequest { expected_version: Some(0), secret: String::new(), ..put(buyer, &receiver.url) };
    let made = world.client().put_endpoint(world.call(again)).await.unwrap().into_inner();
    assert!(made.version > 1 && made.secret != SECRET && made.enabled);
    world.sell(&[buyer]).await;
    world.all_delivered(1).await;
    assert_eq!(world.deliveries(buyer).await.len(), 2, "nothing was sent while there was none");
}

#[tokio::test]
async fn an_endpoint_gets_no_more_requests_at_once_than_it_asked_for() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let hold = Arc::new(tokio::sync::Notify::new());
    receiver.behave(Manner::Hold(hold.clone()));
    let buyer = BuyerId::new();
    let put_it = async |concurrency| {
        let request = PutEndpointRequest { concurrency: Some(concurrency), ..put(buyer, &receiver.url) };
        world.client().put_endpoint(world.call(request)).await.unwrap();
    };
    put_it(1).await;
    for _ in 0..6 {
        world.sell(&[buyer]).await;
    }
    wait::until("all six are at hand", PATIENCE, async || world.deliveries(buyer).await.len() == 6).await;
    for number in 1..=3 {
        receiver.wait_for(number).await;
        // Whoever is let go makes room for one, and for no more.
        assert_eq!(receiver.got().len(), number);
        hold.notify_one();
    }
    receiver.wait_for(4).await;
    // More from now on: the next sale tells the line.
    put_it(5).await;
    world.sell(&[buyer]).await;
    receiver.wait_for(7).await;
    receiver.behave(status(200));
    for _ in 0..4 {
        hold.notify_one();
    }
    world.all_delivered(7).await;
}

#[tokio::test]
async fn for_a_day_after_a_rotation_both_secrets_are_good() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    let id = world.endpoint(buyer).await.endpoint_id;
    let rotated = world.rotate_secret(buyer, &id, "").await;
    assert_eq!(rotated.old_secret_until_ms, world.now().timestamp_millis() + 86_400_000);
    assert_eq!(rotated.version, 2);
    // The same again is no second rotation.
    assert_eq!(world.rotate_secret(buyer, &id, &rotated.secret).await.version, 2);
    let signed = |number: usize| {
        let got = &receiver.got()[number - 1];
        let by = |secret: &str| {
            let secret = Secret::parse(secret).unwrap();
            secret.sign_standard(&got.id(), got.header("webhook-timestamp").parse().unwrap(), &got.body)
        };
        let newest = Secret::parse(&rotated.secret).unwrap().sign_body(&got.body);
        assert_eq!(got.header("x-webhook-signature"), newest);
        (got.header("webhook-signature").to_owned(), by(&rotated.secret), by(SECRET))
    };
    world.sell(&[buyer]).await;
    world.all_delivered(1).await;
    let (header, new, old) = signed(1);
    assert_eq!(header, format!("{new} {old}"));
    world.advance(86_401);
    world.sell(&[buyer]).await;
    world.all_delivered(2).await;
    let (header, new, _) = signed(2);
    assert_eq!(header, new);
    // Whoever sets another one at once wants the one before to be good no more.
    world.rotate_secret(buyer, &id, SECRET).await;
    let changed = PutEndpointRequest { secret: "another secret text".into(), ..put(buyer, &receiver.url) };
    let changed = world.client().put_endpoint(world.call(changed)).await.unwrap().into_inner();
    assert_eq!(changed.old_secret_until_ms, 0);
    let unknown = EndpointId::new().to_string();
    let request = SendSampleRequest { buyer_id: buyer.to_string(), endpoint_id: unknown };
    assert_eq!(code(world.client().send_sample(world.call(request)).await), "endpoint_not_found");
}
