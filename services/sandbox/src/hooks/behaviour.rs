use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a receiver treats what arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Answers at once.
    #[default]
    Ok,
    /// Answers with a failure.
    Fail,
    /// Answers well, but late.
    Slow,
    /// Never answers.
    Hang,
}

/// What a receiver was told to do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Behaviour {
    /// The manner.
    pub mode: Mode,
    /// The status answered; 200, or 500 when failing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How late `slow` is, in milliseconds (at most two minutes); 2,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// This many requests fail first, whatever the mode.
    #[serde(default)]
    pub fail_next: u32,
    /// Sent as `Retry-After` with failures, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// What one request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    Answer { status: u16, after: Duration, retry_after: Option<u64> },
    Hang,
}

impl Reaction {
    /// The status that will be answered; `None` when none will.
    pub(crate) const fn status(self) -> Option<u16> {
        match self {
            Self::Answer { status, .. } => Some(status),
            Self::Hang => None,
        }
    }
}

const FAILURE: u16 = 500;
const MAX_DELAY: Duration = Duration::from_secs(120);

impl Behaviour {
    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match self.status {
            Some(status) if !(200..=599).contains(&status) => Some("status must be 200 to 599"),
            _ if self.delay_ms.is_some_and(|ms| u128::from(ms) > MAX_DELAY.as_millis()) => {
                Some("delayMs must be at most 120000")
            }
            _ => None,
        }
    }

    /// Decides for one request and counts it.
    pub(crate) fn react(&mut self) -> Reaction {
        let failure = self.status.filter(|status| *status >= 300).unwrap_or(FAILURE);
        if self.fail_next > 0 {
            self.fail_next -= 1;
            return Reaction::Answer { status: failure, after: Duration::ZERO, retry_after: self.retry_after };
        }
        let good = self.status.filter(|status| *status < 300).unwrap_or(200);
        let (status, after) = match self.mode {
            Mode::Hang => return Reaction::Hang,
            Mode::Ok => (self.status.unwrap_or(200), Duration::ZERO),
            Mode::Fail => (failure, Duration::ZERO),
            Mode::Slow => (good, Duration::from_millis(self.delay_ms.unwrap_or(2_000))),
        };
        Reaction::Answer { status, after, retry_after: self.retry_after.filter(|_| status >= 300) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statuses(mut behaviour: Behaviour, count: usize) -> Vec<Option<u16>> {
        (0..count).map(|_| behaviour.react().status()).collect()
    }

    #[test]
    fn each_mode_does_what_it_is_called() {
        let mode = |mode| Behaviour { mode, ..Behaviour::default() };
        assert_eq!(statuses(mode(Mode::Ok), 1), [Some(200)]);
        assert_eq!(statuses(mode(Mode::Fail), 1), [Some(500)]);
        assert_eq!(statuses(mode(Mode::Hang), 1), [None]);
        let mut slow = Behaviour { delay_ms: Some(70), ..mode(Mode::Slow) };
        assert_eq!(slow.react(), Reaction::Answer { status: 200, after: Duration::from_millis(70), retry_after: None });
    }

    #[test]
    fn the_next_few_fail_and_then_the_mode_holds() {
        let behaviour = Behaviour { fail_next: 2, status: Some(503), ..Behaviour::default() };
        assert_eq!(statuses(Behaviour { mode: Mode::Slow, ..behaviour }, 3), [Some(503), Some(503), Some(200)]);
    }
}
