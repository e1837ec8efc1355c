//! What the providers of e-mail and text messages tell, as it came: notifier checks the signatures over the very bytes.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{OriginalUri, Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use leadflow_contracts::notifier::{CallbackSource, TakeCallbackRequest};
use leadflow_platform::{ApiError, grpc::stable_code};
use serde::Serialize;
use tonic::Status;
use utoipa::ToSchema;

use super::OK;
use crate::http::{
    Api,
    input::read,
    problem::Problem,
    table::{Route, Who},
};

/// Events come in batches.
const MAX_SENDGRID: usize = 1 << 20;
const MAX_TWILIO: usize = 64 * 1024;
const TWIML: &str = "text/xml";
/// What is answered to a message that nobody answers.
const SILENCE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";
/// What signatures are in, or over.
const HEADERS: [HeaderName; 5] = [
    HeaderName::from_static("x-twilio-email-event-webhook-signature"),
    HeaderName::from_static("x-twilio-email-event-webhook-timestamp"),
    HeaderName::from_static("x-twilio-signature"),
    HeaderName::from_static("i-twilio-idempotency-token"),
    header::CONTENT_TYPE,
];

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        refusing(
            Route::post("/api/webhooks/sendgrid", Who::Provider, "Tell what became of e-mails", sendgrid)
                .answers::<Taken>(OK, "Taken; what is told again changes nothing"),
        ),
        refusing(
            Route::post(
                "/api/webhooks/twilio/status",
                Who::Provider,
                "Tell what became of a text message",
                twilio_status,
            )
            .answers::<Taken>(OK, "Taken; what is told again changes nothing"),
        ),
        refusing(
            Route::post("/api/webhooks/twilio/inbound", Who::Provider, "Hand on a text message to us", twilio_inbound)
                .answers_other(OK, "What its sender is answered (TwiML)", TWIML),
        ),
    ]
}

fn refusing(route: Route) -> Route {
    route
        .refuses(StatusCode::BAD_REQUEST, "Not signed with our secret")
        .refuses(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time")
        .refuses(StatusCode::CONFLICT, "Refused while no key of this provider is configured here")
        .refuses(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large")
        .refuses(StatusCode::UNPROCESSABLE_ENTITY, "Signed, and not to be read")
}

#[derive(Serialize, ToSchema)]
#[schema(as = CallbackTaken)]
struct Taken {
    received: bool,
}

async fn sendgrid(State(api): State<Api>, request: Request) -> Result<Json<Taken>, Problem> {
    take(&api, CallbackSource::SendgridEvents, MAX_SENDGRID, request).await?;
    Ok(Json(Taken { received: true }))
}

async fn twilio_status(State(api): State<Api>, request: Request) -> Result<Json<Taken>, Problem> {
    take(&api, CallbackSource::TwilioStatus, MAX_TWILIO, request).await?;
    Ok(Json(Taken { received: true }))
}

async fn twilio_inbound(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    let answer = take(&api, CallbackSource::TwilioInbound, MAX_TWILIO, request).await?;
    let answer = if answer.is_empty() { SILENCE.to_owned() } else { answer };
    Ok(([(header::CONTENT_TYPE, TWIML)], answer).into_response())
}

/// What notifier wants answered.
async fn take(api: &Api, source: CallbackSource, limit: usize, request: Request) -> Result<String, Problem> {
    let headers = signed_headers(request.headers())?;
    let path = match request.extensions().get::<OriginalUri>() {
        Some(OriginalUri(uri)) => uri.path_and_query(),
        None => request.uri().path_and_query(),
    };
    let url = format!("{}{}", api.public_url, path.map_or("", |path| path.as_str()));
    let body = read(request, limit, api.body_timeout).await?;
    let message = TakeCallbackRequest { source: source.into(), headers, body, url };
    let taken = api.services.messages().take_callback(api.services.unbound(message)).await.map_err(refused)?;
    Ok(taken.into_inner().answer)
}

/// One that is there twice would leave open which of the two is meant.
fn signed_headers(all: &HeaderMap) -> Result<HashMap<String, String>, Problem> {
    let mut found = HashMap::new();
    for name in HEADERS {
        let mut values = all.get_all(&name).iter();
        let Some(first) = values.next() else { continue };
        match (first.to_str(), values.next()) {
            (Ok(text), None) => found.insert(name.as_str().to_owned(), text.to_owned()),
            _ => return Err(bad_signature(&format!("{name} must be there once, in ASCII")).into()),
        };
    }
    Ok(found)
}

fn refused(status: Status) -> Problem {
    match stable_code(&status) {
        "bad_signature" => bad_signature("the signature does not fit the body, or is too old").into(),
        _ => status.into(),
    }
}

fn bad_signature(sentence: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_signature", sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_signatures_are_in_is_handed_on() {
        let mut all = HeaderMap::new();
        all.insert("x-twilio-signature", "abc=".parse().unwrap());
        all.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        all.insert("cookie", "leadflow_session=x".parse().unwrap());
        all.insert("authorization", "Bearer x".parse().unwrap());
        let found = signed_headers(&all).unwrap();
        let wanted = [("x-twilio-signature", "abc="), ("content-type", "application/x-www-form-urlencoded")];
        assert_eq!(found, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        all.append("x-twilio-signature", "def=".parse().unwrap());
        assert_eq!(signed_headers(&all).unwrap_err().0.code, "bad_signature");
    }
}
