//! Asking later.

use leadflow_testkit::wait;
use serde_json::json;

use crate::{
    client,
    world::{JSON, KEY, OTHER_KEY, PATIENCE, World, body, post_at},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supplier_sees_its_own_leads_only() {
    let world = World::start().await;
    let answer = world.post(&body(world.tenant.campaign, "Doe", r#""reference":"a b&c","#)).await.json();
    let by_id = format!("/api/leads/ingest/{}", answer["leadId"].as_str().unwrap());
    let by_reference = "/api/leads/ingest?reference=a%20b%26c";
    for path in [by_id.as_str(), by_reference] {
        let mine = world.get(path, &[("X-API-Key", KEY)]).await;
        assert_eq!((mine.status, mine.json()), (200, answer.clone()), "{path}");
        let theirs = world.get(path, &[("X-API-Key", OTHER_KEY)]).await;
        assert_eq!((theirs.status, theirs.code().as_str()), (404, "lead_unknown"), "{path}");
        assert_eq!(theirs.header("retry-after"), Some("1"), "it may be on its way");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pending_lead_is_not_shown_to_others() {
    let world = World::with(|_| {}, false).await;
    let headers = [("X-API-Key", KEY), JSON, ("Prefer", "respond-async")];
    let answer = world.post_with(&headers, &world.lead("Doe")).await.json();
    let status_url = answer["statusUrl"].as_str().unwrap();
    let bare = format!("/api/leads/ingest/{}", answer["leadId"].as_str().unwrap());
    for path in [status_url, &bare] {
        let mine = world.get(path, &[("X-API-Key", KEY)]).await.json();
        assert_eq!((&mine["outcome"], &mine["statusUrl"]), (&answer["outcome"], &answer["statusUrl"]));
        assert_eq!(world.get(path, &[("X-API-Key", OTHER_KEY)]).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_gateway_accepted_is_pending_at_every_gateway_until_it_is_decided() {
    let world = World::with(|_| {}, false).await;
    let mine = [("X-API-Key", KEY), JSON];
    let answer = world.post_with(&[&mine[..], &[("Prefer", "respond-async")]].concat(), &world.lead("Doe")).await;
    let answer = answer.json();
    let status_url = answer["statusUrl"].as_str().unwrap();
    let bare = format!("/api/leads/ingest/{}", answer["leadId"].as_str().unwrap());
    // As good as the first one after a restart: it has never seen the post.
    let second = world.second_gateway().await;
    let ask = async |path: &str, key| {
        let request = client::request(&format!("GET {path}"), &[("X-API-Key", key)], None);
        let answer = client::send(second, &request).await;
        (answer.status, answer.json())
    };
    let (status, pending) = ask(status_url, KEY).await;
    assert_eq!((status, &pending["outcome"], &pending["statusUrl"]), (200, &json!("pending"), &answer["statusUrl"]));
    assert_eq!(ask(status_url, OTHER_KEY).await.0, 404, "another supplier's is as good as none");
    let (status, unknown) = ask(&bare, KEY).await;
    assert_eq!((status, &unknown["code"]), (404, &json!("lead_unknown")));
    assert!(unknown["error"].as_str().unwrap().contains("not listed yet"), "{unknown}");
    assert_eq!(ask(&format!("{bare}?receipt={}", "A".repeat(64)), KEY).await.0, 404, "nobody can make one up");

    world.fake.set_down(true);
    assert_eq!(ask(status_url, KEY).await.0, 200, "it was accepted, whether or not it can be looked up");
    assert_eq!(ask(&bare, KEY).await.0, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_bodies_accepted_under_one_key_the_loser_is_told_so() {
    // Two gateways answer before anybody has decided: neither can know of the other's post.
    let mut world = World::with(|_| {}, false).await;
    let second = world.second_gateway().await;
    let keyed = [("X-API-Key", KEY), JSON, ("Idempotency-Key", "k"), ("Prefer", "respond-async")];
    let first = world.post_with(&keyed, &world.lead("Doe")).await;
    let other = post_at(second, &keyed, &world.lead("Roe")).await;
    assert_eq!((first.status, other.status), (202, 202));
    let (first, other) = (first.json(), other.json());
    assert_eq!(first["leadId"], other["leadId"]);
    world.begin_to_decide();
    let ask = async |path: &serde_json::Value| {
        let answer = world.get(path.as_str().unwrap(), &[("X-API-Key", KEY)]).await;
        (answer.status, answer.json())
    };
    wait::until("the lead is decided", PATIENCE, async || ask(&first["statusUrl"]).await.1["outcome"] == "accepted")
        .await;
    let (status, loser) = ask(&other["statusUrl"]).await;
    assert_eq!((status, &loser["code"]), (409, &json!("idempotency_key_reused")), "{loser}");
    let by_key = ask(&json!("/api/leads/ingest?reference=k")).await;
    assert_eq!((by_key.0, &by_key.1["leadId"]), (200, &first["leadId"]), "the key names the one lead");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_distribution_is_away_pending_leads_are_known_and_others_are_503() {
    let world = World::with(|_| {}, false).await;
    let headers = [("X-API-Key", KEY), JSON, ("Prefer", "respond-async"), ("Idempotency-Key", "k")];
    world.fake.set_down(true);
    let answer = world.post_with(&headers, &world.lead("Doe")).await;
    assert_eq!(answer.status, 202, "taken all the same: {answer:?}");
    let path = answer.json()["statusUrl"].as_str().unwrap().to_owned();
    assert_eq!(world.get(&path, &[("X-API-Key", KEY)]).await.json()["outcome"], "pending");
    let unknown = world.get("/api/leads/ingest?reference=other", &[("X-API-Key", KEY)]).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (503, "lookup_unavailable"));
    assert!(unknown.header("retry-after").is_some());
}
