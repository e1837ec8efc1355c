//! Why a request is refused.

use leadflow_kernel::MoneyError;

/// A field of a request holds something it may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct Invalid {
    /// The field's name in the contract, e.g. `time_zone`.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: Reason,
}

impl Invalid {
    /// `reason` about `field`.
    #[must_use]
    pub const fn new(field: &'static str, reason: Reason) -> Self {
        Self { field, reason }
    }
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Nothing but white space, or more characters than fit.
    #[error("must have 1 to {max} characters")]
    Length {
        /// The most characters it may have.
        max: usize,
    },
    /// A line break, a NUL or another control character.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// Not in the time zone database.
    #[error("must be an IANA time zone name such as America/New_York")]
    TimeZone,
    /// Not 0 to 100 with at most two decimals.
    #[error("must be a decimal number from 0 to 100 with at most two decimals")]
    Percent,
    /// A whole number out of its range.
    #[error("must be {min} to {max}")]
    Range {
        /// The least it may be.
        min: u32,
        /// The most it may be.
        max: u32,
    },
    /// Below zero.
    #[error("must not be negative")]
    Negative,
    /// Not usable as money.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// Set and cleared by the same request.
    #[error("cannot be set and cleared at once")]
    SetAndCleared,
    /// Not the address of a mailbox.
    #[error("must be an e-mail address such as jane@example.com")]
    Email,
    /// Not an international telephone number.
    #[error("must be a telephone number with its country, such as +12125550123")]
    Phone,
    /// Too short to be safe, or longer than anybody types.
    #[error("must have {min} to {max} characters")]
    PasswordLength {
        /// The fewest characters it may have.
        min: usize,
        /// The most characters it may have.
        max: usize,
    },
    /// Easily guessed.
    #[error("is too easy to guess: it {0}")]
    PasswordWeak(&'static str),
    /// More entries than fit.
    #[error("must have at most {max} entries")]
    TooMany {
        /// The most entries it may have.
        max: usize,
    },
}

/// Why a well-formed change is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A field is not valid in the record it is meant for.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The record, or its seller, is out of use for good.
    #[error("the {what} is archived and cannot be changed")]
    Archived {
        /// `seller`, `buyer` or `supplier`.
        what: &'static str,
    },
    /// The key's id is in use.
    #[error("an API key with this id exists; its text cannot be shown again")]
    KeyExists,
    /// The supplier has no such key.
    #[error("no such API key")]
    KeyUnknown,
    /// As many keys work as may.
    #[error("the supplier has {max} working API keys; revoke one first")]
    TooManyKeys {
        /// The most keys that may work at one time.
        max: usize,
    },
}
