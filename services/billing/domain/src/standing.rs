//! Paying sales whose holds are believed to stand, without looking at the wallets.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_kernel::{BuyerId, PostingId};
use rust_decimal::Decimal;

use crate::{Books, Captured, Changes, Hold, HoldState, Sale, Spent, Terms, Wallet};

/// What sales take from wallets when each of their holds stands at its price. The money of such a hold is set aside, so nothing
/// else of the wallet matters, and what it has besides is left out: numbers and balances of statement lines count from a wallet
/// without lines that has just what these sales cost, and nothing after them.
#[derive(Debug)]
pub struct Payment {
    /// Captured holds, postings, and the wallets after: `lines` is how many they gained.
    pub changes: Changes,
    /// What each of `changes.wallets` pays, major units.
    pub spent: Vec<Decimal>,
}

/// Pays `sales`, each with the posting of that id, by the terms of their wallets. `None` when one cannot be paid like that whatever the wallet:
/// its wallet's terms are not known, it is in another currency, or it is there twice.
pub fn pay_standing(
    sales: &[Sale],
    terms: impl Fn(&Sale) -> Option<Terms>,
    mut posting: impl FnMut() -> PostingId,
    now: DateTime<Utc>,
) -> Option<Payment> {
    let mut wallets: BTreeMap<BuyerId, Wallet> = BTreeMap::new();
    for sale in sales {
        let terms = terms(sale)?;
        let wallet = wallets.entry(sale.buyer).or_insert_with(|| empty(sale, terms));
        wallet.balance += sale.price.amount();
        wallet.held += sale.price.amount();
    }
    let spent = wallets.values().map(|wallet| wallet.balance).collect();
    let mut books = Books::new(wallets.into_values(), sales.iter().map(|sale| standing(sale, now)));
    for sale in sales {
        if books.capture(sale, posting(), now) != Ok(Captured::FromHold) {
            return None;
        }
    }
    Some(Payment { changes: books.into_changes(), spent })
}

fn empty(sale: &Sale, terms: Terms) -> Wallet {
    let nothing = Spent { start: NaiveDate::MIN, amount: Decimal::ZERO };
    Wallet {
        buyer: sale.buyer,
        seller: sale.seller,
        terms,
        open: true,
        suspended: false,
        balance: Decimal::ZERO,
        held: Decimal::ZERO,
        week: nothing,
        month: nothing,
        weekly_limit: None,
        monthly_limit: None,
        low_balance_threshold: Decimal::ZERO,
        debt: Decimal::ZERO,
        open_disputes: 0,
        lines: 0,
    }
}

fn standing(sale: &Sale, now: DateTime<Utc>) -> Hold {
    Hold {
        id: sale.assignment,
        buyer: sale.buyer,
        seller: sale.seller,
        lead: sale.lead,
        campaign: sale.campaign,
        amount: sale.price.amount(),
        state: HoldState::Held,
        attempts: 1,
        placed_at: now,
        week_start: NaiveDate::MIN,
        month_start: NaiveDate::MIN,
        ended_at: None,
        posting: None,
    }
}
