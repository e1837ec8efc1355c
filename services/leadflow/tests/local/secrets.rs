//! `leadflow secrets rotate` on a database with stored secrets, also when it is killed in the middle.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Output, Stdio},
};

use leadflow_kernel::{BuyerId, EndpointId, SellerId};
use leadflow_notifier::secrets::SecretKeys;
use leadflow_testkit::TestDb;

const OLD: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=";
const NEW: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const LOST: &str = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU=";

fn leadflow(url: &str, keys: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadflow"));
    command.args(arguments).env_clear().env("DATABASE_URL", url).env("SECRETS_KEY", keys).current_dir("/");
    command
}

fn run(url: &str, keys: &str, arguments: &[&str]) -> (bool, String) {
    let Output { status, stdout, stderr } = leadflow(url, keys, arguments).output().expect("run leadflow");
    (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

/// So many endpoints, their secrets stored with `key`.
async fn endpoints(db: &TestDb, key: &str, count: usize) -> Vec<EndpointId> {
    let keys = SecretKeys::parse(key).expect("a key");
    let ids: Vec<EndpointId> = (0..count).map(|_| EndpointId::new()).collect();
    for id in &ids {
        let sealed = keys.seal(*id, &SecretKeys::make().expect("a secret")).expect("sealed");
        sqlx::query(
            "INSERT INTO notifier.endpoints (endpoint_id, seller_id, buyer_id, url, secret, secret_key_id, enabled, \
               disabled_reason, created_at, updated_at) VALUES ($1, $2, $3, 'https://example.com', $4, $5, true, '', now(), now())",
        )
        .bind(id.uuid())
        .bind(SellerId::new().uuid())
        .bind(BuyerId::new().uuid())
        .bind(sealed.bytes)
        .bind(sealed.key_id)
        .execute(db.pool())
        .await
        .expect("an endpoint");
    }
    ids
}

async fn with_key(db: &TestDb, key: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM notifier.endpoints WHERE secret_key_id = $1")
        .bind(SecretKeys::parse(key).expect("a key").first())
        .fetch_one(db.pool())
        .await
        .expect("ask")
}

#[tokio::test]
async fn killed_half_way_and_run_again_it_stores_everything_with_the_new_key() {
    let db = TestDb::create(&[]).await.expect("database");
    let url = db.url();
    assert!(run(&url, OLD, &["migrate"]).0);
    let both = format!("{NEW},{OLD}");
    let (fine, text) = run(&url, &both, &["secrets", "rotate"]);
    assert!(fine && text.contains("No secrets are stored."), "{text}");
    endpoints(&db, OLD, 400).await;

    let mut rotating = leadflow(&url, &both, &["secrets", "rotate", "--batch", "1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("run leadflow");
    let mut lines = BufReader::new(rotating.stdout.take().expect("its output")).lines();
    let progress = lines.next().expect("progress").expect("a line");
    assert_eq!(progress, "1 of 400 secrets are stored with the first key");
    rotating.kill().expect("kill it");
    rotating.wait().expect("it ended");
    let (new, old) = (with_key(&db, NEW).await, with_key(&db, OLD).await);
    assert!(new >= 1 && old >= 1 && new + old == 400, "{new} and {old}");

    let (fine, text) = run(&url, &both, &["secrets", "show"]);
    assert!(fine && text.contains(&format!("{old} secrets")) && text.contains("only read with"), "{text}");
    let (fine, text) = run(&url, &both, &["secrets", "rotate", "--batch", "100"]);
    assert!(fine, "{text}");
    assert!(text.contains(&format!("{old} of {old} secrets")) && text.contains("400 secrets"), "{text}");
    assert_eq!((with_key(&db, NEW).await, with_key(&db, OLD).await), (400, 0));
    let (fine, text) = run(&url, NEW, &["secrets", "rotate"]);
    assert!(fine && !text.contains(" of "), "{text}");
}

#[tokio::test]
async fn what_is_stored_with_a_key_that_is_not_set_is_told() {
    let db = TestDb::create(&[]).await.expect("database");
    let url = db.url();
    assert!(run(&url, OLD, &["migrate"]).0);
    endpoints(&db, OLD, 2).await;
    let broken = endpoints(&db, OLD, 1).await.remove(0);
    endpoints(&db, LOST, 3).await;
    sqlx::query("UPDATE notifier.endpoints SET secret = '\\x00' WHERE endpoint_id = $1")
        .bind(broken.uuid())
        .execute(db.pool())
        .await
        .expect("broken");
    let (fine, text) = run(&url, &format!("{NEW},{OLD}"), &["secrets", "rotate"]);
    let lost = SecretKeys::parse(LOST).expect("a key").first().to_owned();
    assert!(!fine, "{text}");
    for told in [&format!("key {lost}"), "NOT in SECRETS_KEY", &broken.to_string(), "4 secrets are not stored"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert_eq!(with_key(&db, NEW).await, 2);
    let (fine, text) = run(&url, "nonsense", &["secrets", "rotate"]);
    assert!(!fine && text.contains("SECRETS_KEY") && !text.contains("nonsense"), "{text}");
}
