//! Payments, refunds and what is owed, by example.

use leadflow_billing_domain::{
    AccountKind, Books, CardMoneyError, CardMove, CardPayment, ChargeNews, Effect, HearError, PaymentKind,
    PaymentState, RefundError, RefundState, Refunds, allocate, unexplained,
};
use leadflow_kernel::{BuyerId, CardId, PaymentId, PostingId, SellerId};
use rust_decimal::Decimal;

use crate::support::{dec, sunday, usd, wallet};

fn payment(kind: PaymentKind, amount: &str) -> CardPayment {
    CardPayment {
        id: PaymentId::new(),
        seller: SellerId::new(),
        buyer: BuyerId::new(),
        kind,
        request: None,
        amount: usd(amount),
        card: CardId::new(),
        customer: String::new(),
        payment_method: String::new(),
        state: PaymentState::Pending,
        intent: None,
        decline_code: None,
        client_secret: None,
        received: Decimal::ZERO,
        refunded: Decimal::ZERO,
        disputed: Decimal::ZERO,
        posting: None,
        created_at: sunday(),
        attempts: 0,
    }
}

fn declined() -> ChargeNews {
    ChargeNews::Declined("insufficient_funds".to_owned())
}

#[test]
fn money_that_was_taken_is_credited_once_after_whatever_was_heard_before() {
    let secret = || ChargeNews::RequiresAction(Some("secret".to_owned()));
    for before in [vec![], vec![declined()], vec![ChargeNews::Canceled], vec![secret()], vec![secret(), declined()]] {
        let mut it = payment(PaymentKind::TopUp, "50.00");
        for news in before {
            it.hear("pi_1", news).unwrap();
        }
        assert_eq!(it.hear("pi_1", ChargeNews::Succeeded(usd("50.00"))).unwrap(), Effect::Credit(usd("50.00")));
        for late in
            [ChargeNews::Succeeded(usd("50.00")), declined(), ChargeNews::Canceled, secret(), ChargeNews::Processing]
        {
            assert_eq!(it.hear("pi_1", late).unwrap(), Effect::Nothing);
        }
        assert_eq!((it.state, it.client_secret, it.decline_code), (PaymentState::Succeeded, None, None));
    }
}

#[test]
fn of_two_refusals_the_first_stays_and_a_confirmation_is_asked_for_once() {
    let mut it = payment(PaymentKind::TopUp, "50.00");
    assert_eq!(it.hear("pi_1", ChargeNews::Processing).unwrap(), Effect::Noted);
    assert_eq!(it.hear("pi_1", ChargeNews::RequiresAction(None)).unwrap(), Effect::ActionNeeded);
    assert_eq!(it.hear("pi_1", ChargeNews::RequiresAction(None)).unwrap(), Effect::Nothing);
    assert_eq!(it.hear("pi_1", declined()).unwrap(), Effect::Declined);
    assert_eq!(it.hear("pi_1", ChargeNews::Canceled).unwrap(), Effect::Nothing);
    assert_eq!(it.hear("pi_1", ChargeNews::RequiresAction(None)).unwrap(), Effect::Nothing);
    assert_eq!(it.state, PaymentState::Declined);
}

#[test]
fn a_recharge_that_wants_its_cards_owner_is_declined_and_a_second_charge_is_not_believed() {
    let mut it = payment(PaymentKind::Recharge, "50.00");
    assert_eq!(it.hear("pi_1", ChargeNews::RequiresAction(None)).unwrap(), Effect::Declined);
    assert_eq!(it.decline_code.as_deref(), Some("authentication_required"));
    assert!(matches!(it.hear("pi_2", ChargeNews::Succeeded(usd("50.00"))), Err(HearError::OtherIntent { .. })));
    assert!(matches!(it.hear("pi_1", ChargeNews::Succeeded(usd("0.00"))), Err(HearError::Amount(..))));
    assert_eq!(it.state, PaymentState::Declined);
}

#[test]
fn an_amount_is_given_back_by_the_newest_payments_first() {
    let mut payments = vec![payment(PaymentKind::TopUp, "40.00"), payment(PaymentKind::Recharge, "50.00")];
    (payments[0].received, payments[1].received) = (dec("40.00"), dec("50.00"));
    (payments[0].refunded, payments[1].disputed) = (dec("15.00"), dec("20.00"));
    let (new, old) = (payments[0].id, payments[1].id);
    let all = |amount: &str, available: &str| allocate(dec(amount), dec(available), &payments);
    assert_eq!(all("25.00", "99.00"), Ok(vec![(new, dec("25.00"))]));
    assert_eq!(all("26.00", "99.00"), Ok(vec![(new, dec("25.00")), (old, dec("1.00"))]));
    assert_eq!(all("55.01", "99.00"), Err(RefundError::NotFromCards(dec("55.00"))));
    assert_eq!(all("10.01", "10.00"), Err(RefundError::Unspent(dec("10.00"))));
    assert_eq!(all("0.00", "10.00"), Err(RefundError::NotPositive));
}

