//! The domain through its public interface.

mod fields;
mod never_panics;
mod request;

use leadflow_ingest_domain::{Field, FieldErrors, FieldKind, Post, Schema, ValidLead};

const CAMPAIGN: &str = "camp_01h455vb4pex5vsknk084sn02q";

/// One field of each kind, none required.
fn every_kind() -> Schema {
    let options = ["Medicare Supplement", "Final Expense"].map(str::to_owned).to_vec();
    let kinds = [
        ("text", FieldKind::Text),
        ("email", FieldKind::Email),
        ("phone", FieldKind::Phone),
        ("number", FieldKind::Number),
        ("boolean", FieldKind::Boolean),
        ("date", FieldKind::Date),
        ("home", FieldKind::State),
        ("zip", FieldKind::Zip),
        ("url", FieldKind::Url),
        ("select", FieldKind::Select(options)),
    ];
    Schema::new(kinds.into_iter().map(|(name, kind)| Field { name: name.to_owned(), kind, required: false }).collect())
}

/// The outcome of posting `data` (a JSON text) against `schema`.
fn post_data(schema: &Schema, data: &str) -> Result<ValidLead, FieldErrors> {
    let body = format!(r#"{{"campaignId":"{CAMPAIGN}","data":{data}}}"#);
    Post::parse(body.as_bytes()).expect("a request").validate(schema)
}
