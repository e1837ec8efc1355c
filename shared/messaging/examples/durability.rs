//! What an acknowledgement costs with each setting, and what it survives: the measurement behind
//! `docs/durability.md`.
//!
//! `cargo run --release -p leadflow-messaging --example durability -- [SECONDS] [CALLERS]`
//!
//! Each way of publishing gets a nats-server of its own with an interest stream and a durable
//! consumer, as LEADS has. So many callers each publish 1 KiB and wait for the acknowledgement. At
//! the end the server is killed with SIGKILL under load and started again; every acknowledged event
//! must be there.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{
    HeaderMap,
    jetstream::{
        self,
        consumer::pull,
        stream::{Config, RetentionPolicy, StorageType},
    },
};
use bytes::Bytes;
use futures::StreamExt as _;
use leadflow_testkit::{
    TempDir,
    servers::{Nats, NatsOptions, SyncInterval},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
    time::Instant,
};

const SUBJECT: &str = "lead.received";
const STREAM: &str = "LEADS";
const BYTES: usize = 1024;
const IDS: &str = "ids";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// A message for each event.
    Plain,
    /// What waits, as one atomic batch of messages; so many batches at once.
    Atomic(usize),
    /// What waits, as one message; so many at once.
    Bundle(usize),
}

struct Waiting {
    id: u64,
    done: oneshot::Sender<bool>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(Ok(4.0), |text| text.parse())?;
    let callers = arguments.next().map_or(Ok(64), |text| text.parse())?;
    println!("| sync_interval | published as | acks/s | p50 | p99 | events a message or batch | lost by kill -9 |");
    println!("|---|---|---|---|---|---|---|");
    for sync in [SyncInterval::Every(Duration::from_secs(120)), SyncInterval::Always] {
        for way in
            [Way::Plain, Way::Atomic(1), Way::Atomic(2), Way::Atomic(4), Way::Bundle(1), Way::Bundle(2), Way::Bundle(4)]
        {
            measure(sync, way, callers, Duration::from_secs_f64(seconds)).await?;
        }
    }
    Ok(())
}

async fn measure(sync: SyncInterval, way: Way, callers: usize, time: Duration) -> anyhow::Result<()> {
    let folder = TempDir::new("durability")?;
    let mut nats = Nats::start(NatsOptions { sync, ..NatsOptions::new(folder.path()) }).await?;
    let context = jetstream::new(async_nats::connect(nats.url()).await?);
    let stream = context
        .create_stream(Config {
            name: STREAM.to_owned(),
            subjects: vec!["lead.>".to_owned()],
            storage: StorageType::File,
            retention: RetentionPolicy::Interest,
            allow_atomic_publish: true,
            ..Config::default()
        })
        .await?;
    let consumer = pull::Config {
        durable_name: Some("distribution".to_owned()),
        filter_subject: SUBJECT.to_owned(),
        ..pull::Config::default()
    };
    stream.create_consumer(consumer).await?;

    let (queue, waiting) = mpsc::channel(4096);
    let groups = Arc::new(AtomicU64::new(0));
    tokio::spawn(collect(context, way, waiting, Arc::clone(&groups)));
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let end = began + time;
    let mut publishing = JoinSet::new();
    for _ in 0..callers {
        let (queue, next) = (queue.clone(), Arc::clone(&next));
        publishing.spawn(async move {
            let mut acknowledged = Vec::new();
            // Past the end on purpose: the server dies under load.
            while began.elapsed() < time + Duration::from_secs(5) {
                let id = next.fetch_add(1, Ordering::Relaxed);
                let (done, outcome) = oneshot::channel();
                let asked = Instant::now();
                if queue.send(Waiting { id, done }).await.is_err() || !outcome.await.unwrap_or(false) {
                    break;
                }
                acknowledged.push((id, asked.elapsed(), asked < end));
            }
            acknowledged
        });
    }
    tokio::time::sleep_until(end).await;
    let sent = (next.load(Ordering::Relaxed), groups.load(Ordering::Relaxed));
    nats.kill9();
    drop(queue);
    let acknowledged: Vec<_> = publishing.join_all().await.into_iter().flatten().collect();
    let mut latencies: Vec<Duration> =
        acknowledged.iter().filter(|(_, _, in_time)| *in_time).map(|(_, l, _)| *l).collect();
    latencies.sort_unstable();
    let millis = |share: f64| {
        let at = (latencies.len() as f64 * share) as usize;
        latencies.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    };
    nats.restart().await?;
    let stored = stored(&nats).await?;
    let lost = acknowledged.iter().filter(|(id, _, _)| !stored.contains(id)).count();
    println!(
        "| {sync} | {way:?} | {:.0} | {:.2} ms | {:.2} ms | {:.1} | {lost} of {} |",
        latencies.len() as f64 / time.as_secs_f64(),
        millis(0.5),
        millis(0.99),
        sent.0 as f64 / sent.1.max(1) as f64,
        acknowledged.len(),
    );
    Ok(())
}

