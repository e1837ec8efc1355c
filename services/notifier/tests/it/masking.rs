//! What is kept of leads goes when their personal data goes.

use std::sync::Arc;

use leadflow_contracts::{
    events::{DeliveryEnded, LeadAssigned, LeadsMasked, MaskedLead, MaskedSale},
    notifier::ReplayDeliveriesRequest,
};
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_testkit::wait;
use tokio::sync::Notify;

use crate::{
    receiver::{Manner, Receiver, status},
    world::{LEASE, PATIENCE, World, code, put, sold},
};

const REMOVED: &str = "removed with the personal data of its lead";

/// `lead.masked` of these sales.
fn masked(sold: &[&LeadAssigned]) -> LeadsMasked {
    let lead = |sold: &&LeadAssigned| MaskedLead {
        lead_id: sold.lead_id.clone(),
        sales: sold
            .assignments
            .iter()
            .map(|sale| MaskedSale { assignment_id: sale.assignment_id.clone(), buyer_id: sale.buyer_id.clone() })
            .collect(),
    };
    LeadsMasked {
        seller_id: sold[0].seller_id.clone(),
        leads: sold.iter().map(lead).collect(),
        erasure_id: String::new(),
        masked_at_ms: 1,
    }
}

async fn all_masked(world: &World, sales: i64) {
    wait::until("all is removed", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.masked_sales WHERE due_at IS NULL").await == sales
    })
    .await;
}

/// Rows in which something of the person or of what a receiver said is left.
async fn left(world: &World) -> i64 {
    world
        .count(
            "SELECT (SELECT count(*) FROM notifier.deliveries WHERE encode(payload, 'escape') LIKE '%john@%') \
               + (SELECT count(*) FROM notifier.attempts WHERE response <> '') \
               + (SELECT count(*) FROM notifier.messages WHERE contents IS NOT NULL)",
        )
        .await
}

async fn replay(world: &World, request: ReplayDeliveriesRequest) -> Result<u32, String> {
    let answer = world.endpoints().replay_deliveries(world.call(request)).await;
    match answer {
        Ok(answer) => Ok(answer.into_inner().replayed),
        refused => Err(code(refused)),
    }
}

#[tokio::test]
async fn what_was_sent_is_removed_and_not_sent_again() {
    let mut world = World::start().await;
    world.replica(|_| {}).await;
    let receiver = Receiver::start().await;
    receiver.behave(Manner::Answer { status: 200, headers: vec![], body: b"thanks for john@example.com".to_vec() });
    let (buyer, other) = (world.buyer_at(&receiver.url).await, world.buyer_at(&receiver.url).await);
    let begin = world.now().timestamp_millis();
    let (gone, kept) = (world.sell(&[buyer, other]).await, world.sell(&[buyer]).await);
    world.all_delivered(3).await;
    // Deleted webhooks are not forgotten.
    let endpoint_id = world.endpoint(buyer).await.endpoint_id;
    let delete = leadflow_contracts::notifier::DeleteEndpointRequest {
        buyer_id: other.to_string(),
        endpoint_id: world.endpoint(other).await.endpoint_id,
        ..Default::default()
    };
    world.endpoints().delete_endpoint(world.call(delete)).await.unwrap();

    world.publish(&masked(&[&gone])).await;
    // Told twice it is done once.
    world.publish(&masked(&[&gone])).await;
    all_masked(&world, 2).await;
    assert_eq!(world.count("SELECT sum(deliveries)::bigint FROM notifier.masked_sales").await, 2);
    assert_eq!(world.count("SELECT count(*) FROM notifier.deliveries WHERE octet_length(payload) > 0").await, 1);
    assert_eq!(left(&world).await, 2, "the body and the answer of the other lead");

    let listed = world.deliveries(buyer).await;
    let of = |sold: &LeadAssigned| listed.iter().find(|one| one.lead_id == sold.lead_id).unwrap().clone();
    assert_eq!((of(&gone).status.as_str(), of(&gone).attempts[0].response.as_str()), ("DELIVERED", ""));
    assert_eq!(of(&kept).attempts[0].response, "thanks for john@example.com");
    let one = |sold: &LeadAssigned| ReplayDeliveriesRequest {
        buyer_id: buyer.to_string(),
        delivery_id: of(sold).delivery_id,
        ..Default::default()
    };
    assert_eq!(replay(&world, one(&gone)).await, Err("delivery_masked".to_owned()));
    let range = ReplayDeliveriesRequest {
        buyer_id: buyer.to_string(),
        endpoint_id,
        from_ms: begin,
        until_ms: begin + 1_000,
        ..Default::default()
    };
    assert_eq!(replay(&world, range).await, Ok(1), "only the other lead's");
    receiver.wait_for(4).await;
    world.all_delivered(3).await;
    assert!(receiver.got().iter().all(|got| !got.body.is_empty()));
}

