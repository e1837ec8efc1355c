//! Text messages through the sandbox's Twilio, which is as strict as the real one, and calls back by itself.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
    routing::post,
};
use http::Method;
use leadflow_notifier::app::{Callback, CallbackSource, Notifier};
use leadflow_notifier_domain::News;
use leadflow_testkit::wait;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    mails::Sandbox,
    twilio::{Office, PHONE, Phones, lead, low},
    usage::Heard,
    world::{PATIENCE, World},
};

/// What the API does with calls, at an address that is known before there is somebody to take them.
#[derive(Clone)]
struct Calls {
    base: String,
    notifier: Arc<std::sync::OnceLock<Notifier>>,
}

async fn called(State(calls): State<Calls>, uri: Uri, headers: HeaderMap, body: Bytes) -> String {
    let source = if uri.path() == "/status" { CallbackSource::TwilioStatus } else { CallbackSource::TwilioInbound };
    let headers: HashMap<_, _> =
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let call = Callback { source, headers, body, url: format!("{}{uri}", calls.base) };
    calls.notifier.get().unwrap().take_callback(&call).await.unwrap();
    "<Response/>".to_owned()
}

async fn start() -> (Office, Sandbox) {
    let world = World::empty().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let calls = Calls { base: base.clone(), notifier: Arc::default() };
    let config = leadflow_sandbox::Config {
        twilio_inbound_url: Some(format!("{base}/inbound")),
        ..leadflow_sandbox::Config::default()
    };
    let (account, token) = (config.twilio_account_sid.clone(), config.twilio_auth_token.clone());
    let sandbox = Sandbox::with(config, Arc::new(world.clock.clone())).await;
    let mut phones = Phones::start(&world.clock).await;
    phones.settings.base = leadflow_sandbox::twilio_api(&sandbox.base).parse().unwrap();
    phones.settings.account = account;
    phones.settings.tokens = vec![token];
    phones.settings.callback = Some(format!("{base}/status").parse().unwrap());
    let office = Office::with(world, phones).await;
    assert!(calls.notifier.set(office.notifier.clone()).is_ok());
    let router = Router::new().route("/status", post(called)).route("/inbound", post(called)).with_state(calls);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (office, sandbox)
}

async fn texts(sandbox: &Sandbox) -> Vec<Value> {
    let (status, listed) = sandbox.say(Method::GET, "/api/texts?direction=outbound-api", Value::Null).await;
    assert_eq!(status, 200, "{listed}");
    listed["texts"].as_array().unwrap_or_else(|| panic!("{listed}")).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_text_is_taken_arrives_and_is_paid_for_and_stop_is_heard() {
    let (office, sandbox) = start().await;
    let heard = Heard::on(&office.world);
    let declined = |again_at| News::RechargeFailed { amount: "$25.00".into(), why: String::new(), again_at };
    let every = [
        lead("Łukasz"),
        lead("Александра"),
        low(),
        declined(None),
        declined(Some(office.world.now())),
        News::RechargeTurnedOff { why: String::new() },
        News::PaymentActionNeeded { amount: "$25.00".into(), recharge: false },
    ];
    for news in &every {
        office.tell(news).await;
    }
    while office.send().await > 0 {}
    wait::until("all have arrived", PATIENCE, async || {
        office.world.count("SELECT count(*) FROM notifier.messages WHERE status = 'DELIVERED'").await == 7
    })
    .await;
    let texts = texts(&sandbox).await;
    assert_eq!(texts.len(), 7);
    for text in &texts {
        assert_eq!((&text["segments"], &text["to"]), (&json!(1), &json!(PHONE)), "{text}");
    }
    assert!(
        texts.iter().any(|text| text["body"].as_str().unwrap().contains("New lead Lukasz O'Neil, CA")),
        "{texts:?}"
    );
    assert!(heard.wait_for(7).await.iter().all(|paid| paid.units == 1));

    let stop = json!({ "from": PHONE, "body": "Stop" });
    assert_eq!(sandbox.say(Method::POST, "/api/twilio/inbound", stop).await.0 / 100, 2);
    wait::until("STOP is heard", PATIENCE, async || office.suppressed().await.is_some()).await;
    let unwanted = office.sent(&low()).await;
    assert_eq!(office.status_of(unwanted).await, "SUPPRESSED");
    // Had it not been heard, Twilio would have said so.
    office.set("DELETE FROM notifier.suppressions").await;
    let unwanted = office.sent(&low()).await;
    let (status, tries, error, ..) = office.row(unwanted).await;
    assert_eq!((status.as_str(), tries), ("SUPPRESSED", 1), "{error}");
    assert!(error.contains("21610") && office.suppressed().await.unwrap().0 == "STOPPED", "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_made_up_for_and_a_number_that_takes_none_is_known() {
    let (office, sandbox) = start().await;
    let behave = async |body: Value| {
        assert_eq!(sandbox.say(Method::PUT, "/api/twilio/behaviour", body).await.0, 204);
    };
    // It is told of, or asked for, whichever is first.
    behave(json!({ "mode": "lose", "next": 1, "outcome": "queued" })).await;
    let lost = office.sent(&low()).await;
    office.world.advance(60);
    wait::until("it is known to be sent", PATIENCE, async || {
        office.send().await;
        ["SENT", "DELIVERED"].contains(&office.status_of(lost).await.as_str())
    })
    .await;
    assert_eq!(texts(&sandbox).await.len(), 1);

    behave(json!({ "mode": "ok", "next": 1, "outcome": "undelivered", "errorCode": 30006 })).await;
    let dead = office.sent(&low()).await;
    wait::until("it did not arrive", PATIENCE, async || office.status_of(dead).await == "BOUNCED").await;
    assert_eq!(office.suppressed().await.unwrap().0, "BOUNCED");
    for (number, status) in [("+15005550001", "REFUSED"), ("+15005550003", "REFUSED"), ("+15005550004", "SUPPRESSED")] {
        sqlx::query("UPDATE notifier.buyers SET phone = $1")
            .bind(number)
            .execute(office.world.db.pool())
            .await
            .unwrap();
        let message = office.sent(&low()).await;
        let (now, _, error, ..) = office.row(message).await;
        assert_eq!(now, status, "{number}: {error}");
    }
}
