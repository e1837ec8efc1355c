//! Checked values that records are made of.

use std::fmt;

use leadflow_kernel::{Currency, Money};
use rust_decimal::Decimal;

use crate::{Invalid, Reason};

/// The name of a company: 1 to 200 characters, no control characters, no white space around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Characters a name may have.
    pub const MAX: usize = 200;

    /// Reads a name for `field`; white space around it is dropped.
    ///
    /// # Errors
    /// [`Reason::Length`] or [`Reason::ControlCharacter`].
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > Self::MAX {
            return Err(Invalid::new(field, Reason::Length { max: Self::MAX }));
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid::new(field, Reason::ControlCharacter));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The time zone in which a seller's days, weeks and months begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeZone(chrono_tz::Tz);

impl TimeZone {
    /// Where a seller is that names none.
    pub const DEFAULT: Self = Self(chrono_tz::America::New_York);

    /// Reads an IANA name; empty is [`TimeZone::DEFAULT`].
    ///
    /// # Errors
    /// [`Reason::TimeZone`].
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Ok(Self::DEFAULT);
        }
        text.parse().map(Self).map_err(|_| Invalid::new(field, Reason::TimeZone))
    }

    /// The IANA name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

/// The part of each sale that the platform keeps, in percent: 0 to 100 with at most two decimals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FeePercent(Decimal);

impl FeePercent {
    /// What a seller pays with whom nothing else is agreed: 5 percent.
    pub const DEFAULT: Self = Self(Decimal::from_parts(5, 0, 0, false, 0));

    /// Reads "5", "0" or "12.5"; empty is [`FeePercent::DEFAULT`] (and "0" really is nothing).
    ///
    /// # Errors
    /// [`Reason::Percent`].
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Ok(Self::DEFAULT);
        }
        // Money's reader takes exactly the plain two-decimal notation that a percentage has too.
        Money::parse(text, Currency::USD)
            .ok()
            .and_then(|number| Self::from_decimal(number.amount()))
            .ok_or(Invalid::new(field, Reason::Percent))
    }

    /// The percentage, unless it is out of bounds or too precise.
    #[must_use]
    pub fn from_decimal(percent: Decimal) -> Option<Self> {
        let percent = percent.normalize();
        let fits = percent >= Decimal::ZERO && percent <= Decimal::ONE_HUNDRED && percent.scale() <= 2;
        fits.then_some(Self(percent))
    }

    /// The number.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }
}

impl fmt::Display for FeePercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
impl fmt::Debug for FeePercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}%")
    }
}

/// How many posts a second are let in; 0 is the gateway's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PostsPerSecond(u32);

impl PostsPerSecond {
    /// The most that may be asked for.
    pub const MAX: u32 = 100_000;

