//! Bodies that are too large: whoever sends one sees the answer, and cannot send for ever.

use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpStream, tcp::OwnedWriteHalf},
};

use crate::{
    client::{self, Answer},
    world::{JSON, KEY, PATIENCE, World},
};

const LINE: &str = "POST /api/leads/ingest";
/// More than fits into the buffers between the two, and less than is read on for.
const LARGE: usize = 6 << 20;

fn head(more: &[(&str, &str)]) -> Vec<u8> {
    client::request(LINE, &[&[("X-API-Key", KEY), JSON], more].concat(), None)
}

async fn answered(stream: &mut TcpStream) -> Answer {
    let read = tokio::time::timeout(PATIENCE, client::read(stream)).await;
    read.expect("an answer in time").expect("an answer")
}

#[track_caller]
fn is_too_large(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_all_of_it_before_he_looks_sees_the_answer_and_keeps_his_connection() {
    let world = World::with(|_| {}, false).await;
    let body = vec![b' '; LARGE];
    let announced = client::request(LINE, &[("X-API-Key", KEY), JSON], Some(&body));
    let mut chunked = head(&[("Transfer-Encoding", "chunked")]);
    chunked.extend_from_slice(format!("{LARGE:x}\r\n").as_bytes());
    chunked.extend_from_slice(&body);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    for request in [announced, chunked] {
        let mut stream = TcpStream::connect(world.addr).await.unwrap();
        stream.write_all(&request).await.expect("nobody hangs up");
        is_too_large(&answered(&mut stream).await);
        let good = client::request(LINE, &[("X-API-Key", KEY), JSON], Some(b"{}"));
        stream.write_all(&good).await.unwrap();
        assert_eq!(answered(&mut stream).await.status, 422);
    }
    assert_eq!(world.stored().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_before_he_sends_is_answered_without_it() {
    let world = World::with(|_| {}, false).await;
    let mut stream = TcpStream::connect(world.addr).await.unwrap();
    let length = LARGE.to_string();
    stream.write_all(&head(&[("Content-Length", &length), ("Expect", "100-continue")])).await.unwrap();
    // Not 100: that would ask for the body.
    is_too_large(&answered(&mut stream).await);
}

/// Sends a body without an end until nobody takes it any more.
async fn send_for_ever(mut sink: OwnedWriteHalf) {
    let mut chunk = b"10000\r\n".to_vec();
    chunk.extend_from_slice(&[b' '; 0x10000]);
    chunk.extend_from_slice(b"\r\n");
    while sink.write_all(&chunk).await.is_ok() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_ends_is_cut_off() {
    let world = World::with(|_| {}, false).await;
    let mut stream = TcpStream::connect(world.addr).await.unwrap();
    stream.write_all(&head(&[("Transfer-Encoding", "chunked")])).await.unwrap();
    let (_source, sink) = stream.into_split();
    let sending = tokio::spawn(send_for_ever(sink));
    tokio::time::timeout(PATIENCE, sending).await.expect("he is cut off").unwrap();
    assert_eq!(world.stored().await, 0);
}
