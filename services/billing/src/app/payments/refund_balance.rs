//! Unspent balance goes back to the cards it came from.

use leadflow_billing_domain::{Books, CardMove, RefundError, RefundState, Wallet, allocate};
use leadflow_kernel::{BuyerId, Money, PostingId, RefundId, SellerId};
use leadflow_platform::audit::Change;
use serde_json::json;

use super::{PaymentError, Payments, charge::first_look};
use crate::{
    app::{Actor, AppError, TRAIL},
    store::{
        payments,
        refunds::{self, Refund, RefundRequest},
        wallets,
    },
};

/// "Give this much of that balance back."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRefund {
    /// The tenant.
    pub seller: SellerId,
    /// Whose balance.
    pub buyer: BuyerId,
    /// Made by the caller; unique in the tenant.
    pub request: String,
    /// How much.
    pub amount: Money,
    /// In words.
    pub reason: String,
}

/// What a request gave back, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refunded {
    /// One for each payment.
    pub refunds: Vec<Refund>,
    /// The wallet as it is now.
    pub wallet: Wallet,
}

/// Why recharging is turned off.
const GIVEN_BACK: &str = "Balance was given back to the card.";

impl Payments {
    /// Gives balance back, once for each request: newest payments first, of each no more than is left of it. The money leaves the
    /// wallet before the provider is asked, so it cannot be spent meanwhile, and comes back if the refund fails. Automatic recharging is
    /// turned off when the wallet is low then.
    ///
    /// # Errors
    /// [`AppError::NoSuchWallet`], [`AppError::Currency`], [`PaymentError::Refund`], [`PaymentError::RefundExists`];
    /// [`AppError::Database`], after which asking again is safe.
    pub async fn refund_balance(&self, actor: Actor, new: NewRefund) -> Result<Refunded, AppError> {
        for refund in self.order_refunds(actor, &new).await? {
            if refund.state == RefundState::Pending && refund.provider_id.is_none() {
                self.order_refund(&refund).await?;
            }
        }
        let mut tx = self.billing.tenants.begin(new.seller).await?;
        let refunds = refunds::of_request(&mut tx, new.seller, &new.request).await?;
        let wallet = wallets::find(&mut tx, new.seller, new.buyer).await?.ok_or(AppError::NoSuchWallet)?;
        Ok(Refunded { refunds, wallet })
    }

    /// Takes the money from the wallet and writes down what is to be given back.
    async fn order_refunds(&self, actor: Actor, new: &NewRefund) -> Result<Vec<Refund>, AppError> {
        let (seller, buyer) = (new.seller, new.buyer);
        if !new.amount.is_positive() {
            return Err(PaymentError::Refund(RefundError::NotPositive).into());
        }
        let mut tx = self.billing.tenants.begin(seller).await?;
        let wallet = Self::lock_wallet(&mut tx, seller, buyer).await?;
        if wallet.terms.currency != new.amount.currency() {
            return Err(AppError::Currency);
        }
        let now = self.now();
        let request = RefundRequest {
            seller,
            id: new.request.clone(),
            buyer,
            amount: new.amount.amount(),
            reason: new.reason.clone(),
        };
        if !refunds::insert_request(&mut tx, &request, now).await? {
            return match refunds::find_request(&mut tx, seller, &new.request).await? {
                Some(made) if made == (buyer, request.amount) => {
                    // Somebody may have asked for these, whatever their count says: a refusal alone decides nothing.
                    let known = refunds::of_request(&mut tx, seller, &new.request).await?;
                    Ok(known.into_iter().map(|it| Refund { attempts: it.attempts.max(1), ..it }).collect())
                }
                _ => Err(PaymentError::RefundExists.into()),
            };
        }
        let mut payments = payments::refundable(&mut tx, seller, buyer).await?;
        let parts = allocate(request.amount, wallet.available(), &payments).map_err(PaymentError::Refund)?;
        Self::open_accounts(&mut tx, &wallet).await?;
        let mut books = Books::new([wallet], []);
        let mut written = Vec::with_capacity(parts.len());
        for (id, part) in parts {
            let Some(payment) = payments.iter_mut().find(|payment| payment.id == id) else { continue };
            let posting = PostingId::new();
            let it = CardMove { seller, buyer, payment: id, posting, now };
            let amount = Money::new(part, wallet.terms.currency).map_err(AppError::Amount)?;
            books.refunded(it, amount, "Refund to the card".to_owned()).map_err(AppError::CardMoney)?;
            payment.refunded += part;
            payments::save(&mut tx, payment, now, now).await?;
            let refund = Refund {
                id: RefundId::new(),
                seller,
                buyer,
                payment: id,
                request: Some(new.request.clone()),
                amount: part,
                state: RefundState::Pending,
                provider_id: None,
                posting,
                failed_posting: None,
                created_at: now,
                attempts: 0,
            };
            refunds::insert(&mut tx, &refund, first_look(now)).await?;
            written.push(refund);
        }
        let change = Change::new("wallet.refunded", buyer)
            .by(actor)
            .from(json!({"balance": format!("{:.2}", wallet.balance)}))
            .to(json!({
                "balance": format!("{:.2}", wallet.balance - request.amount),
                "amount": format!("{:.2}", request.amount),
                "currency": wallet.terms.currency.code(),
                "reason": request.reason,
                "request": request.id,
            }));
        TRAIL.write(&mut tx, Some(seller), now, change).await?;
        // Who is given his money back is not charged for it again.
        let needs_money = books.wallet(seller, buyer).is_some_and(Wallet::is_low_or_empty);
        let off = if needs_money { self.turn_off_recharge(&mut tx, seller, buyer, GIVEN_BACK).await? } else { None };
        self.billing.commit_tenant(tx, &books.into_changes(), off.into_iter().collect()).await?;
        Ok(written)
    }
}
