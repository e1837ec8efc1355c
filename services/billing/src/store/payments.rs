//! Charges of cards.

use chrono::{DateTime, Utc};
use leadflow_billing_domain::{CardPayment, PaymentKind, PaymentState};
use leadflow_kernel::{BuyerId, CardId, Currency, Money, PaymentId, PostingId, SellerId};
use leadflow_platform::db::TenantTx;
use sqlx::{PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use super::unreadable;

macro_rules! payments {
    ($tail:literal) => {
        concat!(
            "SELECT payment_id, seller_id, buyer_id, kind, request_id, amount, currency, card_id, customer, payment_method, state, \
                    intent_id, decline_code, client_secret, received, refunded, disputed, posting_id, created_at, attempts \
             FROM billing.payments ",
            $tail
        )
    };
}

/// Writes a new payment, whose provider is asked about it at `attempt_at` unless somebody did before. False: its request's id is
/// used, or another recharge of this buyer is under way. Waits for another transaction that writes the same.
pub async fn insert(tx: &mut TenantTx, payment: &CardPayment, attempt_at: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO billing.payments (payment_id, seller_id, buyer_id, kind, request_id, amount, currency, card_id, customer, \
           payment_method, created_at, attempt_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING",
    )
    .bind(payment.id.uuid())
    .bind(payment.seller.uuid())
    .bind(payment.buyer.uuid())
    .bind(payment.kind.name())
    .bind(&payment.request)
    .bind(payment.amount.amount())
    .bind(payment.amount.currency().code())
    .bind(payment.card.uuid())
    .bind(&payment.customer)
    .bind(&payment.payment_method)
    .bind(payment.created_at)
    .bind(attempt_at)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The payment with this request's id.
pub async fn by_request(
    tx: &mut TenantTx,
    tenant: SellerId,
    request: &str,
) -> Result<Option<CardPayment>, sqlx::Error> {
    let row = sqlx::query(payments!("WHERE seller_id = $1 AND request_id = $2"))
        .bind(tenant.uuid())
        .bind(request)
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The payment with this id, as it is at this moment.
pub async fn find(tx: &mut TenantTx, tenant: SellerId, id: PaymentId) -> Result<Option<CardPayment>, sqlx::Error> {
    let row = sqlx::query(payments!("WHERE seller_id = $1 AND payment_id = $2"))
        .bind(tenant.uuid())
        .bind(id.uuid())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(read).transpose()
}

/// Locks the payment. Its wallet must be locked before.
pub async fn lock(tx: &mut TenantTx, tenant: SellerId, id: PaymentId) -> Result<Option<CardPayment>, sqlx::Error> {
    let row = sqlx::query(payments!("WHERE seller_id = $1 AND payment_id = $2 FOR UPDATE"))
        .bind(tenant.uuid())
        .bind(id.uuid())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(read).transpose()
}

/// The buyer's payments of which something could be given back, newest first. His wallet must be locked before, so they do not change.
pub async fn refundable(tx: &mut TenantTx, tenant: SellerId, buyer: BuyerId) -> Result<Vec<CardPayment>, sqlx::Error> {
    let rows = sqlx::query(payments!(
        "WHERE seller_id = $1 AND buyer_id = $2 AND state = 'succeeded' AND received > refunded + disputed \
         ORDER BY created_at DESC, payment_id DESC"
    ))
    .bind(tenant.uuid())
    .bind(buyer.uuid())
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(read).collect()
}

/// Whether a recharge of this buyer is under way.
pub async fn recharge_is_open(tx: &mut TenantTx, tenant: SellerId, buyer: BuyerId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM billing.payments WHERE seller_id = $1 AND buyer_id = $2 AND kind = 'recharge' \
           AND state IN ('pending', 'requires_action'))",
    )
    .bind(tenant.uuid())
    .bind(buyer.uuid())
    .fetch_one(&mut **tx)
    .await
}

/// Whose payment the provider speaks of: by our id, else by its own. Of all tenants: the provider does not know them.
pub async fn owner(
    connection: &mut PgConnection,
    id: Option<PaymentId>,
    intent: &str,
) -> Result<Option<(SellerId, BuyerId, PaymentId)>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT seller_id, buyer_id, payment_id FROM billing.payments WHERE payment_id = $1 \
         UNION ALL SELECT seller_id, buyer_id, payment_id FROM billing.payments WHERE intent_id = $2 LIMIT 1",
    )
    .bind(id.map(PaymentId::uuid))
    .bind(intent)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(whose).transpose()
}

/// Whose payment that is, if it succeeded and is credited.
pub async fn credited_owner(
    connection: &mut PgConnection,
    id: Option<PaymentId>,
    intent: &str,
) -> Result<Option<(SellerId, BuyerId, PaymentId)>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT seller_id, buyer_id, payment_id FROM billing.payments \
         WHERE posting_id IS NOT NULL AND (payment_id = $1 OR intent_id = $2) LIMIT 1",
    )
    .bind(id.map(PaymentId::uuid))
    .bind(intent)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(whose).transpose()
}

