//! What an answer means.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    answer::{AnswerRules, Meaning},
    schedule::Trouble,
};

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
    /// The receiver does not take it, and will not.
    Refused {
        /// It has this person already.
        duplicate: bool,
        /// What it said, at most 200 characters.
        because: String,
    },
    /// The receiver says that it wants no more (410): the endpoint is switched off.
    Gone,
}

impl Outcome {
    /// Whether the receiver works, whatever it thinks of what it got.
    #[must_use]
    pub const fn works(&self) -> bool {
        matches!(self, Self::Delivered | Self::Refused { .. })
    }
}

/// What an attempt's answer is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The endpoint's rules, if it has some.
    pub rules: Option<&'a AnswerRules>,
    /// The answer's body, as far as it was read.
    pub body: &'a str,
    /// The same may have reached the receiver before: then a duplicate may be one of ours, and is a delivery.
    pub repeated: bool,
}

/// What the endpoint's rules say of an answer; `None`: nothing.
#[must_use]
pub fn meaning(reply: &Reply, context: Context<'_>) -> Option<Meaning> {
    match reply {
        Reply::Answer { status, .. } => context.rules?.read(*status, context.body),
        Reply::NoAnswer { .. } => None,
    }
}

/// What the endpoint's rules say; where they say nothing, any 2xx is a delivery, 410 ends the endpoint, and everything else
/// may mend itself: a receiver that answers 401 or 404 today was misdeployed more often than it was meant.
#[must_use]
pub fn classify(reply: &Reply, context: Context<'_>) -> Outcome {
    let meaning = meaning(reply, context);
    match (reply, meaning) {
        (_, Some(Meaning::Accepted)) => return Outcome::Delivered,
        (_, Some(Meaning::Duplicate)) if context.repeated => return Outcome::Delivered,
        (Reply::Answer { status, .. }, Some(meaning @ (Meaning::Duplicate | Meaning::Rejected))) => {
            let because = context.rules.map(|rules| rules.reason(*status, context.body)).unwrap_or_default();
            return Outcome::Refused { duplicate: meaning == Meaning::Duplicate, because };
        }
        (Reply::Answer { status, retry_after }, Some(Meaning::Retry)) => {
            return Outcome::Failed {
                error: format!("the receiver answered {status}, which its rules read as: later"),
                trouble: Trouble { retry_after: *retry_after, timed_out: false },
            };
        }
        _ => {}
    }
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
    use crate::answer::AnswerRule;

    const PLAIN: Context<'_> = Context { rules: None, body: "", repeated: false };

    fn reply(status: u16) -> Reply {
        Reply::Answer { status, retry_after: Some(Duration::from_secs(9)) }
    }

    fn answer(status: u16) -> Outcome {
        classify(&reply(status), PLAIN)
    }

    fn by_rule(means: Meaning, status: u16, body: &str, repeated: bool) -> Outcome {
        let rule =
            AnswerRule { statuses: vec![status], pointer: None, equals: String::new(), contains: String::new(), means };
        let rules = AnswerRules { rules: vec![rule], because: None };
        classify(&reply(status), Context { rules: Some(&rules), body, repeated })
    }

    #[test]
    fn rules_go_before_the_status() {
        let refused = |duplicate, because: &str| Outcome::Refused { duplicate, because: because.to_owned() };
        assert_eq!(by_rule(Meaning::Accepted, 409, "", false), Outcome::Delivered);
        assert_eq!(by_rule(Meaning::Rejected, 410, "no thanks", false), refused(false, "no thanks"));
        assert_eq!(by_rule(Meaning::Duplicate, 200, "", false), refused(true, "the receiver answered 200"));
        assert!(matches!(
            by_rule(Meaning::Retry, 200, "", false),
            Outcome::Failed { trouble: Trouble { retry_after: Some(_), .. }, .. }
        ));
    }

    #[test]
    fn a_duplicate_of_our_own_repeat_is_a_delivery_and_a_rejection_is_not() {
        assert_eq!(by_rule(Meaning::Duplicate, 409, "has it", true), Outcome::Delivered);
        assert!(matches!(by_rule(Meaning::Rejected, 409, "", true), Outcome::Refused { duplicate: false, .. }));
    }

    #[test]
    fn no_answer_is_never_read_by_rules() {
        let rules = AnswerRules {
            rules: vec![AnswerRule {
                statuses: Vec::new(),
                pointer: None,
                equals: String::new(),
                contains: String::new(),
                means: Meaning::Rejected,
            }],
            because: None,
        };
        let reply = Reply::NoAnswer { timed_out: true, error: "no complete answer in time".to_owned() };
        let context = Context { rules: Some(&rules), body: "", repeated: false };
        assert!(matches!(classify(&reply, context), Outcome::Failed { .. }));
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
        assert!(matches!(classify(&reply, PLAIN), Outcome::Failed { trouble: Trouble { timed_out: true, .. }, .. }));
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
