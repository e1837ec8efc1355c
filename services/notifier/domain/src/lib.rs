//! The rules of delivering: what is sent, how it is signed, what an answer means, when to try again
//! and when to stop. Pure: time and chance are arguments.

mod answer;
mod body;
mod credentials;
mod event;
mod health;
mod letters;
mod messages;
mod outcome;
mod payload;
mod preferences;
mod schedule;
mod signature;
mod texts;
mod unsubscribe;

pub use answer::{AnswerRule, AnswerRuleError, AnswerRules, MAX_REASON, Meaning};
pub use body::{BodyError, BodyKind, BodyTemplate, MAX_BODY, MAX_TEMPLATE};
pub use credentials::{Auth, CredentialError, Credentials, HIDDEN, MAX_HEADERS};
pub use event::EventKind;
pub use health::{DISABLE_AFTER, DisableReason, Health, HealthChange};
pub use letters::{Letter, LetterError, Letters, Reader};
pub use messages::{
    Channel, DaySummary, LeadNews, MESSAGE_RETRY_AFTER_CAP, MessageKind, News, Pace, Turns, Wishes, amount, day_bounds,
    day_to_sum_up, initial, message_pause, person, plain, plain_name, quiet_until, readable_fields,
};
pub use outcome::{Context, Outcome, Reply, classify, meaning, parse_retry_after};
pub use payload::{
    LeadAssigned, LeadReturned, LowBalance, PayloadError, PaymentFailed, payload, payload_of_failed_payment,
    payload_of_low_balance, payload_of_return, sample,
};
pub use preferences::{Preferences, PreferencesChange, PreferencesError, Quiet};
pub use schedule::{MAX_ATTEMPTS, RETRY_AFTER_CAP, STEPS, TIMEOUT_PAUSE, Trouble, pause_after};
pub use signature::{OLD_SECRET_FOR, Secret, SecretError};
pub use texts::{Alphabet, Keyword, NumberState, Text, Texts, is_for_good, number_state, segments, trouble_in_words};
pub use unsubscribe::{Topic, UNSUBSCRIBE_PURPOSE, UnsubscribeTokens};
