//! What holds after every step, and what Stripe's own record and ours must agree on in the end.

use std::collections::BTreeMap;

use leadflow_billing_domain::{AccountKind, DisputeState, PaymentKind, PaymentState, RefundState};
use leadflow_kernel::{PaymentId, RefundId};
use leadflow_sandbox::stripe::Record;
use rust_decimal::Decimal;

use crate::{
    ours::{Ours, Refund},
    stripe::{cents, dollars},
};

/// After every step.
pub fn always(ours: &Ours) {
    let wallet = &ours.wallet;
    assert!(wallet.available() >= Decimal::ZERO && wallet.held >= Decimal::ZERO, "{wallet:?}");
    assert_eq!(ours.sums.values().sum::<Decimal>(), Decimal::ZERO, "the ledger does not sum to zero");
    assert_eq!(wallet.balance, ours.sum(AccountKind::BuyerWallet));
    assert_eq!(wallet.debt, -ours.sum(AccountKind::BuyerDebt));
    let open = ours.open_disputes();
    assert_eq!(usize::try_from(wallet.open_disputes).unwrap(), open);
    assert!(open == 0 || wallet.suspended, "{wallet:?}");
    assert!(open > 0 || !wallet.debt.is_zero() || !wallet.suspended, "{wallet:?}");
    let recharges = ours.payments.iter().filter(|it| it.kind == PaymentKind::Recharge && it.state.is_open());
    assert!(recharges.count() <= 1, "two recharges under way");
    for payment in &ours.payments {
        let credits = ours.credits.get(&payment.id).copied().unwrap_or_default();
        assert_eq!(credits, usize::from(payment.state == PaymentState::Succeeded), "{payment:?}");
    }
}

/// In the end.
pub fn agree(ours: &Ours, record: &Record) {
    charges(ours, record);
    refunds(ours, record);
    disputes(ours, record);
    let paid: i64 = record.charges.iter().filter(|it| it.status == "succeeded").map(|it| it.amount).sum();
    let back: i64 = record.refunds.iter().filter(|it| it.status != "failed").map(|it| it.amount).sum();
    let of = |status: &str| record.disputes.iter().filter(|it| it.status == status).map(|it| it.amount).sum::<i64>();
    assert_eq!(-cents(ours.sum(AccountKind::CardClearing)), paid - back - of("lost"), "what cards paid");
    assert_eq!(cents(ours.sum(AccountKind::Disputed)), of("needs_response"), "what is disputed");
}

fn charges(ours: &Ours, record: &Record) {
    let mut charged = BTreeMap::new();
    for charge in record.charges.iter().filter(|it| it.status == "succeeded") {
        let id: PaymentId = charge.metadata["payment_id"].parse().unwrap();
        assert!(charged.insert(id, charge).is_none(), "{id} was charged twice");
        let payment = ours.payment(id).unwrap();
        assert_eq!(payment.state, PaymentState::Succeeded, "{payment:?} was not credited: {charge:?}");
        assert_eq!(payment.intent.as_ref(), Some(&charge.intent));
        assert_eq!(payment.received, dollars(charge.amount));
        assert_eq!(payment.refunded, dollars(charge.refunded), "{payment:?} {charge:?}");
        let taken: i64 = record.disputes.iter().filter(|it| it.charge == charge.id).map(|it| it.taken).sum();
        assert_eq!(payment.disputed, dollars(taken), "{payment:?} {charge:?}");
    }
    for payment in &ours.payments {
        let succeeded = payment.state == PaymentState::Succeeded;
        assert_eq!(succeeded, charged.contains_key(&payment.id), "{payment:?}");
        assert!(!payment.state.is_open(), "nobody knows what became of {payment:?}");
    }
}

fn refunds(ours: &Ours, record: &Record) {
    let mut foreign: BTreeMap<PaymentId, i64> = BTreeMap::new();
    let mut made: BTreeMap<RefundId, &Refund> = ours.refunds.iter().map(|refund| (refund.id, refund)).collect();
    for theirs in &record.refunds {
        match theirs.metadata.get("refund_id") {
            Some(id) => {
                let refund = made.remove(&id.parse().unwrap()).expect("one refund was made twice");
                assert_eq!(refund.amount, dollars(theirs.amount));
                assert_eq!(refund.provider_id.as_ref(), Some(&theirs.id));
                let state = if theirs.status == "failed" { RefundState::Failed } else { RefundState::Succeeded };
                assert_eq!(refund.state, state, "{refund:?} {theirs:?}");
            }
            None if theirs.status != "failed" => {
                *foreign.entry(ours.owner(None, &theirs.intent).unwrap()).or_default() += theirs.amount;
            }
            None => {}
        }
    }
    assert!(made.values().all(|refund| refund.state == RefundState::Failed), "never made: {made:?}");
    for payment in &ours.payments {
        let booked = ours.foreign.get(&payment.id).copied().unwrap_or_default();
        assert_eq!(booked, dollars(foreign.get(&payment.id).copied().unwrap_or_default()), "{payment:?}");
    }
}

fn disputes(ours: &Ours, record: &Record) {
    assert_eq!(ours.disputes.len(), record.disputes.len());
    for theirs in &record.disputes {
        let dispute = &ours.disputes[&theirs.id];
        assert_eq!(ours.payment(dispute.payment).unwrap().intent.as_ref(), Some(&theirs.intent));
        assert_eq!(dispute.amount, dollars(theirs.amount));
        let state = match theirs.status.as_str() {
            "won" => DisputeState::Won,
            "lost" => DisputeState::Lost,
            _ => DisputeState::Open,
        };
        assert_eq!(dispute.state, state);
    }
}
