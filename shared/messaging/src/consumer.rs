//! The batch loop of a durable consumer.
//!
//! Events stored together (a bundle) arrive and are acknowledged together; the handler sees each as
//! a message of its own. A batch is whatever waits, up to a limit; it never waits to fill. The
//! handler does all of it in one transaction or none. A transient failure (a dependency is away)
//! keeps the batch and retries with back-off, after a while in halves, while the stream is told that work goes on; a permanent
//! one is narrowed down event by event, and the one that fails alone goes to the dead letters with
//! its error. Acknowledging happens after the handler's commit, so a crash in between repeats the batch: every
//! handler must be idempotent.

use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::jetstream::{self, AckKind, consumer::pull};
use futures::{FutureExt, Stream, StreamExt};
use leadflow_contracts::lead_of;
use leadflow_kernel::Backoff;
use tokio_util::sync::CancellationToken;

use crate::{Bus, Message, bundle, chain::chain, dlq, janitor, measure, topology, trace};

/// Deliveries after which a message is handled alone: it may be what crashes the process.
const SUSPECT_AFTER: u64 = 5;
/// Deliveries after which a message that never ended goes to the dead letters.
const DEAD_AFTER: u64 = 50;
/// Failures in a row after which a batch is halved.
const HALVE_AFTER: u32 = 5;
/// What a stop gives back comes again after this: at once, it could come to this process's own last request,
/// and a stream that is trimmed meanwhile would forget to send it before its time is up.
const GIVEN_BACK_AFTER: Duration = Duration::from_millis(250);
const RETRY: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));

/// What a handler says of a batch that it did not carry out. Nothing of it may have been committed.
#[derive(Debug)]
pub enum HandleError {
    /// Try again: something the handler needs is away or busy.
    Transient(BoxError),
    /// Trying again will not help: the message is broken or the program is.
    Permanent(BoxError),
}

/// Any error; `anyhow::Error` and `sqlx::Error` convert into it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl HandleError {
    /// A transient failure.
    pub fn transient(error: impl Into<BoxError>) -> Self {
        Self::Transient(error.into())
    }

    /// A permanent failure.
    pub fn permanent(error: impl Into<BoxError>) -> Self {
        Self::Permanent(error.into())
    }
}

/// A database error is permanent only when the data itself is refused (classes 22 and 23 of
/// PostgreSQL's error codes, unique violations apart: those are races, and a retry sees the winner).
impl From<sqlx::Error> for HandleError {
    fn from(error: sqlx::Error) -> Self {
        let refused = error.as_database_error().is_some_and(|database| {
            let code = database.code();
            let code = code.as_deref().unwrap_or_default();
            (code.starts_with("22") || code.starts_with("23")) && code != "23505"
        });
        if refused { Self::permanent(error) } else { Self::transient(error) }
    }
}

/// What a service does with the messages of one consumer.
#[async_trait::async_trait]
pub trait BatchHandler: Send + Sync + 'static {
    /// Carries out the whole batch (in one transaction) or nothing of it. May see any message again.
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError>;
}

/// Which consumer to run, and in what portions.
#[derive(Debug, Clone, Copy)]
pub struct ConsumerSettings {
    /// The stream's name (`leadflow_contracts::streams`).
    pub stream: &'static str,
    /// The durable consumer's name.
    pub consumer: &'static str,
    /// The most events a batch holds. Events stored together are handled together, so a bundle that
    /// is larger (256 at most) is a batch all the same.
    pub max_batch: usize,
    /// After a batch that was not full, the next one begins no sooner than this after it began: where nobody waits for the
    /// result, a few larger batches are cheaper than many small ones. An event that finds the consumer
    /// idle is handled at once all the same.
    pub pace: Duration,
}

type Delivery = jetstream::Message;

/// Runs until `shutdown`: the batch at work is finished, what was only fetched is given back.
///
/// While it runs it also trims its stream ([`janitor`]).
pub async fn run(
    bus: Bus,
    settings: ConsumerSettings,
    handler: Arc<dyn BatchHandler>,
    shutdown: impl Into<CancellationToken>,
) {
    let shutdown = shutdown.into();
    // True at first: an earlier process may have stopped before it trimmed what it had done.
    let acknowledged = AtomicBool::new(true);
    tokio::join!(
        consume(&bus, settings, handler.as_ref(), &acknowledged, &shutdown),
        janitor::run(&bus, settings.stream, &acknowledged, &shutdown)
    );
}

