//! A body of the receiver's own form: a template over the lead's fields.
//!
//! The template's text alone decides the body's structure. In JSON, what is printed inside a string is escaped for it, and
//! elsewhere it is written as a JSON value of its own; in a form it is URL-encoded. So whatever a lead holds, it stays one
//! value. Templates are written by customers, so the language is cut down to printing and `if`, without loops, variables,
//! macros and whatever else makes much of little; size and steps are bounded besides.

use std::{collections::BTreeMap, fmt::Write as _, io};

use minijinja::{
    Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value,
    value::{Serde, ValueKind},
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Bytes of a template.
pub const MAX_TEMPLATE: usize = 16 * 1024;
/// Bytes of what it makes.
pub const MAX_BODY: usize = 256 * 1024;
/// Steps that a template may take.
const FUEL: u64 = 50_000;
/// `~` and `+` in one template: each may double a text.
const MAX_JOINS: usize = 50;
/// Around each printed value of a JSON body, until it is known where it is printed. No JSON text has them unescaped.
const OPEN: char = '\u{1}';
/// Its end.
const CLOSE: char = '\u{2}';

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

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'))
}

/// Texts that are marked as safe are numbers that [`value`] left as they are, or such in a row.
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

fn print_encoded(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let text = plain(value);
    url::form_urlencoded::byte_serialize(text.as_bytes()).try_for_each(|part| out.write_str(part)).map_err(Error::from)
}

