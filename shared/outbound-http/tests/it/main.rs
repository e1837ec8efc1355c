//! The client against servers that behave badly, over real sockets.

mod floods;
mod names;
mod redirects;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use leadflow_outbound_http::{AddressRefusal, Answer, Client, Failure, FailureKind, Options, UrlError};
use leadflow_testkit::hostile::{Hostile, Manner};

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn options() -> Options {
    Options { allow_loopback: true, total_timeout: PATIENCE, connect_timeout: PATIENCE, ..Options::default() }
}

fn client(options: Options) -> Client {
    Client::new(options).unwrap()
}

async fn post(client: &Client, url: &str) -> Result<Answer, Failure> {
    client.post(url, HeaderMap::new(), Bytes::from_static(b"{\"a\":1}")).await
}

async fn serve(manner: Manner) -> Hostile {
    Hostile::start(manner).await.unwrap()
}

fn ok() -> Manner {
    Manner::answer("HTTP/1.1 200 OK\nContent-Length: 0", b"")
}

/// Returns once the server was hung up on.
async fn hung_up(server: &Hostile) {
    tokio::time::timeout(PATIENCE, server.hung_up_on()).await.expect("the connection is left open");
}

#[tokio::test]
async fn an_answer_comes_back_with_status_headers_and_body() {
    let server = serve(Manner::answer("HTTP/1.1 503 x\nRetry-After: 7\nContent-Length: 4", b"busy")).await;
    let answer = post(&client(options()), &server.url("/hook")).await.unwrap();
    assert_eq!((answer.status, answer.body.as_ref(), answer.truncated), (503, b"busy".as_ref(), false));
    assert_eq!(answer.headers["retry-after"], "7");
    let request = server.requests().remove(0);
    assert!(request.starts_with("POST /hook HTTP/1.1\r\n") && request.ends_with("{\"a\":1}"), "{request}");
}

#[tokio::test]
async fn a_body_of_exactly_the_cap_is_whole() {
    let server = serve(Manner::answer("HTTP/1.1 200 OK\nContent-Length: 4", b"four")).await;
    let answer = post(&client(Options { body_cap: 4, ..options() }), &server.url("/")).await.unwrap();
    assert_eq!((answer.body.as_ref(), answer.truncated), (b"four".as_ref(), false));
}

#[tokio::test]
async fn what_is_not_http_or_breaks_off_is_an_error() {
    for text in [
        "SSH-2.0-OpenSSH_9\r\n",
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    ] {
        let server = serve(Manner::Answer(text.into())).await;
        let failure = post(&client(options()), &server.url("/")).await.unwrap_err();
        assert!(matches!(failure.kind, FailureKind::Transport(_)), "{text:?}: {failure:?}");
    }
}

#[tokio::test]
async fn nobody_listening_is_a_connect_failure() {
    // Bound for as long as the test runs, so that nobody else can listen there meanwhile.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let failure = post(&client(options()), &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    assert!(matches!(failure.kind, FailureKind::Connect(_)), "{failure:?}");
}

#[tokio::test]
async fn addresses_that_are_not_called_are_refused_in_every_notation() {
    let server = serve(ok()).await;
    let strict = client(Options { allow_loopback: false, ..options() });
    for (host, refusal) in [
        ("127.0.0.1", AddressRefusal::Loopback),
        ("127.1", AddressRefusal::Loopback),
        ("2130706433", AddressRefusal::Loopback),
        ("0x7f000001", AddressRefusal::Loopback),
        ("0177.0.0.1", AddressRefusal::Loopback),
        ("[::1]", AddressRefusal::Loopback),
        ("[::ffff:127.0.0.1]", AddressRefusal::Embedded),
        ("[::ffff:7f00:1]", AddressRefusal::Embedded),
        ("[::127.0.0.1]", AddressRefusal::Embedded),
        ("[64:ff9b::7f00:1]", AddressRefusal::Embedded),
        ("0", AddressRefusal::Unspecified),
        ("2852039166", AddressRefusal::LinkLocal),
        ("0xa.1", AddressRefusal::Private),
    ] {
        let url = format!("http://{host}:{}/", server.port());
        let failure = post(&strict, &url).await.unwrap_err();
        assert_eq!(failure.kind, UrlError::from(refusal).into(), "{host}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn user_names_in_urls_are_refused() {
    let failure = post(&client(options()), "http://me:secret@127.0.0.1/").await.unwrap_err();
    assert_eq!(failure.kind, UrlError::Credentials.into());
    assert!(!failure.to_string().contains("secret"));
}
