//! Team members: invited, changed, removed.

use futures::future::join_all;
use leadflow_contracts::{
    accounts::{
        AcceptInvitationRequest, ChangeMemberRequest, Invitation, InviteUserRequest, ListInvitationsRequest,
        ListUsersRequest, Member, RemoveUserRequest, RevokeInvitationRequest, Role, User,
    },
    events::MailKind,
};
use leadflow_kernel::{InvitationId, SellerId, UserId};
use leadflow_platform::grpc::stable_code;
use tonic::{Code, Response, Status};

use crate::{
    someone::{PASSWORD, tenant},
    world::{World, as_tenant, by, code, unbound},
};

pub(crate) fn invite_request(email: &str, member: Member) -> InviteUserRequest {
    InviteUserRequest {
        invitation_id: InvitationId::new().to_string(),
        email: email.into(),
        member: member.into(),
        supplier_id: String::new(),
    }
}

pub(crate) fn accept_request(token: &str) -> AcceptInvitationRequest {
    AcceptInvitationRequest {
        user_id: UserId::new().to_string(),
        token: token.into(),
        password: PASSWORD.into(),
        name: "Mia Member".into(),
        phone: String::new(),
    }
}

impl World {
    /// Somebody new in the team.
    pub(crate) async fn member(&self, owner: &User, email: &str, member: Member) -> User {
        let mut mails = self.mails().await;
        let request = by(owner, "OWNER", tenant(owner), invite_request(email, member));
        self.people().invite_user(request).await.unwrap();
        let (_, mail) = mails.next_to(email).await;
        self.people().accept_invitation(unbound(accept_request(&mail.token))).await.unwrap().into_inner()
    }

    async fn change_member(&self, actor: &User, user: &User, member: Member) -> Result<Response<User>, Status> {
        let request = ChangeMemberRequest { user_id: user.user_id.clone(), member: member.into() };
        self.people().change_member(by(actor, "OWNER", tenant(actor), request)).await
    }

    async fn team(&self, seller: SellerId) -> Vec<User> {
        let request = ListUsersRequest { team: true, ..Default::default() };
        self.people().list_users(as_tenant(seller, request)).await.unwrap().into_inner().users
    }

    async fn invitations(&self, seller: SellerId) -> Vec<Invitation> {
        let request = ListInvitationsRequest::default();
        self.people().list_invitations(as_tenant(seller, request)).await.unwrap().into_inner().invitations
    }
}

fn remove(user: &User) -> RemoveUserRequest {
    RemoveUserRequest { user_id: user.user_id.clone(), supplier_id: String::new() }
}

