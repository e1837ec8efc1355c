//! Attempts lie in partitions by month, became so while the release before went on, and go when nobody asks for them any more.

use chrono::{DateTime, Utc};
use leadflow_kernel::{DeliveryId, SellerId};
use leadflow_notifier::{MIGRATOR, TENANT_ROLE};
use leadflow_platform::db::Tenants;
use leadflow_testkit::{TestDb, wait};
use sqlx::{Acquire as _, AssertSqlSafe, PgConnection, PgPool, migrate::Migrator};
use uuid::Uuid;

use crate::{
    parts::parts,
    world::{PATIENCE, World},
};

/// The last migration before.
const BEFORE: i64 = 34;
const STEPS: [i64; 3] = [40, 41, 42];
const MAY: &str = "2031-05-10T12:00:00Z";
const JUNE: &str = "2031-06-10T12:00:00Z";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A delivery of a tenant of its own whose lease is its own id.
async fn waiting(to: &mut PgConnection, created_at: DateTime<Utc>) -> DeliveryId {
    let delivery = DeliveryId::new();
    sqlx::query(
        "INSERT INTO notifier.deliveries (delivery_id, seller_id, buyer_id, lead_id, assignment_id, endpoint_id, payload, status, \
           due_at, lease, created_at) VALUES ($1, $1, $1, $1, $1, $1, '', 'PENDING', now(), $1, $2)",
    )
    .bind(delivery.uuid())
    .bind(created_at)
    .execute(to)
    .await
    .unwrap();
    delivery
}

/// Ends a lease as the release before did; tells whether it still stood.
async fn finish(to: &mut PgConnection, delivery: DeliveryId, started_at: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let ended: Vec<Uuid> = sqlx::query_scalar(
        "WITH done AS ( \
           UPDATE notifier.deliveries d SET status = 'DELIVERED', attempts_made = 1, due_at = NULL, ended_at = $2, lease = NULL \
           FROM unnest($1::uuid[], $1::uuid[]) AS t(delivery_id, lease) \
           WHERE d.delivery_id = ANY($1) AND d.delivery_id = t.delivery_id AND d.lease = t.lease RETURNING d.delivery_id), \
         tried AS ( \
           INSERT INTO notifier.attempts (delivery_id, number, started_at, duration_ms, status_code, error, response, meaning, note) \
           SELECT a.*, 1, $2, 5, 200, '', '', '', '' FROM unnest($1::uuid[]) AS a(delivery_id) JOIN done USING (delivery_id)) \
         SELECT delivery_id FROM done",
    )
    .bind([delivery.uuid()])
    .bind(started_at)
    .fetch_all(to)
    .await?;
    Ok(!ended.is_empty())
}

/// In which partitions a delivery's attempts lie.
async fn lies_in(pool: &PgPool, delivery: DeliveryId) -> Vec<String> {
    sqlx::query_scalar("SELECT tableoid::regclass::text FROM notifier.attempts WHERE delivery_id = $1 ORDER BY 1")
        .bind(delivery.uuid())
        .fetch_all(pool)
        .await
        .unwrap()
}

fn up_to(version: i64) -> Migrator {
    let migrations = MIGRATOR.iter().filter(|migration| migration.version <= version).cloned().collect();
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.dangerous_set_table_name("notifier._sqlx_migrations");
    migrator.create_schema("notifier");
    migrator
}

#[tokio::test]
async fn the_release_before_reads_and_writes_after_each_step() {
    let db = TestDb::create(&[&up_to(BEFORE)]).await.unwrap();
    let rights = "GRANT USAGE ON SCHEMA notifier TO leadflow_notifier; \
                  GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA notifier TO leadflow_notifier";
    sqlx::raw_sql(rights).execute(db.pool()).await.unwrap();
    let now: DateTime<Utc> = sqlx::query_scalar("SELECT now()").fetch_one(db.pool()).await.unwrap();
    let mut connection = db.pool().acquire().await.unwrap();
    let take_role = "SET ROLE leadflow_notifier; SET plan_cache_mode = force_generic_plan";
    sqlx::raw_sql(take_role).execute(&mut *connection).await.unwrap();
    let old = waiting(&mut connection, at("2025-01-31T23:59:59Z")).await;
    assert!(finish(&mut connection, old, at("2025-01-31T23:59:59Z")).await.unwrap());
    for step in STEPS {
        up_to(step).run(db.pool()).await.unwrap();
        let new = waiting(&mut connection, now).await;
        assert!(finish(&mut connection, new, now).await.unwrap());
        assert!(!finish(&mut connection, new, now).await.unwrap(), "its lease has ended");
        let read = "SELECT delivery_id, number, started_at, duration_ms, status_code, error, response, meaning, note \
                    FROM notifier.attempts WHERE delivery_id = ANY($1) ORDER BY delivery_id, number";
        let all = [old.uuid(), new.uuid()];
        assert_eq!(sqlx::query(read).bind(all).fetch_all(&mut *connection).await.unwrap().len(), 2, "after {step}");
        // Each is a tenant of its own.
        let mut transaction = connection.begin().await.unwrap();
        let tenant = format!("SET LOCAL ROLE leadflow_notifier_tenant; SET LOCAL leadflow.tenant = '{}'", old.uuid());
        sqlx::raw_sql("RESET ROLE").execute(&mut *transaction).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(tenant)).execute(&mut *transaction).await.unwrap();
        assert_eq!(sqlx::query(read).bind(all).fetch_all(&mut *transaction).await.unwrap().len(), 1, "after {step}");
        transaction.rollback().await.unwrap();
        sqlx::raw_sql(take_role).execute(&mut *connection).await.unwrap();
    }
    assert_eq!(lies_in(db.pool(), old).await, ["notifier.attempts_first"]);
}

