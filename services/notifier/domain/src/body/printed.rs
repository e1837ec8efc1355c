//! Where printed values lie in a body: what a template prints is marked, and put in its place when it is known what is around it.

use std::fmt::Write as _;

use minijinja::{Error, ErrorKind, Output, State, Value, value::ValueKind};

use super::{BodyError, MAX_BODY, at};

/// Around each printed value of a JSON body, until it is known where it is printed. No JSON text has them unescaped.
pub(super) const OPEN: char = '\u{1}';
/// Its end.
pub(super) const CLOSE: char = '\u{2}';

pub(super) fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'))
}

/// Texts that are marked as safe are numbers that [`super::value`] left as they are, or such in a row.
fn as_number(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| value.is_safe() && is_number(text))
}

fn plain(value: &Value) -> String {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => String::new(),
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => serde_json::to_string(value).unwrap_or_default(),
        _ => value.to_string(),
    }
}

pub(super) fn print_encoded(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let text = plain(value);
    url::form_urlencoded::byte_serialize(text.as_bytes()).try_for_each(|part| out.write_str(part)).map_err(Error::from)
}

pub(super) fn print_marked(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    out.write_char(OPEN)?;
    match as_number(value) {
        Some(number) => out.write_str(number)?,
        None if value.is_undefined() => out.write_str("null")?,
        None => out.write_str(&serde_json::to_string(value).map_err(|error| {
            Error::new(ErrorKind::InvalidOperation, format!("this cannot be written as JSON: {error}"))
        })?)?,
    }
    out.write_char(CLOSE)?;
    Ok(())
}

/// Puts printed values where they belong: inside a string as its contents, elsewhere as they are.
pub(super) fn json(marked: &str) -> Result<Vec<u8>, BodyError> {
    let mut body = String::with_capacity(marked.len());
    let (mut in_string, mut escaped) = (false, false);
    let mut rest = marked;
    while let Some(c) = rest.chars().next() {
        if c == OPEN {
            let end = rest.find(CLOSE).unwrap_or(rest.len());
            let printed = &rest[OPEN.len_utf8()..end];
            rest = rest.get(end + CLOSE.len_utf8()..).unwrap_or_default();
            if escaped {
                return Err(at(line_of(&body), "nothing can be printed right after a backslash"));
            }
            if in_string {
                push_inside(&mut body, printed);
            } else {
                body.push_str(printed);
            }
            continue;
        }
        rest = &rest[c.len_utf8()..];
        body.push(c);
        (in_string, escaped) = match c {
            _ if escaped => (in_string, false),
            '\\' if in_string => (true, true),
            '"' => (!in_string, false),
            _ => (in_string, false),
        };
    }
    if body.len() > MAX_BODY {
        return Err(BodyError::Large);
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(&body) {
        Ok(_) => Ok(body.into_bytes()),
        Err(error) => {
            let text = error.to_string();
            let what = text.split(" at line ").next().unwrap_or_default();
            Err(at(error.line().max(1), format!("what comes out is no JSON: {what}")))
        }
    }
}

fn line_of(text: &str) -> usize {
    text.matches('\n').count() + 1
}

/// A printed value, which is JSON, as the contents of a string.
fn push_inside(body: &mut String, printed: &str) {
    if let Some(contents) = printed.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        // Escaped already.
        body.push_str(contents);
    } else if printed.starts_with(['{', '[']) {
        let quoted = serde_json::Value::from(printed).to_string();
        body.push_str(&quoted[1..quoted.len() - 1]);
    } else if printed != "null" {
        body.push_str(printed);
    }
}

/// A form may be written on several lines.
pub(super) fn form(text: &str) -> Result<Vec<u8>, BodyError> {
    let mut body = String::with_capacity(text.len());
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err(at(number + 1, "a form has no blanks and no letters beyond ASCII: write + or %20, or %C3%BC"));
        }
        body.push_str(line);
    }
    Ok(body.into_bytes())
}