#[tokio::test]
async fn somebody_is_invited_accepts_once_and_may_what_his_role_says() {
    let world = World::start().await;
    let mut mails = world.mails().await;
    let owner = world.registered_seller("sam@example.com").await.user.unwrap();
    let own = tenant(&owner);
    let request = invite_request("Mia@Example.com", Member::Manager);
    let invitation = world.people().invite_user(by(&owner, "OWNER", own, request.clone())).await.unwrap().into_inner();
    assert_eq!((invitation.email.as_str(), invitation.member()), ("Mia@Example.com", Member::Manager));
    assert_eq!(invitation.invited_by_user_id, owner.user_id);
    let (wanted, mail) = mails.next_to("Mia@Example.com").await;
    assert_eq!((wanted.kind(), mail.company_name.as_str()), (MailKind::TeamInvitation, "Acme Leads"));
    assert_eq!((wanted.user_id.as_str(), wanted.expires_at_ms), ("", invitation.expires_at_ms));
    assert_eq!(world.invitations(own).await, std::slice::from_ref(&invitation));
    let stored = world.count("SELECT count(*) FROM accounts.invitations WHERE octet_length(sha256) = 32").await;
    assert_eq!(stored, 1);

    // The same request again sends nothing; its id for somebody else is refused.
    assert_eq!(
        world.people().invite_user(by(&owner, "OWNER", own, request.clone())).await.unwrap().into_inner(),
        invitation
    );
    let other = InviteUserRequest { member: Member::Viewer.into(), ..request };
    assert_eq!(code(world.people().invite_user(by(&owner, "OWNER", own, other)).await), "invitation_exists");

    let mut weak = accept_request(&mail.token);
    weak.password = "mia@example".into();
    assert_eq!(code(world.people().accept_invitation(unbound(weak)).await), "invalid_field");
    let accept = accept_request(&mail.token);
    let user = world.people().accept_invitation(unbound(accept.clone())).await.unwrap().into_inner();
    assert_eq!(
        (user.role(), user.member(), user.seller_id.as_str()),
        (Role::Seller, Member::Manager, owner.seller_id.as_str())
    );
    assert!(user.email_verified && user.company_name == "Acme Leads");
    // The answer may have been lost: the same again is answered again, anybody else's is not.
    assert_eq!(world.people().accept_invitation(unbound(accept.clone())).await.unwrap().into_inner(), user);
    assert_eq!(code(world.people().accept_invitation(unbound(accept_request(&mail.token))).await), "token_not_found");
    let mut guess = accept;
    guess.password = "another lunch of leads".into();
    assert_eq!(code(world.people().accept_invitation(unbound(guess)).await), "token_not_found");
    assert!(world.invitations(own).await.is_empty());

    let session = world.session("mia@example.com").await;
    assert_eq!(session.user.unwrap().member(), Member::Manager);
    world.change_member(&owner, &user, Member::Viewer).await.unwrap();
    let seen = world.whose(&session.token).await.unwrap();
    assert_eq!(seen.user.unwrap().member(), Member::Viewer, "from the next request on");
    world.people().remove_user(by(&owner, "OWNER", own, remove(&user))).await.unwrap();
    assert!(world.whose(&session.token).await.is_none(), "at once");
    assert_eq!(code(world.log_in("mia@example.com", PASSWORD).await), "wrong_credentials");
    assert_eq!(code(world.people().remove_user(by(&owner, "OWNER", own, remove(&user))).await), "user_not_found");
    assert_eq!(world.team(own).await.len(), 1);

    let told: Vec<_> =
        world.entries(own).await.into_iter().rev().map(|entry| (entry.action, entry.actor_role)).collect();
    let told: Vec<_> = told.iter().map(|(action, role)| (action.as_str(), role.as_str())).collect();
    assert_eq!(
        told[2..],
        [
            ("user.invited", "OWNER"),
            ("user.joined", "MANAGER"),
            ("user.logged_in", "MANAGER"),
            ("user.role_changed", "OWNER"),
            ("user.removed", "OWNER"),
        ]
    );
    assert!(!format!("{:?}", world.entries(own).await).contains(&mail.token));
    // Who left may come again.
    world.member(&owner, "mia@example.com", Member::Owner).await;
}

#[tokio::test]
async fn an_invitation_ends_when_it_is_replaced_taken_back_or_old() {
    let world = World::start().await;
    let mut mails = world.mails().await;
    let owner = world.registered_seller("sam@example.com").await.user.unwrap();
    let own = tenant(&owner);
    let invite = async |email: &str| {
        let request = by(&owner, "OWNER", own, invite_request(email, Member::Viewer));
        world.people().invite_user(request).await.unwrap().into_inner()
    };
    let accept = async |token: &str| world.people().accept_invitation(unbound(accept_request(token))).await;
    let first = {
        invite("mia@example.com").await;
        mails.next_to("mia@example.com").await.1.token
    };
    let second = invite("MIA@example.com").await;
    let token = mails.next_to("MIA@example.com").await.1.token;
    assert_eq!(code(accept(&first).await), "token_not_found", "replaced");
    assert_eq!(world.invitations(own).await, std::slice::from_ref(&second));
    let revoke = RevokeInvitationRequest { invitation_id: second.invitation_id.clone(), supplier_id: String::new() };
    world.people().revoke_invitation(by(&owner, "OWNER", own, revoke.clone())).await.unwrap();
    assert_eq!(code(accept(&token).await), "token_not_found", "taken back");
    assert_eq!(code(world.people().revoke_invitation(by(&owner, "OWNER", own, revoke)).await), "invitation_not_found");

    invite("max@example.com").await;
    let token = mails.next_to("max@example.com").await.1.token;
    world.advance(7 * 24 * 3600 - 1);
    assert_eq!(world.invitations(own).await.len(), 1);
    world.advance(1);
    assert_eq!(code(accept(&token).await), "token_not_found", "old");
    assert!(world.invitations(own).await.is_empty());

    // Whoever has registered by himself meanwhile is not invited, nor can he accept.
    invite("meg@example.com").await;
    let token = mails.next_to("meg@example.com").await.1.token;
    world.registered_seller("Meg@example.com").await;
    assert_eq!(code(accept(&token).await), "email_exists");
    let again = by(&owner, "OWNER", own, invite_request("meg@example.com", Member::Viewer));
    assert_eq!(code(world.people().invite_user(again).await), "email_exists");
    let bad = by(&owner, "OWNER", own, invite_request("not an address", Member::Viewer));
    assert_eq!(code(world.people().invite_user(bad).await), "invalid_field");
    let bad = by(&owner, "OWNER", own, invite_request("moe@example.com", Member::Unspecified));
    assert_eq!(code(world.people().invite_user(bad).await), "invalid_field");
    // Five mails an hour to one address.
    let mut last = Ok(());
    for _ in 0..6 {
        let request = by(&owner, "OWNER", own, invite_request("moe@example.com", Member::Viewer));
        last = world.people().invite_user(request).await.map(drop);
    }
    assert_eq!(stable_code(&last.unwrap_err()), "throttled");
}

