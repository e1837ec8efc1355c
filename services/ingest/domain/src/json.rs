//! A JSON document as it was written: numbers as text (never through a float), keys in order and
//! none twice, depth bounded.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The most levels of objects and arrays in a request body; the body itself is the first.
pub const MAX_DEPTH: usize = 8;

/// A value that borrows from its text where it can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number's text, as written.
    Number(&'a str),
    /// A string's content.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object's members as written; no name is there twice.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Why a text is not a usable document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON.
    #[error("the body is not valid JSON (line {line}, column {column})")]
    Syntax {
        /// From 1; 0 when the position is not known.
        line: usize,
        /// From 1; 0 when the position is not known.
        column: usize,
    },
    /// A name is in one object twice: which of the two is meant cannot be known.
    #[error("the body has the same name twice in one object")]
    DuplicateName,
    /// More levels than [`MAX_DEPTH`].
    #[error("the body is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self::Syntax { line: error.line(), column: error.column() }
    }
}

impl<'a> Json<'a> {
    /// Reads a whole document.
    ///
    /// # Errors
    /// [`JsonError`].
    pub fn parse(text: &'a str) -> Result<Self, JsonError> {
        // First, because each level below is scanned once more.
        if is_deeper_than(text, MAX_DEPTH) {
            return Err(JsonError::TooDeep);
        }
        let raw: &'a RawValue = serde_json::from_str(text)?;
        Self::read(raw.get())
    }

    fn read(raw: &'a str) -> Result<Self, JsonError> {
        Ok(match raw.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(raw)?;
                let mut names = HashSet::with_capacity(members.len());
                if !members.iter().all(|(Text(name), _)| names.insert(name.as_ref())) {
                    return Err(JsonError::DuplicateName);
                }
                let members = members.into_iter().map(|(Text(name), value)| Ok((name, Self::read(value.get())?)));
                Self::Object(members.collect::<Result<_, JsonError>>()?)
            }
            Some(b'[') => {
                let Items(items) = serde_json::from_str(raw)?;
                let items = items.into_iter().map(|item| Self::read(item.get()));
                Self::Array(items.collect::<Result<_, JsonError>>()?)
            }
            Some(b'"') => {
                let Text(text) = serde_json::from_str(raw)?;
                Self::String(text)
            }
            Some(b'n') => Self::Null,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            _ => Self::Number(raw),
        })
    }

    /// SHA-256 of what the document says: the same for another order of names or other white space.
    /// Numbers count as written (`1` and `1.0` differ).
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(1024);
        self.write_canonical(&mut bytes);
        Sha256::digest(&bytes).into()
    }

    fn write_canonical(&self, out: &mut Vec<u8>) {
        // Every part carries its kind and length, so no two documents share a form.
        let sized = |out: &mut Vec<u8>, tag: u8, len: usize| {
            out.push(tag);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        };
        match self {
            Self::Null => out.push(b'n'),
            Self::Bool(value) => out.push(if *value { b't' } else { b'f' }),
            Self::Number(text) => {
                sized(out, b'#', text.len());
                out.extend_from_slice(text.as_bytes());
            }
            Self::String(text) => {
                sized(out, b's', text.len());
                out.extend_from_slice(text.as_bytes());
            }
            Self::Array(items) => {
                sized(out, b'[', items.len());
                items.iter().for_each(|item| item.write_canonical(out));
            }
            Self::Object(members) => {
                sized(out, b'{', members.len());
                let mut sorted: Vec<_> = members.iter().collect();
                sorted.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                for (name, value) in sorted {
                    sized(out, b'k', name.len());
                    out.extend_from_slice(name.as_bytes());
                    value.write_canonical(out);
                }
            }
        }
    }

    /// Appends the document as compact JSON.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => out.push_str(text),
            Self::String(text) => write_string(text, out),
            Self::Array(items) => {
                out.push('[');
                for (position, item) in items.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (position, (name, value)) in members.iter().enumerate() {
                    if position > 0 {
                        out.push(',');
                    }
                    write_string(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Whether brackets outside of strings are nested deeper than `limit`. What is no JSON at all may
/// be called deep, never the other way round.
fn is_deeper_than(text: &str, limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > limit {
            return true;
        }
    }
    false
}

/// Appends a JSON string.
pub(crate) fn write_string(text: &str, out: &mut String) {
    use fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Text<'a>(Cow<'a, str>);
impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

struct Members<'a>(Vec<(Text<'a>, &'a RawValue)>);
impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct Items<'a>(Vec<&'a RawValue>);
impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemsVisitor;
        impl<'de> Visitor<'de> for ItemsVisitor {
            type Value = Items<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(ItemsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_ignores_order_and_white_space_and_nothing_else() {
        let hash = |text| Json::parse(text).unwrap().hash();
        let base = hash(r#"{"a":1,"b":{"c":[true,null,"x"]}}"#);
        assert_eq!(base, hash("{ \"b\" : {\"c\":[ true,null,\"\\u0078\"]},\n\"a\":1}"));
        for other in [
            r#"{"a":2,"b":{"c":[true,null,"x"]}}"#,
            r#"{"a":"1","b":{"c":[true,null,"x"]}}"#,
            r#"{"a":1,"b":{"c":[null,true,"x"]}}"#,
            r#"{"a":1,"b":{"c":[true,null,"x",null]}}"#,
            r#"{"a":1}"#,
        ] {
            assert_ne!(base, hash(other), "{other}");
        }
    }

    #[test]
    fn numbers_keep_their_text() {
        assert_eq!(Json::parse("[0.10000000000000000000001, 1e400]").unwrap(), {
            Json::Array(vec![Json::Number("0.10000000000000000000001"), Json::Number("1e400")])
        });
    }

    #[test]
    fn names_twice_are_refused_even_when_spelt_differently() {
        assert_eq!(Json::parse(r#"{"a":1,"\u0061":2}"#), Err(JsonError::DuplicateName));
        assert_eq!(Json::parse(r#"[{"x":{"a":1,"a":1}}]"#), Err(JsonError::DuplicateName));
        assert!(Json::parse(r#"[{"a":1},{"a":1}]"#).is_ok());
    }

    #[test]
    fn depth_is_bounded_and_brackets_in_strings_do_not_count() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(Json::parse(&nested(MAX_DEPTH)).is_ok());
        assert_eq!(Json::parse(&nested(MAX_DEPTH + 1)), Err(JsonError::TooDeep));
        assert_eq!(Json::parse(&nested(1_000_000)), Err(JsonError::TooDeep));
        assert!(Json::parse(r#"["[[[[[[[[[[", "\"[[[[[[[[[[", {"{{{{{{{{{{\\":"[[[[[[[[["}]"#).is_ok());
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bad in [
            "",
            " ",
            "{",
            "}",
            "nul",
            "NaN",
            "Infinity",
            "-",
            "01",
            "1.",
            ".5",
            "+1",
            "{'a':1}",
            "{\"a\":}",
            "[1,]",
            "{\"a\":1,}",
            "{\"a\":1} x",
            "\"\\ud800\"",
            "\"\\x\"",
            "\"a\nb\"",
            "\u{feff}{}",
            "// c\n{}",
            "{\"a\" 1}",
        ] {
            assert!(matches!(Json::parse(bad), Err(JsonError::Syntax { .. })), "{bad:?}");
        }
    }

    #[test]
    fn writing_and_reading_again_is_the_same() {
        let text = r#"{"a":[1.50,"x\n\"\\\u0001é",null,true,{}],"":false}"#;
        let mut out = String::new();
        Json::parse(text).unwrap().write(&mut out);
        assert_eq!(out, text);
    }
}
