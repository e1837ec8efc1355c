//! Returns, from the campaign's policy to the wallet, the reports and the books.

use http::Method;
use leadflow_testkit::{
    books::{self, Expectations},
    wait,
};
use serde_json::{Value, json};

use crate::{
    feed::Feed,
    world::{PATIENCE, Tenant, World},
};

fn policy() -> Value {
    json!({
        "days": 7, "maxSharePercentPerMonth": 50, "reasons": ["wrong_number", "not_interested"], "autoApprove": false,
        "countsOutOfCaps": true,
        "refusals": { "credited": true, "soldOn": false, "maxSharePercentPerMonth": 10 },
    })
}

async fn take_back(world: &World, t: &Tenant, policy: &Value) {
    let path = format!("/api/campaigns/{}", t.campaign);
    world.client.put(&path, &t.seller.token, &json!({ "returns": policy })).await.ok(200);
}

/// Sells another lead, and gives its assignment.
async fn sell(world: &World, t: &Tenant, number: u32) -> String {
    let posted = world.post_lead(&t.api_key, &t.campaign, number).await;
    let path = format!("/api/leads/{}", posted["leadId"].as_str().unwrap());
    let sold = wait::until_some("the lead is sold", PATIENCE, async || {
        let answer = world.client.get(&path, &t.buyer.token).await;
        (answer.status == 200).then_some(answer.body)
    })
    .await;
    sold["lead"]["assignmentId"].as_str().unwrap().to_owned()
}