async fn consume(
    bus: &Bus,
    settings: ConsumerSettings,
    handler: &dyn BatchHandler,
    acknowledged: &AtomicBool,
    shutdown: &CancellationToken,
) {
    let mut failures = 0_u32;
    while !shutdown.is_cancelled() {
        match follow(bus, settings, handler, acknowledged, shutdown).await {
            Ok(()) => failures = 0,
            Err(error) => {
                failures = failures.saturating_add(1);
                tracing::warn!(stream = settings.stream, consumer = settings.consumer, failures, %error, "consumer interrupted");
                pause(RETRY.delay(failures, rand::random()), shutdown).await;
            }
        }
    }
}

async fn follow(
    bus: &Bus,
    settings: ConsumerSettings,
    handler: &dyn BatchHandler,
    acknowledged: &AtomicBool,
    shutdown: &CancellationToken,
) -> Result<(), BoxError> {
    let consumer: jetstream::consumer::Consumer<pull::Config> =
        bus.jetstream().get_consumer_from_stream(settings.consumer, settings.stream).await?;
    let stream = consumer
        .stream()
        // Enough behind the batch at work; more would only be kept from other replicas, since under
        // load one delivery is a bundle of many events.
        .max_messages_per_batch((settings.max_batch / 4).max(16))
        .expires(Duration::from_secs(20))
        .heartbeat(Duration::from_secs(5))
        .messages()
        .await?;
    let mut batches = stream.ready_chunks(settings.max_batch);
    loop {
        let chunk = tokio::select! {
            biased;
            () = shutdown.cancelled() => {
                give_back(&mut batches).await;
                return Ok(());
            }
            chunk = batches.next() => chunk,
        };
        let Some(chunk) = chunk else { return Ok(()) };
        let mut interrupted = None;
        let mut deliveries = Vec::with_capacity(chunk.len());
        for item in chunk {
            match item {
                Ok(delivery) => deliveries.push(delivery),
                Err(error) => interrupted = Some(error),
            }
        }
        let began = Instant::now();
        let work = Work { bus, settings, handler, shutdown };
        let full = work.process(deliveries).await >= settings.max_batch;
        acknowledged.store(true, Ordering::Relaxed);
        if let Some(error) = interrupted {
            return Err(error.into());
        }
        if !full && let Some(left) = settings.pace.checked_sub(began.elapsed()) {
            pause(left, shutdown).await;
        }
    }
}

/// Lets others have at once what was fetched and not begun.
async fn give_back<E>(batches: &mut (impl Stream<Item = Vec<Result<Delivery, E>>> + Unpin)) {
    while let Some(Some(chunk)) = batches.next().now_or_never() {
        let fetched: Vec<Delivery> = chunk.into_iter().flatten().collect();
        acknowledge(&fetched.iter().collect::<Vec<_>>(), AckKind::Nak(Some(GIVEN_BACK_AFTER))).await;
    }
}

/// A delivery with the events in it: one, or those of a bundle. It is acknowledged as a whole.
struct Item {
    messages: Vec<Message>,
    delivery: Delivery,
}

impl Item {
    fn open(delivery: Delivery) -> Self {
        Self { messages: bundle::open(Message::from_nats(&delivery)), delivery }
    }

    fn delivered(&self) -> u64 {
        self.messages.first().map_or(1, |message| message.delivered)
    }
}

/// How a batch ended at its handler.
enum Ended {
    Done,
    Refused(String),
    Stopped,
}

struct Work<'a> {
    bus: &'a Bus,
    settings: ConsumerSettings,
    handler: &'a dyn BatchHandler,
    shutdown: &'a CancellationToken,
}

