//! Who sent a webhook: its signature over the body as it came.

use std::time::Duration;

use chrono::{DateTime, Utc};
use stripe_webhook::{Webhook, WebhookError};

/// Checks webhooks against the secrets of an endpoint.
#[derive(Clone)]
pub struct Signatures {
    secrets: Vec<String>,
    tolerance: Duration,
}

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRefusal {
    /// There is nothing to check it with.
    #[error("no signing secret is set (STRIPE_WEBHOOK_SECRET)")]
    NotConfigured,
    /// Not signed with any of the secrets, or not readable.
    #[error("the signature is missing or wrong")]
    BadSignature,
    /// Signed too long ago (it may be a replay), or in the future.
    #[error("the time of signing is too far from now")]
    BadTime,
}

impl Signatures {
    /// Any of `secrets` is good; a time of signing may be `tolerance` from ours.
    #[must_use]
    pub const fn new(secrets: Vec<String>, tolerance: Duration) -> Self {
        Self { secrets, tolerance }
    }

    /// Checks a webhook that came `now`, and gives its body as text.
    ///
    /// # Errors
    /// [`WebhookRefusal`].
    pub fn check<'b>(&self, body: &'b [u8], header: &str, now: DateTime<Utc>) -> Result<&'b str, WebhookRefusal> {
        if self.secrets.is_empty() {
            return Err(WebhookRefusal::NotConfigured);
        }
        let body = std::str::from_utf8(body).map_err(|_| WebhookRefusal::BadSignature)?;
        let at = signed_at(header).ok_or(WebhookRefusal::BadSignature)?;
        let good = self.secrets.iter().any(|secret| {
            // The library's own tolerance is fixed, so it is asked as of the time of signing. An event that it cannot
            // read is signed all the same: we keep it, and read for ourselves.
            matches!(
                Webhook::construct_event_with_timestamp(body, header, secret, at),
                Ok(_) | Err(WebhookError::BadParse(_))
            )
        });
        if !good {
            return Err(WebhookRefusal::BadSignature);
        }
        let away = now.timestamp().abs_diff(at);
        if away > self.tolerance.as_secs() { Err(WebhookRefusal::BadTime) } else { Ok(body) }
    }
}

/// The time in `t=…,v1=…`. A header with two of them is none: which one is signed?
fn signed_at(header: &str) -> Option<i64> {
    let mut times = header.split(',').filter_map(|pair| pair.strip_prefix("t="));
    let time = times.next()?;
    if times.next().is_some() { None } else { time.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"id":"evt_1","object":"event"}"#;
    const AT: i64 = 1_800_000_000;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(AT, 0).unwrap()
    }

    fn check(secrets: &[&str], body: &str, header: &str) -> Result<(), WebhookRefusal> {
        let secrets = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        Signatures::new(secrets, Duration::from_secs(300)).check(body.as_bytes(), header, now()).map(|_| ())
    }

    #[test]
    fn any_of_the_secrets_is_good_and_no_other() {
        let header = Webhook::generate_test_header(BODY, "whsec_old", Some(AT));
        assert_eq!(check(&["whsec_new", "whsec_old"], BODY, &header), Ok(()));
        assert_eq!(check(&["whsec_new"], BODY, &header), Err(WebhookRefusal::BadSignature));
        assert_eq!(check(&[], BODY, &header), Err(WebhookRefusal::NotConfigured));
        assert_eq!(check(&["whsec_old"], &BODY.replace("evt_1", "evt_2"), &header), Err(WebhookRefusal::BadSignature));
    }

    #[test]
    fn the_time_is_signed_and_bounded_both_ways() {
        for (away, answer) in
            [(300, Ok(())), (-300, Ok(())), (301, Err(WebhookRefusal::BadTime)), (-301, Err(WebhookRefusal::BadTime))]
        {
            let header = Webhook::generate_test_header(BODY, "whsec_1", Some(AT + away));
            assert_eq!(check(&["whsec_1"], BODY, &header), answer, "{away}");
        }
        let old = Webhook::generate_test_header(BODY, "whsec_1", Some(AT - 1_000));
        let newer = old.replace(&format!("t={}", AT - 1_000), &format!("t={AT}"));
        assert_eq!(check(&["whsec_1"], BODY, &newer), Err(WebhookRefusal::BadSignature));
        assert_eq!(check(&["whsec_1"], BODY, &format!("t={AT},{old}")), Err(WebhookRefusal::BadSignature));
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        for header in
            ["", "t=", "t=x,v1=00", "v1=00", &format!("t={AT}"), &format!("t={AT},v0=00"), &format!("t={AT},v1=zz")]
        {
            assert_eq!(check(&["whsec_1"], BODY, header), Err(WebhookRefusal::BadSignature), "{header:?}");
        }
    }
}
