//! People who sign in for suppliers.

use leadflow_contracts::{
    accounts::{
        InviteUserRequest, ListInvitationsRequest, ListUsersRequest, Member, RemoveUserRequest,
        RevokeInvitationRequest, Role, Supplier, UpdateSupplierRequest,
    },
    common::Status,
    events::MailKind,
};
use leadflow_kernel::SupplierId;

use crate::{
    someone::{PASSWORD, tenant},
    team::{accept_request, invite_request},
    world::{World, as_tenant, by, code, unbound},
};

fn invite(email: &str, supplier_id: &str) -> InviteUserRequest {
    InviteUserRequest { supplier_id: supplier_id.into(), ..invite_request(email, Member::Unspecified) }
}

fn paused(supplier: &Supplier) -> UpdateSupplierRequest {
    UpdateSupplierRequest {
        supplier_id: supplier.supplier_id.clone(),
        status: Some(Status::Paused.into()),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_suppliers_person_signs_in_while_the_supplier_is_in_use() {
    let world = World::start().await;
    let mut mails = world.mails().await;
    let owner = world.registered_seller("sam@example.com").await.user.unwrap();
    let own = tenant(&owner);
    let manager = world.member(&owner, "mia@example.com", Member::Manager).await;
    let supplier = world.supplier(own).await;
    let request = invite("Sol@example.com", &supplier.supplier_id);
    let invitation = world.people().invite_user(by(&manager, "MANAGER", own, request)).await.unwrap().into_inner();
    assert_eq!(invitation.supplier_id, supplier.supplier_id);
    let (wanted, mail) = mails.next_to("Sol@example.com").await;
    assert_eq!((wanted.kind(), mail.company_name.as_str()), (MailKind::SupplierInvitation, "Acme Leads"));
    let list = async |supplier_id: &str| {
        let request = ListInvitationsRequest { supplier_id: supplier_id.into() };
        world.people().list_invitations(as_tenant(own, request)).await.unwrap().into_inner().invitations
    };
    assert_eq!(list(&supplier.supplier_id).await, [invitation]);
    assert!(list("").await.is_empty(), "not one of the team");
    let user = world.people().accept_invitation(unbound(accept_request(&mail.token))).await.unwrap().into_inner();
    assert_eq!((user.role(), user.member(), &user.supplier_id), (Role::Supplier, Member::Owner, &supplier.supplier_id));
    assert_eq!((user.seller_id.as_str(), user.company_name.as_str()), (owner.seller_id.as_str(), "Leads Inc"));
    let session = world.session("sol@example.com").await;

    // Not one of the team, whom its owner could make one.
    let wrong = RemoveUserRequest { user_id: user.user_id.clone(), supplier_id: String::new() };
    assert_eq!(code(world.people().remove_user(by(&owner, "OWNER", own, wrong)).await), "user_not_found");
    let team = ListUsersRequest { team: true, ..Default::default() };
    assert_eq!(world.people().list_users(as_tenant(own, team)).await.unwrap().into_inner().users.len(), 2);

    world.client().update_supplier(as_tenant(own, paused(&supplier))).await.unwrap();
    assert!(world.whose(&session.token).await.is_none());
    assert_eq!(code(world.log_in("sol@example.com", PASSWORD).await), "account_suspended");
    let again = by(&owner, "OWNER", own, invite("sid@example.com", &supplier.supplier_id));
    assert_eq!(code(world.people().invite_user(again).await), "supplier_inactive");
    let active = UpdateSupplierRequest { status: Some(Status::Active.into()), ..paused(&supplier) };
    world.client().update_supplier(as_tenant(own, active)).await.unwrap();

    let session = world.session("sol@example.com").await;
    let request = RemoveUserRequest { user_id: user.user_id.clone(), supplier_id: supplier.supplier_id.clone() };
    world.people().remove_user(by(&manager, "MANAGER", own, request)).await.unwrap();
    assert!(world.whose(&session.token).await.is_none());
}

#[tokio::test]
async fn another_tenants_supplier_is_not_found() {
    let world = World::start().await;
    let mut mails = world.mails().await;
    let owner = world.registered_seller("sam@example.com").await.user.unwrap();
    let own = tenant(&owner);
    let other = world.registered_seller("sue@example.com").await.user.unwrap();
    let theirs = tenant(&other);
    let supplier = world.supplier(own).await;
    for id in [supplier.supplier_id.clone(), SupplierId::new().to_string()] {
        let request = by(&other, "OWNER", theirs, invite("sol@example.com", &id));
        assert_eq!(code(world.people().invite_user(request).await), "supplier_not_found");
    }
    let request = by(&owner, "OWNER", own, invite("sol@example.com", &supplier.supplier_id));
    let invitation = world.people().invite_user(request).await.unwrap().into_inner();
    let revoke =
        RevokeInvitationRequest { invitation_id: invitation.invitation_id, supplier_id: supplier.supplier_id.clone() };
    let refused = world.people().revoke_invitation(by(&other, "OWNER", theirs, revoke)).await;
    assert_eq!(code(refused), "invitation_not_found");
    let token = mails.next_to("sol@example.com").await.1.token;
    // A supplier that was put out of use meanwhile lets nobody in.
    world.client().update_supplier(as_tenant(own, paused(&supplier))).await.unwrap();
    assert_eq!(code(world.people().accept_invitation(unbound(accept_request(&token))).await), "token_not_found");
    let active = UpdateSupplierRequest { status: Some(Status::Active.into()), ..paused(&supplier) };
    world.client().update_supplier(as_tenant(own, active)).await.unwrap();
    let user = world.people().accept_invitation(unbound(accept_request(&token))).await.unwrap().into_inner();
    let remove = RemoveUserRequest { user_id: user.user_id.clone(), supplier_id: supplier.supplier_id.clone() };
    assert_eq!(code(world.people().remove_user(by(&other, "OWNER", theirs, remove)).await), "user_not_found");
    let second = world.supplier(own).await;
    let remove = RemoveUserRequest { user_id: user.user_id, supplier_id: second.supplier_id };
    assert_eq!(code(world.people().remove_user(by(&owner, "OWNER", own, remove)).await), "user_not_found");
}
