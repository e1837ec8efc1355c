//! Undoing sales.

use chrono::TimeDelta;
use leadflow_billing_domain::{AccountKind, Books, GiveBackError, PaidSale, Posting, PostingKind};
use leadflow_kernel::PostingId;
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::support::*;

/// What the posting of a sale booked.
fn booked(posting: &Posting) -> PaidSale {
    let (wallet, shares) = posting.entries.split_first().unwrap();
    PaidSale {
        assignment: posting.kind.assignment().unwrap(),
        seller: posting.seller,
        buyer: wallet.account.buyer.unwrap(),
        price: Decimal::ZERO - wallet.amount,
        shares: shares.iter().map(|entry| (entry.account.kind, entry.amount)).collect(),
    }
}

#[test]
fn given_a_paid_sale_when_it_is_undone_then_every_account_is_as_before_whatever_the_fee_is_now() {
    let (mut wallet, mut holds) = (wallet("100.00"), Vec::new());
    let asked = request(&wallet, "25.01");
    let (_, changes) = transaction(&mut wallet, &mut holds, |books| {
        books.place(&asked, sunday());
        books.capture(&sale(&asked), PostingId::new(), sunday()).unwrap();
    });
    let paid = booked(&changes.postings[0]);
    assert_eq!(paid.shares, [(AccountKind::SellerEarnings, dec("23.76")), (AccountKind::PlatformFees, dec("1.25"))]);
    wallet.terms.fee_percent = dec("50");
    let (done, changes) = transaction(&mut wallet, &mut holds, |books| {
        books.give_back(&paid, "Return".to_owned(), PostingId::new(), sunday())
    });
    assert_eq!(done, Ok(()));
    let [posting] = &changes.postings[..] else { panic!("{changes:?}") };
    assert_eq!((posting.kind, posting.sum()), (PostingKind::LeadReturn(asked.id), Decimal::ZERO));
    let amounts: Vec<_> = posting.entries.iter().map(|entry| (entry.account.kind, entry.amount)).collect();
    let expected = [
        (AccountKind::BuyerWallet, dec("25.01")),
        (AccountKind::SellerEarnings, dec("-23.76")),
        (AccountKind::PlatformFees, dec("-1.25")),
    ];
    assert_eq!(amounts, expected);
    assert_eq!((wallet.balance, wallet.held, wallet.week.amount, wallet.lines), (dec("100.00"), dec("0"), dec("0"), 2));
    assert!(changes.freed.is_empty() && changes.changed_holds.is_empty(), "the hold explains the first posting");
}

#[test]
fn given_a_sale_that_was_not_paid_like_that_then_nothing_is_given_back() {
    let (mut wallet, mut holds) = (wallet("100.00"), Vec::new());
    let asked = request(&wallet, "25.00");
    let paid = PaidSale {
        assignment: asked.id,
        seller: wallet.seller,
        buyer: wallet.buyer,
        price: dec("25.00"),
        shares: vec![(AccountKind::SellerEarnings, dec("25.00"))],
    };
    let give = |books: &mut Books, paid: &PaidSale| books.give_back(paid, String::new(), PostingId::new(), sunday());
    let before = wallet;
    let (refused, _) = transaction(&mut wallet, &mut holds, |books| give(books, &paid));
    assert_eq!(refused, Err(GiveBackError::NotPaid), "no hold");
    let (refused, _) = transaction(&mut wallet, &mut holds, |books| {
        books.place(&asked, sunday());
        give(books, &paid)
    });
    assert_eq!(refused, Err(GiveBackError::NotPaid), "it still stands");
    transaction(&mut wallet, &mut holds, |books| books.capture(&sale(&asked), PostingId::new(), sunday()).unwrap());
    for wrong in [
        PaidSale { price: dec("24.00"), ..paid.clone() },
        PaidSale { shares: vec![], ..paid.clone() },
        PaidSale { buyer: request(&before, "1").id.uuid().into(), ..paid.clone() },
    ] {
        let (refused, changes) = transaction(&mut wallet, &mut holds, |books| give(books, &wrong));
        assert_eq!(refused, Err(GiveBackError::NotPaid), "{wrong:?}");
        assert!(changes.wallets.is_empty() && changes.postings.is_empty());
    }
}

proptest! {
    #[test]
    fn any_sales_and_returns_of_some_of_them_leave_what_was_not_returned(
        sales in prop::collection::vec((0..10_000_i64, 0..=10_000_i64, any::<bool>(), 0..30_000_i64), 1..30),
    ) {
        let (mut wallet, mut holds) = (wallet("3000000.00"), Vec::new());
        let (mut now, mut ledger) = (sunday(), Vec::new());
        let mut stays = Decimal::ZERO;
        for (cents, fee, undo, minutes) in sales {
            wallet.terms.fee_percent = Decimal::new(fee, 2);
            let asked = request(&wallet, &Decimal::new(cents, 2).to_string());
            let (_, changes) = transaction(&mut wallet, &mut holds, |books| {
                books.place(&asked, now);
                books.capture(&sale(&asked), PostingId::new(), now).unwrap();
            });
            let paid = booked(&changes.postings[0]);
            ledger.extend(changes.postings);
            now += TimeDelta::minutes(minutes);
            if undo {
                wallet.terms.fee_percent = Decimal::new(10_000 - fee, 2);
                let (done, changes) = transaction(&mut wallet, &mut holds, |books| {
                    books.give_back(&paid, String::new(), PostingId::new(), now)
                });
                prop_assert_eq!(done, Ok(()));
                ledger.extend(changes.postings);
            } else {
                stays += Decimal::new(cents, 2);
            }
            prop_assert!(wallet.week.amount >= Decimal::ZERO && wallet.month.amount >= Decimal::ZERO);
        }
        prop_assert_eq!(wallet.balance, dec("3000000.00") - stays);
        prop_assert!(ledger.iter().all(|posting| posting.sum().is_zero()));
        let shares: Decimal =
            ledger.iter().flat_map(|posting| &posting.entries).filter(|e| e.wallet.is_none()).map(|e| e.amount).sum();
        prop_assert_eq!(shares, stays);
        let last = ledger.iter().flat_map(|posting| &posting.entries).filter_map(|e| e.wallet).next_back().unwrap();
        prop_assert_eq!((last.number, last.balance_after), (wallet.lines, wallet.balance));
    }
}
