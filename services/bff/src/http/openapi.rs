//! The OpenAPI 3.1 document, from the table of routes.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::{
    session::COOKIE,
    table::{Answers, Content, JSON, Route, Shape, Who},
};

/// Answers that every route may give, by status.
const COMMON: [(&str, &str); 4] = [
    ("400", "The request is malformed"),
    ("429", "Too many requests; Retry-After says when to come back"),
    ("500", "Something went wrong on our side"),
    ("503", "A part of the system is away; Retry-After says when to come back"),
];

/// The document of these routes.
#[must_use]
pub fn document(routes: &[Route]) -> Value {
    let mut schemas = Map::from_iter([("Error".to_owned(), error_schema())]);
    let mut paths = Map::new();
    for route in routes {
        let operation = operation(route, &mut schemas);
        let item = paths.entry(route.path).or_insert_with(|| json!({}));
        item[route.method.as_str().to_ascii_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "LeadFlow",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The JSON API of front ends. Money is a number of dollars with at most two decimals, times are \
                            RFC 3339 in UTC. Every error has the same form.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "The token that signing in answers" },
                "cookie": { "type": "apiKey", "in": "cookie", "name": COOKIE },
                "apiKey": { "type": "apiKey", "in": "header", "name": "X-API-Key" },
                "signature": { "type": "apiKey", "in": "header", "name": "Stripe-Signature" },
                "sendgridSignature": {
                    "type": "apiKey", "in": "header", "name": "X-Twilio-Email-Event-Webhook-Signature",
                },
                "twilioSignature": { "type": "apiKey", "in": "header", "name": "X-Twilio-Signature" },
            },
        },
    })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error", "code", "requestId"],
        "properties": {
            "error": { "type": "string", "description": "A sentence for a person" },
            "code": { "type": "string", "description": "Stable, snake_case" },
            "requestId": { "type": "string" },
            "fields": { "type": "object", "additionalProperties": { "type": "string" }, "description": "What is wrong, by path" },
        },
    })
}

fn operation(route: &Route, schemas: &mut Map<String, Value>) -> Value {
    let mut parameters: Vec<Value> = route
        .path
        .split(['{', '}'])
        .skip(1)
        .step_by(2)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    if let Some(query) = &route.query {
        parameters.extend(query_parameters(query));
        keep(schemas, &query.refers_to);
    }
    if route.method == axum::http::Method::POST && !matches!(route.who, Who::Public | Who::Provider) {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" });
        let description = "Makes a repeat of the request create nothing new";
        parameters
            .push(json!({ "name": "Idempotency-Key", "in": "header", "schema": schema, "description": description }));
    }
    let conditional = route.versioned && matches!(route.method, Method::PUT | Method::DELETE);
    if conditional {
        let schema = json!({ "type": "string", "pattern": "^(\\*|\"[0-9]{1,18}\"(, ?\"[0-9]{1,18}\"){0,9})$" });
        let description = "Changes it only if it is of this version: an ETag as it was answered";
        parameters.push(json!({ "name": "If-Match", "in": "header", "schema": schema, "description": description }));
    }
    let mut responses = Map::new();
    for answer in &route.answers {
        let mut response = response(answer, schemas);
        if route.versioned && answer.status.is_success() {
            let schema = json!({ "type": "string" });
            response["headers"] = json!({ "ETag": { "schema": schema, "description": "The record's version" } });
        }
        // Several media types of one answer.
        if let Some(known) = responses.get_mut(answer.status.as_str()) {
            for (media, schema) in response["content"].as_object().into_iter().flatten() {
                known["content"][media] = schema.clone();
            }
            continue;
        }
        responses.insert(answer.status.as_str().to_owned(), response);
    }
    if conditional {
        responses.insert("412".to_owned(), error("It is not of the version in If-Match"));
    }
    let usual = COMMON.iter().copied().chain(extra_errors(route));
    for (status, description) in usual {
        responses.entry(status).or_insert_with(|| error(description));
    }
    if route.pages {
        for (_, refused) in responses.iter_mut().filter(|(status, _)| status.as_str() >= "400") {
            refused["content"]["text/html"] = json!({ "schema": {} });
        }
    }
    let security = match route.who {
        Who::Public => json!([]),
        Who::ApiKey => json!([{ "apiKey": [] }]),
        Who::Provider => {
            let scheme = match route.path.split('/').nth(3) {
                Some("sendgrid") => "sendgridSignature",
                Some("twilio") => "twilioSignature",
                _ => "signature",
            };
            json!([{ scheme: [] }])
        }
        Who::SignedIn | Who::Only(_) => json!([{ "bearer": [] }, { "cookie": [] }]),
    };
    let mut operation = json!({
        "summary": route.summary,
        "description": format!("For {}.", route.who.describe()),
        "operationId": operation_id(route),
        "tags": [route.path.split('/').nth(2).unwrap_or_default()],
        "parameters": parameters,
        "responses": responses,
        "security": security,
    });
    if let Some(body) = &route.body {
        operation["requestBody"] = json!({ "required": true, "content": content(body, JSON, schemas) });
    }
    operation
}

