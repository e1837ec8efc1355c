//! A body of the receiver's own form: a template over the lead's fields.
//!
//! The template's text alone decides the body's structure. In JSON, what is printed inside a string is escaped for it, and
//! elsewhere it is written as a JSON value of its own; in a form it is URL-encoded. So whatever a lead holds, it stays one
//! value. Templates are written by customers, so the language is cut down to printing and `if`, without loops, variables,
//! macros and whatever else makes much of little; size and steps are bounded besides.

mod printed;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, io};

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, value::Serde};
use serde::Deserialize;
use serde_json::value::RawValue;

use printed::{CLOSE, OPEN, form, is_number, json, print_encoded, print_marked};

/// Bytes of a template.
pub const MAX_TEMPLATE: usize = 16 * 1024;
/// Bytes of what it makes.
pub const MAX_BODY: usize = 256 * 1024;
/// Steps that a template may take.
const FUEL: u64 = 50_000;
/// `~` and `+` in one template: each may double a text.
const MAX_JOINS: usize = 50;
/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// `application/json`
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
}

impl BodyKind {
    /// The `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
        }
    }

    /// The kind with this `Content-Type`.
    #[must_use]
    pub fn parse(content_type: &str) -> Option<Self> {
        [Self::Json, Self::Form].into_iter().find(|kind| kind.content_type() == content_type)
    }
}

/// A template and what it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyTemplate {
    /// What it makes.
    pub kind: BodyKind,
    /// Its text.
    pub source: String,
}

/// Why a template makes no body, in words that name the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Over [`MAX_TEMPLATE`].
    #[error("the template is longer than {MAX_TEMPLATE} bytes")]
    Long,
    /// Over [`MAX_BODY`].
    #[error("the body would be longer than {MAX_BODY} bytes")]
    Large,
    /// Something in one line.
    #[error("line {line}: {what}")]
    Line {
        /// The first is 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

fn at(line: usize, what: impl Into<String>) -> BodyError {
    BodyError::Line { line, what: what.into() }
}

impl BodyTemplate {
    /// Whether it is a template, and makes a body of `sample` and of a lead that has no fields at all.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn check(&self, sample: &[u8]) -> Result<(), BodyError> {
        if self.source.len() > MAX_TEMPLATE {
            return Err(BodyError::Long);
        }
        self.check_language()?;
        self.render(sample)?;
        let bare = self.render(br#"{"event":"lead.assigned","timestamp":"","data":{}}"#);
        bare.map(drop).map_err(|error| match error {
            BodyError::Line { line, what } => at(line, format!("for a lead without any fields: {what}")),
            other => other,
        })
    }

    /// The body made of `payload`, the usual body.
    ///
    /// # Errors
    /// [`BodyError`].
    pub fn render(&self, payload: &[u8]) -> Result<Vec<u8>, BodyError> {
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(FUEL));
        environment.set_formatter(match self.kind {
            BodyKind::Json => print_marked,
            BodyKind::Form => print_encoded,
        });
        add_filters(&mut environment);
        let context = context(payload)?;
        let template = environment.template_from_named_str("body", &self.source).map_err(|error| told(&error))?;
        let mut written = Bounded::default();
        let rendered = template.render_captured_to(context, &mut written).map(drop);
        if written.full {
            return Err(BodyError::Large);
        }
        rendered.map_err(|error| told(&error))?;
        let text = String::from_utf8(written.bytes).map_err(|_| at(1, "is no text"))?;
        match self.kind {
            BodyKind::Json => json(&text),
            BodyKind::Form => form(&text),
        }
    }

    /// Every `{%` in the text, wherever it is, begins an `if` or what belongs to one.
    fn check_language(&self) -> Result<(), BodyError> {
        let mut joins = 0;
        for (number, text) in self.source.lines().enumerate() {
            let line = number + 1;
            if text.contains([OPEN, CLOSE, '\0']) {
                return Err(at(line, "has a control character"));
            }
            if text.contains('*') {
                return Err(at(line, "must not have a *"));
            }
            joins += text.matches(['~', '+']).count();
            if joins > MAX_JOINS {
                return Err(at(line, format!("there may be {MAX_JOINS} of ~ and +")));
            }
        }
        for (start, _) in self.source.match_indices("{%") {
            let rest = self.source[start + 2..].trim_start_matches(['-', '+']).trim_start();
            let word: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
            if !matches!(word.as_str(), "if" | "elif" | "else" | "endif") {
                let line = self.source[..start].matches('\n').count() + 1;
                return Err(at(line, format!("only if, elif, else and endif are known, not \"{word}\"")));
            }
        }
        Ok(())
    }
}

/// `event`, `timestamp` and, as `lead`, what is in `data`.
fn context(payload: &[u8]) -> Result<Value, BodyError> {
    #[derive(Deserialize)]
    struct Usual<'a> {
        event: String,
        timestamp: String,
        #[serde(borrow)]
        data: BTreeMap<String, &'a RawValue>,
    }
    let usual: Usual<'_> = serde_json::from_slice(payload).map_err(|_| at(1, "there is nothing to make it of"))?;
    let lead: BTreeMap<String, Value> = usual.data.into_iter().map(|(name, raw)| (name, value(raw.get()))).collect();
    let all = [("event", Value::from(usual.event)), ("timestamp", usual.timestamp.into()), ("lead", lead.into())];
    Ok(Value::from(BTreeMap::from(all)))
}

/// A field's value. Numbers that are no integers stay as they are written: 25.00 is not 25.
fn value(raw: &str) -> Value {
    if is_number(raw) {
        return raw.parse::<i64>().map_or_else(|_| Value::from_safe_string(raw.to_owned()), Value::from);
    }
    serde_json::from_str::<serde_json::Value>(raw).map_or(Value::UNDEFINED, |value| Value::from(Serde(value)))
}

/// What a template does to what it prints. None makes more than three times as much of it.
fn add_filters(environment: &mut Environment<'_>) {
    environment.add_filter("upper", |text: String| text.to_uppercase());
    environment.add_filter("lower", |text: String| text.to_lowercase());
    environment.add_filter("trim", |text: String| text.trim().to_owned());
    environment.add_filter("digits", |text: String| text.chars().filter(char::is_ascii_digit).collect::<String>());
    environment.add_filter("truncate", |text: String, most: usize| text.chars().take(most).collect::<String>());
    environment.add_filter("number", |value: Value| -> Result<Value, Error> {
        let text = value.to_string();
        let text = text.trim();
        text.parse::<i64>()
            .map(Value::from)
            .or_else(|_| text.parse::<f64>().map(Value::from))
            .map_err(|_| Error::new(ErrorKind::InvalidOperation, "this is no number"))
    });
    environment.add_filter("default", |value: Value, other: Value| {
        if value.is_undefined() || value.is_none() || value.as_str() == Some("") { other } else { value }
    });
    environment.add_test("defined", |value: Value| !value.is_undefined() && !value.is_none());
}

fn told(error: &Error) -> BodyError {
    let what = match error.detail() {
        _ if error.kind() == ErrorKind::OutOfFuel => "it takes too many steps".to_owned(),
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    at(error.line().unwrap_or(1), what)
}

/// Takes so much and no more.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, some: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + some.len() > MAX_BODY {
            self.full = true;
            return Err(io::Error::other("full"));
        }
        self.bytes.extend_from_slice(some);
        Ok(some.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
