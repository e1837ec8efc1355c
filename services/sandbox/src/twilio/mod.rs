//! The stand-in for Twilio's text messages: what sends through its API cannot tell it from the real one. It is as strict, keeps what it takes,
//! tells what became of it with signed calls, and knows who said STOP.

mod account;
mod check;
mod error;
mod keywords;
mod list;
mod numbers;
mod segments;
mod signature;
mod store;
mod text;

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};

pub(crate) use account::Account;
pub(crate) use check::check;
pub(crate) use error::TwilioError;
pub(crate) use list::Filter;
pub(crate) use numbers::SENDER;
pub(crate) use signature::signature;
pub(crate) use store::Twilio;
pub use text::{Direction, Text, TextStatus, Told};

/// Where it is, below the sandbox's address.
pub(crate) const PATH: &str = "/twilio";

/// How it treats the next messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TwilioMode {
    /// It takes them.
    Ok,
    /// 429
    Busy,
    /// 500
    Fail,
    /// 401
    Revoked,
    /// No answer, and nothing was taken.
    Hang,
    /// It takes the message, and the answer is lost.
    Lose,
}

/// The same, for how many, and what becomes of those that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TwilioBehaviour {
    /// What it does.
    pub mode: TwilioMode,
    /// To how many; then all is well again.
    pub next: u32,
    /// What becomes of those: `delivered`, unless something else is said.
    #[serde(default = "delivered")]
    pub outcome: TextStatus,
    /// Why they do not arrive.
    #[serde(default)]
    pub error_code: Option<u32>,
}

const fn delivered() -> TextStatus {
    TextStatus::Delivered
}

impl TwilioBehaviour {
    /// What it does when nobody has said anything.
    const USUAL: Self = Self { mode: TwilioMode::Ok, next: 0, outcome: TextStatus::Delivered, error_code: None };

    /// What is wrong with it.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        match self.outcome {
            TextStatus::Accepted | TextStatus::Received => {
                Some("outcome is queued, sent, delivered, undelivered or failed")
            }
            _ => None,
        }
    }
}

/// Two letters and 32 hexadecimal digits, unlike any other.
fn new_sid(random: &SystemRandom, prefix: &str, number: u64) -> String {
    let mut bytes = [0; 16];
    if random.fill(&mut bytes).is_err() {
        bytes[..8].copy_from_slice(&number.to_be_bytes());
    }
    format!("{prefix}{}", hex::encode(bytes))
}
