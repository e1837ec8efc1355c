//! What goes wrong between Stripe and us, and what is known then.

use std::{sync::Arc, time::Duration};

use leadflow_billing::outbound::{
    provider::{IntentStatus, PaymentProvider as _, ProviderError, RefundOrder},
    stripe::{Stripe, StripeSettings},
};
use leadflow_kernel::{RefundId, SystemClock};
use leadflow_testkit::wait;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{Sandbox, charge};
use crate::support::{PATIENCE, usd};

const ONCE: &str = "payment_intents";

async fn start() -> (Sandbox, Stripe, String, String) {
    let sandbox = Sandbox::start(Arc::new(SystemClock)).await;
    let stripe = sandbox.stripe();
    let (customer, card) = sandbox.customer_with(&stripe, "pm_card_visa").await;
    (sandbox, stripe, customer, card)
}

#[tokio::test]
async fn a_lost_request_is_unknown_and_asked_again_it_pays_once() {
    let (sandbox, stripe, customer, card) = start().await;
    for (fault, charged) in [("lostRequest", 0), ("lostAnswer", 1)] {
        let order = charge(&customer, &card);
        sandbox.misbehave(json!([{"fault": fault, "path": ONCE, "method": "POST"}])).await;
        assert!(matches!(stripe.charge(&order).await, Err(ProviderError::Unknown(_))), "{fault}");
        let found = stripe.find_intent(&customer, order.payment).await.unwrap();
        assert_eq!(found.iter().len(), charged, "{fault}");
        let intent = stripe.charge(&order).await.unwrap();
        assert_eq!(intent.status, IntentStatus::Succeeded);
        assert!(found.is_none_or(|found| found == intent), "{fault}");
    }
    assert_eq!(sandbox.charges().await.len(), 2);
}

#[tokio::test]
async fn a_hanging_call_ends_in_time_and_is_unknown() {
    let (sandbox, _, customer, card) = start().await;
    let settings = StripeSettings { timeout: Duration::from_millis(300), ..sandbox.settings() };
    let hasty = Stripe::new("sk_test_sandbox", &settings).unwrap();
    let order = charge(&customer, &card);
    sandbox.misbehave(json!([{"fault": "hang", "executed": true, "path": ONCE, "method": "POST"}])).await;
    assert!(matches!(hasty.charge(&order).await, Err(ProviderError::Unknown(_))));
    let found = sandbox.stripe().find_intent(&customer, order.payment).await.unwrap().unwrap();
    assert_eq!(found.status, IntentStatus::Succeeded);
}

#[tokio::test]
async fn busy_is_nothing_and_failures_of_stripes_own_are_unknown() {
    let (sandbox, stripe, customer, card) = start().await;
    let order = charge(&customer, &card);
    for status in [429, 409] {
        sandbox.misbehave(json!([{"fault": "status", "status": status, "path": ONCE}])).await;
        assert!(matches!(stripe.charge(&order).await, Err(ProviderError::Busy(_))), "{status}");
    }
    for status in [500, 502, 503, 504, 424] {
        sandbox.misbehave(json!([{"fault": "status", "status": status, "path": ONCE}])).await;
        assert!(matches!(stripe.charge(&order).await, Err(ProviderError::Unknown(_))), "{status}");
    }
    assert_eq!(stripe.charge(&order).await.unwrap().status, IntentStatus::Succeeded);

    assert_eq!(sandbox.charges().await.len(), 1);
}

