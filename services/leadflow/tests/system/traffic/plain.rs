//! An HTTP client as plain as they come: one connection, and nothing is ever sent twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, header::CONNECTION};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::client::Answer;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(45);

/// Keeps its connection if told so, as long as the other side does. That it was closed is seen before the next request, and then another is made:
/// the one thing that every client does.
pub struct Plain {
    address: String,
    keep: bool,
    connection: Option<SendRequest<Full<Bytes>>>,
    /// Requests that are over, well or not.
    pub done: Arc<AtomicUsize>,
}

impl Plain {
    pub fn new(base: &str, keep: bool) -> Self {
        Self { address: base.trim_start_matches("http://").to_owned(), keep, connection: None, done: Arc::default() }
    }

    /// `Err`: what a client would call a failure of the other side.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let outcome = self.sent(method, path, headers, body).await;
        self.done.fetch_add(1, Ordering::Relaxed);
        outcome
    }

    async fn sent(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let request = self.request(method, path, headers, body)?;
        // If it closed meanwhile, nothing was sent on it.
        let mut open = None;
        if let Some(mut connection) = self.connection.take()
            && connection.ready().await.is_ok()
        {
            open = Some(connection);
        }
        let mut connection = match open {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let whole = async {
            let response = connection.send_request(request).await.map_err(|error| format!("{error:?}"))?;
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
            let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or_default() };
            Ok::<_, String>((
                Answer { status: parts.status, body },
                parts.headers.get(CONNECTION).is_some_and(|it| it == "close"),
            ))
        };
        let (answer, last) =
            tokio::time::timeout(PATIENCE, whole).await.map_err(|_| "no answer in time".to_owned())??;
        self.connection = Some(connection).filter(|_| self.keep && !last);
        Ok(answer)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        if !self.keep {
            request = request.header(CONNECTION, "close");
        }
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        request.body(Full::new(bytes)).map_err(|error| error.to_string())
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let stream = TcpStream::connect(&self.address).await.map_err(|error| format!("connect: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let (connection, driver) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| format!("{error:?}"))?;
        // How it ends is seen by whoever uses it.
        tokio::spawn(driver);
        Ok(connection)
    }
}
