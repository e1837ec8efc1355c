//! Headers, credentials and bodies as receivers want them.

use std::collections::HashMap;

use leadflow_contracts::notifier::{
    BasicAuth, BearerAuth, EndpointAuth, EndpointFormat, PutEndpointRequest, endpoint_auth::How,
};
use leadflow_kernel::BuyerId;
use leadflow_notifier::{app::Rotation, secrets::SecretKeys};
use serde_json::{Value, json};

use crate::{
    receiver::{Manner, Receiver},
    world::{World, code, put},
};

const HIDDEN: &str = "********";
const OTHER_KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn headers(list: &[(&str, &str)]) -> HashMap<String, String> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn basic(user: &str, password: &str) -> Option<EndpointAuth> {
    Some(EndpointAuth { how: Some(How::Basic(BasicAuth { user: user.into(), password: password.into() })) })
}

fn formed(buyer: BuyerId, url: &str, format: EndpointFormat) -> PutEndpointRequest {
    PutEndpointRequest { format: Some(format), ..put(buyer, url) }
}

fn crm() -> EndpointFormat {
    EndpointFormat {
        headers: headers(&[("X-Api-Key", "k-123456"), ("x-source", "LeadFlow")]),
        auth: basic("acme", "pass:word"),
        body_template: "{\"person\": {\"first\": \"{{ lead.firstName }}\", \"mail\": {{ lead.email }}},\n \
                        \"paid\": {{ lead.price }}, \"ref\": \"{{ lead.leadId }}\"}"
            .into(),
        ..EndpointFormat::default()
    }
}

#[tokio::test]
async fn a_receiver_gets_the_body_headers_and_credentials_it_wants_and_nobody_sees_them() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = BuyerId::new();
    let made = world.client().put_endpoint(world.call(formed(buyer, &receiver.url, crm()))).await.unwrap().into_inner();
    let sale = world.sell(&[buyer]).await;
    let got = receiver.wait_for(1).await.remove(0);
    assert_eq!(
        serde_json::from_slice::<Value>(&got.body).unwrap(),
        json!({ "person": { "first": "John", "mail": "john@example.com" }, "paid": 25.0, "ref": sale.lead_id })
    );
    assert_eq!((got.header("x-api-key"), got.header("x-source")), ("k-123456", "LeadFlow"));
    assert_eq!(got.header("authorization"), "Basic YWNtZTpwYXNzOndvcmQ=");
    assert_eq!(got.header("content-type"), "application/json");
    // What is signed is what was sent.
    let secret = leadflow_notifier_domain::Secret::parse(crate::world::SECRET).unwrap();
    assert_eq!(got.header("x-webhook-signature"), secret.sign_body(&got.body));

    let shown = made.format.unwrap();
    assert_eq!(shown.headers, headers(&[("x-api-key", HIDDEN), ("x-source", HIDDEN)]));
    assert_eq!((shown.auth.clone(), shown.body_template.clone()), (basic(HIDDEN, HIDDEN), crm().body_template));
    let row: String = sqlx::query_scalar("SELECT e::text || encode(sealed_format, 'escape') FROM notifier.endpoints e")
        .fetch_one(world.db.pool())
        .await
        .unwrap();
    let audit: String = sqlx::query_scalar("SELECT string_agg(a::text, '') FROM notifier.audit_entries a")
        .fetch_one(world.db.pool())
        .await
        .unwrap();
    for secret in ["k-123456", "pass:word", "YWNtZTpwYXNzOndvcmQ"] {
        assert!(!row.contains(secret) && !audit.contains(secret), "{secret}");
    }
    // Given back as it is shown, nothing changes; one header more, and the others stay.
    let same = formed(buyer, &receiver.url, shown.clone());
    assert_eq!(world.client().put_endpoint(world.call(same)).await.unwrap().into_inner().version, 1);
    let mut more = shown;
    more.headers.insert("x-more".into(), "m".into());
    let more = world.client().put_endpoint(world.call(formed(buyer, &receiver.url, more))).await.unwrap().into_inner();
    assert_eq!(more.version, 2);
    world.sell(&[buyer]).await;
    let got = receiver.wait_for(2).await.remove(1);
    assert_eq!((got.header("x-api-key"), got.header("x-more")), ("k-123456", "m"));
    assert_eq!(got.header("authorization"), "Basic YWNtZTpwYXNzOndvcmQ=");
}

