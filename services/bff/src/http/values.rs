//! Values as they look in JSON.

use std::{borrow::Cow, fmt};

use chrono::{DateTime, SecondsFormat};
use leadflow_contracts::common;
use leadflow_kernel::{Currency, Money};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::value::RawValue;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type},
    },
};

/// An exact number of dollars with at most two decimals: read and written as text, so that it is never
/// a binary fraction.
#[derive(Clone, PartialEq, Eq)]
pub struct Dollars(String);

impl Dollars {
    /// Nothing.
    #[must_use]
    pub fn zero() -> Self {
        Self("0.00".to_owned())
    }

    /// From the contract; absent is nothing.
    #[must_use]
    pub fn of(money: Option<&common::Money>) -> Self {
        Self::known(money).unwrap_or_else(Self::zero)
    }

    /// From the contract.
    #[must_use]
    pub fn known(money: Option<&common::Money>) -> Option<Self> {
        money.map(|money| Self(money.amount.clone()))
    }

    /// All of these together; nothing without any.
    #[must_use]
    pub fn sum<'a>(moneys: impl Iterator<Item = &'a common::Money>) -> Option<Self> {
        let parsed = moneys.map(|money| Money::parse(&money.amount, Currency::USD));
        let sum = parsed.reduce(|a, b| a?.try_add(b?))?.ok()?;
        Some(Self(sum.amount().to_string()))
    }

    /// For the contract.
    #[must_use]
    pub fn to_proto(&self) -> common::Money {
        common::Money { amount: self.0.clone(), currency: Currency::USD.code().to_owned() }
    }

    /// Whether it is more than nothing.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        Money::parse(&self.0, Currency::USD).is_ok_and(Money::is_positive)
    }
}

impl fmt::Debug for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl Serialize for Dollars {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.clone()).map_err(S::Error::custom)?.serialize(serializer)
    }
}
impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let money = Money::parse(raw.get(), Currency::USD).map_err(D::Error::custom)?;
        Ok(Self(money.amount().to_string()))
    }
}
impl PartialSchema for Dollars {
    fn schema() -> RefOr<Schema> {
        let description = "Dollars with at most two decimals";
        ObjectBuilder::new().schema_type(Type::Number).description(Some(description)).into()
    }
}
impl ToSchema for Dollars {
    fn name() -> Cow<'static, str> {
        "Dollars".into()
    }
}

/// A decimal number that may have many places, exact both ways as [`Dollars`].
#[derive(Clone, PartialEq, Eq)]
pub struct Exact(String);

impl Exact {
    /// The longest that is read.
    const LONGEST: usize = 40;

    /// From the contract, which has plain decimals; empty is nothing.
    #[must_use]
    pub fn of(text: String) -> Self {
        if text.is_empty() { Self("0".to_owned()) } else { Self(text) }
    }

    /// For the contract.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.clone()).map_err(S::Error::custom)?.serialize(serializer)
    }
}
impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if is_plain && text.len() <= Self::LONGEST {
            Ok(Self(text.to_owned()))
        } else {
            Err(D::Error::custom("must be a decimal number such as 12.5"))
        }
    }
}
impl PartialSchema for Exact {
    fn schema() -> RefOr<Schema> {
        let description = "An exact decimal number, also of less than a cent";
        ObjectBuilder::new().schema_type(Type::Number).description(Some(description)).into()
    }
}
impl ToSchema for Exact {
    fn name() -> Cow<'static, str> {
        "Exact".into()
    }
}

/// A moment, as RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time(String);

impl Time {
    /// From milliseconds since 1970; 0 is none.
    #[must_use]
    pub fn from_ms(ms: i64) -> Option<Self> {
        let time = if ms == 0 { None } else { DateTime::from_timestamp_millis(ms) };
        time.map(|time| Self(time.to_rfc3339_opts(SecondsFormat::Millis, true)))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}
impl ToSchema for Time {
    fn name() -> Cow<'static, str> {
        "Time".into()
    }
}

/// A field that is absent (leave it), null (clear it) or has a value.
///
/// # Errors
/// As the value's own.
pub fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_exact_both_ways() {
        for (text, written) in [("25", "25.00"), ("25.5", "25.50"), ("0.1", "0.10"), ("9999999999.99", "9999999999.99")]
        {
            let dollars: Dollars = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&dollars).unwrap(), written);
        }
        for text in ["\"25\"", "1e3", "1.005", "true", "null", "{}", "10000000000"] {
            assert!(serde_json::from_str::<Dollars>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn exact_numbers_keep_their_places_both_ways() {
        for text in ["0.0006", "15", "-1", "0.00069", "1.10"] {
            let exact: Exact = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&exact).unwrap(), text);
        }
        assert_eq!(serde_json::to_string(&Exact::of(String::new())).unwrap(), "0");
        let long = "1".repeat(41);
        for text in ["\"25\"", "1e3", "true", "{}", "[]", long.as_str()] {
            assert!(serde_json::from_str::<Exact>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dollars_are_read_inside_a_record_with_its_path() {
        #[derive(Debug, Deserialize)]
        struct Body {
            price: Option<Dollars>,
        }
        let mut json = serde_json::Deserializer::from_str(r#"{"price": 25.00}"#);
        let body: Body = serde_path_to_error::deserialize(&mut json).unwrap();
        assert_eq!(body.price, Some(Dollars("25.00".to_owned())));
        let mut json = serde_json::Deserializer::from_str(r#"{"price": "x"}"#);
        let error = serde_path_to_error::deserialize::<_, Body>(&mut json).unwrap_err();
        assert_eq!(error.path().to_string(), "price");
    }
}
