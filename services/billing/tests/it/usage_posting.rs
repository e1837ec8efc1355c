//! A month is posted exactly once, whoever posts it, whatever fails in between, and whatever comes afterwards.

use leadflow_billing::{app::usage::Usage, workers::usage::step};
use leadflow_billing_domain::UsageKind;
use leadflow_contracts::events::UsageKind as Sent;
use leadflow_testkit::wait;
use sqlx::AssertSqlSafe;

use crate::{
    support::*,
    usage::{check_usage, count, go_to, many, months, posted, seller_in, units, usage, usage_on, usage_with},
};

/// Another replica's, on connections that wait for a lock as long as it takes.
fn patient(world: &World) -> Usage {
    usage_on(world.pool().clone(), &world.clock)
}

const NOON: &str = "2026-11-22T11:00:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_in_any_statement_leaves_nothing_and_the_next_step_does_it_all() {
    let world = World::new().await;
    let (seller, late) = (seller_in(&world, "UTC").await, seller_in(&world, "UTC").await);
    let nothing = usage_with(world.pool().clone(), &world.clock, &[]);
    count(&nothing, &many(100, late, Sent::Webhook, NOON)).await.unwrap();
    let usage = usage(&world);
    count(&usage, &many(100, seller, Sent::Email, NOON)).await.unwrap();
    go_to(&world, at("2026-12-02T00:00:00Z"));
    sqlx::query("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$")
        .execute(world.pool())
        .await
        .unwrap();
    for (what, table) in [
        ("DELETE", "usage_unpriced"),
        ("INSERT", "usage_months"),
        ("INSERT", "usage_postings"),
        ("UPDATE", "usage_months"),
        ("INSERT", "accounts"),
        ("INSERT", "postings"),
        ("INSERT", "entries"),
    ] {
        let refuse = format!(
            "CREATE TRIGGER refuse BEFORE {what} ON billing.{table} FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
        );
        sqlx::query(AssertSqlSafe(refuse)).execute(world.pool()).await.unwrap();
        step(&usage).await.expect_err(&format!("{what} {table}"));
        assert_eq!(world.count("SELECT count(*) FROM billing.usage_postings").await, 0, "{what} {table}");
        assert_eq!(
            world.count("SELECT count(*) FROM billing.postings WHERE kind = 'usage'").await,
            0,
            "{what} {table}"
        );
        assert_eq!(
            world.count("SELECT sum(posted_units)::bigint FROM billing.usage_months").await,
            0,
            "{what} {table}"
        );
        let counted = "SELECT sum(units)::bigint FROM (SELECT units FROM billing.usage_months UNION ALL SELECT units FROM billing.usage_unpriced) u";
        assert_eq!(world.count(counted).await, 200, "{what} {table}");
        sqlx::query(AssertSqlSafe(format!("DROP TRIGGER refuse ON billing.{table}")))
            .execute(world.pool())
            .await
            .unwrap();
        check_usage(&world).await;
    }
    assert_eq!(step(&usage).await.unwrap().posted, 2);
    assert_eq!(months(&posted(&world, seller).await), [("2026-11", "0.12".to_owned())]);
    assert_eq!(months(&posted(&world, late).await), [("2026-11", "0.06".to_owned())]);
    check_usage(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_post_at_the_same_moment_post_once() {
    let world = World::new().await;
    let seller = seller_in(&world, "UTC").await;
    let replicas = [patient(&world), patient(&world), patient(&world)];
    count(&replicas[0], &many(100, seller, Sent::Email, NOON)).await.unwrap();
    go_to(&world, at("2026-12-02T00:00:00Z"));
    // All of them have looked and wait for the same row before any of them has posted.
    let mut gate = world.pool().begin().await.unwrap();
    sqlx::query("SELECT FROM billing.usage_months FOR UPDATE").execute(&mut *gate).await.unwrap();
    let posting: Vec<_> =
        replicas.iter().cloned().map(|usage| tokio::spawn(async move { step(&usage).await })).collect();
    wait::until("three wait for the row", PATIENCE, async || {
        world
            .count(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
                 AND query LIKE '%FROM billing.usage_months%FOR UPDATE%'",
            )
            .await
            == 3
    })
    .await;
    gate.rollback().await.unwrap();
    let mut done = 0;
    for outcome in posting {
        done += outcome.await.unwrap().unwrap().posted;
    }
    assert_eq!(done, 1);
    assert_eq!(months(&posted(&world, seller).await), [("2026-11", "0.12".to_owned())]);
    check_usage(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_while_a_month_is_posted_is_in_the_next_posting() {
    let world = World::new().await;
    let seller = seller_in(&world, "UTC").await;
    let (one, two) = (patient(&world), patient(&world));
    count(&one, &many(100, seller, Sent::Email, NOON)).await.unwrap();
    go_to(&world, at("2026-12-02T00:00:00Z"));
    // The posting has locked and read the row, and cannot go on; another message of the same row comes meanwhile.
    let mut gate = world.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE billing.usage_postings IN EXCLUSIVE MODE").execute(&mut *gate).await.unwrap();
    let posting = tokio::spawn(async move { step(&one).await });
    waiting(&world, "INSERT INTO billing.usage_postings").await;
    let late = many(1, seller, Sent::Email, "2026-11-30T00:00:00Z");
    let counting = tokio::spawn(async move { count(&two, &late).await });
    waiting(&world, "INSERT INTO billing.usage_seen").await;
    gate.rollback().await.unwrap();
    assert_eq!(posting.await.unwrap().unwrap().posted, 1);
    counting.await.unwrap().unwrap();
    assert_eq!(units(&world).await, 101);
    assert_eq!(world.count("SELECT units FROM billing.usage_postings").await, 100);
    go_to(&world, at("2027-01-02T00:00:00Z"));
    // 0.115 were posted as 0.12: 0.00115 less 0.005 is nothing to post.
    assert_eq!(step(&usage(&world)).await.unwrap().posted, 0);
    count(&usage(&world), &many(9, seller, Sent::Email, "2026-12-22T00:00:00Z")).await.unwrap();
    go_to(&world, at("2027-01-03T00:00:00Z"));
    // 10 × 0.00115 less 0.005: 110 messages cost 0.1265, which is 0.13 in all.
    assert_eq!(step(&usage(&world)).await.unwrap().posted, 1);
    let found = posted(&world, seller).await;
    assert_eq!(months(&found), [("2026-11", "0.12".to_owned()), ("2026-12", "0.01".to_owned())]);
    assert_eq!(found[1].2, 10);
    check_usage(&world).await;
}

/// Waits until somebody waits in a statement with these words for a lock.
async fn waiting(world: &World, words: &str) {
    let waits = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
         AND query LIKE '%{words}%'"
    );
    wait::until(format!("somebody waits: {words}"), PATIENCE, async || {
        let waiting: i64 = sqlx::query_scalar(AssertSqlSafe(waits.clone())).fetch_one(world.pool()).await.unwrap();
        waiting == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rounding_leaves_is_not_lost_over_the_months() {
    let world = World::new().await;
    let seller = seller_in(&world, "UTC").await;
    let usage = usage_with(world.pool().clone(), &world.clock, &[("USD", UsageKind::Webhook, "0.004")]);
    let mut amounts = Vec::new();
    for (month, next) in [
        ("2026-11-22", "2026-12-02"),
        ("2026-12-05", "2027-01-02"),
        ("2027-01-05", "2027-02-02"),
        ("2027-02-05", "2027-03-02"),
    ] {
        go_to(&world, at(&format!("{month}T12:00:00Z")));
        // Each month 0.008, which by itself would be 0.01.
        count(&usage, &many(2, seller, Sent::Webhook, &format!("{month}T11:00:00Z"))).await.unwrap();
        go_to(&world, at(&format!("{next}T00:00:00Z")));
        step(&usage).await.unwrap();
        amounts.clear();
        amounts.extend(posted(&world, seller).await.into_iter().map(|(month, amount, _)| (month, amount.to_string())));
    }
    // 0.008, 0.016, 0.024 and 0.032 in all.
    let wanted = [("2026-11", "0.01"), ("2026-12", "0.01"), ("2027-02", "0.01")];
    assert_eq!(amounts, wanted.map(|(month, amount)| (month.to_owned(), amount.to_owned())));
    check_usage(&world).await;
}
