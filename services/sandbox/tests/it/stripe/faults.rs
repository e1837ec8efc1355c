//! Everything that goes wrong on the way to Stripe.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use leadflow_outbound_http::Failure;
use serde_json::{Value, json};

use super::{KEY, json_of, payment};
use crate::{Sandbox, start};

async fn fault(sandbox: &Sandbox, rule: Value) {
    let (status, body) = sandbox.control(Method::PUT, "/behaviour", &json!({"rules": [rule]})).await;
    assert_eq!(status, 200, "{body}");
}

/// A payment that gets no answer.
async fn unanswered(sandbox: &Sandbox, form: &[(&str, &str)], key: &str) -> Failure {
    let headers = HeaderMap::from_iter([
        (header::AUTHORIZATION, KEY.parse().unwrap()),
        (header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap()),
        ("idempotency-key".parse().unwrap(), key.parse().unwrap()),
    ]);
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    sandbox
        .client
        .post(&format!("{}/stripe/v1/payment_intents", sandbox.base), headers, Bytes::from(body))
        .await
        .unwrap_err()
}

async fn charges(sandbox: &Sandbox) -> usize {
    sandbox.record().await["charges"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_lost_request_did_nothing_and_a_lost_answer_did_it_once() {
    let sandbox = start().await;
    let (customer, method) = sandbox.customer_with("pm_card_visa").await;
    let form = payment(&customer, &method);
    fault(&sandbox, json!({"fault": "lostRequest", "path": "payment_intents"})).await;
    assert_eq!(unanswered(&sandbox, &form, "pay_1").await.status, None);
    assert_eq!(charges(&sandbox).await, 0);
    fault(&sandbox, json!({"fault": "lostAnswer", "next": 2})).await;
    assert_eq!(unanswered(&sandbox, &form, "pay_1").await.status, None);
    assert_eq!(charges(&sandbox).await, 1);
    assert_eq!(unanswered(&sandbox, &form, "pay_1").await.status, None);
    let found = sandbox.form("payment_intents", &form, Some("pay_1")).await;
    assert_eq!((found.status, json_of(&found)["status"].as_str()), (200, Some("succeeded")));
    assert_eq!(found.headers["idempotent-replayed"], "true");
    assert_eq!(charges(&sandbox).await, 1);
}

#[tokio::test]
async fn hanging_calls_are_carried_out_or_not_as_told_and_slow_ones_without_their_caller() {
    let sandbox = start().await;
    let (customer, method) = sandbox.customer_with("pm_card_visa").await;
    let form = payment(&customer, &method);
    fault(&sandbox, json!({"fault": "hang"})).await;
    unanswered(&sandbox, &form, "pay_1").await;
    assert_eq!(charges(&sandbox).await, 0);
    fault(&sandbox, json!({"fault": "hang", "executed": true})).await;
    unanswered(&sandbox, &form, "pay_2").await;
    assert_eq!(charges(&sandbox).await, 1);
    fault(&sandbox, json!({"fault": "slow", "delayMs": 2_000})).await;
    tokio::select! {
        _ = sandbox.form_without_end("payment_intents", &form, "pay_3") => {}
        // Then its caller goes.
        () = leadflow_testkit::wait::until("it is under way", Duration::from_secs(20), async || {
            sandbox.control(Method::GET, "/behaviour", &json!({})).await.1["rules"] == json!([])
        }) => {}
    }
    leadflow_testkit::wait::until("it is carried out all the same", Duration::from_secs(20), async || {
        charges(&sandbox).await == 2
    })
    .await;
    assert_eq!(sandbox.form("payment_intents", &form, Some("pay_3")).await.headers["idempotent-replayed"], "true");
}

#[tokio::test]
async fn errors_are_answered_and_remembered_as_told() {
    let sandbox = start().await;
    let (customer, method) = sandbox.customer_with("pm_card_visa").await;
    let form = payment(&customer, &method);
    fault(&sandbox, json!({"fault": "status", "status": 429, "retryAfter": 3})).await;
    let answer = sandbox.form("payment_intents", &form, Some("pay_1")).await;
    assert_eq!((answer.status, &answer.headers["retry-after"]), (429, &"3".parse().unwrap()));
    assert_eq!(json_of(&answer)["error"]["code"], "rate_limit");
    fault(&sandbox, json!({"fault": "status", "status": 500, "executed": true})).await;
    let answer = sandbox.form("payment_intents", &form, Some("pay_1")).await;
    assert_eq!((answer.status, &json_of(&answer)["error"]["type"]), (500, &json!("api_error")));
    assert_eq!(charges(&sandbox).await, 1);
    assert_eq!(sandbox.form("payment_intents", &form, Some("pay_1")).await.status, 200);
    fault(&sandbox, json!({"fault": "status", "status": 500, "remembered": true})).await;
    for _ in 0..2 {
        assert_eq!(sandbox.form("payment_intents", &form, Some("pay_2")).await.status, 500);
    }
    assert_eq!(charges(&sandbox).await, 1);
    // Charged, and 500 for ever: only looking tells.
    fault(&sandbox, json!({"fault": "status", "status": 500, "executed": true, "remembered": true})).await;
    for _ in 0..2 {
        assert_eq!(sandbox.form("payment_intents", &form, Some("pay_3")).await.status, 500);
    }
    assert_eq!(charges(&sandbox).await, 2);
    let found = sandbox.look(&format!("payment_intents?customer={customer}")).await;
    assert_eq!(found["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_search_may_lag_and_nonsense_is_refused() {
    let sandbox = start().await;
    sandbox.paid("pm_card_visa").await;
    let search =
        "payment_intents/search?query=metadata%5B%22payment%22%5D%3A%22pay_1%22%20AND%20status%3A%27succeeded%27";
    assert_eq!(sandbox.look(search).await["data"].as_array().unwrap().len(), 1);
    sandbox.control(Method::PUT, "/behaviour", &json!({"searchLagMs": 60_000})).await;
    assert_eq!(sandbox.look(search).await["data"], json!([]));
    assert_eq!(sandbox.look("payment_intents/search?query=nonsense").await["error"]["param"], "query");
    for nonsense in
        [json!({"rules": [{"fault": "status", "status": 200}]}), json!({"rules": [{"fault": "x"}]}), json!({"a": 1})]
    {
        assert_eq!(sandbox.control(Method::PUT, "/behaviour", &nonsense).await.0, 422, "{nonsense}");
    }
}
