//! Placing and releasing holds.

use leadflow_billing_domain::{Books, Captured, HoldOutcome, HoldState, Price};
use leadflow_kernel::{BuyerId, Currency, Money, PostingId, SellerId};

use crate::support::*;

#[test]
fn a_batch_is_served_in_order_against_a_running_sum() {
    let wallet = wallet("100.00");
    let requests: Vec<_> = ["40.00", "40.00", "40.00", "20.00"].iter().map(|price| request(&wallet, price)).collect();
    let mut books = Books::new([wallet], []);
    assert_eq!(
        place_all(&mut books, &requests, sunday()),
        [HoldOutcome::Held, HoldOutcome::Held, HoldOutcome::InsufficientFunds, HoldOutcome::Held],
        "the third does not fit, the fourth does"
    );
    let changes = books.into_changes();
    assert_eq!(changes.wallets[0].available(), dec("0.00"));
    assert_eq!(changes.wallets[0].balance, dec("100.00"));
    assert_eq!(changes.new_holds.len(), 3);
}

#[test]
fn two_hundred_requests_on_money_for_forty_hold_exactly_forty() {
    let wallet = wallet("1000.00");
    let requests: Vec<_> = (0..200).map(|_| request(&wallet, "25.00")).collect();
    let mut books = Books::new([wallet], []);
    let outcomes = place_all(&mut books, &requests, sunday());
    assert_eq!(outcomes.iter().filter(|o| **o == HoldOutcome::Held).count(), 40);
    assert_eq!(books.into_changes().wallets[0].available(), dec("0.00"));
}

#[test]
fn a_negative_price_cannot_be_asked_for() {
    assert!(Price::new(usd("-5.00")).is_err());
    assert!(Price::new(usd("0.00")).is_ok());
}

#[test]
fn a_hold_placed_again_holds_nothing_twice_and_counts_the_attempt() {
    let mut wallet = wallet("50.00");
    let mut holds = Vec::new();
    let asked = request(&wallet, "25.00");
    for attempt in 1..=3 {
        let (outcome, _) = transaction(&mut wallet, &mut holds, |books| books.place(&asked, sunday()));
        assert_eq!(outcome, HoldOutcome::Held);
        assert_eq!(holds[0].attempts, attempt);
        assert_eq!(wallet.held, dec("25.00"));
        assert_eq!(wallet.week.amount, dec("25.00"));
    }
}

#[test]
fn the_same_id_twice_in_one_batch_holds_once() {
    let wallet = wallet("30.00");
    let asked = request(&wallet, "25.00");
    let mut books = Books::new([wallet], []);
    assert_eq!(place_all(&mut books, &[asked.clone(), asked], sunday()), [HoldOutcome::Held, HoldOutcome::Held]);
    let changes = books.into_changes();
    assert_eq!((changes.wallets[0].held, changes.new_holds.len()), (dec("25.00"), 1));
}

#[test]
fn a_hold_that_stands_is_answered_held_even_if_the_wallet_closed_or_its_limits_fell() {
    let mut wallet = wallet("50.00");
    let mut holds = Vec::new();
    let asked = request(&wallet, "25.00");
    transaction(&mut wallet, &mut holds, |books| books.place(&asked, sunday()));
    wallet.open = false;
    wallet.weekly_limit = Some(dec("0"));
    let (outcome, _) = transaction(&mut wallet, &mut holds, |books| books.place(&asked, sunday()));
    assert_eq!(outcome, HoldOutcome::Held);
}

#[test]
fn a_captured_hold_is_answered_as_such_and_never_placed_again() {
    let mut wallet = wallet("50.00");
    let mut holds = Vec::new();
    let asked = request(&wallet, "25.00");
    transaction(&mut wallet, &mut holds, |books| {
        books.place(&asked, sunday());
        assert_eq!(books.capture(&sale(&asked), PostingId::new(), sunday()), Ok(Captured::FromHold));
    });
    let (outcome, changes) = transaction(&mut wallet, &mut holds, |books| books.place(&asked, sunday()));
    assert_eq!(outcome, HoldOutcome::AlreadyCaptured);
    assert!(changes.wallets.is_empty() && changes.changed_holds.is_empty());
}