#[tokio::test]
async fn what_waits_is_given_up_and_never_sent_empty() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    receiver.behave(status(503));
    let buyer = world.buyer_at(&receiver.url).await;
    let gone = world.sell(&[buyer]).await;
    world.delivery_when(buyer, "it waits for its second attempt", |one| one.attempts_made == 1).await;
    let mut ended = world.bus.subscribe_core("notification.gave_up").await.unwrap();
    world.publish(&masked(&[&gone])).await;
    let given_up = world.delivery_when(buyer, "it is given up", |one| one.status == "GAVE_UP").await;
    assert_eq!((given_up.error.as_str(), given_up.attempts_made), (REMOVED, 1));
    let event: DeliveryEnded = prost::Message::decode(ended.next().await.unwrap()).unwrap();
    assert_eq!((event.delivery_id, event.error.as_str()), (given_up.delivery_id.clone(), REMOVED));
    all_masked(&world, 1).await;
    assert_eq!(left(&world).await, 0);
    receiver.behave(status(200));
    let one = ReplayDeliveriesRequest {
        buyer_id: buyer.to_string(),
        delivery_id: given_up.delivery_id,
        ..Default::default()
    };
    assert_eq!(replay(&world, one).await, Err("delivery_masked".to_owned()));
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test]
async fn an_attempt_in_hand_ends_first() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let go = Arc::new(Notify::new());
    receiver.behave(Manner::Hold(go.clone()));
    let buyer = world.buyer_at(&receiver.url).await;
    let gone = world.sell(&[buyer]).await;
    receiver.wait_for(1).await;
    world.publish(&masked(&[&gone])).await;
    wait::until("it was looked at and left", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.masked_sales WHERE due_at > told_at").await == 1
    })
    .await;
    assert_eq!(left(&world).await, 1);
    go.notify_one();
    world.all_delivered(1).await;
    world.advance(6);
    all_masked(&world, 1).await;
    assert_eq!(left(&world).await, 0);
    let one = world.deliveries(buyer).await.remove(0);
    assert_eq!((one.status.as_str(), one.attempts.len()), ("DELIVERED", 1), "what came of it is on record");
}

#[tokio::test]
async fn whoever_died_with_an_attempt_in_hand_records_nothing_later() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let go = Arc::new(Notify::new());
    receiver.behave(Manner::Hold(go.clone()));
    let buyer = world.buyer_at(&receiver.url).await;
    let gone = world.sell(&[buyer]).await;
    receiver.wait_for(1).await;
    // Its lease ends, and it is masked before anybody else takes it.
    sqlx::query("UPDATE notifier.endpoints SET enabled = false").execute(world.db.pool()).await.unwrap();
    world.advance(LEASE);
    world.publish(&masked(&[&gone])).await;
    let given_up = world.delivery_when(buyer, "it is given up", |one| one.status == "GAVE_UP").await;
    wait::until("all is removed", PATIENCE, async || {
        // Somebody else may have had it for a moment.
        world.advance(6);
        world.count("SELECT count(*) FROM notifier.masked_sales WHERE due_at IS NULL").await == 1
    })
    .await;
    go.notify_one();
    let after = world.sell(&[buyer]).await;
    world.delivery_when(buyer, "the next one is recorded", |one| one.lead_id == after.lead_id).await;
    let listed = world.deliveries(buyer).await;
    let same = listed.iter().find(|one| one.delivery_id == given_up.delivery_id).unwrap();
    assert_eq!((same.status.as_str(), same.attempts.len()), ("GAVE_UP", 0));
}

#[tokio::test]
async fn news_that_come_late_bring_nothing_back() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    reach(&world, buyer).await;
    let late = sold(world.seller, &[buyer], world.now());
    world.publish(&masked(&[&late])).await;
    all_masked(&world, 1).await;
    world.publish(&late).await;
    // A later lead has come.
    let after = world.sell(&[buyer]).await;
    world.delivery_when(buyer, "the next one arrives", |one| one.status == "DELIVERED").await;
    assert!(world.deliveries(buyer).await.iter().all(|one| one.lead_id == after.lead_id));
    assert_eq!(world.count("SELECT count(*) FROM notifier.messages").await, 1);
    assert_eq!(receiver.got().len(), 1);
}

/// Gives a buyer an address that mails may go to. There is no mail server, so they wait.
async fn reach(world: &World, buyer: BuyerId) {
    sqlx::query("INSERT INTO notifier.buyers (buyer_id, seller_id, email, email_verified) VALUES ($1, $2, 'sam@buyer.example', true)")
        .bind(buyer.uuid())
        .bind(world.seller.uuid())
        .execute(world.db.pool())
        .await
        .unwrap();
}

