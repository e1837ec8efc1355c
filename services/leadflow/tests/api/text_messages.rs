//! What Twilio calls the API with, signed as it signs: a phone's STOP and START, and what became of text messages.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::Method;
use ring::hmac;
use serde_json::json;
use url::form_urlencoded;

use crate::{client::Answer, world::World};

const PUBLIC: &str = "https://api.example.com";
const STATUS: &str = "/api/webhooks/twilio/status";
const INBOUND: &str = "/api/webhooks/twilio/inbound";
const PREFERENCES: &str = "/api/notifications/preferences";
const PHONE: &str = "+12125550123";

/// As Twilio signs a form that it posts to `url`.
fn sign(token: &str, url: &str, fields: &[(&str, &str)]) -> String {
    let mut fields = fields.to_vec();
    fields.sort_unstable();
    let text = fields.iter().fold(url.to_owned(), |text, (name, value)| text + name + value);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

async fn post(world: &World, path: &str, signature: &str, fields: &[(&str, &str)]) -> Answer {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let mut headers = vec![
        ("content-type", "application/x-www-form-urlencoded"),
        ("cookie", "leadflow_session=nobody"),
        ("origin", "https://evil.example"),
    ];
    if !signature.is_empty() {
        headers.push(("x-twilio-signature", signature));
    }
    world.client.send(Method::POST, path, &headers, Some(form.into())).await
}

async fn signed(world: &World, path: &str, fields: &[(&str, &str)]) -> Answer {
    // The token that is being replaced is as good.
    post(world, path, &sign("old", &format!("{PUBLIC}{path}"), fields), fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_stops_and_starts_and_nobody_else_does_it_for_it() {
    let world = World::with(&[
        ("TWILIO_ACCOUNT_SID", "AC0123"),
        ("TWILIO_AUTH_TOKEN", "new,old"),
        ("TWILIO_FROM", "+15005550006"),
        ("BFF_PUBLIC_URL", PUBLIC),
    ])
    .await;
    let (seller, code) = world.seller("texts").await;
    let buyer = world.buyer("texts", &code).await;
    let chosen = json!({ "phoneNumber": PHONE, "smsOnLead": true });
    world.client.put(PREFERENCES, &buyer.token, &chosen).await.ok(200);
    let stopped = async || {
        let seen = world.client.get(PREFERENCES, &buyer.token).await.ok(200);
        assert_eq!(seen["preferences"]["smsOnLead"], true, "it is his choice all the same");
        seen["preferences"]["smsStopped"].as_bool().unwrap()
    };
    let says = async |sid: &str, body: &str| {
        let answer = signed(&world, INBOUND, &[("MessageSid", sid), ("From", PHONE), ("Body", body)]).await;
        assert_eq!((answer.status.as_u16(), &answer.headers["content-type"]), (200, &"text/xml".parse().unwrap()));
        assert!(answer.text.ends_with("<Response/>"), "{}", answer.text);
    };
    says("SM1", "stop").await;
    assert!(stopped().await);
    says("SM2", "Start").await;
    assert!(!stopped().await);
    says("SM1", "stop").await;
    assert!(!stopped().await, "told again");
    let audit = world.client.get("/api/audit", &seller.token).await.ok(200);
    let actions: Vec<_> = audit["entries"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions.iter().filter(|action| **action == "preferences.sms_stopped").count(), 1, "{audit}");

    let fields = [("MessageSid", "SM3"), ("From", PHONE), ("Body", "STOP")];
    let url = format!("{PUBLIC}{INBOUND}");
    for signature in [
        String::new(),
        "nonsense".to_owned(),
        sign("other", &url, &fields),
        // Of another place, and of other words.
        sign("new", &format!("{PUBLIC}{STATUS}"), &fields),
        sign("new", &url, &fields[..2]),
    ] {
        assert_eq!(post(&world, INBOUND, &signature, &fields).await.refused(400), "bad_signature", "{signature}");
    }
    assert!(!stopped().await);
    let large = "x".repeat(70 * 1024);
    assert_eq!(signed(&world, INBOUND, &[("Body", &large)]).await.refused(413), "body_too_large");
    for path in [INBOUND, STATUS] {
        assert_eq!(signed(&world, path, &[("To", PHONE)]).await.refused(422), "validation_failed", "{path}");
    }
    // Of a message that is nobody's; the URL has the words that were given along.
    let path = format!("{STATUS}?message=msg_x&segments=1");
    let told = signed(&world, &path, &[("MessageSid", "SM9"), ("MessageStatus", "delivered")]).await;
    assert_eq!(told.ok(200), json!({ "received": true }));
}
