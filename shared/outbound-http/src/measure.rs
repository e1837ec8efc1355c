//! Rate, errors and duration of requests, by what they are for.

use std::{sync::LazyLock, time::Duration};

use opentelemetry::{KeyValue, global, metrics::Histogram};

use crate::error::FailureKind;

static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    global::meter("leadflow")
        .f64_histogram("http.client.request.duration")
        .with_unit("s")
        .with_description("from a request's start to the last byte of its answer, by what it is for")
        .with_boundaries(vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
        .build()
});

/// Counts a request. Neither address nor path is in a label: they are customers' own.
pub(crate) fn request(purpose: &'static str, outcome: Result<u16, &FailureKind>, duration: Duration) {
    let (status, error) = match outcome {
        Ok(status) => (i64::from(status), ""),
        Err(kind) => (0, kind.code()),
    };
    let labels = [
        KeyValue::new("purpose", purpose),
        KeyValue::new("http.response.status_code", status),
        KeyValue::new("error.type", error),
    ];
    DURATION.record(duration.as_secs_f64(), &labels);
}
