//! Directory records on connections that lose or delay what they carry: the newest version stays.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_nats::{HeaderMap, jetstream};
use chrono::DateTime;
use leadflow_contracts::events::SellerChanged;
use leadflow_kernel::EventId;
use leadflow_messaging::{
    Bus, Envelope, Message, directory,
    outbox::{Outbox, Relay},
};
use leadflow_testkit::{ChaosProxy, TestDb, TestNats, wait};
use sqlx::PgPool;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, bus_to, bus_with_streams, outbox::MIGRATOR};

/// The versions of record "one" that a reader was given, and whether it has read all there is.
#[derive(Default, Clone)]
struct Versions(Arc<Mutex<(Vec<u64>, bool)>>);

impl directory::Sink for Versions {
    fn apply(&mut self, message: &Message) {
        let seller: SellerChanged = message.decode().unwrap();
        self.0.lock().unwrap().0.push(seller.version);
    }

    fn loaded(&mut self) {
        self.0.lock().unwrap().1 = true;
    }
}

/// The version that a gateway which starts now would know.
async fn newest(bus: &Bus) -> Option<u64> {
    let (versions, shutdown) = (Versions::default(), CancellationToken::new());
    let reading = tokio::spawn(directory::follow(bus.clone(), &["seller"], versions.clone(), shutdown.clone()));
    wait::until("loaded", PATIENCE, async || versions.0.lock().unwrap().1).await;
    shutdown.cancel();
    reading.await.unwrap();
    let seen = versions.0.lock().unwrap();
    seen.0.last().copied()
}

/// A relay that does only what it is told.
fn relay(pool: &PgPool, bus: &Bus) -> (Outbox, Relay) {
    let outbox = Outbox::new("test_service");
    let (relay, idle) = Relay::new(outbox.clone(), pool.clone(), bus.clone(), CancellationToken::new());
    drop(idle);
    (outbox, relay)
}

async fn change(pool: &PgPool, outbox: &Outbox, version: u64) {
    let event = SellerChanged { seller_id: "one".to_owned(), version, ..Default::default() };
    let time = DateTime::from_timestamp_millis(1_765_108_800_000).unwrap();
    let mut transaction = pool.begin().await.unwrap();
    drop(outbox.append(&mut transaction, vec![Envelope::new(EventId::new(), &event, time)]).await.unwrap());
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn the_newest_version_stays_when_an_acknowledgement_is_lost() {
    let (nats, db) = (TestNats::start().await.unwrap(), TestDb::create(&[&MIGRATOR]).await.unwrap());
    let direct = bus_with_streams(&nats).await;
    let proxy = ChaosProxy::start(([127, 0, 0, 1], nats.port()).into()).await.unwrap();
    let behind = bus_to(&format!("nats://{}", proxy.addr())).await;
    let ((outbox, one), (_, two)) = (relay(db.pool(), &behind), relay(db.pool(), &direct));
    let event = SellerChanged { seller_id: "one".to_owned(), version: 1, ..Default::default() };
    let first = Envelope::new(EventId::new(), &event, DateTime::UNIX_EPOCH);
    let mut transaction = db.pool().begin().await.unwrap();
    drop(outbox.append(&mut transaction, vec![first.clone()]).await.unwrap());
    transaction.commit().await.unwrap();
    // What the first replica does until its connection is cut: stored, and it never hears of it.
    proxy.mute();
    let sent = tokio::spawn(async move { behind.publish(&[first]).await });
    wait::until("the first is stored", PATIENCE, async || newest(&direct).await == Some(1)).await;
    proxy.cut().await;
    assert!(sent.await.unwrap().is_err(), "it cannot know");
    // The second is written while nobody knows what became of the first; both are sent by another replica,
    // and, as if that had died before its rows were gone, once more by the first.
    change(db.pool(), &outbox, 2).await;
    proxy.restore().await.unwrap();
    sqlx::query("CREATE TABLE test_service.kept AS SELECT * FROM test_service.outbox")
        .execute(db.pool())
        .await
        .unwrap();
    assert_eq!(two.sweep_ordered().await.unwrap(), 2);
    assert_eq!(newest(&direct).await, Some(2));
    sqlx::query("INSERT INTO test_service.outbox OVERRIDING SYSTEM VALUE SELECT * FROM test_service.kept")
        .execute(db.pool())
        .await
        .unwrap();
    assert_eq!(one.sweep_ordered().await.unwrap(), 2);
    assert_eq!(newest(&direct).await, Some(2));
    assert_eq!(outbox.waiting(db.pool()).await.unwrap(), 0);
}

/// Forwards one connection, but holds what the client sends from `HELD` on until it is released; then a
/// message of its own follows, on `AFTER`.
struct Holding {
    url: String,
    holds: Arc<Notify>,
    release: Arc<Notify>,
}

const HELD: &[u8] = b"HPUB seller.changed.one ";
const AFTER: &str = "seller.after";

impl Holding {
    async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let this = Self { url, holds: Arc::default(), release: Arc::default() };
        let (holds, release) = (Arc::clone(&this.holds), Arc::clone(&this.release));
        tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            // Goes on when the client has gone: the server still hears the rest.
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
            let mut bytes = Vec::new();
            while from_client.read_buf(&mut bytes).await.is_ok_and(|count| count > 0) {
                let Some(start) = bytes.windows(HELD.len()).position(|window| window == HELD) else {
                    to_server.write_all(&bytes).await.unwrap();
                    bytes.clear();
                    continue;
                };
                let Some(end) = end_of_message(&bytes, start) else { continue };
                bytes.truncate(end);
                holds.notify_one();
                release.notified().await;
                bytes.extend_from_slice(format!("PUB {AFTER} 1\r\nx\r\n").as_bytes());
                to_server.write_all(&bytes).await.unwrap();
                // The connection stays as it is until the test ends.
                return std::future::pending().await;
            }
        });
        this
    }
}