fn print_marked(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
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
fn json(marked: &str) -> Result<Vec<u8>, BodyError> {
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
fn form(text: &str) -> Result<Vec<u8>, BodyError> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const USUAL: &[u8] = br#"{"event":"lead.assigned","timestamp":"2026-11-23T12:00:00.000Z","data":{"leadId":"lead_1","price":25.00,
        "firstName":"Jo\"hn","roof":{"age":12},"age":41,"phone":"+1 (555) 010-9999","owner":true,"none":null,"rate":1.10}}"#;

    fn made(kind: BodyKind, source: &str) -> Result<String, BodyError> {
        let template = BodyTemplate { kind, source: source.to_owned() };
        template.check(USUAL)?;
        template.render(USUAL).map(|body| String::from_utf8(body).unwrap())
    }

    fn refused(kind: BodyKind, source: &str) -> String {
        made(kind, source).unwrap_err().to_string()
    }

    #[test]
    fn json_is_written_as_text_inside_strings_and_as_values_elsewhere() {
        let source = r#"{"name": "{{ lead.firstName }} {{ lead.missing }}!", "first": {{ lead.firstName }},
            "price": {{ lead.price }}, "text": "{{ lead.price }}/{{ lead.rate }}", "age": {{ lead.age }}, "owner": {{ lead.owner }},
            "roof": {{ lead.roof }}, "in": "{{ lead.roof }}", "missing": {{ lead.missing.deeper }}, "none": "{{ lead.none }}",
            "phone": "{{ lead.phone | digits }}", "event": "{{ event }}"}"#;
        let body = made(BodyKind::Json, source).unwrap();
        let expected = json!({
            "name": "Jo\"hn !", "first": "Jo\"hn", "price": 25.0, "text": "25.00/1.10", "age": 41, "owner": true,
            "roof": {"age": 12}, "in": "{\"age\":12}", "missing": null, "none": "", "phone": "15550109999", "event": "lead.assigned",
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&body).unwrap(), expected);
        assert!(body.contains(r#""price": 25.00,"#), "{body}");
    }

    #[test]
    fn a_form_is_encoded_and_may_be_written_on_several_lines() {
        let body = made(
            BodyKind::Form,
            "first={{ lead.firstName }}&\n  price={{ lead.price }}&x={{ lead.missing }}\n&r={{ lead.roof }}",
        );
        assert_eq!(body.unwrap(), "first=Jo%22hn&price=25.00&x=&r=%7B%22age%22%3A12%7D");
    }

    #[test]
    fn there_are_choices_and_filters() {
        let source = r#"{"q": {% if lead.age > 40 and lead.price | number >= 25 %}"old"{% elif lead.x is defined %}"x"{% else %}"young"{% endif %},
            "u": "{{ lead.firstName | upper | truncate(3) }}", "d": "{{ lead.missing | default("?") }}", "j": "{{ lead.leadId ~ "-" ~ lead.age }}"}"#;
        let body: serde_json::Value = serde_json::from_str(&made(BodyKind::Json, source).unwrap()).unwrap();
        assert_eq!(body, json!({"q": "old", "u": "JO\"", "d": "?", "j": "lead_1-41"}));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (kind, source, what) in [
            (BodyKind::Json, "{\n\"a\": {{ lead.x }\n}", "line 2: syntax error"),
            (BodyKind::Json, "{\n\"a\": 1,\n}", "line 3: what comes out is no JSON: key must be a string"),
            (
                BodyKind::Json,
                "{\"a\": \n{% if lead.age %}1{% endif %}}",
                "line 2: for a lead without any fields: what comes out is no JSON",
            ),
            (BodyKind::Json, "{}\n{% set x = 1 %}", "line 2: only if, elif, else and endif are known, not \"set\""),
            (BodyKind::Json, "{{ lead.age | nothing }}", "line 1: unknown filter"),
            (BodyKind::Json, "{{ range(9) }}", "line 1: unknown function"),
            (BodyKind::Json, "{{ lead.firstName.upper() }}", "line 1: "),
            (BodyKind::Json, "\n{{ lead.firstName | number }}", "line 2: invalid operation: this is no number"),
            (BodyKind::Json, "\"\\{{ lead.age }}\"", "line 1: nothing can be printed right after a backslash"),
            (BodyKind::Form, "a=1&\nb=x y", "line 2: a form has no blanks"),
            (BodyKind::Form, "a=ü", "line 1: a form has no blanks"),
        ] {
            let told = refused(kind, source);
            assert!(told.contains(what), "{source}: {told}");
        }
    }

    #[test]
    fn nothing_makes_much_of_little() {
        for source in [
            "{% for a in [1,2] %}x{% endfor %}",
            "{%- set x = 1 -%}",
            "{% raw %}x{% endraw %}",
            "{% with x = 1 %}{% endwith %}",
            "{% filter upper %}x{% endfilter %}",
            "{% macro m() %}x{% endmacro %}",
            "{% import 'x' as y %}",
            "\"{{ 'a' * 99999999 }}\"",
            &format!("\"{{{{ 'a'{} }}}}\"", " ~ 'a'".repeat(60)),
            "{% if true %}{{ '{% set x = 1 %}' }}{% endif %}",
        ] {
            assert!(made(BodyKind::Json, source).is_err(), "{source}");
        }
        assert_eq!(made(BodyKind::Form, &"x".repeat(MAX_TEMPLATE + 1)), Err(BodyError::Long));
        let large = format!(r#"{{"event":"","timestamp":"","data":{{"a":"{}"}}}}"#, "x".repeat(MAX_BODY / 2));
        let twice = BodyTemplate { kind: BodyKind::Form, source: "a={{ lead.a }}&b={{ lead.a }}".to_owned() };
        assert_eq!(twice.render(large.as_bytes()), Err(BodyError::Large));
        // What is short until it is escaped.
        let quotes = format!(r#"{{"event":"","timestamp":"","data":{{"a":"{}"}}}}"#, "\\\"".repeat(MAX_BODY / 4));
        let inside = BodyTemplate { kind: BodyKind::Json, source: r#"["{{ [lead.a] }}"]"#.to_owned() };
        assert_eq!(inside.render(quotes.as_bytes()), Err(BodyError::Large));
    }

    /// Places where a value may be printed.
    const PLACES: &str = r#"{"a": "{{ lead.x }}", "b": {{ lead.x }}, "c": ["{{ lead.x | upper }}", {{ lead.x }}], "d": "<{{ lead.x ~ "" }}>"}"#;

    fn usual(x: &serde_json::Value) -> Vec<u8> {
        serde_json::to_vec(&json!({"event": "e", "timestamp": "t", "data": {"x": x}})).unwrap()
    }

    fn any_text() -> impl Strategy<Value = String> {
        let nasty = prop_oneof![
            Just("\"".to_owned()),
            Just("\\".to_owned()),
            Just("\",\"admin\":true,\"".to_owned()),
            Just("\u{1}".to_owned()),
            Just("\u{2}".to_owned()),
            Just("{{ lead.x }}".to_owned()),
            Just("&admin=1".to_owned()),
            Just("%".to_owned()),
            Just("\n".to_owned()),
            any::<String>()
        ];
        proptest::collection::vec(nasty, 0..6).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn a_lead_never_breaks_out_of_its_place_in_json(text in any_text()) {
            let template = BodyTemplate { kind: BodyKind::Json, source: PLACES.to_owned() };
            template.check(USUAL).unwrap();
            let body: serde_json::Value = serde_json::from_slice(&template.render(&usual(&json!(text))).unwrap()).unwrap();
            prop_assert_eq!(body, json!({"a": text, "b": text, "c": [text.to_uppercase(), text], "d": format!("<{text}>")}));
        }

        #[test]
        fn nor_in_a_form(text in any_text(), other in any_text()) {
            let template = BodyTemplate { kind: BodyKind::Form, source: "a={{ lead.x }}&b={{ lead.x }}".to_owned() };
            let body = template.render(&usual(&json!(text))).unwrap();
            let read: Vec<(String, String)> = url::form_urlencoded::parse(&body).into_owned().collect();
            prop_assert_eq!(read, [("a".to_owned(), text.clone()), ("b".to_owned(), text)]);
            // Nor does the name of a field.
            let data = json!({"event": "e", "timestamp": "t", "data": {other: "x"}});
            let body = template.render(&serde_json::to_vec(&data).unwrap()).unwrap();
            prop_assert_eq!(url::form_urlencoded::parse(&body).count(), 2);
        }

        #[test]
        fn whatever_a_template_is_it_ends_within_bounds(source in "[ -~\n]{0,60}", inner in "[a-z.|~+()\\[\\]'\" 0-9-]{0,30}") {
            for source in [source, format!("{{{{ lead.{inner} }}}}"), format!("{{% if {inner} %}}1{{% endif %}}")] {
                for kind in [BodyKind::Json, BodyKind::Form] {
                    let template = BodyTemplate { kind, source: source.clone() };
                    if template.check(USUAL).is_ok() {
                        prop_assert!(template.render(USUAL).unwrap().len() <= MAX_BODY);
                    }
                }
            }
        }
    }
}
