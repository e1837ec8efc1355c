//! The pages for people.

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use serde_json::{Value, json};

use super::{payment, text};
use crate::{Sandbox, start};

async fn page(sandbox: &Sandbox, path: &str) -> (u16, String) {
    let answer = sandbox.call(Method::GET, path, &[], "").await;
    (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
}

/// What a button leads to; `None`: back to a page, where this client does not follow.
async fn press(sandbox: &Sandbox, path: &str, form: &[(&str, &str)]) -> Option<(u16, String)> {
    let kind = (header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let url = format!("{}{path}", sandbox.base);
    match sandbox.client.post(&url, HeaderMap::from_iter([kind]), Bytes::from(body)).await {
        Ok(answer) => Some((answer.status, String::from_utf8(answer.body.to_vec()).unwrap())),
        Err(failure) => {
            assert_eq!(failure.status, Some(303));
            None
        }
    }
}

#[tokio::test]
async fn the_page_shows_everything_and_runs_nothing_of_it() {
    let sandbox = start().await;
    assert!(page(&sandbox, "/stripe").await.1.contains("Nobody has called yet"));
    let hostile = "\"><script>alert(1)</script><img src=x>";
    let form =
        [("name", hostile), ("email", "a@b<i>.example"), ("metadata[buyer]", hostile), ("metadata[<b>x]", "<i>")];
    let customer = text(&sandbox.make("customers", &form).await["id"]);
    sandbox.make("setup_intents", &[("customer", &customer)]).await;
    let method = sandbox.make("payment_methods/pm_card_visa/attach", &[("customer", &customer)]).await;
    let method = text(&method["id"]);
    let mut form = payment(&customer, &method);
    form.push(("metadata[x]", hostile));
    let charge = text(&sandbox.make("payment_intents", &form).await["latest_charge"]);
    sandbox.make("refunds", &[("charge", &charge), ("amount", "1000"), ("metadata[y]", hostile)]).await;
    sandbox.control(Method::POST, &format!("/charges/{charge}/dispute"), &json!({})).await;
    let path = json!("<script>");
    sandbox.control(Method::PUT, "/behaviour", &json!({"rules": [{"fault": "hang", "path": path}]})).await;
    let (status, html) = page(&sandbox, "/stripe?paused=1").await;
    assert_eq!(status, 200);
    for markup in ["<script", "<img", "<i>", "<b>x"] {
        assert!(!html.contains(markup), "{markup}");
    }
    let shown = [
        "50.00 USD",
        "10.00 USD",
        "40.00 USD",
        "visa …4242",
        "needs response",
        "disputed",
        "type a card",
        "charge.dispute.created",
        "&lt;script&gt;",
    ];
    for text in shown {
        assert!(html.contains(text), "{text}");
    }
}

#[tokio::test]
async fn buttons_do_what_is_on_them() {
    let sandbox = start().await;
    let button = async |what: &str, id: &str| press(&sandbox, "/stripe", &[("do", what), ("id", id)]).await;
    let paid = sandbox.paid("pm_card_visa").await;
    let (charge, method) = (text(&paid["latest_charge"]), text(&paid["payment_method"]));
    assert_eq!(button("refund_half", &charge).await, None);
    assert_eq!(button("dispute", &charge).await, None);
    let record = sandbox.record().await;
    assert_eq!((&record["refunds"][0]["amount"], &record["disputes"][0]["amount"]), (&json!(2_500), &json!(2_500)));
    assert_eq!(button("win", &text(&record["disputes"][0]["id"])).await, None);
    assert_eq!(button("fail_refund", &text(&record["refunds"][0]["id"])).await, None);
    let record = sandbox.record().await;
    assert_eq!((&record["refunds"][0]["status"], &record["disputes"][0]["status"]), (&json!("failed"), &json!("won")));
    assert_eq!(button("spoil", &method).await, None);
    let customer = text(&paid["customer"]);
    assert_eq!(
        sandbox.refused("payment_intents", &payment(&customer, &method)).await.1["decline_code"],
        "insufficient_funds"
    );
    assert_eq!(button("mend", &method).await, None);
    for what in ["lose_request", "lose_answer", "hang", "fail", "limit"] {
        assert_eq!(button(what, "").await, None);
    }
    let rules = sandbox.control(Method::GET, "/behaviour", &json!({})).await.1["rules"].clone();
    assert_eq!(rules.as_array().unwrap().len(), 5);
    assert_eq!(button("behave", "").await, None);
    for what in ["hold", "drop", "duplicate", "release"] {
        assert_eq!(button(what, "").await, None);
    }
    let manners = sandbox.control(Method::GET, "/webhook", &json!({})).await.1["manners"].clone();
    assert_eq!(manners, json!({"hold": false, "newestFirst": false, "dropNext": 1, "duplicateNext": 1}));
    let (status, html) = button("win", "du_<b>").await.unwrap();
    assert!(status == 404 && !html.contains("<b>"), "{html}");
    assert_eq!(button("explode", "").await.unwrap().0, 422);
}

#[tokio::test]
async fn a_card_is_typed_and_its_owner_confirms_in_a_browser() {
    let sandbox = start().await;
    let (customer, _) = sandbox.customer_with("pm_card_visa").await;
    let setup = sandbox
        .make("setup_intents", &[("customer", &customer), ("return_url", "https://example.com/cards?a=1")])
        .await;
    let (id, secret) = (text(&setup["id"]), text(&setup["client_secret"]));
    let typing = format!("/stripe/card?client_secret={secret}");
    assert!(page(&sandbox, &typing).await.1.contains("name=\"card\""));
    assert_eq!(page(&sandbox, "/stripe/card?client_secret=x%3Cb%3E").await.0, 404);
    let typed = async |card: &str| press(&sandbox, "/stripe/card", &[("client_secret", &secret), ("card", card)]).await;
    let (status, html) = typed("4000000000000002").await.unwrap();
    assert!(status == 402 && html.contains("Your card was declined."), "{html}");
    assert_eq!(typed("4000 0027 6000 3184").await, None, "his bank asks");
    let question = format!("/stripe/authenticate/{id}?client_secret={secret}");
    assert!(page(&sandbox, &question).await.1.contains("yes, confirm"));
    assert_eq!(page(&sandbox, &format!("/stripe/authenticate/pi_x?client_secret={secret}")).await.0, 404);
    let confirms = [("client_secret", secret.as_str()), ("confirms", "true")];
    assert_eq!(press(&sandbox, &format!("/stripe/authenticate/{id}"), &confirms).await, None, "he goes back");
    let setup = sandbox.look(&format!("setup_intents/{id}")).await;
    assert_eq!(setup["status"], "succeeded");
    assert!(page(&sandbox, &question).await.1.contains("Nobody is asked"));
    // A payment, on the page of a front end that has no address to come back to.
    let mut form = payment(&customer, "pm_card_visa");
    form.retain(|(name, _)| !["confirm", "off_session", "payment_method"].contains(name));
    let intent = sandbox.make("payment_intents", &form).await;
    let secret = text(&intent["client_secret"]);
    let typed = [("client_secret", secret.as_str()), ("card", "4242424242424242")];
    let (status, html) = press(&sandbox, "/stripe/card", &typed).await.unwrap();
    assert!(status == 200 && html.contains("succeeded"), "{html}");
    for bad in ["javascript:alert(1)", "nonsense", "ftp://example.com/"] {
        let (status, error) = sandbox.refused("setup_intents", &[("return_url", bad)]).await;
        assert_eq!((status, &error["code"]), (400, &json!("url_invalid")));
    }
    assert_eq!(sandbox.record().await["refunds"], Value::Array(Vec::new()));
}
