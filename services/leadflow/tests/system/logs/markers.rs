//! Values that stand for a person, or open a door, and how they are looked for.

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};

/// What must be in no log. Those that the test makes up are unlike anything else; keys and tokens are as they were given out.
#[derive(Default)]
pub struct Markers(Vec<Marker>);

struct Marker {
    value: String,
    /// As text, hex digits or numbers of bytes: in any case.
    lower: [String; 3],
    /// In base64, at any place in what was encoded, without the ends, which depend on their neighbours.
    exact: Vec<String>,
}

impl Markers {
    /// Remembers a value, and gives it back.
    pub fn add(&mut self, value: impl Into<String>) -> String {
        let value = value.into();
        assert!(value.len() >= 8, "{value} may be in a log by chance");
        let numbers = value.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
        let encoded = (0..3).map(|at| {
            let whole = BASE64_STANDARD_NO_PAD.encode(format!("{}{value}", "x".repeat(at)));
            let from = if at == 0 { 0 } else { at + 1 };
            whole[from..whole.len() - 2].to_owned()
        });
        let exact = encoded.flat_map(|text| [text.replace('+', "-").replace('/', "_"), text]).collect();
        self.0.push(Marker {
            lower: [value.to_lowercase(), hex::encode(&value), numbers],
            exact,
            value: value.clone(),
        });
        value
    }

    /// Those that are in `line`, in any writing that gives them away.
    pub fn found_in<'a>(&'a self, line: &'a str) -> impl Iterator<Item = &'a str> {
        let low = line.to_lowercase();
        let found = move |marker: &&Marker| {
            marker.lower.iter().any(|form| low.contains(form)) || marker.exact.iter().any(|form| line.contains(form))
        };
        self.0.iter().filter(found).map(|marker| marker.value.as_str())
    }
}

#[test]
fn a_value_is_found_in_every_writing() {
    let mut markers = Markers::default();
    markers.add("Zqsomebody");
    let url_safe = base64::prelude::BASE64_URL_SAFE.encode("{\"name\":\"Zqsomebody\"}");
    for line in [
        "{\"name\":\"zqSOMEBODY\"}".to_owned(),
        hex::encode("of Zqsomebody."),
        format!("{:?}", b"of Zqsomebody."),
        format!("{:?}", bytes::Bytes::from_static(b"of Zqsomebody.")),
        BASE64_STANDARD_NO_PAD.encode("Zqsomebody"),
        BASE64_STANDARD_NO_PAD.encode("1Zqsomebody1"),
        BASE64_STANDARD_NO_PAD.encode("12Zqsomebody12"),
        url_safe,
    ] {
        assert_eq!(markers.found_in(&line).collect::<Vec<_>>(), ["Zqsomebody"], "{line}");
    }
    assert_eq!(markers.found_in("lead_01h2xcejqtf2nbrexx3vqjhp41 Zqsome body").count(), 0);
}
