//! Leads lie in partitions by month, and are there once all the same.

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_contracts::common::{Logic, Outcome};
use leadflow_distribution::TENANT_ROLE;
use leadflow_kernel::{Clock as _, LeadId, SellerId};
use leadflow_platform::db::Tenants;
use leadflow_testkit::wait;
use sqlx::{AssertSqlSafe, Executor, PgConnection, PgPool, Postgres};

use crate::support::*;

/// Years after every month that migrating makes.
pub const MAY: &str = "2031-05-10T12:00:00Z";
pub const JUNE: &str = "2031-06-10T12:00:00Z";

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A lead that was rejected, as the release before partitions wrote it.
pub async fn insert(
    to: impl Executor<'_, Database = Postgres>,
    lead: LeadId,
    received_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO distribution.leads (decided_at, lead_id, seller_id, supplier_id, campaign_id, category_id, received_at, \
           expires_at, outcome, test, buyers_assigned, price, currency, reason, state, quality, reference, body_hash, data, raw, \
           unknown_fields, trace, traceparent) \
         SELECT $1, t.a, t.a, t.a, t.a, t.a, $1, NULL, 4, false, 0, NULL, NULL, 'duplicate', '', '', '', '', '{}', NULL, NULL, '', NULL \
         FROM unnest($2::uuid[]) AS t(a)",
    )
    .bind(received_at)
    .bind([lead.uuid()])
    .execute(to)
    .await
    .map(|_| ())
}

pub fn is_taken<T: std::fmt::Debug>(outcome: Result<T, sqlx::Error>) {
    let error = outcome.expect_err("it is there");
    assert!(error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation), "{error}");
}

pub async fn make(pool: &PgPool, month: &str, ahead: i32) -> i32 {
    sqlx::query_scalar("SELECT distribution.make_months($1, $2)")
        .bind(at(month))
        .bind(ahead)
        .fetch_one(pool)
        .await
        .unwrap()
}

/// In which partition a lead lies, by all ways of looking for it.
async fn lies_in(pool: &PgPool, lead: LeadId) -> Vec<String> {
    sqlx::query_scalar("SELECT tableoid::regclass::text FROM distribution.leads WHERE lead_id = $1")
        .bind(lead.uuid())
        .fetch_all(pool)
        .await
        .unwrap()
}

async fn process(connection: &mut PgConnection) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(connection).await.unwrap()
}

async fn waits(pool: &PgPool, process: i32) -> bool {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock')")
        .bind(process)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn of_the_same_lead_in_two_months_at_once_one_is_written() {
    let world = World::new().await;
    assert_eq!(make(world.pool(), MAY, 1).await, 2);
    for first_commits in [true, false] {
        let lead = LeadId::new();
        let mut first = world.pool().begin().await.unwrap();
        insert(&mut *first, lead, at(MAY)).await.unwrap();
        let mut other = world.pool().acquire().await.unwrap();
        let other_process = process(&mut other).await;
        let second = tokio::spawn(async move { insert(&mut *other, lead, at(JUNE)).await });
        wait::until("the second waits for the first", PATIENCE, async || waits(world.pool(), other_process).await)
            .await;
        if first_commits {
            first.commit().await.unwrap();
            is_taken(second.await.unwrap());
            assert_eq!(lies_in(world.pool(), lead).await, ["distribution.leads_2031_05"]);
        } else {
            first.rollback().await.unwrap();
            second.await.unwrap().unwrap();
            assert_eq!(lies_in(world.pool(), lead).await, ["distribution.leads_2031_06"]);
        }
    }
}

#[tokio::test]
async fn a_lead_that_two_gateways_took_in_two_months_is_decided_once() {
    let world = World::new().await;
    make(world.pool(), MAY, 1).await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 3).await;
    for _ in 0..10 {
        let mut early = world.post(tenant, campaign);
        early.received_at = at("2031-05-31T23:59:59.999Z");
        let mut late = early.clone();
        late.received_at = at("2031-06-01T00:00:00Z");
        let other = world.replica();
        tokio::join!(decide(&app, std::slice::from_ref(&early)), decide(&other, std::slice::from_ref(&late)));
        assert_eq!(lies_in(world.pool(), early.lead).await.len(), 1);
        assert_eq!(outcome(&app, &early).await.0, Outcome::Distributed);
    }
    assert_eq!(world.bought(&buyers).await.iter().sum::<usize>(), 10);
    world.check_books().await;
}

