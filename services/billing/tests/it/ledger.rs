//! What the tables themselves refuse, whatever a program does.

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_refuse_what_would_break_the_books() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let hold = request(seller, buyer, "25.00");
    billing.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap();
    capture(&billing, &[message(&assigned(&[&hold]))]).await.unwrap();
    for (what, sql) in [
        ("a negative balance", "UPDATE billing.wallets SET balance = -0.01"),
        ("more held than there is", "UPDATE billing.wallets SET held = balance + 0.01"),
        ("less than nothing held", "UPDATE billing.wallets SET held = -0.01"),
        ("a negative hold", "UPDATE billing.holds SET amount = -1"),
        ("a captured hold without a posting", "UPDATE billing.holds SET posting_id = NULL"),
        ("a rewritten posting", "UPDATE billing.postings SET at = now()"),
        ("a deleted posting", "DELETE FROM billing.postings"),
        ("a rewritten entry", "UPDATE billing.entries SET amount = 0"),
        ("a deleted entry", "DELETE FROM billing.entries"),
        ("an emptied ledger", "TRUNCATE billing.entries, billing.postings"),
        ("a forgotten credit", "DELETE FROM billing.credits"),
        (
            "an unbalanced posting",
            "INSERT INTO billing.entries (posting_id, line, account_id, amount) \
             VALUES (gen_random_uuid(), 1, gen_random_uuid(), 5.00)",
        ),
        (
            "a line added to a posting later",
            "INSERT INTO billing.entries (posting_id, line, account_id, amount) \
             SELECT posting_id, 9, account_id, 0.01 FROM billing.entries LIMIT 1",
        ),
        (
            "an assignment paid twice",
            "INSERT INTO billing.postings SELECT gen_random_uuid(), kind, seller_id, assignment_id, at, description \
             FROM billing.postings WHERE kind = 'lead_purchase'",
        ),
        (
            "two lines that continue the same balance",
            "INSERT INTO billing.entries (posting_id, line, account_id, amount, number, balance_after) \
             SELECT '00000000-0000-0000-0000-000000000001', n, account_id, 0, number, balance_after \
             FROM billing.entries, generate_series(1, 2) n WHERE number = 1",
        ),
    ] {
        assert!(sqlx::query(sql).execute(world.pool()).await.is_err(), "{what}");
    }
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_statement_and_its_locks_use_indexes() {
    let world = World::new().await;
    let billing = world.replica();
    world.tenant(&billing, "1.00").await;
    let mut connection = world.pool().acquire().await.unwrap();
    sqlx::query("SET enable_seqscan = off").execute(&mut *connection).await.unwrap();
    for (sql, index) in [
        (
            "EXPLAIN SELECT number FROM billing.entries WHERE account_id = gen_random_uuid() AND number IS NOT NULL \
             AND number < 5 ORDER BY number DESC LIMIT 10",
            "entries_statement",
        ),
        (
            "EXPLAIN SELECT hold_id FROM billing.holds WHERE state = 'held' AND placed_at < now() \
             AND (placed_at, hold_id) > ('1970-01-01', gen_random_uuid()) ORDER BY placed_at, hold_id LIMIT 10",
            "holds_open",
        ),
    ] {
        let plan: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await.unwrap();
        assert!(plan.join("\n").contains(index), "{plan:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_table_that_nothing_uses() {
    let world = World::new().await;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'billing' ORDER BY 1")
            .fetch_all(world.pool())
            .await
            .unwrap();
    let used = [
        "_sqlx_migrations",
        "accounts",
        "audit_entries",
        "card_attempts",
        "cards",
        "credits",
        "customers",
        "disputes",
        "entries",
        "holds",
        "outbox",
        "payments",
        "postings",
        "provider_events",
        "recharge_due",
        "recharges",
        "reconciliations",
        "refund_requests",
        "refunds",
        "sellers",
        "usage_costs",
        "usage_months",
        "usage_postings",
        "usage_prices",
        "usage_seen",
        "usage_terms",
        "usage_unpriced",
        "wallets",
    ];
    assert_eq!(tables, used);
}
