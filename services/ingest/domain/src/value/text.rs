//! Text: trimmed, bounded, no control characters but tab and line ends.

use super::{Wrong, trimmed};
use crate::{Json, MAX_STRING_CHARS};

pub(super) fn read(value: &Json<'_>) -> Result<String, Wrong> {
    let text = trimmed(value, "must be text")?;
    check(text)?;
    Ok(text.to_owned())
}

/// What every string has to keep to, known field or not.
pub(crate) fn check(text: &str) -> Result<(), Wrong> {
    if text.len() > MAX_STRING_CHARS && text.chars().count() > MAX_STRING_CHARS {
        return Err(format!("must be at most {MAX_STRING_CHARS} characters").into());
    }
    // Line ends and tabs belong to what people type into a large text box.
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err("must not contain control characters".into());
    }
    Ok(())
}
