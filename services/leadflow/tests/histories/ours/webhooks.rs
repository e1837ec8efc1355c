//! Working webhooks off: as `app/provider_events/work_off` does. What one says is only a reason to look.

use leadflow_kernel::PaymentId;
use rust_decimal::Decimal;
use serde_json::Value;

use super::Ours;
use crate::stripe::{FoundDispute, FoundRefund, Intent, Refusal};

/// What was seen at Stripe because of a webhook, and is not booked yet.
#[derive(Debug, Clone)]
pub enum News {
    Charge(Intent),
    Refund(FoundRefund),
    /// How much of a charge had gone back, and what was booked of that when it was asked.
    Refunded {
        payment: PaymentId,
        intent: String,
        total: Decimal,
        looks: u32,
    },
    Dispute(FoundDispute),
}

impl Ours {
    /// Looks at what a webhook is about. `None`: it is nothing to us.
    pub fn look_at(&mut self, event: &Value) -> Result<Option<News>, Refusal> {
        let object = &event["data"]["object"];
        let id = object["id"].as_str().unwrap();
        Ok(match event["type"].as_str().unwrap() {
            "payment_intent.succeeded"
            | "payment_intent.payment_failed"
            | "payment_intent.requires_action"
            | "payment_intent.canceled" => Some(News::Charge(self.stripe.intent(id, self.now)?)),
            "charge.refunded" => {
                let intent = object["payment_intent"].as_str().unwrap().to_owned();
                let Some(payment) = self.settled_owner(&intent)? else { return Ok(None) };
                let looks = self.looks(payment);
                let total = self.stripe.intent(&intent, self.now)?.refunded;
                Some(News::Refunded { payment, intent, total, looks })
            }
            kind if kind.starts_with("refund.") || kind == "charge.refund.updated" => {
                Some(News::Refund(self.stripe.refund_now(id, self.now)?))
            }
            kind if kind.starts_with("charge.dispute.") => Some(News::Dispute(self.stripe.dispute_now(id, self.now)?)),
            _ => None,
        })
    }

    /// Books what was seen; other things may have happened since.
    pub fn book(&mut self, news: &News) -> Result<(), Refusal> {
        match news {
            News::Charge(intent) => {
                if self.settle(intent) && intent.refunded > Decimal::ZERO {
                    self.look_at_refunds(&intent.id)?;
                }
                Ok(())
            }
            News::Refund(found) => self.hear_refund(found),
            // An answer that is too old is asked for again.
            News::Refunded { payment, intent, looks, .. } if self.looks(*payment) != *looks => {
                self.look_at_refunds(intent)
            }
            News::Refunded { payment, total, .. } => self.book_total(*payment, *total),
            News::Dispute(found) => self.hear_dispute(found),
        }
    }
}
