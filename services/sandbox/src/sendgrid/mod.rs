//! The stand-in for SendGrid: what sends mails through its API cannot tell it from the real one. It is as strict, keeps what it takes beside
//! the mail server's mails, and tells of it with signed events.

mod check;
mod events;

use serde::{Deserialize, Serialize};

pub(crate) use check::{Accepted, Problem, check};
pub(crate) use events::{Signer, body, new_key, send};

/// How it treats the next mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SendGridMode {
    /// 202
    Ok,
    /// 429, with the time at which to come again.
    Busy,
    /// 500
    Fail,
    /// 401
    Revoked,
    /// No answer, and nothing was taken.
    Hang,
    /// It takes the mail, and the answer is lost.
    Lose,
}

/// The same, for how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendGridBehaviour {
    /// What it does.
    pub mode: SendGridMode,
    /// To how many; then all is well again.
    pub next: u32,
}

/// What it remembers.
pub(crate) struct SendGrid {
    behaviour: SendGridBehaviour,
    /// Where its events go.
    pub(crate) webhook_url: Option<String>,
    pub(crate) signer: Signer,
    sent: u64,
}

impl SendGrid {
    pub(crate) fn new(webhook_url: Option<String>, key: Option<&str>) -> anyhow::Result<Self> {
        let behaviour = SendGridBehaviour { mode: SendGridMode::Ok, next: 0 };
        Ok(Self { behaviour, webhook_url, signer: Signer::new(key)?, sent: 0 })
    }

    pub(crate) fn behave(&mut self, behaviour: SendGridBehaviour) {
        self.behaviour = behaviour;
    }

    /// How the mail at hand is treated.
    pub(crate) fn react(&mut self) -> SendGridMode {
        match self.behaviour.next.checked_sub(1) {
            Some(left) => {
                self.behaviour.next = left;
                self.behaviour.mode
            }
            None => SendGridMode::Ok,
        }
    }

    /// An id for a mail or an event: its own letters, and unlike any other.
    pub(crate) fn next_id(&mut self, what: &str) -> String {
        self.sent += 1;
        format!("{what}{:016x}", self.signer.number() ^ self.sent.rotate_left(17))
    }
}
