//! Mails through SendGrid's API, version 3 (`POST /v3/mail/send`).

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, header};
use leadflow_kernel::Clock;
use leadflow_notifier_domain::{Letter, parse_retry_after};
use leadflow_outbound_http::{Answer, BuildError, Client, Options};
use serde_json::{Value, json};
use url::Url;

use crate::{
    config::is_here,
    outbound::carrier::{NotSent, Sent},
    store::messages::MessageJob,
};

/// What comes back is short.
const ANSWER: usize = 64 << 10;
/// Of its words, this many characters are kept.
const WORDS: usize = 300;

/// An account at SendGrid.
#[derive(Clone, PartialEq, Eq)]
pub struct SendGridSettings {
    /// `https://api.sendgrid.com`, or where something like it is.
    pub base: Url,
    /// `SG.…`
    pub key: String,
    /// Whom mails are from: an address that the account may send from.
    pub from: String,
    /// For a mail, all in all.
    pub timeout: Duration,
}

impl fmt::Debug for SendGridSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendGridSettings")
            .field("base", &self.base.as_str())
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// Hands mails to SendGrid. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct SendGrid {
    client: Client,
    url: String,
    authorization: HeaderValue,
    from: String,
    clock: Arc<dyn Clock>,
}

impl SendGrid {
    /// With an account.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: &SendGridSettings, clock: Arc<dyn Clock>) -> Result<Self, BuildError> {
        let options = Options {
            purpose: "sendgrid",
            total_timeout: settings.timeout,
            body_cap: ANSWER,
            // It is an API: it does not move.
            max_redirects: 0,
            allow_loopback: is_here(&settings.base),
            idle_per_host: 64,
            ..Options::default()
        };
        // Keys are ASCII; another one is refused by SendGrid like any that is wrong.
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {}", settings.key)).unwrap_or(HeaderValue::from_static("Bearer"));
        authorization.set_sensitive(true);
        Ok(Self {
            client: Client::new(options)?,
            url: format!("{}/v3/mail/send", settings.base.as_str().trim_end_matches('/')),
            authorization,
            from: settings.from.clone(),
            clock,
        })
    }

    /// Hands over a mail.
    ///
    /// # Errors
    /// [`NotSent`]. An answer that is lost may have been a yes: SendGrid has no way to ask, so such a mail may come twice, unless SendGrid
    /// tells of it first.
    pub(super) async fn send(&self, job: &MessageJob, to: &str, letter: &Letter) -> Result<Sent, NotSent> {
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::AUTHORIZATION, self.authorization.clone()),
        ]);
        let body = self.body(job, to, letter).to_string();
        match self.client.post(&self.url, headers, body.into()).await {
            Ok(answer) => outcome(&answer, self.clock.now()),
            Err(failure) => {
                let status_code = failure.status.unwrap_or_default();
                let why = format!("SendGrid: {}", without_addresses(&failure.to_string()));
                Err(NotSent::Later { status_code, why, retry_after: None, unsure: failure.may_have_arrived() })
            }
        }
    }

    fn body(&self, job: &MessageJob, to: &str, letter: &Letter) -> Value {
        let mut headers = json!({ "Auto-Submitted": "auto-generated" });
        if let Some(link) = letter.one_click.as_ref().or(letter.unsubscribe.as_ref()) {
            headers["List-Unsubscribe"] = format!("<{link}>").into();
        }
        if letter.one_click.is_some() {
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click".into();
        }
        let kind = job.key.kind.map(leadflow_notifier_domain::MessageKind::code).unwrap_or_default();
        json!({
            "personalizations": [{
                "to": [{ "email": to }],
                // Comes back in each of its events.
                "custom_args": { "message_id": job.key.id.to_string() },
            }],
            "from": { "email": self.from, "name": letter.sender },
            "subject": letter.subject,
            "content": [
                { "type": "text/plain", "value": letter.text },
                { "type": "text/html", "value": letter.html },
            ],
            "categories": ["leadflow", kind.to_lowercase()],
            "headers": headers,
            // Links are what they say, and who reads when is nobody's business.
            "tracking_settings": {
                "click_tracking": { "enable": false, "enable_text": false },
                "open_tracking": { "enable": false },
                "subscription_tracking": { "enable": false },
            },
        })
    }
}

/// What an answer means. What is wrong with us (a key, the account, too many) is mended later; what is wrong with the mail never is.
fn outcome(answer: &Answer, now: DateTime<Utc>) -> Result<Sent, NotSent> {
    let status_code = answer.status;
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    if matches!(status_code, 200..=299) {
        return Ok(Sent { provider_id: header("x-message-id").map(str::to_owned), status_code, units: None });
    }
    let why = words(status_code, &answer.body);
    if matches!(status_code, 400 | 413) {
        return Err(NotSent::Refused { status_code, why });
    }
    let reset = header("x-ratelimit-reset").and_then(|at| at.parse::<i64>().ok()).filter(|_| status_code == 429);
    let reset = reset.and_then(|at| DateTime::from_timestamp(at, 0)).and_then(|at| (at - now).to_std().ok());
    let asked = header("retry-after").and_then(|text| parse_retry_after(text, now));
    Err(NotSent::Later { status_code, why, retry_after: asked.max(reset), unsure: status_code >= 500 })
}

/// SendGrid's own words, without addresses.
fn words(status: u16, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let errors = body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let said: Vec<_> = errors.iter().filter_map(|error| error["message"].as_str()).map(without_addresses).collect();
    let said: String = said.join("; ").chars().take(WORDS).collect();
    if said.is_empty() { format!("SendGrid answered {status}") } else { format!("SendGrid answered {status}: {said}") }
}

fn without_addresses(text: &str) -> String {
    text.split_whitespace().map(|word| if word.contains('@') { "…" } else { word }).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Answer {
        Answer {
            status,
            headers: headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect(),
            body: body.as_bytes().to_vec().into(),
            truncated: false,
            duration: Duration::ZERO,
            redirects: 0,
        }
    }

    #[test]
    fn answers_mean_what_sendgrid_says_they_do() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let taken = outcome(&answer(202, &[("x-message-id", "abc")], ""), now);
        assert_eq!(taken, Ok(Sent { provider_id: Some("abc".into()), status_code: 202, units: None }));
        let wrong = r#"{"errors":[{"message":"Does not contain a valid address: sam@example.com .","field":"personalizations.0.to"}]}"#;
        let refused = NotSent::Refused {
            status_code: 400,
            why: "SendGrid answered 400: Does not contain a valid address: … .".into(),
        };
        assert_eq!(outcome(&answer(400, &[], wrong), now), Err(refused));
        assert!(matches!(outcome(&answer(413, &[], ""), now), Err(NotSent::Refused { .. })));
        for status in [401, 403, 404, 406, 500, 502, 503, 302] {
            assert!(matches!(outcome(&answer(status, &[], "{"), now), Err(NotSent::Later { .. })), "{status}");
        }
        let wait = |headers: &[(&'static str, &'static str)]| match outcome(&answer(429, headers, ""), now) {
            Err(NotSent::Later { retry_after, .. }) => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("x-ratelimit-reset", "1800000040")]), Some(Duration::from_secs(40)));
        assert_eq!(wait(&[("x-ratelimit-reset", "5")]), None);
        assert_eq!(wait(&[("retry-after", "70"), ("x-ratelimit-reset", "1800000040")]), Some(Duration::from_secs(70)));
    }
}
