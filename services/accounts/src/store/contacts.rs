//! Table `accounts.buyer_contacts`: how each buyer is reached, as it was told last.

use leadflow_kernel::{BuyerId, SellerId};
use sqlx::{PgConnection, Row, postgres::PgRow};

/// How a buyer is reached: through the first of those who sign in for him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Whom.
    pub buyer_id: BuyerId,
    /// Whose buyer he is.
    pub seller_id: SellerId,
    /// Rises with every change.
    pub version: u64,
    /// What he is called; empty when nobody is left.
    pub name: String,
    /// Empty: none.
    pub email: String,
    /// Whether the address is known to be his.
    pub email_verified: bool,
    /// E.164; empty: none.
    pub phone: String,
}

/// Notes how the buyer is reached now; `None` when that was told already. Until the transaction ends nobody else notes
/// it, so versions are in the order of what they say.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn renew(
    connection: &mut PgConnection,
    seller_id: SellerId,
    buyer_id: BuyerId,
) -> Result<Option<Contact>, sqlx::Error> {
    sqlx::query(
        "INSERT INTO accounts.buyer_contacts (buyer_id, seller_id) VALUES ($1, $2) \
         ON CONFLICT (buyer_id) DO UPDATE SET seller_id = EXCLUDED.seller_id",
    )
    .bind(buyer_id.uuid())
    .bind(seller_id.uuid())
    .execute(&mut *connection)
    .await?;
    // In a statement of its own, which sees what was committed while the row was waited for.
    sqlx::query(
        "UPDATE accounts.buyer_contacts c \
         SET version = c.version + 1, name = p.name, email = p.email, email_verified = p.email_verified, phone = p.phone \
         FROM (SELECT coalesce(f.name, '') AS name, coalesce(f.email, '') AS email, \
                 f.email_verified_at IS NOT NULL AS email_verified, coalesce(f.phone, '') AS phone \
               FROM (SELECT 1) one LEFT JOIN LATERAL (SELECT * FROM accounts.users u WHERE u.buyer_id = $1 \
                 ORDER BY u.created_at, u.user_id LIMIT 1) f ON true) p \
         WHERE c.buyer_id = $1 AND c.seller_id = $2 \
           AND (c.name, c.email, c.email_verified, c.phone) <> (p.name, p.email, p.email_verified, p.phone) \
         RETURNING c.*",
    )
    .bind(buyer_id.uuid())
    .bind(seller_id.uuid())
    .fetch_optional(connection)
    .await?
    .map(|row| read(&row))
    .transpose()
}

/// Up to `limit` buyers after `after`, in the order of ids, of whom something else was told than what is so, or nothing.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn untold(
    connection: &mut PgConnection,
    after: Option<BuyerId>,
    limit: u32,
) -> Result<Vec<(SellerId, BuyerId)>, sqlx::Error> {
    sqlx::query(
        "SELECT b.seller_id, b.buyer_id FROM accounts.buyers b \
         LEFT JOIN accounts.buyer_contacts c ON c.buyer_id = b.buyer_id \
         LEFT JOIN LATERAL (SELECT * FROM accounts.users u WHERE u.buyer_id = b.buyer_id \
                            ORDER BY u.created_at, u.user_id LIMIT 1) f ON true \
         WHERE ($1::uuid IS NULL OR b.buyer_id > $1) \
           AND (coalesce(c.name, ''), coalesce(c.email, ''), coalesce(c.email_verified, false), coalesce(c.phone, '')) \
            <> (coalesce(f.name, ''), coalesce(f.email, ''), f.email_verified_at IS NOT NULL, coalesce(f.phone, '')) \
         ORDER BY b.buyer_id LIMIT $2",
    )
    .bind(after.map(BuyerId::uuid))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?
    .iter()
    .map(|row| Ok((SellerId::from_uuid(row.try_get("seller_id")?), BuyerId::from_uuid(row.try_get("buyer_id")?))))
    .collect()
}

fn read(row: &PgRow) -> Result<Contact, sqlx::Error> {
    Ok(Contact {
        buyer_id: BuyerId::from_uuid(row.try_get("buyer_id")?),
        seller_id: SellerId::from_uuid(row.try_get("seller_id")?),
        version: u64::try_from(row.try_get::<i64, _>("version")?).unwrap_or(0),
        name: row.try_get("name")?,
        email: row.try_get("email")?,
        email_verified: row.try_get("email_verified")?,
        phone: row.try_get("phone")?,
    })
}
