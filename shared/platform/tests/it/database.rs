use leadflow_platform::db::{DbSettings, connect};
use leadflow_testkit::TestDb;

fn settings(url: String, role: Option<&'static str>) -> DbSettings {
    DbSettings { url, role, application: "test", max_connections: 2 }
}

#[tokio::test]
async fn a_service_takes_its_role_and_touches_no_other_schema() {
    let db = TestDb::create(&[]).await.unwrap();
    for statement in [
        "CREATE SCHEMA mine",
        "CREATE SCHEMA theirs",
        "CREATE TABLE mine.rows (n int)",
        "CREATE TABLE theirs.rows (n int)",
        // Roles belong to the whole server: another run may have made it.
        "DO $$ BEGIN CREATE ROLE leadflow_platform_test NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
        "GRANT USAGE ON SCHEMA mine TO leadflow_platform_test",
        "GRANT ALL ON ALL TABLES IN SCHEMA mine TO leadflow_platform_test",
    ] {
        sqlx::query(statement).execute(db.pool()).await.unwrap();
    }
    let pool = connect(&settings(db.url(), Some("leadflow_platform_test"))).unwrap();
    sqlx::query("INSERT INTO mine.rows VALUES (1)").execute(&pool).await.unwrap();
    let refused = sqlx::query("SELECT * FROM theirs.rows").execute(&pool).await.unwrap_err();
    assert_eq!(refused.as_database_error().and_then(|error| error.code()).as_deref(), Some("42501"));
}

#[tokio::test]
async fn no_statement_runs_or_waits_for_ever() {
    let db = TestDb::create(&[]).await.unwrap();
    let pool = connect(&settings(db.url(), None)).unwrap();
    for (setting, value) in
        [("statement_timeout", "20s"), ("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "15s")]
    {
        let shown: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(setting).fetch_one(&pool).await.unwrap();
        assert_eq!(shown, value, "{setting}");
    }
}
