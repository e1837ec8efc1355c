//! Idempotency keys and who may call.

use chrono::{DateTime, TimeDelta};
use http::Method;
use leadflow_sandbox::stripe::{Call, Change, Core, Failing, Method as Verb, Params, Settings, StripeError};
use serde_json::json;

use super::{KEY, json_of, payment, text};
use crate::start;

#[tokio::test]
async fn the_same_key_gets_the_first_answer_also_if_that_is_a_decline() {
    let sandbox = start().await;
    let (customer, method) = sandbox.customer_with("pm_card_visa").await;
    let form = payment(&customer, &method);
    let first = sandbox.form("payment_intents", &form, Some("pay_1")).await;
    let again = sandbox.form("payment_intents", &form, Some("pay_1")).await;
    assert_eq!(first.headers.get("idempotent-replayed"), None);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.headers["original-request"], first.headers["request-id"]);
    assert_ne!(again.headers["request-id"], first.headers["request-id"]);
    assert_eq!(again.body, first.body);

    let (customer, method) = sandbox.customer_with("pm_card_chargeCustomerFail").await;
    let declined = payment(&customer, &method);
    let first = sandbox.form("payment_intents", &declined, Some("pay_2")).await;
    let again = sandbox.form("payment_intents", &declined, Some("pay_2")).await;
    assert_eq!((first.status, again.status), (402, 402));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(sandbox.record().await["charges"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_same_key_for_something_else_is_refused() {
    let sandbox = start().await;
    let (customer, method) = sandbox.customer_with("pm_card_visa").await;
    let mut form = payment(&customer, &method);
    sandbox.form("payment_intents", &form, Some("pay_1")).await;
    form[0].1 = "6000";
    for path in ["payment_intents", "refunds"] {
        let answer = sandbox.form(path, &form, Some("pay_1")).await;
        assert_eq!(answer.status, 400);
        assert_eq!(json_of(&answer)["error"]["type"], "idempotency_error");
    }
    let long = "k".repeat(256);
    assert_eq!(sandbox.form("payment_intents", &form, Some(&long)).await.status, 400);
    assert_eq!(sandbox.record().await["charges"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_call_that_was_not_understood_leaves_its_key_free() {
    let sandbox = start().await;
    let (customer, method) = sandbox.customer_with("pm_card_visa").await;
    let mut form = payment(&customer, &method);
    form[0].1 = "much";
    let answer = sandbox.form("payment_intents", &form, Some("pay_1")).await;
    assert_eq!(json_of(&answer)["error"]["code"], "parameter_invalid_integer");
    form[0].1 = "5000";
    assert_eq!(sandbox.form("payment_intents", &form, Some("pay_1")).await.status, 200);
}

#[tokio::test]
async fn a_second_call_while_the_first_is_under_way_is_told_to_wait() {
    let sandbox = start().await;
    let (customer, method) = sandbox.customer_with("pm_card_visa").await;
    let form = payment(&customer, &method);
    let slow = json!({"rules": [{"fault": "slow", "delayMs": 600_000, "path": "payment_intents"}]});
    sandbox.control(Method::PUT, "/behaviour", &slow).await;
    let second = async {
        leadflow_testkit::wait::until("the first is under way", std::time::Duration::from_secs(20), async || {
            sandbox.control(Method::GET, "/behaviour", &json!({})).await.1["rules"] == json!([])
        })
        .await;
        sandbox.form("payment_intents", &form, Some("pay_1")).await
    };
    // Its caller does not wait as long; the key is in use all the same.
    let second = tokio::select! {
        _ = sandbox.form_without_end("payment_intents", &form, "pay_1") => panic!("it is under way for ten minutes"),
        second = second => second,
    };
    assert_eq!((second.status, &json_of(&second)["error"]["code"]), (409, &json!("idempotency_key_in_use")));
    assert_eq!(sandbox.record().await["charges"], json!([]));
}

#[test]
fn a_call_that_is_under_way_ends_once() {
    let mut core = Core::new(Settings::default());
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let params = Params::from_json(&json!({}));
    let call = Call { method: Verb::Post, path: "customers", params: &params, key: Some("a") };
    assert_eq!(core.begin(&call, now), None);
    assert_eq!(core.call(&call, now).status, 409);
    core.abandon(&call);
    assert_eq!(core.begin(&call, now), None);
    let first = core.finish(&call, now);
    let again = core.call(&call, now);
    assert_eq!((&again.body, &again.original_request), (&first.body, &Some(first.request.clone())));
    assert_eq!(core.list_customers(&params).unwrap()["data"].as_array().unwrap().len(), 1);
}

#[test]
fn keys_are_forgotten_after_a_day_and_bounded() {
    let mut core = Core::new(Settings { max_keys: 3, ..Settings::default() });
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let call = |core: &mut Core, key: &str, at| {
        let params = Params::from_json(&json!({"email": "bea@buyer.example"}));
        core.call(&Call { method: Verb::Post, path: "customers", params: &params, key: Some(key) }, at)
    };
    let first = call(&mut core, "a", now);
    let almost = now + TimeDelta::hours(24) - TimeDelta::seconds(1);
    assert_eq!(call(&mut core, "a", almost).body["id"], first.body["id"]);
    assert_ne!(call(&mut core, "a", now + TimeDelta::hours(24)).body["id"], first.body["id"]);
    call(&mut core, "b", now + TimeDelta::hours(24));
    call(&mut core, "c", now + TimeDelta::hours(24));
    assert_eq!(call(&mut core, "d", now + TimeDelta::hours(24)).status, 429);
    assert_eq!(call(&mut core, "d", now + TimeDelta::hours(48)).status, 200);
}

#[test]
fn an_answer_that_takes_the_place_of_another_is_forgotten_with_it() {
    let mut core = Core::new(Settings::default());
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let params = Params::from_json(&json!({}));
    let call = Call { method: Verb::Post, path: "customers", params: &params, key: Some("a") };
    let error = StripeError::injected(500);
    let failing = Failing { executed: true, remembered: true };
    assert_eq!(core.fail(&call, &error, failing, now).status, 500);
    assert_eq!(core.call(&call, now).status, 500);
    assert_eq!(core.list_customers(&params).unwrap()["data"].as_array().unwrap().len(), 1, "it was carried out");
    assert_eq!(core.call(&call, now + TimeDelta::hours(24)).status, 200);
    assert_eq!(core.fail(&call, &error, failing, now + TimeDelta::hours(25)).status, 200, "this is its answer");
    let is_key = |change: &&Change| serde_json::to_value(change).unwrap()["t"] == "key";
    assert_eq!(core.dump().iter().filter(is_key).count(), 1, "one row for a key");
}

#[tokio::test]
async fn only_keys_of_test_mode_may_call() {
    let sandbox = start().await;
    let look = async |key: &str| sandbox.call(Method::GET, "/stripe/v1/customers", &[("authorization", key)], "").await;
    assert_eq!(look(KEY).await.status, 200);
    // sk_test_x: as a user without a password.
    assert_eq!(look("Basic c2tfdGVzdF94Og==").await.status, 200);
    for key in ["Bearer sk_live_x", "Bearer pk_test_x", "Bearer", "Basic %%%", "Bearer sk_test_<x>", ""] {
        let answer = look(key).await;
        assert_eq!(answer.status, 401, "{key}");
        assert_eq!(json_of(&answer)["error"]["type"], "invalid_request_error");
    }
    // A front end may look at and confirm what it has the secret of.
    let setup = sandbox.make("setup_intents", &[]).await;
    let (id, secret) = (text(&setup["id"]), text(&setup["client_secret"]));
    let front = [("authorization", "Bearer pk_test_x")];
    let at = |path: &str, secret: &str| format!("/stripe/v1/setup_intents/{path}?client_secret={secret}");
    assert_eq!(sandbox.call(Method::GET, &at(&id, &secret), &front, "").await.status, 200);
    assert_eq!(sandbox.call(Method::GET, &at(&id, &format!("{id}_secret_x")), &front, "").await.status, 400);
    assert_eq!(sandbox.call(Method::GET, &at(&id, ""), &front, "").await.status, 401);
    let confirm = format!("{}&payment_method=pm_card_visa", at(&format!("{id}/confirm"), &secret));
    assert_eq!(json_of(&sandbox.call(Method::POST, &confirm, &front, "").await)["status"], "succeeded");
}
