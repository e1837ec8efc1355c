//! One request to a receiver.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use leadflow_kernel::Clock;
use leadflow_messaging::trace;
use leadflow_notifier_domain::{Reply, Secret, parse_retry_after};
use leadflow_outbound_http::{Client, FailureKind};
use tracing::Instrument as _;

use crate::{
    model::{Attempt, Endpoint, Job},
    secrets::{Part, SecretKeys, SecretsError},
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
            target: "leadflow::trace", "webhook", delivery_id = %job.key.id,
            lead_id = job.key.sale.map(|sale| tracing::field::display(sale.lead))
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
            cut_off: false,
            reply: Reply::NoAnswer { timed_out: false, error },
        };
        let request = match self.request(job, started_at) {
            Ok(request) => request,
            Err(error) => return failed(error),
        };
        match self.client.post(&job.endpoint.url, request.headers, request.body).await {
            Ok(answer) => {
                let retry_after = answer.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                Attempt {
                    started_at,
                    duration_ms: millis(answer.duration),
                    status_code: answer.status,
                    response: storable(&String::from_utf8_lossy(&answer.body)),
                    cut_off: answer.truncated,
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

impl Webhooks {
    /// What is sent, or in words why nothing can be.
    fn request(&self, job: &Job, at: DateTime<Utc>) -> Result<Request, String> {
        let endpoint = &*job.endpoint;
        let secrets = self.secrets(endpoint, at).map_err(|error| {
            tracing::error!(endpoint_id = %endpoint.id, %error, "a webhook cannot be signed");
            "the signing secret cannot be read; save it again".to_owned()
        })?;
        let credentials = self.keys.open_credentials(endpoint.id, endpoint.credentials.as_ref()).map_err(|error| {
            tracing::error!(endpoint_id = %endpoint.id, %error, "a webhook's credentials cannot be read");
            "the endpoint's headers and credentials cannot be read; save them again".to_owned()
        })?;
        let (body, content_type) = match &endpoint.body {
            None => (job.payload.clone(), "application/json"),
            Some(template) => {
                let body = template.render(&job.payload).map_err(|error| format!("the body's template: {error}"))?;
                (body.into(), template.kind.content_type())
            }
        };
        let (id, timestamp) = (job.key.id.to_string(), at.timestamp());
        let signatures: Vec<String> =
            secrets.iter().map(|secret| secret.sign_standard(&id, timestamp, &body)).collect();
        let newest = secrets.first().map(|secret| secret.sign_body(&body)).unwrap_or_default();
        let values = [
            ("x-webhook-signature", newest),
            ("webhook-signature", signatures.join(" ")),
            ("webhook-timestamp", timestamp.to_string()),
            ("webhook-id", id),
            ("content-type", content_type.to_owned()),
        ];
        let traceparent = trace::current().or_else(|| job.traceparent.clone());
        let mut headers: HeaderMap = values
            .into_iter()
            .chain(traceparent.map(|text| ("traceparent", text)))
            .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?)))
            .collect();
        let authorization = credentials.authorization().map(|value| (header::AUTHORIZATION.to_string(), value));
        for (name, value) in credentials.headers.into_iter().chain(authorization) {
            // Both were checked when they were saved.
            if let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                // It stays with its host: the client sends what is sensitive to no other.
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        Ok(Request { headers, body })
    }

    /// What it is signed with, the newest first.
    fn secrets(&self, endpoint: &Endpoint, at: DateTime<Utc>) -> Result<Vec<Secret>, SecretsError> {
        let mut secrets = vec![self.keys.open(endpoint.id, &endpoint.secret)?];
        if let Some((old, until)) = &endpoint.old_secret
            && at < *until
        {
            secrets.push(self.keys.open_secret(endpoint.id, Part::OldSecret, old)?);
        }
        Ok(secrets)
    }
}

struct Request {
    headers: HeaderMap,
    body: Bytes,
}

fn millis(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// PostgreSQL's text holds every character but NUL.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
