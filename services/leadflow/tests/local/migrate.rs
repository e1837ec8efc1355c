//! `leadflow migrate` on an existing server.

use std::process::{Command, Output};

use leadflow_testkit::TestDb;
use sqlx::{AssertSqlSafe, PgPool};

const SCHEMAS: [&str; 4] = ["accounts", "billing", "distribution", "notifier"];

fn migrate(database_url: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_leadflow"))
        .arg("migrate")
        .env_clear()
        .env("DATABASE_URL", database_url)
        .current_dir("/")
        .output()
        .expect("run leadflow")
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// One existing table of a schema that holds data.
async fn a_table(pool: &PgPool, schema: &str) -> String {
    sqlx::query_scalar(
        "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables \
         WHERE table_schema = $1 AND table_name NOT LIKE '\\_sqlx%' ORDER BY table_name LIMIT 1",
    )
    .bind(schema)
    .fetch_one(pool)
    .await
    .expect("a table")
}

#[tokio::test]
async fn many_at_once_and_again_end_in_one_whole_schema() {
    let db = TestDb::create(&[]).await.expect("database");
    let other = TestDb::create(&[]).await.expect("database");
    let (url, other_url) = (db.url(), other.url());
    // Roles belong to the whole server: a second database is migrated beside the first.
    std::thread::scope(|scope| {
        let runs: Vec<_> =
            [&url, &url, &url, &other_url].into_iter().map(|url| scope.spawn(move || migrate(url))).collect();
        for run in runs {
            succeeded(&run.join().expect("ran"));
        }
    });
    succeeded(&migrate(&url));
    for schema in SCHEMAS {
        let history = AssertSqlSafe(format!("SELECT count(*), count(DISTINCT version) FROM {schema}._sqlx_migrations"));
        let (rows, versions): (i64, i64) = sqlx::query_as(history).fetch_one(db.pool()).await.expect("a history");
        assert!(rows > 0 && rows == versions, "{schema}: {rows} rows of {versions} migrations");
    }
}

#[tokio::test]
async fn a_service_can_touch_its_own_schema_only() {
    let db = TestDb::create(&[]).await.expect("database");
    succeeded(&migrate(&db.url()));
    let mut connection = db.pool().acquire().await.expect("connect");
    for own in SCHEMAS {
        let role = || AssertSqlSafe(format!("SET ROLE leadflow_{own}"));
        for schema in SCHEMAS {
            let table = a_table(db.pool(), schema).await;
            sqlx::query(role()).execute(&mut *connection).await.expect("take the role");
            let read = sqlx::query(AssertSqlSafe(format!("SELECT FROM {table} LIMIT 1")));
            let outcome = read.execute(&mut *connection).await;
            assert_eq!(outcome.is_ok(), own == schema, "leadflow_{own} on {table}: {outcome:?}");
            sqlx::query("RESET ROLE").execute(&mut *connection).await.expect("give it back");
        }
        // Nor may it change its own tables' shape or pretend that a migration ran.
        for forbidden in [
            format!("CREATE TABLE {own}.extra (n int)"),
            format!("DELETE FROM {own}._sqlx_migrations"),
            format!("DROP TABLE {}", a_table(db.pool(), own).await),
        ] {
            sqlx::query(role()).execute(&mut *connection).await.expect("take the role");
            let outcome = sqlx::query(AssertSqlSafe(forbidden.clone())).execute(&mut *connection).await;
            assert!(outcome.is_err(), "leadflow_{own} could: {forbidden}");
            sqlx::query("RESET ROLE").execute(&mut *connection).await.expect("give it back");
        }
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_one_sentence() {
    let output = migrate("postgres://postgres@127.0.0.1:1/nothing");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("cannot reach PostgreSQL (setting DATABASE_URL)"), "{text}");
    assert_eq!(text.trim().lines().count(), 1, "{text}");
}
