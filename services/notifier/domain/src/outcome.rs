//! What an answer means.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::schedule::Trouble;

/// What came back from an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A complete answer with this status, and its `Retry-After` if it had one.
    Answer {
        /// The status code.
        status: u16,
        /// As read by [`parse_retry_after`].
        retry_after: Option<Duration>,
    },
    /// No complete answer.
    NoAnswer {
        /// The deadline ran out.
        timed_out: bool,
        /// In words, for the customer.
        error: String,
    },
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// Worth another attempt, if there is one left.
    Failed {
        /// In words, for the customer.
        error: String,
        /// What bears on the wait.
        trouble: Trouble,
    },
    /// The receiver says that it wants no more (410): the endpoint is switched off.
    Gone,
}

/// Any 2xx is a delivery; 410 ends the endpoint; everything else may mend itself: a receiver that
/// answers 401 or 404 today was misdeployed more often than it was meant.
#[must_use]
pub fn classify(reply: &Reply) -> Outcome {
    match reply {
        Reply::Answer { status: 200..=299, .. } => Outcome::Delivered,
        Reply::Answer { status: 410, .. } => Outcome::Gone,
        Reply::Answer { status, retry_after } => Outcome::Failed {
            error: format!("the receiver answered {status}"),
            trouble: Trouble { retry_after: *retry_after, timed_out: matches!(status, 408 | 504) },
        },
        Reply::NoAnswer { timed_out, error } => {
            Outcome::Failed { error: error.clone(), trouble: Trouble { retry_after: None, timed_out: *timed_out } }
        }
    }
}

/// Reads a `Retry-After`: seconds or an HTTP date; a date in the past is zero, nonsense is `None`.
#[must_use]
pub fn parse_retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit are a very long time.
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    Some((date.to_utc() - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16) -> Outcome {
        classify(&Reply::Answer { status, retry_after: Some(Duration::from_secs(9)) })
    }

    #[test]
    fn only_2xx_delivers_and_only_410_ends() {
        for status in 100..600_u16 {
            match (status, answer(status)) {
                (200..=299, Outcome::Delivered) | (410, Outcome::Gone) => {}
                (200..=299 | 410, other) => panic!("{status}: {other:?}"),
                (_, Outcome::Failed { trouble, error }) => {
                    assert_eq!(trouble.retry_after, Some(Duration::from_secs(9)));
                    assert!(error.contains(&status.to_string()));
                }
                (_, other) => panic!("{status}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_time_out_is_told_to_the_schedule() {
        let reply = Reply::NoAnswer { timed_out: true, error: "no complete answer in time".to_owned() };
        assert!(matches!(classify(&reply), Outcome::Failed { trouble: Trouble { timed_out: true, .. }, .. }));
    }

    #[test]
    fn retry_after_is_read_in_both_its_forms() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let seconds = |text| parse_retry_after(text, now).map(|d| d.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(seconds("Sun, 22 Nov 2026 12:02:00 GMT"), Some(120));
        assert_eq!(seconds("Sun, 22 Nov 2026 11:00:00 GMT"), Some(0));
        for nonsense in ["", "soon", "-5", "1.5", "NaN"] {
            assert_eq!(seconds(nonsense), None, "{nonsense}");
        }
    }
}