#[test]
fn a_released_hold_may_be_placed_again_in_the_window_of_that_day() {
    let mut wallet = wallet("25.00");
    let mut holds = Vec::new();
    let asked = request(&wallet, "25.00");
    transaction(&mut wallet, &mut holds, |books| {
        books.place(&asked, sunday());
        assert!(books.release(asked.id, None, sunday()));
    });
    assert_eq!((wallet.held, wallet.week.amount), (dec("0"), dec("0")));
    let monday = at("2026-11-23T12:00:00Z");
    let (outcome, _) = transaction(&mut wallet, &mut holds, |books| books.place(&asked, monday));
    assert_eq!(outcome, HoldOutcome::Held);
    assert_eq!((holds[0].attempts, holds[0].state), (2, HoldState::Held));
    assert_eq!(holds[0].ended_at, None);
    assert_eq!(holds[0].week_start, day("2026-11-23"));
}

#[test]
fn a_release_spares_a_hold_that_was_placed_again_meanwhile() {
    let mut wallet = wallet("25.00");
    let mut holds = Vec::new();
    let asked = request(&wallet, "25.00");
    transaction(&mut wallet, &mut holds, |books| {
        books.place(&asked, sunday());
        books.place(&asked, sunday());
        assert!(!books.release(asked.id, Some(1), sunday()));
        assert!(books.release(asked.id, Some(2), sunday()));
        assert!(!books.release(asked.id, Some(2), sunday()), "a hold ends once");
    });
    assert_eq!(wallet.held, dec("0.00"));
}

#[test]
fn another_price_for_the_same_assignment_replaces_the_hold() {
    let mut wallet = wallet("50.00");
    let mut holds = Vec::new();
    let mut asked = request(&wallet, "25.00");
    transaction(&mut wallet, &mut holds, |books| books.place(&asked, sunday()));
    asked.price = Price::new(usd("50.00")).unwrap();
    let (outcome, _) = transaction(&mut wallet, &mut holds, |books| books.place(&asked, sunday()));
    assert_eq!((outcome, wallet.held), (HoldOutcome::Held, dec("50.00")));
    asked.price = Price::new(usd("51.00")).unwrap();
    let (outcome, _) = transaction(&mut wallet, &mut holds, |books| books.place(&asked, sunday()));
    assert_eq!((outcome, wallet.held), (HoldOutcome::InsufficientFunds, dec("0.00")));
    assert_eq!(holds[0].state, HoldState::Released);
    assert_eq!(wallet.week.amount, dec("0.00"));
}

#[test]
fn nobody_elses_wallet_or_hold_can_be_used() {
    let mine = wallet("50.00");
    let theirs = wallet("50.00");
    let mut books = Books::new([mine, theirs], []);
    let mut asked = request(&mine, "10.00");
    asked.buyer = theirs.buyer;
    assert_eq!(books.place(&asked, sunday()), HoldOutcome::WalletBlocked, "another tenant's buyer");
    asked.buyer = BuyerId::new();
    assert_eq!(books.place(&asked, sunday()), HoldOutcome::WalletBlocked, "nobody's buyer");

    let placed = request(&theirs, "10.00");
    assert_eq!(books.place(&placed, sunday()), HoldOutcome::Held);
    let mut stolen = request(&mine, "10.00");
    stolen.id = placed.id;
    assert_eq!(books.place(&stolen, sunday()), HoldOutcome::WalletBlocked, "another tenant's hold");
    stolen.seller = SellerId::new();
    stolen.buyer = theirs.buyer;
    assert_eq!(books.place(&stolen, sunday()), HoldOutcome::WalletBlocked);
    assert_eq!(books.hold(placed.id).unwrap().attempts, 1);
}

#[test]
fn a_price_in_another_currency_is_refused() {
    let wallet = wallet("50.00");
    let mut asked = request(&wallet, "10.00");
    let euro = Money::parse("10.00", Currency::parse("EUR").unwrap()).unwrap();
    asked.price = Price::new(euro).unwrap();
    assert_eq!(Books::new([wallet], []).place(&asked, sunday()), HoldOutcome::WalletBlocked);
}

#[test]
fn a_closed_wallet_takes_no_new_holds() {
    let mut wallet = wallet("50.00");
    wallet.open = false;
    let asked = request(&wallet, "0.00");
    assert_eq!(Books::new([wallet], []).place(&asked, sunday()), HoldOutcome::WalletBlocked);
}

