//! Who changed what of the catalogue.

use futures::future::join_all;
use leadflow_contracts::{
    common::{Logic, Status},
    distribution::{
        PutCampaignRequest, PutCategoryRequest, PutSubscriptionRequest, distribution_server::Distribution as _,
    },
};
use leadflow_kernel::{BuyerId, SellerId, UserId};
use leadflow_platform::{
    audit::{Actor, ActorRole, Entry, Trail},
    grpc::{ACTOR, ACTOR_ROLE},
};
use tonic::Request;

use crate::support::*;

fn by<T>(user: UserId, role: ActorRole, seller: SellerId, message: T) -> Request<T> {
    let mut request = as_tenant(seller, message);
    request.metadata_mut().insert(ACTOR, user.to_string().parse().unwrap());
    request.metadata_mut().insert(ACTOR_ROLE, role.code().parse().unwrap());
    request
}

/// The oldest first.
async fn entries(world: &World, seller: SellerId) -> Vec<Entry> {
    let mut connection = world.pool().acquire().await.unwrap();
    let trail = Trail::new("distribution");
    let (keys, _) = trail.keys(&mut connection, Some(seller), None, None, 100).await.unwrap();
    let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
    let mut entries = trail.entries(&mut connection, Some(seller), &ids).await.unwrap();
    entries.sort_by_key(|entry| entry.id);
    entries
}

#[tokio::test]
async fn every_change_is_written_down_with_who_and_what() {
    let world = World::new().await;
    let app = world.replica();
    let tenant = world.tenant(&app).await;
    let (owner, manager, person) = (UserId::new(), UserId::new(), UserId::new());
    let rename = PutCategoryRequest { name: "Renamed".into(), ..category(tenant) };
    call(&app).put_category(by(owner, ActorRole::Owner, tenant.seller, rename)).await.unwrap();
    let request = campaign(tenant, Logic::Waterfall);
    let made = by(manager, ActorRole::Manager, tenant.seller, request.clone());
    let made = call(&app).put_campaign(made).await.unwrap().into_inner();
    let buyer = world.buyer(&app, tenant).await;
    let wanted = subscription(made.campaign_id.parse().unwrap(), buyer);
    call(&app).put_subscription(by(person, ActorRole::Buyer, tenant.seller, wanted.clone())).await.unwrap();
    let capped = PutSubscriptionRequest { daily_cap: Some(3), ..wanted.clone() };
    call(&app).put_subscription(by(person, ActorRole::Buyer, tenant.seller, capped.clone())).await.unwrap();
    let left = PutSubscriptionRequest { status: Status::Archived.into(), ..capped };
    call(&app).put_subscription(as_tenant(tenant.seller, left)).await.unwrap();
    let gone = PutCampaignRequest { status: Status::Archived.into(), ..request };
    call(&app).put_campaign(by(owner, ActorRole::Owner, tenant.seller, gone)).await.unwrap();

    let found = entries(&world, tenant.seller).await;
    let told: Vec<_> = found.iter().map(|entry| (entry.action.as_ref(), entry.actor)).collect();
    let actor = |user, role| Some(Actor { user, role: Some(role) });
    assert_eq!(
        told,
        [
            ("category.created", None),
            ("category.updated", actor(owner, ActorRole::Owner)),
            ("campaign.created", actor(manager, ActorRole::Manager)),
            ("subscription.created", actor(person, ActorRole::Buyer)),
            ("subscription.updated", actor(person, ActorRole::Buyer)),
            ("subscription.archived", None),
            ("campaign.archived", actor(owner, ActorRole::Owner)),
        ]
    );
    assert!(found[0].before.is_none());
    let name = |value: &Option<serde_json::Value>| value.as_ref().unwrap()["name"].clone();
    assert_eq!((name(&found[1].before), name(&found[1].after)), (category(tenant).name.into(), "Renamed".into()));
    assert_eq!(found[1].subject_id, tenant.category.to_string());
    let campaign = found[2].after.as_ref().unwrap();
    assert_eq!((&campaign["distributionLogic"], &campaign["status"]), (&"WATERFALL".into(), &"ACTIVE".into()));
    assert!(campaign["pricePerLead"].is_string(), "money is text: {campaign}");
    let cap = |value: &Option<serde_json::Value>| value.as_ref().unwrap()["dailyCap"].clone();
    assert_eq!((cap(&found[4].before), cap(&found[4].after)), (serde_json::Value::Null, 3.into()));
    assert_eq!(found[4].after.as_ref().unwrap()["buyer"], buyer.to_string());
}

#[tokio::test]
async fn what_changes_nothing_or_is_refused_is_not_there_and_tenants_read_their_own() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, other) = (world.tenant(&app).await, world.tenant(&app).await);
    call(&app).put_category(as_tenant(tenant.seller, category(tenant))).await.unwrap();
    let unnamed = PutCategoryRequest { name: String::new(), ..category(tenant) };
    call(&app).put_category(as_tenant(tenant.seller, unnamed)).await.unwrap_err();
    let foreign = PutCategoryRequest { name: "Mine".into(), ..category(tenant) };
    call(&app).put_category(as_tenant(other.seller, foreign)).await.unwrap_err();
    let stranger = subscription(
        put_campaign(&app, tenant, campaign(tenant, Logic::Broadcast)).await.campaign_id.parse().unwrap(),
        BuyerId::new(),
    );
    call(&app).put_subscription(as_tenant(tenant.seller, stranger)).await.unwrap_err();
    let actions =
        async |seller| entries(&world, seller).await.into_iter().map(|entry| entry.action).collect::<Vec<_>>();
    assert_eq!(actions(tenant.seller).await, ["category.created", "campaign.created"]);
    assert_eq!(actions(other.seller).await, ["category.created"]);
    let ids: Vec<_> = entries(&world, tenant.seller).await.iter().map(|entry| entry.id).collect();
    let mut connection = world.pool().acquire().await.unwrap();
    let stolen = Trail::new("distribution").entries(&mut connection, Some(other.seller), &ids).await.unwrap();
    assert!(stolen.is_empty());
    for statement in [
        "UPDATE distribution.audit_entries SET action = 'nothing'",
        "DELETE FROM distribution.audit_entries",
        "TRUNCATE distribution.audit_entries",
    ] {
        let refused = sqlx::query(statement).execute(world.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("never changed or deleted"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_once_are_a_chain_without_a_gap() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let tenant = world.tenant(&replicas[0]).await;
    join_all((0..12).map(|number| {
        let request = PutCategoryRequest { name: format!("Name {number}"), ..category(tenant) };
        let app = &replicas[number % 2];
        async move { call(app).put_category(as_tenant(tenant.seller, request)).await.unwrap() }
    }))
    .await;
    let mut found = entries(&world, tenant.seller).await;
    assert_eq!(found.len(), 13);
    let version = |value: &Option<serde_json::Value>| value.as_ref().and_then(|value| value["version"].as_u64());
    found.sort_by_key(|entry| version(&entry.after));
    for pair in found.windows(2) {
        assert_eq!(pair[0].after, pair[1].before, "each begins where the one before ended");
    }
}
