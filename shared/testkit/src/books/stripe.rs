//! What moved at Stripe, as its stand-in in the sandbox remembers it.

use std::collections::BTreeMap;

use leadflow_kernel::{PaymentId, RefundId};
use rust_decimal::Decimal;
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

/// Everything that moved: the sandbox's answer to `GET /api/stripe/record`. Amounts are cents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct StripeRecord {
    /// Charges, those that failed, too.
    pub charges: Vec<StripeCharge>,
    /// Refunds, those that failed, too.
    pub refunds: Vec<StripeRefund>,
    /// Disputes.
    pub disputes: Vec<StripeDispute>,
}

/// A charge.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StripeCharge {
    /// `ch_…`
    pub id: String,
    /// `pi_…`
    pub intent: String,
    /// How much.
    pub amount: i64,
    /// What went back of it.
    pub refunded: i64,
    /// In small letters.
    pub currency: String,
    /// `succeeded` or `failed`.
    pub status: String,
    /// What billing wrote on it; `payment_id` is ours.
    pub metadata: BTreeMap<String, String>,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StripeRefund {
    /// `re_…`
    pub id: String,
    /// `pi_…`
    pub intent: String,
    /// How much.
    pub amount: i64,
    /// In small letters.
    pub currency: String,
    /// `pending`, `succeeded` or `failed`.
    pub status: String,
    /// What billing wrote on it; `refund_id` is ours. One that was made at the dashboard has none.
    pub metadata: BTreeMap<String, String>,
}

/// A dispute.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct StripeDispute {
    /// `du_…`
    pub id: String,
    /// `pi_…`
    pub intent: String,
    /// How much.
    pub amount: i64,
    /// In small letters.
    pub currency: String,
    /// `needs_response`, `won` or `lost`.
    pub status: String,
}

impl StripeCharge {
    /// Whether the card paid.
    #[must_use]
    pub fn paid(&self) -> bool {
        self.status == "succeeded"
    }

    /// Our payment, if it names one.
    #[must_use]
    pub fn payment(&self) -> Option<PaymentId> {
        self.metadata.get("payment_id")?.parse().ok()
    }
}

impl StripeRefund {
    /// Our refund, if it names one.
    #[must_use]
    pub fn refund(&self) -> Option<RefundId> {
        self.metadata.get("refund_id")?.parse().ok()
    }
}

const TABLES: &str = "
    CREATE TEMP TABLE books_stripe_charges
        (id text, intent text, payment_id uuid, amount numeric, refunded numeric, currency text, paid boolean) ON COMMIT DROP;
    CREATE TEMP TABLE books_stripe_refunds
        (id text, intent text, refund_id uuid, amount numeric, currency text, state text) ON COMMIT DROP;
    CREATE TEMP TABLE books_stripe_disputes
        (id text, intent text, amount numeric, currency text, state text) ON COMMIT DROP";

fn major(cents: i64) -> Decimal {
    Decimal::new(cents, 2)
}

/// Makes the temporary tables `books_stripe_…`, which end with the transaction.
pub(super) async fn load(connection: &mut PgConnection, record: &StripeRecord) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(TABLES).execute(&mut *connection).await?;
    let charges = &record.charges;
    let payments: Vec<Option<Uuid>> = charges.iter().map(|row| row.payment().map(|id| id.uuid())).collect();
    sqlx::query(
        "INSERT INTO books_stripe_charges \
         SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::numeric[], $5::numeric[], $6::text[], $7::boolean[])",
    )
    .bind(charges.iter().map(|row| row.id.as_str()).collect::<Vec<_>>())
    .bind(charges.iter().map(|row| row.intent.as_str()).collect::<Vec<_>>())
    .bind(payments)
    .bind(charges.iter().map(|row| major(row.amount)).collect::<Vec<_>>())
    .bind(charges.iter().map(|row| major(row.refunded)).collect::<Vec<_>>())
    .bind(charges.iter().map(|row| row.currency.to_uppercase()).collect::<Vec<_>>())
    .bind(charges.iter().map(StripeCharge::paid).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    let refunds = &record.refunds;
    let ours: Vec<Option<Uuid>> = refunds.iter().map(|row| row.refund().map(|id| id.uuid())).collect();
    sqlx::query(
        "INSERT INTO books_stripe_refunds \
         SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::numeric[], $5::text[], $6::text[])",
    )
    .bind(refunds.iter().map(|row| row.id.as_str()).collect::<Vec<_>>())
    .bind(refunds.iter().map(|row| row.intent.as_str()).collect::<Vec<_>>())
    .bind(ours)
    .bind(refunds.iter().map(|row| major(row.amount)).collect::<Vec<_>>())
    .bind(refunds.iter().map(|row| row.currency.to_uppercase()).collect::<Vec<_>>())
    .bind(refunds.iter().map(|row| row.status.as_str()).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    let disputes = &record.disputes;
    sqlx::query(
        "INSERT INTO books_stripe_disputes \
         SELECT * FROM unnest($1::text[], $2::text[], $3::numeric[], $4::text[], $5::text[])",
    )
    .bind(disputes.iter().map(|row| row.id.as_str()).collect::<Vec<_>>())
    .bind(disputes.iter().map(|row| row.intent.as_str()).collect::<Vec<_>>())
    .bind(disputes.iter().map(|row| major(row.amount)).collect::<Vec<_>>())
    .bind(disputes.iter().map(|row| row.currency.to_uppercase()).collect::<Vec<_>>())
    .bind(disputes.iter().map(|row| row.status.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
