//! What an accepted post is answered.

use serde_json::json;

use crate::{
    client,
    world::{JSON, KEY, World, body},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_decision_has_its_answer() {
    let world = World::start().await;

    let sold = world.post(&world.lead("Doe")).await;
    assert_eq!(sold.status, 201, "{sold:?}");
    let lead_id = sold.json()["leadId"].as_str().unwrap().to_owned();
    assert_eq!(
        sold.json(),
        json!({"success": true, "leadId": lead_id, "outcome": "accepted", "distributed": true, "buyersAssigned": 1,
            "price": 25.0, "message": "Lead distributed to 1 buyer(s)"})
    );
    assert!(sold.body.contains(r#""price":25.00"#), "two decimals, exactly: {}", sold.body);

    let unsold = world.post(&world.lead("Unsold")).await;
    assert_eq!(unsold.status, 201);
    let unsold = unsold.json();
    assert_eq!((&unsold["outcome"], &unsold["distributed"]), (&json!("accepted"), &json!(false)));
    assert_eq!(unsold["reason"], "no_eligible_buyer");
    assert_eq!(unsold.get("price"), None);

    let rejected = world.post(&world.lead("Duplicate")).await;
    assert_eq!(rejected.status, 201);
    let rejected = rejected.json();
    assert_eq!((&rejected["outcome"], &rejected["success"]), (&json!("rejected"), &json!(false)));
    assert_eq!(rejected["reason"], "duplicate");

    let test = world.post(&body(world.tenant.campaign, "Doe", r#""test":true,"reference":"my 1","#)).await.json();
    assert_eq!(
        (&test["test"], &test["outcome"], &test["reference"]),
        (&json!(true), &json!("accepted"), &json!("my 1"))
    );

    // The same answers later.
    for (lead, outcome) in [(&json!(lead_id), "accepted"), (&rejected["leadId"], "rejected")] {
        let path = format!("/api/leads/ingest/{}", lead.as_str().unwrap());
        let later = world.get(&path, &[("X-API-Key", KEY)]).await;
        assert_eq!((later.status, later.json()["outcome"].as_str()), (200, Some(outcome)));
    }
    assert!(world.fake.received().iter().all(|(lead, _)| !lead.reply_subject.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_normalised_complete_and_traced() {
    let world = World::start().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let body = format!(
        r#"{{"campaignId":"{}","categoryId":"{}","quality":"warm","reference":"Order 7","data":{{"firstName":" John ",
        "lastName":"Doe","email":"John@Example.COM","phone":"(212) 555-0123","age":"45","smoker":"no","home":"new york",
        "coverage":"final expense","utm":{{"id":1.50}}}}}}"#,
        world.tenant.campaign, world.tenant.category
    );
    let answer = world.post_with(&[("X-API-Key", KEY), JSON, ("traceparent", trace)], &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let (lead, traceparent) = world.fake.received().remove(0);
    assert_eq!(lead.lead_id, answer.json()["leadId"]);
    assert_eq!(lead.seller_id, world.tenant.seller.to_string());
    assert_eq!(lead.supplier_id, world.tenant.supplier.to_string());
    assert_eq!(lead.category_id, world.tenant.category.to_string());
    assert_eq!((lead.state.as_str(), lead.quality.as_str(), lead.reference.as_str()), ("NY", "WARM", "Order 7"));
    assert_eq!(
        String::from_utf8_lossy(&lead.data_json),
        r#"{"firstName":"John","lastName":"Doe","email":"john@example.com","phone":"+12125550123","age":45,"smoker":false,"home":"NY","coverage":"Final Expense","utm":{"id":1.50}}"#
    );
    assert_eq!(
        String::from_utf8_lossy(&lead.raw_json),
        r#"{"firstName":" John ","email":"John@Example.COM","phone":"(212) 555-0123","age":"45","smoker":"no","home":"new york","coverage":"final expense"}"#
    );
    assert_eq!(lead.unknown_fields, ["utm"]);
    assert_eq!(lead.body_hash.len(), 32);
    assert!(lead.received_at_ms > 0 && !lead.test);
    assert_eq!(traceparent.as_deref().and_then(|text| text.get(3..35)), trace.get(3..35), "one trace through it all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_prefers_not_to_wait_is_answered_at_once() {
    let world = World::with(|_| {}, false).await;
    let headers = [("X-API-Key", KEY), JSON, ("Prefer", "return=minimal, respond-async")];
    let answer = world.post_with(&headers, &world.lead("Doe")).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (202, Some("respond-async")));
    let answer = answer.json();
    let lead_id = answer["leadId"].as_str().unwrap();
    assert_eq!(answer["outcome"], "pending");
    let status_url = answer["statusUrl"].as_str().unwrap();
    assert!(status_url.starts_with(&format!("/api/leads/ingest/{lead_id}?receipt=")), "{status_url}");
    assert_eq!(world.stored().await, 1);
    let later = world.get(status_url, &[("X-API-Key", KEY)]).await;
    assert_eq!((later.status, later.json()["outcome"].as_str()), (200, Some("pending")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_that_does_not_come_in_time_is_answered_pending() {
    let short = std::time::Duration::from_millis(100);
    let world = World::with(|config| config.decision_wait = short, false).await;
    let answer = world.post(&world.lead("Doe")).await;
    assert_eq!((answer.status, answer.json()["outcome"].as_str()), (202, Some("pending")));
    assert_eq!(answer.header("preference-applied"), None);
    assert_eq!(world.stored().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_ids_come_back_and_are_made_when_missing_or_wild() {
    let world = World::start().await;
    let with_id = world.get("/nothing", &[("x-request-id", "mine-1")]).await;
    assert_eq!((with_id.status, with_id.header("x-request-id")), (404, Some("mine-1")));
    assert_eq!(with_id.json()["requestId"], "mine-1");
    for wild in ["", "a b", "<script>", &"x".repeat(129)] {
        let answer = world.get("/nothing", &[("x-request-id", wild)]).await;
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert!(id != wild && id.len() == 32, "{id}");
        assert_eq!(answer.json()["requestId"], id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_goes_away_leaves_no_trace_and_his_lead_is_kept() {
    use tokio::io::AsyncWriteExt as _;
    let long = std::time::Duration::from_secs(300);
    let world = World::with(|config| (config.max_in_flight, config.decision_wait) = (1, long), false).await;
    let body = world.lead("Doe");
    let request = client::request("POST /api/leads/ingest", &[("X-API-Key", KEY), JSON], Some(body.as_bytes()));
    let mut stream = tokio::net::TcpStream::connect(world.addr).await.unwrap();
    stream.write_all(&request).await.unwrap();
    leadflow_testkit::wait::until("the lead is stored", crate::world::PATIENCE, async || world.stored().await == 1)
        .await;
    drop(stream);
    // The one place for a post is free again long before the decision's time is up.
    let headers = [("X-API-Key", KEY), JSON, ("Prefer", "respond-async")];
    leadflow_testkit::wait::until("there is room again", crate::world::PATIENCE, async || {
        world.post_with(&headers, &body).await.status == 202
    })
    .await;
}
