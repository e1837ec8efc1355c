//! What it calls us with: signed, in order, and whatever people write.

use http::Method;
use leadflow_sandbox::Config;
use serde_json::{Value, json};

use super::{OURS, PERSON, Webhook, expected_signature, start};
use crate::start_with;

#[test]
fn the_independent_check_knows_the_published_example() {
    let parameters = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ];
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let signature = expected_signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", &parameters);
    assert_eq!(signature, "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
}

#[tokio::test]
async fn each_step_is_told_in_order_and_signed_over_the_whole_address() {
    let (sandbox, webhook) = (start().await, Webhook::start("").await);
    let path = "/told/of?message=msg_1&again=%2B1%20x";
    let url = format!("{}{path}", webhook.base);
    let (_, said) = sandbox.text(&[("StatusCallback", &url)]).await;
    assert_eq!(webhook.statuses(3).await, ["queued", "sent", "delivered"]);
    let mut tokens = Vec::new();
    for heard in webhook.heard() {
        assert_eq!(
            (heard.path.as_str(), heard.kind.split(';').next()),
            (path, Some("application/x-www-form-urlencoded"))
        );
        let parameters = heard.parameters();
        let signature = expected_signature(&Config::default().twilio_auth_token, &url, &parameters);
        assert_eq!(heard.signature, signature, "{parameters:?}");
        assert_ne!(heard.signature, expected_signature("another", &url, &parameters));
        assert_eq!(
            (parameters["MessageSid"].as_str(), parameters["To"].as_str()),
            (said["sid"].as_str().unwrap(), PERSON)
        );
        assert_eq!((&parameters["SmsStatus"], &parameters["From"]), (&parameters["MessageStatus"], &OURS.to_owned()));
        assert!(!parameters.contains_key("ErrorCode"));
        tokens.push(heard.token);
    }
    tokens.dedup();
    assert!(tokens.len() == 3 && tokens.iter().all(|token| !token.is_empty()), "{tokens:?}");
    let sid = said["sid"].as_str().unwrap();
    let (_, now) = sandbox.twilio(Method::GET, &sandbox.path(&format!("Messages/{sid}.json")), "").await;
    assert_eq!(now["status"], "delivered");
    assert!(now["date_sent"].is_string());

    // And what it finds out later.
    let later = json!({ "sid": sid, "status": "undelivered", "errorCode": 30005 });
    let headers = [("content-type", "application/json")];
    let answer = sandbox.call(Method::POST, "/api/twilio/status", &headers, &later.to_string()).await;
    assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), json!({ "answer": 200 }));
    assert_eq!(webhook.heard()[3].get("ErrorCode"), "30005");
    let unknown = json!({ "sid": "SM0", "status": "sent" }).to_string();
    assert_eq!(sandbox.call(Method::POST, "/api/twilio/status", &headers, &unknown).await.status, 404);
}

#[tokio::test]
async fn messages_end_as_they_are_told_to() {
    for (outcome, code, told, said) in [
        ("undelivered", None, &["queued", "sent", "undelivered"][..], "30003"),
        ("failed", Some(30007), &["queued", "failed"], "30007"),
        ("sent", None, &["queued", "sent"], ""),
    ] {
        let (sandbox, webhook) = (start().await, Webhook::start("").await);
        let behaviour = json!({ "mode": "ok", "next": 1, "outcome": outcome, "errorCode": code });
        assert_eq!(sandbox.put("/api/twilio/behaviour", &behaviour).await, 204);
        let url = format!("{}/told", webhook.base);
        sandbox.text(&[("StatusCallback", &url)]).await;
        assert_eq!(webhook.statuses(told.len()).await, told);
        assert_eq!(webhook.heard().last().unwrap().get("ErrorCode"), said);
    }
}

