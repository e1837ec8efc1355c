//! Leads become partitioned while the release before goes on: its statements, written down here, work after each step.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_distribution::MIGRATOR;
use leadflow_kernel::LeadId;
use leadflow_testkit::{TestDb, wait};
use sqlx::{Acquire as _, PgConnection, PgPool, migrate::Migrator};

use crate::{
    months::{at, insert, is_taken},
    support::PATIENCE,
};

/// The last migration before.
const BEFORE: i64 = 12;
const STEPS: [i64; 5] = [20, 21, 22, 23, 24];

/// The migrations up to this one.
fn up_to(version: i64) -> Migrator {
    let migrations = MIGRATOR.iter().filter(|migration| migration.version <= version).cloned().collect();
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.dangerous_set_table_name("distribution._sqlx_migrations");
    migrator.create_schema("distribution");
    migrator
}

/// A database of the release before, whose service may what `leadflow migrate` gives it.
async fn before() -> TestDb {
    let db = TestDb::create(&[&up_to(BEFORE)]).await.unwrap();
    let rights = "GRANT USAGE ON SCHEMA distribution TO leadflow_distribution; \
                  GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA distribution TO leadflow_distribution";
    sqlx::raw_sql(rights).execute(db.pool()).await.unwrap();
    db
}

/// As the service's connections are.
async fn service(pool: &PgPool) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
    let mut connection = pool.acquire().await.unwrap();
    sqlx::raw_sql("SET ROLE leadflow_distribution; SET plan_cache_mode = force_generic_plan; SET lock_timeout = '10s'")
        .execute(&mut *connection)
        .await
        .unwrap();
    connection
}

/// What the release before does with leads, on a connection that it keeps over all steps.
async fn old_statements(connection: &mut PgConnection, old: &[LeadId], new: LeadId, now: DateTime<Utc>) {
    insert(&mut *connection, new, now).await.unwrap();
    let ids: Vec<_> = old.iter().chain([&new]).map(|lead| lead.uuid()).collect();
    let known: Vec<(uuid::Uuid, i16)> =
        sqlx::query_as("SELECT lead_id, outcome FROM distribution.leads WHERE lead_id = ANY($1)")
            .bind(&ids)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    assert_eq!(known.len(), ids.len());
    for lead in [old[0], new] {
        is_taken(insert(&mut *connection, lead, now + TimeDelta::seconds(1)).await);
    }
    // For sale, looked at, and expired.
    let mut transaction = connection.begin().await.unwrap();
    let put = "UPDATE distribution.leads l SET outcome = 3, expires_at = $2 FROM unnest($1::uuid[]) AS t(lead_id) \
               WHERE l.lead_id = ANY($1) AND l.lead_id = t.lead_id";
    let done = sqlx::query(put).bind(&ids).bind(now).execute(&mut *transaction).await.unwrap();
    assert_eq!(done.rows_affected(), known.len() as u64);
    let locked = "SELECT lead_id FROM distribution.leads WHERE campaign_id = $1 AND outcome = 3 AND NOT test \
                  AND (received_at, lead_id) > ($2, $3) ORDER BY received_at, lead_id LIMIT $4 FOR UPDATE";
    let found: Vec<uuid::Uuid> = sqlx::query_scalar(locked)
        .bind(new.uuid())
        .bind(DateTime::<Utc>::UNIX_EPOCH)
        .bind(uuid::Uuid::nil())
        .bind(10_i64)
        .fetch_all(&mut *transaction)
        .await
        .unwrap();
    assert_eq!(found, [new.uuid()]);
    let expire = "UPDATE distribution.leads SET outcome = 5, reason = 'expired', decided_at = $1 WHERE lead_id IN ( \
                    SELECT lead_id FROM distribution.leads WHERE outcome = 3 AND NOT test AND expires_at <= $1 \
                    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING lead_id";
    let expired: Vec<uuid::Uuid> =
        sqlx::query_scalar(expire).bind(now).bind(100_i64).fetch_all(&mut *transaction).await.unwrap();
    assert_eq!(expired.len(), ids.len());
    transaction.commit().await.unwrap();
    // As a tenant, which each of these leads has of its own.
    let mut transaction = connection.begin().await.unwrap();
    let tenant = format!(
        "RESET ROLE; SET LOCAL ROLE leadflow_distribution_tenant; SET LOCAL leadflow.tenant = '{}'",
        old[0].uuid()
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(tenant)).execute(&mut *transaction).await.unwrap();
    let seen: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT lead_id FROM distribution.leads").fetch_all(&mut *transaction).await.unwrap();
    assert_eq!(seen, [old[0].uuid()]);
    let changed = "UPDATE distribution.leads SET outcome = 4, reason = 'duplicate', decided_at = $2, expires_at = NULL WHERE lead_id = $1";
    let changed = sqlx::query(changed).bind(old[0].uuid()).bind(now).execute(&mut *transaction).await.unwrap();
    assert_eq!(changed.rows_affected(), 1);
    transaction.rollback().await.unwrap();
}

