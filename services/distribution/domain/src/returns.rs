//! Undoing sales: what a campaign allows, and what becomes of a buyer's wish.
//!
//! A month's share is judged in the month of the sale: of what a buyer bought in a campaign in one month, at most so many percent are asked
//! back, whenever he asks. What is bought later in that month only makes room, so a share that is kept once is kept for ever. A rejected
//! wish gives its place back. A free lead may be returned like any other; a test lead was never sold.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::configure::{Invalid, invalid};

/// The longest window.
pub const MAX_RETURN_DAYS: u32 = 365;
/// Reasons of a campaign at most.
pub const MAX_REASONS: usize = 20;
const MAX_REASON: usize = 40;

/// Which sales of a campaign may be undone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReturnPolicy {
    /// Within so many days (of 24 hours) of the sale; 0: none may be.
    pub days: u32,
    /// Of a buyer's leads of one month, at most so many percent.
    pub max_share_percent: u32,
    /// What a buyer may give as his reason.
    pub reasons: Vec<String>,
    /// Nobody is asked.
    pub auto_approve: bool,
    /// A sale that is undone on its own day counts no more for the daily cap.
    pub counts_out_of_caps: bool,
    /// What becomes of a sale whose lead the buyer's own system does not take.
    pub refusals: RefusalPolicy,
}

/// What becomes of a sale whose lead the buyer's own system does not take when it is delivered. Without a bound a buyer could pick, by
/// machine, the leads that he likes best: so his share is bounded, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RefusalPolicy {
    /// The sale is undone at once.
    pub credited: bool,
    /// And the lead is for sale again.
    pub sold_on: bool,
    /// Of a buyer's leads of one month, at most so many percent.
    pub max_share_percent: u32,
}

/// Where a return is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnState {
    /// The seller has to decide.
    Requested,
    /// The sale is undone; final.
    Approved,
    /// The sale stays; final.
    Rejected,
}

/// A buyer's wish, with what it is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// When the lead was sold.
    pub sold_at: DateTime<Utc>,
    /// Now.
    pub now: DateTime<Utc>,
    /// Why.
    pub reason: &'a str,
    /// What the buyer bought in the campaign in the month of the sale, this lead included.
    pub bought: u64,
    /// What of it he asked back before, without what was rejected.
    pub returned: u64,
}

/// Why a sale is not undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotReturned {
    /// The campaign takes nothing back.
    #[error("the campaign takes no leads back")]
    NotAllowed,
    /// Too late.
    #[error("the time in which the lead could be returned is over")]
    WindowOver,
    /// Not one of the campaign's reasons.
    #[error("the campaign does not take leads back for this reason")]
    Reason,
    /// The month's share is used up.
    #[error("no more of the leads bought in that month may be returned")]
    Share,
}

impl NotReturned {
    /// Stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAllowed => "returns_not_allowed",
            Self::WindowOver => "return_window_over",
            Self::Reason => "reason_not_allowed",
            Self::Share => "return_share_reached",
        }
    }
}

/// It was decided otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the return was decided before, the other way")]
pub struct DecidedOtherwise;

impl ReturnPolicy {
    /// Checks what a seller asks to be set up.
    ///
    /// # Errors
    /// [`Invalid`] for a window or share out of range, reasons that are malformed, repeated or too many, and a window without a reason or
    /// with a share of nothing, which would let nobody return anything.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.days > MAX_RETURN_DAYS {
            return invalid("returns.days", format!("must be at most {MAX_RETURN_DAYS}"));
        }
        self.refusals.check()?;
        let least = u32::from(self.days > 0);
        if !(least..=100).contains(&self.max_share_percent) {
            return invalid("returns.max_share_percent_per_month", format!("must be {least} to 100"));
        }
        if self.reasons.len() > MAX_REASONS {
            return invalid("returns.reasons", format!("must be at most {MAX_REASONS}"));
        }
        if self.days > 0 && self.reasons.is_empty() {
            return invalid("returns.reasons", "must name a reason when there are days");
        }
        let mut seen = HashSet::new();
        for reason in &self.reasons {
            if !is_reason(reason) {
                let problem =
                    format!("must be a small letter and small letters, digits or _ ({MAX_REASON} characters at most)");
                return invalid("returns.reasons", problem);
            }
            if !seen.insert(reason) {
                return invalid("returns.reasons", "must differ");
            }
        }
        Ok(())
    }

    /// What becomes of a wish at first.
    ///
    /// # Errors
    /// [`NotReturned`].
    pub fn judge(&self, wish: &Wish<'_>) -> Result<ReturnState, NotReturned> {
        if self.days == 0 {
            return Err(NotReturned::NotAllowed);
        }
        if wish.now - wish.sold_at >= TimeDelta::days(i64::from(self.days)) {
            return Err(NotReturned::WindowOver);
        }
        if !self.reasons.iter().any(|reason| reason == wish.reason) {
            return Err(NotReturned::Reason);
        }
        if !is_within(wish.returned.saturating_add(1), wish.bought, self.max_share_percent) {
            return Err(NotReturned::Share);
        }
        Ok(if self.auto_approve { ReturnState::Approved } else { ReturnState::Requested })
    }
}

impl RefusalPolicy {
    fn check(self) -> Result<(), Invalid> {
        if self.sold_on && !self.credited {
            return invalid("returns.refusals.sold_on", "needs credited: a lead that is paid for is not sold again");
        }
        let least = u32::from(self.credited);
        if !(least..=100).contains(&self.max_share_percent) {
            return invalid("returns.refusals.max_share_percent_per_month", format!("must be {least} to 100"));
        }
        Ok(())
    }

    /// Whether a sale is undone whose lead was refused: `bought` is what the buyer bought in the campaign in the month of the sale, this
    /// lead included, `refused` what of it was undone for that before.
    ///
    /// # Errors
    /// [`NotReturned::NotAllowed`], [`NotReturned::Share`].
    pub const fn judge(self, bought: u64, refused: u64) -> Result<(), NotReturned> {
        if !self.credited {
            return Err(NotReturned::NotAllowed);
        }
        if is_within(refused.saturating_add(1), bought, self.max_share_percent) {
            Ok(())
        } else {
            Err(NotReturned::Share)
        }
    }
}

/// At most `percent` of `bought`, rounded down.
const fn is_within(part: u64, bought: u64, percent: u32) -> bool {
    part as u128 * 100 <= bought as u128 * percent as u128
}

fn is_reason(text: &str) -> bool {
    text.len() <= MAX_REASON
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

impl ReturnState {
    /// Whether deciding so changes anything: the same decision again does not.
    ///
    /// # Errors
    /// [`DecidedOtherwise`].
    pub fn decide(self, approve: bool) -> Result<bool, DecidedOtherwise> {
        match (self, approve) {
            (Self::Requested, _) => Ok(true),
            (Self::Approved, true) | (Self::Rejected, false) => Ok(false),
            (Self::Approved, false) | (Self::Rejected, true) => Err(DecidedOtherwise),
        }
    }
}
