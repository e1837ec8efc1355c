//! The API, as `api.twilio.com` has it.

use std::collections::BTreeMap;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use url::form_urlencoded;

use crate::{
    Sandbox,
    twilio::{Filter, TwilioBehaviour, TwilioError, TwilioMode, check},
};

const FORM: &str = "application/x-www-form-urlencoded";

impl From<TwilioError> for Response {
    fn from(error: TwilioError) -> Self {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(error.body())).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let realm = HeaderValue::from_static("Basic realm=\"Twilio API\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
        }
        response
    }
}

/// `POST …/Messages.json`
pub(super) async fn send(
    State(sandbox): State<Sandbox>,
    Path(account): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let behaviour = sandbox.twilio().react();
    if let Err(refusal) = admit(&sandbox, behaviour, &account, &headers).await {
        return refusal;
    }
    // What is not a form has no parameters.
    let parameters = if text(&headers, header::CONTENT_TYPE).split(';').next().map(str::trim) == Some(FORM) {
        form_urlencoded::parse(&body).into_owned().collect()
    } else {
        BTreeMap::new()
    };
    let (taken, shown) = {
        let mut twilio = sandbox.twilio();
        let taken = check(&twilio.account, &parameters).and_then(|wanted| twilio.take(wanted, sandbox.clock.now()));
        match taken {
            Ok(taken) => {
                let shown = twilio.shown(&taken);
                (taken, shown)
            }
            Err(error) => return error.into(),
        }
    };
    let telling = sandbox.clone();
    tokio::spawn(async move { telling.let_it_happen(taken, behaviour).await });
    if behaviour.mode == TwilioMode::Lose {
        sandbox.shutdown.cancelled().await;
    }
    (StatusCode::CREATED, Json(shown)).into_response()
}

/// `GET …/Messages.json`
pub(super) async fn list(
    State(sandbox): State<Sandbox>,
    Path(account): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let behaviour = sandbox.twilio().peek();
    if let Err(refusal) = admit(&sandbox, behaviour, &account, &headers).await {
        return refusal;
    }
    let filter = Filter::read(query.as_deref().unwrap_or_default());
    Json(sandbox.twilio().page(&filter)).into_response()
}

/// `GET …/Messages/{Sid}.json`
pub(super) async fn fetch(
    State(sandbox): State<Sandbox>,
    Path((account, message)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let behaviour = sandbox.twilio().peek();
    if let Err(refusal) = admit(&sandbox, behaviour, &account, &headers).await {
        return refusal;
    }
    let twilio = sandbox.twilio();
    let found = message.strip_suffix(".json").and_then(|sid| twilio.texts().find(|text| text.sid == sid));
    match found {
        Some(found) => Json(twilio.shown(found)).into_response(),
        None => TwilioError::not_found(&format!("/2010-04-01/Accounts/{account}/Messages/{message}")).into(),
    }
}

/// Who may call now; else the answer, if there ever is one.
async fn admit(
    sandbox: &Sandbox,
    behaviour: TwilioBehaviour,
    account: &str,
    headers: &HeaderMap,
) -> Result<(), Response> {
    match behaviour.mode {
        TwilioMode::Ok | TwilioMode::Lose => {}
        TwilioMode::Busy => return Err(TwilioError::too_many().into()),
        TwilioMode::Fail => return Err(TwilioError::broken().into()),
        TwilioMode::Revoked => return Err(TwilioError::unauthorized().into()),
        TwilioMode::Hang => {
            sandbox.shutdown.cancelled().await;
            return Err(StatusCode::SERVICE_UNAVAILABLE.into_response());
        }
    }
    let authorization = text(headers, header::AUTHORIZATION);
    sandbox.twilio().account.admit(authorization, account).map_err(Response::from)
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
