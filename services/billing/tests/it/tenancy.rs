//! Tenants are kept apart by PostgreSQL, also where a statement forgets to.

use leadflow_billing::{SCHEMA, TENANT_ROLE};
use leadflow_billing_domain::Markups;
use leadflow_contracts::events::UsageKind;
use leadflow_kernel::{BuyerId, PaymentId, SellerId};
use leadflow_platform::db::Tenants;
use leadflow_testkit::tenancy;

use crate::{
    support::*,
    usage::{count, sent, usage},
};

/// A tenant that has a row in every table: money, a sale that was paid, and an open hold.
async fn busy_tenant(world: &World) -> (SellerId, BuyerId) {
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let (sold, open) = (request(seller, buyer, "25.00"), request(seller, buyer, "25.00"));
    billing.place_holds(seller, &[sold.clone(), open]).await.unwrap();
    capture(&billing, &[message(&assigned(&[&sold]))]).await.unwrap();
    card_payments(world, seller, buyer).await;
    let usage = usage(world);
    count(&usage, &[sent(seller, UsageKind::Email, SUNDAY)]).await.unwrap();
    let markups = Markups { email: Some(dec("7")), ..Markups::default() };
    usage.set_markups(None, seller, markups).await.unwrap();
    sqlx::query(
        "INSERT INTO billing.usage_postings (seller_id, month, posting_id, units, exact, amount, at) \
         VALUES ($1, '2026-10-01', $1, 1, 0.01, 0.01, now())",
    )
    .bind(seller.uuid())
    .execute(world.pool())
    .await
    .unwrap();
    sqlx::query("INSERT INTO billing.usage_unpriced VALUES ($1, '2026-10-01', 'sms', $1, 20, 1, 1)")
        .bind(seller.uuid())
        .execute(world.pool())
        .await
        .unwrap();
    (seller, buyer)
}

/// A row in every table of card payments.
async fn card_payments(world: &World, seller: SellerId, buyer: BuyerId) {
    for sql in [
        "INSERT INTO billing.customers VALUES ($2, $1, '', '', 'cus_' || $2, now())",
        "INSERT INTO billing.cards VALUES ($3, $1, $2, 'pm_' || $3, 'visa', '4242', 12, 2030, true, now(), NULL)",
        "INSERT INTO billing.card_attempts VALUES ($3, $1, $2, now())",
        "INSERT INTO billing.payments (payment_id, seller_id, buyer_id, kind, amount, currency, card_id, customer, payment_method, \
           created_at, attempt_at) VALUES ($3, $1, $2, 'recharge', 1, 'USD', $3, '', '', now(), now())",
        "INSERT INTO billing.recharges (buyer_id, seller_id) VALUES ($2, $1)",
        "INSERT INTO billing.recharge_due (buyer_id, seller_id, due_at) VALUES ($2, $1, now())",
        "INSERT INTO billing.refund_requests VALUES ($1, 'r', $2, 1, '', now())",
        "INSERT INTO billing.refunds (refund_id, seller_id, buyer_id, payment_id, amount, state, posting_id, created_at) \
           VALUES ($3, $1, $2, $3, 1, 'succeeded', $3, now())",
        "INSERT INTO billing.disputes (dispute_id, seller_id, buyer_id, payment_id, amount, state, opened_at) \
           VALUES ('dp_' || $3, $1, $2, $3, 1, 'open', now())",
    ] {
        // Each statement has the tenant, the buyer and an id for whatever it makes.
        let sql = format!("WITH ids AS (SELECT $1::uuid, $2::uuid, $3::uuid) {sql}");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(seller.uuid())
            .bind(buyer.uuid())
            .bind(PaymentId::new().uuid())
            .execute(world.pool())
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_condition_only_the_tenants_rows_are_seen_and_changed() {
    let world = World::new().await;
    let ((mine, _), (theirs, _)) = (busy_tenant(&world).await, busy_tenant(&world).await);
    let tenants = Tenants::new(world.pool().clone(), TENANT_ROLE);
    let open = async |tenant| tenants.begin(SellerId::from_uuid(tenant)).await.unwrap();
    let proven = tenancy::prove(world.pool(), SCHEMA, TENANT_ROLE, (mine.uuid(), theirs.uuid()), open).await;
    for table in [
        "accounts",
        "audit_entries",
        "card_attempts",
        "cards",
        "credits",
        "customers",
        "disputes",
        "entries",
        "holds",
        "payments",
        "postings",
        "recharge_due",
        "recharges",
        "refund_requests",
        "refunds",
        "sellers",
        "usage_months",
        "usage_postings",
        "usage_terms",
        "usage_unpriced",
        "wallets",
    ] {
        assert!(proven.contains(&format!("billing.{table}")), "{table}: {proven:?}");
    }
}

/// The statement's lines are looked up by account alone, and wallets are written by their buyer's id alone.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_statement_forgets_the_database_adds() {
    let world = World::new().await;
    let ((mine, _), (theirs, their_buyer)) = (busy_tenant(&world).await, busy_tenant(&world).await);
    let tenants = Tenants::new(world.pool().clone(), TENANT_ROLE);
    for (seller, lines, wallets) in [(theirs, 2, 1), (mine, 0, 0)] {
        let mut tx = tenants.begin(seller).await.unwrap();
        let found: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM billing.entries e JOIN billing.accounts a USING (account_id) WHERE a.buyer_id = $1",
        )
        .bind(their_buyer.uuid())
        .fetch_one(&mut *tx)
        .await
        .unwrap();
        assert_eq!(found, lines);
        let emptied = sqlx::query("UPDATE billing.wallets SET balance = 0, held = 0 WHERE buyer_id = $1")
            .bind(their_buyer.uuid())
            .execute(&mut *tx)
            .await
            .unwrap();
        assert_eq!(emptied.rows_affected(), wallets);
    }
    world.check_books().await;
}
