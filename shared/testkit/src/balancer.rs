//! What stands between callers and the replicas of a public role.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::AbortOnDropHandle;

/// How often each replica is asked whether it is ready.
const EVERY: Duration = Duration::from_millis(250);
/// How long it has to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A balancer of connections, as a Service of Kubernetes or a load balancer of layer 4 is one: it knows nothing of HTTP. Each replica's
/// `/readyz` is asked every 250 ms; a connection goes to the next of those that said 200 when they were asked last, and stays with it until either
/// side closes it, however unready it becomes. Nothing is tried twice: where a connection cannot be passed on, it is closed, and so it is
/// when no replica is ready. Dropping it takes no more connections; those that are open stay.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddr,
    replicas: Arc<[Behind]>,
    _tasks: [AbortOnDropHandle<()>; 2],
}

#[derive(Debug)]
struct Behind {
    address: SocketAddr,
    ready: AtomicBool,
    taken_out: AtomicBool,
}

impl Balancer {
    /// Listens on a loopback port of its own, in front of these replicas, which need not be up yet.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(replicas: Vec<SocketAddr>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let behind = |address| Behind { address, ready: AtomicBool::new(false), taken_out: AtomicBool::new(false) };
        let replicas: Arc<[Behind]> = replicas.into_iter().map(behind).collect();
        let tasks = [tokio::spawn(ask(Arc::clone(&replicas))), tokio::spawn(accept(listener, Arc::clone(&replicas)))];
        Ok(Self { address, replicas, _tasks: tasks.map(AbortOnDropHandle::new) })
    }

    /// Its HTTP base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Gives a replica no more connections, however ready it is, as when a pod is to be deleted; or gives it some again.
    pub fn take_out(&self, replica: SocketAddr, out: bool) {
        for behind in self.replicas.iter().filter(|behind| behind.address == replica) {
            behind.taken_out.store(out, Ordering::Relaxed);
        }
    }

    /// Whether a replica is given connections: it said that it is ready, and was not taken out.
    #[must_use]
    pub fn gives(&self, replica: SocketAddr) -> bool {
        self.replicas.iter().any(|behind| behind.address == replica && behind.takes())
    }
}

impl Behind {
    fn takes(&self) -> bool {
        self.ready.load(Ordering::Relaxed) && !self.taken_out.load(Ordering::Relaxed)
    }
}

async fn ask(replicas: Arc<[Behind]>) {
    loop {
        for replica in replicas.iter() {
            replica.ready.store(readyz(replica.address).await == Some(200), Ordering::Relaxed);
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn accept(listener: TcpListener, replicas: Arc<[Behind]>) {
    for turn in 0_usize.. {
        let Ok((mut client, _)) = listener.accept().await else { continue };
        let mut turns = (turn..turn + replicas.len()).map(|at| &replicas[at % replicas.len()]);
        let Some(to) = turns.find(|replica| replica.takes()).map(|replica| replica.address) else { continue };
        tokio::spawn(async move {
            let Ok(mut replica) = TcpStream::connect(to).await else { return };
            let _ = (client.set_nodelay(true), replica.set_nodelay(true));
            // However it ends, both sides learn of it by the close.
            let _ = copy_bidirectional(&mut client, &mut replica).await;
        });
    }
}

/// The status of `/readyz`, if there is an answer.
pub(crate) async fn readyz(address: SocketAddr) -> Option<u16> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.ok()?;
        let mut head = [0_u8; 12];
        stream.read_exact(&mut head).await.ok()?;
        std::str::from_utf8(&head).ok()?.split(' ').nth(1)?.parse().ok()
    };
    tokio::time::timeout(PATIENCE, asked).await.ok()?
}
