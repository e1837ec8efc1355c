use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use leadflow_testkit::{
    TempDir, TestNats,
    servers::{Nats, NatsOptions, ServerError, SyncInterval, free_port},
};

/// As much of the protocol as a test of persistence needs: one request, one reply.
fn request(port: u16, subject: &str, payload: &str) -> String {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("time-out");
    let mut writer = stream.try_clone().expect("clone");
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).expect("greeting");
    write!(
        writer,
        "CONNECT {{\"verbose\":false}}\r\nSUB reply 1\r\nPUB {subject} reply {}\r\n{payload}\r\n",
        payload.len()
    )
    .expect("send");
    loop {
        line.clear();
        assert!(reader.read_line(&mut line).expect("read") > 0, "the server hung up");
        if line.starts_with("MSG ") {
            line.clear();
            reader.read_line(&mut line).expect("read");
            return line.trim().to_owned();
        }
        if line.starts_with("PING") {
            writer.write_all(b"PONG\r\n").expect("send");
        }
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_and_restart() {
    let mut nats = TestNats::start().await.expect("start");
    let created =
        request(nats.port(), "$JS.API.STREAM.CREATE.S", r#"{"name":"S","subjects":["s.>"],"storage":"file"}"#);
    assert!(!created.contains("\"error\""), "{created}");
    let ack = request(nats.port(), "s.one", "hello");
    assert!(ack.contains("\"seq\":1"), "{ack}");
    let url = nats.url();
    nats.kill9();
    assert!(TcpStream::connect(("127.0.0.1", nats.port())).is_err(), "it listens though killed");
    nats.restart().await.expect("restart");
    assert_eq!(nats.url(), url);
    let info = request(nats.port(), "$JS.API.STREAM.INFO.S", "");
    assert!(info.contains("\"messages\":1"), "{info}");
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let folder = TempDir::new("test-nats").expect("folder");
    let port = free_port().expect("a port");
    let _taken = TcpListener::bind(("127.0.0.1", port)).expect("bind");
    let error =
        Nats::start(NatsOptions { port, ..NatsOptions::new(folder.path()) }).await.expect_err("the port is taken");
    assert!(matches!(error, ServerError::PortBusy { port: named, .. } if named == port), "{error}");
}

#[tokio::test]
async fn starts_with_every_sync_setting_and_stops() {
    for sync in [SyncInterval::Always, SyncInterval::Every(Duration::from_millis(100))] {
        let folder = TempDir::new("test-nats").expect("folder");
        let options = NatsOptions {
            sync,
            log: Some(folder.path().join("log")),
            ..NatsOptions::new(folder.path().join("a \"quoted\" store"))
        };
        let mut server = Nats::start(options).await.expect("start");
        assert!(server.version().starts_with("2."));
        server.stop().await.expect("stop");
        assert!(server.pid().is_none());
    }
}

#[tokio::test]
async fn two_tests_have_two_servers() {
    let (a, b) = tokio::join!(TestNats::start(), TestNats::start());
    assert_ne!(a.expect("start").url(), b.expect("start").url());
}
