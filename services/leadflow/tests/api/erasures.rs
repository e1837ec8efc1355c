//! One person's data is removed: through the API, with proof; and by an operator.

use std::process::Command;

use leadflow_testkit::wait;
use serde_json::{Value, json};

use crate::{
    card::books_are_clean,
    world::{PATIENCE, Person, Tenant, World, id},
};

const ERASURES: &str = "/api/privacy/erasures";

/// `leadflow erase` as an operator runs it: whether it succeeded, and what it printed.
async fn erase(world: &World, seller: &Person, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadflow"));
    command.args(["erase", "--seller", seller.user["sellerId"].as_str().unwrap()]).args(arguments);
    command.env_clear().envs(world.cluster.env()).current_dir("/");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

/// Waits until the person is named nowhere: what all have consumed is trimmed a moment later.
async fn gone(world: &World, seller: &Person, arguments: &[&str]) {
    let mut last = String::new();
    let mut tries = 0;
    wait::until("the person is named nowhere", PATIENCE, async || {
        let (proven, text) = erase(world, seller, &[&["--prove"], arguments].concat()).await;
        last = text;
        tries += 1;
        proven
    })
    .await;
    assert!(last.contains("the person is named in 0"), "after {tries} tries: {last}");
}

async fn done(world: &World, seller: &Person, erasure: &str) -> Value {
    wait::until_some("the erasure ends", PATIENCE, async || {
        let shown = world.client.get(&format!("{ERASURES}/{erasure}"), &seller.token).await.ok(200);
        (shown["erasure"]["status"] == "DONE").then(|| shown["erasure"].clone())
    })
    .await
}

/// A webhook of the buyer, and deliveries of these leads to it that have ended, by lead.
async fn delivered(world: &World, tenant: &Tenant, numbers: &[u32]) -> Vec<(String, String)> {
    let hook = json!({ "url": format!("{}/hooks/erasures", world.cluster.http_urls("sandbox")[0]) });
    world.client.post("/api/notifications/endpoints", &tenant.buyer.token, &hook).await.ok(201);
    let mut leads = Vec::new();
    for number in numbers {
        let posted = world.post_lead(&tenant.api_key, &tenant.campaign, *number).await;
        leads.push(posted["leadId"].as_str().unwrap().to_owned());
    }
    wait::until_some("the leads are delivered", PATIENCE, async || {
        let listed = world.client.get("/api/notifications/deliveries", &tenant.buyer.token).await.ok(200);
        let all = listed["deliveries"].as_array()?;
        let of = |lead: &String| {
            let one = all.iter().find(|one| one["leadId"] == lead.as_str() && one["status"] == "DELIVERED")?;
            Some((lead.clone(), one["id"].as_str()?.to_owned()))
        };
        leads.iter().map(of).collect::<Option<Vec<_>>>()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_erased_and_nobody_else() {
    let world = World::start().await;
    let client = &world.client;
    let (mine, theirs) = (world.tenant("mine").await, world.tenant("theirs").await);
    world.ask_back(&mine).await;
    // The person of both tenants' first lead once more, and another one.
    let sent = delivered(&world, &mine, &[1, 2]).await;
    let (john, other) = ((&sent[0].0, &sent[0].1), (&sent[1].0, &sent[1].1));
    let owner = &mine.seller;
    let named = ["--email", "john1@example.com", "--phone", "212-200-0001"];
    let (fine, text) = erase(&world, owner, &[&["--dry-run"][..], &named].concat()).await;
    assert!(fine && text.contains("distribution.leads.data") && text.contains("notifier.deliveries.payload"), "{text}");
    assert!(!erase(&world, owner, &[&["--prove"][..], &named].concat()).await.0);

    // Who may not, and what cannot be.
    let person = json!({ "email": "John1@Example.com", "phone": "(212) 200-0001" });
    let viewer = world.member(owner, "vera@mine.example", "VIEWER").await;
    let manager = world.member(owner, "max@mine.example", "MANAGER").await;
    for who in [&viewer, &manager, &mine.buyer] {
        assert_eq!(client.post(ERASURES, &who.token, &person).await.refused(403), "forbidden");
    }
    for nobody in [json!({}), json!({ "email": " " }), json!({ "email": "john" }), json!({ "phone": "12" })] {
        let status = client.post(ERASURES, &owner.token, &nobody).await.status.as_u16();
        assert!(matches!(status, 400 | 422), "{nobody}: {status}");
    }

    let asked = client.post(ERASURES, &owner.token, &person).await.ok(202);
    let erasure = id(&asked, "erasure");
    assert_eq!(asked["erasure"]["askedBy"], owner.user["id"]);
    let proof = done(&world, owner, &erasure).await;
    assert_eq!(
        (&proof["leads"], &proof["deliveries"], &proof["timesAsked"]),
        (&json!(2), &json!(1), &json!(1)),
        "{proof}"
    );
    assert_eq!(proof["buyers"], json!([{ "id": mine.buyer.user["buyerId"], "companyName": "mine Inc", "leads": 2 }]));
    assert_eq!(proof["digest"].as_str().unwrap().len(), 64);
    assert_eq!(done(&world, owner, &erasure).await, proof, "a proof stays as it is");
    let path = format!("{ERASURES}/{erasure}");
    assert_eq!(client.get(&path, &theirs.seller.token).await.refused(404), "erasure_not_found");
    assert_eq!(client.get(&path, &manager.token).await.refused(403), "forbidden");
    let unknown = leadflow_kernel::ErasureId::new();
    assert_eq!(client.get(&format!("{ERASURES}/{unknown}"), &owner.token).await.refused(404), "erasure_not_found");

    // He is named nowhere; the other person and the other tenant's lead are as they were.
    gone(&world, owner, &named).await;
    for (seller, who) in [(owner, "john2@example.com"), (&theirs.seller, "john1@example.com")] {
        let (nowhere, text) = erase(&world, seller, &["--prove", "--email", who]).await;
        assert!(!nowhere && text.contains("distribution.leads.data"), "{who}: {text}");
    }
    for (who, masked) in [(&mine.buyer, 2), (owner, 2), (&theirs.buyer, 0), (&theirs.seller, 0)] {
        let listed = client.get("/api/leads", &who.token).await.ok(200);
        let leads = listed["leads"].as_array().unwrap();
        let gone = leads.iter().filter(|lead| lead["maskedAt"].is_string()).collect::<Vec<_>>();
        assert_eq!(gone.len(), masked, "{listed}");
        assert!(gone.iter().all(|lead| lead["data"] == json!({})), "{listed}");
        assert!(leads.len() > masked || masked == 0);
    }
    for who in [&mine.buyer, owner] {
        let shown = client.get(&format!("/api/leads/{}", john.0), &who.token).await.ok(200);
        assert!(shown["lead"]["maskedAt"].is_string() && shown["lead"]["data"] == json!({}), "{shown}");
    }
    let replay = async |delivery: &str| {
        let path = format!("/api/notifications/deliveries/{delivery}/replay");
        client.post(&path, &mine.buyer.token, &json!({})).await
    };
    assert_eq!(replay(john.1).await.refused(409), "delivery_masked");
    assert_eq!(replay(other.1).await.status.as_u16(), 200);

    // The same person again is the same erasure; a lead of his that comes later is a new lead, until it is asked for again.
    let again = world.post_lead(&mine.api_key, &mine.campaign, 1).await;
    let path = format!("/api/leads/{}", again["leadId"].as_str().unwrap());
    assert_eq!(client.get(&path, &owner.token).await.ok(200)["lead"]["data"]["email"], "john1@example.com");
    let repeat =
        client.post(ERASURES, &owner.token, &json!({ "email": "john1@example.com", "phone": "12122000001" })).await;
    assert_eq!(id(&repeat.ok(202), "erasure"), erasure);
    let proof = done(&world, owner, &erasure).await;
    assert_eq!((&proof["leads"], &proof["timesAsked"]), (&json!(3), &json!(2)), "{proof}");
    gone(&world, owner, &named).await;

    // An operator does the same, and shows what to keep.
    let (fine, text) = erase(&world, owner, &["--email", "john2@example.com"]).await;
    assert!(fine && text.contains("mine Inc") && text.contains("sha256 "), "{text}");
    gone(&world, owner, &["--email", "john2@example.com"]).await;
    books_are_clean(&world).await;
    for log in std::fs::read_dir(world.cluster.logs()).unwrap() {
        let text = std::fs::read_to_string(log.unwrap().path()).unwrap();
        assert!(!text.contains("john1@") && !text.contains("2122000001"));
    }
}
