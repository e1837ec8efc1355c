//! When a wallet is recharged, and with how much.

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_billing_domain::{AfterDecline, NotNow, Recharge, Wallet, Wanted};
use leadflow_kernel::CardId;
use rust_decimal::Decimal;

use crate::support::{at, dec, sunday, wallet};

struct Case {
    wallet: Wallet,
    recharge: Recharge,
    card: CardId,
    now: DateTime<Utc>,
}

impl Case {
    /// Recharged with 100.00 below 50.00.
    fn new(balance: &str) -> Self {
        let wallet = Wallet { low_balance_threshold: dec("50.00"), ..wallet(balance) };
        let recharge = Recharge { enabled: true, amount: dec("100.00"), ..Recharge::none(wallet.seller, wallet.buyer) };
        Self { wallet, recharge, card: CardId::new(), now: sunday() }
    }

    fn due(&self, wanted: Option<&str>) -> Result<Decimal, NotNow> {
        let wanted = wanted.map(|price| Wanted { price: dec(price), at: self.now });
        self.recharge.due(&self.wallet, Some(self.card), wanted, dec("500.00"), self.now)
    }
}

#[test]
fn below_the_threshold_or_for_a_lead_that_one_recharge_reaches() {
    assert_eq!(Case::new("49.99").due(None), Ok(dec("100.00")));
    assert_eq!(Case::new("50.00").due(None), Err(NotNow::Enough));
    // Threshold 50, price 75, and 60 there: such a buyer was never recharged and never sold to.
    assert_eq!(Case::new("60.00").due(Some("75.00")), Ok(dec("100.00")));
    assert_eq!(Case::new("60.00").due(Some("60.00")), Err(NotNow::Enough));
    assert_eq!(Case::new("60.00").due(Some("160.00")), Ok(dec("100.00")));
    assert_eq!(Case::new("60.00").due(Some("160.01")), Err(NotNow::Enough));
    // One that is out of reach does not keep a low wallet from being recharged as ever.
    assert_eq!(Case::new("20.00").due(Some("900.00")), Ok(dec("100.00")));
}

#[test]
fn a_dear_lead_is_covered_where_that_is_wanted_up_to_the_most() {
    let mut case = Case::new("60.00");
    case.recharge.cover_waiting_lead = true;
    assert_eq!(case.due(Some("300.00")), Ok(dec("240.00")));
    assert_eq!(case.due(Some("560.00")), Ok(dec("500.00")));
    assert_eq!(case.due(Some("560.01")), Err(NotNow::Enough));
    assert_eq!(case.due(Some("90.00")), Ok(dec("100.00")));
}

#[test]
fn a_lead_refused_long_ago_does_not_count() {
    let case = Case::new("60.00");
    let wanted = |minutes| Some(Wanted { price: dec("75.00"), at: case.now - TimeDelta::minutes(minutes) });
    let due = |wanted| case.recharge.due(&case.wallet, Some(case.card), wanted, dec("500.00"), case.now);
    assert_eq!(due(wanted(20)), Ok(dec("100.00")));
    assert_eq!(due(wanted(21)), Err(NotNow::Enough));
}

#[test]
fn never_when_off_blocked_suspended_or_without_a_card() {
    let mut case = Case::new("10.00");
    assert_eq!(case.recharge.due(&case.wallet, None, None, dec("500.00"), case.now), Err(NotNow::NoCard));
    case.wallet.suspended = true;
    assert_eq!(case.due(None), Err(NotNow::Blocked));
    case.wallet.suspended = false;
    case.wallet.open = false;
    assert_eq!(case.due(None), Err(NotNow::Blocked));
    case.recharge.enabled = false;
    assert_eq!(case.due(None), Err(NotNow::Off));
}

#[test]
fn one_six_and_twenty_four_hours_then_off_with_what_to_do() {
    let mut case = Case::new("10.00");
    for hours in [1, 6, 24] {
        let until = case.now + TimeDelta::hours(hours);
        let after = case.recharge.declined(case.card, "authentication_required", case.now);
        assert_eq!(after, AfterDecline::AgainAt(until));
        case.now = until - TimeDelta::seconds(1);
        assert_eq!(case.due(Some("75.00")), Err(NotNow::Until(until)));
        case.now = until;
        assert_eq!(case.due(None), Ok(dec("100.00")));
    }
    assert_eq!(case.recharge.declined(case.card, "authentication_required", case.now), AfterDecline::TurnedOff);
    assert!(case.recharge.turned_off_because.contains("declined 4 times in a row"));
    assert!(case.recharge.turned_off_because.contains("Top up once by hand"));
    assert_eq!(case.due(None), Err(NotNow::Off));
    case.recharge.switch(true);
    assert_eq!(case.due(None), Ok(dec("100.00")));
}

#[test]
fn declines_in_a_row_are_of_one_card_and_end_when_it_pays() {
    let mut case = Case::new("10.00");
    let other = CardId::new();
    for _ in 0..2 {
        let _ = case.recharge.declined(case.card, "do_not_honor", case.now);
    }
    assert_eq!(case.recharge.declines, 2);
    // Turning it off and on does not make the same card forget.
    case.recharge.switch(false);
    case.recharge.switch(true);
    assert!(matches!(case.due(None), Err(NotNow::Until(_))));
    let due = case.recharge.due(&case.wallet, Some(other), None, dec("500.00"), case.now);
    assert_eq!(due, Ok(dec("100.00")));
    case.recharge.paid(other);
    assert!(matches!(case.due(None), Err(NotNow::Until(_))));
    case.recharge.paid(case.card);
    assert_eq!((case.due(None), case.recharge.declines), (Ok(dec("100.00")), 0));
}

#[test]
fn so_many_a_day_where_the_tenant_lives_also_when_the_clocks_change() {
    let mut case = Case::new("10.00");
    case.recharge.most_a_day = 1;
    // Clocks go back in New York on 1 November 2026: that day has 25 hours.
    case.now = at("2026-11-01T04:00:00Z");
    case.recharge.attempted(case.now, case.wallet.terms.time_zone);
    assert_eq!(case.due(None), Err(NotNow::Until(at("2026-11-02T05:00:00Z"))));
    case.now = at("2026-11-02T04:59:59Z");
    assert!(case.due(None).is_err());
    case.now = at("2026-11-02T05:00:00Z");
    assert_eq!(case.due(None), Ok(dec("100.00")));
    // A replica whose clock is a little behind opens no new day.
    case.recharge.attempted(case.now, case.wallet.terms.time_zone);
    case.now = at("2026-11-02T04:59:59Z");
    assert_eq!(case.due(None), Err(NotNow::Until(at("2026-11-03T05:00:00Z"))));
}
