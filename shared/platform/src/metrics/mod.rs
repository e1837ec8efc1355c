//! What is measured, for Prometheus (`/metrics`) and over OTLP.
//!
//! Instruments are made from OpenTelemetry's global meter, as log lines go to the global subscriber: until [`crate::telemetry::start`]
//! has set one they cost nothing. Names are OpenTelemetry's where it has one (`http.server.request.duration`), else they begin with
//! `leadflow.`; Prometheus sees `leadflow_…`, with the unit and `_total` at the end.

pub(crate) mod grpc;
pub(crate) mod http;
mod sample;
mod serve;

use opentelemetry::{global, metrics::Meter};

pub use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram},
};
pub use sample::{EVERY, Sample, watch};
pub use serve::{bind, serve};

/// Durations, in seconds.
pub type Seconds = Histogram<f64>;

/// Upper bounds of the buckets of durations, in seconds: from half a millisecond to five minutes.
const SECONDS: [f64; 17] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

fn meter() -> Meter {
    global::meter("leadflow")
}

/// How long something takes, in seconds.
#[must_use]
pub fn seconds(name: &'static str, help: &'static str) -> Seconds {
    meter().f64_histogram(name).with_unit("s").with_description(help).with_boundaries(SECONDS.to_vec()).build()
}

/// How often something happened.
#[must_use]
pub fn counter(name: &'static str, help: &'static str) -> Counter<u64> {
    meter().u64_counter(name).with_description(help).build()
}

/// How much there is of something. `unit` as in UCUM: `s`, `By`, or nothing for numbers of things.
#[must_use]
pub fn gauge(name: &'static str, unit: &'static str, help: &'static str) -> Gauge<f64> {
    meter().f64_gauge(name).with_unit(unit).with_description(help).build()
}
