//! Secrets that open something once or for a while.

use std::fmt;

use chrono::TimeDelta;

use crate::api_key::{RANDOM_BYTES, base62};

/// The secret text of a session or of a mailed link: 43 digits and letters, 256 random bits. Printing it for
/// debugging shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText(String);

impl TokenText {
    /// The text that these random bytes are.
    #[must_use]
    pub fn from_random(number: [u8; RANDOM_BYTES]) -> Self {
        Self(base62("", number))
    }

    /// The text, to be shown once and hashed.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText(…)")
    }
}

/// What a mailed link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailKind {
    /// To choose a new password.
    ResetPassword,
    /// To show that an address is one's own.
    VerifyEmail,
    /// To become one of a seller's team.
    TeamInvitation,
    /// To become a supplier's user.
    SupplierInvitation,
}

impl MailKind {
    /// As stored in columns.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ResetPassword => "RESET_PASSWORD",
            Self::VerifyEmail => "VERIFY_EMAIL",
            Self::TeamInvitation => "TEAM_INVITATION",
            Self::SupplierInvitation => "SUPPLIER_INVITATION",
        }
    }

    /// How long its link works.
    #[must_use]
    pub const fn life(self) -> TimeDelta {
        match self {
            Self::ResetPassword => TimeDelta::hours(1),
            Self::VerifyEmail => TimeDelta::days(3),
            Self::TeamInvitation | Self::SupplierInvitation => TimeDelta::days(7),
        }
    }
}
