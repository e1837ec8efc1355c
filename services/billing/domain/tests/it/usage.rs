//! What messages cost, in which month they count, and when a month is posted.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use leadflow_billing_domain::{
    AccountKind, History, Markups, PostedBefore, Prices, SentMessage, Unposted, UsageKey, UsageKind, month_due,
};
use leadflow_kernel::{BuyerId, PostingId, SellerId};
use proptest::prelude::*;
use rust_decimal::Decimal;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn month(text: &str) -> NaiveDate {
    format!("{text}-01").parse().unwrap()
}

fn sent(kind: UsageKind, moment: &str) -> SentMessage {
    SentMessage { seller: SellerId::new(), buyer: Some(BuyerId::new()), kind, units: 1, at: at(moment) }
}

fn row(of: &str, cost: &str, markup: &str, units: u64) -> Unposted {
    let key = UsageKey {
        seller: SellerId::new(),
        month: month(of),
        kind: UsageKind::Email,
        buyer: None,
        cost: Some(dec(cost)),
        markup_percent: dec(markup),
    };
    Unposted { key, units }
}

const DAY: TimeDelta = TimeDelta::days(1);

#[test]
fn a_message_is_counted_by_the_terms_in_force_when_it_was_sent() {
    let prices = Prices::new(vec![
        (at("2026-11-10T00:00:00Z"), Some(dec("0.002"))),
        (at("2026-11-01T00:00:00Z"), Some(dec("0.0006"))),
    ]);
    let chosen = Markups { email: Some(dec("0")), ..Markups::default() };
    let markups = History::new(vec![(at("2026-11-20T12:00:00Z"), chosen)]);
    for (kind, moment, cost, markup) in [
        (UsageKind::Email, "2026-10-31T00:00:00Z", "0.0006", "15"),
        (UsageKind::Email, "2026-11-09T23:59:59Z", "0.0006", "15"),
        (UsageKind::Email, "2026-11-10T00:00:00Z", "0.002", "15"),
        (UsageKind::Email, "2026-11-20T12:00:00Z", "0.002", "0"),
        (UsageKind::Sms, "2026-11-20T12:00:00Z", "0.002", "20"),
        (UsageKind::Webhook, "2026-11-20T12:00:00Z", "0.002", "0"),
    ] {
        let key = UsageKey::of(&sent(kind, moment), chrono_tz::UTC, &prices, &markups);
        assert_eq!((key.cost, key.markup_percent), (Some(dec(cost)), dec(markup)), "{kind:?} {moment}");
    }
}

#[test]
fn without_a_price_nothing_is_free() {
    let message = sent(UsageKind::Email, "2026-11-01T00:00:00Z");
    let unpriced = UsageKey::of(&message, chrono_tz::UTC, &Prices::default(), &History::default());
    assert_eq!((unpriced.cost, unpriced.price(1)), (None, None));
    // A price that was taken away and came again.
    let prices = Prices::new(vec![
        (at("2026-11-01T00:00:00Z"), Some(dec("1"))),
        (at("2026-11-10T00:00:00Z"), None),
        (at("2026-11-20T00:00:00Z"), None),
        (at("2026-11-25T00:00:00Z"), Some(dec("0"))),
        (at("2026-11-26T00:00:00Z"), None),
    ]);
    for (moment, price) in [
        ("2026-10-01T00:00:00Z", Some("1")),
        ("2026-11-09T23:59:59Z", Some("1")),
        ("2026-11-10T00:00:00Z", Some("0")),
        ("2026-11-21T00:00:00Z", Some("0")),
        ("2026-11-25T00:00:00Z", Some("0")),
        ("2026-11-26T00:00:00Z", None),
    ] {
        assert_eq!(prices.price(at(moment)), price.map(dec), "{moment}");
    }
}

