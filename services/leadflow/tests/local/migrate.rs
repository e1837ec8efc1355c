//! `leadflow migrate` on an existing server.

use std::{
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use leadflow_testkit::{TestDb, wait};
use sqlx::{AssertSqlSafe, PgPool, migrate::Migrator};

pub const SCHEMAS: [&str; 4] = ["accounts", "billing", "distribution", "notifier"];

pub fn migrate(database_url: &str) -> Output {
    command(database_url).output().expect("run leadflow")
}

fn command(database_url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadflow"));
    command.arg("migrate").env_clear().env("DATABASE_URL", database_url).current_dir("/");
    command
}

/// Migrates each schema but for its last so many migrations.
pub async fn to_level(db: &TestDb, but_for: usize) {
    let migrators: [&Migrator; 4] = [
        &leadflow_accounts::MIGRATOR,
        &leadflow_billing::MIGRATOR,
        &leadflow_distribution::MIGRATOR,
        &leadflow_notifier::MIGRATOR,
    ];
    for migrator in migrators {
        let mut versions: Vec<_> = migrator.iter().map(|migration| migration.version).collect();
        versions.sort_unstable();
        let last = versions[versions.len() - 1 - but_for];
        migrator.run_to(last, db.pool()).await.expect("a level");
    }
}

/// Everything that the schemas are made of, and that each migration is there once.
async fn shape(db: &TestDb) -> Vec<String> {
    for schema in SCHEMAS {
        let history = AssertSqlSafe(format!("SELECT count(*), count(DISTINCT version) FROM {schema}._sqlx_migrations"));
        let (rows, versions): (i64, i64) = sqlx::query_as(history).fetch_one(db.pool()).await.expect("a history");
        assert!(rows > 0 && rows == versions, "{schema}: {rows} rows of {versions} migrations");
    }
    let parts = "
        SELECT c.oid::regclass::text || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull::text
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = ANY($1::regnamespace[]) AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT pg_get_indexdef(c.oid) FROM pg_class c WHERE c.relnamespace = ANY($1::regnamespace[]) AND c.relkind IN ('i', 'I')
        UNION ALL
        SELECT c.oid::regclass::text || ' ' || coalesce(c.relacl::text, '') FROM pg_class c
        WHERE c.relnamespace = ANY($1::regnamespace[]) AND c.relkind IN ('r', 'p', 'v', 'S')
        ORDER BY 1";
    sqlx::query_scalar(parts).bind(SCHEMAS.as_slice()).fetch_all(db.pool()).await.expect("the shape")
}

pub fn succeeded(output: &Output) {
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
    assert_eq!(shape(&db).await, shape(&other).await);
}

#[tokio::test]
async fn many_at_once_from_an_earlier_level_and_killed_in_the_middle_end_in_the_same_schema() {
    let fresh = TestDb::create(&[]).await.expect("database");
    succeeded(&migrate(&fresh.url()));
    let whole = shape(&fresh).await;
    for but_for in [1, 5] {
        let db = TestDb::create(&[]).await.expect("database");
        to_level(&db, but_for).await;
        // A migration of the last schema is carried out, and not yet noted.
        let mut held = db.pool().begin().await.expect("begin");
        let hold = "LOCK TABLE notifier._sqlx_migrations IN SHARE MODE";
        sqlx::query(hold).execute(&mut *held).await.expect("hold the history");
        killed_while_it_waits(&db).await;
        held.rollback().await.expect("let go");
        let url = db.url();
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..3).map(|_| scope.spawn(|| migrate(&url))).collect();
            for run in runs {
                succeeded(&run.join().expect("ran"));
            }
        });
        assert_eq!(shape(&db).await, whole, "from {but_for} levels before");
    }
}

#[tokio::test]
async fn killed_in_the_middle_of_the_first_run_and_run_again_it_ends_whole() {
    let (db, fresh) = (TestDb::create(&[]).await.expect("database"), TestDb::create(&[]).await.expect("database"));
    succeeded(&migrate(&fresh.url()));
    // Somebody else is making the last of the schemas, and changes his mind.
    let mut other = db.pool().begin().await.expect("begin");
    sqlx::query("CREATE SCHEMA notifier").execute(&mut *other).await.expect("a schema");
    killed_while_it_waits(&db).await;
    other.rollback().await.expect("change of mind");
    succeeded(&migrate(&db.url()));
    assert_eq!(shape(&db).await, shape(&fresh).await);
}

#[tokio::test]
async fn it_gives_way_to_a_service_that_has_what_it_wants_and_wants_what_it_has() {
    let db = TestDb::create(&[]).await.expect("database");
    to_level(&db, 2).await;
    let mut service = db.pool().begin().await.expect("begin");
    sqlx::query("SELECT FROM distribution.leads").execute(&mut *service).await.expect("read leads");
    let mut child = command(&db.url()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("run leadflow");
    // It has sellers, and waits for leads.
    it_waits(&db, &mut child).await;
    sqlx::query("SELECT FROM distribution.sellers").execute(&mut *service).await.expect("read sellers");
    it_waits(&db, &mut child).await;
    service.commit().await.expect("commit");
    succeeded(&child.wait_with_output().expect("its end"));
    succeeded(&migrate(&db.url()));
}

/// Runs it until it waits for a lock that is not its own, and kills it with SIGKILL.
async fn killed_while_it_waits(db: &TestDb) {
    let mut child = command(&db.url()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("run leadflow");
    it_waits(db, &mut child).await;
    child.kill().expect("SIGKILL");
    child.wait().expect("its end");
}

async fn it_waits(db: &TestDb, child: &mut Child) {
    wait::until("the migration waits in its middle", Duration::from_secs(60), async || {
        assert!(matches!(child.try_wait(), Ok(None)), "it ended");
        let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() \
                     AND application_name = 'leadflow-migrate' AND wait_event_type = 'Lock' AND wait_event <> 'advisory'";
        sqlx::query_scalar(waits).fetch_one(db.pool()).await.expect("the sessions")
    })
    .await;
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
