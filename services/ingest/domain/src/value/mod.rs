//! One value against one field's kind: the normalised value, or what is wrong with it.

mod boolean;
mod date;
mod email;
mod number;
mod phone;
mod select;
pub(crate) mod state;
pub(crate) mod text;
mod url;
mod zip;

use std::borrow::Cow;

use rust_decimal::Decimal;

use crate::{FieldKind, Json, json::write_string};

/// What is wrong, for a person: "must be a number".
pub(crate) type Wrong = Cow<'static, str>;

/// A normalised value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Normal {
    /// Text, in the kind's normal form.
    Text(String),
    /// An exact number.
    Number(Decimal),
    /// Yes or no.
    Bool(bool),
}

impl Normal {
    /// Whether `sent` already was the normal form.
    #[must_use]
    pub fn is_as_sent(&self, sent: &Json<'_>) -> bool {
        match (self, sent) {
            (Self::Text(text), Json::String(sent)) => text == sent,
            (Self::Number(number), Json::Number(sent)) => number.to_string() == *sent,
            (Self::Bool(value), Json::Bool(sent)) => value == sent,
            _ => false,
        }
    }

    /// Appends it as JSON.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => write_string(text, out),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        }
    }
}

/// Nothing was given: null, or only white space. 0 and false are values.
pub(crate) fn is_blank(value: &Json<'_>) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// Checks a value that is not blank.
pub(crate) fn normalise(kind: &FieldKind, value: &Json<'_>) -> Result<Normal, Wrong> {
    match kind {
        FieldKind::Text => text::read(value).map(Normal::Text),
        FieldKind::Email => email::read(value).map(Normal::Text),
        FieldKind::Phone => phone::read(value).map(Normal::Text),
        FieldKind::Number => number::read(value).map(Normal::Number),
        FieldKind::Boolean => boolean::read(value).map(Normal::Bool),
        FieldKind::Date => date::read(value).map(Normal::Text),
        FieldKind::State => state::read(value).map(Normal::Text),
        FieldKind::Zip => zip::read(value).map(Normal::Text),
        FieldKind::Url => url::read(value).map(Normal::Text),
        FieldKind::Select(options) => select::read(value, options).map(Normal::Text),
    }
}

/// A value that must be a string, without white space around it.
fn trimmed<'v>(value: &'v Json<'_>, wrong: &'static str) -> Result<&'v str, Wrong> {
    match value {
        Json::String(text) => Ok(text.trim()),
        _ => Err(wrong.into()),
    }
}