/// Saves what news changed. While the payment is open, the provider is asked again at `attempt_at`.
pub async fn save(
    tx: &mut TenantTx,
    payment: &CardPayment,
    attempt_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let open = payment.state.is_open();
    sqlx::query(
        "UPDATE billing.payments SET state = $3, intent_id = $4, decline_code = $5, client_secret = $6, received = $7, refunded = $8, \
           disputed = $9, posting_id = $10, attempt_at = $11, settled_at = CASE WHEN state <> $3 THEN $12 ELSE settled_at END \
         WHERE seller_id = $1 AND payment_id = $2",
    )
    .bind(payment.seller.uuid())
    .bind(payment.id.uuid())
    .bind(payment.state.name())
    .bind(&payment.intent)
    .bind(&payment.decline_code)
    .bind(&payment.client_secret)
    .bind(payment.received)
    .bind(payment.refunded)
    .bind(payment.disputed)
    .bind(payment.posting.map(PostingId::uuid))
    .bind(open.then_some(attempt_at))
    .bind((!open).then_some(now))
    .execute(&mut **tx)
    .await
    .map(|_| ())
}

/// How often refunds that the provider told of were booked on a payment.
pub async fn looks(tx: &mut TenantTx, tenant: SellerId, id: PaymentId) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT looks FROM billing.payments WHERE seller_id = $1 AND payment_id = $2")
        .bind(tenant.uuid())
        .bind(id.uuid())
        .fetch_one(&mut **tx)
        .await
}

/// Counts that once more.
pub async fn looked(tx: &mut TenantTx, tenant: SellerId, id: PaymentId) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE billing.payments SET looks = looks + 1 WHERE seller_id = $1 AND payment_id = $2")
        .bind(tenant.uuid())
        .bind(id.uuid())
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// Takes payments whose provider is to be asked now, of all tenants: nobody else takes them within `lease`. Asking later and later is done by whoever
/// asked in vain ([`ask_again`]).
pub async fn claim(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    lease_until: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<CardPayment>, sqlx::Error> {
    let rows = sqlx::query(
        "UPDATE billing.payments SET attempt_at = $2, attempts = attempts + 1 \
         WHERE payment_id IN (SELECT payment_id FROM billing.payments WHERE attempt_at <= $1 ORDER BY attempt_at LIMIT $3 \
           FOR UPDATE SKIP LOCKED) \
         RETURNING payment_id, seller_id, buyer_id, kind, request_id, amount, currency, card_id, customer, payment_method, state, \
           intent_id, decline_code, client_secret, received, refunded, disputed, posting_id, created_at, attempts",
    )
    .bind(now)
    .bind(lease_until)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(read).collect()
}

/// The provider is asked about it again then, if it is still open.
pub async fn ask_again(
    connection: &mut PgConnection,
    id: PaymentId,
    attempt_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE billing.payments SET attempt_at = $2 WHERE payment_id = $1 AND attempt_at IS NOT NULL")
        .bind(id.uuid())
        .bind(attempt_at)
        .execute(connection)
        .await
        .map(|_| ())
}

fn whose(row: &PgRow) -> Result<(SellerId, BuyerId, PaymentId), sqlx::Error> {
    Ok((
        SellerId::from_uuid(row.try_get("seller_id")?),
        BuyerId::from_uuid(row.try_get("buyer_id")?),
        PaymentId::from_uuid(row.try_get("payment_id")?),
    ))
}

fn read(row: &PgRow) -> Result<CardPayment, sqlx::Error> {
    let currency = Currency::parse(row.try_get("currency")?).map_err(unreadable)?;
    let (kind, state) = (row.try_get::<&str, _>("kind")?, row.try_get::<&str, _>("state")?);
    Ok(CardPayment {
        id: PaymentId::from_uuid(row.try_get("payment_id")?),
        seller: SellerId::from_uuid(row.try_get("seller_id")?),
        buyer: BuyerId::from_uuid(row.try_get("buyer_id")?),
        kind: PaymentKind::from_name(kind).ok_or_else(|| unreadable(format!("kind of a payment: {kind:?}")))?,
        request: row.try_get("request_id")?,
        amount: Money::new(row.try_get("amount")?, currency).map_err(unreadable)?,
        card: CardId::from_uuid(row.try_get("card_id")?),
        customer: row.try_get("customer")?,
        payment_method: row.try_get("payment_method")?,
        state: PaymentState::from_name(state).ok_or_else(|| unreadable(format!("state of a payment: {state:?}")))?,
        intent: row.try_get("intent_id")?,
        decline_code: row.try_get("decline_code")?,
        client_secret: row.try_get("client_secret")?,
        received: row.try_get("received")?,
        refunded: row.try_get("refunded")?,
        disputed: row.try_get("disputed")?,
        posting: row.try_get::<Option<Uuid>, _>("posting_id")?.map(PostingId::from_uuid),
        created_at: row.try_get("created_at")?,
        attempts: u32::try_from(row.try_get::<i32, _>("attempts")?).map_err(unreadable)?,
    })
}
