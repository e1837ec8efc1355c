//! What is measured of the streams: batches handled, and how much waits.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use async_nats::jetstream::consumer::{Consumer, pull};
use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Gauge, Histogram},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Bus,
    consumer::{BoxError, ConsumerSettings, HandleError},
    topology,
};

/// How often the streams are asked.
const EVERY: Duration = Duration::from_secs(10);

static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    global::meter("leadflow")
        .f64_histogram("messaging.process.duration")
        .with_unit("s")
        .with_description("one batch in a consumer's handler, by outcome: done, retried or refused")
        .with_boundaries(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
        .build()
});

static EVENTS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("leadflow")
        .u64_counter("leadflow.events.handled")
        .with_description("events that a consumer's handler was given, by outcome: done, retried or refused")
        .build()
});

static BURIED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter("leadflow")
        .u64_counter("leadflow.dead_letters.buried")
        .with_description("messages that went to the dead letters")
        .build()
});

fn labels(settings: ConsumerSettings) -> [KeyValue; 2] {
    [KeyValue::new("stream", settings.stream), KeyValue::new("consumer", settings.consumer)]
}

/// Counts a batch that the handler was given.
pub(crate) fn handled(settings: ConsumerSettings, events: usize, began: Instant, outcome: &Result<(), HandleError>) {
    let outcome = match outcome {
        Ok(()) => "done",
        Err(HandleError::Transient(_)) => "retried",
        Err(HandleError::Permanent(_)) => "refused",
    };
    let [stream, consumer] = labels(settings);
    let labels = [stream, consumer, KeyValue::new("outcome", outcome)];
    DURATION.record(began.elapsed().as_secs_f64(), &labels);
    EVENTS.add(u64::try_from(events).unwrap_or(u64::MAX), &labels);
}

/// Counts a dead letter.
pub(crate) fn buried(settings: ConsumerSettings) {
    BURIED.add(1, &labels(settings));
}

struct Gauges {
    waiting: Gauge<f64>,
    unacknowledged: Gauge<f64>,
    messages: Gauge<f64>,
    full: Gauge<f64>,
}

/// Tells now and then how much waits in the streams, and for every consumer, until `shutdown`. Every process tells the same: what waits for a
/// service that is gone is told by the others. A server that is away leaves the last values, and is told elsewhere (`leadflow.ready`).
pub async fn watch(bus: Bus, shutdown: impl Into<CancellationToken>) {
    let shutdown = shutdown.into();
    let gauge = |name: &'static str, help: &'static str| {
        global::meter("leadflow").f64_gauge(name).with_description(help).build()
    };
    let gauges = Gauges {
        waiting: gauge("leadflow.consumer.waiting", "messages that a consumer was not given yet"),
        unacknowledged: gauge(
            "leadflow.consumer.unacknowledged",
            "messages that a consumer was given and has not ended",
        ),
        messages: gauge("leadflow.stream.messages", "messages in a stream; in DLQ: dead letters"),
        full: gauge("leadflow.stream.full", "how full a stream is, from 0 to 1; a full one takes no more"),
    };
    while !shutdown.is_cancelled() {
        if let Err(error) = look(&bus, &gauges).await {
            tracing::debug!(%error, "streams could not be asked how much waits");
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn look(bus: &Bus, gauges: &Gauges) -> Result<(), BoxError> {
    let specs = topology::consumers();
    for name in topology::STREAMS {
        let stream = bus.jetstream().get_stream(name).await?;
        let info = stream.cached_info();
        let label = [KeyValue::new("stream", name)];
        gauges.messages.record(number(info.state.messages), &label);
        if let Ok(most @ 1..) = u64::try_from(info.config.max_bytes) {
            gauges.full.record(number(info.state.bytes) / number(most), &label);
        }
        for spec in specs.iter().filter(|spec| spec.stream == name) {
            let consumer: Consumer<pull::Config> = stream.get_consumer(spec.name).await?;
            let info = consumer.cached_info();
            let labels = [KeyValue::new("stream", name), KeyValue::new("consumer", spec.name)];
            gauges.waiting.record(number(info.num_pending), &labels);
            gauges.unacknowledged.record(number(u64::try_from(info.num_ack_pending).unwrap_or(u64::MAX)), &labels);
        }
    }
    Ok(())
}

/// Exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "a gauge's value is a float")]
const fn number(count: u64) -> f64 {
    count as f64
}
