//! Tenants are kept apart by PostgreSQL, also where a statement forgets to.

use leadflow_contracts::events::BuyerChanged;
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_notifier::{SCHEMA, TENANT_ROLE};
use leadflow_platform::db::Tenants;
use leadflow_testkit::{tenancy, wait};

use crate::{
    receiver::Receiver,
    world::{PATIENCE, World, call_as, code, put},
};

/// A tenant that has a row in every table: a buyer to whom a lead was delivered.
async fn busy_tenant(world: &mut World, url: &str) -> (SellerId, BuyerId) {
    world.seller = SellerId::new();
    let buyer = world.buyer_at(url).await;
    world
        .publish(&BuyerChanged {
            buyer_id: buyer.to_string(),
            seller_id: world.seller.to_string(),
            version: 1,
            ..BuyerChanged::default()
        })
        .await;
    world.sell(&[buyer]).await;
    world.delivery_when(buyer, "it is delivered", |delivery| !delivery.attempts.is_empty()).await;
    for statement in [
        "INSERT INTO notifier.sellers VALUES ($1, 1, 'Acme', 'America/New_York')",
        "INSERT INTO notifier.preferences (buyer_id, seller_id, updated_at) VALUES (gen_random_uuid(), $1, now())",
        "INSERT INTO notifier.masked_sales (lead_id, assignment_id, seller_id, buyer_id, told_at, masked_at) \
         VALUES (gen_random_uuid(), gen_random_uuid(), $1, gen_random_uuid(), now(), now())",
        "WITH sent AS ( \
           INSERT INTO notifier.messages (message_id, seller_id, channel, kind, expires_at, status, created_at, ended_at) \
           VALUES (gen_random_uuid(), $1, 'EMAIL', 'LEAD_ASSIGNED', now(), 'SENT', now(), now()) RETURNING message_id) \
         INSERT INTO notifier.message_attempts SELECT message_id, 1, now(), 5, 202, '' FROM sent",
    ] {
        sqlx::query(statement).bind(world.seller.uuid()).execute(world.db.pool()).await.unwrap();
    }
    (world.seller, buyer)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_condition_only_the_tenants_rows_are_seen_and_changed() {
    let receiver = Receiver::start().await;
    let mut world = World::start().await;
    let (mine, _) = busy_tenant(&mut world, &receiver.url).await;
    let (theirs, their_buyer) = busy_tenant(&mut world, &receiver.url).await;
    wait::until("both buyers are known", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.buyers").await == 2
    })
    .await;
    let tenants = Tenants::new(world.db.pool().clone(), TENANT_ROLE);
    let open = async |tenant| tenants.begin(SellerId::from_uuid(tenant)).await.unwrap();
    let proven = tenancy::prove(world.db.pool(), SCHEMA, TENANT_ROLE, (mine.uuid(), theirs.uuid()), open).await;
    for table in ["attempts", "audit_entries", "buyers", "deliveries", "endpoints"] {
        assert!(proven.contains(&format!("notifier.{table}")), "{table}: {proven:?}");
    }

    // Attempts are looked up by their delivery alone: with the tenant forgotten there are none of another's.
    let mut tx = tenants.begin(mine).await.unwrap();
    let found: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM notifier.attempts a JOIN notifier.deliveries d USING (delivery_id) WHERE d.buyer_id = $1",
    )
    .bind(their_buyer.uuid())
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    assert_eq!(found, 0);
    drop(tx);
    // And a webhook cannot be put in the place of another tenant's.
    let answer = world.client().put_endpoint(call_as(mine, put(their_buyer, &receiver.url))).await;
    assert_eq!(code(answer), "buyer_not_found");
}
