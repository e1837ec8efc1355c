//! Sends events to the webhook, until they are taken.

use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use http::{HeaderMap, HeaderValue, Method, header};
use leadflow_outbound_http::Client;
use leadflow_platform::Shutdown;
use tokio::task::JoinSet;

use super::Payments;
use crate::stripe::signature;

/// Sent at once; their order is nobody's business, as at Stripe.
const AT_ONCE: usize = 8;
/// Looks again after this, whatever was said.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Sends until the shutdown.
pub(crate) async fn send_events(payments: Payments, client: Client, shutdown: Shutdown) {
    loop {
        let pause = match payments.send_due(&client, &shutdown).await {
            0 => payments.pause(),
            _ => continue,
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = payments.wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl Payments {
    /// Sends what is due; how many that were.
    async fn send_due(&self, client: &Client, shutdown: &Shutdown) -> usize {
        let Some(target) = self.target() else { return 0 };
        if shutdown.is_cancelled() {
            return 0;
        }
        // Also lets time pass for what goes on by itself.
        let due = self.with(|core, now| {
            core.advance(now);
            core.take_due_events(AT_ONCE, now)
        });
        let count = due.len();
        let mut sending = JoinSet::new();
        for (event, payload) in due {
            let at = self.clock.now();
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
            // Digits, commas and hex.
            if let Ok(value) = HeaderValue::try_from(signature(payload.as_bytes(), &target.secrets, at)) {
                headers.insert("stripe-signature", value);
            }
            let (client, url) = (client.clone(), target.url.clone());
            sending.spawn(async move {
                let answer = client.send(Method::POST, &url, headers, Bytes::from(payload)).await;
                (event, matches!(answer, Ok(answer) if (200..300).contains(&answer.status)))
            });
        }
        while let Some(sent) = tokio::select! {
            sent = sending.join_next() => sent,
            // What was not reported is sent again after the next start.
            () = shutdown.cancelled() => None,
        } {
            if let Ok((event, taken)) = sent {
                self.with(|core, now| core.delivered(&event, taken, now));
            }
        }
        count
    }

    /// Until the next one is due.
    fn pause(&self) -> Duration {
        if self.target().is_none() {
            return LONGEST_PAUSE;
        }
        let next = self.with(|core, now| core.next_delivery().map(|next| next - now));
        let pause = next.unwrap_or(TimeDelta::seconds(1)).max(TimeDelta::milliseconds(10));
        pause.to_std().unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
    }
}