#[tokio::test]
async fn a_message_whose_answer_is_lost_is_told_of_all_the_same() {
    let (sandbox, webhook) = (start().await, Webhook::start("").await);
    sandbox.put("/api/twilio/behaviour", &json!({ "mode": "lose", "next": 1 })).await;
    let url = format!("{}/told", webhook.base);
    let parameters = [("StatusCallback", url.as_str())];
    let asking = sandbox.text(&parameters);
    tokio::select! {
        answer = asking => panic!("{answer:?}"),
        told = webhook.statuses(3) => assert_eq!(told, ["queued", "sent", "delivered"]),
    }
}

#[tokio::test]
async fn who_said_stop_gets_nothing_until_he_says_start() {
    let webhook = Webhook::start("<Response><Message>Thank you &amp; bye</Message></Response>").await;
    let inbound = format!("{}/inbound?x=1", webhook.base);
    let config = Config { twilio_inbound_url: Some(inbound.clone()), ..Config::default() };
    let sandbox = start_with(config).await;
    assert_eq!(sandbox.writes(PERSON, "stop it").await["answer"], 200);
    assert_eq!(sandbox.text(&[]).await.0, 201, "only the word alone stops");
    assert_eq!(sandbox.writes(PERSON, " Stop ").await["answer"], 200);
    let (status, said) = sandbox.text(&[]).await;
    assert_eq!((status, &said["code"]), (400, &json!(21610)), "{said}");
    assert_eq!(sandbox.text(&[("To", "+12125550124")]).await.0, 201, "nobody else is stopped");
    assert_eq!(sandbox.texts("").await["stopped"], json!([PERSON]));
    // Through a service it is only found out later.
    let service = Config::default().twilio_service_sid;
    let told = format!("{}/told", webhook.base);
    let through = [("From", ""), ("MessagingServiceSid", service.as_str()), ("StatusCallback", &told)];
    let (status, said) = sandbox.text(&through).await;
    assert_eq!((status, &said["status"]), (201, &json!("accepted")));
    webhook.statuses(3).await;
    assert_eq!(
        (webhook.heard()[2].get("MessageStatus"), webhook.heard()[2].get("ErrorCode")),
        ("failed".into(), "21610".into())
    );

    sandbox.writes(PERSON, "START").await;
    assert_eq!(sandbox.text(&[]).await.0, 201);

    let first = &webhook.heard()[0];
    let parameters = first.parameters();
    assert_eq!(first.signature, expected_signature(&Config::default().twilio_auth_token, &inbound, &parameters));
    for (name, value) in
        [("From", PERSON), ("To", OURS), ("Body", "stop it"), ("SmsStatus", "received"), ("FromCity", "")]
    {
        assert_eq!(parameters.get(name).map(String::as_str), Some(value), "{name}");
    }
    // What we answer reaches who may be answered; the number's own words come besides.
    let replies = sandbox.texts(&format!("?number={}&direction=outbound-reply", "%2B12125550123")).await;
    let replies: Vec<_> = replies["texts"].as_array().unwrap().iter().map(|it| it["body"].as_str().unwrap()).collect();
    assert_eq!(replies.iter().filter(|body| **body == "Thank you & bye").count(), 2, "{replies:?}");
    assert_eq!(replies.len(), 4, "{replies:?}");
}

#[tokio::test]
async fn messages_of_people_need_no_webhook_but_one_of_our_numbers() {
    let sandbox = start().await;
    assert_eq!(sandbox.writes(PERSON, "STOP").await["answer"], Value::Null);
    assert_eq!(sandbox.text(&[]).await.0, 400);
    let headers = [("content-type", "application/json")];
    let wrong = json!({ "from": PERSON, "to": "+12125550199", "body": "x" }).to_string();
    assert_eq!(sandbox.call(Method::POST, "/api/twilio/inbound", &headers, &wrong).await.status, 422);
    assert_eq!(sandbox.call(Method::DELETE, "/api/texts", &[], "").await.status, 204);
    assert_eq!(sandbox.texts("").await, json!({ "texts": [], "stopped": [] }));
    assert_eq!(sandbox.text(&[]).await.0, 201);
}