/// Where the message that begins at `start` ends, once all of it is there: its first line ends with the
/// number of the bytes that follow.
fn end_of_message(bytes: &[u8], start: usize) -> Option<usize> {
    let line = start + bytes[start..].windows(2).position(|window| window == b"\r\n")?;
    let total: usize = std::str::from_utf8(&bytes[start..line]).ok()?.rsplit(' ').next()?.parse().ok()?;
    let end = line + 2 + total + 2;
    (bytes.len() >= end).then_some(end)
}

#[tokio::test]
async fn a_version_that_was_held_back_on_its_way_never_comes_after_a_newer_one() {
    let (nats, db) = (TestNats::start().await.unwrap(), TestDb::create(&[&MIGRATOR]).await.unwrap());
    let direct = bus_with_streams(&nats).await;
    let holding = Holding::start(nats.port()).await;
    let behind = bus_to(&holding.url).await;
    let ((outbox, one), (_, two)) = (relay(db.pool(), &behind), relay(db.pool(), &direct));
    let raw = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    forget_ids_soon(&raw).await;

    change(db.pool(), &outbox, 1).await;
    let first = tokio::spawn(async move { one.sweep_ordered().await });
    holding.holds.notified().await;
    assert!(first.await.unwrap().is_err(), "no acknowledgement");
    assert_eq!(newest(&direct).await, None);
    // Another replica takes over.
    assert_eq!(two.sweep_ordered().await.unwrap(), 1);
    change(db.pool(), &outbox, 2).await;
    assert_eq!(two.sweep_ordered().await.unwrap(), 1);
    assert_eq!(newest(&direct).await, Some(2));
    ids_are_forgotten(&raw).await;

    // Now the copy that was held back comes, and no id tells the stream that it knows it.
    holding.release.notify_one();
    let stream = raw.get_stream("DIRECTORY").await.unwrap();
    wait::until("what follows it is stored", PATIENCE, async || {
        stream.get_last_raw_message_by_subject(AFTER).await.is_ok()
    })
    .await;
    assert_eq!(newest(&direct).await, Some(2));
}

/// The stream knows ids for as short a time as can be.
async fn forget_ids_soon(raw: &jetstream::Context) {
    let mut config = raw.get_stream("DIRECTORY").await.unwrap().cached_info().config.clone();
    config.duplicate_window = Duration::from_millis(100);
    raw.update_stream(config).await.unwrap();
}

/// What has an id now is forgotten, and so is everything older.
async fn ids_are_forgotten(raw: &jetstream::Context) {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", "probe");
    let known = async || {
        let ack = raw.publish_with_headers("seller.probe", headers.clone(), "x".into()).await.unwrap();
        ack.await.unwrap().duplicate
    };
    assert!(!known().await);
    wait::until("an id is forgotten", PATIENCE, async || !known().await).await;
}
