//! What callers meet while a process leaves and stops.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header::CONNECTION},
    routing::get,
};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use leadflow_contracts::accounts::{self as api, accounts_client::AccountsClient};
use leadflow_kernel::SellerId;
use leadflow_platform::{Health, Shutdown, grpc, http};
use leadflow_testkit::wait;
use tokio::net::{TcpListener, TcpStream};
use tonic::Status;

use crate::grpc::{caller, serve};

const TOKEN: &str = "the-right-token-1";
const LIMIT: Duration = Duration::from_secs(30);

async fn connect(address: SocketAddr) -> http1::SendRequest<Body> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (sender, driver) = http1::handshake(stream).await.unwrap();
    tokio::spawn(driver);
    sender
}

/// The status of an answer, and whether it ends the connection.
async fn ask(sender: &mut http1::SendRequest<Body>, path: &str) -> (StatusCode, bool) {
    let request = Request::get(path).header("host", "here").body(Body::empty()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    body.collect().await.unwrap();
    (parts.status, parts.headers.get(CONNECTION).is_some_and(|value| value == "close"))
}

#[tokio::test]
async fn who_leaves_is_not_ready_serves_everybody_and_ends_connections_with_their_next_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = Shutdown::new();
    let router = Router::new().route("/", get(|| async { "fine" })).merge(Health::new("test").router(&shutdown));
    let serving = tokio::spawn(http::serve(listener, router, shutdown.clone()));
    let mut kept = connect(address).await;
    assert_eq!(ask(&mut kept, "/readyz").await, (StatusCode::OK, false));
    shutdown.leave();
    assert_eq!(ask(&mut kept, "/").await, (StatusCode::OK, true), "served, and told");
    kept.ready().await.unwrap_err();
    // Who has not noticed yet is served as well.
    assert_eq!(ask(&mut connect(address).await, "/").await, (StatusCode::OK, true));
    assert_eq!(ask(&mut connect(address).await, "/readyz").await, (StatusCode::SERVICE_UNAVAILABLE, true));
    assert_eq!(ask(&mut connect(address).await, "/healthz").await, (StatusCode::OK, true));
    assert!(!serving.is_finished());
    shutdown.cancel();
    serving.await.unwrap().unwrap();
    TcpStream::connect(address).await.unwrap_err();
}

async fn called(client: &mut AccountsClient<grpc::Channel>) -> Result<(), Status> {
    let request = caller(TOKEN).request(api::CreateSellerRequest::default(), SellerId::new(), Duration::from_secs(5));
    client.create_seller(request).await.map(|_| ())
}

#[tokio::test]
async fn who_leaves_serves_calls_on_open_connections_and_takes_no_others() {
    let (url, shutdown) = serve(TOKEN).await;
    let address = url.trim_start_matches("http://").parse::<SocketAddr>().unwrap();
    let mut client = AccountsClient::new(grpc::channel(&url, "ACCOUNTS_GRPC_URL").unwrap());
    called(&mut client).await.unwrap();
    shutdown.leave();
    wait::until("no connection is taken", LIMIT, async || TcpStream::connect(address).await.is_err()).await;
    for _ in 0..100 {
        called(&mut client).await.unwrap();
    }
    shutdown.cancel();
    wait::until("it has stopped", LIMIT, async || called(&mut client).await.is_err()).await;
}

#[tokio::test]
async fn no_call_fails_when_one_of_two_replicas_stops_without_having_left() {
    let ((one, stop_one), (two, _stop_two)) = (serve(TOKEN).await, serve(TOKEN).await);
    let mut client = AccountsClient::new(grpc::channel(&format!("{one}, {two}"), "ACCOUNTS_GRPC_URL").unwrap());
    for _ in 0..20 {
        called(&mut client).await.unwrap();
    }
    stop_one.cancel();
    for _ in 0..500 {
        called(&mut client).await.unwrap();
    }
}

#[tokio::test]
async fn a_replica_that_is_not_there_costs_no_call() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = gone.local_addr().unwrap();
    drop(gone);
    let (url, _shutdown) = serve(TOKEN).await;
    let mut client =
        AccountsClient::new(grpc::channel(&format!("http://{nobody},{url}"), "ACCOUNTS_GRPC_URL").unwrap());
    for _ in 0..100 {
        called(&mut client).await.unwrap();
    }
}

#[tokio::test]
async fn calls_of_a_service_that_is_away_fail_soon() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = gone.local_addr().unwrap();
    drop(gone);
    let urls = format!("http://{nobody},http://127.0.0.2:{}", nobody.port());
    let mut client = AccountsClient::new(grpc::channel(&urls, "ACCOUNTS_GRPC_URL").unwrap());
    let failed = tokio::time::timeout(LIMIT, called(&mut client)).await.expect("in time").unwrap_err();
    assert_eq!(failed.code(), tonic::Code::Unavailable);
}

#[tokio::test]
async fn a_service_answers_while_one_of_its_replicas_leaves_and_stops() {
    let ((one, stop_one), (two, stop_two)) = (serve(TOKEN).await, serve(TOKEN).await);
    let channel = grpc::channel(&format!("{one}, {two}"), "ACCOUNTS_GRPC_URL").unwrap();
    // Both connections are open.
    for _ in 0..20 {
        grpc::answers(channel.clone()).await.unwrap();
    }
    stop_one.leave();
    for _ in 0..200 {
        grpc::answers(channel.clone()).await.unwrap();
    }
    stop_one.cancel();
    for _ in 0..200 {
        grpc::answers(channel.clone()).await.unwrap();
    }
    stop_two.leave();
    wait::until("nobody answers", LIMIT, async || grpc::answers(channel.clone()).await.is_err()).await;
}
