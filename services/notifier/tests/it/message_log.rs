//! What a buyer was told by mail and text message, as he and his seller see it.

use leadflow_contracts::notifier::{ListMessagesRequest, SentMessage};
use leadflow_kernel::{BuyerId, LeadId, MessageId, SellerId};

use crate::{
    preferences::{buyer, messages},
    world::{World, call_as, code},
};

async fn store(world: &World, buyer: BuyerId, seconds: i64, sql: &'static str) -> String {
    let id = MessageId::new();
    sqlx::query(sql)
        .bind(id.uuid())
        .bind(world.seller.uuid())
        .bind(buyer.uuid())
        .bind(world.now() + chrono::TimeDelta::seconds(seconds))
        .execute(world.db.pool())
        .await
        .unwrap();
    id.to_string()
}

async fn page(world: &World, buyer: BuyerId, limit: u32, before: &str) -> Vec<SentMessage> {
    let request = ListMessagesRequest { buyer_id: buyer.to_string(), limit, before: before.to_owned() };
    messages(world, 0).list_messages(world.call(request)).await.unwrap().into_inner().messages
}

const SENT: &str = "WITH sent AS ( \
       INSERT INTO notifier.messages (message_id, seller_id, buyer_id, channel, kind, recipient, expires_at, status, \
         attempts_made, error, created_at, ended_at) \
       VALUES ($1, $2, $3, 'EMAIL', 'LEAD_ASSIGNED', 'bea@example.com', $4, 'BOUNCED', 2, 'no such user', $4, $4) \
       RETURNING message_id) \
     INSERT INTO notifier.message_attempts \
     SELECT message_id, number, $4, 5 * number, 503 - number, 'busy ' || number FROM sent, generate_series(1, 2) number";
const WAITING: &str = "INSERT INTO notifier.messages (message_id, seller_id, buyer_id, channel, kind, contents, \
       expires_at, status, due_at, created_at) VALUES ($1, $2, $3, 'SMS', 'LOW_BALANCE', '', $4, 'WAITING', $4, $4)";

#[tokio::test]
async fn messages_are_listed_with_their_attempts_the_newest_first() {
    let world = World::start().await;
    let (mine, others) = (buyer(&world, "").await, buyer(&world, "").await);
    let bounced = store(&world, mine, 0, SENT).await;
    store(&world, others, 1, SENT).await;
    let waiting = store(&world, mine, 2, WAITING).await;
    let lead = LeadId::new();
    sqlx::query("UPDATE notifier.messages SET lead_id = $1").bind(lead.uuid()).execute(world.db.pool()).await.unwrap();

    let all = page(&world, mine, 200, "").await;
    assert_eq!(all.iter().map(|one| one.message_id.as_str()).collect::<Vec<_>>(), [&waiting, &bounced]);
    let now = world.now().timestamp_millis();
    let told = &all[1];
    assert_eq!(
        (told.channel.as_str(), told.kind.as_str(), told.status.as_str()),
        ("EMAIL", "LEAD_ASSIGNED", "BOUNCED")
    );
    assert_eq!((told.recipient.as_str(), told.error.as_str()), ("bea@example.com", "no such user"));
    assert_eq!((told.attempts_made, told.next_attempt_at_ms, told.created_at_ms, told.ended_at_ms), (2, 0, now, now));
    assert_eq!(told.lead_id, lead.to_string());
    let attempts: Vec<_> =
        told.attempts.iter().map(|one| (one.number, one.duration_ms, one.status_code, one.error.as_str())).collect();
    assert_eq!(attempts, [(1, 5, 502, "busy 1"), (2, 10, 501, "busy 2")]);
    let waits = &all[0];
    assert_eq!((waits.status.as_str(), waits.next_attempt_at_ms, waits.ended_at_ms), ("WAITING", now + 2_000, 0));
    assert!(waits.attempts.is_empty());

    let first = page(&world, mine, 1, "").await;
    assert_eq!(first, all[..1]);
    assert_eq!(page(&world, mine, 1, &first[0].message_id).await, all[1..]);
    assert!(page(&world, mine, 1, &bounced).await.is_empty());
}

#[tokio::test]
async fn another_tenant_sees_none_and_pages_have_bounds() {
    let world = World::start().await;
    let mine = buyer(&world, "").await;
    store(&world, mine, 0, SENT).await;
    let request =
        |limit, before: &str| ListMessagesRequest { buyer_id: mine.to_string(), limit, before: before.to_owned() };
    let strangers = messages(&world, 0).list_messages(call_as(SellerId::new(), request(10, ""))).await.unwrap();
    assert!(strangers.into_inner().messages.is_empty());
    for (limit, before) in [(0, ""), (201, ""), (10, "x"), (10, &*mine.to_string())] {
        let answer = messages(&world, 0).list_messages(world.call(request(limit, before))).await;
        assert_eq!(code(answer), "invalid_field");
    }
}
