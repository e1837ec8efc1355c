//! The rules of delivering: what is sent, how it is signed, what an answer means, when to try again
//! and when to stop. Pure: time and chance are arguments.

mod health;
mod letters;
mod messages;
mod outcome;
mod payload;
mod preferences;
mod schedule;
mod signature;
mod unsubscribe;

pub use health::{DISABLE_AFTER, DisableReason, Health, HealthChange};
pub use letters::{Letter, LetterError, Letters, Reader};
pub use messages::{
    Channel, DaySummary, LeadNews, MESSAGE_RETRY_AFTER_CAP, MessageKind, News, Pace, Wishes, amount, initial,
    message_pause, person, plain, plain_name, readable_fields,
};
pub use outcome::{Outcome, Reply, classify, parse_retry_after};
pub use payload::{LeadAssigned, PayloadError, payload};
pub use preferences::{Preferences, PreferencesChange, PreferencesError, Quiet};
pub use schedule::{MAX_ATTEMPTS, RETRY_AFTER_CAP, STEPS, TIMEOUT_PAUSE, Trouble, pause_after};
pub use signature::{Secret, SecretError};
pub use unsubscribe::{Topic, UNSUBSCRIBE_PURPOSE, UnsubscribeTokens};
