use std::{io, net::SocketAddr, time::Duration};

use leadflow_testkit::ChaosProxy;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(10);
/// Long enough for an echo on loopback, were there one.
const SILENCE: Duration = Duration::from_millis(150);

async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    address
}

async fn echo(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"ping").await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"ping");
    Ok(())
}

/// The connection is closed by the other side, in whatever way.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    matches!(timeout(LIMIT, stream.read(&mut byte)).await, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn forwards_both_ways() {
    let proxy = ChaosProxy::start(echo_server().await).await.expect("proxy");
    let mut stream = TcpStream::connect(proxy.addr()).await.expect("connect");
    echo(&mut stream).await.expect("echo");
}

#[tokio::test]
async fn cut_closes_and_refuses_until_restored_on_the_same_port() {
    let proxy = ChaosProxy::start(echo_server().await).await.expect("proxy");
    let mut stream = TcpStream::connect(proxy.addr()).await.expect("connect");
    echo(&mut stream).await.expect("echo");
    proxy.cut().await;
    assert!(is_closed(&mut stream).await);
    let refused = TcpStream::connect(proxy.addr()).await.expect_err("refused");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    proxy.cut().await;
    proxy.restore().await.expect("restore");
    proxy.restore().await.expect("twice does no harm");
    let mut stream = TcpStream::connect(proxy.addr()).await.expect("connect");
    echo(&mut stream).await.expect("echo");
}

#[tokio::test]
async fn dropped_connections_can_be_made_again_at_once() {
    let proxy = ChaosProxy::start(echo_server().await).await.expect("proxy");
    let mut stream = TcpStream::connect(proxy.addr()).await.expect("connect");
    echo(&mut stream).await.expect("echo");
    proxy.drop_connections();
    assert!(is_closed(&mut stream).await);
    let mut stream = TcpStream::connect(proxy.addr()).await.expect("connect");
    echo(&mut stream).await.expect("echo");
}

#[tokio::test]
async fn a_black_hole_keeps_connections_and_answers_nothing() {
    let proxy = ChaosProxy::start(echo_server().await).await.expect("proxy");
    let mut old = TcpStream::connect(proxy.addr()).await.expect("connect");
    echo(&mut old).await.expect("echo");
    proxy.blackhole();
    let mut new = TcpStream::connect(proxy.addr()).await.expect("accepted");
    assert!(timeout(SILENCE, echo(&mut new)).await.is_err(), "a new connection got an answer");
    assert!(timeout(SILENCE, echo(&mut old)).await.is_err(), "an old connection got an answer");
    proxy.restore().await.expect("restore");
    assert!(is_closed(&mut old).await);
    assert!(is_closed(&mut new).await);
    let mut stream = TcpStream::connect(proxy.addr()).await.expect("connect");
    echo(&mut stream).await.expect("echo");
}

#[tokio::test]
async fn what_a_mute_proxy_gets_arrives_and_is_not_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let proxy = ChaosProxy::start(listener.local_addr().expect("address")).await.expect("proxy");
    let mut client = TcpStream::connect(proxy.addr()).await.expect("connect");
    let (mut server, _) = listener.accept().await.expect("accept");
    proxy.mute();
    client.write_all(b"ping").await.expect("sent");
    let mut arrived = [0; 4];
    server.read_exact(&mut arrived).await.expect("arrived");
    server.write_all(b"pong").await.expect("answered");
    assert!(timeout(SILENCE, client.read(&mut arrived)).await.is_err(), "the answer came back");
    proxy.restore().await.expect("restore");
    assert!(is_closed(&mut client).await);
}

#[tokio::test]
async fn a_target_that_is_down_closes_the_connection() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = gone.local_addr().expect("address");
    drop(gone);
    let proxy = ChaosProxy::start(address).await.expect("proxy");
    let mut stream = TcpStream::connect(proxy.addr()).await.expect("connect");
    assert!(is_closed(&mut stream).await);
}
