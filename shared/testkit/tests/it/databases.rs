use std::borrow::Cow;

use leadflow_testkit::TestDb;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

fn migrator(table: &'static str, sql: &'static str) -> Migrator {
    let migration =
        Migration::new(1, Cow::Borrowed("first"), MigrationType::Simple, AssertSqlSafe(sql).into_sql_str(), false);
    Migrator { migrations: Cow::Owned(vec![migration]), table_name: Cow::Borrowed(table), ..Migrator::DEFAULT }
}

#[tokio::test]
async fn every_test_has_its_own_migrated_database() {
    let a = migrator("_a", "CREATE TABLE a (n int NOT NULL)");
    let b = migrator("_b", "CREATE TABLE b (n int NOT NULL)");
    let both = [&a, &b];
    let (first, second) = tokio::join!(TestDb::create(&both), TestDb::create(&both));
    let (first, second) = (first.expect("first"), second.expect("second"));
    sqlx::query("INSERT INTO a VALUES (1)").execute(first.pool()).await.expect("insert");
    sqlx::query("INSERT INTO b VALUES (1)").execute(first.pool()).await.expect("insert");
    let in_second: i64 = sqlx::query_scalar("SELECT count(*) FROM a").fetch_one(second.pool()).await.expect("count");
    assert_eq!(in_second, 0);

    let only_b = TestDb::create(&[&b]).await.expect("another set");
    let has_a: bool =
        sqlx::query_scalar("SELECT to_regclass('a') IS NOT NULL").fetch_one(only_b.pool()).await.expect("look");
    assert!(!has_a, "a template of other migrations was used");
}

#[tokio::test]
async fn a_dropped_database_is_gone_even_with_sessions_open() {
    let keep = TestDb::create(&[]).await.expect("create");
    let gone = TestDb::create(&[]).await.expect("create");
    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(gone.pool()).await.expect("name");
    let pool = gone.pool().clone();
    let _session = pool.acquire().await.expect("a session");
    drop(gone);
    let left: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(&name)
        .fetch_one(keep.pool())
        .await
        .expect("look");
    assert!(!left, "{name} is still there");
}

#[tokio::test]
async fn the_url_leads_to_the_same_database() {
    let db = TestDb::create(&[]).await.expect("create");
    let pool = sqlx::PgPool::connect(&db.url()).await.expect("connect");
    let query = "SELECT current_database()";
    let by_url: String = sqlx::query_scalar(query).fetch_one(&pool).await.expect("name");
    let by_pool: String = sqlx::query_scalar(query).fetch_one(db.pool()).await.expect("name");
    assert_eq!(by_url, by_pool);
}
