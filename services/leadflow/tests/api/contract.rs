//! The OpenAPI document as a contract: what an answer may be. Every answer that a test gets is held against it.

use std::collections::{HashMap, HashSet};

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use http::{HeaderMap, Method};
use serde_json::{Map, Value};

/// Lines that are told of what is wrong with a body.
const FIRST: usize = 12;
/// What the document is called among schemas; nobody asks for it there.
const NAME: &str = "http://localhost/openapi.json";

/// The document, with its schemas ready to be used.
pub struct Contract {
    document: Value,
    schemas: Schemas,
    by_reference: HashMap<String, SchemaIndex>,
}

impl Contract {
    /// Fields that the document does not name are faults, too.
    pub fn new(mut document: Value) -> Self {
        close(&mut document);
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.set_default_draft(Draft::V2020_12);
        compiler.enable_format_assertions();
        compiler.add_resource(NAME, document.clone()).unwrap();
        let names = document["components"]["schemas"].as_object().expect("the document has schemas").keys();
        let by_reference = names
            .map(|name| {
                let reference = format!("#/components/schemas/{name}");
                let index = compiler.compile(&format!("{NAME}{reference}"), &mut schemas);
                (reference, index.unwrap_or_else(|error| panic!("{name} is no schema: {error:#}")))
            })
            .collect();
        Self { document, schemas, by_reference }
    }

    /// What is wrong with an answer to this request, if anything.
    pub fn fault(
        &self,
        method: &Method,
        path: &str,
        status: u16,
        headers: &HeaderMap,
        text: &str,
    ) -> Result<(), String> {
        let media = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        let path = path.split('?').next().unwrap_or_default();
        let Some(operation) = self.operation(method, path) else {
            // There is nothing, which is told in the common form.
            if !matches!(status, 404 | 405) {
                return Err(format!("a route that is not in the document answered {status}"));
            }
            return self.check("#/components/schemas/Error", text);
        };
        let Some(response) = operation["responses"].get(status.to_string()) else {
            return Err(format!("the document has no status {status} here"));
        };
        let Some(content) = response.get("content") else {
            return if text.is_empty() { Ok(()) } else { Err("the document has no body here".to_owned()) };
        };
        let Some(content) = content.get(media) else {
            return Err(format!("the document has no content type {media:?} here"));
        };
        match content["schema"]["$ref"].as_str() {
            // Of a stream, each event is held against it: see `event`.
            Some(_) if media == "text/event-stream" => Ok(()),
            Some(reference) => self.check(reference, text),
            None => Ok(()),
        }
    }

    /// What is wrong with an event of the live feed, if anything.
    pub fn event(&self, data: &Value) -> Result<(), String> {
        let content = &self.document["paths"]["/api/events"]["get"]["responses"]["200"]["content"];
        let reference = content["text/event-stream"]["schema"]["$ref"].as_str().expect("the feed is in the document");
        self.check_value(reference, data)
    }

    /// Paths without variables count before those with.
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let paths = self.document["paths"].as_object()?;
        let item = paths.get(path).or_else(|| {
            let fits = |template: &str| {
                let same = |(there, here): (&str, &str)| there == here || (there.starts_with('{') && !here.is_empty());
                template.split('/').count() == path.split('/').count()
                    && template.split('/').zip(path.split('/')).all(same)
            };
            paths.iter().find(|(template, _)| fits(template)).map(|(_, item)| item)
        });
        item?.get(method.as_str().to_ascii_lowercase())
    }

    fn check(&self, reference: &str, text: &str) -> Result<(), String> {
        let value = serde_json::from_str(text).map_err(|error| format!("the body is not JSON: {error}"))?;
        self.check_value(reference, &value)
    }

    fn check_value(&self, reference: &str, value: &Value) -> Result<(), String> {
        let checked = self.schemas.validate(value, self.by_reference[reference]);
        checked.map_err(|error| error.to_string().lines().take(FIRST).collect::<Vec<_>>().join("\n"))
    }
}

/// Forbids what a record's schema does not name. A record that is part of another one stays open by itself.
fn close(document: &mut Value) {
    let mut parts = HashSet::new();
    find_parts(document, &mut parts);
    let schemas = document["components"]["schemas"].as_object_mut().expect("the document has schemas");
    for (name, schema) in schemas {
        if !parts.contains(&format!("#/components/schemas/{name}")) {
            close_schema(schema);
        }
    }
}

fn find_parts(value: &Value, parts: &mut HashSet<String>) {
    match value {
        Value::Object(map) => {
            for part in map.get("allOf").and_then(Value::as_array).into_iter().flatten() {
                parts.extend(part["$ref"].as_str().map(str::to_owned));
            }
            map.values().for_each(|inner| find_parts(inner, parts));
        }
        Value::Array(list) => list.iter().for_each(|inner| find_parts(inner, parts)),
        _ => {}
    }
}

fn close_schema(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    if let Some(Value::Array(choices)) = map.get_mut("oneOf") {
        choices.iter_mut().for_each(close_schema);
    }
    let is_record = |map: &Map<String, Value>| map.contains_key("properties") || map.contains_key("allOf");
    if is_record(map) && !map.contains_key("additionalProperties") {
        map.insert("unevaluatedProperties".to_owned(), Value::Bool(false));
    }
}

#[cfg(test)]
mod tests {
    use leadflow_bff::http::{document, routes};

    use super::*;

    fn fault(method: Method, path: &str, status: u16, media: &str, text: &str) -> Result<(), String> {
        let headers = HeaderMap::from_iter([("content-type".parse().unwrap(), media.parse().unwrap())]);
        Contract::new(document(&routes())).fault(&method, path, status, &headers, text)
    }

    #[test]
    fn every_fault_is_seen() {
        const JSON: &str = "application/json";
        const CATEGORY: &str = r#"{"category": {"id": "a", "name": "b", "status": "ACTIVE", "fields": []}}"#;
        const ERROR: &str = r#"{"error": "a", "code": "b", "requestId": "c"}"#;
        for (status, media, text) in
            [(200, JSON, CATEGORY), (404, JSON, ERROR), (200, "application/json; a=b", CATEGORY)]
        {
            assert_eq!(fault(Method::GET, "/api/categories/x?y=z", status, media, text), Ok(()));
        }
        for (status, media, text, wanted) in [
            (202, JSON, CATEGORY, "no status 202"),
            (200, "text/html", CATEGORY, "no content type"),
            (200, JSON, "{", "not JSON"),
            (200, JSON, r#"{"category": {"id": "a", "name": "b", "status": "ACTIVE"}}"#, "fields"),
            (200, JSON, &CATEGORY.replace("ACTIVE", "ASLEEP"), "/category/status"),
            (200, JSON, &CATEGORY.replace("\"id\"", "\"more\": 1, \"id\""), "more"),
            (404, JSON, r#"{"error": "a", "code": "b"}"#, "requestId"),
        ] {
            let fault = fault(Method::GET, "/api/categories/x", status, media, text).unwrap_err();
            assert!(fault.contains(wanted), "{fault}");
        }
        assert_eq!(fault(Method::GET, "/api/nothing", 404, JSON, ERROR), Ok(()));
        assert!(fault(Method::GET, "/api/nothing", 200, JSON, "{}").is_err());
        assert!(fault(Method::POST, "/api/auth/logout", 204, "", "x").is_err());
        assert_eq!(fault(Method::POST, "/api/auth/logout", 204, "", ""), Ok(()));
    }
}
