//! What a receiver gets about its owner's money: amounts, and nothing of a card.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, Money, PaymentId};
use serde_json::value::RawValue;

use super::{PayloadError, body, text};
use crate::EventKind;

/// A wallet that fell below its threshold.
#[derive(Debug, Clone, Copy)]
pub struct LowBalance {
    /// Whose.
    pub buyer: BuyerId,
    /// What he may spend.
    pub available: Money,
    /// What he wanted to have.
    pub threshold: Money,
    /// When it was heard of.
    pub at: DateTime<Utc>,
}

/// A payment by card that was declined.
#[derive(Debug, Clone, Copy)]
pub struct PaymentFailed<'a> {
    /// Which.
    pub payment: PaymentId,
    /// Whose.
    pub buyer: BuyerId,
    /// How much it was.
    pub amount: Money,
    /// Made by the program, not by the buyer.
    pub recharge: bool,
    /// What the decline means, in words.
    pub reason: &'a str,
    /// When it is tried again, if it is.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it was heard of.
    pub at: DateTime<Utc>,
}

/// The body of a wallet that runs low: `{"event":"wallet.low_balance",…}` with `buyerId`, `available`, `threshold` and `currency`
/// in its `data`.
///
/// # Errors
/// As [`super::payload_of_return`].
pub fn payload_of_low_balance(low: &LowBalance) -> Result<Vec<u8>, PayloadError> {
    body(
        EventKind::WalletLowBalance,
        low.at,
        [
            ("buyerId", text(&low.buyer.to_string())),
            ("available", number(low.available)),
            ("threshold", number(low.threshold)),
            ("currency", text(low.available.currency().code())),
        ],
    )
}

/// The body of a declined payment: `{"event":"payment.failed",…}` with `paymentId`, `buyerId`, `amount`, `currency`, `recharge`,
/// `reason` and `nextAttemptAt` in its `data`.
///
/// # Errors
/// As [`super::payload_of_return`].
pub fn payload_of_failed_payment(failed: &PaymentFailed<'_>) -> Result<Vec<u8>, PayloadError> {
    let next = failed.next_attempt_at.map(super::timestamp);
    body(
        EventKind::PaymentFailed,
        failed.at,
        [
            ("paymentId", text(&failed.payment.to_string())),
            ("buyerId", text(&failed.buyer.to_string())),
            ("amount", number(failed.amount)),
            ("currency", text(failed.amount.currency().code())),
            ("recharge", serde_json::value::to_raw_value(&failed.recharge)),
            ("reason", text(failed.reason)),
            ("nextAttemptAt", serde_json::value::to_raw_value(&next)),
        ],
    )
}

fn number(money: Money) -> serde_json::Result<Box<RawValue>> {
    RawValue::from_string(money.amount().to_string())
}

#[cfg(test)]
mod tests {
    use leadflow_kernel::Currency;
    use serde_json::{Value, json};

    use super::*;

    fn usd(amount: &str) -> Money {
        Money::parse(amount, Currency::USD).unwrap()
    }

    #[test]
    fn a_low_balance_says_how_low() {
        let low = LowBalance {
            buyer: BuyerId::derive(&[b"b"]),
            available: usd("12.5"),
            threshold: usd("100"),
            at: "2026-11-22T12:00:00Z".parse().unwrap(),
        };
        let body = String::from_utf8(payload_of_low_balance(&low).unwrap()).unwrap();
        assert!(body.contains(r#""available":12.50"#), "{body}");
        assert_eq!(
            serde_json::from_str::<Value>(&body).unwrap(),
            json!({
                "event": "wallet.low_balance", "timestamp": "2026-11-22T12:00:00.000Z",
                "data": { "buyerId": low.buyer.to_string(), "available": 12.5, "threshold": 100.0, "currency": "USD" },
            })
        );
    }

    #[test]
    fn a_failed_payment_says_why_and_when_it_is_tried_again() {
        let mut failed = PaymentFailed {
            payment: PaymentId::derive(&[b"p"]),
            buyer: BuyerId::derive(&[b"b"]),
            amount: usd("100"),
            recharge: true,
            reason: "the card has expired",
            next_attempt_at: Some("2026-11-23T12:00:00Z".parse().unwrap()),
            at: "2026-11-22T12:00:00Z".parse().unwrap(),
        };
        let body: Value = serde_json::from_slice(&payload_of_failed_payment(&failed).unwrap()).unwrap();
        assert_eq!(
            body["data"],
            json!({
                "paymentId": failed.payment.to_string(), "buyerId": failed.buyer.to_string(), "amount": 100.0, "currency": "USD",
                "recharge": true, "reason": "the card has expired", "nextAttemptAt": "2026-11-23T12:00:00.000Z",
            })
        );
        failed.next_attempt_at = None;
        let body: Value = serde_json::from_slice(&payload_of_failed_payment(&failed).unwrap()).unwrap();
        assert_eq!((&body["event"], &body["data"]["nextAttemptAt"]), (&json!("payment.failed"), &json!(null)));
    }
}
