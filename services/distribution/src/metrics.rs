//! What is measured of deciding leads.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use leadflow_contracts::common::Outcome;
use leadflow_platform::metrics::{Counter, KeyValue, Sample, Seconds, counter, seconds};

use crate::store::leads::NewLead;

static LEADS: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter(
        "leadflow.leads",
        "leads by what became of them; one for sale later counts again when it is sold or expires",
    )
});
static DECISION: LazyLock<Seconds> =
    LazyLock::new(|| seconds("leadflow.lead.decision.duration", "from a lead's receipt to its decision, committed"));

static MASKED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    counter("leadflow.leads.masked", "leads whose personal data was removed, by why: retention or erasure")
});

/// Looked up now and then.
pub(crate) const SAMPLES: &[Sample] = &[
    Sample {
        name: "leadflow.campaigns.retry_overdue",
        unit: "s",
        help: "since when the unsold leads of a campaign should have been tried again; 0: none waits",
        label: "",
        sql: "SELECT '', coalesce(greatest(0, extract(epoch FROM now() - min(due_at))), 0)::double precision \
              FROM distribution.campaign_retry",
    },
    Sample {
        name: "leadflow.leads.outside_months",
        unit: "{lead}",
        help: "leads in no month's partition, counted up to 10000; 0: all is well",
        label: "",
        sql: "SELECT '', count(*)::double precision FROM (SELECT FROM distribution.leads_default LIMIT 10000) t",
    },
];

/// Counts leads whose decision was committed at `now`.
pub(crate) fn decided(leads: &[NewLead<'_>], now: DateTime<Utc>) {
    for lead in leads {
        let label = match lead.outcome {
            Outcome::Distributed => "distributed",
            Outcome::Unsold => "unsold",
            Outcome::Rejected => "rejected",
            Outcome::Expired => "expired",
            Outcome::Test => "test",
            Outcome::Unspecified | Outcome::Pending | Outcome::Conflict => "other",
        };
        LEADS.add(1, &[KeyValue::new("outcome", label)]);
        DECISION.record((now - lead.received_at).as_seconds_f64().max(0.0), &[]);
    }
}

/// Counts leads that were for sale and have been sold.
pub(crate) fn sold_later(leads: usize) {
    LEADS.add(u64::try_from(leads).unwrap_or(u64::MAX), &[KeyValue::new("outcome", "sold_later")]);
}

/// Counts leads that were for sale and are no more.
pub(crate) fn expired(leads: usize) {
    LEADS.add(u64::try_from(leads).unwrap_or(u64::MAX), &[KeyValue::new("outcome", "expired")]);
}

/// Counts leads whose personal data was removed.
pub(crate) fn masked(leads: usize, why: &'static str) {
    if leads > 0 {
        MASKED.add(u64::try_from(leads).unwrap_or(u64::MAX), &[KeyValue::new("why", why)]);
    }
}
