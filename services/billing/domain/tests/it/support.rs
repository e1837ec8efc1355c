//! Short ways to write wallets, requests and sales.

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_billing_domain::{Books, Changes, Hold, HoldOutcome, HoldRequest, Price, Sale, Spent, Terms, Wallet};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, Currency, LeadId, Money, SellerId};
use rust_decimal::Decimal;

pub fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub fn usd(text: &str) -> Money {
    Money::parse(text, Currency::USD).unwrap()
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Sunday, 22 November 2026, noon in UTC.
pub fn sunday() -> DateTime<Utc> {
    at("2026-11-22T12:00:00Z")
}

pub fn terms(fee_percent: &str) -> Terms {
    Terms { currency: Currency::USD, time_zone: chrono_tz::America::New_York, fee_percent: dec(fee_percent) }
}

pub fn wallet(balance: &str) -> Wallet {
    let never = Spent { start: NaiveDate::default(), amount: Decimal::ZERO };
    Wallet {
        buyer: BuyerId::new(),
        seller: SellerId::new(),
        terms: terms("5"),
        open: true,
        suspended: false,
        balance: dec(balance),
        held: Decimal::ZERO,
        week: never,
        month: never,
        weekly_limit: None,
        monthly_limit: None,
        low_balance_threshold: Decimal::ZERO,
        debt: Decimal::ZERO,
        open_disputes: 0,
        lines: 0,
    }
}

pub fn request(wallet: &Wallet, price: &str) -> HoldRequest {
    HoldRequest {
        id: AssignmentId::new(),
        seller: wallet.seller,
        buyer: wallet.buyer,
        lead: LeadId::new(),
        campaign: CampaignId::new(),
        price: Price::new(usd(price)).unwrap(),
    }
}

pub fn sale(request: &HoldRequest) -> Sale {
    Sale {
        assignment: request.id,
        seller: request.seller,
        buyer: request.buyer,
        lead: request.lead,
        campaign: request.campaign,
        price: request.price,
        description: "Solar leads".to_owned(),
    }
}

/// One transaction on one wallet: load, do, save.
pub fn transaction<T>(wallet: &mut Wallet, holds: &mut Vec<Hold>, work: impl FnOnce(&mut Books) -> T) -> (T, Changes) {
    let mut books = Books::new([*wallet], holds.clone());
    let answer = work(&mut books);
    let changes = books.into_changes();
    if let [changed] = changes.wallets[..] {
        *wallet = changed;
    }
    for changed in changes.new_holds.iter().chain(&changes.changed_holds) {
        holds.retain(|hold| hold.id != changed.id);
        holds.push(changed.clone());
    }
    (answer, changes)
}

pub fn place_all(books: &mut Books, requests: &[HoldRequest], now: DateTime<Utc>) -> Vec<HoldOutcome> {
    requests.iter().map(|request| books.place(request, now)).collect()
}
