//! Buyers' cards.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, CardId, SellerId};
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::{customers, unreadable};
use crate::app::payments::StoredCard;

/// A buyer's card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Ours.
    pub id: CardId,
    /// Whose.
    pub buyer: BuyerId,
    /// The tenant.
    pub seller: SellerId,
    /// `pm_…`
    pub payment_method: String,
    /// `visa`
    pub brand: String,
    /// The last four digits.
    pub last4: String,
    /// 1 to 12.
    pub exp_month: u32,
    /// Four digits.
    pub exp_year: u32,
    /// Charged when no other one is named.
    pub is_primary: bool,
    /// When we learned of it.
    pub created_at: DateTime<Utc>,
    /// The buyer removed it, and the provider does not know yet.
    pub removed_at: Option<DateTime<Utc>>,
}

/// A card's name in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardName {
    /// Ours.
    Id(CardId),
    /// The provider's.
    PaymentMethod(String),
}

impl CardName {
    /// Reads what a request says: our id or the provider's; `None` when it is empty.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        Some(text.parse().map_or_else(|_| Self::PaymentMethod(text.to_owned()), Self::Id))
    }
}

macro_rules! cards {
    ($tail:literal) => {
        concat!(
            "SELECT card_id, buyer_id, seller_id, payment_method, brand, last4, exp_month, exp_year, is_primary, \
                    created_at, removed_at FROM billing.cards ",
            $tail
        )
    };
}

/// A buyer's cards that he has not removed, the primary one first, then the newest.
pub async fn list(tx: &mut TenantTx, seller: SellerId, buyer: BuyerId) -> Result<Vec<Card>, sqlx::Error> {
    let rows = sqlx::query(cards!(
        "WHERE buyer_id = $1 AND seller_id = $2 AND removed_at IS NULL \
         ORDER BY is_primary DESC, created_at DESC, card_id DESC"
    ))
    .bind(buyer.uuid())
    .bind(seller.uuid())
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(read).collect()
}

/// A buyer's card that he has not removed; without a name, the primary one.
pub async fn find(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    name: Option<&CardName>,
) -> Result<Option<Card>, sqlx::Error> {
    let (id, payment_method) = match name {
        None => (None, None),
        Some(CardName::Id(id)) => (Some(id.uuid()), None),
        Some(CardName::PaymentMethod(text)) => (None, Some(text.as_str())),
    };
    let row = sqlx::query(cards!(
        "WHERE buyer_id = $1 AND seller_id = $2 AND removed_at IS NULL \
           AND CASE WHEN $3::uuid IS NOT NULL THEN card_id = $3 \
                    WHEN $4::text IS NOT NULL THEN payment_method = $4 ELSE is_primary END"
    ))
    .bind(buyer.uuid())
    .bind(seller.uuid())
    .bind(id)
    .bind(payment_method)
    .fetch_optional(&mut **tx)
    .await?;
    row.as_ref().map(read).transpose()
}

/// What is charged when a buyer asks for this card (our id or the provider's), or for the primary one (empty).
pub async fn chosen(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    text: &str,
) -> Result<Option<StoredCard>, sqlx::Error> {
    let Some(card) = find(tx, seller, buyer, CardName::read(text).as_ref()).await? else { return Ok(None) };
    let customer = customers::find(tx, seller, buyer).await?.and_then(|customer| customer.provider_id);
    Ok(customer.map(|customer| StoredCard { id: card.id, customer, payment_method: card.payment_method }))
}

/// A card by the provider's id, of any buyer that the transaction may see, also a removed one.
pub async fn by_payment_method(
    connection: &mut PgConnection,
    payment_method: &str,
) -> Result<Option<Card>, sqlx::Error> {
    let row = sqlx::query(cards!("WHERE payment_method = $1")).bind(payment_method).fetch_optional(connection).await?;
    row.as_ref().map(read).transpose()
}

