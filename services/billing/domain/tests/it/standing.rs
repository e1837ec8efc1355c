//! Paying standing holds without the wallets comes to the same as paying them with the wallets.

use leadflow_billing_domain::{Books, HoldOutcome, HoldRequest, Price, pay_standing};
use leadflow_kernel::{Currency, Money, PostingId};
use proptest::prelude::*;
use rust_decimal::Decimal;

use crate::support::*;

/// What a posting's line is: account, amount, number and balance where it is a wallet's.
type Line = (String, Decimal, Option<(i64, Decimal)>);

fn price(cents: i64) -> Price {
    Price::new(Money::new(Decimal::new(cents, 2), Currency::USD).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn it_moves_the_same_money_and_continues_the_statement(
        sold in prop::collection::vec((0..3_usize, 0..20_000_i64), 1..30),
        fees in prop::array::uniform3(0..=100_i64),
        spare in prop::array::uniform3(0..50_000_i64),
        lines in prop::array::uniform3(0..1_000_i64),
    ) {
        // Given: three wallets with money besides and statements of any length, and holds that stand.
        let mut wallets = [wallet("0"), wallet("0"), wallet("0")];
        let mut holds = Vec::new();
        let requests: Vec<HoldRequest> =
            sold.iter().map(|(at, cents)| HoldRequest { price: price(*cents), ..request(&wallets[*at], "0.00") }).collect();
        for (at, wallet) in wallets.iter_mut().enumerate() {
            wallet.terms.fee_percent = Decimal::from(fees[at]);
            let cost: i64 = sold.iter().filter(|(whose, _)| *whose == at).map(|(_, cents)| cents).sum();
            (wallet.balance, wallet.lines) = (Decimal::new(cost + spare[at], 2), lines[at]);
            let mut books = Books::new([*wallet], []);
            for asked in requests.iter().filter(|asked| asked.buyer == wallet.buyer) {
                prop_assert_eq!(books.place(asked, sunday()), HoldOutcome::Held);
            }
            let changes = books.into_changes();
            if let [after] = changes.wallets[..] {
                *wallet = after;
            }
            holds.extend(changes.new_holds);
        }
        let sales: Vec<_> = requests.iter().map(sale).collect();
        let ids: Vec<PostingId> = sales.iter().map(|_| PostingId::new()).collect();

        // When: they are paid on the wallets, and without them.
        let mut books = Books::new(wallets, holds);
        for (sale, id) in sales.iter().zip(&ids) {
            books.capture(sale, *id, sunday()).unwrap();
        }
        let expected = books.into_changes();
        let terms = |buyer| wallets.iter().find(|wallet| wallet.buyer == buyer).map(|wallet| wallet.terms);
        let mut next = ids.iter().copied();
        let paid = pay_standing(&sales, |sale| terms(sale.buyer), || next.next().unwrap(), sunday()).unwrap();

        // Then: postings are the same once the wallets' numbers and balances are added.
        let before = |account: &leadflow_billing_domain::Account| wallets.iter().position(|one| Some(one.buyer) == account.buyer);
        let spent = |buyer| paid.changes.wallets.iter().zip(&paid.spent).find(|(one, _)| one.buyer == buyer).unwrap().1;
        let continued: Vec<(PostingId, Vec<Line>)> = paid.changes.postings.iter().map(|posting| {
            let lines = posting.entries.iter().map(|entry| {
                let line = entry.wallet.map(|line| {
                    let wallet = &wallets[before(&entry.account).unwrap()];
                    (wallet.lines + line.number, wallet.balance - spent(wallet.buyer) + line.balance_after)
                });
                (entry.account.id().to_string(), entry.amount, line)
            });
            (posting.id, lines.collect())
        }).collect();
        let posted: Vec<(PostingId, Vec<Line>)> = expected.postings.iter().map(|posting| {
            let line = |entry: &leadflow_billing_domain::Entry| {
                let line = entry.wallet.map(|line| (line.number, line.balance_after));
                (entry.account.id().to_string(), entry.amount, line)
            };
            (posting.id, posting.entries.iter().map(line).collect())
        }).collect();
        prop_assert_eq!(continued, posted);
        for after in &expected.wallets {
            let before = wallets.iter().find(|wallet| wallet.buyer == after.buyer).unwrap();
            prop_assert_eq!(before.balance - after.balance, *spent(after.buyer));
            prop_assert_eq!(before.held - after.held, *spent(after.buyer));
            prop_assert_eq!(before.available(), after.available());
            let gained = paid.changes.wallets.iter().find(|wallet| wallet.buyer == after.buyer).unwrap().lines;
            prop_assert_eq!(after.lines - before.lines, gained);
        }
        prop_assert!(paid.changes.low_balances.is_empty() && paid.changes.freed.is_empty() && paid.changes.new_holds.is_empty());
    }
}

#[test]
fn a_sale_that_is_there_twice_or_of_unknown_terms_or_of_another_currency_is_left_to_the_wallets() {
    let wallet = wallet("100.00");
    let sold = sale(&request(&wallet, "25.00"));
    let euros = leadflow_billing_domain::Terms { currency: Currency::parse("EUR").unwrap(), ..terms("5") };
    let pay = |sales: &[_], terms| pay_standing(sales, |_| terms, PostingId::new, sunday());
    assert!(pay(std::slice::from_ref(&sold), Some(terms("5"))).is_some());
    assert!(pay(&[sold.clone(), sold.clone()], Some(terms("5"))).is_none());
    assert!(pay(std::slice::from_ref(&sold), None).is_none());
    assert!(pay(&[sold], Some(euros)).is_none());
}
