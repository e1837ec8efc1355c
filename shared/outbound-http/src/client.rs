use std::{error::Error as StdError, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use tokio::time::{Instant, timeout_at};

use crate::{
    error::{BuildError, Failure, FailureKind, UrlError},
    measure,
    options::Options,
    redirect,
    resolve::{GuardedResolver, keep_public},
    target,
};

/// Headers an answer may have.
const MAX_HEADERS: usize = 100;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A complete answer, of whatever status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, up to [`Options::body_cap`].
    pub body: Bytes,
    /// There was more of the body, which was not read.
    pub truncated: bool,
    /// From start to the last byte that was read.
    pub duration: Duration,
    /// Redirects followed to get here.
    pub redirects: u32,
}

/// Sends requests within the bounds of its [`Options`]. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    options: Options,
}

impl Client {
    /// A client with these bounds.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(options: Options) -> Result<Self, BuildError> {
        // A provider that is already installed serves as well, so "already there" is fine.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = match &options.authorities {
            Some(authorities) => builder(&options)
                .tls_backend_preconfigured(trusting(authorities).map_err(|e| BuildError(e.into()))?)
                .build(),
            // A machine without a certificate store still gets Mozilla's roots.
            None => builder(&options)
                .build()
                .or_else(|_| builder(&options).tls_backend_preconfigured(mozilla_roots()).build()),
        };
        let http = http.map_err(|e| BuildError(e.into()))?;
        Ok(Self { http, options })
    }

    /// Checks a URL that somebody wants stored: its form, and where its name points right now. A name
    /// that does not resolve yet passes; each request checks again.
    ///
    /// # Errors
    /// Why it would be refused.
    pub async fn check_url(&self, url: &str) -> Result<(), UrlError> {
        let url = target::check(url, self.options.allow_loopback)?;
        let Some(url::Host::Domain(name)) = url.host() else {
            return Ok(());
        };
        let looking = tokio::time::timeout(self.options.connect_timeout, self.options.lookup.lookup(name));
        if let Ok(Ok(found)) = looking.await {
            keep_public(found, self.options.allow_loopback)?;
        }
        Ok(())
    }

    /// Sends a POST.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn post(&self, url: &str, headers: HeaderMap, body: Bytes) -> Result<Answer, Failure> {
        self.send(Method::POST, url, headers, body).await
    }

    /// Sends a request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// When no complete answer came: see [`FailureKind`].
    pub async fn send(&self, method: Method, url: &str, headers: HeaderMap, body: Bytes) -> Result<Answer, Failure> {
        let started = Instant::now();
        let mut status = None;
        let working = self.work(method, url, headers, body, &mut status);
        let outcome = match timeout_at(started + self.options.total_timeout, working).await {
            Ok(outcome) => outcome,
            Err(_) => Err(FailureKind::TimedOut),
        };
        let duration = started.elapsed();
        measure::request(self.options.purpose, outcome.as_ref().map(|answer| answer.status), duration);
        match outcome {
            Ok(answer) => Ok(Answer { duration, ..answer }),
            Err(kind) => Err(Failure { kind, status, duration }),
        }
    }

    async fn work(
        &self,
        method: Method,
        url: &str,
        mut headers: HeaderMap,
        body: Bytes,
        status: &mut Option<u16>,
    ) -> Result<Answer, FailureKind> {
        let mut url = target::check(url, self.options.allow_loopback)?;
        for redirects in 0..=self.options.max_redirects {
            let response = self
                .http
                .request(method.clone(), url.clone())
                .headers(headers.clone())
                .body(body.clone())
                .send()
                .await
                .map_err(failure_kind)?;
            *status = Some(response.status().as_u16());
            let next =
                redirect::next_hop(&url, &method, response.status(), response.headers(), self.options.allow_loopback)?;
            let Some(next) = next else {
                return self.read(response, redirects).await;
            };
            redirect::keep_credentials_home(&mut headers, &url, &next);
            url = next;
        }
        Err(FailureKind::Redirect("there are too many"))
    }

    async fn read(&self, mut response: reqwest::Response, redirects: u32) -> Result<Answer, FailureKind> {
        let cap = self.options.body_cap;
        let mut body = BytesMut::new();
        let mut truncated = false;
        // Dropping a response with an unread rest closes its connection.
        while let Some(chunk) = response.chunk().await.map_err(failure_kind)? {
            let room = cap - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                truncated = true;
                break;
            }
        }
        Ok(Answer {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            body: body.freeze(),
            truncated,
            duration: Duration::ZERO,
            redirects,
        })
    }
}

fn builder(options: &Options) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(&options.user_agent)
        .connect_timeout(options.connect_timeout)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .http1_only()
        .http1_max_headers(MAX_HEADERS)
        .pool_max_idle_per_host(options.idle_per_host)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .dns_resolver(GuardedResolver { lookup: options.lookup.clone(), allow_loopback: options.allow_loopback })
}

fn trusting(authorities: &[Bytes]) -> Result<rustls::ClientConfig, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in authorities {
        roots.add(certificate.to_vec().into())?;
    }
    Ok(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

fn mozilla_roots() -> rustls::ClientConfig {
    let roots = rustls::RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}

fn failure_kind(error: reqwest::Error) -> FailureKind {
    let mut cause: &(dyn StdError + 'static) = &error;
    loop {
        if let Some(refused) = cause.downcast_ref::<UrlError>() {
            return refused.clone().into();
        }
        match cause.source() {
            Some(deeper) => cause = deeper,
            None => break,
        }
    }
    // Only the innermost text: outer ones repeat it, and name the URL.
    let text = cause.to_string().replace("UnknownIssuer", "signed by nobody that is trusted here");
    if error.is_timeout() {
        FailureKind::TimedOut
    } else if error.is_dns() {
        FailureKind::Dns
    } else if error.is_connect() {
        FailureKind::Connect(text)
    } else {
        FailureKind::Transport(text)
    }
}