#[test]
fn a_limit_stops_at_its_amount_zero_allows_nothing_and_none_is_no_limit() {
    for (weekly, monthly, expected) in [
        (Some("50.00"), None, [HoldOutcome::Held, HoldOutcome::Held, HoldOutcome::WeeklyLimit]),
        (None, Some("50.00"), [HoldOutcome::Held, HoldOutcome::Held, HoldOutcome::MonthlyLimit]),
        (Some("0.00"), None, [HoldOutcome::WeeklyLimit; 3]),
        (None, Some("0.00"), [HoldOutcome::MonthlyLimit; 3]),
        (Some("0.00"), Some("0.00"), [HoldOutcome::WeeklyLimit; 3]),
        (None, None, [HoldOutcome::Held; 3]),
    ] {
        let mut wallet = wallet("1000.00");
        wallet.weekly_limit = weekly.map(dec);
        wallet.monthly_limit = monthly.map(dec);
        let requests: Vec<_> = (0..3).map(|_| request(&wallet, "25.00")).collect();
        let mut books = Books::new([wallet], []);
        assert_eq!(place_all(&mut books, &requests, sunday()), expected, "{weekly:?} {monthly:?}");
    }
}

#[test]
fn free_leads_cost_no_limit() {
    let mut wallet = wallet("0.00");
    wallet.weekly_limit = Some(dec("0"));
    let asked = request(&wallet, "0.00");
    assert_eq!(Books::new([wallet], []).place(&asked, sunday()), HoldOutcome::Held);
}

#[test]
fn the_weekly_limit_starts_again_on_the_tenants_monday_and_the_monthly_one_does_not() {
    let mut wallet = wallet("1000.00");
    wallet.weekly_limit = Some(dec("25.00"));
    wallet.monthly_limit = Some(dec("50.00"));
    let mut holds = Vec::new();
    let mut place = |now: &str| {
        let asked = request(&wallet, "25.00");
        transaction(&mut wallet, &mut holds, |books| books.place(&asked, at(now))).0
    };
    assert_eq!(place("2026-11-23T04:00:00Z"), HoldOutcome::Held, "Sunday 23:00 in New York");
    assert_eq!(place("2026-11-23T04:59:59Z"), HoldOutcome::WeeklyLimit);
    assert_eq!(place("2026-11-23T05:00:00Z"), HoldOutcome::Held, "Monday 00:00 in New York");
    assert_eq!(place("2026-11-30T05:00:00Z"), HoldOutcome::MonthlyLimit, "still November");
    assert_eq!(place("2026-12-01T04:59:59Z"), HoldOutcome::MonthlyLimit);
    assert_eq!(place("2026-12-01T05:00:00Z"), HoldOutcome::Held);
}

#[test]
fn a_hold_of_last_week_gives_nothing_back_to_this_weeks_limit() {
    let mut wallet = wallet("1000.00");
    let mut holds = Vec::new();
    let (last_week, this_week) = (request(&wallet, "10.00"), request(&wallet, "7.00"));
    transaction(&mut wallet, &mut holds, |books| {
        books.place(&last_week, at("2026-11-20T12:00:00Z"));
        books.place(&this_week, at("2026-11-24T12:00:00Z"));
        books.release(last_week.id, None, at("2026-11-24T13:00:00Z"));
    });
    assert_eq!((wallet.week.amount, wallet.month.amount), (dec("7.00"), dec("7.00")));
    assert_eq!(wallet.held, dec("7.00"));
}

#[test]
fn a_clock_that_is_behind_does_not_reopen_the_week_before() {
    let mut wallet = wallet("1000.00");
    wallet.weekly_limit = Some(dec("10.00"));
    let mut holds = Vec::new();
    let (first, second) = (request(&wallet, "10.00"), request(&wallet, "10.00"));
    transaction(&mut wallet, &mut holds, |books| {
        assert_eq!(books.place(&first, at("2026-11-23T05:00:00Z")), HoldOutcome::Held);
        assert_eq!(books.place(&second, at("2026-11-23T04:59:59Z")), HoldOutcome::WeeklyLimit);
    });
}
