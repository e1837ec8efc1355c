//! A TCP proxy that cuts connections on demand, between a service and what it depends on.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::pin,
    sync::Arc,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Mutex, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::servers::free_port;

/// Forwards connections to one address until told otherwise. Must be made and used inside a Tokio
/// runtime; dropping it cuts everything.
#[derive(Debug)]
pub struct ChaosProxy {
    listen: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Mutex<Option<Acceptor>>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    mode: watch::Sender<Mode>,
    /// Cancelled to close every open connection; replaced each time.
    connections: std::sync::Mutex<CancellationToken>,
}

/// What connections do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mode {
    Forward,
    /// Nothing goes back to the client.
    Mute,
    /// Nothing goes either way.
    Hole,
}

#[derive(Debug)]
struct Acceptor {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl ChaosProxy {
    /// Listens on a loopback port of its own and forwards to `target`, which need not be up yet.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(target: SocketAddr) -> io::Result<Self> {
        let port = free_port().ok_or(io::ErrorKind::AddrInUse)?;
        let proxy = Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            shared: Arc::new(Shared {
                target,
                mode: watch::Sender::new(Mode::Forward),
                connections: std::sync::Mutex::new(CancellationToken::new()),
            }),
            acceptor: Mutex::new(None),
        };
        proxy.restore().await?;
        Ok(proxy)
    }

    /// Where to connect to.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.listen
    }

    /// Closes all connections and refuses new ones.
    pub async fn cut(&self) {
        if let Some(acceptor) = self.acceptor.lock().await.take() {
            acceptor.stop.cancel();
            // The listener is closed when its task has ended.
            let _ = acceptor.task.await;
        }
        self.drop_connections();
    }

    /// Forwards again, after [`cut`](Self::cut), [`mute`](Self::mute) or [`blackhole`](Self::blackhole).
    /// Connections that met one of these are closed.
    ///
    /// # Errors
    /// When the port was taken meanwhile.
    pub async fn restore(&self) -> io::Result<()> {
        if self.shared.mode.send_replace(Mode::Forward) != Mode::Forward {
            self.drop_connections();
        }
        let mut acceptor = self.acceptor.lock().await;
        if acceptor.is_none() {
            let listener = listen(self.listen)?;
            let stop = CancellationToken::new();
            let task = tokio::spawn(accept(listener, Arc::clone(&self.shared), stop.clone()));
            *acceptor = Some(Acceptor { stop, task });
        }
        Ok(())
    }

    /// Closes the open connections; new ones are forwarded as before.
    pub fn drop_connections(&self) {
        self.shared.next_generation().cancel();
    }

    /// Keeps connections open, and accepts new ones, but passes nothing on in either direction
    /// until [`restore`](Self::restore): a peer that hangs.
    pub fn blackhole(&self) {
        self.shared.mode.send_replace(Mode::Hole);
    }

    /// Lets through what clients send, but nothing of what they are answered, until
    /// [`restore`](Self::restore): requests are carried out and their answers lost.
    pub fn mute(&self) {
        self.shared.mode.send_replace(Mode::Mute);
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        if let Some(acceptor) = self.acceptor.get_mut().take() {
            acceptor.stop.cancel();
        }
        self.drop_connections();
    }
}

impl Shared {
    fn generation(&self) -> CancellationToken {
        self.connections.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Begins a new generation of connections and gives the token of the old one.
    fn next_generation(&self) -> CancellationToken {
        let mut token = self.connections.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::replace(&mut *token, CancellationToken::new())
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // Connections that were just cut still linger on the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((client, _)) = accepted else { continue };
        let shared = Arc::clone(&shared);
        let closed = shared.generation();
        tokio::spawn(async move {
            tokio::select! {
                () = closed.cancelled() => {}
                () = forward(client, &shared) => {}
            }
        });
    }
}

async fn forward(mut client: TcpStream, shared: &Shared) {
    let mut mode = shared.mode.subscribe();
    if *mode.borrow_and_update() == Mode::Hole {
        return std::future::pending().await;
    }
    let Ok(mut server) = TcpStream::connect(shared.target).await else { return };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let mut there = pin!(pass(&mut from_client, &mut to_server));
    let mut back = pin!(pass(&mut from_server, &mut to_client));
    let (mut there_ended, mut back_ended) = (false, false);
    let mut now = Mode::Forward;
    while !(there_ended && back_ended) {
        // It never forwards again: `restore` closes it.
        now = now.max(*mode.borrow_and_update());
        tokio::select! {
            // First: what comes after a change of mode must not slip through.
            biased;
            _ = mode.changed() => {}
            () = &mut there, if now != Mode::Hole && !there_ended => there_ended = true,
            () = &mut back, if now == Mode::Forward && !back_ended => back_ended = true,
        }
    }
}

/// Passes on all that comes, and then the end.
async fn pass(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) {
    // An error ends it like a close.
    let _ = copy(from, to).await;
    let _ = to.shutdown().await;
}