#[tokio::test]
async fn mails_that_wait_are_ended() {
    let world = World::start().await;
    let buyers = [BuyerId::new(), BuyerId::new()];
    for buyer in buyers {
        reach(&world, buyer).await;
    }
    let (gone, kept) = (world.sell(&buyers).await, world.sell(&buyers[..1]).await);
    let waiting = "SELECT count(*) FROM notifier.messages WHERE status = 'WAITING'";
    wait::until("three mails wait", PATIENCE, async || world.count(waiting).await == 3).await;
    world.publish(&masked(&[&gone])).await;
    all_masked(&world, 2).await;
    assert_eq!(world.count("SELECT sum(messages)::bigint FROM notifier.masked_sales").await, 2);
    let ended: Vec<(uuid::Uuid, String)> =
        sqlx::query_as("SELECT lead_id, error FROM notifier.messages WHERE status = 'EXPIRED'")
            .fetch_all(world.db.pool())
            .await
            .unwrap();
    let lead: leadflow_kernel::LeadId = gone.lead_id.parse().unwrap();
    assert_eq!(ended, vec![(lead.uuid(), REMOVED.to_owned()); 2]);
    let of: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT lead_id FROM notifier.messages WHERE contents IS NOT NULL")
        .fetch_all(world.db.pool())
        .await
        .unwrap();
    assert_eq!(of.len(), 1);
    let kept: leadflow_kernel::LeadId = kept.lead_id.parse().unwrap();
    assert_eq!(of[0], kept.uuid());
}

#[tokio::test]
async fn another_tenants_word_touches_nothing() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    world.client().put_endpoint(world.call(put(buyer, &receiver.url))).await.unwrap();
    let mine = world.sell(&[buyer]).await;
    world.all_delivered(1).await;
    let stranger = LeadsMasked { seller_id: SellerId::new().to_string(), ..masked(&[&mine]) };
    world.publish(&stranger).await;
    all_masked(&world, 1).await;
    assert_eq!(world.count("SELECT count(*) FROM notifier.deliveries WHERE octet_length(payload) > 0").await, 1);
}

/// In a database that was restored on another server, transactions are numbered from there on, and those of before have ended.
#[tokio::test]
async fn what_was_to_be_removed_when_a_backup_was_made_is_removed_after_it_is_restored() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    world.sell(&[buyer]).await;
    world.all_delivered(1).await;
    assert!(left(&world).await > 0);
    sqlx::query(
        "INSERT INTO notifier.masked_sales (lead_id, assignment_id, seller_id, buyer_id, told_at, due_at, written_by) \
         SELECT lead_id, assignment_id, seller_id, buyer_id, to_timestamp(0), to_timestamp(0), '4611686018427387904'::xid8 \
         FROM notifier.deliveries",
    )
    .execute(world.db.pool())
    .await
    .unwrap();
    all_masked(&world, 1).await;
    assert_eq!(left(&world).await, 0);
}

#[tokio::test]
async fn what_is_stored_by_a_statement_that_began_before_is_removed_too() {
    let mut world = World::start().await;
    world.replica(|_| {}).await;
    let receiver = Receiver::start().await;
    let buyer = world.buyer_at(&receiver.url).await;
    let gone = world.sell(&[buyer]).await;
    world.all_delivered(1).await;
    // As if it were not stored yet by somebody who has seen that nothing is masked.
    let stored = "CREATE TABLE notifier.stored AS SELECT * FROM notifier.deliveries; DELETE FROM notifier.attempts; \
                  DELETE FROM notifier.messages; DELETE FROM notifier.deliveries";
    sqlx::raw_sql(stored).execute(world.db.pool()).await.unwrap();
    let mut slow = world.db.pool().begin().await.unwrap();
    let snapshot = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM notifier.masked_sales";
    sqlx::raw_sql(snapshot).execute(&mut *slow).await.unwrap();

    world.publish(&masked(&[&gone])).await;
    let looks = "SELECT count(*) FROM (SELECT FROM pg_locks WHERE relation = 'notifier.masked_sales'::regclass AND mode = 'RowShareLock' \
                 UNION ALL SELECT FROM notifier.masked_sales WHERE due_at IS NULL) s";
    let mut seen = 0;
    wait::until("somebody looks, or has looked, at what is to be removed", PATIENCE, async || {
        seen += world.count(looks).await;
        seen > 2
    })
    .await;
    let late = "INSERT INTO notifier.deliveries SELECT * FROM notifier.stored";
    sqlx::raw_sql(late).execute(&mut *slow).await.unwrap();
    slow.commit().await.unwrap();
    all_masked(&world, 1).await;
    assert_eq!(left(&world).await, 0);
}
