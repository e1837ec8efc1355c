//! Sending, and what is refused.

use http::Method;
use leadflow_sandbox::Config;
use serde_json::{Value, json};

use super::{OURS, PERSON, authorization, start};
use crate::start_with;

#[tokio::test]
async fn a_message_is_answered_as_the_real_one_answers() {
    let sandbox = start().await;
    let body = format!("{}€", "é".repeat(160));
    let (status, said) = sandbox.text(&[("Body", &body)]).await;
    assert_eq!(status, 201, "{said}");
    let account = Config::default().twilio_account_sid;
    let sid = said["sid"].as_str().unwrap();
    assert!(sid.len() == 34 && sid.starts_with("SM") && sid[2..].bytes().all(|b| b.is_ascii_hexdigit()), "{sid}");
    let uri = format!("/2010-04-01/Accounts/{account}/Messages/{sid}");
    for (name, value) in [
        ("account_sid", json!(account)),
        ("api_version", json!("2010-04-01")),
        ("body", json!(body)),
        ("date_sent", Value::Null),
        ("direction", json!("outbound-api")),
        ("error_code", Value::Null),
        ("error_message", Value::Null),
        ("from", json!(OURS)),
        ("messaging_service_sid", Value::Null),
        ("num_media", json!("0")),
        ("num_segments", json!("2")),
        ("price", Value::Null),
        ("price_unit", json!("USD")),
        ("status", json!("queued")),
        ("subresource_uris", json!({ "media": format!("{uri}/Media.json") })),
        ("to", json!(PERSON)),
        ("uri", json!(format!("{uri}.json"))),
    ] {
        assert_eq!(said[name], value, "{name}");
    }
    for name in ["date_created", "date_updated"] {
        let date = said[name].as_str().unwrap();
        assert!(chrono::DateTime::parse_from_rfc2822(date).is_ok() && date.ends_with("+0000"), "{date}");
    }
    let (status, again) = sandbox.twilio(Method::GET, &sandbox.path(&format!("Messages/{sid}.json")), "").await;
    assert_eq!((status, &again["body"]), (200, &said["body"]));
    let (status, missing) = sandbox.twilio(Method::GET, &sandbox.path("Messages/SM0.json"), "").await;
    assert_eq!((status, &missing["code"]), (404, &json!(20404)));

    let service = Config::default().twilio_service_sid;
    let (_, said) = sandbox.text(&[("From", ""), ("MessagingServiceSid", &service)]).await;
    let known = (&said["status"], &said["from"], &said["num_segments"], &said["messaging_service_sid"]);
    assert_eq!(known, (&json!("accepted"), &Value::Null, &json!("0"), &json!(service)), "{said}");
}

#[tokio::test]
async fn refusals_are_in_twilios_words() {
    let sandbox = start().await;
    for (more, code) in [
        ([("To", "")], 21604),
        ([("To", "555-0123")], 21211),
        ([("From", "")], 21603),
        ([("From", "+12125550199")], 21659),
        ([("Body", "")], 21602),
        ([("StatusCallback", "/told")], 21609),
    ] {
        let (status, said) = sandbox.text(&more).await;
        assert_eq!((status, &said["code"], &said["status"]), (400, &json!(code), &json!(400)), "{said}");
        assert_eq!(said["more_info"], json!(format!("https://www.twilio.com/docs/errors/{code}")));
        assert!(said["message"].as_str().is_some_and(|message| message.len() > 10), "{said}");
    }
    // What is sent as JSON is not read.
    let config = Config { twilio_api_key: Some("SK1:secret".to_owned()), ..Config::default() };
    let (account, token) = (config.twilio_account_sid.clone(), config.twilio_auth_token.clone());
    let keyed = start_with(config).await;
    let good = authorization(&account, &token);
    let headers = [("authorization", good.as_str()), ("content-type", "application/json")];
    let answer = keyed.call(Method::POST, &keyed.path("Messages.json"), &headers, "{\"To\":\"+12125550123\"}").await;
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((answer.status, &said["code"]), (400, &json!(21604)));
    for (header, status) in [
        (authorization("SK1", "secret"), 200),
        (authorization(&account, "wrong"), 401),
        (authorization("SK2", "secret"), 401),
        (String::new(), 401),
    ] {
        let answer = keyed.call(Method::GET, &keyed.path("Messages.json"), &[("authorization", &header)], "").await;
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, status, "{header}");
        if status == 401 {
            assert_eq!(said["code"], 20003);
            assert!(answer.headers.contains_key("www-authenticate"));
        }
    }
    let other = keyed.path("Messages.json").replace(&account, "AC00000000000000000000000000000000");
    assert_eq!(keyed.call(Method::GET, &other, &[("authorization", &good)], "").await.status, 401);
}

