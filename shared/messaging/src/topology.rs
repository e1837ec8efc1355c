//! The streams and durable consumers, declared once. Whoever starts first creates them; everybody
//! reads them back and compares, because a server may ignore an option that it does not know.
//!
//! `LEADS` and `BILLING` keep a message until every consumer that wants it has acknowledged it
//! ([`crate::janitor`] removes it then), and refuse new messages when full: nothing that somebody still
//! needs is ever dropped. `NOTIFY` keeps what its consumer wants, until it has acknowledged it, and nothing else.

use std::time::Duration;

use async_nats::jetstream::{
    consumer::{AckPolicy, DeliverPolicy, pull},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};
use leadflow_contracts::{streams, subjects};

use crate::bus::{Bus, BusError};

/// What an operator may choose about the streams.
#[derive(Debug, Clone, Copy)]
pub struct TopologySettings {
    /// Copies of each stream: 1 on one node, 3 in a cluster.
    pub replicas: usize,
    /// The most bytes the LEADS stream may hold; the others may hold a quarter of it.
    pub max_bytes: i64,
}

impl Default for TopologySettings {
    fn default() -> Self {
        Self { replicas: 1, max_bytes: 4 << 30 }
    }
}

/// The streams' names.
pub const STREAMS: [&str; 5] = [streams::LEADS, streams::BILLING, streams::NOTIFY, streams::DIRECTORY, streams::DLQ];

/// How long a consumer may take with a message before the stream delivers it to another replica.
pub const ACK_WAIT: Duration = Duration::from_secs(30);
/// Messages that all replicas of a consumer together may be working on.
const MAX_ACK_PENDING: i64 = 4096;
/// The most a message may weigh: a lead's body limit with room for both its forms.
const MAX_MESSAGE_BYTES: i32 = 1 << 20;

/// A durable pull consumer.
pub(crate) struct ConsumerSpec {
    pub(crate) stream: &'static str,
    pub(crate) name: &'static str,
    pub(crate) filters: Vec<String>,
}

pub(crate) fn consumers() -> Vec<ConsumerSpec> {
    let spec = |stream, name, filters: &[&str]| ConsumerSpec {
        stream,
        name,
        filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
    };
    vec![
        spec(streams::LEADS, streams::LEADS_DISTRIBUTION, &[subjects::LEAD_RECEIVED]),
        spec(streams::LEADS, streams::LEADS_BILLING, &[subjects::LEAD_ASSIGNED, subjects::LEAD_RETURNED]),
        spec(
            streams::LEADS,
            streams::LEADS_NOTIFIER,
            &[subjects::LEAD_ASSIGNED, subjects::LEAD_RETURNED, subjects::LEAD_RETURN_DECIDED],
        ),
        spec(streams::LEADS, streams::LEADS_MASKING, &[subjects::LEAD_MASKED]),
        spec(
            streams::BILLING,
            streams::BILLING_DISTRIBUTION,
            &[subjects::WALLET_CREDITED, subjects::WALLET_RELEASED, subjects::WALLET_LIMITS_CHANGED],
        ),
        spec(streams::BILLING, streams::BILLING_BILLING, &[subjects::WALLET_LOW_BALANCE]),
        spec(
            streams::BILLING,
            streams::BILLING_NOTIFIER,
            &[
                subjects::WALLET_LOW_BALANCE,
                subjects::PAYMENT_DECLINED,
                subjects::PAYMENT_ACTION_NEEDED,
                subjects::PAYMENT_RECHARGE_TURNED_OFF,
            ],
        ),
        spec(streams::NOTIFY, streams::NOTIFY_BILLING, &[subjects::USAGE_RECORDED]),
        spec(streams::NOTIFY, streams::NOTIFY_DISTRIBUTION, &[subjects::NOTIFICATION_LEAD_REFUSED]),
        spec(
            streams::NOTIFY,
            streams::NOTIFY_NOTIFIER,
            &[subjects::NOTIFICATION_MAIL_WANTED, subjects::NOTIFICATION_ENDPOINT_DISABLED],
        ),
        spec(streams::DIRECTORY, streams::DIRECTORY_DISTRIBUTION, &["seller.changed.*", "buyer.changed.*"]),
        spec(streams::DIRECTORY, streams::DIRECTORY_BILLING, &["seller.changed.*", "buyer.changed.*"]),
        spec(
            streams::DIRECTORY,
            streams::DIRECTORY_NOTIFIER,
            &["seller.changed.*", "buyer.changed.*", "buyer.contact.*"],
        ),
    ]
}

/// Whether a stream's messages are removed by [`crate::janitor`], when all its consumers are done with them.
pub(crate) fn is_trimmed(stream: &str) -> bool {
    matches!(stream, streams::LEADS | streams::BILLING)
}

fn stream_configs(settings: TopologySettings) -> Vec<Config> {
    let base = |name: &str, subjects: &[&str]| Config {
        name: name.to_owned(),
        subjects: subjects.iter().map(|&subject| subject.to_owned()).collect(),
        storage: StorageType::File,
        num_replicas: settings.replicas,
        max_message_size: MAX_MESSAGE_BYTES,
        duplicate_window: Duration::from_secs(120),
        allow_direct: true,
        ..Config::default()
    };
    let queue = |config: Config, max_bytes: i64| Config {
        retention: if is_trimmed(&config.name) { RetentionPolicy::Limits } else { RetentionPolicy::Interest },
        discard: DiscardPolicy::New,
        max_bytes,
        ..config
    };
    let quarter = settings.max_bytes / 4;
    vec![
        Config { allow_atomic_publish: true, ..queue(base(streams::LEADS, &["lead.>"]), settings.max_bytes) },
        queue(base(streams::BILLING, &["wallet.>", "payment.>"]), quarter),
        queue(base(streams::NOTIFY, &["notification.>", "usage.>"]), quarter),
        Config {
            max_messages_per_subject: 1,
            max_bytes: quarter,
            // Refusing a change is better than forgetting another record.
            discard: DiscardPolicy::New,
            ..base(
                streams::DIRECTORY,
                &["seller.>", "buyer.>", "supplier.>", "category.>", "campaign.>", "subscription.>"],
            )
        },
        Config { max_bytes: quarter, discard: DiscardPolicy::New, ..base(streams::DLQ, &["dlq.>"]) },
    ]
}

