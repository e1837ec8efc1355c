//! Sellers as those see them who run the platform: the only questions that are about no single tenant.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Seller, Status};
use leadflow_kernel::SellerId;
use sqlx::{PgConnection, Row, postgres::PgRow};

use super::sellers::{self, whole_seller};

/// A seller with what is counted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SellerRow {
    /// It.
    pub seller: Seller,
    /// When it registered.
    pub created_at: DateTime<Utc>,
    /// Of its first owner; empty for one without users.
    pub owner_email: String,
    /// Its users.
    pub team: u32,
    /// Its buyers.
    pub buyers: u32,
    /// Its suppliers.
    pub suppliers: u32,
}

/// See `Accounts::list_sellers`.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn page(
    connection: &mut PgConnection,
    after: Option<SellerId>,
    limit: u32,
    search: &str,
    statuses: &[Status],
) -> Result<Vec<SellerRow>, sqlx::Error> {
    let statuses: Vec<&str> = statuses.iter().map(|status| status.code()).collect();
    sqlx::query(concat!(
        "SELECT ",
        whole_seller!(),
        ", s.created_at, n.* FROM ( \
           SELECT * FROM accounts.sellers s \
           WHERE ($1::uuid IS NULL OR (created_at, seller_id) < \
                  (SELECT created_at, seller_id FROM accounts.sellers WHERE seller_id = $1)) \
             AND (cardinality($2::text[]) = 0 OR status = ANY($2)) \
             AND ($3 = '' OR strpos(lower(company_name), lower($3)) > 0 OR EXISTS ( \
               SELECT 1 FROM accounts.users u \
               WHERE u.seller_id = s.seller_id AND role = 'SELLER' AND strpos(email_key, lower($3)) > 0)) \
           ORDER BY created_at DESC, seller_id DESC LIMIT $4) s, \
         LATERAL (SELECT \
           (SELECT email FROM accounts.users u WHERE u.seller_id = s.seller_id AND role = 'SELLER' \
              AND member = 'OWNER' ORDER BY created_at, user_id LIMIT 1) AS owner_email, \
           (SELECT count(*) FROM accounts.users u WHERE u.seller_id = s.seller_id AND role = 'SELLER') AS team, \
           (SELECT count(*) FROM accounts.buyers b WHERE b.seller_id = s.seller_id) AS buyers, \
           (SELECT count(*) FROM accounts.suppliers p WHERE p.seller_id = s.seller_id) AS suppliers) n \
         ORDER BY s.created_at DESC, s.seller_id DESC"
    ))
    .bind(after.map(SellerId::uuid))
    .bind(statuses)
    .bind(search)
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?
    .iter()
    .map(read)
    .collect()
}

/// One of them.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn find(connection: &mut PgConnection, id: SellerId) -> Result<Option<SellerRow>, sqlx::Error> {
    sqlx::query(concat!(
        "SELECT ",
        whole_seller!(),
        ", s.created_at, \
           (SELECT email FROM accounts.users u WHERE u.seller_id = s.seller_id AND role = 'SELLER' \
              AND member = 'OWNER' ORDER BY created_at, user_id LIMIT 1) AS owner_email, \
           (SELECT count(*) FROM accounts.users u WHERE u.seller_id = s.seller_id AND role = 'SELLER') AS team, \
           (SELECT count(*) FROM accounts.buyers b WHERE b.seller_id = s.seller_id) AS buyers, \
           (SELECT count(*) FROM accounts.suppliers p WHERE p.seller_id = s.seller_id) AS suppliers \
         FROM accounts.sellers s WHERE s.seller_id = $1"
    ))
    .bind(id.uuid())
    .fetch_optional(connection)
    .await?
    .map(|row| read(&row))
    .transpose()
}

fn read(row: &PgRow) -> Result<SellerRow, sqlx::Error> {
    let count = |column| row.try_get::<i64, _>(column).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    Ok(SellerRow {
        seller: sellers::read(row)?,
        created_at: row.try_get("created_at")?,
        owner_email: row.try_get::<Option<String>, _>("owner_email")?.unwrap_or_default(),
        team: count("team")?,
        buyers: count("buyers")?,
        suppliers: count("suppliers")?,
    })
}
