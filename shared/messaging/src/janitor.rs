//! Trimming the streams that keep a message until every consumer has acknowledged it.
//!
//! nats-server's own interest retention does that message by message, and where every write is
//! synced (`sync_interval: always`) each removal is one more sync, in the way of those who publish.
//! So these streams keep everything, and about once a second whoever consumes from one removes, with
//! one call, the prefix that all of its consumers are done with.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_nats::jetstream::{
    consumer::{Consumer, pull},
    stream::{LastRawMessageErrorKind, Stream},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Bus,
    bus::BusError,
    chain::chain,
    consumer::BoxError,
    topology::{self, ConsumerSpec},
};

const EVERY: Duration = Duration::from_secs(1);
/// Looks without an acknowledgement after which it is trimmed all the same: events that no consumer wants
/// would otherwise fill a stream, which then takes nothing that would be acknowledged.
const IDLE_LOOKS: u32 = 8;

/// Trims `stream` about once a second while `acknowledged` says that there was something, once
/// at the beginning, and now and then when nothing happens. A failure is told and tried again.
pub(crate) async fn run(bus: &Bus, stream: &str, acknowledged: &AtomicBool, shutdown: &CancellationToken) {
    if !topology::is_trimmed(stream) {
        return;
    }
    let mut idle = 0;
    while !shutdown.is_cancelled() {
        tokio::select! {
            () = tokio::time::sleep(EVERY + EVERY.mul_f64(rand::random_range(0.0..0.5))) => {}
            () = shutdown.cancelled() => return,
        }
        idle += 1;
        if !acknowledged.swap(false, Ordering::Relaxed) && idle < IDLE_LOOKS {
            continue;
        }
        idle = 0;
        if let Err(error) = trim(bus, stream).await {
            acknowledged.store(true, Ordering::Relaxed);
            tracing::debug!(stream, error = %chain(&error), "stream not trimmed; tried again");
        }
    }
}

/// Removes the messages at the beginning of `stream` that every declared consumer which wants them has
/// acknowledged, all but the last message. Safe at any time and from anywhere at once. Returns how many
/// were removed.
///
/// # Errors
/// [`BusError::Topology`] when a consumer is missing or the server does not answer; nothing was removed then.
pub async fn trim(bus: &Bus, stream: &str) -> Result<u64, BusError> {
    let consumers: Vec<ConsumerSpec> = topology::consumers().into_iter().filter(|spec| spec.stream == stream).collect();
    let failed = |source: BoxError| BusError::Topology {
        what: format!("stream {stream} cannot be trimmed"),
        source: Some(source),
    };
    let handle = bus.jetstream().get_stream(stream).await.map_err(|error| failed(error.into()))?;
    // Before the consumers are asked: what comes later is none of this call's business.
    let state = handle.cached_info().state.clone();
    if state.messages == 0 || !topology::is_trimmed(stream) {
        return Ok(0);
    }
    // Never the last one: told to remove everything, nats-server before its fix of #8400 (2026-07) takes a
    // message along that is stored at that moment.
    let mut done = state.last_sequence - 1;
    for spec in &consumers {
        if done < state.first_sequence {
            break;
        }
        done = done.min(done_with(&handle, spec, state.last_sequence).await.map_err(failed)?);
    }
    if done < state.first_sequence {
        return Ok(0);
    }
    let purged = handle.purge().sequence(done + 1).await.map_err(|error| failed(error.into()))?;
    Ok(purged.purged)
}

/// Up to which sequence a consumer needs nothing any more, at most `last`.
pub(crate) async fn done_with(stream: &Stream, spec: &ConsumerSpec, last: u64) -> Result<u64, BoxError> {
    let consumer: Consumer<pull::Config> = stream.get_consumer(spec.name).await?;
    let info = consumer.cached_info();
    let floor = info.ack_floor.stream_sequence;
    if floor >= last {
        return Ok(last);
    }
    if info.num_pending > 0 || info.num_ack_pending > 0 {
        return Ok(floor);
    }
    // It looks idle, and the messages behind its floor are not for it. Its own counts may come from a
    // replica of the stream that lags, so the leader is asked for the last message that is for it.
    let mut wanted = 0;
    for filter in &spec.filters {
        match stream.get_last_raw_message_by_subject(filter).await {
            Ok(message) => wanted = wanted.max(message.sequence),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(if wanted <= floor { last } else { floor })
}
