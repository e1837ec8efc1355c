//! Between wire forms (text ids, text money, milliseconds) and typed values.

use chrono::{DateTime, Utc};
use leadflow_kernel::{Currency, Id, IdError, Kind, Money, MoneyError};

use crate::common;

/// A message holds something that is not what its contract says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// A field's id is malformed or of another kind.
    #[error("{field}: {error}")]
    Id {
        /// The field's name.
        field: &'static str,
        /// What is wrong.
        error: IdError,
    },
    /// A field's money is malformed.
    #[error("{field}: {error}")]
    Money {
        /// The field's name.
        field: &'static str,
        /// What is wrong.
        error: MoneyError,
    },
    /// A required field is absent.
    #[error("{field}: missing")]
    Missing {
        /// The field's name.
        field: &'static str,
    },
}

/// Reads an id.
///
/// # Errors
/// [`ConvertError::Id`] naming `field`.
pub fn id<K: Kind>(text: &str, field: &'static str) -> Result<Id<K>, ConvertError> {
    text.parse().map_err(|error| ConvertError::Id { field, error })
}

/// Reads a required amount.
///
/// # Errors
/// [`ConvertError::Missing`] or [`ConvertError::Money`] naming `field`.
pub fn money(value: Option<&common::Money>, field: &'static str) -> Result<Money, ConvertError> {
    optional_money(value, field)?.ok_or(ConvertError::Missing { field })
}

/// Reads an optional amount.
///
/// # Errors
/// [`ConvertError::Money`] naming `field`.
pub fn optional_money(value: Option<&common::Money>, field: &'static str) -> Result<Option<Money>, ConvertError> {
    value
        .map(|money| Currency::parse(&money.currency).and_then(|currency| Money::parse(&money.amount, currency)))
        .transpose()
        .map_err(|error| ConvertError::Money { field, error })
}

/// The wire form of an amount.
#[must_use]
pub fn money_to_proto(money: Money) -> common::Money {
    common::Money { amount: money.amount().to_string(), currency: money.currency().code().to_owned() }
}

/// Milliseconds since 1970; 0 and impossible values are `None`.
#[must_use]
pub fn time_from_ms(ms: i64) -> Option<DateTime<Utc>> {
    if ms == 0 { None } else { DateTime::from_timestamp_millis(ms) }
}

/// The wire form of a time.
#[must_use]
pub fn time_to_ms(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}
