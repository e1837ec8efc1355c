//! Whatever is posted: no panic, a JSON object out, and what came out goes in again unchanged.

use leadflow_ingest_domain::Post;
use proptest::prelude::*;

use crate::{every_kind, post_data};

const KINDS: [&str; 12] =
    ["text", "email", "phone", "number", "boolean", "date", "home", "zip", "url", "select", "state", "other"];

/// Texts near what the fields accept, so that more than refusals is tested.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ +(]{0,2}[0-9]{1,4}[-. )]{0,2}[0-9]{2,4}[-. ]?[0-9]{2,6}( ?(x|ext) ?[0-9]{1,4})?",
        "[ -]?[0-9]{0,20}[.,]?[0-9]{0,20}([eE][+-]?[0-9]{1,4})?",
        "[0-9]{1,4}[-/][0-9]{1,2}[-/][0-9]{1,4}([T ][0-9:]{5,8})?Z?",
        "[A-Za-z0-9._%+İß'-]{1,12}@[A-Za-z0-9-]{1,8}\\.[A-Za-zé]{1,6}",
        "[Hh][Tt][Tt][Pp][Ss]?://[^ ]{0,30}",
        "(?i)(new york|ca|d\\.c\\.|yes|no|true|final expense|washington, dc)",
        "[0-9]{5}[- ]?[0-9]{0,4}",
    ]
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,7})?",
        texts().prop_map(|text| serde_json::to_string(&text).unwrap_or_default()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::btree_map(texts(), inner, 0..4).prop_map(|members| {
                let member = |(name, value): (String, String)| {
                    format!("{}:{value}", serde_json::to_string(&name).unwrap_or_default())
                };
                format!("{{{}}}", members.into_iter().map(member).collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        if let Ok(post) = Post::parse(&bytes) {
            let _ = post.validate(&every_kind());
        }
    }

    #[test]
    fn any_json_is_read_or_refused(text in json()) {
        if let Ok(post) = Post::parse(text.as_bytes()) {
            let _ = post.validate(&every_kind());
        }
    }

    #[test]
    fn normalising_what_is_normal_changes_nothing(field in prop::sample::select(&KINDS[..]), value in prop_oneof![4 => texts().prop_map(|text| serde_json::to_string(&text).unwrap_or_default()), 1 => json()]) {
        let schema = every_kind();
        if let Ok(once) = post_data(&schema, &format!(r#"{{"{field}":{value}}}"#)) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&once.data_json).is_ok());
            prop_assert!(once.raw_json.is_empty() || serde_json::from_str::<serde_json::Value>(&once.raw_json).is_ok());
            let twice = post_data(&schema, &once.data_json).unwrap();
            prop_assert_eq!(&twice.data_json, &once.data_json);
            prop_assert_eq!(&twice.raw_json, "", "normal values are as sent");
            prop_assert_eq!(twice.unknown_fields, once.unknown_fields);
        }
    }
}
