//! What messages cost in other currencies than dollars, and what happens to those without a price.

use futures::future::join_all;
use leadflow_billing::{app::usage::Usage, inbound::usage_grpc::UsageService, workers::usage::step};
use leadflow_billing_domain::UsageKind;
use leadflow_contracts::{
    billing::{GetUsageRequest, GetUsageResponse, usage_server::Usage as _},
    events::{self, UsageKind as Sent},
};
use leadflow_kernel::SellerId;
use rust_decimal::Decimal;
use tonic::Request;

use crate::{
    support::*,
    usage::{check_usage, count, go_to, many, months, posted, seller_in, usage, usage_with},
};

type Costs<'a> = &'a [(&'a str, UsageKind, &'a str)];

const IN_DOLLARS: (&str, UsageKind, &str) = ("USD", UsageKind::Email, "0.001");
const IN_EUROS: (&str, UsageKind, &str) = ("EUR", UsageKind::Email, "0.0009");
const NOON: &str = "2026-11-22T11:00:00Z";

fn with(world: &World, costs: Costs<'_>) -> Usage {
    usage_with(leadflow_billing::connect(&world.settings()).unwrap(), &world.clock, costs)
}

/// A seller who sells in `currency`.
async fn seller_with(world: &World, currency: &str) -> SellerId {
    let seller = SellerId::new();
    let zone = "UTC".to_owned();
    let record = events::SellerChanged { currency: currency.to_owned(), time_zone: zone, ..seller_changed(seller, 1) };
    apply(&world.replica(), &[message(&record)]).await.unwrap();
    seller
}

async fn report(usage: &Usage, seller: SellerId) -> GetUsageResponse {
    let range = GetUsageRequest {
        from_ms: at("2026-11-01T00:00:00Z").timestamp_millis(),
        until_ms: at("2026-12-31T00:00:00Z").timestamp_millis(),
    };
    let mut request = Request::new(range);
    request.metadata_mut().insert("x-leadflow-tenant", seller.to_string().parse().unwrap());
    UsageService::new(usage.clone()).get_usage(request).await.unwrap().into_inner()
}

async fn unpriced(world: &World) -> i64 {
    world.count("SELECT coalesce(sum(units), 0)::bigint FROM billing.usage_unpriced").await
}

