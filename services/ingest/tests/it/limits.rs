//! Bounds of rate, room, size and time.

use std::time::Duration;

use leadflow_testkit::wait;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    client,
    world::{JSON, KEY, OTHER_KEY, PATIENCE, World, post_at},
};

const LOOK_UP: &str = "/api/leads/ingest?reference=x";
/// Longer than any test.
const FOREVER: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supplier_and_a_seller_have_limits_from_their_records() {
    let world = World::with(|_| {}, false).await;
    let mut record = world.tenant.supplier_record(2, &[KEY, "sk_v2"]);
    record.posts_per_second = 1;
    world.publish(&record).await;
    let mut seller = world.other.seller_record();
    (seller.version, seller.posts_per_second) = (2, 1);
    world.publish(&seller).await;
    for key in [KEY, OTHER_KEY] {
        let refused = wait::until_some("the limit is reached", PATIENCE, async || {
            let headers = [("X-API-Key", key), JSON];
            let answers = futures::future::join_all((0..8).map(|_| world.post_with(&headers, "{}"))).await;
            answers.into_iter().find(|answer| answer.status == 429)
        })
        .await;
        assert_eq!(refused.code(), "rate_limited");
        assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    }
    // Asking later has a limit of its own, and so has everybody else.
    assert_eq!(world.get(LOOK_UP, &[("X-API-Key", KEY)]).await.status, 404);
    assert_eq!(world.stored().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_tell_what_is_left_of_the_limits() {
    let world = World::with(|_| {}, false).await;
    let told = |answer: &client::Answer| {
        ["limit", "remaining", "reset"].map(|name| Some(answer.header(&format!("ratelimit-{name}"))?.parse().unwrap()))
    };
    let headers = [("X-API-Key", KEY), JSON];
    for answer in [world.post(&world.lead("Doe")).await, world.post("{}").await, world.get(LOOK_UP, &headers).await] {
        let [Some(limit), Some(remaining), Some(reset)] = told(&answer) else { panic!("{answer:?}") };
        // As much as one request, or all that came before less what was given back since.
        assert!((1..500_u64).contains(&remaining), "{answer:?}");
        assert_eq!((limit, reset), (500, 1));
    }

    // Of two limits the one that is reached first, and for who is over it when to come back.
    let mut seller = world.tenant.seller_record();
    (seller.version, seller.posts_per_second) = (2, 1);
    world.publish(&seller).await;
    let refused = wait::until_some("the limit is reached", PATIENCE, async || {
        let answers = futures::future::join_all((0..8).map(|_| world.post("{}"))).await;
        answers.into_iter().find(|answer| answer.status == 429)
    })
    .await;
    assert_eq!(told(&refused), [Some(1), Some(0), refused.header("retry-after").map(|text| text.parse().unwrap())]);
    // Who is not known is told his address's.
    let unknown = world.post_with(&[("X-API-Key", "sk_wrong"), JSON], "{}").await;
    assert_eq!((unknown.status, told(&unknown)[0]), (401, Some(100)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_shows_no_known_key_is_limited_by_address_and_keeps_nobody_else_out() {
    let world = World::with(|config| config.unknown_keys_per_second = 1, false).await;
    for headers in [&[("X-API-Key", "sk_guess"), JSON][..], &[JSON]] {
        let refused = wait::until_some("guessing ends", PATIENCE, async || {
            let answers = futures::future::join_all((0..8).map(|_| world.post_with(headers, "{}"))).await;
            assert!(answers.iter().all(|answer| [401, 429].contains(&answer.status)), "{answers:?}");
            answers.into_iter().find(|answer| answer.status == 429)
        })
        .await;
        assert_eq!((refused.code().as_str(), refused.header("ratelimit-limit")), ("rate_limited", Some("1")));
        assert_eq!(world.post("{}").await.status, 422, "a good key at the same address");
    }
    // A proxy's word is not taken unless it is ours.
    let forwarded = [JSON, ("X-Forwarded-For", "203.0.113.7")];
    wait::until("another address is claimed in vain", PATIENCE, async || {
        let answers = futures::future::join_all((0..8).map(|_| world.post_with(&forwarded, "{}"))).await;
        answers.iter().any(|answer| answer.status == 429)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_that_of_all_gateways_together() {
    let world = World::with(|_| {}, false).await;
    let other = world.second_gateway().await;
    let headers = [("X-API-Key", KEY), JSON];
    wait::until("the other gateway knows the key, too", PATIENCE, async || {
        post_at(other, &headers, "{}").await.status == 422
    })
    .await;
    // What is asked there alone costs one of 500, and two milliseconds give it back.
    wait::until("what one let through is taken from the other", PATIENCE, async || {
        futures::future::join_all((0..50).map(|_| world.post("{}"))).await;
        let told = post_at(other, &headers, "{}").await;
        told.header("ratelimit-remaining").is_some_and(|left| left.parse::<u32>().unwrap() <= 480)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_posts_than_there_is_room_for_are_sent_away() {
    // Nobody decides, so those who are in stay in.
    let world = World::with(|config| (config.max_in_flight, config.decision_wait) = (2, FOREVER), false).await;
    let body = world.lead("Doe");
    let request = client::request("POST /api/leads/ingest", &[("X-API-Key", KEY), JSON], Some(body.as_bytes()));
    let mut inside = Vec::new();
    for stored in 1..=2 {
        let mut stream = TcpStream::connect(world.addr).await.unwrap();
        stream.write_all(&request).await.unwrap();
        inside.push(stream);
        wait::until("the lead is stored", PATIENCE, async || world.stored().await == stored).await;
    }
    let refused = world.post(&body).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "overloaded"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(world.stored().await, 2);

    drop(inside.pop());
    let headers = [("X-API-Key", KEY), JSON, ("Prefer", "respond-async")];
    wait::until("there is room again", PATIENCE, async || world.post_with(&headers, &body).await.status == 202).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supplier_who_sends_slowly_keeps_nobody_else_out() {
    for (room, share) in [(1, 1), (9, 2)] {
        let world = World::with(|config| (config.max_in_flight, config.body_timeout) = (room, FOREVER), false).await;
        let body = world.lead("Doe");
        let (front, back) = body.split_at(body.len() / 2);
        let length = body.len().to_string();
        let headers = [("X-API-Key", KEY), JSON, ("Content-Length", &length), ("Expect", "100-continue")];
        let head = client::request("POST /api/leads/ingest", &headers, None);
        let mut halves = Vec::new();
        for _ in 0..share {
            let mut stream = TcpStream::connect(world.addr).await.unwrap();
            stream.write_all(&head).await.unwrap();
            // The gateway asks for the body once it has given it room.
            assert_eq!(client::read(&mut stream).await.map(|answer| answer.status), Some(100));
            stream.write_all(front.as_bytes()).await.unwrap();
            halves.push(stream);
        }
        let refused = world.post(&body).await;
        assert_eq!((refused.status, refused.code().as_str()), (429, "too_many_bodies"));
        assert_eq!(refused.header("retry-after"), Some("1"));

        let theirs = crate::world::body(world.other.campaign, "Roe", "");
        let theirs = world.post_with(&[("X-API-Key", OTHER_KEY), JSON], &theirs).await;
        assert_eq!(theirs.status, 202, "{theirs:?}");

        let mut half = halves.pop().unwrap();
        half.write_all(back.as_bytes()).await.unwrap();
        assert_eq!(client::read(&mut half).await.map(|answer| answer.status), Some(202));
        assert_eq!(world.post(&body).await.status, 202, "its place is free again");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_callers_are_cut_off() {
    let short = Duration::from_secs(2);
    let world = World::with(|config| (config.header_timeout, config.body_timeout) = (short, short), false).await;
    let cut_off = async |sent: &[u8]| {
        let mut stream = TcpStream::connect(world.addr).await.unwrap();
        stream.write_all(sent).await.unwrap();
        tokio::time::timeout(PATIENCE, client::read(&mut stream)).await.expect("cut off")
    };
    let head = client::request("POST /api/leads/ingest", &[("X-API-Key", KEY), JSON, ("Content-Length", "100")], None);
    let half_body = [head.as_slice(), b"{\"camp"].concat();
    let (half_head, silent, half_body) =
        tokio::join!(cut_off(b"POST /api/leads/ingest HTTP/1.1\r\nX-Api"), cut_off(b""), cut_off(&half_body));
    assert!(half_head.is_none_or(|answer| answer.status == 408));
    assert!(silent.is_none_or(|answer| answer.status == 408));
    let half_body = half_body.expect("an answer");
    assert_eq!((half_body.status, half_body.code().as_str()), (408, "body_timeout"));
    assert_eq!(world.stored().await, 0);
}
