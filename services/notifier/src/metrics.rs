//! What is measured of telling people and their systems.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use leadflow_platform::metrics::{Counter, KeyValue, Sample, Seconds, counter, seconds};

use crate::store::{deliveries::Status, messages::MessageStatus};

static ARRIVED: LazyLock<Seconds> = LazyLock::new(|| {
    seconds(
        "leadflow.lead.delivery.duration",
        "from a lead's receipt to its first arrival at a buyer's webhook, or at the provider of his mails or texts, by channel",
    )
});
static DELIVERIES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("leadflow.deliveries", "attempts at webhooks by what became of the delivery: PENDING is tried again")
});
static MESSAGES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "leadflow.messages",
        "attempts at mails and text messages by channel and what became of them: WAITING is tried again",
    )
});
static DISABLED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("leadflow.endpoints.disabled", "webhooks that were switched off because they only failed")
});

/// Counters that alerts look at begin at zero: what was never counted cannot be seen to grow from nothing to one.
pub(crate) fn begin() {
    DISABLED.add(0, &[]);
}

/// Looked up now and then.
pub(crate) const SAMPLES: &[Sample] = &[
    Sample {
        name: "leadflow.deliveries.overdue",
        unit: "s",
        help: "since when the oldest webhook that is due should have been sent, but for receivers that fail; 0: none waits",
        label: "",
        // Each endpoint's first, by the index that claims use. What waits behind one that fails waits for its receiver, not for us.
        sql: "SELECT '', coalesce(greatest(0, extract(epoch FROM now() - min(first.due_at))), 0)::double precision \
              FROM notifier.endpoints e CROSS JOIN LATERAL ( \
                SELECT d.due_at FROM notifier.deliveries d WHERE d.status = 'PENDING' AND d.endpoint_id = e.endpoint_id \
                ORDER BY d.due_at LIMIT 1) first \
              WHERE e.failing_since IS NULL AND e.deleted_at IS NULL",
    },
    Sample {
        name: "leadflow.messages.overdue",
        unit: "s",
        help: "since when the oldest message that is due should have been sent, by channel; 0: none waits",
        label: "channel",
        sql: "SELECT c.channel, coalesce(greatest(0, extract(epoch FROM now() - (SELECT min(m.due_at) \
              FROM notifier.messages m WHERE m.status = 'WAITING' AND m.channel = c.channel))), 0)::double precision \
              FROM (VALUES ('EMAIL'), ('SMS')) AS c(channel)",
    },
    Sample {
        name: "leadflow.attempts.outside_months",
        unit: "{attempt}",
        help: "attempts at webhooks in no month's partition, counted up to 10000; 0: all is well",
        label: "",
        sql: "SELECT '', count(*)::double precision FROM (SELECT FROM notifier.attempts_default LIMIT 10000) t",
    },
];

/// An attempt at a delivery was recorded.
pub(crate) fn delivery(status: Status) {
    DELIVERIES.add(1, &[KeyValue::new("status", status.text())]);
}

/// A lead that was received then has arrived at a buyer for the first time this way.
pub(crate) fn arrived(channel: &'static str, received: DateTime<Utc>, now: DateTime<Utc>) {
    ARRIVED.record((now - received).as_seconds_f64().max(0.0), &[KeyValue::new("channel", channel)]);
}

/// An attempt at a message was recorded.
pub(crate) fn message(channel: &'static str, status: MessageStatus) {
    MESSAGES.add(1, &[KeyValue::new("channel", channel), KeyValue::new("status", status.text())]);
}

/// An endpoint was switched off.
pub(crate) fn endpoint_disabled() {
    DISABLED.add(1, &[]);
}