    /// Takes a number for `field`.
    ///
    /// # Errors
    /// [`Reason::Range`] above [`PostsPerSecond::MAX`].
    pub const fn new(field: &'static str, number: u32) -> Result<Self, Invalid> {
        if number > Self::MAX {
            return Err(Invalid::new(field, Reason::Range { min: 0, max: Self::MAX }));
        }
        Ok(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// After how many days personal data of a seller's leads is removed; 0 is the platform's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetentionDays(u32);

impl RetentionDays {
    /// Ten years.
    pub const MAX: u32 = 3_650;

    /// Takes a number for `field`.
    ///
    /// # Errors
    /// [`Reason::Range`] above [`RetentionDays::MAX`].
    pub const fn new(field: &'static str, number: u32) -> Result<Self, Invalid> {
        if number > Self::MAX {
            return Err(Invalid::new(field, Reason::Range { min: 0, max: Self::MAX }));
        }
        Ok(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// A buyer's weight: 1 to 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Priority(u8);

impl Priority {
    /// What a buyer has that was given none.
    pub const DEFAULT: Self = Self(5);
    const MAX: u8 = 10;

    /// Takes a number for `field`.
    ///
    /// # Errors
    /// [`Reason::Range`] outside 1 to 10.
    pub fn new(field: &'static str, number: u32) -> Result<Self, Invalid> {
        match u8::try_from(number) {
            Ok(number @ 1..=Self::MAX) => Ok(Self(number)),
            _ => Err(Invalid::new(field, Reason::Range { min: 1, max: Self::MAX.into() })),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// The most a buyer may spend in a week or month: zero or more. No limit is the absence of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpendingLimit(Money);

impl SpendingLimit {
    /// Reads an amount for `field`.
    ///
    /// # Errors
    /// [`Reason::Money`] or [`Reason::Negative`].
    pub fn parse(field: &'static str, amount: &str, currency: &str) -> Result<Self, Invalid> {
        let invalid = |reason| Invalid::new(field, reason);
        let currency = Currency::parse(currency).map_err(|e| invalid(e.into()))?;
        let money = Money::parse(amount, currency).map_err(|e| invalid(e.into()))?;
        if money.is_negative() {
            return Err(invalid(Reason::Negative));
        }
        Ok(Self(money))
    }

    /// A limit that was stored.
    #[must_use]
    pub const fn from_money(money: Money) -> Self {
        Self(money)
    }

    /// The amount.
    #[must_use]
    pub const fn money(self) -> Money {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_has_characters_and_no_line_breaks() {
        assert_eq!(Name::parse("name", "  Acme  Leads ").unwrap().as_str(), "Acme  Leads");
        assert!(Name::parse("name", &"é".repeat(200)).is_ok());
        for bad in ["", "   ", "\n", "a\nb", "a\0", &"x".repeat(201)] {
            assert!(Name::parse("name", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_time_zone_is_in_the_database() {
        assert_eq!(TimeZone::parse("z", "").unwrap().name(), "America/New_York");
        assert_eq!(TimeZone::parse("z", "Pacific/Honolulu").unwrap().name(), "Pacific/Honolulu");
        for bad in ["america/new_york", "New York", "+05:00", " ", "America/New_York "] {
            assert!(TimeZone::parse("z", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_fee_of_zero_is_nothing_and_no_fee_given_is_five_percent() {
        assert_eq!(FeePercent::parse("f", "0").unwrap().to_string(), "0");
        assert_eq!(FeePercent::parse("f", "").unwrap().to_string(), "5");
        assert_eq!(FeePercent::parse("f", "12.50").unwrap().to_string(), "12.5");
        assert_eq!(FeePercent::parse("f", "100").unwrap().to_string(), "100");
        for bad in ["100.01", "-1", "-0.01", "1.005", "5%", "NaN", "five", "1e1", " 5"] {
            assert!(FeePercent::parse("f", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_priority_is_one_to_ten() {
        for bad in [0, 11, 257, u32::MAX] {
            assert!(Priority::new("p", bad).is_err(), "{bad}");
        }
        assert_eq!(Priority::new("p", 10).unwrap().get(), 10);
    }

    #[test]
    fn posts_a_second_are_bounded() {
        assert!(PostsPerSecond::new("r", PostsPerSecond::MAX).is_ok());
        assert!(PostsPerSecond::new("r", PostsPerSecond::MAX + 1).is_err());
        assert!(RetentionDays::new("r", RetentionDays::MAX).is_ok());
        assert!(RetentionDays::new("r", RetentionDays::MAX + 1).is_err());
    }

    #[test]
    fn a_limit_of_zero_is_allowed_and_a_negative_one_is_not() {
        assert!(SpendingLimit::parse("l", "0", "USD").is_ok());
        for (amount, currency) in [("-0.01", "USD"), ("1.001", "USD"), ("x", "USD"), ("1", "usd"), ("1", "")] {
            assert!(SpendingLimit::parse("l", amount, currency).is_err(), "{amount} {currency}");
        }
    }

    proptest! {
        #[test]
        fn every_fee_reads_back_as_it_is_printed(basis_points in 0_i64..=10_000) {
            let fee = FeePercent::from_decimal(Decimal::new(basis_points, 2)).unwrap();
            prop_assert_eq!(FeePercent::parse("f", &fee.to_string()).unwrap(), fee);
        }
    }
}