/// Takes what waits and publishes it, never more groups at once than the way allows.
async fn collect(context: jetstream::Context, way: Way, mut waiting: mpsc::Receiver<Waiting>, groups: Arc<AtomicU64>) {
    let (at_once, most) = match way {
        Way::Plain => (usize::MAX >> 4, 1),
        Way::Atomic(at_once) => (at_once, 256),
        Way::Bundle(at_once) => (at_once, 256),
    };
    let turns = Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)));
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
        let mut group = Vec::new();
        if waiting.recv_many(&mut group, most).await == 0 {
            return;
        }
        let number = groups.fetch_add(1, Ordering::Relaxed);
        let Some(acknowledgement) = publish(&context, way, number, &group).await else { return };
        tokio::spawn(async move {
            let stored = tokio::time::timeout(Duration::from_secs(2), acknowledgement.into_future()).await;
            drop(turn);
            let stored = matches!(stored, Ok(Ok(_)));
            for one in group {
                // A caller that has gone needs no answer.
                let _ = one.done.send(stored);
            }
        });
    }
}

/// Publishes a group; the acknowledgement is that of its last message.
async fn publish(
    context: &jetstream::Context,
    way: Way,
    number: u64,
    group: &[Waiting],
) -> Option<jetstream::context::PublishAckFuture> {
    let payload = Bytes::from(vec![b'x'; BYTES]);
    if let Way::Atomic(_) = way
        && group.len() > 1
    {
        for (index, one) in group.iter().enumerate() {
            let mut headers = headers(std::slice::from_ref(one));
            headers.insert("Nats-Batch-Id", format!("batch-{number}").as_str());
            headers.insert("Nats-Batch-Sequence", (index + 1).to_string().as_str());
            if index + 1 == group.len() {
                headers.insert("Nats-Batch-Commit", "1");
                return context.publish_with_headers(SUBJECT, headers, payload).await.ok();
            }
            // Without a reply subject the server says nothing until the batch is committed.
            context.client().publish_with_headers(SUBJECT, headers, payload.clone()).await.ok()?;
        }
    }
    let payload = Bytes::from(vec![b'x'; BYTES * group.len()]);
    context.publish_with_headers(SUBJECT, headers(group), payload).await.ok()
}

fn headers(group: &[Waiting]) -> HeaderMap {
    let ids: Vec<_> = group.iter().map(|one| one.id.to_string()).collect();
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", ids[0].as_str());
    headers.insert(IDS, ids.join(",").as_str());
    headers
}

/// The ids of all stored events.
async fn stored(nats: &Nats) -> anyhow::Result<HashSet<u64>> {
    let context = jetstream::new(async_nats::connect(nats.url()).await?);
    let mut stream = context.get_stream(STREAM).await?;
    let count = stream.info().await?.state.messages;
    let consumer: jetstream::consumer::Consumer<pull::Config> =
        stream.get_consumer("distribution").await.map_err(|error| anyhow::anyhow!(error))?;
    let mut messages = consumer.stream().max_messages_per_batch(1_000).messages().await?;
    let mut ids = HashSet::new();
    for _ in 0..count {
        let Some(message) = messages.next().await else { break };
        let message = message?;
        let listed = message.headers.as_ref().and_then(|headers| headers.get(IDS));
        ids.extend(
            listed.into_iter().flat_map(|value| value.as_str().split(',')).filter_map(|id| id.parse::<u64>().ok()),
        );
        message.ack().await.map_err(|error| anyhow::anyhow!(error))?;
    }
    Ok(ids)
}
