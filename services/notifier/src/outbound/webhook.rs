//! One request to a receiver.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use leadflow_kernel::Clock;
use leadflow_messaging::trace;
use leadflow_notifier_domain::{Reply, Secret, parse_retry_after};
use leadflow_outbound_http::{Client, FailureKind};
use tracing::Instrument as _;

use crate::{
    model::{Attempt, Job},
    secrets::SecretKeys,
};

/// Sends webhooks. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks {
    client: Client,
    keys: SecretKeys,
    clock: Arc<dyn Clock>,
}

impl Webhooks {
    /// Sends with `client`.
    #[must_use]
    pub fn new(client: Client, keys: SecretKeys, clock: Arc<dyn Clock>) -> Self {
        Self { client, keys, clock }
    }

    /// Signs and sends a delivery; whatever happens is an attempt.
    pub async fn send(&self, job: &Job) -> Attempt {
        // Its target is switched on only where spans are exported.
        let span = tracing::trace_span!(
            target: "leadflow::trace", "webhook", delivery_id = %job.key.id, lead_id = %job.key.lead
        );
        if span.is_disabled() {
            return self.attempt(job).await;
        }
        trace::set_parent(&span, job.traceparent.as_deref());
        self.attempt(job).instrument(span).await
    }

    async fn attempt(&self, job: &Job) -> Attempt {
        let started_at = self.clock.now();
        let failed = |error: String| Attempt {
            started_at,
            duration_ms: 0,
            status_code: 0,
            response: String::new(),
            reply: Reply::NoAnswer { timed_out: false, error },
        };
        let secret = match self.keys.open(job.endpoint.id, &job.endpoint.secret) {
            Ok(secret) => secret,
            Err(error) => {
                tracing::error!(endpoint_id = %job.endpoint.id, %error, "a webhook cannot be signed");
                return failed("the signing secret cannot be read; save it again".to_owned());
            }
        };
        let traceparent = trace::current().or_else(|| job.traceparent.clone());
        let headers = headers(job, &secret, started_at.timestamp(), traceparent.as_deref());
        match self.client.post(&job.endpoint.url, headers, job.payload.clone()).await {
            Ok(answer) => {
                let retry_after = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                Attempt {
                    started_at,
                    duration_ms: millis(answer.duration),
                    status_code: answer.status,
                    response: storable(&String::from_utf8_lossy(&answer.body)),
                    reply: Reply::Answer {
                        status: answer.status,
                        retry_after: retry_after.and_then(|text| parse_retry_after(text, self.clock.now())),
                    },
                }
            }
            Err(failure) => Attempt {
                duration_ms: millis(failure.duration),
                status_code: failure.status.unwrap_or(0),
                reply: Reply::NoAnswer {
                    timed_out: failure.kind == FailureKind::TimedOut,
                    error: storable(&failure.kind.to_string()),
                },
                ..failed(String::new())
            },
        }
    }
}

fn headers(job: &Job, secret: &Secret, timestamp: i64, traceparent: Option<&str>) -> HeaderMap {
    let id = job.key.id.to_string();
    let values = [
        ("x-webhook-signature", secret.sign_body(&job.payload)),
        ("webhook-signature", secret.sign_standard(&id, timestamp, &job.payload)),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-id", id),
        ("content-type", "application/json".to_owned()),
    ];
    values
        .into_iter()
        .chain(traceparent.map(|text| ("traceparent", text.to_owned())))
        .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?)))
        .collect()
}

fn millis(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// PostgreSQL's text holds every character but NUL.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