#[tokio::test]
async fn only_owners_of_the_very_tenant_change_its_team() {
    let world = World::start().await;
    let owner = world.registered_seller("sam@example.com").await.user.unwrap();
    let own = tenant(&owner);
    let manager = world.member(&owner, "mia@example.com", Member::Manager).await;
    let other = world.registered_seller("sue@example.com").await.user.unwrap();
    let theirs = tenant(&other);
    let buyer = world.registered_buyer("bea@example.com", &world.invite_code(own).await).await;
    for actor in [&manager, &other, &buyer] {
        let invite = by(actor, "OWNER", own, invite_request("max@example.com", Member::Owner));
        let refused = world.people().invite_user(invite).await.unwrap_err();
        assert_eq!((refused.code(), stable_code(&refused)), (Code::PermissionDenied, "forbidden"));
        let request = ChangeMemberRequest { user_id: manager.user_id.clone(), member: Member::Owner.into() };
        assert_eq!(code(world.people().change_member(by(actor, "OWNER", own, request)).await), "forbidden");
        assert_eq!(code(world.people().remove_user(by(actor, "OWNER", own, remove(&owner))).await), "forbidden");
    }
    // In one's own tenant, nobody of another one is found; nor are buyers, who are no members.
    for user in [&manager, &owner, &buyer] {
        let request = ChangeMemberRequest { user_id: user.user_id.clone(), member: Member::Viewer.into() };
        assert_eq!(code(world.people().change_member(by(&other, "OWNER", theirs, request)).await), "user_not_found");
        assert_eq!(code(world.people().remove_user(by(&other, "OWNER", theirs, remove(user))).await), "user_not_found");
    }
    assert_eq!(code(world.people().remove_user(by(&owner, "OWNER", own, remove(&buyer))).await), "user_not_found");
    let invite = by(&owner, "OWNER", own, invite_request("max@example.com", Member::Viewer));
    let invitation = world.people().invite_user(invite).await.unwrap().into_inner();
    assert!(world.invitations(theirs).await.is_empty());
    let revoke = RevokeInvitationRequest { invitation_id: invitation.invitation_id, supplier_id: String::new() };
    assert_eq!(
        code(world.people().revoke_invitation(by(&other, "OWNER", theirs, revoke.clone())).await),
        "invitation_not_found"
    );
    assert_eq!(code(world.people().revoke_invitation(by(&manager, "OWNER", own, revoke)).await), "forbidden");
    assert_eq!(world.team(theirs).await.len(), 1);
}

