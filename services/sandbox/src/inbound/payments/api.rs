//! `/v1/…` as clients call it.

use std::io;

use axum::{
    Json,
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method as HttpMethod, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;

use crate::{
    Sandbox,
    payments::Fault,
    stripe::{API_VERSION, Answer, Call, Failing, Method, Params, StripeError},
};

/// The longest secret key that is read.
const MAX_KEY: usize = 255;

/// A call, with everything in it its own, so that it can outlive its connection.
struct Owned {
    method: Method,
    path: String,
    params: Params,
    key: Option<String>,
}

impl Owned {
    fn call(&self) -> Call<'_> {
        Call { method: self.method, path: &self.path, params: &self.params, key: self.key.as_deref() }
    }
}

pub(super) async fn call(
    State(sandbox): State<Sandbox>,
    method: HttpMethod,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let request = match read(&method, path, query.as_deref(), &body, key) {
        Ok(request) => request,
        Err(error) => return refuse(&sandbox, &error),
    };
    if let Err(error) = admit(&headers, &request) {
        return refuse(&sandbox, &error);
    }
    let fault = sandbox.payments.take_fault(request.method, &request.path);
    let carry_out = || sandbox.payments.with(|core, now| core.call(&request.call(), now));
    match fault {
        None => respond(&request, carry_out()),
        Some(Fault::LostRequest {}) => cut(),
        Some(Fault::LostAnswer {}) => {
            carry_out();
            cut()
        }
        Some(Fault::Hang { executed }) => {
            if executed {
                carry_out();
            }
            sandbox.shutdown.cancelled().await;
            cut()
        }
        Some(Fault::Slow { delay_ms }) => slow(sandbox, request, delay_ms).await,
        Some(Fault::Status { status, executed, remembered, retry_after }) => {
            let failing = Failing { executed, remembered };
            let error = StripeError::injected(status);
            let answer = sandbox.payments.with(|core, now| core.fail(&request.call(), &error, failing, now));
            let mut response = respond(&request, answer);
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

/// Carried out also if the caller does not wait for it: Stripe does not notice that, either.
async fn slow(sandbox: Sandbox, request: Owned, delay_ms: u64) -> Response {
    if let Some(answer) = sandbox.payments.with(|core, now| core.begin(&request.call(), now)) {
        return respond(&request, answer);
    }
    let work = tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(Fault::delay(delay_ms)) => {
                let answer = sandbox.payments.with(|core, now| core.finish(&request.call(), now));
                respond(&request, answer)
            }
            () = sandbox.shutdown.cancelled() => {
                sandbox.payments.with(|core, _| core.abandon(&request.call()));
                cut()
            }
        }
    });
    work.await.unwrap_or_else(|_| cut())
}

fn read(
    method: &HttpMethod,
    path: String,
    query: Option<&str>,
    body: &Bytes,
    key: Option<String>,
) -> Result<Owned, StripeError> {
    let query = query.unwrap_or_default().as_bytes();
    let (method, form) = match *method {
        HttpMethod::GET => (Method::Get, query),
        HttpMethod::POST => (Method::Post, if body.is_empty() { query } else { body }),
        HttpMethod::DELETE => (Method::Delete, query),
        _ => return Err(StripeError::unauthorized("Unrecognized request method")),
    };
    Ok(Owned { method, path, params: Params::from_form(form)?, key })
}

/// Whoever shows a secret key of test mode may do everything. A publishable one may look at and confirm what it knows the
/// client secret of.
fn admit(headers: &HeaderMap, request: &Owned) -> Result<(), StripeError> {
    let Some(key) = shown_key(headers) else {
        return Err(StripeError::unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer \
             auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        ));
    };
    let plain = |rest: &str| rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let secret = key.strip_prefix("sk_test_").or_else(|| key.strip_prefix("rk_test_"));
    if secret.is_some_and(plain) && key.len() <= MAX_KEY {
        return Ok(());
    }
    if key.strip_prefix("pk_test_").is_some_and(plain) && request.shows_client_secret() {
        return Ok(());
    }
    let start: String = key.chars().take(8).collect();
    Err(StripeError::unauthorized(format!("Invalid API Key provided: {start}****. This sandbox takes sk_test_… only.")))
}

impl Owned {
    fn shows_client_secret(&self) -> bool {
        let path: Vec<&str> = self.path.split('/').collect();
        let (["payment_intents" | "setup_intents", id] | ["payment_intents" | "setup_intents", id, "confirm"]) =
            path[..]
        else {
            return false;
        };
        // The core compares the whole secret.
        self.params.shown_secret().is_some_and(|secret| secret.starts_with(&format!("{id}_secret_")))
    }
}

fn shown_key(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    if let Some(key) = value.strip_prefix("Bearer ") {
        return Some(key.trim().to_owned());
    }
    let text = BASE64_STANDARD.decode(value.strip_prefix("Basic ")?.trim()).ok()?;
    let text = String::from_utf8(text).ok()?;
    Some(text.split(':').next().unwrap_or_default().to_owned())
}

fn refuse(sandbox: &Sandbox, error: &StripeError) -> Response {
    let answer = sandbox.payments.with(|core, _| core.refusal(error));
    headed(answer)
}

fn respond(request: &Owned, answer: Answer) -> Response {
    let mut response = headed(answer);
    if let Some(key) = request.key.as_deref().and_then(|key| HeaderValue::try_from(key).ok()) {
        response.headers_mut().insert("idempotency-key", key);
    }
    response
}

fn headed(answer: Answer) -> Response {
    const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(answer.body)).into_response();
    let headers = response.headers_mut();
    headers.insert("stripe-version", HeaderValue::from_static(API_VERSION));
    // Ids are letters, digits and underscores.
    if let Ok(id) = HeaderValue::try_from(answer.request) {
        headers.insert("request-id", id);
    }
    if let Some(original) = answer.original_request.and_then(|id| HeaderValue::try_from(id).ok()) {
        headers.insert("original-request", original);
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

/// Closes the connection without a word: what cannot be begun is not sent.
fn cut() -> Response {
    let broken = futures::stream::once(async { Err::<Bytes, _>(io::Error::other("told to cut the connection")) });
    Response::new(Body::from_stream(broken))
}