#[test]
fn a_message_counts_in_the_month_of_its_tenants_calendar() {
    let month_in = |moment: &str, zone: Tz| {
        UsageKey::of(&sent(UsageKind::Webhook, moment), zone, &Prices::default(), &History::default()).month
    };
    assert_eq!(month_in("2026-12-01T04:59:59Z", chrono_tz::America::New_York), month("2026-11"));
    assert_eq!(month_in("2026-12-01T05:00:00Z", chrono_tz::America::New_York), month("2026-12"));
    assert_eq!(month_in("2026-12-31T15:00:00Z", chrono_tz::Asia::Tokyo), month("2027-01"));
}

#[test]
fn prices_are_exact() {
    let price = row("2026-11", "0.0006", "15", 0).key.price(7).unwrap();
    assert_eq!((price.base, price.markup, price.total), (dec("0.0042"), dec("0.00063"), dec("0.00483")));
    // The most that the tables can hold is a number.
    assert!(row("2026-11", "999999.999999", "999", 0).key.price(u64::MAX).is_some());
}

#[test]
fn a_month_is_due_a_day_after_it_ended_where_the_tenant_lives() {
    let rows = [row("2026-11", "0.01", "0", 100)];
    let zone = chrono_tz::America::New_York;
    let due = |now: &str| month_due(&rows, &PostedBefore::default(), at(now), DAY, zone).map(|due| due.month);
    assert_eq!(due("2026-12-01T05:00:00Z"), None, "it has just ended");
    assert_eq!(due("2026-12-02T04:59:59Z"), None);
    assert_eq!(due("2026-12-02T05:00:00Z"), Some(month("2026-11")));
    assert_eq!(due("2027-06-15T00:00:00Z"), Some(month("2026-11")), "however late");
}

#[test]
fn each_month_is_posted_by_itself_and_what_comes_late_with_the_next() {
    let now = at("2027-02-10T00:00:00Z");
    let due = |rows: &[Unposted], posted: &[&str]| {
        let months = posted.iter().map(|text| month(text)).collect();
        let posted = PostedBefore { months, remainder: Decimal::ZERO };
        month_due(rows, &posted, now, DAY, chrono_tz::UTC).map(|due| (due.month, due.amount))
    };
    let rows = [row("2026-11", "1", "0", 1), row("2026-12", "2", "0", 1), row("2027-02", "9", "0", 1)];
    assert_eq!(due(&rows, &[]), Some((month("2026-11"), dec("1"))));
    assert_eq!(due(&rows[1..], &["2026-11"]), Some((month("2026-12"), dec("2"))));
    // Late for November, when December was posted, too: January's, though nothing was sent in January.
    assert_eq!(due(&rows[..1], &["2026-11", "2026-12"]), Some((month("2027-01"), dec("1"))));
    assert_eq!(due(&rows[..2], &["2026-11"]), Some((month("2026-12"), dec("3"))), "together with December's own");
    assert_eq!(due(&rows[..1], &["2026-11", "2026-12", "2027-01"]), None, "February's has to wait");
    assert_eq!(due(&rows[2..], &[]), None, "a month that is going on");
    assert_eq!(due(&[], &[]), None);
}

#[test]
fn sums_are_rounded_once_and_what_rounds_to_nothing_waits() {
    let now = at("2027-02-10T00:00:00Z");
    let due = |rows: &[Unposted]| month_due(rows, &PostedBefore::default(), now, DAY, chrono_tz::UTC);
    // Each row alone would be nothing.
    let many: Vec<_> = (0..10).map(|_| row("2026-11", "0.0006", "0", 7)).collect();
    let posted = due(&many).unwrap();
    assert_eq!((posted.exact, posted.amount), (dec("0.0420"), dec("0.04")));
    for (cost, amount) in [("0.015", "0.02"), ("0.025", "0.02"), ("0.0250001", "0.03")] {
        assert_eq!(due(&[row("2026-11", cost, "0", 1)]).unwrap().amount, dec(amount), "{cost}: half to even");
    }
    assert_eq!(due(&[row("2026-11", "0.005", "0", 1)]), None);
    assert_eq!(due(&[row("2026-11", "0", "15", 1_000)]), None, "free messages are no posting");
    let together = due(&[row("2026-11", "0.004", "0", 1), row("2026-12", "0.004", "0", 1)]).unwrap();
    assert_eq!((together.month, together.amount, together.rows.len()), (month("2026-12"), dec("0.01"), 2));
}

