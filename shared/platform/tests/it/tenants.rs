//! A transaction of one tenant sees and changes that tenant's rows only, and leaves nothing behind on its connection.

use std::time::Duration;

use leadflow_kernel::SellerId;
use leadflow_platform::db::{DbSettings, TenantTx, Tenants, connect};
use leadflow_testkit::{TestDb, wait};
use sqlx::{Connection as _, PgPool};

const ROLE: &str = "leadflow_platform_test_tenant";

/// A table with one row of each of two tenants.
async fn two_tenants() -> (TestDb, PgPool, SellerId, SellerId) {
    let db = TestDb::create(&[]).await.unwrap();
    for statement in [
        "CREATE SCHEMA mine",
        "CREATE TABLE mine.rows (seller_id uuid NOT NULL, n int NOT NULL)",
        // Roles belong to the whole server: another run may have made it.
        "DO $$ BEGIN CREATE ROLE leadflow_platform_test_tenant NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
        "GRANT USAGE ON SCHEMA mine TO leadflow_platform_test_tenant",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON mine.rows TO leadflow_platform_test_tenant",
        "ALTER TABLE mine.rows ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY tenant ON mine.rows TO leadflow_platform_test_tenant \
           USING (seller_id = current_setting('leadflow.tenant')::uuid)",
    ] {
        sqlx::query(statement).execute(db.pool()).await.unwrap();
    }
    // One connection: the next to use it finds what the last one left.
    let settings = DbSettings { url: db.url(), role: None, application: "test", max_connections: 1 };
    let pool = connect(&settings).unwrap();
    let (mine, theirs) = (SellerId::new(), SellerId::new());
    for (seller, n) in [(mine, 1), (theirs, 2)] {
        sqlx::query("INSERT INTO mine.rows VALUES ($1, $2)").bind(seller.uuid()).bind(n).execute(&pool).await.unwrap();
    }
    (db, pool, mine, theirs)
}

async fn rows(tx: &mut TenantTx) -> Vec<i32> {
    sqlx::query_scalar("SELECT n FROM mine.rows ORDER BY n").fetch_all(&mut **tx).await.unwrap()
}

async fn user(pool: &PgPool) -> String {
    sqlx::query_scalar("SELECT current_user::text").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn only_the_tenants_rows_are_there_without_any_where() {
    let (_db, pool, mine, theirs) = two_tenants().await;
    let tenants = Tenants::new(pool.clone(), ROLE);
    // The same statements again and again on one connection: their plans are kept.
    for _ in 0..7 {
        for (seller, n) in [(mine, 1), (theirs, 2)] {
            let mut tx = tenants.begin(seller).await.unwrap();
            assert_eq!(rows(&mut tx).await, [n]);
        }
        let all: Vec<i32> = sqlx::query_scalar("SELECT n FROM mine.rows ORDER BY n").fetch_all(&pool).await.unwrap();
        assert_eq!(all, [1, 2]);
    }
    let mut tx = tenants.begin(mine).await.unwrap();
    let changed = sqlx::query("UPDATE mine.rows SET n = 10").execute(&mut *tx).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
    let deleted = sqlx::query("DELETE FROM mine.rows WHERE n = 2").execute(&mut *tx).await.unwrap();
    assert_eq!(deleted.rows_affected(), 0);
    let insert = "INSERT INTO mine.rows VALUES ($1, 3)";
    let refused = sqlx::query(insert).bind(theirs.uuid()).execute(&mut *tx).await.unwrap_err();
    assert_eq!(refused.as_database_error().and_then(|error| error.code()).as_deref(), Some("42501"));
    drop(tx);
    let mut tx = tenants.begin(mine).await.unwrap();
    sqlx::query("UPDATE mine.rows SET n = 11").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    let all: Vec<i32> = sqlx::query_scalar("SELECT n FROM mine.rows ORDER BY n").fetch_all(&pool).await.unwrap();
    assert_eq!(all, [2, 11]);
}

#[tokio::test]
async fn nothing_of_it_is_left_on_the_connection() {
    let (_db, pool, mine, _) = two_tenants().await;
    let login = user(&pool).await;
    let tenants = Tenants::new(pool.clone(), ROLE);
    // Ended in every way there is.
    tenants.begin(mine).await.unwrap().commit().await.unwrap();
    assert_eq!(user(&pool).await, login);
    tenants.begin(mine).await.unwrap().rollback().await.unwrap();
    assert_eq!(user(&pool).await, login);
    drop(tenants.begin(mine).await.unwrap());
    assert_eq!(user(&pool).await, login);
    let mut failed = tenants.begin(mine).await.unwrap();
    sqlx::query("SELECT 1 / 0").execute(&mut *failed).await.unwrap_err();
    drop(failed);
    assert_eq!(user(&pool).await, login);
    // Within it a savepoint is one, not another transaction.
    let mut outer = tenants.begin(mine).await.unwrap();
    outer.begin().await.unwrap().rollback().await.unwrap();
    assert_eq!(rows(&mut outer).await, [1]);
    drop(outer);

    // A role that may not be taken.
    let error = Tenants::new(pool.clone(), "leadflow_no_such_role").begin(mine).await.unwrap_err();
    assert!(error.as_database_error().is_some(), "{error}");
    assert_eq!(user(&pool).await, login);
    sqlx::query("INSERT INTO mine.rows SELECT * FROM mine.rows").execute(&pool).await.unwrap();
    let outside: bool =
        sqlx::query_scalar("SELECT now() < clock_timestamp() AND pg_current_xact_id_if_assigned() IS NULL")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert!(outside, "the transaction is still open");
}

#[tokio::test]
async fn a_caller_who_leaves_while_it_opens_leaves_nothing_behind() {
    let (_db, pool, mine, _) = two_tenants().await;
    let login = user(&pool).await;
    let tenants = Tenants::new(pool.clone(), ROLE);
    for polls in 1..=4 {
        let mut opening = Box::pin(tenants.begin(mine));
        for _ in 0..polls {
            // Dropped at every point at which it can wait.
            let waiting = futures::future::poll_immediate(&mut opening).await;
            if waiting.is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(opening);
        wait::until("the connection is back", Duration::from_secs(10), async || user(&pool).await == login).await;
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        assert_eq!(open, 0);
    }
}
