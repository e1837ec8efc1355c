//! Random histories of one tenant's wallets, checked after every step against a model that knows
//! nothing of running counters: it keeps the list of everything that happened, in whole cents, and
//! adds it up from the start.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use chrono_tz::Tz;
use leadflow_billing_domain::{
    AccountKind, Books, CaptureError, Captured, Hold, HoldOutcome, HoldState, Posting, Wallet,
};
use leadflow_kernel::{AssignmentId, Currency, Money, PostingId};
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::support::{at, request, sale, wallet};

#[derive(Debug, Clone)]
enum Step {
    Credit { wallet: usize, cents: i64 },
    Place { wallet: usize, hold: usize, cents: i64 },
    Capture { hold: usize },
    Release { hold: usize, stale: bool },
    Wait { minutes: i64 },
    Commit,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wallets = 0..2_usize;
    let step = prop_oneof![
        2 => (wallets.clone(), 1..20_000_i64).prop_map(|(wallet, cents)| Step::Credit { wallet, cents }),
        6 => (wallets, 0..12_usize, prop_oneof![Just(0), Just(2_500), 1..9_000_i64])
            .prop_map(|(wallet, hold, cents)| Step::Place { wallet, hold, cents }),
        3 => (0..12_usize).prop_map(|hold| Step::Capture { hold }),
        3 => (0..12_usize, any::<bool>()).prop_map(|(hold, stale)| Step::Release { hold, stale }),
        2 => prop_oneof![1..90_i64, 600..20_000_i64].prop_map(|minutes| Step::Wait { minutes }),
        3 => Just(Step::Commit),
    ];
    prop::collection::vec(step, 1..80)
}

/// One placing of one hold, and how it ended.
#[derive(Debug, Clone)]
struct Placing {
    hold: usize,
    wallet: usize,
    cents: i64,
    placed: DateTime<Utc>,
    end: Option<End>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Captured,
    Released,
}

struct Model {
    zone: Tz,
    credits: [i64; 2],
    limits: [(Option<i64>, Option<i64>); 2],
    placings: Vec<Placing>,
    attempts: BTreeMap<usize, u32>,
}

impl Model {
    fn sum(&self, wallet: usize, which: impl Fn(&Placing) -> bool) -> i64 {
        self.placings.iter().filter(|p| p.wallet == wallet && which(p)).map(|p| p.cents).sum()
    }

    fn balance(&self, wallet: usize) -> i64 {
        self.credits[wallet] - self.sum(wallet, |p| p.end == Some(End::Captured))
    }

    fn held(&self, wallet: usize) -> i64 {
        self.sum(wallet, |p| p.end.is_none())
    }

    fn spent_week(&self, wallet: usize, now: DateTime<Utc>) -> i64 {
        let week = |t: DateTime<Utc>| t.with_timezone(&self.zone).iso_week();
        self.sum(wallet, |p| p.end != Some(End::Released) && week(p.placed) == week(now))
    }

    fn spent_month(&self, wallet: usize, now: DateTime<Utc>) -> i64 {
        let month = |t: DateTime<Utc>| {
            let local = t.with_timezone(&self.zone);
            (local.year(), local.month())
        };
        self.sum(wallet, |p| p.end != Some(End::Released) && month(p.placed) == month(now))
    }

    fn last(&mut self, hold: usize) -> Option<&mut Placing> {
        self.placings.iter_mut().rev().find(|p| p.hold == hold)
    }

