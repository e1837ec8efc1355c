//! Telling that available money fell below the threshold.

use leadflow_kernel::PostingId;

use crate::support::*;

#[test]
fn a_crossing_is_told_once_and_again_only_after_having_been_above() {
    let mut wallet = wallet("100.00");
    wallet.low_balance_threshold = dec("50.00");
    let mut holds = Vec::new();
    let mut place = |wallet: &mut _, price: &str| {
        let asked = request(wallet, price);
        let (_, changes) = transaction(wallet, &mut holds, |books| books.place(&asked, sunday()));
        changes.low_balances.len()
    };
    assert_eq!(place(&mut wallet, "50.00"), 0, "at the threshold is not below it");
    assert_eq!(place(&mut wallet, "10.00"), 1);
    assert_eq!(place(&mut wallet, "10.00"), 0, "told already");
    let credit = |wallet: &mut leadflow_billing_domain::Wallet, amount: &str| {
        let (seller, buyer) = (wallet.seller, wallet.buyer);
        let (_, changes) = transaction(wallet, &mut Vec::new(), |books| {
            books.credit(seller, buyer, usd(amount), String::new(), PostingId::new(), sunday())
        });
        changes.low_balances.len()
    };
    assert_eq!(credit(&mut wallet, "1.00"), 0, "still below, still told");
    assert_eq!(place(&mut wallet, "1.00"), 0);
    assert_eq!(credit(&mut wallet, "20.00"), 0, "exactly at it: armed again");
    assert_eq!(place(&mut wallet, "0.01"), 1);
}

#[test]
fn a_batch_that_crosses_tells_once_with_what_is_left_at_its_end() {
    let mut wallet = wallet("100.00");
    wallet.low_balance_threshold = dec("50.00");
    let asked: Vec<_> = (0..4).map(|_| request(&wallet, "25.00")).collect();
    let (_, changes) = transaction(&mut wallet, &mut Vec::new(), |books| place_all(books, &asked, sunday()));
    let [low] = &changes.low_balances[..] else { panic!("one crossing") };
    assert_eq!(low.wallet.available(), dec("0.00"));
}

#[test]
fn a_release_arms_it_again_and_a_capture_does_not_move_available_money() {
    let mut wallet = wallet("100.00");
    wallet.low_balance_threshold = dec("50.00");
    let mut holds = Vec::new();
    let asked = request(&wallet, "60.00");
    let mut step = |wallet: &mut _, work: &dyn Fn(&mut leadflow_billing_domain::Books)| {
        transaction(wallet, &mut holds, |books| work(books)).1.low_balances.len()
    };
    let place = |books: &mut leadflow_billing_domain::Books| {
        books.place(&asked, sunday());
    };
    assert_eq!(step(&mut wallet, &place), 1);
    assert_eq!(step(&mut wallet, &|books| assert!(books.release(asked.id, None, sunday()))), 0);
    assert_eq!(step(&mut wallet, &place), 1);
    let capture = |books: &mut leadflow_billing_domain::Books| {
        books.capture(&sale(&asked), PostingId::new(), sunday()).unwrap();
    };
    assert_eq!(step(&mut wallet, &capture), 0);
}

#[test]
fn a_threshold_of_zero_never_tells() {
    let mut wallet = wallet("10.00");
    let asked = request(&wallet, "10.00");
    let (_, changes) = transaction(&mut wallet, &mut Vec::new(), |books| books.place(&asked, sunday()));
    assert!(changes.low_balances.is_empty());
}

#[test]
fn raising_the_threshold_above_what_is_there_tells_once() {
    let mut wallet = wallet("100.00");
    let mut set = |threshold: &str| {
        let threshold = leadflow_billing_domain::Price::new(usd(threshold)).unwrap();
        let (seller, buyer) = (wallet.seller, wallet.buyer);
        transaction(&mut wallet, &mut Vec::new(), |books| {
            assert!(books.set_low_balance_threshold(seller, buyer, threshold));
        })
        .1
        .low_balances
        .len()
    };
    assert_eq!([set("100.00"), set("100.01"), set("500.00"), set("0.00"), set("100.01")], [0, 1, 0, 0, 1]);
}