impl Work<'_> {
    /// Returns how many events there were.
    async fn process(&self, deliveries: Vec<Delivery>) -> usize {
        let (suspects, rest): (Vec<_>, Vec<_>) =
            deliveries.into_iter().map(Item::open).partition(|item| item.delivered() >= SUSPECT_AFTER);
        let events = suspects.iter().chain(&rest).map(|item| item.messages.len()).sum();
        let mut waiting = VecDeque::from(rest);
        while let Some(portion) = self.portion(&mut waiting) {
            if self.shutdown.is_cancelled() {
                waiting.extend(portion);
                let given_back: Vec<&Delivery> = waiting.iter().map(|item| &item.delivery).collect();
                acknowledge(&given_back, AckKind::Nak(Some(GIVEN_BACK_AFTER))).await;
                break;
            }
            self.attempt(portion, waiting.make_contiguous()).await;
        }
        for item in suspects {
            if item.delivered() >= DEAD_AFTER {
                let mut settled = true;
                for message in &item.messages {
                    settled &= self.bury(message, &item.delivery, "delivered 50 times without an end").await;
                }
                settle(&item.delivery, settled).await;
            } else {
                self.one_by_one(&item.messages, &item.delivery, &[&item.delivery]).await;
            }
        }
        events
    }

    /// The next items that fit into a batch together; one bundle is taken whatever its size.
    fn portion(&self, waiting: &mut VecDeque<Item>) -> Option<Vec<Item>> {
        let first = waiting.pop_front()?;
        let mut events = first.messages.len();
        let mut portion = vec![first];
        while let Some(next) = waiting.pop_front_if(|next| events + next.messages.len() <= self.settings.max_batch) {
            events += next.messages.len();
            portion.push(next);
        }
        Some(portion)
    }

    /// Handles a batch until it is done, narrowed down, or the process stops, while the stream
    /// hears that those `waiting` behind it are not forgotten either.
    async fn attempt(&self, items: Vec<Item>, waiting: &[Item]) {
        let mut messages = Vec::new();
        let mut parts = Vec::with_capacity(items.len());
        for item in items {
            parts.push((item.delivery, item.messages.len()));
            messages.extend(item.messages);
        }
        // Held until the batch has ended; empty unless spans are exported.
        let mut spans = Vec::new();
        for message in &mut messages {
            if let Some((span, traceparent)) = trace::processing(self.settings.consumer, message) {
                message.traceparent = Some(traceparent);
                spans.push(span);
            }
        }
        let mut kept: Vec<&Delivery> = Vec::with_capacity(parts.len() + waiting.len());
        kept.extend(parts.iter().map(|(delivery, _)| delivery));
        kept.extend(waiting.iter().map(|item| &item.delivery));
        let own = &kept[..parts.len()];
        let error = match self.carry_out(&messages, &kept).await {
            Ended::Done => return acknowledge(own, AckKind::Ack).await,
            Ended::Stopped => return acknowledge(own, AckKind::Nak(Some(GIVEN_BACK_AFTER))).await,
            Ended::Refused(error) => error,
        };
        if let ([message], [(delivery, _)]) = (&messages[..], &parts[..]) {
            let buried = self.bury(message, delivery, &error).await;
            return settle(delivery, buried).await;
        }
        tracing::warn!(
            stream = self.settings.stream,
            consumer = self.settings.consumer,
            messages = messages.len(),
            error,
            "batch refused; trying its messages one by one"
        );
        let mut rest = &messages[..];
        for (at, (delivery, length)) in parts.iter().enumerate() {
            let (events, others) = rest.split_at(*length);
            rest = others;
            self.one_by_one(events, delivery, &kept[at..]).await;
        }
    }

    /// Handles each event of a delivery alone; what fails alone is put aside.
    async fn one_by_one(&self, events: &[Message], delivery: &Delivery, kept: &[&Delivery]) {
        let mut settled = true;
        for message in events {
            match self.carry_out(std::slice::from_ref(message), kept).await {
                Ended::Done => {}
                Ended::Refused(error) => settled &= self.bury(message, delivery, &error).await,
                Ended::Stopped => return acknowledge(&[delivery], AckKind::Nak(Some(GIVEN_BACK_AFTER))).await,
            }
        }
        settle(delivery, settled).await;
    }

    /// Gives `messages` to the handler until it has carried them out or refused them for good. What fails
    /// again and again is given in halves: a batch may be more work than its time limits allow, and would fail for ever.
    async fn carry_out(&self, messages: &[Message], kept: &[&Delivery]) -> Ended {
        let mut parts = vec![messages];
        while let Some(part) = parts.pop() {
            match self.carry_out_part(part, kept).await {
                Some(Ended::Done) => {}
                Some(ended) => return ended,
                None => {
                    let (front, back) = part.split_at(part.len() / 2);
                    parts.extend([back, front]);
                }
            }
        }
        Ended::Done
    }

    /// `None`: it failed so often that halves are worth a try.
    async fn carry_out_part(&self, messages: &[Message], kept: &[&Delivery]) -> Option<Ended> {
        let mut failures = 0_u32;
        loop {
            let began = Instant::now();
            let outcome = self.handle_telling_progress(messages, kept).await;
            measure::handled(self.settings, messages.len(), began, &outcome);
            match outcome {
                Ok(()) => return Some(Ended::Done),
                Err(HandleError::Permanent(error)) => return Some(Ended::Refused(chain(error.as_ref()))),
                Err(HandleError::Transient(error)) => {
                    failures += 1;
                    if failures.is_power_of_two() {
                        tracing::warn!(
                            stream = self.settings.stream, consumer = self.settings.consumer,
                            messages = messages.len(), failures, error = %chain(error.as_ref()), "batch will be retried"
                        );
                    }
                    pause(RETRY.delay(failures, rand::random()), self.shutdown).await;
                    if self.shutdown.is_cancelled() {
                        return Some(Ended::Stopped);
                    }
                    acknowledge(kept, AckKind::Progress).await;
                    if failures >= HALVE_AFTER && messages.len() > 1 {
                        return None;
                    }
                }
            }
        }
    }

    async fn handle_telling_progress(&self, messages: &[Message], kept: &[&Delivery]) -> Result<(), HandleError> {
        let mut handling = std::pin::pin!(AssertUnwindSafe(self.handler.handle(messages)).catch_unwind());
        loop {
            tokio::select! {
                outcome = &mut handling => return outcome.unwrap_or_else(|panic| {
                    // Words that were made at run time may quote the event.
                    let text = panic.downcast_ref::<&'static str>().copied().unwrap_or("the log has the place");
                    Err(HandleError::permanent(format!("handler panicked: {text}")))
                }),
                () = tokio::time::sleep(topology::ACK_WAIT / 3) => acknowledge(kept, AckKind::Progress).await,
            }
        }
    }

    /// Puts a message aside with its error. False if that fails: it must be delivered again.
    async fn bury(&self, message: &Message, delivery: &Delivery, error: &str) -> bool {
        let lead_id = lead_of(&message.kind, &message.payload).map(tracing::field::display);
        let trace_id = message.trace_id();
        tracing::error!(
            stream = self.settings.stream, consumer = self.settings.consumer, lead_id, trace_id,
            event_id = %message.id, kind = %message.kind, delivered = message.delivered, error, "message goes to the dead letters"
        );
        match dlq::bury(self.bus, self.settings, message, delivery, error).await {
            Ok(()) => {
                measure::buried(self.settings);
                true
            }
            Err(error) => {
                tracing::error!(lead_id, trace_id, event_id = %message.id, error = %chain(&error), "dead letter could not be stored; the message stays");
                false
            }
        }
    }
}

async fn settle(delivery: &Delivery, settled: bool) {
    let kind = if settled { AckKind::Ack } else { AckKind::Nak(Some(Duration::from_secs(5))) };
    acknowledge(&[delivery], kind).await;
}

/// A lost acknowledgement only means another delivery, which handlers must bear anyway.
async fn acknowledge(deliveries: &[&Delivery], kind: AckKind) {
    for delivery in deliveries {
        if let Err(error) = delivery.ack_with(kind).await {
            tracing::debug!(%error, "acknowledgement not sent");
        }
    }
}

async fn pause(duration: Duration, shutdown: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(duration) => {}
        () = shutdown.cancelled() => {}
    }
}
