//! Money: an exact decimal amount with its currency. Never a float.

use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

/// Decimal places that prices, balances and entries have.
const SCALE: u32 = 2;
/// The largest amount anything in the system may name, either sign: 9,999,999,999.99.
const MAX: Decimal = Decimal::from_parts(3_567_587_327, 232, 0, false, SCALE);

/// An ISO 4217 code, three upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The United States dollar.
    pub const USD: Self = Self(*b"USD");

    /// Reads a code.
    ///
    /// # Errors
    /// [`MoneyError::Currency`] unless the text is three upper-case ASCII letters.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let bytes: [u8; 3] = text.as_bytes().try_into().map_err(|_| MoneyError::Currency)?;
        if bytes.iter().all(u8::is_ascii_uppercase) { Ok(Self(bytes)) } else { Err(MoneyError::Currency) }
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in the currency's major unit (dollars), with at most two decimals.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

/// Why something is not usable as money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a plain decimal number.
    #[error("must be a decimal number such as 25.00")]
    NotANumber,
    /// More than two decimals.
    #[error("must have at most two decimals")]
    TooPrecise,
    /// Beyond 9,999,999,999.99 either way.
    #[error("must be at most 9,999,999,999.99")]
    TooLarge,
    /// Two currencies met.
    #[error("currencies differ: {0} and {1}")]
    Mixed(Currency, Currency),
    /// Not an ISO 4217 code.
    #[error("currency must be three upper-case letters")]
    Currency,
}

impl Money {
    /// Nothing, in `currency`.
    #[must_use]
    pub fn zero(currency: Currency) -> Self {
        Self { amount: Decimal::new(0, SCALE), currency }
    }

    /// `amount` of `currency`.
    ///
    /// # Errors
    /// [`MoneyError::TooPrecise`] or [`MoneyError::TooLarge`].
    pub fn new(amount: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        if amount.normalize().scale() > SCALE {
            return Err(MoneyError::TooPrecise);
        }
        if amount.abs() > MAX {
            return Err(MoneyError::TooLarge);
        }
        let mut amount = amount;
        amount.rescale(SCALE);
        Ok(Self { amount, currency })
    }

    /// Reads "25", "25.5" or "-25.00".
    ///
    /// # Errors
    /// [`MoneyError::NotANumber`] for anything but an optional minus, digits and an optional
    /// fraction; otherwise as [`Money::new`].
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let plain = !digits.is_empty()
            && digits.len() <= 24
            && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && digits.as_bytes()[0] != b'.'
            && !digits.ends_with('.');
        if !plain {
            return Err(MoneyError::NotANumber);
        }
        let amount = Decimal::from_str_exact(text).map_err(|_| MoneyError::NotANumber)?;
        Self::new(amount, currency)
    }

    /// The number of major units (dollars), always with two decimals.
    #[must_use]
    pub const fn amount(self) -> Decimal {
        self.amount
    }

    /// Its currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.amount < Decimal::ZERO
    }

    /// Above zero.
    #[must_use]
    pub fn is_positive(self) -> bool {
        self.amount > Decimal::ZERO
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::Mixed`] for two currencies, [`MoneyError::TooLarge`] beyond the limit.
    pub fn try_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Self::new(self.amount + other.amount, self.currency)
    }

    /// The difference.
    ///
    /// # Errors
    /// As [`Money::try_add`].
    pub fn try_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        Self::new(self.amount - other.amount, self.currency)
    }

    /// `percent` hundredths of it, rounded half to even to a whole cent.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] beyond the limit.
    pub fn percent(self, percent: Decimal) -> Result<Self, MoneyError> {
        let share = self.amount.checked_mul(percent).ok_or(MoneyError::TooLarge)? / Decimal::ONE_HUNDRED;
        Self::new(share.round_dp_with_strategy(SCALE, RoundingStrategy::MidpointNearestEven), self.currency)
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency { Ok(()) } else { Err(MoneyError::Mixed(self.currency, other.currency)) }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}
impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(text: &str) -> Money {
        Money::parse(text, Currency::USD).unwrap()
    }

    #[test]
    fn the_limit_is_what_its_message_says() {
        assert_eq!(MAX.to_string(), "9999999999.99");
        assert!(Money::parse("9999999999.99", Currency::USD).is_ok());
        assert_eq!(Money::parse("10000000000", Currency::USD), Err(MoneyError::TooLarge));
    }

    #[test]
    fn only_plain_decimals_are_read() {
        for bad in ["", "-", ".5", "5.", "1e3", "NaN", "inf", "+5", " 5", "5 ", "1_000", "0x10", "--5", "1.2.3"] {
            assert_eq!(Money::parse(bad, Currency::USD), Err(MoneyError::NotANumber), "{bad:?}");
        }
        assert_eq!(Money::parse("1.005", Currency::USD), Err(MoneyError::TooPrecise));
        assert_eq!(usd("1.500").amount().to_string(), "1.50");
    }

    #[test]
    fn currencies_do_not_mix() {
        let euro = Money::parse("1", Currency::parse("EUR").unwrap()).unwrap();
        assert!(matches!(usd("1").try_add(euro), Err(MoneyError::Mixed(..))));
    }

    #[test]
    fn a_share_rounds_half_to_even() {
        let five = Decimal::new(5, 0);
        assert_eq!(usd("25.00").percent(five), Ok(usd("1.25")));
        assert_eq!(usd("0.10").percent(five), Ok(usd("0.00")));
        assert_eq!(usd("0.30").percent(five), Ok(usd("0.02")));
    }

    proptest! {
        #[test]
        fn a_share_and_its_rest_are_the_whole(cents in 0_i64..100_000_000, basis_points in 0_i64..=10_000) {
            let whole = Money::new(Decimal::new(cents, 2), Currency::USD).unwrap();
            let share = whole.percent(Decimal::new(basis_points, 2)).unwrap();
            let rest = whole.try_sub(share).unwrap();
            prop_assert!(!share.is_negative() && !rest.is_negative());
            prop_assert_eq!(share.try_add(rest).unwrap(), whole);
        }
    }
}
