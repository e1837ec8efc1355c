//! One lead's way through everything, as its supplier and its buyer see it.

use leadflow_contracts::{common::Logic, distribution};
use leadflow_testkit::{books, wait};
use serde_json::{Value, json};

use crate::world::{PATIENCE, Terms, World, lead, options};

#[tokio::test(flavor = "multi_thread")]
async fn a_posted_lead_is_sold_paid_for_and_delivered_signed_under_one_trace() {
    let world = World::start(options()).await;
    let campaign = world.campaign(Logic::RoundRobin, "25.00", 30).await;
    let buyer = world.buyer("crm", 5, "100.00").await;
    world.subscribe(campaign, buyer, Terms::default()).await;
    let sandbox = world.cluster.http_urls("sandbox")[0].clone();
    let secret = json!({ "secret": "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" });
    let known =
        world.client.send(http::Method::PUT, &format!("{sandbox}/api/hooks/crm/secret"), &[], Some(&secret)).await;
    assert!(known.unwrap().status.is_success());

    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = world.post(&lead(campaign, 1), &[("traceparent", trace)]).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.body["success"], true);
    assert_eq!(answer.body["outcome"], "accepted");
    assert_eq!(answer.body["distributed"], true);
    assert_eq!(answer.body["buyersAssigned"], 1);
    assert_eq!(answer.body["price"], json!(25.0));
    assert_eq!(answer.body["message"], "Lead distributed to 1 buyer(s)");

    // The buyer's side.
    let arrived = wait::until_some("the webhook arrived", PATIENCE, async || {
        let list = world.client.get(&format!("{sandbox}/api/hooks?name=crm"), &[]).await.ok()?.body;
        list["received"].as_array()?.first().cloned()
    })
    .await;
    assert_eq!(arrived["signature"], "valid");
    assert_eq!(arrived["standardSignature"], "valid");
    let payload = &arrived["body"];
    assert_eq!(payload["event"], "lead.assigned");
    assert_eq!(payload["data"]["leadId"], answer.body["leadId"]);
    assert_eq!(payload["data"]["buyerId"], json!(buyer));
    assert_eq!(payload["data"]["email"], "ada1@example.com");
    let context = arrived["traceparent"].as_str().unwrap();
    assert!(context.contains("0af7651916cd43dd8448eb211c80319c"), "another trace: {context}");

    // The money's side.
    world.settled(std::slice::from_ref(&answer.body)).await;
    assert_eq!(world.wallet(buyer).await.balance.unwrap().amount, "75.00");
    let report = books::check(&world.books, &books::Expectations::settled()).await.unwrap();
    assert!(report.is_clean(), "{report}");

    // The seller's side: why.
    let get = distribution::GetLeadRequest { lead_id: answer.body["leadId"].as_str().unwrap().to_owned() };
    let explained = world.distribution().get_lead(world.request(get)).await.unwrap().into_inner();
    assert!(!explained.explanation.is_empty());

    // The supplier's side, later.
    let id = answer.body["leadId"].as_str().unwrap();
    let url = format!("{}/api/leads/ingest/{id}", world.cluster.http_urls("ingest")[0]);
    let later = world.client.get(&url, &[("x-api-key", &world.api_key)]).await.unwrap();
    assert_eq!((later.status.as_u16(), &later.body["price"]), (200, &answer.body["price"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_lead_is_answered_and_changes_nothing() {
    let world = World::start(options()).await;
    let campaign = world.campaign(Logic::RoundRobin, "25.00", 30).await;
    let buyer = world.buyer("untouched", 5, "100.00").await;
    world.subscribe(campaign, buyer, Terms { daily_cap: Some(1), ..Terms::default() }).await;
    let mut test = lead(campaign, 1);
    test["test"] = Value::Bool(true);
    for _ in 0..3 {
        let answer = world.post(&test, &[]).await.unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.body["distributed"], true, "{answer:?}");
        assert_eq!(answer.body["test"], true, "{answer:?}");
    }
    // A real lead of the same person still sells, under the same cap: the tests counted for nothing.
    let real = world.post(&lead(campaign, 1), &[]).await.unwrap();
    assert_eq!(real.body["distributed"], true, "{real:?}");
    world.settled(&[real.body]).await;
    assert_eq!(world.wallet(buyer).await.balance.unwrap().amount, "75.00");
    assert_eq!(world.sold(campaign).await, [(buyer, 1)]);
}
