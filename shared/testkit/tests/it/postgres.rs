use std::time::Duration;

use leadflow_testkit::{
    TempDir,
    servers::{Postgres, PostgresOptions, ServerError, free_port},
    wait,
};
use sqlx::{Connection, PgConnection};

async fn start() -> (Postgres, TempDir) {
    let folder = TempDir::new("test-pg").expect("folder");
    let server = Postgres::start(options(&folder)).await.expect("start");
    (server, folder)
}

fn options(folder: &TempDir) -> PostgresOptions {
    PostgresOptions {
        fsync: false,
        max_connections: 20,
        log: Some(folder.path().join("log")),
        ..PostgresOptions::new(folder.path().join("data"))
    }
}

#[tokio::test]
async fn what_was_committed_survives_kill_and_restart() {
    let (mut server, _folder) = start().await;
    let mut connection = PgConnection::connect(&server.url()).await.expect("connect");
    sqlx::raw_sql("CREATE TABLE t (n int); INSERT INTO t VALUES (7)").execute(&mut connection).await.expect("write");
    let url = server.url();
    server.kill9();
    assert!(PgConnection::connect(&url).await.is_err(), "it answers though it was killed");
    server.restart().await.expect("restart");
    assert_eq!(server.url(), url);
    let mut connection = PgConnection::connect(&url).await.expect("connect");
    let n: i32 = sqlx::query_scalar("SELECT n FROM t").fetch_one(&mut connection).await.expect("read");
    assert_eq!(n, 7);

    connection.close().await.expect("close");
    server.stop().await.expect("stop");
    server.restart().await.expect("start after stop");
    let mut connection = PgConnection::connect(&url).await.expect("connect");
    let n: i32 = sqlx::query_scalar("SELECT n FROM t").fetch_one(&mut connection).await.expect("read");
    assert_eq!(n, 7);
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let port = free_port().expect("a port");
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).expect("bind");
    let folder = TempDir::new("test-pg").expect("folder");
    let error = Postgres::start(PostgresOptions { port, ..options(&folder) }).await.expect_err("the port is taken");
    assert!(matches!(error, ServerError::PortBusy { port: named, .. } if named == port), "{error}");
}

#[tokio::test]
async fn data_of_another_version_is_refused_in_words() {
    let folder = TempDir::new("test-pg").expect("folder");
    std::fs::create_dir(folder.path().join("data")).expect("folder");
    std::fs::write(folder.path().join("data/PG_VERSION"), "9.6\n").expect("write");
    let error = Postgres::start(options(&folder)).await.expect_err("refused");
    assert!(error.to_string().contains("holds data of version 9.6"), "{error}");
}

#[tokio::test]
async fn an_interrupted_initdb_is_done_again() {
    let folder = TempDir::new("test-pg").expect("folder");
    std::fs::create_dir_all(folder.path().join("data.initdb/base")).expect("folder");
    std::fs::write(folder.path().join("data.initdb/PG_VERSION"), "15\n").expect("write");
    let server = Postgres::start(options(&folder)).await.expect("start");
    PgConnection::connect(&server.url()).await.expect("connect");
}

#[tokio::test]
async fn a_refusal_shows_the_end_of_the_log() {
    let folder = TempDir::new("test-pg").expect("folder");
    let mut options = options(&folder);
    options.settings.push(("no_such_setting".to_owned(), "1".to_owned()));
    let error = Postgres::start(options).await.expect_err("refused");
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

#[tokio::test]
async fn a_detached_server_runs_on_and_a_dropped_one_does_not() {
    let (server, _folder) = start().await;
    let url = server.url();
    let process = server.detach().expect("it runs");
    PgConnection::connect(&url).await.expect("it runs on");
    process.signal(leadflow_testkit::servers::Signal::Quit);
    wait::until("the detached server ends", Duration::from_secs(10), async || !process.is_alive()).await;

    let (server, _folder) = start().await;
    let pid = server.pid().expect("it runs");
    drop(server);
    assert_eq!(leadflow_testkit::servers::ProcessId::of(pid), None);
}