async fn balance(world: &World, t: &Tenant, wanted: f64) -> Value {
    wait::until_some("the wallet has it", PATIENCE, async || {
        let wallet = world.client.get("/api/payments/wallet", &t.buyer.token).await.ok(200);
        (wallet["balance"] == json!(wanted) && wallet["held"] == json!(0.0)).then_some(wallet)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_is_sold_returned_and_paid_back() {
    let world = World::start().await;
    let client = &world.client;
    let t = world.tenant("returns").await;
    let (seller, buyer) = (&t.seller.token, &t.buyer.token);
    take_back(&world, &t, &policy()).await;
    let shown = client.get(&format!("/api/campaigns/{}", t.campaign), buyer).await.ok(200);
    assert_eq!(shown["campaign"]["returns"], policy(), "buyers see what they may");
    sell(&world, &t, 2).await;
    balance(&world, &t, 50.0).await;
    let mut feed = Feed::open(client, buyer).await;

    let bought = client.get("/api/leads", buyer).await.ok(200);
    let assignment = bought["leads"][0]["assignmentId"].as_str().unwrap().to_owned();
    let path = format!("/api/leads/{assignment}/return");
    let bearer = format!("Bearer {buyer}");
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "r-1")];
    let wish = json!({ "reason": "wrong_number", "note": "rings at a bakery" });
    let ask = async || client.send(Method::POST, &path, &headers, Some(wish.to_string().into())).await.ok(201);
    let asked = ask().await;
    assert_eq!(asked["message"], "Return requested");
    let made = &asked["return"];
    assert_eq!(
        (&made["status"], &made["reason"], &made["note"]),
        (&json!("REQUESTED"), &wish["reason"], &wish["note"])
    );
    assert_eq!((&made["price"], &made["decidedAt"]), (&json!(25.0), &Value::Null));
    assert_eq!(&ask().await, &asked, "the same key again");
    assert_eq!(client.post(&path, buyer, &wish).await.refused(409), "already_returned");
    let id = made["id"].as_str().unwrap();
    assert_eq!(client.get("/api/leads", buyer).await.ok(200)["leads"][0]["status"], "RETURN_REQUESTED");
    let waiting = client.get("/api/returns?status=REQUESTED", seller).await.ok(200);
    assert_eq!((&waiting["returns"][0], &waiting["pagination"]["total"]), (made, &json!(1)));
    assert_eq!(client.get("/api/returns?status=APPROVED", seller).await.ok(200)["returns"], json!([]));
    assert_eq!(&client.get(&format!("/api/returns/{id}"), buyer).await.ok(200)["return"], made);
    assert_eq!(client.get("/api/returns?buyer=x", buyer).await.refused(400), "query_invalid");

    let approve = format!("/api/returns/{id}/approve");
    let approved = client.post(&approve, seller, &json!({ "note": "sorry" })).await.ok(200);
    assert_eq!(
        (&approved["return"]["status"], &approved["return"]["decisionNote"]),
        (&json!("APPROVED"), &json!("sorry"))
    );
    client.post(&approve, seller, &json!({})).await.ok(200);
    let reject = format!("/api/returns/{id}/reject");
    assert_eq!(client.post(&reject, seller, &json!({})).await.refused(409), "return_decided");

    // Money, live feed, lists and reports.
    let wallet = balance(&world, &t, 75.0).await;
    let line = &wallet["transactions"][0];
    assert_eq!((&line["type"], &line["amount"]), (&json!("LEAD_RETURN"), &json!(25.0)));
    assert_eq!(line["leadAssignmentId"], assignment.as_str());
    let (told, _) = feed.until("lead.returned").await;
    assert_eq!((&told.data["assignmentId"], &told.data["price"]), (&json!(assignment), &json!(25.0)));
    feed.until("wallet.credited").await;
    assert_eq!(client.get("/api/leads?status=RETURN_REQUESTED", buyer).await.ok(200)["leads"], json!([]));
    let undone = client.get("/api/leads?status=RETURNED", buyer).await.ok(200);
    assert_eq!((&undone["leads"][0]["assignmentId"], &undone["pagination"]["total"]), (&json!(assignment), &json!(1)));
    let mine = client.get("/api/leads", buyer).await.ok(200);
    assert_eq!((&mine["leads"][0]["status"], &mine["leads"][0]["returnId"]), (&json!("RETURNED"), &json!(id)));
    let sold = client.get("/api/leads", seller).await.ok(200);
    assert_eq!(sold["leads"][0]["status"], "DISTRIBUTED", "it is not sold again");
    assert_eq!(sold["leads"][0]["assignments"][0]["status"], "RETURNED");
    assert_eq!(sold["leads"][1]["assignments"][0]["status"], "SOLD");
    for (token, kind) in [(seller, "revenue"), (seller, "buyers"), (seller, "overview"), (buyer, "spending")] {
        let report = client.get(&format!("/api/reports?type={kind}"), token).await.ok(200);
        let sums = (&report["overview"]["assignments"], &report["overview"]["returned"], &report["overview"]["amount"]);
        assert_eq!(sums, (&json!(2), &json!(1), &json!(25.0)), "{kind}");
        let row = &report["rows"][0];
        assert_eq!(
            (&row["assignments"], &row["returned"], &row["amount"]),
            (&json!(2), &json!(1), &json!(25.0)),
            "{kind}"
        );
    }
    let audit = client.get("/api/audit", seller).await.ok(200).to_string();
    assert!(audit.contains("return.requested") && audit.contains("return.approved"), "{audit}");
    assert!(!audit.contains("bakery"), "what is said of a person stays with the return");

    let pool = sqlx::PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    books::wait_until_settled(&pool, &[t.lead.parse().unwrap()], PATIENCE).await.unwrap();
    let report = books::check(&pool, &Expectations::settled()).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_back_says_why() {
    let world = World::start().await;
    let client = &world.client;
    let t = world.tenant("refused").await;
    let (seller, buyer) = (&t.seller.token, &t.buyer.token);
    let assignment =
        client.get("/api/leads", buyer).await.ok(200)["leads"][0]["assignmentId"].as_str().unwrap().to_owned();
    let ask = async |assignment: &str, wish: Value| {
        client.post(&format!("/api/leads/{assignment}/return"), buyer, &wish).await
    };
    let wish = || json!({ "reason": "wrong_number" });
    assert_eq!(ask(&assignment, wish()).await.refused(409), "returns_not_allowed");
    take_back(&world, &t, &policy()).await;
    assert_eq!(ask(&assignment, json!({ "reason": "too_expensive" })).await.refused(409), "reason_not_allowed");
    assert_eq!(ask(&assignment, wish()).await.refused(409), "return_share_reached", "half of one is none");
    assert_eq!(ask(&assignment, json!({})).await.refused(422), "validation_failed");
    let long = json!({ "reason": "wrong_number", "note": "x".repeat(2_001) });
    assert_eq!(ask(&assignment, long).await.refused(422), "validation_failed");
    for unknown in ["nonsense", t.lead.as_str(), "asg_00000000000000000000000000"] {
        assert_eq!(ask(unknown, wish()).await.refused(404), "assignment_not_found", "{unknown}");
    }
    for decision in ["approve", "reject"] {
        let path = format!("/api/returns/return_00000000000000000000000000/{decision}");
        assert_eq!(client.post(&path, seller, &json!({})).await.refused(404), "return_not_found");
    }
    let path = format!("/api/campaigns/{}", t.campaign);
    for (wrong, field) in [
        (json!({ "days": 366, "reasons": ["a"] }), "returns.days"),
        (json!({ "days": 1 }), "returns.reasons"),
        (json!({ "days": 1, "reasons": ["No!"] }), "returns.reasons"),
        (json!({ "days": 1, "reasons": ["a"], "maxSharePercentPerMonth": 101 }), "returns.maxSharePercentPerMonth"),
        (json!({ "reasons": ["a"] }), "returns.days"),
    ] {
        let answer = client.put(&path, seller, &json!({ "returns": wrong })).await;
        assert!(answer.body["fields"][field].is_string(), "{wrong}: {}", answer.text);
        answer.refused(422);
    }

    // Approved by itself; and nothing is taken back any more once the policy says so.
    let auto = json!({ "days": 7, "reasons": ["wrong_number"], "autoApprove": true });
    take_back(&world, &t, &auto).await;
    let made = ask(&assignment, wish()).await.ok(201);
    assert_eq!((&made["message"], &made["return"]["automatic"]), (&json!("Return approved"), &json!(true)));
    balance(&world, &t, 100.0).await;
    let second = sell(&world, &t, 2).await;
    take_back(&world, &t, &json!({ "days": 0 })).await;
    assert_eq!(ask(&second, wish()).await.refused(409), "returns_not_allowed");
}
