//! Whether a record is in use.

use crate::Refusal;

/// Whether a record is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// In use.
    Active,
    /// Out of use for a while.
    Paused,
    /// Out of use for good; its history stays.
    Archived,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Active, Self::Paused, Self::Archived];

    /// As stored in columns.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Paused => "PAUSED",
            Self::Archived => "ARCHIVED",
        }
    }

    /// Reads what [`Status::code`] wrote.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }

    /// Lets only a record pass that may still change. `what` names it in the refusal.
    ///
    /// # Errors
    /// [`Refusal::Archived`].
    pub const fn changeable(self, what: &'static str) -> Result<(), Refusal> {
        match self {
            Self::Archived => Err(Refusal::Archived { what }),
            Self::Active | Self::Paused => Ok(()),
        }
    }
}
