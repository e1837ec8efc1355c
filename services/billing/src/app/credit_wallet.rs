//! Adding money to a wallet.

use leadflow_billing_domain::{Books, CreditError, Wallet};
use leadflow_kernel::{BuyerId, EventId, Money, PostingId, SellerId};
use leadflow_messaging::Envelope;
use leadflow_platform::audit::Change;
use serde_json::json;

use super::{Actor, AppError, Billing, TRAIL};
use crate::{
    outbound::events,
    store::{
        credits::{self, Credit},
        wallets,
    },
};

/// "Add this to that wallet."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredit {
    /// The tenant.
    pub seller: SellerId,
    /// Whose wallet.
    pub buyer: BuyerId,
    /// Made by the caller; unique in the tenant.
    pub id: String,
    /// How much; more than zero.
    pub amount: Money,
    /// In words, for the statement.
    pub description: String,
}

/// A wallet after a credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credited {
    /// As it is now.
    pub wallet: Wallet,
    /// False when this credit had been made before.
    pub now: bool,
}

impl Billing {
    /// Credits a wallet once for each credit id.
    ///
    /// # Errors
    /// [`AppError::NoSuchWallet`]; [`AppError::CreditExists`] when the id was used for another buyer or
    /// amount; [`AppError::Currency`]; [`AppError::Credit`]; [`AppError::Database`], after which asking again is safe.
    pub async fn credit_wallet(&self, actor: Actor, new: NewCredit) -> Result<Credited, AppError> {
        if !new.amount.is_positive() {
            return Err(AppError::Credit(CreditError::NotPositive));
        }
        let mut transaction = self.tenants.begin(new.seller).await?;
        let wallet = wallets::lock(&mut transaction, Some(new.seller), [new.buyer]).await?;
        let Some(wallet) = wallet.first().copied() else { return Err(AppError::NoSuchWallet) };
        if wallet.terms.currency != new.amount.currency() {
            return Err(AppError::Currency);
        }
        let now = self.clock.now();
        let posting = PostingId::new();
        let credit = Credit { seller: new.seller, id: new.id, buyer: new.buyer, amount: new.amount.amount() };
        if !credits::insert(&mut transaction, &credit, posting, now).await? {
            return match credits::find(&mut transaction, credit.seller, &credit.id).await? {
                Some(made) if made == credit => Ok(Credited { wallet, now: false }),
                _ => Err(AppError::CreditExists),
            };
        }
        let reason = new.description.clone();
        let before = wallet.balance;
        let mut books = Books::new([wallet], []);
        books.credit(new.seller, new.buyer, new.amount, new.description, posting, now).map_err(AppError::Credit)?;
        books.repay_debt(credit.seller, credit.buyer, PostingId::new(), now);
        let wallet = *books.wallet(credit.seller, credit.buyer).unwrap_or(&wallet);
        let change = Change::new("wallet.credited", new.buyer)
            .by(actor)
            .from(json!({"balance": format!("{before:.2}")}))
            .to(json!({
                "balance": format!("{:.2}", wallet.balance),
                "amount": format!("{:.2}", new.amount.amount()),
                "currency": new.amount.currency().code(),
                "reason": reason,
                "credit": credit.id,
            }));
        TRAIL.write(&mut transaction, Some(new.seller), now, change).await?;
        let event = Envelope::new(EventId::new(), &events::credited(&wallet, new.amount, posting), now);
        self.commit_tenant(transaction, &books.into_changes(), vec![event]).await?;
        Ok(Credited { wallet, now: true })
    }
}