#[tokio::test]
async fn it_fails_as_it_is_told() {
    let sandbox = start().await;
    for (mode, status, code) in [("busy", 429, 20429), ("fail", 500, 20500), ("revoked", 401, 20003)] {
        assert_eq!(sandbox.put("/api/twilio/behaviour", &json!({ "mode": mode, "next": 1 })).await, 204);
        // A question does not take the message's turn.
        assert_eq!(sandbox.twilio(Method::GET, &sandbox.path("Messages.json"), "").await.0, status, "{mode}");
        let (got, said) = sandbox.text(&[]).await;
        assert_eq!((got, &said["code"]), (status, &json!(code)), "{mode}");
    }
    assert_eq!(sandbox.text(&[]).await.0, 201);
    for bad in [json!({ "mode": "explode", "next": 1 }), json!({ "mode": "ok", "next": 1, "outcome": "received" })] {
        assert_eq!(sandbox.put("/api/twilio/behaviour", &bad).await, 422);
    }
    // Of two that get no answer, one was taken.
    for (mode, kept) in [("hang", 1), ("lose", 2)] {
        sandbox.put("/api/twilio/behaviour", &json!({ "mode": mode, "next": 1 })).await;
        let url = format!("{}{}", sandbox.base, sandbox.path("Messages.json"));
        let config = Config::default();
        let mut headers = http::HeaderMap::new();
        let account = authorization(&config.twilio_account_sid, &config.twilio_auth_token);
        headers.insert("authorization", account.parse().unwrap());
        headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        let body = "To=%2B12125550123&From=%2B15005550006&Body=Hello";
        let failure = sandbox.client.post(&url, headers, body.into()).await.unwrap_err();
        assert_eq!(failure.kind, leadflow_outbound_http::FailureKind::TimedOut);
        assert_eq!(sandbox.texts("").await["texts"].as_array().unwrap().len(), kept, "{mode}");
    }
}

#[tokio::test]
async fn messages_are_listed_in_pages() {
    let sandbox = start().await;
    for number in 0..5 {
        let to = format!("+1212555010{}", number % 2);
        assert_eq!(sandbox.text(&[("To", &to), ("Body", &number.to_string())]).await.0, 201);
    }
    let list = async |query: &str| {
        let (status, said) = sandbox.twilio(Method::GET, &sandbox.path(&format!("Messages.json{query}")), "").await;
        assert_eq!(status, 200);
        let bodies: Vec<String> =
            said["messages"].as_array().unwrap().iter().map(|it| it["body"].as_str().unwrap().to_owned()).collect();
        (bodies, said)
    };
    assert_eq!(list("").await.0, ["4", "3", "2", "1", "0"]);
    let (first, said) = list("?To=%2B12125550100&PageSize=2").await;
    assert_eq!(first, ["4", "2"]);
    assert_eq!((&said["page_size"], &said["start"], &said["end"]), (&json!(2), &json!(0), &json!(1)));
    let (status, next) =
        sandbox.twilio(Method::GET, &format!("/twilio{}", said["next_page_uri"].as_str().unwrap()), "").await;
    assert_eq!((status, &next["messages"][0]["body"]), (200, &json!("0")));
    assert_eq!(next["next_page_uri"], Value::Null);
    assert!(list("?DateSent%3E=2999-01-01").await.0.is_empty());
    assert_eq!(list("?DateSent%3C=2999-01-01&DateSent%3E=2020-01-01").await.0.len(), 5);
}
