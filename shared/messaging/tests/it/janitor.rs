//! Streams that are trimmed: what anybody still needs stays, what nobody needs goes.

use std::collections::{BTreeMap, BTreeSet};

use async_nats::jetstream::{
    self, AckKind,
    consumer::{Consumer, pull},
};
use chrono::DateTime;
use futures::StreamExt as _;
use leadflow_contracts::{
    events::{LeadAssigned, LeadDecided, LeadReceived},
    streams, subjects,
};
use leadflow_kernel::EventId;
use leadflow_messaging::{
    Envelope, Message,
    consumer::{self, BatchHandler, ConsumerSettings, HandleError},
    janitor, topology,
};
use leadflow_testkit::{TestNats, wait};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, bus_with_streams};

fn event(kind: &str) -> Envelope {
    let (id, now) = (EventId::new(), DateTime::from_timestamp_millis(1_765_108_800_000).unwrap());
    match kind {
        subjects::LEAD_RECEIVED => Envelope::new(id, &LeadReceived::default(), now),
        subjects::LEAD_ASSIGNED => Envelope::new(id, &LeadAssigned::default(), now),
        _ => Envelope::new(id, &LeadDecided::default(), now),
    }
}

/// Sequences in the stream, each with its subject.
async fn stored(jetstream: &jetstream::Context) -> BTreeMap<u64, String> {
    let stream = jetstream.get_stream(streams::LEADS).await.unwrap();
    let state = stream.cached_info().state.clone();
    let mut found = BTreeMap::new();
    for sequence in state.first_sequence..=state.last_sequence {
        if let Ok(message) = stream.get_raw_message(sequence).await {
            found.insert(sequence, message.subject.to_string());
        }
    }
    found
}

/// Fetches until `waiting` has that many.
async fn fetch(consumer: &Consumer<pull::Config>, many: usize, waiting: &mut Vec<jetstream::Message>) {
    while waiting.len() < many {
        let mut batch = consumer.fetch().max_messages(100).messages().await.unwrap();
        while let Some(message) = batch.next().await {
            waiting.push(message.unwrap());
        }
    }
}

#[tokio::test]
async fn only_what_every_consumer_has_acknowledged_is_removed() {
    let nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let jetstream = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let names = [streams::LEADS_DISTRIBUTION, streams::LEADS_BILLING, streams::LEADS_NOTIFIER];
    let wants = |consumer: &str| match consumer {
        streams::LEADS_DISTRIBUTION => subjects::LEAD_RECEIVED,
        _ => subjects::LEAD_ASSIGNED,
    };
    let mut published: BTreeMap<u64, &str> = BTreeMap::new();
    let mut acknowledged: BTreeMap<&str, BTreeSet<u64>> = names.iter().map(|name| (*name, BTreeSet::new())).collect();
    let mut fetched: BTreeMap<&str, Vec<jetstream::Message>> = BTreeMap::new();
    let mut removed = 0;
    for round in 0..30 {
        let last = round == 29;
        for _ in 0..if last { 0 } else { rng.random_range(0..6) } {
            let kinds = [subjects::LEAD_RECEIVED, subjects::LEAD_ASSIGNED, subjects::LEAD_UNSOLD];
            let kind = kinds[rng.random_range(0..3)];
            bus.publish(&[event(kind)]).await.unwrap();
            published.insert(published.len() as u64 + 1, kind);
        }
        for name in names {
            // Some consumers sleep through many rounds.
            if !last && rng.random_bool(0.5) {
                continue;
            }
            let consumer: Consumer<pull::Config> =
                jetstream.get_consumer_from_stream(name, streams::LEADS).await.unwrap();
            let waiting = fetched.entry(name).or_default();
            let wanted = published.values().filter(|kind| wants(name) == **kind).count();
            fetch(&consumer, wanted - acknowledged[name].len(), waiting).await;
            waiting.shuffle(&mut rng);
            // Some are given back, and come again.
            let again = rng.random_range(0..=waiting.len() / 3);
            for message in waiting.split_off(waiting.len() - again) {
                message.double_ack_with(AckKind::Nak(None)).await.unwrap();
            }
            fetch(&consumer, wanted - acknowledged[name].len(), waiting).await;
            waiting.shuffle(&mut rng);
            let keep = if last { 0 } else { rng.random_range(0..=waiting.len()) };
            for message in waiting.split_off(keep) {
                message.double_ack_with(AckKind::Ack).await.unwrap();
                acknowledged.get_mut(name).unwrap().insert(message.info().unwrap().stream_sequence);
            }
        }
        removed += janitor::trim(&bus, streams::LEADS).await.unwrap();
        let kept = stored(&jetstream).await;
        for (sequence, kind) in &published {
            let needed = names.iter().any(|name| wants(name) == *kind && !acknowledged[name].contains(sequence));
            assert!(!needed || kept.contains_key(sequence), "seed {seed}: {kind} {sequence} is gone");
        }
    }
    assert_eq!(removed, published.len() as u64 - 1, "seed {seed}: what everybody has acknowledged is gone");
}

