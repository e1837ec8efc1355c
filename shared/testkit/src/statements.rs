//! Counts what a service asks of PostgreSQL, by reading along on the wire: whatever the server can
//! do, and without the statements of others.

use std::{
    collections::HashMap,
    io,
    net::Ipv4Addr,
    str::FromStr as _,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use sqlx::{
    ConnectOptions as _,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    task::AbortHandle,
};

/// A way to a database that remembers each statement that was executed through it. Must be made inside a
/// Tokio runtime; dropping it closes it to new connections.
#[derive(Debug)]
pub struct StatementCounter {
    url: String,
    executed: Executed,
    accepting: AbortHandle,
}

type Executed = Arc<Mutex<Vec<String>>>;

impl StatementCounter {
    /// A way to the database at `url`.
    ///
    /// # Errors
    /// When the URL cannot be read, or no port can be had.
    pub async fn start(url: &str) -> anyhow::Result<Self> {
        let options = PgConnectOptions::from_str(url).context("the URL of the database")?;
        anyhow::ensure!(options.get_socket().is_none(), "the database is not reached over TCP");
        let target = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        // What is encrypted cannot be read along.
        let url = options.host("127.0.0.1").port(port).ssl_mode(PgSslMode::Disable).to_url_lossy().to_string();
        let executed = Executed::default();
        let accepting = tokio::spawn(accept(listener, target, Arc::clone(&executed))).abort_handle();
        Ok(Self { url, executed, accepting })
    }

    /// Where to connect to instead.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was executed since the last call, `BEGIN` and `COMMIT` included, in the order sent. A statement is in it
    /// before its result can be back.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.executed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for StatementCounter {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: (String, u16), executed: Executed) {
    while let Ok((client, _)) = listener.accept().await {
        let (target, executed) = (target.clone(), Arc::clone(&executed));
        tokio::spawn(async move {
            // A connection that ends is seen by both its ends.
            let _ = forward(client, &target, executed).await;
        });
    }
}

async fn forward(client: TcpStream, target: &(String, u16), executed: Executed) -> io::Result<()> {
    let server = TcpStream::connect(target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    tokio::select! {
        ended = read_along(from_client, to_server, executed) => ended,
        ended = tokio::io::copy(&mut from_server, &mut to_client) => ended.map(|_| ()),
    }
}

async fn read_along(
    mut client: OwnedReadHalf,
    mut server: tokio::net::tcp::OwnedWriteHalf,
    executed: Executed,
) -> io::Result<()> {
    let mut statements = Statements::default();
    // The first message has no type, only a length.
    let mut typed = false;
    loop {
        let kind = if typed { Some(client.read_u8().await?) } else { None };
        let length = client.read_u32().await?;
        let size =
            usize::try_from(length).ok().and_then(|length| length.checked_sub(4)).ok_or(io::ErrorKind::InvalidData)?;
        let mut body = vec![0; size];
        client.read_exact(&mut body).await?;
        if let Some(sql) = kind.and_then(|kind| statements.executes(kind, &body)) {
            executed.lock().unwrap_or_else(PoisonError::into_inner).push(sql);
        }
        let mut message = Vec::with_capacity(size + 5);
        message.extend(kind);
        message.extend(length.to_be_bytes());
        message.extend(body);
        server.write_all(&message).await?;
        typed = true;
    }
}

/// The prepared statements and portals of one connection, by name.
#[derive(Default)]
struct Statements {
    prepared: HashMap<Vec<u8>, String>,
    portals: HashMap<Vec<u8>, String>,
}

impl Statements {
    /// The SQL that this message executes, if it does.
    fn executes(&mut self, kind: u8, body: &[u8]) -> Option<String> {
        let mut texts = body.split(|byte| *byte == 0);
        let mut text = || texts.next().unwrap_or_default();
        match kind {
            b'Q' => return Some(String::from_utf8_lossy(text()).into_owned()),
            b'P' => {
                let name = text().to_vec();
                self.prepared.insert(name, String::from_utf8_lossy(text()).into_owned());
            }
            b'B' => {
                let portal = text().to_vec();
                let sql = self.prepared.get(text()).cloned().unwrap_or_default();
                self.portals.insert(portal, sql);
            }
            b'E' => return Some(self.portals.get(text()).cloned().unwrap_or_default()),
            _ => {}
        }
        None
    }
}
