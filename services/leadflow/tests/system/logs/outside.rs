//! Everybody outside who says again what he was told: receivers that answer with the whole request, and a Twilio that quotes whom it refuses.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Request},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// What Twilio says beside the number.
pub const TWILIO_SAYS: &str = "Zqtwiliosays";

pub struct Outside {
    base: String,
    _serving: AbortOnDropHandle<()>,
}

impl Outside {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/echo/{status}/{*rest}", axum::routing::post(echo))
            .route("/moved/{*rest}", axum::routing::post(moved))
            .fallback(twilio);
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, _serving: AbortOnDropHandle::new(serving) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// The request as the answer, with the status in its path.
async fn echo(Path((status, _)): Path<(u16, String)>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    let all = json!({ "uri": uri.to_string(), "headers": format!("{headers:?}"), "body": text, "because": text });
    (StatusCode::from_u16(status).unwrap(), axum::Json(all)).into_response()
}

/// Elsewhere, where nothing may be sent, and the whole request with it.
async fn moved(body: Bytes) -> Response {
    let to = [(header::LOCATION, "http://10.1.2.3/Zqmovedto")];
    (StatusCode::TEMPORARY_REDIRECT, to, body).into_response()
}

/// A refusal of a kind that nobody knows.
async fn twilio(request: Request) -> Response {
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let said = format!("{TWILIO_SAYS} of {}", String::from_utf8_lossy(&body));
    (StatusCode::BAD_REQUEST, axum::Json(json!({ "code": 99, "message": said, "status": 400 }))).into_response()
}
