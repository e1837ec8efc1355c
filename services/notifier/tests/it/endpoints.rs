//! Setting endpoints.

use leadflow_contracts::notifier::{GetEndpointRequest, PutEndpointRequest, SendSampleRequest};
use leadflow_kernel::{BuyerId, SellerId};

use crate::{
    receiver::{Receiver, status},
    world::{SECRET, World, call_as, code, put},
};

const URL: &str = "http://127.0.0.1:9/hook";

#[tokio::test]
async fn the_same_request_twice_is_one_endpoint_also_at_once() {
    let world = World::start().await;
    let buyer = BuyerId::new();
    let request = PutEndpointRequest { secret: String::new(), ..put(buyer, URL) };
    let calls = (0..8).map(|_| {
        let (mut client, request) = (world.client(), world.call(request.clone()));
        async move { client.put_endpoint(request).await.unwrap().into_inner() }
    });
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "one secret was made, and all saw it");
    assert!(answers[0].secret.starts_with("whsec_") && answers[0].enabled);
    assert_eq!(world.endpoint(buyer).await, answers[0]);
    assert_eq!(world.count("SELECT count(*) FROM notifier.endpoints").await, 1);
}

#[tokio::test]
async fn a_change_keeps_the_secret_unless_another_is_given() {
    let world = World::start().await;
    let buyer = BuyerId::new();
    let put_it = async |url: &str, secret: &str, enabled| {
        let request = PutEndpointRequest { secret: secret.to_owned(), enabled, ..put(buyer, url) };
        world.client().put_endpoint(world.call(request)).await.unwrap().into_inner()
    };
    put_it(URL, SECRET, true).await;
    let moved = put_it("http://127.0.0.1:10/", "", false).await;
    assert_eq!((moved.url.as_str(), moved.secret.as_str(), moved.enabled), ("http://127.0.0.1:10/", SECRET, false));
    assert_eq!(put_it(URL, "another secret text", true).await.secret, "another secret text");
    assert_eq!(world.endpoint(buyer).await.secret, "another secret text");
}

#[tokio::test]
async fn an_id_in_use_is_refused() {
    let world = World::start().await;
    let buyer = world.buyer_at(URL).await;
    let taken = PutEndpointRequest { endpoint_id: world.endpoint(buyer).await.endpoint_id, ..put(BuyerId::new(), URL) };
    assert_eq!(code(world.client().put_endpoint(world.call(taken.clone())).await), "endpoint_exists");
    let by_stranger = call_as(SellerId::new(), taken);
    assert_eq!(code(world.client().put_endpoint(by_stranger).await), "endpoint_exists");
}

#[tokio::test]
async fn another_tenant_finds_nothing() {
    let world = World::start().await;
    let buyer = world.buyer_at(URL).await;
    let request = GetEndpointRequest { buyer_id: buyer.to_string(), ..GetEndpointRequest::default() };
    assert_eq!(code(world.client().get_endpoint(call_as(SellerId::new(), request)).await), "endpoint_not_found");
    let unknown = GetEndpointRequest { buyer_id: BuyerId::new().to_string(), ..GetEndpointRequest::default() };
    assert_eq!(code(world.client().get_endpoint(world.call(unknown)).await), "endpoint_not_found");
}

#[tokio::test]
async fn refused_urls_secrets_and_ids_have_their_codes_and_store_nothing() {
    let mut world = World::empty().await;
    world.replica(|config| config.allow_loopback = false).await;
    let buyer = BuyerId::new();
    let long = format!("https://example.com/{}", "a".repeat(2_048));
    for (url, expected) in [
        ("", "url_malformed"),
        ("example.com", "url_malformed"),
        ("ftp://example.com/", "url_scheme"),
        ("https://user:password@example.com/", "url_credentials"),
        (&long, "url_too_long"),
        ("http://127.0.0.1/", "url_private_address"),
        ("http://localhost/", "url_private_address"),
        ("http://10.0.0.1/", "url_private_address"),
        ("http://169.254.169.254/latest/meta-data/", "url_private_address"),
        ("http://[::1]/", "url_private_address"),
        ("http://[::ffff:10.0.0.1]/", "url_private_address"),
        ("http://2130706433/", "url_private_address"),
        ("http://metadata.google.internal/", "url_private_address"),
    ] {
        assert_eq!(code(world.client().put_endpoint(world.call(put(buyer, url))).await), expected, "{url}");
    }
    for secret in ["short", "whsec_notbase64!", "whsec_QUJD", &"x".repeat(257)] {
        let request = PutEndpointRequest { secret: secret.to_owned(), ..put(buyer, "https://8.8.8.8/") };
        assert_eq!(code(world.client().put_endpoint(world.call(request)).await), "invalid_secret", "{secret}");
    }
    for request in [
        PutEndpointRequest { endpoint_id: "ep_x".into(), ..put(buyer, "https://8.8.8.8/") },
        PutEndpointRequest { buyer_id: String::new(), ..put(buyer, "https://8.8.8.8/") },
    ] {
        assert_eq!(code(world.client().put_endpoint(world.call(request)).await), "invalid_field");
    }
    let unsigned = tonic::Request::new(put(buyer, "https://8.8.8.8/"));
    assert_eq!(code(world.client().put_endpoint(unsigned).await), "bad_service_token");
    assert_eq!(world.count("SELECT count(*) FROM notifier.endpoints").await, 0);
}

#[tokio::test]
async fn secrets_are_stored_encrypted() {
    let world = World::start().await;
    world.buyer_at(URL).await;
    let stored: Vec<u8> =
        sqlx::query_scalar("SELECT secret FROM notifier.endpoints").fetch_one(world.db.pool()).await.unwrap();
    let clear = [SECRET.as_bytes(), b"01234567890123456789012345678901"];
    assert!(clear.iter().all(|text| !stored.windows(text.len()).any(|window| window == *text)));
}

#[tokio::test]
async fn a_sample_is_sent_once_signed_and_recorded_nowhere() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    let sample = SendSampleRequest { buyer_id: buyer.to_string(), ..SendSampleRequest::default() };
    let stranger = world.client().send_sample(call_as(SellerId::new(), sample.clone())).await;
    assert_eq!(code(stranger), "endpoint_not_found");
    receiver.behave(status(500));
    let answer = world.client().send_sample(world.call(sample)).await.unwrap().into_inner();
    assert_eq!((answer.status_code, answer.error.as_str()), (500, ""));
    let got = receiver.got();
    assert_eq!(got.len(), 1, "what failed is not sent again");
    assert!(!got[0].header("webhook-signature").is_empty());
    assert_eq!(world.count("SELECT count(*) FROM notifier.deliveries").await, 0);

    let nobody = world.buyer_at(URL).await;
    let sample = SendSampleRequest { buyer_id: nobody.to_string(), ..SendSampleRequest::default() };
    let answer = world.client().send_sample(world.call(sample)).await.unwrap().into_inner();
    assert_eq!(answer.status_code, 0);
    assert!(!answer.error.is_empty());
}
