//! Sales as their postings booked them, and which of them were undone.

use std::collections::{HashMap, HashSet};

use leadflow_billing_domain::{AccountKind, PaidSale};
use leadflow_kernel::{AssignmentId, BuyerId, SellerId};
use rust_decimal::Decimal;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::unreadable;

fn uuids(sales: &[AssignmentId]) -> Vec<Uuid> {
    sales.iter().map(|id| id.uuid()).collect()
}

/// How those of these sales that were paid were booked. Of whatever tenant: who asks compares.
pub async fn paid(
    connection: &mut PgConnection,
    sales: &[AssignmentId],
) -> Result<HashMap<AssignmentId, PaidSale>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT p.assignment_id, p.seller_id, a.kind, a.buyer_id, e.amount \
         FROM billing.postings p JOIN billing.entries e ON e.posting_id = p.posting_id \
           JOIN billing.accounts a ON a.account_id = e.account_id \
         WHERE p.assignment_id = ANY($1) AND p.kind = 'lead_purchase' ORDER BY p.assignment_id, e.line",
    )
    .bind(uuids(sales))
    .fetch_all(connection)
    .await?;
    let mut paid: HashMap<AssignmentId, PaidSale> = HashMap::new();
    for row in &rows {
        let assignment = AssignmentId::from_uuid(row.try_get("assignment_id")?);
        let amount: Decimal = row.try_get("amount")?;
        let kind = match row.try_get::<&str, _>("kind")? {
            // The wallet's line is a sale's first.
            "buyer_wallet" => {
                let sale = PaidSale {
                    assignment,
                    seller: SellerId::from_uuid(row.try_get("seller_id")?),
                    buyer: BuyerId::from_uuid(row.try_get("buyer_id")?),
                    // Not `-amount`: of a free lead that would be a negative zero.
                    price: Decimal::ZERO - amount,
                    shares: Vec::new(),
                };
                paid.insert(assignment, sale);
                continue;
            }
            "seller_earnings" => AccountKind::SellerEarnings,
            "platform_fees" => AccountKind::PlatformFees,
            other => return Err(unreadable(format!("a sale on an account of kind {other:?}"))),
        };
        let sale = paid.get_mut(&assignment).ok_or_else(|| unreadable("a sale that no wallet paid"))?;
        sale.shares.push((kind, amount));
    }
    Ok(paid)
}

/// Those of these sales that were undone. The wallets must be locked, so that none is at the moment.
pub async fn undone(
    connection: &mut PgConnection,
    sales: &[AssignmentId],
) -> Result<HashSet<AssignmentId>, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "SELECT assignment_id FROM billing.postings WHERE assignment_id = ANY($1) AND kind = 'lead_return'",
    )
    .bind(uuids(sales))
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(AssignmentId::from_uuid).collect())
}