/// Leads that are not exactly where they are looked for.
async fn misplaced(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM distribution.leads l FULL JOIN distribution.lead_ids i USING (lead_id) \
         WHERE (l.received_at = i.received_at AND l.seller_id = i.seller_id) IS NOT TRUE",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// The files of a table and its indexes: others if anything was written anew.
async fn files(pool: &PgPool, table: &'static str) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT pg_relation_filenode(c.oid)::text FROM pg_class c WHERE c.oid = $1::regclass \
           OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = $1::regclass) ORDER BY 1",
    )
    .bind(table)
    .fetch_all(pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn the_release_before_reads_and_writes_after_each_step() {
    let db = before().await;
    let now: DateTime<Utc> = sqlx::query_scalar("SELECT now()").fetch_one(db.pool()).await.unwrap();
    let mut old = Vec::new();
    for received_at in [at("2025-01-31T23:59:59Z"), at("2025-02-01T00:00:00Z"), now - TimeDelta::days(45), now] {
        old.push(LeadId::new());
        insert(db.pool(), old[old.len() - 1], received_at).await.unwrap();
    }
    let files_before = files(db.pool(), "distribution.leads").await;
    let mut connection = service(db.pool()).await;
    for (at, step) in STEPS.into_iter().enumerate() {
        up_to(step).run(db.pool()).await.unwrap();
        old_statements(&mut connection, &old, LeadId::new(), now + TimeDelta::minutes(at as i64)).await;
        sqlx::raw_sql("SET ROLE leadflow_distribution").execute(&mut *connection).await.unwrap();
        if step > 20 {
            assert_eq!(misplaced(db.pool()).await, 0, "after {step}");
        }
    }
    MIGRATOR.run(db.pool()).await.unwrap();
    assert_eq!(files(db.pool(), "distribution.leads_first").await, files_before, "nothing was copied or indexed anew");
    let in_first: i64 =
        sqlx::query_scalar("SELECT count(*) FROM distribution.leads_first").fetch_one(db.pool()).await.unwrap();
    assert_eq!(in_first, 9);
    // The trigger of before is gone: a lead is noted once.
    insert(&mut *connection, LeadId::new(), now + TimeDelta::days(70)).await.unwrap();
    assert_eq!(misplaced(db.pool()).await, 0);
}

#[tokio::test]
async fn leads_go_on_being_written_while_it_is_made() {
    let db = before().await;
    let now: DateTime<Utc> = sqlx::query_scalar("SELECT now()").fetch_one(db.pool()).await.unwrap();
    let (migrated, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let writers: Vec<_> = (0..3)
        .map(|_| {
            let (pool, migrated, written) = (db.pool().clone(), migrated.clone(), written.clone());
            tokio::spawn(async move {
                let mut connection = service(&pool).await;
                let (mut leads, mut after) = (0, 0);
                while after < 20 {
                    after += i32::from(migrated.load(Ordering::SeqCst));
                    leads += 1;
                    // The first partition takes the next 28 days for sure; once it is made, leads of later months have theirs.
                    let hours = if after == 0 { leads * 7 % 672 } else { leads * 149 % 3_000 };
                    let received_at = now + TimeDelta::hours(hours);
                    insert(&mut *connection, LeadId::new(), received_at).await.unwrap();
                    written.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for (at, step) in [BEFORE].into_iter().chain(STEPS).enumerate() {
        up_to(step).run(db.pool()).await.unwrap();
        wait::until("some are written", PATIENCE, async || written.load(Ordering::SeqCst) > (at + 1) * 30).await;
    }
    migrated.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.await.unwrap();
    }
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM distribution.leads").fetch_one(db.pool()).await.unwrap();
    assert_eq!(stored, written.load(Ordering::SeqCst) as i64);
    assert_eq!(misplaced(db.pool()).await, 0);
}

#[tokio::test]
async fn who_reads_for_long_holds_up_the_migration_and_nobody_else() {
    let db = before().await;
    let mut reading = db.pool().begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM distribution.leads").execute(&mut *reading).await.unwrap();
    let pool = db.pool().clone();
    up_to(21).run(&pool).await.unwrap();
    let migrating = tokio::spawn(async move { up_to(24).run(&pool).await });
    // It gives way again and again; meanwhile leads are written.
    let mut connection = service(db.pool()).await;
    let mut seen = 0;
    wait::until("it has tried", PATIENCE, async || {
        insert(&mut *connection, LeadId::new(), at("2026-01-01T00:00:00Z")).await.unwrap();
        let sleeping = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database())";
        let sleeps: bool = sqlx::query_scalar(sleeping).fetch_one(db.pool()).await.unwrap();
        seen += i32::from(sleeps);
        seen > 3
    })
    .await;
    assert!(!migrating.is_finished());
    reading.commit().await.unwrap();
    migrating.await.unwrap().unwrap();
    assert_eq!(misplaced(db.pool()).await, 0);
}
