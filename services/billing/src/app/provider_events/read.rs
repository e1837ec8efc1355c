//! The few fields of a webhook that are needed to know what to look at.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// The longest id or kind that is kept.
const LONGEST: usize = 255;

/// A webhook.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) created: DateTime<Utc>,
    pub(super) object: Value,
}

impl Event {
    /// `None` when it is none.
    pub(super) fn read(body: &str) -> Option<Self> {
        let mut value: Value = serde_json::from_str(body).ok()?;
        let text = |name: &str| {
            value.get(name)?.as_str().filter(|text| (1..=LONGEST).contains(&text.len())).map(str::to_owned)
        };
        let (id, kind) = (text("id")?, text("type")?);
        let created = DateTime::from_timestamp(value.get("created")?.as_i64()?, 0)?;
        Some(Self { id, kind, created, object: value.pointer_mut("/data/object").map(Value::take)? })
    }

    /// The object's own id.
    pub(super) fn object_id(&self) -> Option<&str> {
        id(self.object.get("id")?)
    }

    /// The id of another object that it names, whether that is written out or not.
    pub(super) fn names(&self, field: &str) -> Option<&str> {
        id(self.object.get(field)?)
    }
}

fn id(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("id")?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_whether_written_out_or_not() {
        let body = r#"{"id":"evt_1","type":"setup_intent.succeeded","created":1800000000,
            "data":{"object":{"id":"seti_1","customer":"cus_1","payment_method":{"id":"pm_1"},"mandate":null}}}"#;
        let event = Event::read(body).unwrap();
        assert_eq!((event.object_id(), event.names("customer")), (Some("seti_1"), Some("cus_1")));
        assert_eq!((event.names("payment_method"), event.names("mandate")), (Some("pm_1"), None));
    }

    #[test]
    fn what_is_no_event_is_none() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"id":"","type":"x","created":1,"data":{"object":{}}}"#,
            r#"{"id":"e","type":"x","created":1}"#,
        ] {
            assert_eq!(Event::read(body), None, "{body}");
        }
    }
}
