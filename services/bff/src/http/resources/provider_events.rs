//! What the provider of card payments tells, as it came: billing checks the signature over the very bytes.

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderName, StatusCode},
};
use leadflow_contracts::billing::ReceiveProviderEventRequest;
use leadflow_platform::{ApiError, grpc::stable_code};
use serde::Serialize;
use tonic::{Code, Status};
use utoipa::ToSchema;

use super::OK;
use crate::http::{
    Api,
    input::read,
    problem::Problem,
    table::{Route, Who},
};

const SIGNATURE: HeaderName = HeaderName::from_static("stripe-signature");
/// Far more than any event of a payment has.
const MAX_EVENT_BYTES: usize = 512 * 1024;

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/webhooks/stripe", Who::Provider, "Tell of something that happened at Stripe", receive)
            .body::<ProviderEvent>()
            .answers::<Received>(OK, "Kept; it is processed once, also if it is sent again")
            .refuses(StatusCode::BAD_REQUEST, "Not signed with our secret, or too long ago")
            .refuses(StatusCode::CONFLICT, "Refused while no signing secret is configured here"),
    ]
}

/// For the document: billing reads it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "billing reads it; here it is only described")]
struct ProviderEvent {
    /// `evt_…`
    id: String,
    /// `payment_intent.succeeded` and so on.
    r#type: String,
}

#[derive(Serialize, ToSchema)]
struct Received {
    received: bool,
}

async fn receive(State(api): State<Api>, request: Request) -> Result<Json<Received>, Problem> {
    let mut values = request.headers().get_all(&SIGNATURE).iter();
    let signature = match (values.next().map(|value| value.to_str()), values.next()) {
        (Some(Ok(text)), None) => text.to_owned(),
        _ => return Err(bad_signature("Stripe-Signature must be there, once").into()),
    };
    let body = read(request, MAX_EVENT_BYTES, api.body_timeout).await?;
    let message = ReceiveProviderEventRequest { body, signature };
    let received = api.services.payments().receive_provider_event(api.services.unbound(message)).await;
    received.map_err(refused)?;
    Ok(Json(Received { received: true }))
}

/// A signature that does not fit is a malformed request, not a field; so is what was signed and is no event.
fn refused(status: Status) -> Problem {
    match (status.code(), stable_code(&status)) {
        (Code::InvalidArgument, "bad_signature") => {
            bad_signature("the signature does not fit the body, or is too old").into()
        }
        (Code::InvalidArgument, _) => {
            ApiError::new(StatusCode::BAD_REQUEST, "malformed_json", "the body is no event").into()
        }
        _ => status.into(),
    }
}

fn bad_signature(sentence: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_signature", sentence)
}
