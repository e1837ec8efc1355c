//! Buyers return some of what they bought, and their seller decides.

use std::collections::BTreeMap;

use leadflow_kernel::{AssignmentId, BuyerId};
use rust_decimal::Decimal;
use sqlx::PgPool;
use uuid::Uuid;

use crate::seed::{Market, REASONS};

/// Leads that each buyer would like to return.
const WISHES: i64 = 4;
/// Of so many returns one is rejected.
const REJECTED: usize = 4;

/// What became of the returns.
#[derive(Debug, Default)]
pub struct Returned {
    /// Undone.
    approved: u32,
    /// Not undone.
    rejected: u32,
    /// Not even asked, by why.
    refused: BTreeMap<String, u32>,
    /// Given back together, dollars.
    paid_back: Decimal,
}

/// The newest purchases of buyers who have money enough: one who had none would buy leads that wait with what he gets back, at
/// a time that nobody can tell, and the books are about to be checked at rest.
const WANTED: &str = "\
    SELECT s.assignment_id, s.buyer_id, s.price FROM billing.wallets w CROSS JOIN LATERAL \
      (SELECT * FROM distribution.assignments a WHERE a.buyer_id = w.buyer_id ORDER BY a.assigned_at DESC, a.assignment_id \
       LIMIT $2) s \
    WHERE w.seller_id = $1 AND w.balance - w.held >= 200 AND w.weekly_limit IS NULL AND w.monthly_limit IS NULL \
      AND w.status = 'active' ORDER BY w.buyer_id, s.assigned_at DESC, s.assignment_id";

/// Has every buyer ask for some, and decides about them.
///
/// # Errors
/// When the services cannot be reached.
pub async fn play(books: &PgPool, market: &Market) -> anyhow::Result<Returned> {
    let wanted: Vec<(Uuid, Uuid, Decimal)> =
        sqlx::query_as(WANTED).bind(market.seller.uuid()).bind(WISHES).fetch_all(books).await?;
    let mut returned = Returned::default();
    let mut taken = 0;
    for (number, (sale, buyer, price)) in wanted.into_iter().enumerate() {
        let reason = REASONS[number % REASONS.len()];
        let asked = market.ask_back(BuyerId::from_uuid(buyer), AssignmentId::from_uuid(sale), reason).await;
        let id = match asked {
            Ok(made) => made.return_id,
            Err(sentence) => {
                *returned.refused.entry(sentence).or_default() += 1;
                continue;
            }
        };
        taken += 1;
        let approve = taken % REJECTED != 0;
        market.decide_return(&id, approve).await?;
        if approve {
            returned.approved += 1;
            returned.paid_back += price;
        } else {
            returned.rejected += 1;
        }
    }
    Ok(returned)
}

impl Returned {
    /// In words.
    #[must_use]
    pub fn told(&self) -> String {
        let Self { approved, rejected, refused, paid_back } = self;
        let mut text =
            format!("  {approved} returned, {paid_back:.2} dollars given back; {rejected} rejected by the seller.\n");
        for (sentence, number) in refused {
            text.push_str(&format!("  {number} refused: {sentence}\n"));
        }
        text
    }
}