#[tokio::test]
async fn an_attempt_that_two_record_in_two_months_at_once_is_there_once() {
    let world = World::empty().await;
    let pool = world.db.pool();
    sqlx::query("SELECT notifier.make_months($1, 1)").bind(at(MAY)).execute(pool).await.unwrap();
    let mut first = pool.begin().await.unwrap();
    let mut other = pool.acquire().await.unwrap();
    let delivery = waiting(&mut other, at(MAY)).await;
    let process: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *other).await.unwrap();
    assert!(finish(&mut first, delivery, at(MAY)).await.unwrap());
    let second = tokio::spawn(async move { finish(&mut other, delivery, at(JUNE)).await });
    wait::until("the second waits for the first", PATIENCE, async || {
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock')")
            .bind(process)
            .fetch_one(world.db.pool())
            .await
            .unwrap()
    })
    .await;
    first.commit().await.unwrap();
    assert!(!second.await.unwrap().unwrap());
    assert_eq!(lies_in(pool, delivery).await, ["notifier.attempts_2031_05"]);
}

#[tokio::test]
async fn what_lies_outside_is_moved_when_its_month_is_made() {
    let world = World::empty().await;
    let pool = world.db.pool();
    let mut connection = pool.acquire().await.unwrap();
    let (may, june) = (waiting(&mut connection, at(MAY)).await, waiting(&mut connection, at(MAY)).await);
    assert!(finish(&mut connection, may, at(MAY)).await.unwrap());
    assert!(finish(&mut connection, june, at(JUNE)).await.unwrap());
    assert_eq!(lies_in(pool, may).await, ["notifier.attempts_default"]);
    let make = || async {
        let made: i32 =
            sqlx::query_scalar("SELECT notifier.make_months($1, 0)").bind(at(MAY)).fetch_one(pool).await.unwrap();
        made
    };
    let (one, two, three) = tokio::join!(make(), make(), make());
    assert_eq!(one + two + three, 1);
    assert_eq!(lies_in(pool, may).await, ["notifier.attempts_2031_05"]);
    assert_eq!(lies_in(pool, june).await, ["notifier.attempts_default"]);
}

#[tokio::test]
async fn months_that_are_over_for_long_enough_are_dropped_and_no_others() {
    let world = World::empty().await;
    let pool = world.db.pool();
    let (one, other) = (parts(&world).notifier, parts(&world).notifier);
    one.keep_months(0).await.unwrap();
    assert_eq!(one.keep_months(1).await.unwrap(), (0, 0), "the first partition is not over");
    // As if all had begun twenty months ago.
    let begin = "ALTER TABLE notifier.attempts DETACH PARTITION notifier.attempts_first; DROP TABLE notifier.attempts_first; \
                 SELECT notifier.make_months(now() - interval '20 months', 12); \
                 SELECT notifier.make_months(now() - interval '8 months', 12)";
    sqlx::raw_sql(begin).execute(pool).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let mut deliveries = Vec::new();
    for months in [20, 14, 13, 12, 0] {
        let then: DateTime<Utc> = sqlx::query_scalar("SELECT now() - make_interval(months => $1)")
            .bind(months)
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        let delivery = waiting(&mut connection, then).await;
        assert!(finish(&mut connection, delivery, then).await.unwrap());
        deliveries.push(delivery);
    }
    assert_eq!(one.keep_months(0).await.unwrap().1, 0, "0 keeps all");
    let (here, there) = tokio::join!(one.keep_months(13), other.keep_months(13));
    assert_eq!(here.unwrap().1 + there.unwrap().1, 7);
    let mut kept = Vec::new();
    for delivery in deliveries {
        kept.push(lies_in(pool, delivery).await.len());
    }
    assert_eq!(kept, [0, 0, 1, 1, 1]);
    assert_eq!(world.count("SELECT count(*) FROM notifier.deliveries").await, 5, "what became of them is kept");
    let since = "SELECT count(*) FROM notifier.attempts_kept \
                 WHERE since = (date_trunc('month', now() AT TIME ZONE 'UTC') - interval '13 months') AT TIME ZONE 'UTC'";
    assert_eq!(world.count(since).await, 1);
    for keep in ["0", "-1", "NULL"] {
        let refused = sqlx::raw_sql(AssertSqlSafe(format!("SELECT notifier.drop_months({keep})"))).execute(pool).await;
        assert!(refused.is_err(), "{keep}");
    }
}

#[tokio::test]
async fn tenants_reach_no_partition_directly() {
    let world = World::empty().await;
    let tenants = Tenants::new(world.db.pool().clone(), TENANT_ROLE);
    let partitions: Vec<String> = sqlx::query_scalar(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'notifier.attempts'::regclass",
    )
    .fetch_all(world.db.pool())
    .await
    .unwrap();
    assert!(partitions.len() > 2, "{partitions:?}");
    for partition in &partitions {
        let mut tx = tenants.begin(SellerId::new()).await.unwrap();
        let read = sqlx::query(AssertSqlSafe(format!("SELECT FROM {partition}"))).execute(&mut *tx).await;
        assert!(read.is_err(), "{partition}");
        let guarded = format!("SELECT count(*) FROM pg_class WHERE oid = '{partition}'::regclass AND relrowsecurity");
        let guarded: i64 = sqlx::query_scalar(AssertSqlSafe(guarded)).fetch_one(world.db.pool()).await.unwrap();
        assert_eq!(guarded, 1, "{partition}");
    }
    for call in ["make_months(now(), 1)", "drop_months(1)"] {
        let mut tx = tenants.begin(SellerId::new()).await.unwrap();
        let called = sqlx::query(AssertSqlSafe(format!("SELECT notifier.{call}"))).execute(&mut *tx).await;
        assert!(called.is_err(), "{call}");
    }
}
