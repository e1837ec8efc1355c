//! Each kind of field through a whole request: what it becomes, what is refused, what stays raw.

use leadflow_ingest_domain::{Field, FieldKind, Schema};

use crate::{every_kind, post_data};

#[track_caller]
fn becomes(data: &str, normal: &str, raw: &str) {
    let lead = post_data(&every_kind(), data).unwrap_or_else(|errors| panic!("{data}: {errors:?}"));
    assert_eq!((lead.data_json.as_str(), lead.raw_json.as_str()), (normal, raw), "{data}");
}

#[track_caller]
fn refused(field: &str, value: &str, message: &str) {
    let data = format!(r#"{{"{field}":{value}}}"#);
    let errors = post_data(&every_kind(), &data).expect_err(&data);
    let path = format!("data.{field}");
    assert!(errors.get(&path).is_some_and(|found| found.contains(message)), "{data}: {errors:?}");
}

#[test]
fn values_are_normalised_and_what_was_sent_is_kept() {
    becomes(r#"{"text":"x y"}"#, r#"{"text":"x y"}"#, "");
    becomes(r#"{"text":"  x\n y "}"#, r#"{"text":"x\n y"}"#, r#"{"text":"  x\n y "}"#);
    becomes(r#"{"email":"John@Example.COM"}"#, r#"{"email":"john@example.com"}"#, r#"{"email":"John@Example.COM"}"#);
    becomes(r#"{"phone":"(212) 555-0123"}"#, r#"{"phone":"+12125550123"}"#, r#"{"phone":"(212) 555-0123"}"#);
    becomes(r#"{"phone":2125550123}"#, r#"{"phone":"+12125550123"}"#, r#"{"phone":2125550123}"#);
    becomes(r#"{"number":45}"#, r#"{"number":45}"#, "");
    becomes(r#"{"number":"45.50"}"#, r#"{"number":45.5}"#, r#"{"number":"45.50"}"#);
    becomes(r#"{"number":0.1234567890123456789}"#, r#"{"number":0.1234567890123456789}"#, "");
    becomes(r#"{"boolean":false}"#, r#"{"boolean":false}"#, "");
    becomes(r#"{"boolean":"Yes"}"#, r#"{"boolean":true}"#, r#"{"boolean":"Yes"}"#);
    becomes(r#"{"date":"2/9/1960"}"#, r#"{"date":"1960-02-09"}"#, r#"{"date":"2/9/1960"}"#);
    becomes(r#"{"home":"new york"}"#, r#"{"home":"NY"}"#, r#"{"home":"new york"}"#);
    becomes(r#"{"zip":"123456789"}"#, r#"{"zip":"12345-6789"}"#, r#"{"zip":"123456789"}"#);
    becomes(r#"{"zip":2134}"#, r#"{"zip":"02134"}"#, r#"{"zip":2134}"#);
    becomes(
        r#"{"url":"HTTPS://Example.com"}"#,
        r#"{"url":"https://example.com/"}"#,
        r#"{"url":"HTTPS://Example.com"}"#,
    );
    becomes(r#"{"select":"final expense"}"#, r#"{"select":"Final Expense"}"#, r#"{"select":"final expense"}"#);
}

#[test]
fn blank_values_are_no_values_but_zero_and_false_are() {
    becomes(r#"{"email":"","number":null,"text":"  "}"#, "{}", r#"{"email":"","number":null,"text":"  "}"#);
    let required = |name: &str, kind| Field { name: name.to_owned(), kind, required: true };
    let schema = Schema::new(vec![
        required("n", FieldKind::Number),
        required("b", FieldKind::Boolean),
        required("t", FieldKind::Text),
    ]);
    assert!(post_data(&schema, r#"{"n":0,"b":false,"t":"x"}"#).is_ok());
    for (data, missing) in [
        (r#"{"b":false,"t":"x"}"#, "data.n"),
        (r#"{"n":null,"b":false,"t":"x"}"#, "data.n"),
        (r#"{"n":"","b":false,"t":"x"}"#, "data.n"),
        (r#"{"n":0,"t":"x"}"#, "data.b"),
        (r#"{"n":0,"b":false,"t":""}"#, "data.t"),
        (r#"{"n":0,"b":false,"t":" \t"}"#, "data.t"),
    ] {
        assert_eq!(post_data(&schema, data).unwrap_err().get(missing), Some("is required"), "{data}");
    }
}

#[test]
fn each_kind_refuses_what_it_is_not() {
    for value in ["1", "true", "[]", "{}"] {
        refused("text", value, "must be text");
    }
    refused("text", r#""a\u0000b""#, "control characters");
    refused("text", r#""a\u001bb""#, "control characters");
    refused("text", r#""a\u0085b""#, "control characters");
    refused("text", &format!("\"{}\"", "é".repeat(4097)), "at most 4096 characters");
    for value in [
        r#""john""#,
        r#""john@""#,
        r#""@example.com""#,
        r#""john@localhost""#,
        r#""a b@example.com""#,
        r#""john@example.com\nx""#,
        r#""John <john@example.com>""#,
        r#""john@[127.0.0.1]""#,
        r#""j@e.com,k@e.com""#,
        "5",
        r#""\"a b\"@example.com""#,
    ] {
        refused("email", value, "must be an email address");
    }
    refused("email", &format!("\"{}@example.com\"", "a".repeat(65)), "email");
    refused("email", &format!("\"a@{}.com\"", "a.".repeat(130)), "email");
    for value in [r#""12""#, r#""call me""#, "true", "-2125550123", "212555012.3", "[]"] {
        refused("phone", value, "must be a phone number");
    }
    for value in [r#""NaN""#, r#""forty""#, "true", "[1]", r#""1e""#, "1e400", "1e-400"] {
        refused("number", value, "must");
    }
    for value in [r#""maybe""#, "2", "1.0", "[]"] {
        refused("boolean", value, "must be true or false");
    }
    for value in [r#""2023-02-29""#, r#""2/30/2024""#, "20240101", "{}"] {
        refused("date", value, "must be a date");
    }
    for value in [r#""Ontario""#, r#""XX""#, "6"] {
        refused("home", value, "must be a US state");
    }
    for value in [r#""1234""#, r#""12345-678""#, "123456", "-1234", "1e3", r#""١٢٣٤٥""#] {
        refused("zip", value, "must be a ZIP code");
    }
    for value in [r#""ftp://example.com""#, r#""javascript:alert(1)""#, r#""example.com""#, r#""http://""#, "1"] {
        refused("url", value, "must be a web address");
    }
    refused("url", r#""https://a:b@example.com""#, "user name or password");
    refused("url", &format!("\"https://example.com/{}\"", "a".repeat(2048)), "at most 2048 bytes");
    for value in [r#""Auto""#, "1", "[]"] {
        refused("select", value, "must be one of: Medicare Supplement, Final Expense");
    }
}

#[test]
fn unknown_fields_are_kept_as_sent_and_named() {
    let lead = post_data(&every_kind(), r#"{"utm":{"source":["a",1.50]},"number":1,"x":null}"#).unwrap();
    assert_eq!(lead.data_json, r#"{"utm":{"source":["a",1.50]},"number":1,"x":null}"#);
    assert_eq!(lead.unknown_fields, ["utm", "x"]);
    assert_eq!(lead.raw_json, "");
}

#[test]
fn unknown_fields_keep_to_bounds() {
    for (data, path) in [
        (r#"{"x":"a\u0000"}"#.to_owned(), "data.x"),
        (r#"{"x":{"y":["\u0000"]}}"#.to_owned(), "data.x"),
        (r#"{"x":{"\u0000":1}}"#.to_owned(), "data.x"),
        (r#"{"":1}"#.to_owned(), "data."),
        (r#"{"x":1e301}"#.to_owned(), "data.x"),
        (r#"{"x":1e-200000}"#.to_owned(), "data.x"),
        (format!(r#"{{"x":{}}}"#, "9".repeat(65)), "data.x"),
        (format!(r#"{{"x":"{}"}}"#, "a".repeat(4097)), "data.x"),
    ] {
        assert!(post_data(&every_kind(), &data).unwrap_err().get(path).is_some(), "{data}");
    }
    let long_name = format!(r#"{{"{}":1}}"#, "n".repeat(65));
    assert!(!post_data(&every_kind(), &long_name).unwrap_err().is_empty());
    let many = (0..201).map(|n| format!(r#""f{n}":{n}"#)).collect::<Vec<_>>().join(",");
    let errors = post_data(&every_kind(), &format!("{{{many}}}")).unwrap_err();
    assert_eq!(errors.get("data"), Some("must have at most 200 fields"));
}

#[test]
fn messages_are_bounded() {
    let fields = (0..150).map(|n| format!(r#""f{n}":"\u0000""#)).collect::<Vec<_>>().join(",");
    assert_eq!(post_data(&every_kind(), &format!("{{{fields}}}")).unwrap_err().iter().count(), 50);
}
