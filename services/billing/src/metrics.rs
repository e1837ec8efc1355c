//! What is measured of money.

use std::{sync::LazyLock, time::Duration};

use chrono::{DateTime, Utc};
use leadflow_platform::metrics::{Counter, KeyValue, Sample, Seconds, counter, seconds};

static DEBIT: LazyLock<Seconds> =
    LazyLock::new(|| seconds("leadflow.lead.debit.duration", "from a lead's receipt to its debit, committed"));
static SALE_DEBIT: LazyLock<Seconds> =
    LazyLock::new(|| seconds("leadflow.sale.debit.duration", "from a sale to its debit, committed"));
static PAYMENTS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("leadflow.card_payments", "card payments by kind (top_up, recharge) and what was heard of them")
});

static PROVIDER: LazyLock<Seconds> = LazyLock::new(|| {
    seconds("leadflow.payment_provider.duration", "calls of the payment provider, by operation and outcome")
});

/// Looked up now and then.
pub(crate) const SAMPLES: &[Sample] = &[
    Sample {
        name: "leadflow.holds.open",
        unit: "",
        help: "holds that are neither captured nor released",
        label: "",
        sql: "SELECT '', count(*)::double precision FROM billing.holds WHERE state = 'held'",
    },
    Sample {
        name: "leadflow.holds.oldest",
        unit: "s",
        help: "the age of the oldest open hold; 0: there is none",
        label: "",
        sql: "SELECT '', coalesce(greatest(0, extract(epoch FROM now() - min(placed_at))), 0)::double precision \
              FROM billing.holds WHERE state = 'held'",
    },
    Sample {
        name: "leadflow.card_payments.unsettled",
        unit: "s",
        help: "the age of the oldest card payment whose outcome is not known; 0: there is none",
        label: "",
        sql: "SELECT '', coalesce(greatest(0, extract(epoch FROM now() - min(created_at))), 0)::double precision \
              FROM billing.payments WHERE attempt_at IS NOT NULL",
    },
    Sample {
        name: "leadflow.provider_events.given_up",
        unit: "",
        help: "events of the payment provider that could not be processed and wait for a person",
        label: "",
        sql: "SELECT '', count(*)::double precision FROM billing.provider_events WHERE state = 'given_up'",
    },
    Sample {
        name: "leadflow.provider_events.overdue",
        unit: "s",
        help: "since when the oldest waiting event of the payment provider should have been processed; 0: none waits",
        label: "",
        sql: "SELECT '', coalesce(greatest(0, extract(epoch FROM now() - min(next_at))), 0)::double precision \
              FROM billing.provider_events WHERE state = 'waiting'",
    },
    Sample {
        name: "leadflow.reconciliation.differences",
        unit: "",
        help: "differences between our books and the payment provider's, of the newest day that was compared",
        label: "",
        sql: "SELECT '', coalesce((SELECT differences FROM billing.reconciliations WHERE finished_at IS NOT NULL \
              ORDER BY day DESC LIMIT 1), 0)::double precision",
    },
];

/// Counters that alerts look at begin at zero: what was never counted cannot be seen to grow from nothing to one.
pub(crate) fn begin() {
    for outcome in ["paid", "declined"] {
        PAYMENTS.add(0, &[KeyValue::new("kind", "recharge"), KeyValue::new("outcome", outcome)]);
    }
}

/// A lead that was received and sold at these times has been paid. One that found its buyer late was received long ago, so only the time since
/// its sale tells how billing does.
pub(crate) fn debited(received_at_ms: i64, sold_at_ms: i64, now: DateTime<Utc>) {
    for (since, duration) in [(received_at_ms, &DEBIT), (sold_at_ms, &SALE_DEBIT)] {
        if let Some(since) = DateTime::from_timestamp_millis(since) {
            duration.record((now - since).as_seconds_f64().max(0.0), &[]);
        }
    }
}

/// News of a card payment was booked.
pub(crate) fn card_payment(kind: &'static str, outcome: &'static str) {
    PAYMENTS.add(1, &[KeyValue::new("kind", kind), KeyValue::new("outcome", outcome)]);
}

/// A call of the payment provider has ended.
pub(crate) fn provider_call(operation: &'static str, outcome: &'static str, took: Duration) {
    let labels = [KeyValue::new("operation", operation), KeyValue::new("outcome", outcome)];
    PROVIDER.record(took.as_secs_f64(), &labels);
}
