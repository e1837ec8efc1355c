//! Giving card money back.

use leadflow_kernel::PaymentId;
use rust_decimal::Decimal;

use crate::CardPayment;

/// Where a refund stands. It may fail also after it was said to have succeeded; a failed one stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundState {
    /// Ordered; the provider may or may not have heard of it.
    Pending,
    /// On the card.
    Succeeded,
    /// Did not arrive; the money is in the wallet again.
    Failed,
}

impl RefundState {
    /// The stable name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::Succeeded, Self::Failed].into_iter().find(|state| state.name() == name)
    }

    /// The state after news of `told`; `None` when that changes nothing.
    #[must_use]
    pub const fn after(self, told: Self) -> Option<Self> {
        match (self, told) {
            (Self::Pending, Self::Succeeded) | (Self::Pending | Self::Succeeded, Self::Failed) => Some(told),
            _ => None,
        }
    }
}

/// Why an amount cannot be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefundError {
    /// Zero or less.
    #[error("a refund must be more than zero")]
    NotPositive,
    /// The wallet has not that much to spend.
    #[error("only {0} of the balance is unspent")]
    Unspent(Decimal),
    /// Cards paid less than that (the rest was credited by hand, has gone back already, or is disputed).
    #[error("only {0} came from cards and can go back")]
    NotFromCards(Decimal),
}

/// Which payments give how much of `amount` back: newest first, of each no more than what is left of it, and altogether no more than is
/// available. `payments` come newest first.
///
/// # Errors
/// [`RefundError`].
pub fn allocate(
    amount: Decimal,
    available: Decimal,
    payments: &[CardPayment],
) -> Result<Vec<(PaymentId, Decimal)>, RefundError> {
    if amount <= Decimal::ZERO {
        return Err(RefundError::NotPositive);
    }
    if amount > available {
        return Err(RefundError::Unspent(available));
    }
    let mut left = amount;
    let mut parts = Vec::new();
    for payment in payments {
        let part = payment.refundable().min(left);
        if part > Decimal::ZERO {
            parts.push((payment.id, part));
            left -= part;
        }
    }
    if left > Decimal::ZERO {
        return Err(RefundError::NotFromCards(amount - left));
    }
    Ok(parts)
}

/// What is booked of refunds of one payment. Major units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refunds {
    /// Ours that the provider is known to have taken and not to have failed.
    pub certain: Decimal,
    /// Ours of which that is not known yet.
    pub uncertain: Decimal,
    /// Those made on the provider's own pages.
    pub foreign: Decimal,
}

/// By how much the booked refunds of the provider's own pages differ from what its total says: positive, more went back;
/// negative, some of it came back. The total may or may not contain what is uncertain, so the least that is sure is
/// told; the rest when that is settled.
#[must_use]
pub fn unexplained(total: Decimal, booked: Refunds) -> Decimal {
    let most = (total - booked.certain).max(Decimal::ZERO);
    let least = (most - booked.uncertain).max(Decimal::ZERO);
    if least > booked.foreign {
        least - booked.foreign
    } else if most < booked.foreign {
        most - booked.foreign
    } else {
        Decimal::ZERO
    }
}
