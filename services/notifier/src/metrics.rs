//! What is measured of telling people and their systems.

use std::sync::LazyLock;

use leadflow_platform::metrics::{Counter, KeyValue, Sample, counter};

use crate::store::{deliveries::Status, messages::MessageStatus};

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

/// Looked up now and then.
pub(crate) const SAMPLES: &[Sample] = &[
    Sample {
        name: "leadflow.deliveries.overdue",
        unit: "s",
        help: "since when the oldest webhook that is due should have been sent; 0: none waits",
        label: "",
        sql: "SELECT '', coalesce(greatest(0, extract(epoch FROM now() - min(due_at))), 0)::double precision \
              FROM notifier.deliveries WHERE status = 'PENDING'",
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
];

/// An attempt at a delivery was recorded.
pub(crate) fn delivery(status: Status) {
    DELIVERIES.add(1, &[KeyValue::new("status", status.text())]);
}

/// An attempt at a message was recorded.
pub(crate) fn message(channel: &'static str, status: MessageStatus) {
    MESSAGES.add(1, &[KeyValue::new("channel", channel), KeyValue::new("status", status.text())]);
}

/// An endpoint was switched off.
pub(crate) fn endpoint_disabled() {
    DISABLED.add(1, &[]);
}