/// Currency and amount of each line of a seller's postings of messages, in order.
async fn lines(world: &World, seller: SellerId) -> Vec<(String, String, Decimal)> {
    sqlx::query_as(
        "SELECT a.kind, a.currency, e.amount FROM billing.usage_postings u JOIN billing.entries e USING (posting_id) \
         JOIN billing.accounts a USING (account_id) WHERE u.seller_id = $1 ORDER BY u.month, e.line",
    )
    .bind(seller.uuid())
    .fetch_all(world.pool())
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tenant_pays_in_his_currency() {
    let world = World::new().await;
    let (european, american) = (seller_with(&world, "EUR").await, seller_with(&world, "USD").await);
    let usage = with(&world, &[IN_DOLLARS, IN_EUROS]);
    let batch = [many(1_000, european, Sent::Email, NOON), many(1_000, american, Sent::Email, NOON)].concat();
    count(&usage, &batch).await.unwrap();
    go_to(&world, at("2026-12-02T00:00:00Z"));
    assert_eq!(step(&usage).await.unwrap().posted, 2);
    // 1,000 × 0.0009 and 15 % are 1.035: half to even.
    for (seller, currency, amount) in [(european, "EUR", "1.04"), (american, "USD", "1.15")] {
        let line = |kind: &str, amount: Decimal| (kind.to_owned(), currency.to_owned(), amount);
        let wanted = [line("seller_earnings", -dec(amount)), line("platform_usage", dec(amount))];
        assert_eq!(lines(&world, seller).await, wanted);
        let report = report(&usage, seller).await;
        assert_eq!(report.currency, currency);
        assert_eq!(report.postings[0].amount.as_ref().unwrap().currency, currency);
        assert_eq!(report.terms.unwrap().currency, currency);
    }
    check_usage(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_price_messages_are_counted_shown_and_posted_when_there_is_one() {
    let world = World::new().await;
    let seller = seller_with(&world, "EUR").await;
    let dollars = with(&world, &[IN_DOLLARS]);
    count(&dollars, &many(1_000, seller, Sent::Email, NOON)).await.unwrap();
    // Told again, it is known, though it has no price.
    let again = many(1, seller, Sent::Email, NOON);
    count(&dollars, &again).await.unwrap();
    count(&dollars, &again).await.unwrap();
    assert_eq!(unpriced(&world).await, 1_001);
    go_to(&world, at("2026-12-02T00:00:00Z"));
    let done = step(&dollars).await.unwrap();
    assert_eq!((done.priced, done.posted), (0, 0));
    let shown = report(&dollars, seller).await;
    let sum = shown.sum.unwrap();
    assert_eq!((sum.messages, sum.units, sum.unpriced_units), (1_001, 1_001, 1_001));
    assert_eq!((sum.total.as_str(), sum.posted.as_str()), ("0", "0"));
    assert_eq!(shown.kinds[0].sum.as_ref().unwrap().unpriced_units, 1_001);
    assert_eq!(shown.buyers[0].sum.as_ref().unwrap().unpriced_units, 1_001);
    let costs: Vec<_> = shown.terms.unwrap().terms.into_iter().map(|term| term.cost).collect();
    assert_eq!(costs, ["", "", ""], "no price is not a price of nothing");

    // There is a price now, on two replicas that look at once while more is counted.
    let euros = [with(&world, &[IN_DOLLARS, IN_EUROS]), with(&world, &[IN_DOLLARS, IN_EUROS])];
    let late = many(200, seller, Sent::Email, "2026-11-30T00:00:00Z");
    let (counted, stepped) = tokio::join!(count(&dollars, &late), join_all(euros.iter().map(Usage::price_waiting)));
    counted.unwrap();
    stepped.into_iter().for_each(|outcome| assert!(outcome.is_ok()));
    join_all(euros.iter().map(step)).await.into_iter().for_each(|outcome| assert!(outcome.is_ok()));
    assert_eq!(unpriced(&world).await, 0);
    // 1,201 × 0.0009 and 15 %.
    assert_eq!(months(&posted(&world, seller).await), [("2026-11", "1.24".to_owned())]);
    let sum = report(&euros[0], seller).await.sum.unwrap();
    assert_eq!((sum.messages, sum.unpriced_units, sum.total.as_str()), (1_201, 0, "1.243035"));
    check_usage(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_is_taken_away_holds_for_what_was_sent_before() {
    let world = World::new().await;
    let seller = seller_with(&world, "EUR").await;
    count(&with(&world, &[IN_EUROS]), &many(10, seller, Sent::Email, NOON)).await.unwrap();
    go_to(&world, at("2026-11-23T12:00:00Z"));
    let without = with(&world, &[IN_DOLLARS]);
    count(&without, &many(10, seller, Sent::Email, "2026-11-22T23:00:00Z")).await.unwrap();
    count(&without, &many(10, seller, Sent::Email, "2026-11-23T12:00:00Z")).await.unwrap();
    assert_eq!(unpriced(&world).await, 10);
    // Of the month that has begun there was a price when it began, in spite of what is set now: before the first one
    // it is the first.
    step(&without).await.unwrap();
    assert_eq!(unpriced(&world).await, 0);
    go_to(&world, at("2026-12-05T00:00:00Z"));
    count(&without, &many(10, seller, Sent::Email, "2026-12-04T00:00:00Z")).await.unwrap();
    step(&without).await.unwrap();
    assert_eq!(unpriced(&world).await, 10, "in December there was none");
    assert_eq!(months(&posted(&world, seller).await), [("2026-11", "0.03".to_owned())]);
    check_usage(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_record_comes_late_pays_in_its_currency() {
    let world = World::new().await;
    let seller = SellerId::new();
    let usage = with(&world, &[IN_DOLLARS, ("EUR", UsageKind::Email, "0.5")]);
    count(&usage, &many(10, seller, Sent::Email, NOON)).await.unwrap();
    assert_eq!(unpriced(&world).await, 10);
    go_to(&world, at("2026-12-05T00:00:00Z"));
    assert_eq!(step(&usage).await.unwrap().posted, 0);
    let record = events::SellerChanged { currency: "EUR".to_owned(), ..seller_changed(seller, 1) };
    apply(&world.replica(), &[message(&record)]).await.unwrap();
    assert_eq!(step(&usage).await.unwrap().posted, 1);
    assert_eq!(months(&posted(&world, seller).await), [("2026-11", "5.75".to_owned())]);
    check_usage(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_did_not_change_writes_nothing() {
    let world = World::new().await;
    let seller = seller_in(&world, "UTC").await;
    for _ in 0..3 {
        count(&usage(&world), &many(1, seller, Sent::Email, NOON)).await.unwrap();
        world.clock.advance(chrono::TimeDelta::minutes(1));
    }
    assert_eq!(world.count("SELECT count(*) FROM billing.usage_prices").await, 3);
    count(&with(&world, &[IN_EUROS]), &many(1, seller, Sent::Email, NOON)).await.unwrap();
    count(&with(&world, &[IN_EUROS]), &many(1, seller, Sent::Email, NOON)).await.unwrap();
    // Three that ended, and one that began.
    assert_eq!(world.count("SELECT count(*) FROM billing.usage_prices").await, 7);
    assert_eq!(world.count("SELECT count(*) FROM billing.usage_prices WHERE cost IS NULL").await, 3);
}
