//! Who changed a webhook: every change once, nothing that is secret, and nothing of another tenant's.

use futures::future::join_all;
use leadflow_contracts::{
    audit::{GetEntriesRequest, ListEntriesRequest, audit_client::AuditClient},
    notifier::PutEndpointRequest,
};
use leadflow_kernel::{BuyerId, SellerId, UserId};
use leadflow_platform::{
    audit::{Actor, ActorRole, Entry, Trail},
    grpc::{ACTOR, ACTOR_ROLE, channel},
};
use serde_json::{Value, json};

use crate::{
    receiver::{Receiver, status},
    world::{SECRET, World, call_as, code, put},
};

const URL: &str = "http://127.0.0.1:9/hooks/a-token-in-the-path?key=another";

/// The oldest first.
async fn entries(world: &World, seller: SellerId) -> Vec<Entry> {
    let mut connection = world.db.pool().acquire().await.unwrap();
    let trail = Trail::new("notifier");
    let (keys, _) = trail.keys(&mut connection, Some(seller), None, None, 100).await.unwrap();
    let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
    let mut entries = trail.entries(&mut connection, Some(seller), &ids).await.unwrap();
    entries.sort_by_key(|entry| entry.id);
    entries
}

#[tokio::test]
async fn a_change_is_written_down_with_who_and_what_and_without_secrets() {
    let world = World::start().await;
    let (buyer, user) = (BuyerId::new(), UserId::new());
    let change = async |request: PutEndpointRequest| {
        let mut request = world.call(request);
        request.metadata_mut().insert(ACTOR, user.to_string().parse().unwrap());
        request.metadata_mut().insert(ACTOR_ROLE, ActorRole::Buyer.code().parse().unwrap());
        world.client().put_endpoint(request).await.unwrap().into_inner()
    };
    let made = change(put(buyer, URL)).await;
    // The same again is no change, and a refused one neither.
    assert_eq!(change(put(buyer, URL)).await, made);
    let short = PutEndpointRequest { secret: "short".to_owned(), ..put(buyer, URL) };
    code(world.client().put_endpoint(world.call(short)).await);
    let moved = "https://8.8.8.8/elsewhere/with-a-token";
    change(PutEndpointRequest { enabled: false, ..put(buyer, moved) }).await;
    let resealed = PutEndpointRequest { secret: "another secret text".to_owned(), enabled: false, ..put(buyer, moved) };
    assert_eq!(change(resealed).await.version, 3);

    let found = entries(&world, world.seller).await;
    let told: Vec<_> = found.iter().map(|entry| (entry.action.as_ref(), entry.subject_id.as_str())).collect();
    let id = made.endpoint_id.as_str();
    assert_eq!(told, [("webhook.created", id), ("webhook.updated", id), ("webhook.updated", id)]);
    let actor = Some(Actor { user, role: Some(ActorRole::Buyer) });
    assert!(found.iter().all(|entry| entry.actor == actor));
    let part = |value: &Option<Value>, key: &str| value.as_ref().unwrap()[key].clone();
    assert!(found[0].before.is_none());
    assert_eq!(part(&found[0].after, "url"), "http://127.0.0.1:9/…");
    assert_eq!(part(&found[1].before, "enabled"), json!(true));
    assert_eq!(
        (part(&found[1].after, "enabled"), part(&found[1].after, "url")),
        (json!(false), json!("https://8.8.8.8/…"))
    );
    assert_eq!(part(&found[1].after, "changed"), json!(["url", "enabled"]));
    assert_eq!(part(&found[2].after, "changed"), json!(["secret"]));
    let all: String = found.iter().map(|entry| format!("{:?}{:?}", entry.before, entry.after)).collect();
    for secret in [SECRET, "MDEyMzQ1", "another secret text", "token", "key=another"] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
    for statement in [
        "UPDATE notifier.audit_entries SET action = 'nothing'",
        "DELETE FROM notifier.audit_entries",
        "TRUNCATE notifier.audit_entries",
    ] {
        let refused = sqlx::query(statement).execute(world.db.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("never changed or deleted"), "{refused}");
    }

    // It is told over gRPC, to its tenant alone.
    let mut audit = AuditClient::new(channel(&world.replicas[0].url, "NOTIFIER_URL").unwrap());
    let question = ListEntriesRequest { from_ms: 0, until_ms: 0, limit: 10 };
    let listed = audit.list_entries(world.call(question)).await.unwrap().into_inner();
    assert_eq!(listed.total, 3);
    let ids = GetEntriesRequest { audit_ids: listed.keys.into_iter().map(|key| key.audit_id).collect() };
    let mine = audit.get_entries(world.call(ids.clone())).await.unwrap().into_inner();
    assert_eq!(mine.entries[2].action, "webhook.created");
    let stranger = SellerId::new();
    assert_eq!(audit.list_entries(call_as(stranger, question)).await.unwrap().into_inner().total, 0);
    assert!(audit.get_entries(call_as(stranger, ids)).await.unwrap().into_inner().entries.is_empty());
}

#[tokio::test]
async fn what_the_system_switches_off_is_written_down_as_its_own_doing() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    receiver.behave(status(410));
    let buyer = world.buyer_at(&receiver.url).await;
    let before = world.endpoint(buyer).await;
    world.sell(&[buyer]).await;
    world.delivery_when(buyer, "it was given up", |delivery| delivery.status == "GAVE_UP").await;
    let found = entries(&world, world.seller).await;
    let last = found.last().unwrap();
    assert_eq!((last.action.as_ref(), last.actor), ("webhook.disabled", None));
    assert_eq!(last.after.as_ref().unwrap()["enabled"], json!(false));
    assert!(last.after.as_ref().unwrap()["disabledReason"].as_str().is_some_and(|reason| !reason.is_empty()));

    // Who read it before must not switch it on again unawares.
    let late = PutEndpointRequest {
        url: "http://127.0.0.1:9/".to_owned(),
        secret: String::new(),
        expected_version: Some(before.version),
        ..put(buyer, &receiver.url)
    };
    assert_eq!(code(world.client().put_endpoint(world.call(late)).await), "changed_meanwhile");
    assert!(!world.endpoint(buyer).await.enabled);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_changes_made_for_one_version_one_is_carried_out_and_written_down() {
    let mut world = World::start().await;
    world.replica(|_| {}).await;
    let buyer = BuyerId::new();
    for expected in [0, 1, 2] {
        let answers = join_all((0..6).map(|number: usize| {
            let mut client = world.replicas[number % 2].client.clone();
            let url = format!("http://127.0.0.1:9/{expected}/{number}");
            let request = PutEndpointRequest { expected_version: Some(expected), ..put(buyer, &url) };
            let request = world.call(request);
            async move { client.put_endpoint(request).await }
        }))
        .await;
        let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(made.len(), 1);
        assert!(refused.into_iter().all(|answer| code(answer) == "changed_meanwhile"));
        assert_eq!(made.into_iter().next().unwrap().unwrap().into_inner().version, expected + 1);
    }
    assert_eq!(entries(&world, world.seller).await.len(), 3);
    let none = PutEndpointRequest { expected_version: Some(4), ..put(BuyerId::new(), URL) };
    assert_eq!(code(world.client().put_endpoint(world.call(none)).await), "endpoint_not_found");
}
