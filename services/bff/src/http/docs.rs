//! The OpenAPI document and a page that shows it. The page is plain HTML made here: no script, no other host.

use std::fmt::Write as _;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::{
    Api,
    table::{JSON, Route, Who},
};

const STYLE: &str = include_str!("docs.css");
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'");

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/openapi.json", Who::Public, "This API as an OpenAPI 3.1 document", openapi).answers_other(
            StatusCode::OK,
            "The document",
            JSON,
        ),
        Route::get("/api/docs", Who::Public, "This API as a page", whole).answers_other(
            StatusCode::OK,
            "The page",
            "text/html",
        ),
    ]
}

async fn openapi(State(api): State<Api>) -> Json<Value> {
    Json(api.document.clone())
}

async fn whole(State(api): State<Api>) -> Response {
    as_page(html(&api.document))
}

fn as_page(html: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, html).into_response()
}

/// A page with this in it, which is markup.
pub(super) fn page(body: &str) -> Response {
    as_page(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>LeadFlow</title>\
         <meta name=viewport content='width=device-width'><style>{STYLE}</style>{body}"
    ))
}

fn html(document: &Value) -> String {
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>LeadFlow API</title>\
         <meta name=viewport content='width=device-width'><style>{STYLE}</style><h1>LeadFlow API</h1><p>{}</p>\
         <p><a href=/api/openapi.json>OpenAPI 3.1 document</a></p>",
        escape(document["info"]["description"].as_str().unwrap_or_default())
    );
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            write_operation(&mut page, path, method, operation);
        }
    }
    page.push_str("<h2>Records</h2>");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let _ = write!(page, "<section id='{0}'><h3>{0}</h3>", escape(name));
        write_schema(&mut page, schema);
        page.push_str("</section>");
    }
    page
}

fn write_operation(page: &mut String, path: &str, method: &str, operation: &Value) {
    let text = |key: &str| escape(operation[key].as_str().unwrap_or_default());
    let _ = write!(
        page,
        "<details><summary><b class={method}>{}</b> <code>{}</code> {}</summary><p>{}</p>",
        method.to_ascii_uppercase(),
        escape(path),
        text("summary"),
        text("description")
    );
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        page.push_str("<table><tr><th>Parameter<th>In<th>Type<th>");
        for parameter in parameters {
            let _ = write!(
                page,
                "<tr><td><code>{}</code>{}<td>{}<td>{}<td>{}",
                escape(parameter["name"].as_str().unwrap_or_default()),
                if parameter["required"] == true { " *" } else { "" },
                escape(parameter["in"].as_str().unwrap_or_default()),
                kind(&parameter["schema"]),
                escape(parameter["description"].as_str().unwrap_or_default())
            );
        }
        page.push_str("</table>");
    }
    if let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") {
        let _ = write!(page, "<p>Body: {}</p>", kind(schema));
    }
    page.push_str("<table><tr><th>Status<th>Answer<th>");
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        let mut content = answer["content"].as_object().into_iter().flatten();
        let schema = content.next().map(|(media, content)| of_media(media, &content["schema"])).unwrap_or_default();
        let description = escape(answer["description"].as_str().unwrap_or_default());
        let _ = write!(page, "<tr><td>{}<td>{description}<td>{schema}", escape(status));
    }
    page.push_str("</table></details>");
}

fn write_schema(page: &mut String, schema: &Value) {
    if let Some(description) = schema["description"].as_str() {
        let _ = write!(page, "<p>{}</p>", escape(description));
    }
    let Some(properties) = schema["properties"].as_object() else {
        let _ = write!(page, "<p>{}</p>", kind(schema));
        return;
    };
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    page.push_str("<table><tr><th>Field<th>Type<th>");
    for (name, property) in properties {
        let star = if required.iter().any(|one| one == name) { " *" } else { "" };
        let description = escape(property["description"].as_str().unwrap_or_default());
        let _ = write!(page, "<tr><td><code>{}</code>{star}<td>{}<td>{description}", escape(name), kind(property));
    }
    page.push_str("</table>");
}

/// What an answer holds, and how when that is not JSON.
fn of_media(media: &str, schema: &Value) -> String {
    if media == JSON { kind(schema) } else { format!("{} ({})", kind(schema), escape(media)) }
}

/// A schema in a few words, with links to records.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escape(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href='#{name}'>{name}</a>");
    }
    for (key, between) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if let Some(list) = schema[key].as_array() {
            return list.iter().map(kind).collect::<Vec<_>>().join(between);
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let names: Vec<_> = values.iter().filter_map(Value::as_str).map(escape).collect();
        return names.join(" | ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(name) => escape(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(escape).collect::<Vec<_>>().join(" or "),
        _ => "anything".to_owned(),
    }
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_page_shows_every_route_and_loads_nothing() {
        let routes = crate::http::routes();
        let page = html(&crate::http::document(&routes));
        for route in &routes {
            assert!(page.contains(&format!("<code>{}</code>", route.path)), "{}", route.path);
        }
        for foreign in ["<script", "http://", "https://", "src="] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn what_the_document_says_is_text() {
        assert!(!kind(&json!({ "$ref": "#/x/<b>" })).contains("<b>"));
    }
}
