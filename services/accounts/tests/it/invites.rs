//! Invite codes.

use leadflow_contracts::{
    accounts::{GetInviteCodeRequest, GetInviteRequest, RotateInviteCodeRequest, UpdateSellerRequest},
    common::Status,
};
use leadflow_kernel::SellerId;

use crate::{
    someone::{buyer_request, tenant},
    world::{World, as_tenant, code, unbound},
};

fn rotate(hours: u32) -> RotateInviteCodeRequest {
    RotateInviteCodeRequest { expires_in_hours: hours }
}

#[tokio::test]
async fn a_code_names_its_seller_until_it_is_replaced() {
    let world = World::start().await;
    let seller = world.registered_seller("sam@example.com").await;
    let own = tenant(seller.user.as_ref().unwrap());
    let mut people = world.people();
    let ask = |code: &str| unbound(GetInviteRequest { code: code.into() });
    let invite = people.get_invite(ask(&seller.invite_code.to_lowercase())).await.unwrap().into_inner();
    assert_eq!((invite.seller_id, invite.company_name.as_str()), (own.to_string(), "Acme Leads"));
    assert_eq!(world.invite_code(own).await, seller.invite_code);

    let next = people.rotate_invite_code(as_tenant(own, rotate(0))).await.unwrap().into_inner();
    assert_ne!(next.code, seller.invite_code);
    assert_eq!((world.invite_code(own).await, next.expires_at_ms), (next.code.clone(), 0));
    assert_eq!(code(people.get_invite(ask(&seller.invite_code)).await), "invite_not_found");
    let late = buyer_request("bea@example.com", &seller.invite_code);
    assert_eq!(code(people.register_buyer(unbound(late)).await), "invite_not_found");
    people.get_invite(ask(&next.code)).await.unwrap();
    for unknown in ["", "ABC12345", "0000000000", "' OR 1=1 --"] {
        assert_eq!(code(people.get_invite(ask(unknown)).await), "invite_not_found");
    }
}

#[tokio::test]
async fn a_code_may_expire() {
    let world = World::start().await;
    let own = tenant(&world.registered_seller("sam@example.com").await.user.unwrap());
    let mut people = world.people();
    let invite = people.rotate_invite_code(as_tenant(own, rotate(2))).await.unwrap().into_inner();
    assert_eq!(invite.expires_at_ms - invite.created_at_ms, 2 * 3_600_000);
    world.advance(7_199);
    people.get_invite(unbound(GetInviteRequest { code: invite.code.clone() })).await.unwrap();
    world.advance(1);
    let late = GetInviteRequest { code: invite.code.clone() };
    assert_eq!(code(people.get_invite(unbound(late)).await), "invite_not_found");
    let late = buyer_request("bea@example.com", &invite.code);
    assert_eq!(code(people.register_buyer(unbound(late)).await), "invite_not_found");
    // It is still told, with its end, so that the seller sees why nobody comes.
    assert_eq!(world.invite_code(own).await, invite.code);
    assert_eq!(code(people.rotate_invite_code(as_tenant(own, rotate(u32::MAX))).await), "invalid_field");
}

#[tokio::test]
async fn nobody_is_let_in_to_a_tenant_that_is_not_in_use() {
    let world = World::start().await;
    let seller = world.registered_seller("sam@example.com").await;
    let own = tenant(seller.user.as_ref().unwrap());
    let request =
        UpdateSellerRequest { seller_id: own.to_string(), status: Some(Status::Paused.into()), ..Default::default() };
    world.client().update_seller(as_tenant(own, request)).await.unwrap();
    let ask = GetInviteRequest { code: seller.invite_code.clone() };
    assert_eq!(code(world.people().get_invite(unbound(ask)).await), "invite_not_found");
    let request = buyer_request("bea@example.com", &seller.invite_code);
    assert_eq!(code(world.people().register_buyer(unbound(request)).await), "invite_not_found");
}

#[tokio::test]
async fn a_seller_from_before_gets_one_when_it_asks() {
    let world = World::start().await;
    let own = world.seller().await;
    let first = world.invite_code(own).await;
    assert_eq!((first.len(), world.invite_code(own).await), (10, first));
    let nobody = as_tenant(SellerId::new(), GetInviteCodeRequest {});
    assert_eq!(code(world.people().get_invite_code(nobody).await), "seller_not_found");
}
