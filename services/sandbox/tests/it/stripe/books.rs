//! Refunds, disputes, and the record.

use http::Method;
use serde_json::{Value, json};

use super::{kinds, text};
use crate::start;

#[tokio::test]
async fn a_charge_is_given_back_in_parts_and_never_too_much() {
    let sandbox = start().await;
    let intent = text(&sandbox.paid("pm_card_visa").await["id"]);
    let give =
        async |amount: &str| sandbox.refused("refunds", &[("payment_intent", &intent), ("amount", amount)]).await;
    assert_eq!(give("3000").await.0, 200);
    let (status, error) = give("2001").await;
    assert_eq!((status, &error["param"]), (400, &json!("amount")));
    assert_eq!(give("0").await.0, 400);
    // All that is left.
    let refund = sandbox.make("refunds", &[("payment_intent", &intent), ("metadata[refund]", "refund_2")]).await;
    assert_eq!(refund["amount"], 2_000);
    assert_eq!(give("1").await.1["code"], "charge_already_refunded");
    let charge = &sandbox.look("charges").await["data"][0];
    assert_eq!((&charge["amount_refunded"], &charge["refunded"]), (&json!(5_000), &json!(true)));
    let record = sandbox.record().await;
    assert_eq!(record["charges"][0]["refunded"], 5_000);
    assert_eq!(record["refunds"][1]["metadata"]["refund"], "refund_2");
    assert_eq!(kinds(&sandbox).await.iter().filter(|kind| *kind == "charge.refunded").count(), 2);
}

#[tokio::test]
async fn a_refund_that_fails_later_gives_the_money_back_to_us() {
    let sandbox = start().await;
    let intent = text(&sandbox.paid("pm_card_visa").await["id"]);
    let refund = text(&sandbox.make("refunds", &[("payment_intent", &intent)]).await["id"]);
    let fail = format!("/refunds/{refund}/fail");
    let (status, failed) = sandbox.control(Method::POST, &fail, &json!({"reason": "lost_or_stolen_card"})).await;
    assert_eq!((status, &failed["status"]), (200, &json!("failed")));
    assert_eq!(failed["failure_reason"], "lost_or_stolen_card");
    assert_eq!(sandbox.control(Method::POST, &fail, &json!({})).await.0, 400);
    assert_eq!(sandbox.control(Method::POST, "/refunds/re_x/fail", &json!({})).await.0, 404);
    let moved = sandbox.look("balance_transactions").await;
    let amounts: Vec<_> = moved["data"].as_array().unwrap().iter().map(|it| it["amount"].as_i64().unwrap()).collect();
    assert_eq!(amounts, [5_000, -5_000, 5_000]);
    assert_eq!(moved["data"][0]["type"], "refund_failure");
    let told = kinds(&sandbox).await;
    assert_eq!(told[told.len() - 3..], ["refund.failed", "refund.updated", "charge.refund.updated"]);
    // It can be given back once more.
    assert_eq!(sandbox.make("refunds", &[("payment_intent", &intent)]).await["amount"], 5_000);
}

#[tokio::test]
async fn a_dispute_takes_money_and_winning_it_brings_it_back() {
    let sandbox = start().await;
    sandbox.paid("pm_card_createDispute").await;
    let dispute = sandbox.look("disputes").await["data"][0].clone();
    assert_eq!((&dispute["status"], &dispute["amount"]), (&json!("needs_response"), &json!(5_000)));
    let (status, error) = sandbox.refused("refunds", &[("charge", &text(&dispute["charge"]))]).await;
    assert_eq!((status, &error["code"]), (400, &json!("charge_disputed")));
    let close = format!("/disputes/{}/close", text(&dispute["id"]));
    assert_eq!(sandbox.record().await["disputes"][0]["taken"], 5_000);
    assert_eq!(sandbox.control(Method::POST, &close, &json!({"won": true})).await.1["status"], "won");
    assert_eq!(sandbox.control(Method::POST, &close, &json!({"won": true})).await.0, 400);
    assert_eq!(sandbox.record().await["disputes"][0]["taken"], 0);
    let told = kinds(&sandbox).await;
    let expected = [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ];
    assert_eq!(told[told.len() - 4..], expected);
    // Any charge, by its owner; lost.
    let charge = text(&sandbox.paid("pm_card_visa").await["latest_charge"]);
    let path = format!("/charges/{charge}/dispute");
    let (_, dispute) = sandbox.control(Method::POST, &path, &json!({"amount": 2_000})).await;
    assert_eq!(sandbox.control(Method::POST, &path, &json!({})).await.0, 400, "once is enough");
    let (_, lost) = sandbox
        .control(Method::POST, &format!("/disputes/{}/close", text(&dispute["id"])), &json!({"won": false}))
        .await;
    assert_eq!(lost["status"], "lost");
    let moved = sandbox.look("balance_transactions?type=adjustment").await;
    let nets: Vec<_> = moved["data"].as_array().unwrap().iter().map(|it| it["net"].as_i64().unwrap()).collect();
    assert_eq!(nets, [-3_500, 5_000, -6_500]);
}

#[tokio::test]
async fn the_dashboard_gives_back_and_everything_can_be_forgotten() {
    let sandbox = start().await;
    let charge = text(&sandbox.paid("pm_card_visa").await["latest_charge"]);
    let path = format!("/charges/{charge}/refund");
    assert_eq!(sandbox.control(Method::POST, &path, &json!({"amount": 1_000})).await.1["amount"], 1_000);
    assert_eq!(sandbox.control(Method::POST, &path, &json!({"amount": 9_000})).await.0, 400);
    assert_eq!(sandbox.control(Method::DELETE, "", &json!({})).await.0, 204);
    let empty = json!({"charges": [], "refunds": [], "disputes": []});
    assert_eq!(sandbox.record().await, empty);
    assert_eq!(sandbox.look(&format!("charges/{charge}")).await["error"]["code"], "resource_missing");
    assert_eq!(sandbox.look("events").await["data"], Value::Array(Vec::new()));
}
