//! One of the category's options, in the category's spelling.

use super::Wrong;
use crate::Json;

/// How many options a message names.
const NAMED: usize = 10;

pub(super) fn read(value: &Json<'_>, options: &[String]) -> Result<String, Wrong> {
    let text = match value {
        Json::String(text) => text.trim(),
        Json::Number(text) => text,
        Json::Bool(true) => "true",
        Json::Bool(false) => "false",
        _ => return Err(wrong(options)),
    };
    let exact = options.iter().find(|option| *option == text);
    let folded = || {
        let text = text.to_lowercase();
        options.iter().find(|option| option.trim().to_lowercase() == text)
    };
    exact.or_else(folded).cloned().ok_or_else(|| wrong(options))
}

fn wrong(options: &[String]) -> Wrong {
    let named = options.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if options.len() > NAMED { ", …" } else { "" };
    format!("must be one of: {named}{more}").into()
}
