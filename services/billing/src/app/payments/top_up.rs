//! A buyer charges his card.

use leadflow_billing_domain::{CardPayment, PaymentKind, PaymentState, Wallet};
use leadflow_kernel::{BuyerId, Money, PaymentId, SellerId};

use super::{PaymentError, Payments, charge::first_look};
use crate::{
    app::AppError,
    store::{
        cards, payments,
        statement::{self, Line},
        wallets,
    },
};

/// "Charge this card and add it to that wallet."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopUp {
    /// The tenant.
    pub seller: SellerId,
    /// Whose wallet and card.
    pub buyer: BuyerId,
    /// Made by the caller; unique in the tenant.
    pub request: String,
    /// How much.
    pub amount: Money,
    /// Our id of the card or the provider's; empty is the primary one.
    pub card: String,
}

/// A payment with what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentView {
    /// The payment.
    pub payment: CardPayment,
    /// The wallet as it is now.
    pub wallet: Wallet,
    /// Its line on the wallet's statement, if it succeeded.
    pub line: Option<Line>,
}

impl Payments {
    /// Charges a card, once for each request, however often and wherever it is asked. A decline is an answer, not an error. When the provider
    /// does not answer, the payment is pending, and settled later.
    ///
    /// # Errors
    /// [`AppError::NoSuchWallet`], [`AppError::Currency`], [`PaymentError`] (also [`PaymentError::TooManyAttempts`]); [`AppError::Provider`] when none is configured;
    /// [`AppError::Database`], after which asking again is safe.
    pub async fn top_up(&self, new: NewTopUp) -> Result<PaymentView, AppError> {
        let (payment, fresh) = self.order_top_up(&new).await?;
        // Whoever asks again while nothing is known charges again, with the same key: the provider makes it one.
        if fresh || payment.state == PaymentState::Pending && payment.intent.is_none() {
            if fresh { self.charge_first(&payment).await? } else { self.ask(&payment).await? }
        }
        self.payment(new.seller, payment.id).await
    }

    /// A payment.
    ///
    /// # Errors
    /// [`PaymentError::NoSuchPayment`], [`AppError::Database`].
    pub async fn payment(&self, tenant: SellerId, id: PaymentId) -> Result<PaymentView, AppError> {
        let mut tx = self.billing.tenants.begin(tenant).await?;
        let payment = payments::find(&mut tx, tenant, id).await?.ok_or(PaymentError::NoSuchPayment)?;
        let wallet = wallets::find(&mut tx, tenant, payment.buyer).await?.ok_or(AppError::NoSuchWallet)?;
        let line = match payment.posting {
            Some(posting) => {
                statement::line(&mut tx, leadflow_billing_domain::Account::wallet(tenant, payment.buyer), posting)
                    .await?
            }
            None => None,
        };
        Ok(PaymentView { payment, wallet, line })
    }

    /// The payment of this request, and whether it was written just now.
    async fn order_top_up(&self, new: &NewTopUp) -> Result<(CardPayment, bool), AppError> {
        let mut tx = self.billing.tenants.begin(new.seller).await?;
        if let Some(made) = payments::by_request(&mut tx, new.seller, &new.request).await? {
            return same(made, new).map(|payment| (payment, false));
        }
        let wallet = wallets::find(&mut tx, new.seller, new.buyer).await?.ok_or(AppError::NoSuchWallet)?;
        if wallet.terms.currency != new.amount.currency() {
            return Err(AppError::Currency);
        }
        if !self.policy.bounds.allow(new.amount) {
            return Err(PaymentError::Bounds(self.policy.bounds).into());
        }
        let card = cards::chosen(&mut tx, new.seller, new.buyer, &new.card).await?;
        let card = card.ok_or(if new.card.is_empty() { PaymentError::NoCard } else { PaymentError::NoSuchCard })?;
        if let Err(refusal) = self.allow_attempt(&mut tx, new.seller, new.buyer).await {
            // This very request may have been the last one that was allowed.
            let made = payments::by_request(&mut tx, new.seller, &new.request).await?;
            return made.map_or(Err(refusal), |made| same(made, new).map(|payment| (payment, false)));
        }
        let now = self.now();
        let payment = CardPayment {
            id: PaymentId::new(),
            seller: new.seller,
            buyer: new.buyer,
            kind: PaymentKind::TopUp,
            request: Some(new.request.clone()),
            amount: new.amount,
            card: card.id,
            customer: card.customer,
            payment_method: card.payment_method,
            state: PaymentState::Pending,
            intent: None,
            decline_code: None,
            client_secret: None,
            received: rust_decimal::Decimal::ZERO,
            refunded: rust_decimal::Decimal::ZERO,
            disputed: rust_decimal::Decimal::ZERO,
            posting: None,
            created_at: now,
            attempts: 0,
        };
        if payments::insert(&mut tx, &payment, first_look(now)).await? {
            tx.commit().await?;
            return Ok((payment, true));
        }
        // Somebody else wrote it a moment ago.
        let made = payments::by_request(&mut tx, new.seller, &new.request).await?.ok_or(PaymentError::NoSuchPayment)?;
        same(made, new).map(|payment| (payment, false))
    }
}

/// The payment that was made for this request, if it is the same request. An empty card is whichever it was.
fn same(made: CardPayment, new: &NewTopUp) -> Result<CardPayment, AppError> {
    let card = new.card.is_empty() || new.card == made.card.to_string() || new.card == made.payment_method;
    if made.buyer == new.buyer && made.amount == new.amount && card {
        Ok(made)
    } else {
        Err(PaymentError::PaymentExists.into())
    }
}
