//! Many at once, through the public API and two replicas of everything: exactly what is right.

use futures::future::join_all;
use leadflow_contracts::common::Logic;
use leadflow_testkit::books;
use serde_json::Value;

use crate::world::{PATIENCE, Terms, World, doubled, lead};

/// Posts them all at once and gives the answers.
async fn all_at_once(world: &World, posts: Vec<(Value, Option<&str>)>) -> Vec<Value> {
    let answers = join_all(posts.iter().map(async |(body, key)| {
        let headers: Vec<_> = key.iter().map(|&key| ("idempotency-key", key)).collect();
        let answer = world.post(body, &headers).await.unwrap();
        assert!(answer.status == 201 || answer.status == 202, "{answer:?}");
        answer.body
    }))
    .await;
    world.settled(&answers).await;
    answers
}

async fn books_are_right(world: &World) {
    let report = books::check(&world.books, &books::Expectations::default()).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn money_for_forty_buys_forty_and_leaves_nothing() {
    let world = World::start(doubled()).await;
    let campaign = world.campaign(Logic::RoundRobin, "25.00", 0).await;
    let buyer = world.buyer("forty", 5, "1000.00").await;
    world.subscribe(campaign, buyer, Terms::default()).await;
    all_at_once(&world, (0..200).map(|n| (lead(campaign, n), None)).collect()).await;
    assert_eq!(world.sold(campaign).await, [(buyer, 40)]);
    let wallet = world.wallet(buyer).await;
    assert_eq!(wallet.available.unwrap().amount, "0.00");
    assert_eq!(wallet.balance.unwrap().amount, "0.00");
    books_are_right(&world).await;
    // The other 160 are for sale still: money for three more sells three more.
    world.credit(buyer, "75.00", "three more").await;
    leadflow_testkit::wait::until("three more are sold", PATIENCE, async || {
        world.sold(campaign).await == [(buyer, 43)]
    })
    .await;
    world.settled(&[]).await;
    books_are_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_copies_of_one_post_are_one_sale() {
    let world = World::start(doubled()).await;
    let campaign = world.campaign(Logic::RoundRobin, "25.00", 0).await;
    let buyer = world.buyer("copies", 5, "10000.00").await;
    world.subscribe(campaign, buyer, Terms::default()).await;
    let answers = all_at_once(&world, (0..200).map(|_| (lead(campaign, 1), Some("the-same-key"))).collect()).await;
    assert_eq!(world.sold(campaign).await, [(buyer, 1)]);
    let first = &answers[0]["leadId"];
    assert!(answers.iter().all(|answer| &answer["leadId"] == first), "one lead, one id");
    books_are_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_at_two_gateways_that_wait_and_that_do_not_are_one_sale() {
    let world = World::start(doubled().replicas("ingest", 2)).await;
    let campaign = world.campaign(Logic::RoundRobin, "25.00", 0).await;
    let buyer = world.buyer("gateways", 5, "10000.00").await;
    world.subscribe(campaign, buyer, Terms::default()).await;
    let body = lead(campaign, 1);
    let gateways = world.cluster.http_urls("ingest");
    let invalid = serde_json::json!({ "campaignId": campaign, "data": {} });
    leadflow_testkit::wait::until("the second gateway knows the campaign", PATIENCE, async || {
        let (url, key) = (format!("{}/api/leads/ingest", gateways[1]), [("x-api-key", world.api_key.as_str())]);
        world.client.send(http::Method::POST, &url, &key, Some(&invalid)).await.is_ok_and(|one| one.status == 422)
    })
    .await;
    let answers = join_all((0..200).map(|n: usize| {
        let (world, body) = (&world, &body);
        let url = format!("{}/api/leads/ingest", gateways[n % 2]);
        async move {
            let mut headers = vec![("x-api-key", world.api_key.as_str()), ("idempotency-key", "the-same-key")];
            headers.extend(n.is_multiple_of(3).then_some(("prefer", "respond-async")));
            let answer = world.client.send(http::Method::POST, &url, &headers, Some(body)).await.unwrap();
            assert!(answer.status == 201 || answer.status == 202, "{answer:?}");
            answer.body
        }
    }))
    .await;
    world.settled(&answers).await;
    assert!(answers.iter().all(|answer| answer["leadId"] == answers[0]["leadId"]), "one lead, one id");
    assert_eq!(world.sold(campaign).await, [(buyer, 1)]);
    assert_eq!(world.wallet(buyer).await.balance.unwrap().amount, "9975.00");
    books_are_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_posts_of_one_person_are_one_sale() {
    let world = World::start(doubled()).await;
    let campaign = world.campaign(Logic::Broadcast, "25.00", 30).await;
    let buyer = world.buyer("person", 5, "10000.00").await;
    world.subscribe(campaign, buyer, Terms::default()).await;
    let answers = all_at_once(&world, (0..200).map(|_| (lead(campaign, 1), None)).collect()).await;
    assert_eq!(world.sold(campaign).await, [(buyer, 1)]);
    // Whoever was told something was told the truth; how many were told at once depends on the machine.
    assert!(
        answers.iter().all(|answer| answer["distributed"] == true
            || answer["reason"] == "duplicate"
            || answer["outcome"] == "pending"),
        "{answers:?}"
    );
    let duplicates: i64 = sqlx::query_scalar("SELECT count(*) FROM distribution.leads WHERE reason = 'duplicate'")
        .fetch_one(&world.books)
        .await
        .unwrap();
    assert_eq!(duplicates, 199);
    books_are_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_of_ten_admits_ten() {
    let world = World::start(doubled()).await;
    let campaign = world.campaign(Logic::WeightedRoundRobin, "1.00", 0).await;
    let buyer = world.buyer("capped", 5, "10000.00").await;
    world.subscribe(campaign, buyer, Terms { daily_cap: Some(10), ..Terms::default() }).await;
    all_at_once(&world, (0..200).map(|n| (lead(campaign, n), None)).collect()).await;
    assert_eq!(world.sold(campaign).await, [(buyer, 10)]);
    books_are_right(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_over_seven_buyers_is_even_to_one_lead() {
    let world = World::start(doubled()).await;
    let campaign = world.campaign(Logic::RoundRobin, "1.00", 0).await;
    for n in 0..7 {
        let buyer = world.buyer(&format!("seven{n}"), 5, "10000.00").await;
        world.subscribe(campaign, buyer, Terms::default()).await;
    }
    all_at_once(&world, (0..300).map(|n| (lead(campaign, n), None)).collect()).await;
    let sold = world.sold(campaign).await;
    let counts: Vec<_> = sold.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts.len(), 7);
    assert_eq!(counts.iter().sum::<i64>(), 300);
    assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
    books_are_right(&world).await;
}