fn extra_errors(route: &Route) -> Vec<(&'static str, &'static str)> {
    let mut errors = Vec::new();
    if !matches!(route.who, Who::Public) {
        errors.push(("401", "No valid session or key"));
    }
    if matches!(route.who, Who::Only(_) | Who::ApiKey) || !route.method.is_safe() {
        errors.push(("403", "Not for this role, or sent by another site's page"));
    }
    if route.path.contains('{') || !route.method.is_safe() || route.who == Who::ApiKey {
        errors.push(("404", "Unknown, or another tenant's"));
        errors.push(("409", "In conflict with what is there"));
        errors.push(("422", "Well-formed but not valid; fields says what"));
    }
    if route.takes_body() {
        errors.push(("408", "The body did not arrive in time"));
        errors.push(("413", "The body is too large"));
        errors.push(("415", "The body is not JSON"));
    }
    errors
}

fn operation_id(route: &Route) -> String {
    let path: Vec<_> =
        route.path.split('/').skip(2).map(|part| part.trim_matches(['{', '}']).replace('-', "_")).collect();
    format!("{}_{}", route.method.as_str().to_ascii_lowercase(), path.join("_"))
}

/// Each property of the query's record as a parameter.
fn query_parameters(query: &Shape) -> Vec<Value> {
    let required: Vec<_> =
        query.schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = query.schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, schema)| {
            let mut parameter =
                json!({ "name": name, "in": "query", "required": required.contains(&name.as_str()), "schema": schema });
            if let Some(description) = schema["description"].as_str() {
                parameter["description"] = description.into();
            }
            parameter
        })
        .collect()
}

fn response(answer: &Answers, schemas: &mut Map<String, Value>) -> Value {
    let mut response = json!({ "description": answer.description });
    match &answer.content {
        Content::Nothing => {}
        Content::Record(shape) => response["content"] = content(shape, answer.media, schemas),
        Content::Other => response["content"] = json!({ answer.media: { "schema": {} } }),
        Content::Error => return error(answer.description),
    }
    response
}

fn error(description: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Error" });
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

fn content(shape: &Shape, media: &str, schemas: &mut Map<String, Value>) -> Value {
    keep(schemas, &shape.refers_to);
    schemas.entry(shape.name.clone()).or_insert_with(|| shape.schema.clone());
    json!({ media: { "schema": { "$ref": format!("#/components/schemas/{}", shape.name) } } })
}

fn keep(schemas: &mut Map<String, Value>, more: &[(String, Value)]) {
    for (name, schema) in more {
        schemas.entry(name.clone()).or_insert_with(|| schema.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::http::routes;

    fn references(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(name)) = map.get("$ref") {
                    into.push(name.clone());
                }
                map.values().for_each(|inner| references(inner, into));
            }
            Value::Array(list) => list.iter().for_each(|inner| references(inner, into)),
            _ => {}
        }
    }

    #[test]
    fn every_route_is_in_the_document_and_every_reference_leads_somewhere() {
        let routes = routes();
        let document = document(&routes);
        for route in &routes {
            let operation = &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
            assert!(operation["responses"].is_object(), "{} {}", route.method, route.path);
        }
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn one_name_is_one_schema() {
        let mut seen: HashMap<String, Value> = HashMap::new();
        for route in routes() {
            let answered = route.answers.into_iter().filter_map(|answer| match answer.content {
                Content::Record(shape) => Some(shape),
                _ => None,
            });
            let shapes = route.body.into_iter().chain(answered);
            for shape in shapes {
                let all = shape.refers_to.into_iter().chain([(shape.name, shape.schema)]);
                for (name, schema) in all {
                    let first = seen.entry(name.clone()).or_insert_with(|| schema.clone());
                    assert_eq!(*first, schema, "two schemas are called {name}");
                }
            }
        }
    }
}
