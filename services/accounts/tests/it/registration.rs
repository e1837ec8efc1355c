//! New sellers, buyers and administrators.

use leadflow_contracts::{
    accounts::{CreateAdminRequest, ListUsersRequest, Member, RegisterBuyerRequest, RegisterSellerRequest, Role},
    common::Status,
    events::{BuyerChanged, MailKind, SellerChanged},
};
use leadflow_kernel::{BuyerId, SellerId, UserId};
use leadflow_platform::grpc::stable_code;
use tonic::Code;

use crate::{
    someone::{PASSWORD, buyer_request, seller_request, tenant},
    world::{World, as_tenant, code, unbound},
};

#[tokio::test]
async fn a_seller_registers_and_everybody_hears_of_it() {
    let world = World::start().await;
    let mut mails = world.mails().await;
    let request = RegisterSellerRequest { time_zone: "America/Chicago".into(), ..seller_request("Sam@Example.com") };
    let answer = world.people().register_seller(unbound(request.clone())).await.unwrap().into_inner();
    let user = answer.user.unwrap();
    assert_eq!((user.email.as_str(), user.name.as_str()), ("Sam@Example.com", "Sam Seller"));
    assert_eq!((user.role(), user.member(), user.email_verified), (Role::Seller, Member::Owner, false));
    assert_eq!((user.company_name.as_str(), &user.seller_id), ("Acme Leads", &request.seller_id));
    assert_eq!(answer.invite_code.len(), 10);

    let event = world.follow().wait_for::<SellerChanged>(&user.seller_id, |_| true).await;
    assert_eq!((event.version, event.time_zone.as_str()), (1, "America/Chicago"));
    let (mail, contents) = mails.next_to("Sam@Example.com").await;
    assert_eq!((mail.kind(), &mail.user_id), (MailKind::VerifyEmail, &user.user_id));
    assert_eq!(contents.name, "Sam Seller");
    assert!(!mail.sealed.windows(8).any(|part| contents.token.as_bytes().windows(8).any(|secret| part == secret)));
    let stored = "SELECT count(*) FROM accounts.users WHERE password_hash LIKE '$argon2id$v=19$m=19456,t=2,p=1$%'";
    assert_eq!(world.count(stored).await, 1);
}

#[tokio::test]
async fn a_buyer_registers_with_the_code_as_he_types_it() {
    let world = World::start().await;
    let seller = world.registered_seller("sam@example.com").await;
    let typed = format!(" {}-{} ", &seller.invite_code[..5].to_lowercase(), &seller.invite_code[5..]);
    let request = buyer_request("bea@example.com", &typed);
    let user = world.people().register_buyer(unbound(request.clone())).await.unwrap().into_inner().user.unwrap();
    assert_eq!((user.role(), user.member()), (Role::Buyer, Member::Owner));
    assert_eq!((&user.buyer_id, &user.seller_id), (&request.buyer_id, &seller.user.as_ref().unwrap().seller_id));
    assert_eq!((user.phone.as_str(), user.company_name.as_str()), ("+12125550123", "XYZ Agency"));
    let event = world.follow().wait_for::<BuyerChanged>(&user.buyer_id, |_| true).await;
    assert_eq!((event.version, event.status(), event.priority), (1, Status::Active, 5));

    let wanted = ListUsersRequest { buyer_ids: vec![user.buyer_id.clone()], team: true, ..Default::default() };
    let own = tenant(seller.user.as_ref().unwrap());
    let listed = world.people().list_users(as_tenant(own, wanted.clone())).await.unwrap().into_inner().users;
    assert_eq!(listed, [seller.user.unwrap(), user]);
    let other = tenant(&world.registered_seller("other@example.com").await.user.unwrap());
    let listed = world.people().list_users(as_tenant(other, wanted)).await.unwrap().into_inner().users;
    assert_eq!(listed.iter().map(|user| user.email.as_str()).collect::<Vec<_>>(), ["other@example.com"]);
}

