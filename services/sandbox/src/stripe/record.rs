//! Everything that moved money, for comparing books.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{core::Core, model::Metadata};

/// All charges, refunds and disputes, oldest first. Amounts are in the smallest unit of the currency.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record {
    /// Charges, those that failed, too.
    pub charges: Vec<ChargeRecord>,
    /// Refunds, those that failed, too.
    pub refunds: Vec<RefundRecord>,
    /// Disputes.
    pub disputes: Vec<DisputeRecord>,
}

/// A charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeRecord {
    /// `ch_…`
    pub id: String,
    /// `pi_…`
    pub intent: String,
    /// `cus_…`
    pub customer: Option<String>,
    /// When.
    pub created: DateTime<Utc>,
    /// How much.
    pub amount: i64,
    /// What went back, refunds that failed not counted.
    pub refunded: i64,
    /// What Stripe keeps of it; 0 if it failed.
    pub fee: i64,
    /// In small letters.
    pub currency: String,
    /// `succeeded` or `failed`.
    pub status: String,
    /// The decline code of one that failed.
    pub failure: Option<String>,
    /// Of its intent, as it was when it was charged.
    pub metadata: Metadata,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundRecord {
    /// `re_…`
    pub id: String,
    /// `ch_…`
    pub charge: String,
    /// `pi_…`
    pub intent: String,
    /// When.
    pub created: DateTime<Utc>,
    /// How much.
    pub amount: i64,
    /// In small letters.
    pub currency: String,
    /// `pending`, `succeeded` or `failed`.
    pub status: String,
    /// As it was given.
    pub metadata: Metadata,
}

/// A dispute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeRecord {
    /// `du_…`
    pub id: String,
    /// `ch_…`
    pub charge: String,
    /// `pi_…`
    pub intent: String,
    /// When.
    pub created: DateTime<Utc>,
    /// How much.
    pub amount: i64,
    /// What is gone now: 0 after it was won.
    pub taken: i64,
    /// In small letters.
    pub currency: String,
    /// `needs_response`, `won` or `lost`.
    pub status: String,
}

impl Core {
    /// Everything that moved money.
    #[must_use]
    pub fn record(&self) -> Record {
        let charges = self.charges.iter().map(|row| ChargeRecord {
            id: row.id.clone(),
            intent: row.intent.clone(),
            customer: row.customer.clone(),
            created: row.created,
            amount: row.amount,
            refunded: row.amount_refunded,
            fee: row.movement.as_ref().and_then(|id| self.movements.get(id)).map_or(0, |movement| movement.fee),
            currency: row.currency.clone(),
            status: if row.paid() { "succeeded" } else { "failed" }.to_owned(),
            failure: row.failure.clone(),
            metadata: row.metadata.clone(),
        });
        let refunds = self.refunds.iter().map(|row| RefundRecord {
            id: row.id.clone(),
            charge: row.charge.clone(),
            intent: row.intent.clone(),
            created: row.created,
            amount: row.amount,
            currency: row.currency.clone(),
            status: row.status.clone(),
            metadata: row.metadata.clone(),
        });
        let disputes = self.disputes.iter().map(|row| DisputeRecord {
            id: row.id.clone(),
            charge: row.charge.clone(),
            intent: row.intent.clone(),
            created: row.created,
            amount: row.amount,
            taken: if row.status == "won" { 0 } else { row.amount },
            currency: row.currency.clone(),
            status: row.status.clone(),
        });
        Record { charges: charges.collect(), refunds: refunds.collect(), disputes: disputes.collect() }
    }
}