struct Done;

#[async_trait::async_trait]
impl BatchHandler for Done {
    async fn handle(&self, _: &[Message]) -> Result<(), HandleError> {
        Ok(())
    }
}

#[tokio::test]
async fn consumers_trim_their_stream_while_they_run() {
    let nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let jetstream = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    let shutdown = CancellationToken::new();
    for kind in [subjects::LEAD_UNSOLD, subjects::LEAD_ASSIGNED, subjects::LEAD_RECEIVED] {
        bus.publish(&[event(kind)]).await.unwrap();
    }
    let run = |consumer| {
        let settings =
            ConsumerSettings { stream: streams::LEADS, consumer, max_batch: 16, pace: std::time::Duration::ZERO };
        tokio::spawn(consumer::run(bus.clone(), settings, std::sync::Arc::new(Done), shutdown.clone()))
    };
    run(streams::LEADS_DISTRIBUTION);
    run(streams::LEADS_BILLING);
    wait::until("they have acknowledged", PATIENCE, async || {
        let lag = topology::lag(&bus).await.unwrap();
        let busy = lag.iter().filter(|(stream, _, waiting, pending)| stream == streams::LEADS && waiting + pending > 0);
        busy.map(|(_, consumer, ..)| consumer.as_str()).eq([streams::LEADS_NOTIFIER])
    })
    .await;
    janitor::trim(&bus, streams::LEADS).await.unwrap();
    assert!(stored(&jetstream).await.contains_key(&2), "the notifier has not seen the sale yet");
    run(streams::LEADS_NOTIFIER);
    wait::until("only the last is left", PATIENCE, async || stored(&jetstream).await.into_keys().eq([3])).await;
    // Nobody wants these and so nobody acknowledges them: they must not fill the stream.
    for _ in 0..2 {
        bus.publish(&[event(subjects::LEAD_UNSOLD)]).await.unwrap();
    }
    wait::until("what nobody wants is gone", PATIENCE, async || stored(&jetstream).await.into_keys().eq([5])).await;
}

#[tokio::test]
async fn the_last_message_stays() {
    let nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let jetstream = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    for removed in [0, 1] {
        bus.publish(&[event(subjects::LEAD_UNSOLD)]).await.unwrap();
        for expected in [removed, 0] {
            assert_eq!(janitor::trim(&bus, streams::LEADS).await.unwrap(), expected);
        }
    }
    assert_eq!(stored(&jetstream).await.into_keys().collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn what_is_stored_while_the_stream_is_trimmed_stays() {
    let nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let jetstream = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    let done = CancellationToken::new();
    let trimming = {
        let (bus, done) = (bus.clone(), done.clone());
        tokio::spawn(async move {
            while !done.is_cancelled() {
                janitor::trim(&bus, streams::LEADS).await.unwrap();
            }
        })
    };
    let consumer: Consumer<pull::Config> =
        jetstream.get_consumer_from_stream(streams::LEADS_DISTRIBUTION, streams::LEADS).await.unwrap();
    let mut received = consumer.messages().await.unwrap();
    for sequence in 1..=300 {
        bus.publish(&[event(subjects::LEAD_RECEIVED)]).await.unwrap();
        let message = tokio::time::timeout(PATIENCE, received.next()).await.expect("it is not gone");
        let message = message.unwrap().unwrap();
        assert_eq!(message.info().unwrap().stream_sequence, sequence);
        message.ack().await.unwrap();
    }
    done.cancel();
    trimming.await.unwrap();
}

#[tokio::test]
async fn a_stream_without_one_of_its_consumers_is_left_alone() {
    let nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let jetstream = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
    for _ in 0..2 {
        bus.publish(&[event(subjects::LEAD_UNSOLD)]).await.unwrap();
    }
    let stream = jetstream.get_stream(streams::LEADS).await.unwrap();
    stream.delete_consumer(streams::LEADS_NOTIFIER).await.unwrap();
    assert!(janitor::trim(&bus, streams::LEADS).await.is_err());
    assert_eq!(stored(&jetstream).await.len(), 2);
}