#[tokio::test]
async fn the_same_registration_again_is_answered_and_another_is_refused() {
    let world = World::start().await;
    let mut people = world.people();
    let seller = seller_request("sam@example.com");
    let first = people.register_seller(unbound(seller.clone())).await.unwrap().into_inner();
    assert_eq!(people.register_seller(unbound(seller.clone())).await.unwrap().into_inner(), first);
    let buyer = buyer_request("bea@example.com", &first.invite_code);
    let made = people.register_buyer(unbound(buyer.clone())).await.unwrap().into_inner();
    // The code is replaced; the answer was not lost for ever.
    let own = tenant(first.user.as_ref().unwrap());
    people.rotate_invite_code(as_tenant(own, Default::default())).await.unwrap();
    assert_eq!(people.register_buyer(unbound(buyer.clone())).await.unwrap().into_inner(), made);

    for other in [
        RegisterSellerRequest { name: "Another".into(), ..seller.clone() },
        RegisterSellerRequest { company_name: "Another".into(), ..seller.clone() },
        RegisterSellerRequest { password: "another good one".into(), ..seller.clone() },
        RegisterSellerRequest { seller_id: SellerId::new().to_string(), ..seller.clone() },
    ] {
        assert_eq!(code(people.register_seller(unbound(other)).await), "user_exists");
    }
    for other in [
        RegisterSellerRequest { user_id: UserId::new().to_string(), ..seller.clone() },
        RegisterSellerRequest { email: "SAM@example.COM".into(), ..seller_request("") },
    ] {
        assert_eq!(code(people.register_seller(unbound(other)).await), "email_exists");
    }
    let elsewhere = RegisterSellerRequest { seller_id: seller.seller_id.clone(), ..seller_request("new@example.com") };
    assert_eq!(code(people.register_seller(unbound(elsewhere)).await), "seller_exists");
    let invite_code = world.invite_code(own).await;
    let refused = [
        ("invite_not_found", RegisterBuyerRequest { password: "another good one".into(), ..buyer.clone() }),
        (
            "user_exists",
            RegisterBuyerRequest {
                buyer_id: BuyerId::new().to_string(),
                invite_code: invite_code.clone(),
                ..buyer.clone()
            },
        ),
        (
            "buyer_exists",
            RegisterBuyerRequest { buyer_id: buyer.buyer_id.clone(), ..buyer_request("x@example.com", &invite_code) },
        ),
        ("email_exists", buyer_request("Bea@Example.com", &invite_code)),
        ("email_exists", buyer_request("sam@example.com", &invite_code)),
    ];
    for (expected, request) in refused {
        assert_eq!(code(people.register_buyer(unbound(request)).await), expected);
    }
    // What is refused leaves nothing behind.
    assert_eq!(world.count("SELECT count(*) FROM accounts.sellers").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM accounts.buyers").await, 1);
    assert_eq!(world.count("SELECT count(*) FROM accounts.users").await, 2);
}

#[tokio::test]
async fn fields_that_are_not_good_are_named() {
    let world = World::start().await;
    let good = seller_request("sam@example.com");
    let with = |password: &str| RegisterSellerRequest { password: password.into(), ..good.clone() };
    let cases = [
        ("user_id", RegisterSellerRequest { user_id: SellerId::new().to_string(), ..good.clone() }),
        ("seller_id", RegisterSellerRequest { seller_id: String::new(), ..good.clone() }),
        ("email", RegisterSellerRequest { email: "sam".into(), ..good.clone() }),
        ("email", RegisterSellerRequest { email: "sam@example.com\r\nBcc: x@y.zz".into(), ..good.clone() }),
        ("name", RegisterSellerRequest { name: " ".into(), ..good.clone() }),
        ("company_name", RegisterSellerRequest { company_name: String::new(), ..good.clone() }),
        ("time_zone", RegisterSellerRequest { time_zone: "Mars".into(), ..good.clone() }),
        ("password must have 10 to 200", with("too short")),
        ("password must have 10 to 200", with(&"x1".repeat(101))),
        ("password is too easy", with("password123")),
        ("password is too easy", with("sam@example.com")),
        ("password is too easy", with("Acme Leads 1")),
    ];
    for (field, request) in cases {
        let refusal = world.people().register_seller(unbound(request)).await.expect_err(field);
        assert_eq!((refusal.code(), stable_code(&refusal)), (Code::InvalidArgument, "invalid_field"), "{refusal:?}");
        assert!(refusal.message().contains(field), "{field}: {}", refusal.message());
    }
    let phone = RegisterBuyerRequest { phone: "5550123".into(), ..buyer_request("b@example.com", "0123456789") };
    let refusal = world.people().register_buyer(unbound(phone)).await.unwrap_err();
    assert!(refusal.message().contains("phone"), "{refusal:?}");
    assert_eq!(world.count("SELECT count(*) FROM accounts.users").await, 0);
}

#[tokio::test]
async fn an_administrator_belongs_to_no_tenant() {
    let world = World::start().await;
    let request = CreateAdminRequest {
        user_id: UserId::new().to_string(),
        email: "ada@example.com".into(),
        password: PASSWORD.into(),
        name: "Ada Admin".into(),
    };
    let mut people = world.people();
    let made = people.create_admin(unbound(request.clone())).await.unwrap().into_inner();
    assert_eq!((made.role(), made.seller_id.as_str(), made.company_name.as_str()), (Role::Admin, "", ""));
    assert_eq!(people.create_admin(unbound(request.clone())).await.unwrap().into_inner(), made);
    let other = CreateAdminRequest { user_id: UserId::new().to_string(), ..request };
    assert_eq!(code(people.create_admin(unbound(other)).await), "email_exists");
    let session = world.session("ada@example.com").await;
    assert_eq!(world.whose(&session.token).await.unwrap().user.unwrap(), made);
}