#[tokio::test]
async fn a_repeat_a_month_later_gets_the_stored_answer() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 2).await;
    let posted = world.post(tenant, campaign);
    app.decide_batch(std::slice::from_ref(&posted)).await.unwrap();
    let first = decision(&app, &posted).await;
    world.clock.advance(TimeDelta::days(75));
    let mut again = posted.clone();
    again.received_at = world.clock.now();
    // By a replica that remembers it as little as one that was started since.
    for app in [&app, &world.replica()] {
        app.decide_batch(std::slice::from_ref(&again)).await.unwrap();
        assert_eq!(decision(app, &again).await, first);
    }
    let mut other = again.clone();
    other.body_hash = vec![2; 32];
    app.decide_batch(std::slice::from_ref(&other)).await.unwrap();
    assert_eq!(outcome(&app, &other).await.0, Outcome::Conflict);
    assert_eq!(world.count("SELECT count(*) FROM distribution.leads").await, 1);
    assert_eq!(world.bought(&buyers).await.iter().sum::<usize>(), 1);
}

#[tokio::test]
async fn leads_of_several_months_are_sold_later_and_expire_together() {
    let world = World::new().await;
    make(world.pool(), MAY, 1).await;
    world.clock.advance(at("2031-05-31T23:00:00Z") - world.clock.now());
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (campaign, buyers) = world.campaign(&app, tenant, Logic::RoundRobin, 1).await;
    world.purse.set(buyers[0], 0);
    let early = world.posts(tenant, campaign, 3);
    app.decide_batch(&early).await.unwrap();
    world.clock.advance(TimeDelta::hours(2));
    let late = world.posts(tenant, campaign, 3);
    app.decide_batch(&late).await.unwrap();
    world.retry(&app).await;
    world.purse.set(buyers[0], 5);
    app.wallets_changed(&buyers).await.unwrap();
    world.retry(&app).await;
    assert_eq!(world.bought(&buyers).await, [5]);
    // The last one is seen again a month later, when its time is up.
    app.decide_batch(&world.posts(tenant, campaign, 1)).await.unwrap();
    world.clock.advance(TimeDelta::days(40));
    assert_eq!(app.expire_unsold().await.unwrap(), 2);
    let found = world.count("SELECT count(DISTINCT tableoid) FROM distribution.leads WHERE outcome = 2").await;
    assert_eq!(found, 2, "sold in both months");
    world.check_books().await;
}

#[tokio::test]
async fn partitions_are_made_once_whoever_asks() {
    let world = World::new().await;
    let made: Vec<i32> = futures::future::join_all((0..8).map(|_| make(world.pool(), MAY, 12))).await;
    assert_eq!(made.iter().sum::<i32>(), 13, "{made:?}");
    // What the worker does, ahead of the clock.
    let app = world.replica();
    world.clock.advance(at("2035-01-31T23:59:00Z") - world.clock.now());
    assert_eq!(app.make_months().await.unwrap(), 4);
    assert_eq!(app.make_months().await.unwrap(), 0);
    world.clock.advance(TimeDelta::minutes(1));
    assert_eq!(app.make_months().await.unwrap(), 1);
    for (month, ahead) in [(MAY, -1), (MAY, 13)] {
        let refused = sqlx::query("SELECT distribution.make_months($1, $2)").bind(at(month)).bind(ahead);
        assert!(refused.execute(world.pool()).await.is_err(), "{ahead}");
    }
}

