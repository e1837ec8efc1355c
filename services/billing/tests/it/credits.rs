//! Adding money, once for each credit id.

use futures::future::join_all;
use leadflow_billing::app::{AppError, Billing, Credited, NewCredit};
use leadflow_kernel::{BuyerId, Currency, Money, SellerId};

use crate::support::*;

async fn credit_as(
    billing: &Billing,
    seller: SellerId,
    buyer: BuyerId,
    id: &str,
    amount: Money,
) -> Result<Credited, AppError> {
    let new = NewCredit { seller, buyer, id: id.to_owned(), amount, description: String::new() };
    billing.credit_wallet(None, new).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_credit_many_times_at_once_adds_its_money_once() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let (seller, buyer) = world.tenant(&replicas[0], "0.00").await;
    let answers = join_all((0..20).map(|n| credit_as(&replicas[n % 2], seller, buyer, "pi_1", usd("50.00")))).await;
    let now = answers.into_iter().map(|answer| answer.unwrap()).filter(|credited| credited.now).count();
    assert_eq!(now, 1);
    assert_eq!(amounts(&replicas[0], seller, buyer).await.0, "50.00");
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credit_id_is_one_buyers_one_amount_in_one_tenant() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "0.00").await;
    let neighbour = world.buyer(&billing, seller, "0.00").await;
    let (stranger, stranger_buyer) = world.tenant(&billing, "0.00").await;
    credit_as(&billing, seller, buyer, "pi_1", usd("50.00")).await.unwrap();
    let other_amount = credit_as(&billing, seller, buyer, "pi_1", usd("50.01")).await;
    assert!(matches!(other_amount, Err(AppError::CreditExists)));
    let other_buyer = credit_as(&billing, seller, neighbour, "pi_1", usd("50.00")).await;
    assert!(matches!(other_buyer, Err(AppError::CreditExists)));
    assert!(credit_as(&billing, stranger, stranger_buyer, "pi_1", usd("7.00")).await.unwrap().now);
    let foreign = credit_as(&billing, stranger, buyer, "pi_2", usd("7.00")).await;
    assert!(matches!(foreign, Err(AppError::NoSuchWallet)));
    let euro = Money::parse("1.00", Currency::parse("EUR").unwrap()).unwrap();
    assert!(matches!(credit_as(&billing, seller, buyer, "pi_3", euro).await, Err(AppError::Currency)));
    assert_eq!(amounts(&billing, seller, buyer).await.0, "50.00");
    assert_eq!(world.count("SELECT count(*) FROM billing.credits").await, 2);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_credit_id_for_two_buyers_at_once_credits_one_of_them() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let (seller, one) = world.tenant(&replicas[0], "0.00").await;
    let other = world.buyer(&replicas[0], seller, "0.00").await;
    let answers = join_all(
        (0..10)
            .map(|n| credit_as(&replicas[n % 2], seller, if n % 2 == 0 { one } else { other }, "pi_1", usd("50.00"))),
    )
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.as_ref().is_ok_and(|credited| credited.now)).count(), 1);
    assert_eq!(world.count("SELECT sum(balance)::bigint FROM billing.wallets").await, 50);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_and_sales_at_once_lose_and_create_no_money() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let (seller, buyer) = world.tenant(&replicas[0], "500.00").await;
    let work = (0..40).map(|n| {
        let billing = replicas[n % 2].clone();
        async move {
            if n % 4 == 0 {
                credit(&billing, seller, buyer, "10.00").await;
            } else {
                let hold = request(seller, buyer, "5.00");
                billing.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap();
                capture(&billing, &[message(&assigned(&[&hold]))]).await.unwrap();
            }
        }
    });
    join_all(work).await;
    // 500 + 10 × 10 - 30 × 5
    assert_eq!(
        amounts(&replicas[0], seller, buyer).await,
        ("450.00".to_owned(), "0.00".to_owned(), "450.00".to_owned())
    );
    world.check_books().await;
}
