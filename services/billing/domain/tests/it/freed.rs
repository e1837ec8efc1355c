//! Telling that holds gave money back.

use leadflow_billing_domain::{Changes, HoldOutcome, HoldRequest, Price};
use leadflow_kernel::PostingId;

use crate::support::*;

fn amounts(changes: &Changes) -> Vec<(String, String)> {
    changes.freed.iter().map(|freed| (freed.amount.to_string(), freed.wallet.available().to_string())).collect()
}

fn told(amount: &str, available: &str) -> Vec<(String, String)> {
    vec![(amount.to_owned(), available.to_owned())]
}

fn at_price(request: &HoldRequest, price: &str) -> HoldRequest {
    HoldRequest { price: Price::new(usd(price)).unwrap(), ..request.clone() }
}

#[test]
fn what_is_given_back_is_summed_up_and_what_ends_otherwise_is_not() {
    let mut wallet = wallet("100.00");
    let mut holds = Vec::new();
    let asked = ["10.00", "20.00", "30.00", "0.00"].map(|price| request(&wallet, price));
    let (_, changes) = transaction(&mut wallet, &mut holds, |books| place_all(books, &asked, sunday()));
    assert!(changes.freed.is_empty());
    let (_, changes) = transaction(&mut wallet, &mut holds, |books| {
        books.capture(&sale(&asked[2]), PostingId::new(), sunday()).unwrap();
    });
    assert!(changes.freed.is_empty(), "a paid hold frees nothing");
    let (_, changes) = transaction(&mut wallet, &mut holds, |books| {
        assert!(asked[..2].iter().all(|hold| books.release(hold.id, None, sunday())));
    });
    assert_eq!(amounts(&changes), told("30.00", "70.00"), "once a wallet");
    let (_, changes) = transaction(&mut wallet, &mut holds, |books| {
        assert!(books.release(asked[3].id, None, sunday()));
    });
    assert!(changes.freed.is_empty(), "a free lead held nothing");
}

#[test]
fn another_price_frees_the_difference_or_everything() {
    let mut wallet = wallet("50.00");
    let mut holds = Vec::new();
    let asked = request(&wallet, "20.00");
    for (price, outcome, freed) in [
        ("20.00", HoldOutcome::Held, vec![]),
        ("20.00", HoldOutcome::Held, vec![]),
        ("15.00", HoldOutcome::Held, told("5.00", "35.00")),
        ("40.00", HoldOutcome::Held, vec![]),
        ("60.00", HoldOutcome::InsufficientFunds, told("40.00", "50.00")),
        ("60.00", HoldOutcome::InsufficientFunds, vec![]),
    ] {
        let again = at_price(&asked, price);
        let (was, changes) = transaction(&mut wallet, &mut holds, |books| books.place(&again, sunday()));
        assert_eq!((was, amounts(&changes)), (outcome, freed), "{price}");
    }
}

#[test]
fn a_sale_at_a_lower_price_than_its_hold_frees_the_rest() {
    let mut wallet = wallet("50.00");
    let mut holds = Vec::new();
    let held = request(&wallet, "50.00");
    transaction(&mut wallet, &mut holds, |books| books.place(&held, sunday()));
    let (_, changes) = transaction(&mut wallet, &mut holds, |books| {
        books.capture(&sale(&at_price(&held, "30.00")), PostingId::new(), sunday()).unwrap();
    });
    assert_eq!(amounts(&changes), told("20.00", "20.00"));
}
