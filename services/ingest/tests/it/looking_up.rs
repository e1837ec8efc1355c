//! Asking later.

use crate::world::{JSON, KEY, OTHER_KEY, World, body};

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
    let path = answer["statusUrl"].as_str().unwrap();
    assert_eq!(world.get(path, &[("X-API-Key", KEY)]).await.json()["outcome"], "pending");
    assert_eq!(world.get(path, &[("X-API-Key", OTHER_KEY)]).await.status, 404);
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