    fn expected(&mut self, wallet: usize, hold: usize, cents: i64, now: DateTime<Utc>) -> HoldOutcome {
        let attempts = *self.attempts.get(&hold).unwrap_or(&0);
        if let Some(last) = self.last(hold) {
            match last.end {
                Some(End::Captured) => return HoldOutcome::AlreadyCaptured,
                None if last.cents == cents => {
                    self.attempts.insert(hold, attempts + 1);
                    return HoldOutcome::Held;
                }
                None => last.end = Some(End::Released),
                Some(End::Released) => {}
            }
        }
        let over = |spent: i64, limit: Option<i64>| cents > 0 && limit.is_some_and(|limit| spent + cents > limit);
        if cents > self.balance(wallet) - self.held(wallet) {
            return HoldOutcome::InsufficientFunds;
        }
        if over(self.spent_week(wallet, now), self.limits[wallet].0) {
            return HoldOutcome::WeeklyLimit;
        }
        if over(self.spent_month(wallet, now), self.limits[wallet].1) {
            return HoldOutcome::MonthlyLimit;
        }
        self.placings.push(Placing { hold, wallet, cents, placed: now, end: None });
        self.attempts.insert(hold, attempts + 1);
        HoldOutcome::Held
    }
}

fn money(cents: i64) -> Money {
    Money::new(Decimal::new(cents, 2), Currency::USD).unwrap()
}

fn limit() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![2 => Just(None), 1 => Just(Some(0)), 4 => (1_000..30_000_i64).prop_map(Some)]
}

fn zone() -> impl Strategy<Value = Tz> {
    prop_oneof![
        Just(chrono_tz::UTC),
        Just(chrono_tz::America::New_York),
        Just(chrono_tz::Asia::Kathmandu),
        Just(chrono_tz::Pacific::Kiritimati),
    ]
}