#[test]
fn what_rounding_left_is_in_the_next_posting() {
    let due = |cost: &str, remainder: &str| {
        let posted = PostedBefore { remainder: dec(remainder), ..PostedBefore::default() };
        month_due(&[row("2026-11", cost, "0", 1)], &posted, at("2027-02-10T00:00:00Z"), DAY, chrono_tz::UTC)
            .map(|due| (due.exact, due.amount))
    };
    assert_eq!(due("0.004", "0.004"), Some((dec("0.004"), dec("0.01"))));
    assert_eq!(due("0.013", "-0.004"), Some((dec("0.013"), dec("0.01"))));
    assert_eq!(due("0.008", "-0.005"), None, "more was posted already than this is");
}

proptest! {
    /// Whatever comes in whatever order, and however often one looks: all is posted once, no month twice.
    #[test]
    fn everything_is_posted_exactly_once(
        events in prop::collection::vec((1_u32..=12, 1_u64..2_000, 1_i64..20_000, any::<bool>()), 1..60)
    ) {
        let mut rows: Vec<(Unposted, u64)> = Vec::new();
        let (mut posted, mut amounts, mut sent) = (PostedBefore::default(), Decimal::ZERO, Decimal::ZERO);
        let mut now = at("2026-02-15T00:00:00Z");
        let look = |now, rows: &mut Vec<(Unposted, u64)>, posted: &mut PostedBefore, amounts: &mut Decimal| {
            loop {
                let open: Vec<_> = rows.iter().filter(|(_, units)| *units > 0)
                    .map(|(row, units)| Unposted { units: *units, ..*row }).collect();
                let Some(due) = month_due(&open, posted, now, DAY, chrono_tz::UTC) else { break };
                assert!(posted.months.insert(due.month), "a month twice");
                posted.remainder += due.exact - due.amount;
                assert_eq!(due.posting(PostingId::new(), SellerId::new(), now).sum(), Decimal::ZERO);
                for done in &due.rows {
                    let (_, units) = rows.iter_mut().find(|(row, _)| row.key == done.key).unwrap();
                    *units -= done.units;
                }
                *amounts += due.amount;
            }
        };
        for (of, units, millionths, looks) in events {
            let fresh = row(&format!("2026-{of:02}"), &Decimal::new(millionths, 6).to_string(), "15", units);
            sent += fresh.key.price(units).unwrap().total;
            rows.push((fresh, units));
            if looks {
                now += TimeDelta::days(20);
                look(now, &mut rows, &mut posted, &mut amounts);
            }
        }
        // Years later everything has found its posting, but for what is less than a cent.
        look(now + TimeDelta::days(3_000), &mut rows, &mut posted, &mut amounts);
        let left: Decimal = rows.iter().map(|(row, units)| row.key.price(*units).unwrap().total).sum();
        prop_assert!(left + posted.remainder <= dec("0.005"), "{left} is left");
        prop_assert!((sent - left - amounts).abs() <= dec("0.005"), "{sent} sent, {amounts} posted");
    }
}

#[test]
fn the_posting_takes_from_the_seller_and_gives_to_the_platform() {
    let due = month_due(
        &[row("2026-11", "1.50", "0", 1)],
        &PostedBefore::default(),
        at("2027-01-01T00:00:00Z"),
        DAY,
        chrono_tz::UTC,
    );
    let posting = due.unwrap().posting(PostingId::new(), SellerId::new(), at("2027-01-01T00:00:00Z"));
    let lines: Vec<_> = posting.entries.iter().map(|entry| (entry.account.kind, entry.amount)).collect();
    assert_eq!(lines, [(AccountKind::SellerEarnings, dec("-1.50")), (AccountKind::PlatformUsage, dec("1.50"))]);
    assert_eq!((posting.description.as_str(), posting.sum()), ("Messages of 2026-11", Decimal::ZERO));
}
