//! Captures and credits: what is written into the ledger.

use leadflow_billing_domain::{
    AccountKind, Books, CaptureError, Captured, CreditError, HoldState, Posting, PostingKind, Price,
};
use leadflow_kernel::{BuyerId, Currency, Money, PostingId, SellerId};

use crate::support::*;

fn lines(posting: &Posting) -> Vec<(AccountKind, String)> {
    posting.entries.iter().map(|entry| (entry.account.kind, entry.amount.to_string())).collect()
}

#[test]
fn a_sale_moves_the_price_to_the_seller_less_the_platforms_fee() {
    let mut wallet = wallet("100.00");
    let mut holds = Vec::new();
    let asked = request(&wallet, "25.00");
    let (_, changes) = transaction(&mut wallet, &mut holds, |books| {
        books.place(&asked, sunday());
        books.capture(&sale(&asked), PostingId::new(), sunday()).unwrap();
    });
    let [posting] = &changes.postings[..] else { panic!("one posting") };
    assert_eq!(
        lines(posting),
        [
            (AccountKind::BuyerWallet, "-25.00".to_owned()),
            (AccountKind::SellerEarnings, "23.75".to_owned()),
            (AccountKind::PlatformFees, "1.25".to_owned()),
        ]
    );
    assert_eq!(posting.kind, PostingKind::LeadPurchase(asked.id));
    assert_eq!((wallet.balance, wallet.held), (dec("75.00"), dec("0.00")));
    assert_eq!(wallet.week.amount, dec("25.00"), "what was held is spent now");
    assert_eq!((holds[0].state, holds[0].posting), (HoldState::Captured, Some(posting.id)));
}

#[test]
fn a_fee_of_zero_percent_is_no_fee_and_fees_round_half_to_even() {
    for (percent, price, fee) in
        [("0", "25.00", None), ("5", "0.10", None), ("5", "0.30", Some("0.02")), ("100", "9.99", Some("9.99"))]
    {
        let mut wallet = wallet("100.00");
        wallet.terms = terms(percent);
        let asked = request(&wallet, price);
        let mut books = Books::new([wallet], []);
        books.place(&asked, sunday());
        books.capture(&sale(&asked), PostingId::new(), sunday()).unwrap();
        let posting = &books.into_changes().postings[0];
        let kept =
            lines(posting).into_iter().find(|(kind, _)| *kind == AccountKind::PlatformFees).map(|(_, amount)| amount);
        assert_eq!(kept.as_deref(), fee, "{percent} % of {price}");
        assert_eq!(posting.sum(), dec("0"));
    }
}

#[test]
fn a_free_lead_has_a_posting_with_one_line_of_zero() {
    let wallet = wallet("0.00");
    let asked = request(&wallet, "0.00");
    let mut books = Books::new([wallet], []);
    books.place(&asked, sunday());
    books.capture(&sale(&asked), PostingId::new(), sunday()).unwrap();
    let changes = books.into_changes();
    assert_eq!(lines(&changes.postings[0]), [(AccountKind::BuyerWallet, "0.00".to_owned())]);
}

#[test]
fn a_sale_captured_twice_is_paid_once() {
    let mut wallet = wallet("100.00");
    let mut holds = Vec::new();
    let asked = request(&wallet, "25.00");
    let ((), changes) = transaction(&mut wallet, &mut holds, |books| {
        books.place(&asked, sunday());
        let mut capture = || books.capture(&sale(&asked), PostingId::new(), sunday());
        assert_eq!(capture(), Ok(Captured::FromHold));
        assert_eq!(capture(), Ok(Captured::Before));
    });
    assert_eq!(changes.postings.len(), 1);
    let (again, changes) =
        transaction(&mut wallet, &mut holds, |books| books.capture(&sale(&asked), PostingId::new(), sunday()));
    assert_eq!((again, changes.postings.len()), (Ok(Captured::Before), 0));
    assert_eq!(wallet.balance, dec("75.00"));
}

#[test]
fn several_captures_in_a_batch_each_have_their_own_balance_after() {
    let mut wallet = wallet("100.00");
    let mut holds = Vec::new();
    let asked: Vec<_> = ["10.00", "20.00", "30.00"].iter().map(|p| request(&wallet, p)).collect();
    let (_, changes) = transaction(&mut wallet, &mut holds, |books| {
        place_all(books, &asked, sunday());
        for asked in &asked {
            books.capture(&sale(asked), PostingId::new(), sunday()).unwrap();
        }
    });
    let statement: Vec<_> = changes
        .postings
        .iter()
        .map(|posting| posting.entries[0].wallet.unwrap())
        .map(|line| (line.number, line.balance_after.to_string()))
        .collect();
    assert_eq!(statement, [(1, "90.00".to_owned()), (2, "70.00".to_owned()), (3, "40.00".to_owned())]);
}