/// Adds a card, which is not the primary one yet; false when the provider's id is there already, whoever's it is.
pub async fn insert(tx: &mut TenantTx, card: &Card) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO billing.cards (card_id, seller_id, buyer_id, payment_method, brand, last4, exp_month, exp_year, \
           is_primary, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, false, $9) ON CONFLICT DO NOTHING",
    )
    .bind(card.id.uuid())
    .bind(card.seller.uuid())
    .bind(card.buyer.uuid())
    .bind(&card.payment_method)
    .bind(&card.brand)
    .bind(&card.last4)
    .bind(i16::try_from(card.exp_month).map_err(unreadable)?)
    .bind(i16::try_from(card.exp_year).map_err(unreadable)?)
    .bind(card.created_at)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What is printed on a card, when that has changed.
pub async fn update(tx: &mut TenantTx, card: &Card) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE billing.cards SET brand = $3, last4 = $4, exp_month = $5, exp_year = $6 \
         WHERE card_id = $1 AND seller_id = $2",
    )
    .bind(card.id.uuid())
    .bind(card.seller.uuid())
    .bind(&card.brand)
    .bind(&card.last4)
    .bind(i16::try_from(card.exp_month).map_err(unreadable)?)
    .bind(i16::try_from(card.exp_year).map_err(unreadable)?)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// Makes this the buyer's primary card, and no other one. `None`: he has no primary one any more.
pub async fn set_primary(
    tx: &mut TenantTx,
    seller: SellerId,
    buyer: BuyerId,
    card: Option<CardId>,
) -> Result<(), sqlx::Error> {
    // The one before first: the index that allows one only is checked row by row.
    sqlx::query(
        "UPDATE billing.cards SET is_primary = false \
         WHERE buyer_id = $1 AND seller_id = $2 AND is_primary AND card_id IS DISTINCT FROM $3",
    )
    .bind(buyer.uuid())
    .bind(seller.uuid())
    .bind(card.map(CardId::uuid))
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "UPDATE billing.cards SET is_primary = true \
         WHERE buyer_id = $1 AND seller_id = $2 AND card_id = $3 AND NOT is_primary AND removed_at IS NULL",
    )
    .bind(buyer.uuid())
    .bind(seller.uuid())
    .bind(card.map(CardId::uuid))
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// Notes that a card is to be taken from the provider.
pub async fn mark_removed(
    tx: &mut TenantTx,
    seller: SellerId,
    card: CardId,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE billing.cards SET removed_at = $3, is_primary = false WHERE card_id = $1 AND seller_id = $2")
        .bind(card.uuid())
        .bind(seller.uuid())
        .bind(now)
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// Forgets a card that the provider has taken from its customer.
pub async fn forget(tx: &mut TenantTx, seller: SellerId, card: CardId) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM billing.cards WHERE card_id = $1 AND seller_id = $2")
        .bind(card.uuid())
        .bind(seller.uuid())
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// Cards of all tenants that were removed before, and that the provider may not know of.
pub async fn to_detach(
    connection: &mut PgConnection,
    before: DateTime<Utc>,
    most: i64,
) -> Result<Vec<Card>, sqlx::Error> {
    let rows = sqlx::query(cards!("WHERE removed_at < $1 ORDER BY removed_at, card_id LIMIT $2"))
        .bind(before)
        .bind(most)
        .fetch_all(connection)
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Card, sqlx::Error> {
    let number =
        |name: &str| -> Result<u32, sqlx::Error> { u32::try_from(row.try_get::<i16, _>(name)?).map_err(unreadable) };
    Ok(Card {
        id: CardId::from_uuid(row.try_get::<Uuid, _>("card_id")?),
        buyer: BuyerId::from_uuid(row.try_get("buyer_id")?),
        seller: SellerId::from_uuid(row.try_get("seller_id")?),
        payment_method: row.try_get("payment_method")?,
        brand: row.try_get("brand")?,
        last4: row.try_get("last4")?,
        exp_month: number("exp_month")?,
        exp_year: number("exp_year")?,
        is_primary: row.try_get("is_primary")?,
        created_at: row.try_get("created_at")?,
        removed_at: row.try_get("removed_at")?,
    })
}