fn consumer_config(spec: &ConsumerSpec) -> pull::Config {
    pull::Config {
        durable_name: Some(spec.name.to_owned()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: MAX_ACK_PENDING,
        filter_subjects: spec.filters.clone(),
        ..pull::Config::default()
    }
}

/// Creates what is missing, brings what differs up to date, then reads everything back and compares.
/// Safe to run twice and at once.
///
/// # Errors
/// [`BusError::Topology`] naming the stream or consumer and what differs.
pub async fn ensure(bus: &Bus, settings: TopologySettings) -> Result<(), BusError> {
    for config in stream_configs(settings) {
        let name = config.name.clone();
        bus.jetstream()
            .create_or_update_stream(config)
            .await
            .map_err(|error| failed(format!("stream {name} cannot be created"), error))?;
    }
    for spec in consumers() {
        bus.jetstream()
            .create_consumer_on_stream(consumer_config(&spec), spec.stream)
            .await
            .map_err(|error| failed(format!("consumer {}/{} cannot be created", spec.stream, spec.name), error))?;
    }
    let differences = differences(bus, settings).await?;
    if differences.is_empty() { Ok(()) } else { Err(BusError::Topology { what: differences.join("; "), source: None }) }
}

/// What on the server is not as declared, one sentence each; empty when all is well. Changes nothing.
///
/// # Errors
/// [`BusError::Topology`] when the server cannot be asked.
pub async fn differences(bus: &Bus, settings: TopologySettings) -> Result<Vec<String>, BusError> {
    let mut found = Vec::new();
    for want in stream_configs(settings) {
        let stream = match bus.jetstream().get_stream(&want.name).await {
            Ok(stream) => stream,
            Err(error) => {
                found.push(format!("stream {}: {error}", want.name));
                continue;
            }
        };
        let have = &stream.cached_info().config;
        let mut compare = |field: &str, same: bool| {
            if !same {
                found.push(format!("stream {}: {field} is not as declared", want.name));
            }
        };
        compare("subjects", have.subjects == want.subjects);
        compare("retention", have.retention == want.retention);
        compare("discard policy", have.discard == want.discard);
        compare("storage", have.storage == want.storage);
        compare("replicas", have.num_replicas == want.num_replicas);
        compare("max_bytes", have.max_bytes == want.max_bytes);
        compare("messages per subject", same_limit(have.max_messages_per_subject, want.max_messages_per_subject));
        compare("atomic publishing", have.allow_atomic_publish == want.allow_atomic_publish);
        compare("de-duplication window", have.duplicate_window == want.duplicate_window);
    }
    for spec in consumers() {
        let name = format!("consumer {}/{}", spec.stream, spec.name);
        let consumer: Result<async_nats::jetstream::consumer::Consumer<pull::Config>, _> =
            bus.jetstream().get_consumer_from_stream(spec.name, spec.stream).await;
        let consumer = match consumer {
            Ok(consumer) => consumer,
            Err(error) => {
                found.push(format!("{name}: {error}"));
                continue;
            }
        };
        let have = &consumer.cached_info().config;
        let mut filters = have.filter_subjects.clone();
        if filters.is_empty() && !have.filter_subject.is_empty() {
            filters.push(have.filter_subject.clone());
        }
        let mut compare = |field: &str, same: bool| {
            if !same {
                found.push(format!("{name}: {field} is not as declared"));
            }
        };
        compare("filters", filters == spec.filters);
        compare("ack policy", have.ack_policy == AckPolicy::Explicit);
        compare("ack wait", have.ack_wait == ACK_WAIT);
        compare("pending acks", have.max_ack_pending == MAX_ACK_PENDING);
    }
    Ok(found)
}

/// How much each durable consumer has before it: (stream, consumer, not delivered yet, not acknowledged yet).
///
/// # Errors
/// [`BusError::Topology`] when a consumer cannot be read.
pub async fn lag(bus: &Bus) -> Result<Vec<(String, String, u64, u64)>, BusError> {
    let mut rows = Vec::new();
    for spec in consumers() {
        let mut consumer: async_nats::jetstream::consumer::Consumer<pull::Config> = bus
            .jetstream()
            .get_consumer_from_stream(spec.name, spec.stream)
            .await
            .map_err(|error| failed(format!("consumer {}/{} cannot be read", spec.stream, spec.name), error))?;
        let info = consumer
            .info()
            .await
            .map_err(|error| failed(format!("consumer {}/{} cannot be read", spec.stream, spec.name), error))?;
        rows.push((spec.stream.to_owned(), spec.name.to_owned(), info.num_pending, info.num_ack_pending as u64));
    }
    Ok(rows)
}

// The server reports "no limit" as -1 or 0, depending on the field.
fn same_limit(have: i64, want: i64) -> bool {
    have.max(0) == want.max(0)
}

fn failed(what: String, error: impl std::error::Error + Send + Sync + 'static) -> BusError {
    BusError::Topology { what, source: Some(Box::new(error)) }
}
