//! Each test card, and what its owner can be asked.

use http::Method;
use serde_json::{Value, json};

use super::{json_of, kinds, payment, text};
use crate::{Sandbox, start};

async fn pay(sandbox: &Sandbox, customer: &str, method: &str) -> (u16, Value) {
    let answer = sandbox.form("payment_intents", &payment(customer, method), None).await;
    (answer.status, json_of(&answer))
}

#[tokio::test]
async fn a_good_card_pays_and_says_so() {
    let sandbox = start().await;
    let paid = sandbox.paid("pm_card_visa").await;
    assert_eq!((&paid["status"], &paid["amount_received"]), (&json!("succeeded"), &json!(5_000)));
    let told = ["customer.created", "payment_method.attached", "payment_intent.created", "charge.succeeded"];
    assert_eq!(kinds(&sandbox).await, [&told[..], &["payment_intent.succeeded"]].concat());
    let record = sandbox.record().await;
    let charge = &record["charges"][0];
    assert_eq!((&charge["intent"], &charge["amount"]), (&paid["id"], &json!(5_000)));
    assert_eq!((&charge["status"], &charge["metadata"]["payment"]), (&json!("succeeded"), &json!("pay_1")));
}

#[tokio::test]
async fn cards_decline_as_they_are_named_when_stored_and_when_charged() {
    let sandbox = start().await;
    let (customer, _) = sandbox.customer_with("pm_card_visa").await;
    for (number, token, code, decline_code) in [
        ("4000000000000002", "pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("4000000000009995", "pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("4000000000009987", "pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("4000000000009979", "pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("4000000000000069", "pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("4000000000000127", "pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("4000000000000119", "pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ] {
        let path = format!("payment_methods/{token}/attach");
        let (status, error) = sandbox.refused(&path, &[("customer", &customer)]).await;
        assert_eq!((status, &error["code"], &error["decline_code"]), (402, &json!(code), &json!(decline_code)));
        let typed = [("type", "card"), ("card[number]", number), ("card[exp_month]", "12"), ("card[exp_year]", "2034")];
        let method = text(&sandbox.make("payment_methods", &typed).await["id"]);
        let (status, body) = pay(&sandbox, &customer, &method).await;
        let error = &body["error"];
        assert_eq!((status, &error["type"], &error["decline_code"]), (402, &json!("card_error"), &json!(decline_code)));
        assert_eq!(error["payment_intent"]["status"], "requires_payment_method");
        assert_eq!(error["payment_intent"]["payment_method"], Value::Null);
        assert_eq!(error["payment_intent"]["last_payment_error"]["code"], code);
        assert_eq!(error["payment_intent"]["latest_charge"], error["charge"]);
        assert_eq!(error["payment_method"]["id"], json!(method));
    }
    let record = sandbox.record().await;
    assert_eq!(record["charges"].as_array().unwrap().len(), 7);
    assert!(record["charges"].as_array().unwrap().iter().all(|charge| charge["status"] == "failed"));
    assert_eq!(sandbox.look("balance_transactions").await["data"], json!([]));
    let told = kinds(&sandbox).await;
    assert_eq!(told.iter().filter(|kind| *kind == "payment_intent.payment_failed").count(), 7);
}

#[tokio::test]
async fn a_card_that_was_good_when_it_was_stored_can_decline_later() {
    let sandbox = start().await;
    let (customer, method) = sandbox.customer_with("pm_card_chargeCustomerFail").await;
    assert_eq!(pay(&sandbox, &customer, &method).await.1["error"]["decline_code"], "generic_decline");
    // And any card, when it is told to.
    let (customer, method) = sandbox.customer_with("pm_card_visa").await;
    let path = format!("/cards/{method}");
    assert_eq!(sandbox.control(Method::PUT, &path, &json!({"decline": "insufficient_funds"})).await.0, 200);
    assert_eq!(pay(&sandbox, &customer, &method).await.1["error"]["decline_code"], "insufficient_funds");
    assert_eq!(sandbox.control(Method::PUT, &path, &json!({"decline": "bad mood"})).await.0, 400);
    assert_eq!(sandbox.control(Method::PUT, &path, &json!({"decline": null})).await.0, 200);
    assert_eq!(pay(&sandbox, &customer, &method).await.0, 200);
}

#[tokio::test]
async fn a_cards_owner_is_asked_and_confirms_or_does_not() {
    let sandbox = start().await;
    let (customer, method) = sandbox.customer_with("pm_card_authenticationRequired").await;
    // Without him: declined.
    let (status, body) = pay(&sandbox, &customer, &method).await;
    assert_eq!((status, &body["error"]["code"]), (402, &json!("authentication_required")));
    assert_eq!(body["error"]["payment_intent"]["status"], "requires_payment_method");
    // With him: he is asked, and only whoever has the secret answers.
    let back = [("return_url", "https://example.com/back")];
    let mut form: Vec<_> = payment(&customer, &method).into_iter().filter(|(name, _)| *name != "off_session").collect();
    let (status, error) = sandbox.refused("payment_intents", &form).await;
    assert_eq!(status, 400, "{error}");
    form.extend(back);
    let asked = sandbox.make("payment_intents", &form).await;
    assert_eq!(asked["status"], "requires_action");
    assert_eq!(asked["next_action"]["redirect_to_url"]["return_url"], "https://example.com/back");
    let secret = text(&asked["client_secret"]);
    let answer = async |secret: &str, confirms: bool| {
        sandbox.control(Method::POST, "/authenticate", &json!({"clientSecret": secret, "confirms": confirms})).await
    };
    assert_eq!(answer("pi_x_secret_y", true).await.0, 404);
    assert_eq!(answer(&format!("{}_secret_y", text(&asked["id"])), true).await.0, 404);
    assert_eq!(answer(&secret, true).await.1["status"], "succeeded");
    assert_eq!(answer(&secret, true).await.0, 400, "nobody is asked any more");
    // Or he does not.
    let asked = sandbox.make("payment_intents", &form).await;
    let failed = answer(&text(&asked["client_secret"]), false).await.1;
    assert_eq!(failed["status"], "requires_payment_method");
    assert_eq!(failed["last_payment_error"]["code"], "payment_intent_authentication_failure");
    let told = kinds(&sandbox).await;
    assert_eq!(told.iter().filter(|kind| *kind == "payment_intent.requires_action").count(), 2);
    let paid =
        sandbox.record().await["charges"].as_array().unwrap().iter().filter(|it| it["status"] == "succeeded").count();
    assert_eq!(paid, 1);
}

#[tokio::test]
async fn a_card_that_was_set_up_pays_without_its_owner() {
    let sandbox = start().await;
    let (customer, attached) = sandbox.customer_with("pm_card_authenticationRequiredOnSetup").await;
    assert_eq!(pay(&sandbox, &customer, &attached).await.1["error"]["code"], "authentication_required");
    let setup = sandbox.make("setup_intents", &[("customer", &customer)]).await;
    let secret = text(&setup["client_secret"]);
    // As the front end does, with Stripe's form for cards.
    let typed = json!({"clientSecret": secret, "card": "4000 0025 0000 3155"});
    let (status, setup) = sandbox.control(Method::POST, "/confirm", &typed).await;
    assert_eq!((status, &setup["status"]), (200, &json!("requires_action")));
    assert_eq!(setup["next_action"]["type"], "use_stripe_sdk");
    let confirms = json!({"clientSecret": secret, "confirms": true});
    let (_, setup) = sandbox.control(Method::POST, "/authenticate", &confirms).await;
    assert_eq!(setup["status"], "succeeded");
    let method = text(&setup["payment_method"]);
    assert_eq!(sandbox.look(&format!("payment_methods/{method}")).await["customer"], json!(customer));
    assert_eq!(pay(&sandbox, &customer, &method).await.0, 200);
    assert!(kinds(&sandbox).await.contains(&"setup_intent.succeeded".to_owned()));
}

#[tokio::test]
async fn cards_are_their_customers_and_no_other_ones() {
    let sandbox = start().await;
    let (one, method) = sandbox.customer_with("pm_card_visa").await;
    let (other, _) = sandbox.customer_with("pm_card_visa").await;
    let attach = format!("payment_methods/{method}/attach");
    assert_eq!(sandbox.refused(&attach, &[("customer", &other)]).await.0, 400);
    assert_eq!(sandbox.form(&attach, &[("customer", &one)], None).await.status, 200, "it is his already");
    assert_eq!(sandbox.refused(&attach, &[("customer", "cus_nobody")]).await.1["code"], "resource_missing");
    assert_eq!(
        sandbox.refused("payment_methods/pm_nothing/attach", &[("customer", &one)]).await.1["code"],
        "resource_missing"
    );
    let (status, error) = sandbox.refused("payment_intents", &payment(&other, &method)).await;
    assert_eq!((status, &error["code"]), (400, &json!("resource_missing")));
    let detach = format!("payment_methods/{method}/detach");
    assert_eq!(sandbox.make(&detach, &[]).await["customer"], Value::Null);
    assert_eq!(sandbox.refused(&detach, &[]).await.0, 400);
    assert_eq!(sandbox.refused(&attach, &[("customer", &one)]).await.0, 400, "what was detached is of no use any more");
    assert_eq!(sandbox.refused("payment_intents", &payment(&one, &method)).await.0, 400);
    let events = sandbox.look("events?type=payment_method.detached").await;
    assert_eq!(events["data"][0]["data"]["previous_attributes"]["customer"], json!(one));
    assert_eq!(sandbox.record().await["charges"], json!([]));
}

#[tokio::test]
async fn numbers_that_are_none_are_refused_and_real_ones_too() {
    let sandbox = start().await;
    for (field, value, code) in [
        ("card[number]", "4242424242424241", "incorrect_number"),
        ("card[number]", "4111111111111111", "card_declined"),
        ("card[exp_month]", "13", "invalid_expiry_month"),
        ("card[exp_year]", "2019", "invalid_expiry_year"),
        ("card[cvc]", "12a", "invalid_cvc"),
    ] {
        let mut form = vec![("type", "card"), ("card[number]", "4242424242424242")];
        form.retain(|(name, _)| *name != field);
        form.push((field, value));
        let (status, error) = sandbox.refused("payment_methods", &form).await;
        assert_eq!((status, &error["code"]), (402, &json!(code)), "{field}");
    }
}
