//! What is wrong with a request, by the path of the field.

use std::{borrow::Cow, collections::BTreeMap};

/// Messages by field path, e.g. `data.age` → "must be a number". Bounded: a hostile request with
/// thousands of wrong fields is answered with the first fifty found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldErrors(BTreeMap<String, Cow<'static, str>>);

/// The most messages kept.
const MAX: usize = 50;
/// The most characters of a caller's own field name that are sent back.
const MAX_PATH_CHARS: usize = 100;

impl FieldErrors {
    /// Adds a message; the first one of a path is kept.
    pub fn add(&mut self, path: impl AsRef<str>, message: impl Into<Cow<'static, str>>) {
        if self.0.len() < MAX {
            let path = path.as_ref().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
            self.0.entry(path.take(MAX_PATH_CHARS).collect()).or_insert_with(|| message.into());
        }
    }

    /// Nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The message of a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(AsRef::as_ref)
    }

    /// Paths and messages, in the order of paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, message)| (path.as_str(), message.as_ref()))
    }
}
