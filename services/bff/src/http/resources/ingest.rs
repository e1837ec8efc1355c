//! Suppliers' posts, passed on to the ingest gateway.

use axum::{
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse as _, Response},
};
use leadflow_platform::http::RequestId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CREATED, OK};
use crate::{
    http::{
        Api,
        input::read,
        problem::{Problem, away},
        table::{Route, Who},
        values::Dollars,
    },
    outbound::gateway::NoAnswer,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/leads/ingest", Who::ApiKey, "Post a lead", forward)
            .body::<PostedLead>()
            .answers::<LeadAnswer>(CREATED, "Decided")
            .answers::<LeadAnswer>(StatusCode::ACCEPTED, "Stored, and decided later; ask at statusUrl"),
        Route::get("/api/leads/ingest", Who::ApiKey, "What became of a lead, by reference", forward)
            .query::<ByReference>()
            .answers::<LeadAnswer>(OK, "What became of it"),
        Route::get("/api/leads/ingest/{id}", Who::ApiKey, "What became of a lead", forward)
            .query::<WithReceipt>()
            .answers::<LeadAnswer>(OK, "What became of it"),
    ]
}

/// For the document: the gateway reads it.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "the gateway reads it; here it is only described")]
struct PostedLead {
    campaign_id: String,
    category_id: Option<String>,
    state: Option<String>,
    quality: Option<String>,
    /// By the names of the category's fields.
    #[schema(value_type = Object)]
    data: serde_json::Value,
    /// Makes a repeat of the post safe.
    reference: Option<String>,
    test: Option<bool>,
}

/// For the document: the gateway writes it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LeadAnswer {
    success: bool,
    lead_id: String,
    outcome: String,
    distributed: Option<bool>,
    buyers_assigned: Option<u32>,
    price: Option<Dollars>,
    reason: Option<String>,
    message: String,
    reference: Option<String>,
    test: Option<bool>,
    status_url: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the gateway reads it; here it is only described")]
struct ByReference {
    reference: String,
}

#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "the gateway reads it; here it is only described")]
struct WithReceipt {
    /// As in a `statusUrl`.
    receipt: Option<String>,
}

async fn forward(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let (method, uri, mut headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    if let Some(RequestId(id)) = request.extensions().get()
        && let Ok(value) = HeaderValue::from_str(id)
    {
        headers.insert(REQUEST_ID, value);
    }
    let body = read(request, api.max_body_bytes, api.body_timeout).await?;
    let answer = api.gateway.forward(&method, &uri, &headers, body).await.map_err(|NoAnswer| away())?;
    Ok((answer.status, answer.headers, answer.body).into_response())
}
