//! The same key never makes a second lead.

use std::{collections::HashSet, time::Duration};

use crate::world::{JSON, KEY, OTHER_KEY, World, body, post_at};

const ASYNC: (&str, &str) = ("Prefer", "respond-async");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_is_the_same_lead_however_the_key_is_given_and_the_body_is_spelt() {
    let world = World::start().await;
    let keyed = [("X-API-Key", KEY), JSON, ("Idempotency-Key", "order-7")];
    let first = world.post_with(&keyed, &world.lead("Doe")).await;
    assert_eq!(first.status, 201);
    let spelt = format!(
        r#"{{ "data": {{"age":45,"phone":"+1234567890", "email":"john@example.com","lastName":"D\u006fe","firstName":"John"}},
        "quality":"HOT","state":"CA","campaignId":"{}" }}"#,
        world.tenant.campaign
    );
    let again = world.post_with(&keyed, &spelt).await;
    assert_eq!((again.status, again.json()), (201, first.json()));
    let asynchronously = world.post_with(&[keyed.as_slice(), &[ASYNC]].concat(), &spelt).await;
    assert_eq!(
        (asynchronously.status, asynchronously.json()),
        (201, first.json()),
        "it is decided: no need to ask again"
    );

    let by_reference = body(world.tenant.campaign, "Doe", r#""reference":"order-8","#);
    let (one, two) = (world.post(&by_reference).await, world.post(&by_reference).await);
    assert_eq!((one.status, one.json()), (201, two.json()));
    assert_ne!(one.json()["leadId"], first.json()["leadId"]);

    // Without a key two posts are two leads; another supplier's key is another lead.
    let (one, two) = (world.post(&world.lead("Doe")).await, world.post(&world.lead("Doe")).await);
    assert_ne!(one.json()["leadId"], two.json()["leadId"]);
    let theirs = [("X-API-Key", OTHER_KEY), JSON, ("Idempotency-Key", "order-7")];
    let theirs = world.post_with(&theirs, &body(world.other.campaign, "Doe", "")).await;
    assert_eq!(theirs.status, 201);
    assert_ne!(theirs.json()["leadId"], first.json()["leadId"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_header_is_the_key_and_the_reference_is_kept() {
    let world = World::start().await;
    let keyed = [("X-API-Key", KEY), JSON, ("Idempotency-Key", "the-key")];
    let answer = world.post_with(&keyed, &body(world.tenant.campaign, "Doe", r#""reference":"the-reference","#)).await;
    assert_eq!(answer.json()["reference"], "the-reference");
    let by = async |reference: &str| {
        world.get(&format!("/api/leads/ingest?reference={reference}"), &[("X-API-Key", KEY)]).await.status
    };
    assert_eq!((by("the-key").await, by("the-reference").await), (200, 404));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_body_under_the_same_key_is_a_conflict() {
    let world = World::start().await;
    let keyed = [("X-API-Key", KEY), JSON, ("Idempotency-Key", "order-7")];
    assert_eq!(world.post_with(&keyed, &world.lead("Doe")).await.status, 201);
    let others = [world.lead("Roe"), body(world.tenant.campaign, "Doe", r#""test":true,"#)];
    for other in &others {
        for headers in [keyed.to_vec(), [keyed.as_slice(), &[ASYNC]].concat()] {
            let answer = world.post_with(&headers, other).await;
            assert_eq!((answer.status, answer.code().as_str()), (409, "idempotency_key_reused"), "{answer:?}");
        }
    }
    assert_eq!(world.fake.received().len(), 1, "nothing of the others was published");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_that_only_distribution_knows_of_is_a_conflict_too() {
    // Two gateways: what one accepted the other has no memory of.
    let world = World::start().await;
    let keyed = [("X-API-Key", KEY), JSON, ("Idempotency-Key", "order-7")];
    let second = world.second_gateway().await;
    assert_eq!(world.post_with(&keyed, &world.lead("Doe")).await.status, 201);
    for headers in [keyed.to_vec(), [keyed.as_slice(), &[ASYNC]].concat()] {
        let answer = post_at(second, &headers, &world.lead("Roe")).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "idempotency_key_reused"), "{answer:?}");
    }
    let same = post_at(second, &keyed, &world.lead("Doe")).await;
    assert_eq!(same.status, 201, "what it took in between and lost is not held against it: {same:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_taken_before_its_lead_is_decided() {
    let world = World::with(|config| config.decision_wait = Duration::from_millis(50), false).await;
    for (key, headers) in [("sync", vec![]), ("async", vec![ASYNC])] {
        let headers = [&[("X-API-Key", KEY), JSON, ("Idempotency-Key", key)], headers.as_slice()].concat();
        assert_eq!(world.post_with(&headers, &world.lead("Doe")).await.status, 202);
        assert_eq!(world.post_with(&headers, &world.lead("Roe")).await.code(), "idempotency_key_reused");
        assert_eq!(world.post_with(&headers, &world.lead("Doe")).await.status, 202, "a repeat stays welcome");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simultaneous_copies_all_get_the_one_decision() {
    let world = World::start().await;
    let keyed = [("X-API-Key", KEY), JSON, ("Idempotency-Key", "storm")];
    let body = world.lead("Doe");
    let answers = futures::future::join_all((0..50).map(|_| world.post_with(&keyed, &body))).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    let leads: HashSet<_> = answers.iter().map(|answer| answer.json()["leadId"].to_string()).collect();
    assert_eq!(leads.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_simultaneous_bodies_under_one_key_one_is_taken() {
    let world = World::start().await;
    let keyed = [("X-API-Key", KEY), JSON, ("Idempotency-Key", "storm")];
    let bodies: Vec<_> = (0..20).map(|n| world.lead(&format!("Doe{n}"))).collect();
    let answers = futures::future::join_all(bodies.iter().map(|body| world.post_with(&keyed, body))).await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((taken.len(), refused.len()), (1, 19), "{answers:?}");
    assert!(refused.iter().all(|answer| answer.code() == "idempotency_key_reused"));
}
