//! Templates and the bodies they make.

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
