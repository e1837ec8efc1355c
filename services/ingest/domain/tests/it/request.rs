//! The body around `data`.

use leadflow_ingest_domain::{Field, FieldKind, JsonError, Post, PostError, Quality, Schema, ValidLead};

use crate::{CAMPAIGN, every_kind, post_data};

fn validate(members: &str) -> Result<ValidLead, leadflow_ingest_domain::FieldErrors> {
    let body = format!(r#"{{"campaignId":"{CAMPAIGN}"{members}}}"#);
    Post::parse(body.as_bytes()).expect("a request").validate(&every_kind())
}

#[test]
fn the_products_own_example_is_accepted() {
    let required = |name: &str, kind| Field { name: name.to_owned(), kind, required: true };
    let schema = Schema::new(vec![
        required("firstName", FieldKind::Text),
        required("lastName", FieldKind::Text),
        required("email", FieldKind::Email),
        required("phone", FieldKind::Phone),
        required("age", FieldKind::Number),
        required("coverage", FieldKind::Select(vec!["Medicare Supplement".to_owned()])),
    ]);
    let body = format!(
        r#"{{"campaignId": "{CAMPAIGN}", "categoryId": "cat_01h455vb4pex5vsknk084sn02q", "state": "CA", "quality": "HOT",
        "data": {{"firstName": "John", "lastName": "Doe", "email": "john@example.com", "phone": "+1234567890", "age": 45,
        "coverage": "Medicare Supplement"}}}}"#
    );
    let lead = Post::parse(body.as_bytes()).unwrap().validate(&schema).unwrap();
    assert_eq!((lead.state, lead.quality, lead.test), (Some("CA"), Some(Quality::Hot), false));
    assert_eq!(lead.raw_json, "");
    assert!(lead.unknown_fields.is_empty());
}

#[test]
fn top_level_fields_are_checked() {
    let lead =
        validate(r#","state":"california","quality":"warm","test":true,"reference":"Order 7","data":{}"#).unwrap();
    assert_eq!((lead.state, lead.quality, lead.test), (Some("CA"), Some(Quality::Warm), true));
    assert_eq!(lead.reference.as_deref(), Some("Order 7"));
    for (members, path) in [
        (r#","data":{},"state":"Ontario""#, "state"),
        (r#","data":{},"state":5"#, "state"),
        (r#","data":{},"quality":"BURNING""#, "quality"),
        (r#","data":{},"quality":1"#, "quality"),
        (r#","data":{},"test":"true""#, "test"),
        (r#","data":{},"test":1"#, "test"),
        (r#","data":{},"reference":"""#, "reference"),
        (r#","data":{},"reference":7"#, "reference"),
        (r#","data":{},"reference":"a\u0007""#, "reference"),
        (r#","data":{},"categoryId":"camp_01h455vb4pex5vsknk084sn02q""#, "categoryId"),
        (r#","data":{},"categoryId":[]"#, "categoryId"),
        (r#","data":{},"price":1"#, "price"),
        (r#","data":[]"#, "data"),
        (r#","data":"x""#, "data"),
        (r#","data":null"#, "data"),
        ("", "data"),
    ] {
        assert!(validate(members).unwrap_err().get(path).is_some(), "{members}");
    }
    let long = format!(r#","data":{{}},"reference":"{}""#, "r".repeat(256));
    assert!(validate(&long).unwrap_err().get("reference").is_some());
    for absent in [
        r#","data":{},"state":null,"quality":null,"reference":null,"test":null,"categoryId":null"#,
        r#","data":{},"state":"","quality":" ""#,
    ] {
        let lead = validate(absent).unwrap();
        assert_eq!((lead.state, lead.quality, lead.reference, lead.test), (None, None, None, false));
    }
}

#[test]
fn every_wrong_field_is_told_at_once() {
    let errors = validate(r#","quality":"x","data":{"email":"x","number":"y"}"#).unwrap_err();
    assert_eq!(errors.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["data.email", "data.number", "quality"]);
    let body = r#"{"campaignId":"campaign_id","nonsense":1}"#;
    let errors = Post::parse(body.as_bytes()).unwrap().into_errors();
    assert_eq!(errors.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["campaignId", "data", "nonsense"]);
}

#[test]
fn the_state_comes_from_the_request_then_from_the_data() {
    assert_eq!(validate(r#","state":"TX","data":{"home":"NY","state":"CA"}"#).unwrap().state, Some("TX"));
    assert_eq!(validate(r#","data":{"home":"NY","state":"california"}"#).unwrap().state, Some("CA"));
    assert_eq!(validate(r#","data":{"home":"new york"}"#).unwrap().state, Some("NY"));
    assert_eq!(validate(r#","data":{"state":"Atlantis","home":"NY"}"#).unwrap().state, Some("NY"));
    assert_eq!(validate(r#","data":{"state":["CA"]}"#).unwrap().state, None);
}

#[test]
fn bodies_that_are_no_requests() {
    let parse = |body: &[u8]| Post::parse(body).map(|_| ()).unwrap_err();
    assert_eq!(parse(b"\xff\xfe{}"), PostError::NotUtf8);
    assert_eq!(parse(b"{\"a\":\"\xc3\x28\"}"), PostError::NotUtf8);
    assert_eq!(parse(b"[]"), PostError::NotAnObject);
    assert_eq!(parse(b"\"x\""), PostError::NotAnObject);
    assert_eq!(parse(br#"{"data":{"a":1,"a":2}}"#), PostError::Json(JsonError::DuplicateName));
    assert!(matches!(parse(b"{"), PostError::Json(JsonError::Syntax { .. })));
    assert!(matches!(parse(b""), PostError::Json(JsonError::Syntax { .. })));
}

#[test]
fn data_cannot_name_a_field_of_the_request() {
    let lead = post_data(&every_kind(), r#"{"leadId":"x","price":-1}"#).unwrap();
    assert_eq!(lead.unknown_fields, ["leadId", "price"]);
}