#[test]
fn of_a_total_only_what_is_sure_is_booked() {
    let booked = |certain, uncertain, foreign| Refunds {
        certain: Decimal::from(certain),
        uncertain: Decimal::from(uncertain),
        foreign: Decimal::from(foreign),
    };
    for (total, of, difference) in [
        (0, booked(0, 0, 0), 0),
        (5, booked(0, 0, 0), 5),
        (5, booked(5, 0, 0), 0),
        (5, booked(0, 5, 0), 0),
        (7, booked(0, 5, 0), 2),
        (15, booked(10, 0, 5), 0),
        (10, booked(10, 0, 5), -5),
        (12, booked(10, 0, 5), -3),
        (10, booked(0, 10, 5), 0),
        (4, booked(0, 10, 5), -1),
        (0, booked(5, 0, 0), 0),
    ] {
        assert_eq!(unexplained(Decimal::from(total), of), Decimal::from(difference), "{total} {of:?}");
    }
}

#[test]
fn a_refund_that_failed_stays_so() {
    use RefundState::{Failed, Pending, Succeeded};
    for (is, told, then) in [
        (Pending, Succeeded, Some(Succeeded)),
        (Pending, Failed, Some(Failed)),
        (Succeeded, Failed, Some(Failed)),
        (Succeeded, Succeeded, None),
        (Succeeded, Pending, None),
        (Failed, Succeeded, None),
        (Failed, Failed, None),
        (Pending, Pending, None),
    ] {
        assert_eq!(is.after(told), then);
    }
}

#[test]
fn what_a_dispute_cannot_take_is_owed_and_repaid_first() {
    let start = wallet("30.00");
    let (seller, buyer) = (start.seller, start.buyer);
    let it = || CardMove { seller, buyer, payment: PaymentId::new(), posting: PostingId::new(), now: sunday() };
    let mut books = Books::new([start], []);
    let (one, two) = (it(), it());
    books.dispute_opened(one, usd("50.00"), true, String::new()).unwrap();
    books.dispute_opened(two, usd("5.00"), true, String::new()).unwrap();
    let now = *books.wallet(seller, buyer).unwrap();
    assert_eq!((now.balance, now.debt, now.open_disputes, now.suspended), (dec("0.00"), dec("25.00"), 2, true));
    assert_eq!(books.refunded(it(), usd("0.01"), String::new()), Err(CardMoneyError::Unspent(dec("0.00"))));
    // A part of the debt, then the rest; suspended until the last dispute is decided.
    books.charged(it(), PaymentKind::TopUp, usd("10.00"), String::new()).unwrap();
    assert_eq!(books.repay_debt(seller, buyer, PostingId::new(), sunday()), dec("10.00"));
    books.dispute_closed(two, usd("5.00"), false, String::new()).unwrap();
    books.dispute_closed(one, usd("50.00"), true, String::new()).unwrap();
    assert!(books.wallet(seller, buyer).unwrap().suspended);
    assert_eq!(books.repay_debt(seller, buyer, PostingId::new(), sunday()), dec("15.00"));
    assert_eq!(books.repay_debt(seller, buyer, PostingId::new(), sunday()), dec("0.00"));
    let now = *books.wallet(seller, buyer).unwrap();
    assert_eq!((now.balance, now.debt, now.open_disputes, now.suspended), (dec("35.00"), dec("0.00"), 0, false));
    let changes = books.into_changes();
    assert!(changes.postings.iter().all(|posting| posting.sum().is_zero()));
    let sum = |kind| -> Decimal {
        let entries = changes.postings.iter().flat_map(|posting| &posting.entries);
        entries.filter(|entry| entry.account.kind == kind).map(|entry| entry.amount).sum()
    };
    assert_eq!((sum(AccountKind::Disputed), sum(AccountKind::BuyerDebt)), (dec("0.00"), dec("0.00")));
    assert_eq!(sum(AccountKind::CardClearing), dec("-5.00"));
    assert_eq!(changes.lifted.len(), 0, "it was not suspended before this transaction");
}
