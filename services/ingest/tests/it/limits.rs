//! Bounds of rate, room, size and time.

use std::time::Duration;

use leadflow_testkit::wait;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    client,
    world::{JSON, KEY, OTHER_KEY, PATIENCE, World},
};

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
            let answer = world.post_with(&[("X-API-Key", key), JSON], "{}").await;
            (answer.status == 429).then_some(answer)
        })
        .await;
        assert_eq!(refused.code(), "rate_limited");
        assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    }
    // Asking later has a limit of its own, and so has everybody else.
    let path = "/api/leads/ingest?reference=x";
    assert_eq!(world.get(path, &[("X-API-Key", KEY)]).await.status, 404);
    assert_eq!(world.stored().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_posts_than_there_is_room_for_are_sent_away() {
    let world = World::with(|config| config.max_in_flight = 2, false).await;
    let body = world.lead("Doe");
    let answers = futures::future::join_all((0..12).map(|_| world.post(&body))).await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 202);
    assert!(!taken.is_empty() && !refused.is_empty(), "{answers:?}");
    for answer in refused {
        assert_eq!((answer.status, answer.code().as_str()), (503, "overloaded"));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert_eq!(world.stored().await, taken.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_callers_are_cut_off() {
    let short = Duration::from_secs(1);
    let world = World::with(|config| (config.header_timeout, config.body_timeout) = (short, short), false).await;
    let mut half_head = TcpStream::connect(world.addr).await.unwrap();
    half_head.write_all(b"POST /api/leads/ingest HTTP/1.1\r\nX-Api").await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, client::read(&mut half_head)).await.expect("cut off");
    assert!(ended.is_none_or(|answer| answer.status == 408));

    let mut says_nothing = TcpStream::connect(world.addr).await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, client::read(&mut says_nothing)).await.expect("cut off");
    assert!(ended.is_none_or(|answer| answer.status == 408));

    let mut half_body = TcpStream::connect(world.addr).await.unwrap();
    let head = client::request("POST /api/leads/ingest", &[("X-API-Key", KEY), JSON, ("Content-Length", "100")], None);
    half_body.write_all(&[head.as_slice(), b"{\"camp"].concat()).await.unwrap();
    let answer = tokio::time::timeout(PATIENCE, client::read(&mut half_body)).await.expect("cut off").unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (408, "body_timeout"));
    assert_eq!(world.stored().await, 0);
}
