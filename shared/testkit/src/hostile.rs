//! A server that misbehaves as it is told, byte by byte: what a client that calls strangers has to
//! survive.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::Notify,
};
use tokio_rustls::{TlsAcceptor, rustls};
use tokio_util::task::AbortOnDropHandle;

/// Between two bytes of what drips: often enough for whoever only watches for silence.
const DRIP: Duration = Duration::from_millis(50);

/// How a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manner {
    /// With these bytes; then the connection is closed.
    Answer(Vec<u8>),
    /// With these bytes to whatever comes first, be it a request or not.
    Blurt(&'static str),
    /// Not at all.
    Silent,
    /// With a header that comes byte by byte and never ends.
    DrippingHead,
    /// With 200 and a body that comes byte by byte and never ends.
    DrippingBody,
    /// With 200 and a body without end, as fast as it is read.
    EndlessBody,
    /// The same in chunks of one byte, most of which is their extensions.
    EndlessChunks,
    /// With header lines without end.
    EndlessHeaders,
    /// With one header line without end.
    EndlessHeader,
    /// With `103 Early Hints` without end.
    EndlessInterim,
}

impl Manner {
    /// An answer with this head, line breaks written as they are in a source file, and this body.
    #[must_use]
    pub fn answer(head: &str, body: &[u8]) -> Self {
        let mut bytes = head.trim().replace('\n', "\r\n").into_bytes();
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(body);
        Self::Answer(bytes)
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::answer(&format!("HTTP/1.1 {status} x\nLocation: {location}\nContent-Length: 0"), b"")
    }
}

/// What a TLS server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// Of `hook.example.com`, signed by [`authority`].
    Good,
    /// Signed by it, but of another host.
    OtherHost,
    /// Signed by it, of `hook.example.com`, until 2021.
    Expired,
    /// Of `hook.example.com`, signed by nobody.
    SelfSigned,
}

/// The certificate (DER) of the authority that signs [`Certificate`]s.
#[must_use]
pub const fn authority() -> &'static [u8] {
    include_bytes!("../certificates/authority.der")
}

impl Certificate {
    const fn der(self) -> &'static [u8] {
        match self {
            Self::Good => include_bytes!("../certificates/good.der"),
            Self::OtherHost => include_bytes!("../certificates/other-host.der"),
            Self::Expired => include_bytes!("../certificates/expired.der"),
            Self::SelfSigned => include_bytes!("../certificates/self-signed.der"),
        }
    }

    fn acceptor(self) -> anyhow::Result<TlsAcceptor> {
        use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
        let key = PrivatePkcs8KeyDer::from(include_bytes!("../certificates/server-key.der").as_slice());
        let chain = vec![CertificateDer::from(self.der())];
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key.into())?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

/// A server on this machine that takes every request and answers as it is told. Ends when it is dropped.
pub struct Hostile {
    port: u16,
    scheme: &'static str,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Shared {
    requests: Mutex<Vec<String>>,
    connections: AtomicUsize,
    written: AtomicUsize,
    hung_up: Notify,
}

impl Hostile {
    /// Plain HTTP.
    ///
    /// # Errors
    /// Without a free port.
    pub async fn start(manner: Manner) -> anyhow::Result<Self> {
        Self::serve(manner, None).await
    }

    /// Behind TLS.
    ///
    /// # Errors
    /// Without a free port.
    pub async fn start_tls(manner: Manner, certificate: Certificate) -> anyhow::Result<Self> {
        Self::serve(manner, Some(certificate.acceptor()?)).await
    }

    async fn serve(manner: Manner, tls: Option<TlsAcceptor>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared::default());
        let told = shared.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (manner, tls, shared) = (manner.clone(), tls.clone(), told.clone());
                shared.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let done = match tls {
                        None => shared.play(stream, &manner).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => shared.play(stream, &manner).await,
                            Err(error) => Err(error),
                        },
                    };
                    if done.is_err() {
                        shared.hung_up.notify_one();
                    }
                });
            }
        });
        Ok(Self { port, scheme, shared, _serving: AbortOnDropHandle::new(serving) })
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// By its address.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        self.url_of("127.0.0.1", path)
    }

    /// By a host's name, which has to resolve to 127.0.0.1 for whoever asks.
    #[must_use]
    pub fn url_of(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme, self.port)
    }

    /// The requests that came, with head and body.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests().clone()
    }

    /// How often somebody connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Bytes of answers that went out, those in the system's buffers included.
    #[must_use]
    pub fn written(&self) -> usize {
        self.shared.written.load(Ordering::SeqCst)
    }

    /// Returns once a client has left a connection before its time.
    pub async fn hung_up_on(&self) {
        self.shared.hung_up.notified().await;
    }
}

impl Shared {
    fn requests(&self) -> MutexGuard<'_, Vec<String>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn play(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, manner: &Manner) -> std::io::Result<()> {
        if let Manner::Blurt(text) = manner {
            stream.read_u8().await?;
            return self.write(&mut stream, text.as_bytes()).await;
        }
        let Some(request) = read(&mut stream).await? else { return Ok(()) };
        self.requests().push(request);
        match manner {
            Manner::Answer(bytes) => {
                self.write(&mut stream, bytes).await?;
                stream.shutdown().await
            }
            Manner::Blurt(_) => Ok(()),
            Manner::Silent => match stream.read(&mut [0]).await? {
                0 => Err(std::io::ErrorKind::ConnectionAborted.into()),
                _ => Ok(()),
            },
            Manner::DrippingHead => self.drip(stream, "HTTP/1.1 200 OK\r\nx-slow: ").await,
            Manner::DrippingBody => self.drip(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await,
            Manner::EndlessBody => {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n";
                self.flood(stream, head, &[b'x'; 8192]).await
            }
            Manner::EndlessChunks => {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                self.flood(stream, head, &b"1;long=extension\r\nx\r\n".repeat(400)).await
            }
            Manner::EndlessHeaders => {
                let line = format!("x-long: {}\r\n", "y".repeat(8_000));
                self.flood(stream, "HTTP/1.1 200 OK\r\n", line.as_bytes()).await
            }
            Manner::EndlessHeader => self.flood(stream, "HTTP/1.1 200 OK\r\nx-long: ", &[b'y'; 8192]).await,
            Manner::EndlessInterim => {
                let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(200);
                self.flood(stream, "", &hints).await
            }
        }
    }

    async fn flood(&self, mut stream: impl AsyncWrite + Unpin, head: &str, more: &[u8]) -> std::io::Result<()> {
        self.write(&mut stream, head.as_bytes()).await?;
        loop {
            self.write(&mut stream, more).await?;
        }
    }

    async fn drip(&self, mut stream: impl AsyncWrite + Unpin, head: &str) -> std::io::Result<()> {
        self.write(&mut stream, head.as_bytes()).await?;
        let mut tick = tokio::time::interval(DRIP);
        loop {
            tick.tick().await;
            self.write(&mut stream, b"x").await?;
        }
    }

    async fn write(&self, stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
        stream.write_all(bytes).await?;
        stream.flush().await?;
        self.written.fetch_add(bytes.len(), Ordering::SeqCst);
        Ok(())
    }
}

/// A request with its body; `None` when there was none.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Ok(Some(text.into_owned()));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}
