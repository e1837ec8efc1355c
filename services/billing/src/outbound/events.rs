//! Billing's events.

use leadflow_billing_domain::{Freed, LowBalance, Wallet};
use leadflow_contracts::{
    common,
    events::{WalletCredited, WalletLimitsChanged, WalletLowBalance, WalletReleased},
    money_to_proto,
};
use leadflow_kernel::{BuyerId, Money, PostingId, SellerId};
use rust_decimal::Decimal;

/// An amount of a wallet, on the wire.
pub fn amount(wallet: &Wallet, amount: Decimal) -> common::Money {
    let mut amount = amount;
    amount.rescale(2);
    common::Money { amount: amount.to_string(), currency: wallet.terms.currency.code().to_owned() }
}

/// `wallet.credited`
#[must_use]
pub fn credited(wallet: &Wallet, credit: Money, posting: PostingId) -> WalletCredited {
    WalletCredited {
        buyer_id: wallet.buyer.to_string(),
        seller_id: wallet.seller.to_string(),
        amount: Some(money_to_proto(credit)),
        available: Some(amount(wallet, wallet.available())),
        posting_id: posting.to_string(),
    }
}

/// `wallet.low_balance`
#[must_use]
pub fn low_balance(low: &LowBalance) -> WalletLowBalance {
    let wallet = &low.wallet;
    WalletLowBalance {
        buyer_id: wallet.buyer.to_string(),
        seller_id: wallet.seller.to_string(),
        available: Some(amount(wallet, wallet.available())),
        threshold: Some(amount(wallet, wallet.low_balance_threshold)),
    }
}

/// `wallet.released`
#[must_use]
pub fn released(freed: &Freed) -> WalletReleased {
    let wallet = &freed.wallet;
    WalletReleased {
        buyer_id: wallet.buyer.to_string(),
        seller_id: wallet.seller.to_string(),
        amount: Some(amount(wallet, freed.amount)),
        available: Some(amount(wallet, wallet.available())),
    }
}

/// `wallet.limits_changed`
#[must_use]
pub fn limits_changed(buyer: BuyerId, seller: SellerId) -> WalletLimitsChanged {
    WalletLimitsChanged { buyer_id: buyer.to_string(), seller_id: seller.to_string() }
}
