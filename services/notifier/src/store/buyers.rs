//! Table `notifier.buyers`.

use leadflow_kernel::{BuyerId, SellerId};
use sqlx::PgConnection;
use uuid::Uuid;

/// Remembers whose buyers these are. A buyer never changes tenant.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn remember(connection: &mut PgConnection, buyers: &[(BuyerId, SellerId)]) -> Result<(), sqlx::Error> {
    let mut sorted = buyers.to_vec();
    sorted.sort_unstable();
    sqlx::query(
        "INSERT INTO notifier.buyers (buyer_id, seller_id) SELECT * FROM unnest($1::uuid[], $2::uuid[]) \
         ON CONFLICT (buyer_id) DO NOTHING",
    )
    .bind(sorted.iter().map(|(buyer, _)| buyer.uuid()).collect::<Vec<Uuid>>())
    .bind(sorted.iter().map(|(_, seller)| seller.uuid()).collect::<Vec<Uuid>>())
    .execute(connection)
    .await
    .map(drop)
}

/// The tenant of a buyer, if the directory has told.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn tenant_of(connection: &mut PgConnection, buyer: BuyerId) -> Result<Option<SellerId>, sqlx::Error> {
    let found: Option<Uuid> = sqlx::query_scalar("SELECT seller_id FROM notifier.buyers WHERE buyer_id = $1")
        .bind(buyer.uuid())
        .fetch_optional(connection)
        .await?;
    Ok(found.map(SellerId::from_uuid))
}