#[test]
fn a_sale_without_a_hold_is_paid_from_free_money_but_never_from_what_is_held() {
    let mut wallet = wallet("50.00");
    wallet.weekly_limit = Some(dec("0"));
    wallet.open = false;
    let (held, missing, too_much) = (request(&wallet, "30.00"), request(&wallet, "20.00"), request(&wallet, "0.01"));
    let mut holds = Vec::new();
    let mut open = leadflow_billing_domain::Wallet { open: true, weekly_limit: None, ..wallet };
    transaction(&mut open, &mut holds, |books| books.place(&held, sunday()));
    wallet = leadflow_billing_domain::Wallet { open: false, weekly_limit: Some(dec("0")), ..open };
    let ((), changes) = transaction(&mut wallet, &mut holds, |books| {
        let mut capture = |asked| books.capture(&sale(asked), PostingId::new(), sunday());
        assert_eq!(capture(&missing), Ok(Captured::WithoutHold));
        assert_eq!(capture(&too_much), Err(CaptureError::InsufficientFunds));
        assert_eq!(capture(&held), Ok(Captured::FromHold));
    });
    assert_eq!(changes.postings.len(), 2);
    assert_eq!((wallet.balance, wallet.held), (dec("0.00"), dec("0.00")));
    assert_eq!(wallet.week.amount, dec("50.00"));
}

#[test]
fn a_released_hold_whose_sale_arrives_is_paid_once_from_free_money() {
    let mut wallet = wallet("50.00");
    let mut holds = Vec::new();
    let asked = request(&wallet, "30.00");
    transaction(&mut wallet, &mut holds, |books| {
        books.place(&asked, sunday());
        books.release(asked.id, None, sunday());
        let mut capture = || books.capture(&sale(&asked), PostingId::new(), sunday());
        assert_eq!(capture(), Ok(Captured::WithoutHold));
        assert_eq!(capture(), Ok(Captured::Before));
    });
    assert_eq!((wallet.balance, wallet.held), (dec("20.00"), dec("0.00")));
    assert_eq!((holds[0].state, holds[0].attempts), (HoldState::Captured, 2));
}

#[test]
fn a_sale_at_another_price_than_its_hold_pays_the_sales_price() {
    let mut wallet = wallet("50.00");
    let mut holds = Vec::new();
    let mut asked = request(&wallet, "30.00");
    transaction(&mut wallet, &mut holds, |books| books.place(&asked, sunday()));
    asked.price = Price::new(usd("45.00")).unwrap();
    let (captured, _) =
        transaction(&mut wallet, &mut holds, |books| books.capture(&sale(&asked), PostingId::new(), sunday()));
    assert_eq!(captured, Ok(Captured::WithoutHold));
    assert_eq!((wallet.balance, wallet.held), (dec("5.00"), dec("0.00")));
    assert_eq!((wallet.week.amount, holds[0].amount), (dec("45.00"), dec("45.00")));
}

#[test]
fn a_sale_of_an_unknown_wallet_or_with_a_foreign_hold_is_refused() {
    let (mine, theirs) = (wallet("50.00"), wallet("50.00"));
    let mut books = Books::new([mine, theirs], []);
    let asked = request(&theirs, "10.00");
    books.place(&asked, sunday());
    let mut sold = sale(&asked);
    sold.seller = mine.seller;
    sold.buyer = mine.buyer;
    assert_eq!(books.capture(&sold, PostingId::new(), sunday()), Err(CaptureError::ForeignHold));
    let mut sold = sale(&request(&mine, "10.00"));
    sold.buyer = BuyerId::new();
    assert_eq!(books.capture(&sold, PostingId::new(), sunday()), Err(CaptureError::UnknownWallet));
    let mut sold = sale(&request(&mine, "10.00"));
    sold.seller = SellerId::new();
    assert_eq!(books.capture(&sold, PostingId::new(), sunday()), Err(CaptureError::UnknownWallet));
}

#[test]
fn a_credit_comes_from_outside_and_is_more_than_zero() {
    let wallet = wallet("10.00");
    let mut books = Books::new([wallet], []);
    let mut credit = |amount: Money| {
        books.credit(wallet.seller, wallet.buyer, amount, "Card".to_owned(), PostingId::new(), sunday())
    };
    assert_eq!(credit(usd("0")), Err(CreditError::NotPositive));
    assert_eq!(credit(usd("-5")), Err(CreditError::NotPositive));
    assert!(matches!(credit(usd("9999999999.99")), Err(CreditError::Money(_))));
    let euro = Money::parse("1", Currency::parse("EUR").unwrap()).unwrap();
    assert!(matches!(credit(euro), Err(CreditError::Money(_))));
    credit(usd("90.00")).unwrap();
    let changes = books.into_changes();
    assert_eq!(
        lines(&changes.postings[0]),
        [(AccountKind::BuyerWallet, "90.00".to_owned()), (AccountKind::ExternalFunding, "-90.00".to_owned())]
    );
    assert_eq!(changes.wallets[0].balance, dec("100.00"));
    assert_eq!(changes.wallets[0].week, wallet.week, "a credit is not spending");
}

#[test]
fn an_account_has_one_id_and_another_account_another() {
    use leadflow_billing_domain::Account;
    let (seller, buyer) = (SellerId::new(), BuyerId::new());
    let all = [
        Account::wallet(seller, buyer),
        Account::wallet(seller, BuyerId::new()),
        Account::of_seller(AccountKind::SellerEarnings, seller),
        Account::of_seller(AccountKind::PlatformFees, seller),
        Account::of_seller(AccountKind::ExternalFunding, seller),
        Account::of_seller(AccountKind::ExternalFunding, SellerId::new()),
    ];
    let ids: std::collections::BTreeSet<_> = all.iter().map(Account::id).collect();
    assert_eq!(ids.len(), all.len());
    assert_eq!(Account::wallet(seller, buyer).id(), all[0].id());
}
