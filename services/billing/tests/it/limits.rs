//! Spending limits, on the tenant's calendar.

use chrono::TimeDelta;
use leadflow_billing_domain::HoldOutcome::{Held, MonthlyLimit, WalletBlocked, WeeklyLimit};
use leadflow_contracts::common::Status;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_weekly_limit_starts_again_on_the_tenants_monday() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "1000.00").await;
    let mut limited = buyer_changed(seller, buyer, 2);
    limited.weekly_spending_limit = proto_usd("50.00");
    apply(&billing, &[message(&limited)]).await.unwrap();
    let place = async |prices: &[&str]| {
        let asked: Vec<_> = prices.iter().map(|price| request(seller, buyer, price)).collect();
        (billing.place_holds(seller, &asked).await.unwrap(), asked)
    };
    let (outcomes, sunday) = place(&["30.00", "30.00", "20.00", "0.01"]).await;
    assert_eq!(outcomes, [Held, WeeklyLimit, Held, WeeklyLimit], "what is held counts");
    // From Sunday noon in UTC to Monday 04:59 in UTC, which is Sunday 23:59 in New York.
    world.clock.advance(TimeDelta::minutes(16 * 60 + 59));
    assert_eq!(place(&["0.01"]).await.0, [WeeklyLimit]);
    world.clock.advance(TimeDelta::minutes(1));
    let (outcomes, _) = place(&["45.00"]).await;
    assert_eq!(outcomes, [Held]);
    // Sold on Sunday, captured on Monday: counts on Sunday.
    capture(&billing, &[message(&assigned(&[&sunday[0]]))]).await.unwrap();
    // Held on Sunday, given back on Monday: nothing is given back to Monday's week.
    let seen = leadflow_billing::app::SeenHold { id: sunday[2].id, attempts: None };
    assert_eq!(billing.release_holds(seller, &[seen]).await.unwrap(), 1);
    let (outcomes, _) = place(&["5.01", "5.00"]).await;
    assert_eq!(outcomes, [WeeklyLimit, Held]);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_hold_of_this_week_may_be_spent_again() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "1000.00").await;
    let mut limited = buyer_changed(seller, buyer, 2);
    limited.monthly_spending_limit = proto_usd("25.00");
    apply(&billing, &[message(&limited)]).await.unwrap();
    let hold = request(seller, buyer, "25.00");
    let again = [request(seller, buyer, "25.00")];
    assert_eq!(billing.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap(), [Held]);
    assert_eq!(billing.place_holds(seller, &again).await.unwrap(), [MonthlyLimit]);
    let seen = leadflow_billing::app::SeenHold { id: hold.id, attempts: None };
    assert_eq!(billing.release_holds(seller, &[seen]).await.unwrap(), 1);
    assert_eq!(billing.place_holds(seller, &again).await.unwrap(), [Held]);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_zero_allows_nothing_and_an_absent_one_everything() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "1000.00").await;
    let mut record = buyer_changed(seller, buyer, 2);
    record.weekly_spending_limit = proto_usd("0.00");
    apply(&billing, &[message(&record)]).await.unwrap();
    assert_eq!(billing.place_holds(seller, &[request(seller, buyer, "0.01")]).await.unwrap(), [WeeklyLimit]);
    record.version = 3;
    record.weekly_spending_limit = None;
    apply(&billing, &[message(&record)]).await.unwrap();
    assert_eq!(billing.place_holds(seller, &[request(seller, buyer, "1000.00")]).await.unwrap(), [Held]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_buyer_takes_no_new_holds_and_still_pays_those_that_stand() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let hold = request(seller, buyer, "25.00");
    billing.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap();
    let mut paused = buyer_changed(seller, buyer, 2);
    paused.status = Status::Paused.into();
    apply(&billing, &[message(&paused)]).await.unwrap();
    assert_eq!(billing.place_holds(seller, &[request(seller, buyer, "25.00")]).await.unwrap(), [WalletBlocked]);
    assert_eq!(billing.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap(), [Held], "it stands");
    capture(&billing, &[message(&assigned(&[&hold]))]).await.unwrap();
    assert_eq!(amounts(&billing, seller, buyer).await.0, "75.00");
    world.check_books().await;
}
