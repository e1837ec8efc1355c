//! How buyers are reached and what they want to be told, for batches of events.

use std::collections::HashMap;

use leadflow_kernel::{BuyerId, SellerId};
use leadflow_notifier_domain::Wishes;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

/// How a buyer is reached and what he wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// He has an address.
    pub email: bool,
    /// He has a phone.
    pub phone: bool,
    /// What he wants to be told.
    pub wishes: Wishes,
}

/// Of those of `buyers` who are known, by tenant and buyer.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn of_buyers(
    connection: &mut PgConnection,
    buyers: &[BuyerId],
) -> Result<HashMap<(SellerId, BuyerId), Reach>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT b.seller_id, b.buyer_id, b.email <> '' AS email, b.phone <> '' AS phone, p.buyer_id IS NOT NULL AS said, \
           p.email_on_lead, p.sms_on_lead, p.email_on_low_balance, p.sms_on_low_balance, p.email_on_return, p.daily_summary \
         FROM notifier.buyers b LEFT JOIN notifier.preferences p ON p.buyer_id = b.buyer_id AND p.seller_id = b.seller_id \
         WHERE b.buyer_id = ANY($1)",
    )
    .bind(buyers.iter().map(|buyer| buyer.uuid()).collect::<Vec<Uuid>>())
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let key = (SellerId::from_uuid(row.try_get("seller_id")?), BuyerId::from_uuid(row.try_get("buyer_id")?));
            let wishes = super::message_leases::wishes(row)?;
            Ok((key, Reach { email: row.try_get("email")?, phone: row.try_get("phone")?, wishes }))
        })
        .collect()
}