#[tokio::test]
async fn a_form_is_a_form() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = BuyerId::new();
    let bearer = Some(EndpointAuth { how: Some(How::Bearer(BearerAuth { token: "t0k".into() })) });
    let format = EndpointFormat {
        auth: bearer,
        body_template: "first={{ lead.firstName }}&\nmail={{ lead.email }}&price={{ lead.price }}".into(),
        content_type: "application/x-www-form-urlencoded".into(),
        ..EndpointFormat::default()
    };
    world.client().put_endpoint(world.call(formed(buyer, &receiver.url, format))).await.unwrap();
    world.sell(&[buyer]).await;
    let got = receiver.wait_for(1).await.remove(0);
    assert_eq!(&got.body[..], b"first=John&mail=john%40example.com&price=25.00");
    assert_eq!(got.header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(got.header("authorization"), "Bearer t0k");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_when_it_is_saved_with_its_line() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    let refused = async |format: EndpointFormat| {
        world.client().put_endpoint(world.call(formed(buyer, &receiver.url, format))).await.unwrap_err()
    };
    let template = |text: &str| EndpointFormat { body_template: text.into(), ..EndpointFormat::default() };
    for (text, told) in [
        ("{\n\"a\": {{ lead.x }\n}", "body_template: line 2: syntax error"),
        ("{\n\"a\": 1\n\"b\": 2}", "body_template: line 3: what comes out is no JSON: expected `,` or `}`"),
        ("{% for x in lead %}{% endfor %}", "body_template: line 1: only if, elif, else and endif are known"),
    ] {
        let status = refused(template(text)).await;
        assert!(status.message().contains(told), "{}", status.message());
        assert_eq!(code::<()>(Err(status)), "invalid_body_template");
    }
    for name in ["Host", "webhook-id", "Content-Length", "Connection", "bad name"] {
        let status = refused(EndpointFormat { headers: headers(&[(name, "x")]), ..EndpointFormat::default() }).await;
        assert_eq!(code::<()>(Err(status)), "invalid_credentials", "{name}");
    }
    let hidden = EndpointFormat { headers: headers(&[("x-a", HIDDEN)]), ..EndpointFormat::default() };
    assert_eq!(code::<()>(Err(refused(hidden).await)), "invalid_credentials");
    let kind = EndpointFormat { content_type: "text/xml".into(), ..template("<x/>") };
    assert_eq!(code::<()>(Err(refused(kind).await)), "invalid_field");
    assert_eq!(world.endpoint(buyer).await.version, 1);
}

#[tokio::test]
async fn credentials_stay_with_the_host_they_were_given_for() {
    let world = World::start().await;
    let (home, away) = (Receiver::start().await, Receiver::start().await);
    let buyer = BuyerId::new();
    world.client().put_endpoint(world.call(formed(buyer, &home.url, crm()))).await.unwrap();
    // Whoever may change the URL need not know them.
    let shown = world.endpoint(buyer).await.format;
    for format in [None, shown] {
        let moved = PutEndpointRequest { format, ..put(buyer, &away.url) };
        assert_eq!(code(world.client().put_endpoint(world.call(moved)).await), "credentials_needed");
    }
    // A redirect to another host takes none along.
    let location = vec![("location", away.url.clone())];
    home.behave(Manner::Answer { status: 307, headers: location, body: Vec::new() });
    world.sell(&[buyer]).await;
    let got = away.wait_for(1).await.remove(0);
    for name in ["x-api-key", "x-source", "authorization"] {
        assert!(!got.headers.contains_key(name), "{name}");
    }
    assert!(got.headers.contains_key("webhook-signature"));
    // Another path of the same host is fine.
    let elsewhere = PutEndpointRequest { format: None, ..put(buyer, &home.url.replace("/hook", "/other")) };
    world.client().put_endpoint(world.call(elsewhere)).await.unwrap();
}

#[tokio::test]
async fn a_body_that_cannot_be_made_is_an_attempt_with_words_and_a_mended_template_is_used_for_the_next() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = BuyerId::new();
    // Right for a lead without fields and for the sample, which has no such field.
    let broken = "{\"a\": {% if lead.firstName == 'John' %}1 2{% else %}1{% endif %}}";
    let format = EndpointFormat { body_template: broken.into(), ..EndpointFormat::default() };
    world.client().put_endpoint(world.call(formed(buyer, &receiver.url, format))).await.unwrap();
    world.sell(&[buyer]).await;
    let failed = world.delivery_when(buyer, "it cannot be made", |d| d.attempts_made == 1).await;
    assert_eq!((failed.status.as_str(), failed.attempts[0].status_code), ("PENDING", 0));
    assert_eq!(failed.attempts[0].error, "the body's template: line 1: what comes out is no JSON: expected `,` or `}`");
    assert!(receiver.got().is_empty());
    let format = EndpointFormat { body_template: "{\"a\": 1}".into(), ..EndpointFormat::default() };
    world.client().put_endpoint(world.call(formed(buyer, &receiver.url, format))).await.unwrap();
    world.advance(7);
    world.all_delivered(1).await;
    assert_eq!(&receiver.got()[0].body[..], b"{\"a\": 1}");
}

#[tokio::test]
async fn the_key_of_secrets_is_replaced_for_all_that_is_secret() {
    let receiver = Receiver::start().await;
    let mut world = World::start().await;
    let buyer = BuyerId::new();
    let made = world.client().put_endpoint(world.call(formed(buyer, &receiver.url, crm()))).await.unwrap().into_inner();
    world.rotate_secret(buyer, &made.endpoint_id, "").await;
    world.stop_one().await;
    let old = leadflow_notifier::secrets::SecretKeys::parse(crate::world::KEY).unwrap();
    let both = SecretKeys::parse(&format!("{OTHER_KEY},{}", crate::world::KEY)).unwrap();
    let mut rotation = Rotation::new(world.db.pool().clone(), both);
    assert_eq!(rotation.keys_in_use().await.unwrap(), [(old.first().to_owned(), 3)]);
    let mut resealed = 0;
    while let Some(part) = rotation.step(1).await.unwrap() {
        resealed += part.resealed;
    }
    assert_eq!(resealed, 3);
    world.replica(|config| config.keys = SecretKeys::parse(OTHER_KEY).unwrap()).await;
    world.sell(&[buyer]).await;
    let got = receiver.wait_for(1).await.remove(0);
    assert_eq!(got.header("x-api-key"), "k-123456");
    assert_eq!(got.header("webhook-signature").split(' ').count(), 2);
}