#[tokio::test]
async fn somebody_who_owns_the_tenant_is_always_left() {
    let world = World::start().await;
    let owner = world.registered_seller("sam@example.com").await.user.unwrap();
    let own = tenant(&owner);
    let second = world.member(&owner, "mia@example.com", Member::Viewer).await;
    assert_eq!(code(world.change_member(&owner, &owner, Member::Manager).await), "last_owner");
    assert_eq!(code(world.people().remove_user(by(&owner, "OWNER", own, remove(&owner))).await), "last_owner");
    world.change_member(&owner, &second, Member::Owner).await.unwrap();
    world.change_member(&owner, &owner, Member::Viewer).await.unwrap();
    assert_eq!(code(world.change_member(&owner, &owner, Member::Owner).await), "forbidden");
    world.people().remove_user(by(&second, "OWNER", own, remove(&owner))).await.unwrap();
    assert_eq!(world.team(own).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_who_demote_and_remove_each_other_at_once_leave_one() {
    let world = World::start().await;
    let clients = [world.people(), world.people_of_a_replica().await];
    for round in 0..6 {
        let first = world.registered_seller(&format!("sam{round}@example.com")).await.user.unwrap();
        let own = tenant(&first);
        let mut owners = vec![first.clone()];
        for number in 0..2 {
            owners.push(world.member(&first, &format!("mia{round}-{number}@example.com"), Member::Owner).await);
        }
        // Each demotes or removes the next one, at the same moment, at two replicas.
        let answers = join_all(owners.iter().enumerate().map(|(number, actor)| {
            let victim = &owners[(number + 1) % owners.len()];
            let mut people = clients[number % 2].clone();
            async move {
                if (number + round) % 2 == 0 {
                    let request =
                        ChangeMemberRequest { user_id: victim.user_id.clone(), member: Member::Viewer.into() };
                    people.change_member(by(actor, "OWNER", own, request)).await.map(drop)
                } else {
                    people.remove_user(by(actor, "OWNER", own, remove(victim))).await.map(drop)
                }
            }
        }))
        .await;
        let left = world.team(own).await.iter().filter(|user| user.member() == Member::Owner).count();
        let done = answers.iter().filter(|answer| answer.is_ok()).count();
        // One who was demoted first demotes nobody any more.
        assert_eq!((left, done), (owners.len() - done, done), "{answers:?}");
        assert!((1..=2).contains(&left), "{answers:?}");
        let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
        assert!(
            refused.clone().all(|refusal| matches!(stable_code(refusal), "forbidden" | "last_owner")),
            "{answers:?}"
        );
    }
    // Two alone: whoever comes second finds that he is no owner.
    for round in 0..6 {
        let first = world.registered_seller(&format!("two{round}@example.com")).await.user.unwrap();
        let second = world.member(&first, &format!("other{round}@example.com"), Member::Owner).await;
        let own = tenant(&first);
        let demote =
            |actor: &User, victim: &User, mut people: leadflow_contracts::accounts::people_client::PeopleClient<_>| {
                let request = ChangeMemberRequest { user_id: victim.user_id.clone(), member: Member::Viewer.into() };
                let request = by(actor, "OWNER", own, request);
                async move { people.change_member(request).await }
            };
        let (one, two) =
            tokio::join!(demote(&first, &second, clients[0].clone()), demote(&second, &first, clients[1].clone()));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        let owners = world.team(own).await.iter().filter(|user| user.member() == Member::Owner).count();
        assert_eq!(owners, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_link_followed_many_times_at_once_makes_one_user() {
    let world = World::start().await;
    let mut mails = world.mails().await;
    let owner = world.registered_seller("sam@example.com").await.user.unwrap();
    let request = by(&owner, "OWNER", tenant(&owner), invite_request("mia@example.com", Member::Viewer));
    world.people().invite_user(request).await.unwrap();
    let token = mails.next_to("mia@example.com").await.1.token;
    let clients = [world.people(), world.people_of_a_replica().await];
    let answers = join_all((0..6).map(|number| {
        let (mut people, request) = (clients[number % 2].clone(), accept_request(&token));
        async move { people.accept_invitation(unbound(request)).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    assert!(answers.iter().filter_map(|a| a.as_ref().err()).all(|refusal| stable_code(refusal) == "token_not_found"));
    assert_eq!(world.team(tenant(&owner)).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_removed_while_he_signs_in_has_no_session() {
    let world = World::start().await;
    let owner = world.registered_seller("sam@example.com").await.user.unwrap();
    let own = tenant(&owner);
    for round in 0..5 {
        let email = format!("mia{round}@example.com");
        let user = world.member(&owner, &email, Member::Manager).await;
        let mut people = world.people();
        let removing = people.remove_user(by(&owner, "OWNER", own, remove(&user)));
        let (signed_in, removed) = tokio::join!(world.log_in(&email, PASSWORD), removing);
        removed.unwrap();
        if let Ok(session) = signed_in {
            assert!(world.whose(&session.into_inner().token).await.is_none());
        }
    }
    let left =
        "SELECT count(*) FROM accounts.sessions s LEFT JOIN accounts.users u USING (user_id) WHERE u.user_id IS NULL";
    assert_eq!(world.count(left).await, 0);
}
