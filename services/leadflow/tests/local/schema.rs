//! A role whose schema is not that of its release.

use std::{
    io::Read as _,
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::Duration,
};

use http::Method;
use leadflow_testkit::{TempDir, TestDb, TestNats, wait};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use tokio::net::TcpStream;

use crate::{client::Client, migrate};

const LIMIT: Duration = Duration::from_secs(60);

/// `leadflow serve billing`, ended when dropped.
struct Billing {
    child: Child,
    http: String,
    grpc: SocketAddr,
    log: TempDir,
}

impl Billing {
    fn start(db: &TestDb, nats: &TestNats) -> Self {
        let free = || TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
        let (http, grpc, log) = (free(), free(), TempDir::new("billing").expect("a folder"));
        let file = std::fs::File::create(log.path().join("log")).expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_leadflow"))
            .args(["serve", "billing"])
            .env_clear()
            .envs([
                ("DATABASE_URL", db.url()),
                ("NATS_URL", nats.url()),
                ("SERVICE_TOKEN", "a-token-for-one-test".to_owned()),
                ("BILLING_HTTP_PORT", http.port().to_string()),
                ("BILLING_GRPC_PORT", grpc.port().to_string()),
                ("SHUTDOWN_DELAY_SECONDS", "0".to_owned()),
            ])
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the log"))
            .stderr(file)
            .spawn()
            .expect("run leadflow");
        Self { child, http: format!("http://{http}"), grpc, log }
    }

    /// What `/readyz` says.
    async fn readiness(&self) -> Option<(u16, Value)> {
        let answer = Client::new().send(Method::GET, &format!("{}/readyz", self.http), &[], None).await.ok()?;
        Some((answer.status.as_u16(), answer.body))
    }

    async fn is_ready(&self) -> bool {
        self.readiness().await.is_some_and(|(status, _)| status == 200)
    }

    /// Waits until it says that it waits for its schema, in these words.
    async fn waits(&self, words: &str) {
        let body = wait::until_some(format!("it says: {words}"), LIMIT, async || {
            let (status, body) = self.readiness().await?;
            let says = body["checks"]["schema"].as_str().is_some_and(|text| text.contains(words));
            (status == 503 && says).then_some(body)
        })
        .await;
        assert!(
            body["checks"]["schema"].as_str().is_some_and(|text| text.contains("run `leadflow migrate`")),
            "{body}"
        );
        let alive = Client::new().send(Method::GET, &format!("{}/healthz", self.http), &[], None).await;
        assert_eq!(alive.expect("it answers").status, 200, "to start it anew would not help");
        assert!(TcpStream::connect(self.grpc).await.is_err(), "calls would wait for nothing");
    }

    fn log(&self) -> String {
        let mut text = String::new();
        std::fs::File::open(self.log.path().join("log"))
            .and_then(|mut log| log.read_to_string(&mut text))
            .expect("the log");
        text
    }
}

impl Drop for Billing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_role_waits_until_its_schema_is_that_of_its_release() {
    let (db, nats) = (TestDb::create(&[]).await.expect("database"), TestNats::start().await.expect("nats"));
    let billing = Billing::start(&db, &nats);
    billing.waits("it is not there").await;
    // The release before had one migration less.
    migrate::to_level(&db, 1).await;
    let rights = "GRANT USAGE ON SCHEMA billing TO leadflow_billing; GRANT SELECT ON ALL TABLES IN SCHEMA billing TO leadflow_billing";
    sqlx::raw_sql(rights).execute(db.pool()).await.expect("what its migrate granted");
    billing.waits("it lacks 1 of the migrations of this release").await;
    // Nobody starts it anew.
    migrate::succeeded(&migrate::migrate(&db.url()));
    wait::until("billing is ready", LIMIT, async || billing.is_ready().await).await;
    TcpStream::connect(billing.grpc).await.expect("it takes calls");
    let log = billing.log();
    assert_eq!(log.matches("waiting for the schema").count(), 2, "once for each state:\n{log}");
    assert!(!log.contains("does not exist\\\""), "statements failed:\n{log}");
}

#[tokio::test]
async fn a_role_bears_the_schema_of_a_later_release_and_its_migrate_leaves_it() {
    let (db, nats) = (TestDb::create(&[]).await.expect("database"), TestNats::start().await.expect("nats"));
    migrate::succeeded(&migrate::migrate(&db.url()));
    for schema in migrate::SCHEMAS {
        let later = format!(
            "CREATE TABLE {schema}.of_a_later_release (n int);
             INSERT INTO {schema}._sqlx_migrations (version, description, success, checksum, execution_time)
             VALUES (9999, 'of a later release', true, '\\x00', 1)"
        );
        sqlx::raw_sql(AssertSqlSafe(later)).execute(db.pool()).await.expect("the later release's migration");
    }
    let again = migrate::migrate(&db.url());
    migrate::succeeded(&again);
    let said = String::from_utf8_lossy(&again.stdout);
    assert_eq!(said.matches("of a later release").count(), migrate::SCHEMAS.len(), "{said}");
    let billing = Billing::start(&db, &nats);
    wait::until("billing is ready", LIMIT, async || billing.is_ready().await).await;
    // A history that is no later release's is refused as before.
    let other = "UPDATE billing._sqlx_migrations SET checksum = '\\x01' WHERE version = 1";
    sqlx::raw_sql(other).execute(db.pool()).await.expect("another history");
    assert!(!migrate::migrate(&db.url()).status.success());
}
