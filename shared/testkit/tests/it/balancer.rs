use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use leadflow_testkit::{Balancer, wait};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const LIMIT: Duration = Duration::from_secs(30);

/// Says `200` or `503` to everything, and then its letter.
struct Replica {
    address: SocketAddr,
    ready: Arc<AtomicBool>,
}

impl Replica {
    async fn start(letter: u8, ready: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, ready) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(ready)));
        let said = ready.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let said = said.clone();
                tokio::spawn(async move {
                    let mut asked = [0; 256];
                    while stream.read(&mut asked).await.is_ok_and(|read| read > 0) {
                        let status: &[u8] =
                            if said.load(Ordering::Relaxed) { b"HTTP/1.1 200 " } else { b"HTTP/1.1 503 " };
                        if stream.write_all(&[status, &[letter]].concat()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, ready }
    }
}

async fn connect(balancer: &Balancer) -> TcpStream {
    TcpStream::connect(balancer.url().trim_start_matches("http://")).await.unwrap()
}

/// Whose letter is at the other end; none when the connection is closed.
async fn letter(stream: &mut TcpStream) -> Option<char> {
    stream.write_all(b"?").await.ok()?;
    let mut answer = [0; 14];
    stream.read_exact(&mut answer).await.ok()?;
    Some(char::from(answer[13]))
}

#[tokio::test]
async fn connections_go_to_who_is_ready_and_stay_there() {
    let (a, b) = (Replica::start(b'a', true).await, Replica::start(b'b', false).await);
    let balancer = Balancer::start(vec![a.address, b.address]).await.unwrap();
    wait::until("a takes connections", LIMIT, async || balancer.gives(a.address)).await;
    let mut kept = connect(&balancer).await;
    for _ in 0..3 {
        assert_eq!(letter(&mut connect(&balancer).await).await, Some('a'));
    }
    b.ready.store(true, Ordering::Relaxed);
    wait::until("b takes connections", LIMIT, async || balancer.gives(b.address)).await;
    let two = [letter(&mut connect(&balancer).await).await, letter(&mut connect(&balancer).await).await];
    assert!(two.contains(&Some('a')) && two.contains(&Some('b')), "in turn: {two:?}");
    a.ready.store(false, Ordering::Relaxed);
    wait::until("a takes no more", LIMIT, async || !balancer.gives(a.address)).await;
    assert_eq!(letter(&mut connect(&balancer).await).await, Some('b'));
    assert_eq!(letter(&mut kept).await, Some('a'), "what is open stays");
    balancer.take_out(b.address, true);
    assert_eq!(letter(&mut connect(&balancer).await).await, None, "nobody is ready");
    balancer.take_out(b.address, false);
    assert_eq!(letter(&mut connect(&balancer).await).await, Some('b'));
}
