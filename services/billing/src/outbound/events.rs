//! Billing's events.

use chrono::{DateTime, Utc};
use leadflow_billing_domain::{
    CardPayment, DisputeState, Freed, LowBalance, PaymentKind, PaymentState, Recharge, Wallet, decline,
};
use leadflow_contracts::{
    common,
    events::{
        DisputeChanged, PaymentChanged, PaymentNews, PaymentRefunded, RechargeTurnedOff, WalletCredited,
        WalletLimitsChanged, WalletLowBalance, WalletReleased,
    },
    money_to_proto, time_to_ms,
};
use leadflow_kernel::{BuyerId, Money, PostingId, SellerId};
use rust_decimal::Decimal;

use crate::store::disputes::Dispute;

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

/// `payment.succeeded`, `payment.declined` or `payment.action_needed`, by the state of the payment. A recharge that was declined is tried
/// again at `again`.
#[must_use]
pub fn payment_changed(payment: &CardPayment, again: Option<DateTime<Utc>>) -> PaymentChanged {
    let news = match payment.state {
        PaymentState::Succeeded => PaymentNews::Succeeded,
        PaymentState::RequiresAction => PaymentNews::ActionNeeded,
        PaymentState::Pending | PaymentState::Declined | PaymentState::Canceled => PaymentNews::Declined,
    };
    let code = payment.decline_code.clone().unwrap_or_default();
    PaymentChanged {
        payment_id: payment.id.to_string(),
        buyer_id: payment.buyer.to_string(),
        seller_id: payment.seller.to_string(),
        news: news.into(),
        recharge: payment.kind == PaymentKind::Recharge,
        amount: Some(money_to_proto(payment.amount)),
        decline_message: if code.is_empty() { String::new() } else { decline::sentence(&code).to_owned() },
        decline_code: code,
        next_attempt_at_ms: again.map_or(0, time_to_ms),
    }
}

/// `payment.recharge_turned_off`
#[must_use]
pub fn recharge_turned_off(recharge: &Recharge) -> RechargeTurnedOff {
    RechargeTurnedOff {
        buyer_id: recharge.buyer.to_string(),
        seller_id: recharge.seller.to_string(),
        because: recharge.turned_off_because.clone(),
    }
}

/// `payment.refunded`
#[must_use]
pub fn payment_refunded(payment: &CardPayment, amount: Money) -> PaymentRefunded {
    PaymentRefunded {
        payment_id: payment.id.to_string(),
        buyer_id: payment.buyer.to_string(),
        seller_id: payment.seller.to_string(),
        amount: Some(money_to_proto(amount)),
    }
}

/// `payment.dispute_opened` or `payment.dispute_closed`
#[must_use]
pub fn dispute_changed(dispute: &Dispute, amount: Money) -> DisputeChanged {
    DisputeChanged {
        dispute_id: dispute.id.clone(),
        payment_id: dispute.payment.to_string(),
        buyer_id: dispute.buyer.to_string(),
        seller_id: dispute.seller.to_string(),
        amount: Some(money_to_proto(amount)),
        closed: dispute.state != DisputeState::Open,
        won: dispute.state == DisputeState::Won,
    }
}
