//! Mails by SMTP: the only crate that knows lettre.
//!
//! A mail has an id of its own, from which its `Message-ID` follows: SMTP has no other way to show that two are the same.
//! Every attempt ends within [`SmtpSettings::timeout`], and says whether another one may help.

mod error;
mod settings;
mod smtp;

pub use error::{SendError, SettingsError};
pub use settings::{SmtpSettings, Tls};
pub use smtp::{Mail, Mailer};