#[tokio::test]
async fn what_was_carried_out_by_a_call_that_failed_is_found_by_looking() {
    let (sandbox, stripe, customer, card) = start().await;
    // Stripe remembers its own failure under the key, although it was carried out.
    let failure =
        |path: &str| json!([{"fault": "status", "status": 500, "executed": true, "remembered": true, "path": path}]);
    let order = charge(&customer, &card);
    sandbox.misbehave(failure(ONCE)).await;
    let mut intent = None;
    for _ in 0..2 {
        let found = stripe.charge(&order).await.unwrap();
        assert_eq!((&found.status, found.payment), (&IntentStatus::Succeeded, Some(order.payment)));
        intent = Some(found.id);
    }
    assert_eq!(sandbox.charges().await.len(), 1);
    let back =
        RefundOrder { refund: RefundId::new(), payment: order.payment, intent: intent.unwrap(), amount: usd("10.00") };
    sandbox.misbehave(failure("refunds")).await;
    for _ in 0..2 {
        assert_eq!(stripe.refund(&back).await.unwrap().amount, usd("10.00"));
    }
    assert_eq!(stripe.intent(&back.intent).await.unwrap().refunded, usd("10.00"));

    // Where the list fails, too, nothing is known.
    let order = charge(&customer, &card);
    let rule = json!({"fault": "status", "status": 500, "executed": true, "path": ONCE, "next": 2});
    sandbox.misbehave(json!([rule])).await;
    assert!(matches!(stripe.charge(&order).await, Err(ProviderError::Unknown(_))));
    assert_eq!(stripe.charge(&order).await.unwrap().status, IntentStatus::Succeeded);
    assert_eq!(sandbox.charges().await.len(), 2);
}

#[tokio::test]
async fn a_key_that_is_in_use_is_busy_and_for_something_else_refused() {
    let (sandbox, stripe, customer, card) = start().await;
    let order = charge(&customer, &card);
    sandbox.misbehave(json!([{"fault": "slow", "delayMs": 60_000, "path": ONCE, "method": "POST"}])).await;
    let first = tokio::spawn({
        let (stripe, order) = (stripe.clone(), order.clone());
        async move { stripe.charge(&order).await }
    });
    // The fault is used up when the first call has arrived.
    wait::try_for("the first call", PATIENCE, async || {
        let left = sandbox.control(http::Method::GET, "/behaviour", json!(null)).await;
        (left["rules"] == json!([])).then_some(())
    })
    .await
    .unwrap();
    assert!(matches!(stripe.charge(&order).await, Err(ProviderError::Busy(_))));
    first.abort();

    let order = charge(&customer, &card);
    stripe.charge(&order).await.unwrap();
    let mut other = order;
    other.amount = usd("51.00");
    let error = stripe.charge(&other).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Refused { code, .. } if code == "idempotency_error"), "{error}");
}

#[tokio::test]
async fn a_refund_whose_answer_is_lost_goes_back_once() {
    let (sandbox, stripe, customer, card) = start().await;
    let order = charge(&customer, &card);
    let intent = stripe.charge(&order).await.unwrap();
    let back = RefundOrder {
        refund: RefundId::new(),
        payment: order.payment,
        intent: intent.id.clone(),
        amount: usd("10.00"),
    };
    sandbox.misbehave(json!([{"fault": "lostAnswer", "path": "refunds"}])).await;
    assert!(matches!(stripe.refund(&back).await, Err(ProviderError::Unknown(_))));
    stripe.refund(&back).await.unwrap();
    assert_eq!(stripe.intent(&intent.id).await.unwrap().refunded, usd("10.00"));
}

/// Answers every call with these bytes.
async fn server(answer: &'static str) -> StripeSettings {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api_base = format!("http://{}/stripe", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut read = [0; 65_536];
                let _ = stream.read(&mut read).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    StripeSettings {
        secret_key: None,
        publishable_key: String::new(),
        webhook_secrets: Vec::new(),
        api_base,
        tolerance: Duration::from_secs(300),
        timeout: Duration::from_millis(500),
        events_kept_days: 90,
        reconcile_days: 3,
    }
}

#[tokio::test]
async fn answers_that_cannot_be_read_are_unknown() {
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nnot json!",
        "HTTP/1.1 500 Oops\r\ncontent-length: 6\r\n\r\n<html>",
        "HTTP/1.1 400 Bad\r\ncontent-length: 6\r\n\r\n<html>",
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        // Cut in the middle of the body, and a body that never ends.
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\":",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let stripe = Stripe::new("sk_test_1", &server(answer).await).unwrap();
        let error = stripe.charge(&charge("cus_1", "pm_1")).await.unwrap_err();
        assert!(matches!(error, ProviderError::Unknown(_)), "{answer:?}: {error}");
    }
    let nobody = StripeSettings { api_base: "http://127.0.0.1:1".to_owned(), ..server("").await };
    let stripe = Stripe::new("sk_test_1", &nobody).unwrap();
    assert!(matches!(stripe.charge(&charge("cus_1", "pm_1")).await, Err(ProviderError::Unknown(_))));
}
