//! The record of who changed what.

use leadflow_contracts::{
    accounts::{RotateInviteCodeRequest, UpdateBuyerRequest, UpdateProfileRequest},
    audit::{GetEntriesRequest, ListEntriesRequest},
};
use leadflow_kernel::{AuditId, Clock as _};

use crate::{
    someone::tenant,
    world::{World, as_tenant, by, code, ms, unbound},
};

#[tokio::test]
async fn every_change_is_there_with_who_and_what_and_no_secret() {
    let world = World::start().await;
    let seller = world.registered_seller("sam@example.com").await;
    let user = seller.user.clone().unwrap();
    let own = tenant(&user);
    let buyer = world.registered_buyer("bea@example.com", &seller.invite_code).await;
    let session = world.session("sam@example.com").await;
    let change = UpdateBuyerRequest { buyer_id: buyer.buyer_id.clone(), priority: Some(9), ..Default::default() };
    world.client().update_buyer(by(&user, "OWNER", own, change)).await.unwrap();
    let supplier = world.supplier(own).await;
    let key = world.key(own, &supplier).await;
    let rotate = by(&user, "OWNER", own, RotateInviteCodeRequest { expires_in_hours: 1 });
    let code = world.people().rotate_invite_code(rotate).await.unwrap().into_inner().code;
    let profile = UpdateProfileRequest {
        user_id: user.user_id.clone(),
        name: Some("Samuel".into()),
        phone: None,
        check_only: false,
    };
    world.people().update_profile(unbound(profile)).await.unwrap();

    let found = world.entries(own).await;
    let told: Vec<_> = found
        .iter()
        .rev()
        .map(|entry| (entry.action.as_str(), (entry.actor_user_id.as_str(), entry.actor_role.as_str())))
        .collect();
    let (sam, bea, nobody) = ((user.user_id.as_str(), "OWNER"), (buyer.user_id.as_str(), "BUYER"), ("", ""));
    assert_eq!(
        told,
        [
            ("user.registered", sam),
            ("seller.created", sam),
            ("user.registered", bea),
            ("buyer.created", bea),
            ("user.logged_in", sam),
            ("buyer.updated", sam),
            ("supplier.created", nobody),
            ("api_key.created", nobody),
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
    let before = world.entries(tenant(&user)).await.len();
    let same = UpdateProfileRequest {
        user_id: user.user_id.clone(),
        name: Some(user.name.clone()),
        phone: None,
        check_only: false,
    };
    world.people().update_profile(unbound(same)).await.unwrap();
    world.log_in("sam@example.com", "leads for dinner").await.unwrap_err();
    let twice = crate::someone::buyer_request("sam@example.com", &seller.invite_code);
    world.people().register_buyer(unbound(twice)).await.unwrap_err();
    assert_eq!(world.entries(tenant(&user)).await.len(), before);
}

#[tokio::test]
async fn a_tenant_reads_its_own_within_bounds() {
    let world = World::start().await;
    let own = tenant(&world.registered_seller("sam@example.com").await.user.unwrap());
    world.advance(60);
    let other = tenant(&world.registered_seller("sue@example.com").await.user.unwrap());
    let middle = ms(world.clock.now());
    for _ in 0..5 {
        world.supplier(own).await;
    }
    world.advance(60);
    world.supplier(own).await;
    let list = async |from_ms, until_ms, limit| {
        let request = ListEntriesRequest { from_ms, until_ms, limit };
        world.audit().list_entries(as_tenant(own, request)).await.unwrap().into_inner()
    };
    let all = list(0, 0, 200).await;
    assert_eq!((all.keys.len(), all.total), (8, 8));
    assert!(all.keys.is_sorted_by(|a, b| (a.at_ms, &a.audit_id) > (b.at_ms, &b.audit_id)));
    let first = list(0, 0, 3).await;
    assert_eq!((&first.keys[..], first.total), (&all.keys[..3], 8));
    assert_eq!(list(middle, 0, 200).await.total, 6);
    assert_eq!(list(middle, middle + 1, 200).await.total, 5);
    assert_eq!(list(0, middle, 200).await.total, 2);

    // Another tenant's are not there, also by their ids; what belongs to nobody is nobody's.
    assert_eq!(world.entries(other).await.len(), 2);
    let audit_ids: Vec<String> = all.keys.iter().map(|key| key.audit_id.clone()).collect();
    let stolen = GetEntriesRequest { audit_ids: audit_ids.clone() };
    let stolen = world.audit().get_entries(as_tenant(other, stolen)).await.unwrap().into_inner();
    assert_eq!((stolen.entries.len(), stolen.considered), (0, 8));
    let platform = ListEntriesRequest { limit: 200, ..Default::default() };
    assert_eq!(world.audit().list_entries(unbound(platform)).await.unwrap().into_inner().total, 0);

    for limit in [0, 10_001] {
        let request = ListEntriesRequest { limit, ..Default::default() };
        assert_eq!(code(world.audit().list_entries(as_tenant(own, request)).await), "invalid_field");
    }
    for audit_ids in [vec!["x".to_owned()], vec![AuditId::new().to_string(); 201]] {
        assert_eq!(
            code(world.audit().get_entries(as_tenant(own, GetEntriesRequest { audit_ids })).await),
            "invalid_field"
        );
    }
}

#[tokio::test]
async fn nobody_changes_it_afterwards() {
    let world = World::start().await;
    world.registered_seller("sam@example.com").await;
    for statement in [
        "UPDATE accounts.audit_entries SET action = 'nothing'",
        "DELETE FROM accounts.audit_entries",
        "TRUNCATE accounts.audit_entries",
    ] {
        let refused = sqlx::query(statement).execute(world.db.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("never changed or deleted"), "{refused}");
    }
    assert_eq!(world.count("SELECT count(*) FROM accounts.audit_entries").await, 2);
}
