//! The record of who changed what.

use leadflow_contracts::accounts::{
    AuditEntry, ListAuditRequest, RotateInviteCodeRequest, UpdateBuyerRequest, UpdateProfileRequest,
};
use leadflow_kernel::{AuditId, SellerId};
use leadflow_platform::grpc::ACTOR;

use crate::{
    someone::tenant,
    world::{World, as_tenant, code, unbound},
};

async fn entries(world: &World, seller: SellerId) -> Vec<AuditEntry> {
    let request = ListAuditRequest { limit: 200, before: String::new() };
    world.people().list_audit(as_tenant(seller, request)).await.unwrap().into_inner().entries
}

#[tokio::test]
async fn every_change_is_there_with_who_and_what_and_no_secret() {
    let world = World::start().await;
    let seller = world.registered_seller("sam@example.com").await;
    let user = seller.user.clone().unwrap();
    let own = tenant(&user);
    let buyer = world.registered_buyer("bea@example.com", &seller.invite_code).await;
    let session = world.session("sam@example.com").await;
    let mut change = as_tenant(
        own,
        UpdateBuyerRequest { buyer_id: buyer.buyer_id.clone(), priority: Some(9), ..Default::default() },
    );
    change.metadata_mut().insert(ACTOR, user.user_id.parse().unwrap());
    world.client().update_buyer(change).await.unwrap();
    let supplier = world.supplier(own).await;
    let key = world.key(own, &supplier).await;
    let rotate = RotateInviteCodeRequest { expires_in_hours: 1, actor_user_id: user.user_id.clone() };
    let code = world.people().rotate_invite_code(as_tenant(own, rotate)).await.unwrap().into_inner().code;
    let profile = UpdateProfileRequest { user_id: user.user_id.clone(), name: Some("Samuel".into()), phone: None };
    world.people().update_profile(unbound(profile)).await.unwrap();

    let found = entries(&world, own).await;
    let told: Vec<(&str, &str)> =
        found.iter().rev().map(|entry| (entry.action.as_str(), entry.actor_user_id.as_str())).collect();
    let (sam, bea) = (user.user_id.as_str(), buyer.user_id.as_str());
    assert_eq!(
        told,
        [
            ("user.registered", sam),
            ("seller.created", sam),
            ("user.registered", bea),
            ("buyer.created", bea),
            ("user.logged_in", sam),
            ("buyer.updated", sam),
            ("supplier.created", ""),
            ("api_key.created", ""),
            ("invite_code.replaced", sam),
            ("user.updated", sam),
        ]
    );
    let update = found.iter().find(|entry| entry.action == "buyer.updated").unwrap();
    assert_eq!(update.subject_id, buyer.buyer_id);
    let priority = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap()["priority"].clone();
    assert_eq!((priority(&update.before_json), priority(&update.after_json)), (5.into(), 9.into()));
    let all = format!("{found:?}");
    for secret in [&session.token, &key.api_key, &code, &seller.invite_code] {
        assert!(!all.contains(secret.as_str()));
    }
}

#[tokio::test]
async fn what_changes_nothing_or_is_refused_is_not_there() {
    let world = World::start().await;
    let seller = world.registered_seller("sam@example.com").await;
    let user = seller.user.clone().unwrap();
    let before = entries(&world, tenant(&user)).await.len();
    let same = UpdateProfileRequest { user_id: user.user_id.clone(), name: Some(user.name.clone()), phone: None };
    world.people().update_profile(unbound(same)).await.unwrap();
    world.log_in("sam@example.com", "leads for dinner").await.unwrap_err();
    let twice = crate::someone::buyer_request("sam@example.com", &seller.invite_code);
    world.people().register_buyer(unbound(twice)).await.unwrap_err();
    assert_eq!(entries(&world, tenant(&user)).await.len(), before);
}

#[tokio::test]
async fn a_tenant_reads_its_own_page_by_page() {
    let world = World::start().await;
    let own = tenant(&world.registered_seller("sam@example.com").await.user.unwrap());
    let other = tenant(&world.registered_seller("sue@example.com").await.user.unwrap());
    for _ in 0..5 {
        world.supplier(own).await;
    }
    let all = entries(&world, own).await;
    let mut pages = Vec::new();
    let mut before = String::new();
    loop {
        let request = ListAuditRequest { limit: 3, before: before.clone() };
        let page = world.people().list_audit(as_tenant(own, request)).await.unwrap().into_inner().entries;
        let Some(last) = page.last() else { break };
        before.clone_from(&last.audit_id);
        pages.extend(page);
    }
    assert_eq!((pages.len(), &pages), (7, &all));
    assert_eq!(entries(&world, other).await.len(), 2);
    for (limit, before) in [(0, String::new()), (201, String::new()), (1, "x".to_owned())] {
        let request = ListAuditRequest { limit, before };
        assert_eq!(code(world.people().list_audit(as_tenant(own, request)).await), "invalid_field");
    }
    let request = ListAuditRequest { limit: 1, before: AuditId::new().to_string() };
    assert_eq!(world.people().list_audit(as_tenant(own, request)).await.unwrap().into_inner().entries, all[..1]);
}