/// Saves what the books decided and checks what must hold of every transaction.
fn commit(
    books: Books,
    wallets: &mut [Wallet; 2],
    holds: &mut BTreeMap<AssignmentId, Hold>,
    ledger: &mut Vec<Posting>,
) -> Result<Books, TestCaseError> {
    let changes = books.into_changes();
    for changed in changes.wallets {
        let mine = wallets.iter_mut().find(|w| w.buyer == changed.buyer).unwrap();
        *mine = changed;
    }
    for changed in changes.new_holds.into_iter().chain(changes.changed_holds) {
        if let Some(before) = holds.get(&changed.id) {
            prop_assert_ne!(before.state, HoldState::Captured, "a captured hold is final");
        }
        holds.insert(changed.id, changed);
    }
    for posting in &changes.postings {
        prop_assert_eq!(posting.sum(), Decimal::ZERO);
        let of_wallets = posting.entries.iter().filter(|e| e.wallet.is_some()).count();
        prop_assert_eq!(of_wallets, 1, "one wallet line each");
        prop_assert!(
            posting.entries.iter().all(|e| e.wallet.is_some() == (e.account.kind == AccountKind::BuyerWallet))
        );
    }
    ledger.extend(changes.postings);
    Ok(Books::new(*wallets, holds.values().cloned()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_history_of_credits_holds_captures_and_releases_adds_up(
        steps in steps(),
        zone in zone(),
        limits in [(limit(), limit()), (limit(), limit())],
        fee in 0..=10_000_i64,
    ) {
        let mut wallets = [wallet("0.00"), wallet("0.00")];
        for (wallet, (week, month)) in wallets.iter_mut().zip(&limits) {
            wallet.terms.time_zone = zone;
            wallet.terms.fee_percent = Decimal::new(fee, 2);
            wallet.weekly_limit = week.map(|cents| Decimal::new(cents, 2));
            wallet.monthly_limit = month.map(|cents| Decimal::new(cents, 2));
        }
        let ids: Vec<AssignmentId> = (0..12).map(|_| AssignmentId::new()).collect();
        let mut model =
            Model { zone, credits: [0; 2], limits, placings: Vec::new(), attempts: BTreeMap::new() };
        let mut now = at("2026-12-23T00:00:00Z");
        let (mut holds, mut ledger) = (BTreeMap::new(), Vec::new());
        let mut books = Books::new(wallets, []);

        for step in steps {
            match step {
                Step::Wait { minutes } => now += TimeDelta::minutes(minutes),
                Step::Commit => books = commit(books, &mut wallets, &mut holds, &mut ledger)?,
                Step::Credit { wallet: w, cents } => {
                    let (seller, buyer) = (wallets[w].seller, wallets[w].buyer);
                    books.credit(seller, buyer, money(cents), String::new(), PostingId::new(), now).unwrap();
                    model.credits[w] += cents;
                }
                Step::Place { wallet: w, hold, cents } => {
                    // A hold's id belongs to one buyer for ever, as an assignment's does.
                    let w = model.last(hold).map_or(w, |p| p.wallet);
                    let mut asked = request(&wallets[w], &Decimal::new(cents, 2).to_string());
                    asked.id = ids[hold];
                    let expected = model.expected(w, hold, cents, now);
                    prop_assert_eq!(books.place(&asked, now), expected);
                }
                Step::Capture { hold } => {
                    let Some(last) = model.last(hold).cloned() else { continue };
                    let w = last.wallet;
                    let mut asked = request(&wallets[w], &Decimal::new(last.cents, 2).to_string());
                    asked.id = ids[hold];
                    let got = books.capture(&sale(&asked), PostingId::new(), now);
                    let expected = match last.end {
                        Some(End::Captured) => Ok(Captured::Before),
                        None => Ok(Captured::FromHold),
                        Some(End::Released) if last.cents > model.balance(w) - model.held(w) => {
                            Err(CaptureError::InsufficientFunds)
                        }
                        Some(End::Released) => {
                            model.placings.push(Placing { placed: now, end: None, ..last });
                            *model.attempts.entry(hold).or_default() += 1;
                            Ok(Captured::WithoutHold)
                        }
                    };
                    prop_assert_eq!(got, expected);
                    if expected.is_ok() {
                        model.last(hold).unwrap().end = Some(End::Captured);
                    }
                }
                Step::Release { hold, stale } => {
                    let attempts = *model.attempts.get(&hold).unwrap_or(&0);
                    let seen = if stale { attempts.saturating_sub(1) } else { attempts };
                    let stood = model.last(hold).is_some_and(|p| p.end.is_none());
                    let released = books.release(ids[hold], Some(seen), now);
                    prop_assert_eq!(released, stood && seen == attempts);
                    if released {
                        model.last(hold).unwrap().end = Some(End::Released);
                    }
                }
            }
            for (w, loaded) in wallets.iter().enumerate() {
                let wallet = books.wallet(loaded.seller, loaded.buyer).unwrap();
                let period = leadflow_billing_domain::Period::at(now, zone);
                prop_assert!(wallet.available() >= Decimal::ZERO);
                prop_assert_eq!(wallet.balance, Decimal::new(model.balance(w), 2));
                prop_assert_eq!(wallet.held, Decimal::new(model.held(w), 2));
                prop_assert_eq!(
                    wallet.week.in_window(period.week_start),
                    Decimal::new(model.spent_week(w, now), 2)
                );
                prop_assert_eq!(
                    wallet.month.in_window(period.month_start),
                    Decimal::new(model.spent_month(w, now), 2)
                );
            }
        }

        commit(books, &mut wallets, &mut holds, &mut ledger)?;
        let everything: Decimal = ledger.iter().map(Posting::sum).sum();
        prop_assert_eq!(everything, Decimal::ZERO);
        for wallet in &wallets {
            // The statement is a chain without gaps that ends at the balance.
            let mut balance = Decimal::ZERO;
            let mut number = 0;
            for entry in ledger.iter().flat_map(|p| &p.entries) {
                let Some(line) = entry.wallet else { continue };
                if entry.account.buyer != Some(wallet.buyer) { continue }
                number += 1;
                balance += entry.amount;
                prop_assert_eq!((line.number, line.balance_after), (number, balance));
            }
            prop_assert_eq!((wallet.lines, wallet.balance), (number, balance));
        }
        for (hold, id) in ids.iter().enumerate() {
            let purchases = ledger.iter().filter(|p| p.kind.assignment() == Some(*id)).count();
            let captured = model.placings.iter()
                .filter(|p| p.hold == hold && p.end == Some(End::Captured)).count();
            prop_assert!(captured <= 1);
            prop_assert_eq!(purchases, captured, "one posting for each paid assignment");
        }
    }
}
