//! Pages, spans of time, expansion and parameters that are wrong.

use serde_json::{Value, json};

use super::text;
use crate::start;

fn ids(list: &Value) -> Vec<String> {
    list["data"].as_array().unwrap().iter().map(|object| text(&object["id"])).collect()
}

#[tokio::test]
async fn lists_are_paged_newest_first() {
    let sandbox = start().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(text(&sandbox.make("customers", &[]).await["id"]));
    }
    made.reverse();
    let first = sandbox.look("customers?limit=2").await;
    assert_eq!((ids(&first), &first["has_more"]), (made[..2].to_vec(), &json!(true)));
    let rest = sandbox.look(&format!("customers?limit=3&starting_after={}", made[1])).await;
    assert_eq!((ids(&rest), &rest["has_more"]), (made[2..].to_vec(), &json!(false)));
    let before = sandbox.look(&format!("customers?limit=2&ending_before={}", made[4])).await;
    assert_eq!((ids(&before), &before["has_more"]), (made[2..4].to_vec(), &json!(true)));
    assert_eq!(sandbox.look("customers?starting_after=cus_nobody").await["error"]["code"], "resource_missing");
    for bad in ["limit=0", "limit=101", "limit=x", "created[ge]=1", "created[gte]=x", "nonsense=1"] {
        assert_eq!(sandbox.look(&format!("customers?{bad}")).await["error"]["type"], "invalid_request_error", "{bad}");
    }
    let created = sandbox.look(&format!("customers/{}", made[0])).await["created"].as_i64().unwrap();
    let span = async |from: i64, to: i64| {
        ids(&sandbox.look(&format!("customers?created[gte]={from}&created[lt]={to}")).await).len()
    };
    assert_eq!(span(created - 60, created + 1).await, 5);
    assert_eq!(span(created + 1, created + 60).await, 0);
    assert_eq!(span(created - 60, created - 30).await, 0);
}

#[tokio::test]
async fn what_is_asked_for_is_put_in_the_place_of_its_id() {
    let sandbox = start().await;
    let paid = sandbox.paid("pm_card_visa").await;
    let path =
        format!("payment_intents/{}?expand[]=latest_charge.balance_transaction&expand[]=customer", text(&paid["id"]));
    let intent = sandbox.look(&path).await;
    assert_eq!(intent["latest_charge"]["balance_transaction"]["amount"], 5_000);
    assert_eq!(intent["customer"]["object"], "customer");
    let list = sandbox.look("balance_transactions?type=charge&expand[]=data.source.payment_intent").await;
    assert_eq!(list["data"][0]["source"]["payment_intent"]["metadata"]["payment"], "pay_1");
    sandbox.make("refunds", &[("payment_intent", &text(&paid["id"])), ("amount", "1")]).await;
    let list = sandbox.look("balance_transactions?expand[]=data.source.charge").await;
    assert_eq!(
        (&list["data"][0]["source"]["charge"]["object"], &list["data"][1]["source"]["object"]),
        (&json!("charge"), &json!("charge"))
    );
    for bad in ["nonsense", "amount.x", "data.x", "a.b.c.d.e"] {
        let answer = sandbox.look(&format!("payment_intents/{}?expand[]={bad}", text(&paid["id"]))).await;
        assert_eq!(answer["error"]["param"], "expand", "{bad}");
    }
}

#[tokio::test]
async fn parameters_that_are_wrong_are_named() {
    let sandbox = start().await;
    for (form, code, param) in [
        (vec![("currency", "usd")], "parameter_missing", "amount"),
        (vec![("amount", "5000")], "parameter_missing", "currency"),
        (vec![("amount", ""), ("currency", "usd")], "parameter_invalid_empty", "amount"),
        (vec![("amount", "49"), ("currency", "usd")], "amount_too_small", "amount"),
        (vec![("amount", "100000000"), ("currency", "usd")], "amount_too_large", "amount"),
        (vec![("amount", "-1"), ("currency", "usd")], "parameter_invalid_integer", "amount"),
        (vec![("amount", "5000"), ("currency", "xyz")], "", "currency"),
        (vec![("amount", "5000"), ("currency", "usd"), ("colour", "red")], "parameter_unknown", "colour"),
        (vec![("amount", "5000"), ("currency", "usd"), ("customer", "cus_x")], "resource_missing", "customer"),
    ] {
        let (status, error) = sandbox.refused("payment_intents", &form).await;
        // Stripe has no code for most of what can be wrong with a parameter.
        let code = if code.is_empty() { Value::Null } else { json!(code) };
        assert_eq!((status, &error["code"], &error["param"]), (400, &code, &json!(param)), "{form:?}");
    }
    assert_eq!(sandbox.look("payment_intents/pi_x").await["error"]["code"], "resource_missing");
    assert_eq!(sandbox.look("nonsense").await["error"]["type"], "invalid_request_error");
    assert_eq!(sandbox.look("payment_intents").await["data"], json!([]));
}
