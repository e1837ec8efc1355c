//! Buyers whom their seller sets up, with somebody who signs in for them.

use futures::future::join_all;
use leadflow_contracts::{
    accounts::{AddBuyerRequest, GetBuyerRequest, ResetPasswordRequest, User},
    common::Money,
    events::MailKind,
};
use leadflow_kernel::{BuyerId, SellerId, UserId};

use crate::{
    someone::{PASSWORD, tenant},
    world::{World, as_tenant, by, code, unbound},
};

fn request(email: &str) -> AddBuyerRequest {
    AddBuyerRequest {
        user_id: UserId::new().to_string(),
        buyer_id: BuyerId::new().to_string(),
        email: email.to_owned(),
        password: String::new(),
        name: "Bea".to_owned(),
        company_name: "Bea Inc".to_owned(),
        phone: "+12125550123".to_owned(),
        priority: 9,
        weekly_spending_limit: Some(Money { amount: "50.00".to_owned(), currency: "USD".to_owned() }),
        monthly_spending_limit: None,
    }
}

async fn seller(world: &World, email: &str) -> (SellerId, User) {
    let user = world.registered_seller(email).await.user.unwrap();
    (tenant(&user), user)
}

#[tokio::test]
async fn a_buyer_is_set_up_whole_by_his_seller_and_chooses_his_password_by_mail() {
    let world = World::start().await;
    let (own, owner) = seller(&world, "sam@example.com").await;
    let mut mails = world.mails().await;
    let wanted = request("Bea@example.com");
    let add = || by(&owner, "OWNER", own, wanted.clone());
    let made = world.people().add_buyer(add()).await.unwrap().into_inner().user.unwrap();
    assert_eq!((made.seller_id.as_str(), made.buyer_id.as_str()), (own.to_string().as_str(), wanted.buyer_id.as_str()));
    let record = GetBuyerRequest { buyer_id: wanted.buyer_id.clone() };
    let record = world.client().get_buyer(as_tenant(own, record)).await.unwrap().into_inner();
    assert_eq!(
        (record.priority, record.weekly_spending_limit, record.version),
        (9, wanted.weekly_spending_limit.clone(), 1)
    );

    let (mail, contents) = mails.next_to("Bea@example.com").await;
    assert_eq!(mail.kind(), MailKind::ResetPassword);
    assert_eq!(code(world.log_in("bea@example.com", "").await), "wrong_credentials");
    assert_eq!(code(world.log_in("bea@example.com", PASSWORD).await), "wrong_credentials");
    let choice = ResetPasswordRequest { token: contents.token, password: PASSWORD.to_owned() };
    world.people().reset_password(unbound(choice)).await.unwrap();
    world.log_in("bea@example.com", PASSWORD).await.unwrap();

    // Who missed the answer asks again, also when the buyer has a password by now; it is the seller's doing.
    assert_eq!(world.people().add_buyer(add()).await.unwrap().into_inner().user.unwrap().user_id, made.user_id);
    let told: Vec<_> =
        world.entries(own).await.into_iter().filter(|entry| entry.actor_user_id == owner.user_id).collect();
    for (action, subject) in [("buyer.created", &wanted.buyer_id), ("user.registered", &wanted.user_id)] {
        assert_eq!(told.iter().filter(|one| one.action == action && one.subject_id == *subject).count(), 1, "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_leaves_nothing_and_the_same_at_once_is_one() {
    let world = World::start().await;
    let (own, owner) = seller(&world, "sam@example.com").await;
    let (other, stranger) = seller(&world, "eve@example.com").await;
    let before = world.count("SELECT count(*) FROM accounts.buyers").await;
    let limit = Money { amount: "-1.00".to_owned(), currency: "USD".to_owned() };
    for (wanted, refusal) in [
        (AddBuyerRequest { weekly_spending_limit: Some(limit), ..request("b@example.com") }, "invalid_field"),
        (AddBuyerRequest { priority: 11, ..request("b@example.com") }, "invalid_field"),
        (AddBuyerRequest { password: "short".to_owned(), ..request("b@example.com") }, "invalid_field"),
        (request("SAM@example.com"), "email_exists"),
    ] {
        assert_eq!(code(world.people().add_buyer(by(&owner, "OWNER", own, wanted)).await), refusal);
    }
    assert_eq!(code(world.people().add_buyer(unbound(request("b@example.com"))).await), "tenant_missing");
    assert_eq!(world.count("SELECT count(*) FROM accounts.buyers").await, before);

    let wanted = AddBuyerRequest { password: PASSWORD.to_owned(), ..request("b@example.com") };
    let answers = join_all((0..6).map(|_| {
        let (mut people, request) = (world.people(), by(&owner, "OWNER", own, wanted.clone()));
        async move { people.add_buyer(request).await.unwrap().into_inner().user.unwrap().user_id }
    }))
    .await;
    assert!(answers.iter().all(|id| *id == wanted.user_id));
    world.log_in("b@example.com", PASSWORD).await.unwrap();
    let another = AddBuyerRequest { password: "another long walk 7".to_owned(), ..wanted.clone() };
    assert_eq!(code(world.people().add_buyer(by(&owner, "OWNER", own, another)).await), "buyer_exists");
    let stolen = AddBuyerRequest { buyer_id: wanted.buyer_id, ..request("c@example.com") };
    assert_eq!(code(world.people().add_buyer(by(&stranger, "OWNER", other, stolen)).await), "buyer_exists");
    assert_eq!(world.count("SELECT count(*) FROM accounts.buyers").await, before + 1);
}