#[tokio::test]
async fn what_lies_outside_is_moved_when_its_month_is_made() {
    let world = World::new().await;
    let (known, other, under_way) = (LeadId::new(), LeadId::new(), LeadId::new());
    insert(world.pool(), known, at(MAY)).await.unwrap();
    insert(world.pool(), other, at(JUNE)).await.unwrap();
    let mut writing = world.pool().begin().await.unwrap();
    insert(&mut *writing, under_way, at("2031-05-31T23:59:59.999999Z")).await.unwrap();
    let mut connection = world.pool().acquire().await.unwrap();
    let maker = process(&mut connection).await;
    let making = tokio::spawn(async move {
        let made: i32 = sqlx::query_scalar("SELECT distribution.make_months($1, 0)")
            .bind(at(MAY))
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        made
    });
    wait::until("it waits for who writes", PATIENCE, async || waits(world.pool(), maker).await).await;
    writing.commit().await.unwrap();
    assert_eq!(making.await.unwrap(), 1);
    for lead in [known, under_way] {
        assert_eq!(lies_in(world.pool(), lead).await, ["distribution.leads_2031_05"]);
        is_taken(insert(world.pool(), lead, at(JUNE)).await);
    }
    assert_eq!(lies_in(world.pool(), other).await, ["distribution.leads_default"]);
    assert_eq!(make(world.pool(), JUNE, 0).await, 1);
    assert_eq!(world.count("SELECT count(*) FROM distribution.leads_default").await, 0);
    assert_eq!(
        world
            .count("SELECT count(*) FROM distribution.leads JOIN distribution.lead_ids USING (lead_id, received_at)")
            .await,
        3
    );
}

#[tokio::test]
async fn no_lead_is_refused_while_its_month_is_made() {
    let world = World::new().await;
    let writers = (0..4).map(|writer| {
        let pool = world.pool().clone();
        tokio::spawn(async move {
            for day in 1..=40 {
                let received_at = at(MAY) + TimeDelta::days(day) + TimeDelta::seconds(writer);
                insert(&pool, LeadId::new(), received_at).await.unwrap();
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    wait::until("some are written", PATIENCE, async || {
        world.count("SELECT count(*) FROM distribution.leads").await > 20
    })
    .await;
    for month in [MAY, JUNE, "2031-07-01T00:00:00Z"] {
        assert_eq!(make(world.pool(), month, 0).await, 1);
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(world.count("SELECT count(*) FROM distribution.leads").await, 160);
    assert_eq!(world.count("SELECT count(*) FROM distribution.leads_default").await, 0);
}

#[tokio::test]
async fn tenants_reach_no_partition_directly() {
    let world = World::new().await;
    let lead = LeadId::new();
    insert(world.pool(), lead, at(NOON)).await.unwrap();
    let partitions: Vec<String> = sqlx::query_scalar(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'distribution.leads'::regclass",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    assert!(partitions.len() > 3, "{partitions:?}");
    let tenants = Tenants::new(world.pool().clone(), TENANT_ROLE);
    for partition in &partitions {
        let mut tx = tenants.begin(SellerId::from_uuid(lead.uuid())).await.unwrap();
        let read = sqlx::query(AssertSqlSafe(format!("SELECT FROM {partition}"))).execute(&mut *tx).await;
        let code =
            read.unwrap_err().as_database_error().and_then(|error| error.code()).map(std::borrow::Cow::into_owned);
        assert_eq!(code.as_deref(), Some("42501"), "{partition}");
        drop(tx);
        // Should somebody grant it: row security is there, too.
        let grant = format!("GRANT SELECT ON {partition} TO {}", TENANT_ROLE);
        sqlx::raw_sql(AssertSqlSafe(grant)).execute(world.pool()).await.unwrap();
        let mut tx = tenants.begin(SellerId::new()).await.unwrap();
        let found: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {partition}")))
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        assert_eq!(found, 0, "{partition}");
    }
    let made = sqlx::raw_sql("SET ROLE leadflow_distribution_tenant; SELECT distribution.make_months(now(), 1)");
    let mut connection = world.pool().acquire().await.unwrap();
    assert!(made.execute(&mut *connection).await.is_err());
    connection.close().await.unwrap();
}
