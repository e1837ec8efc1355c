//! Who put money where, and why.

use futures::future::join_all;
use leadflow_billing::{
    app::{Actor, NewCredit},
    inbound::grpc::Service,
};
use leadflow_billing_domain::Price;
use leadflow_contracts::billing::{CreditWalletRequest, billing_server::Billing as _};
use leadflow_kernel::{SellerId, UserId};
use leadflow_platform::{
    audit::{self, ActorRole, Entry, Trail},
    grpc::{ACTOR, ACTOR_ROLE},
};
use tonic::Request;

use crate::support::*;

/// The oldest first.
async fn entries(world: &World, seller: SellerId) -> Vec<Entry> {
    let mut connection = world.pool().acquire().await.unwrap();
    let trail = Trail::new("billing");
    let (keys, _) = trail.keys(&mut connection, Some(seller), None, None, 100).await.unwrap();
    let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
    let mut entries = trail.entries(&mut connection, Some(seller), &ids).await.unwrap();
    entries.sort_by_key(|entry| entry.id);
    entries
}

fn manager() -> Actor {
    Some(audit::Actor { user: UserId::new(), role: Some(ActorRole::Manager) })
}

#[tokio::test]
async fn a_credit_is_written_down_once_with_its_reason() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "0.00").await;
    let actor = manager().unwrap();
    let service = Service::new(billing.clone());
    let call = |id: &str, amount: &str| {
        let mut request = Request::new(CreditWalletRequest {
            buyer_id: buyer.to_string(),
            credit_id: id.to_owned(),
            amount: proto_usd(amount),
            description: "bank transfer 7".to_owned(),
        });
        let metadata = request.metadata_mut();
        metadata.insert("x-leadflow-tenant", seller.to_string().parse().unwrap());
        metadata.insert(ACTOR, actor.user.to_string().parse().unwrap());
        metadata.insert(ACTOR_ROLE, ActorRole::Manager.code().parse().unwrap());
        service.credit_wallet(request)
    };
    call("c-1", "50.00").await.unwrap();
    call("c-1", "50.00").await.unwrap();
    call("c-1", "60.00").await.unwrap_err();
    call("c-2", "-1.00").await.unwrap_err();
    call("c-3", "25.50").await.unwrap();
    let found = entries(&world, seller).await;
    assert!(found.iter().all(|entry| entry.action == "wallet.credited" && entry.actor == Some(actor)));
    assert!(found.iter().all(|entry| entry.subject_id == buyer.to_string()));
    let value = |value: &Option<serde_json::Value>, key: &str| {
        value.as_ref().unwrap()[key].as_str().unwrap_or_default().to_owned()
    };
    let told: Vec<_> = found
        .iter()
        .map(|entry| (value(&entry.before, "balance"), value(&entry.after, "balance"), value(&entry.after, "amount")))
        .collect();
    let wanted = [("0.00", "50.00", "50.00"), ("50.00", "75.50", "25.50")];
    assert_eq!(told, wanted.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
    assert_eq!(value(&found[0].after, "reason"), "bank transfer 7");
    for statement in [
        "UPDATE billing.audit_entries SET action = 'nothing'",
        "DELETE FROM billing.audit_entries",
        "TRUNCATE billing.audit_entries",
    ] {
        let refused = sqlx::query(statement).execute(world.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("never changed or deleted"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_at_once_are_a_chain_and_other_tenants_see_none_of_it() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let (seller, buyer) = world.tenant(&replicas[0], "0.00").await;
    let (other, _) = world.tenant(&replicas[0], "0.00").await;
    join_all((0..10).map(|number| {
        let new = NewCredit {
            seller,
            buyer,
            id: format!("c-{}", number / 2),
            amount: usd("1.00"),
            description: "each twice".to_owned(),
        };
        replicas[number % 2].credit_wallet(manager(), new)
    }))
    .await
    .into_iter()
    .for_each(|answer| assert_eq!(answer.unwrap().wallet.seller, seller));
    let threshold = Price::new(usd("3.00")).unwrap();
    for _ in 0..2 {
        replicas[0].set_low_balance_threshold(manager(), seller, buyer, threshold).await.unwrap();
    }
    let found = entries(&world, seller).await;
    let (credits, thresholds): (Vec<_>, Vec<_>) = found.iter().partition(|entry| entry.action == "wallet.credited");
    assert_eq!((credits.len(), thresholds.len()), (5, 1));
    let balance = |value: &Option<serde_json::Value>| value.as_ref().unwrap()["balance"].as_str().unwrap().to_owned();
    let mut steps: Vec<_> = credits.iter().map(|entry| (balance(&entry.before), balance(&entry.after))).collect();
    steps.sort();
    let wanted = (0..5).map(|at| (format!("{at}.00"), format!("{}.00", at + 1))).collect::<Vec<_>>();
    assert_eq!(steps, wanted);
    assert!(entries(&world, other).await.is_empty());
}
