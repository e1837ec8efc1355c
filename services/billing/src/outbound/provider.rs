//! What billing needs of a card payment provider. Stripe's words, without its client.
//!
//! Every call that moves money or makes something carries an idempotency key that we chose before, so a call that is made
//! again, by another replica or after a crash, does nothing twice.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, Money, PaymentId, RefundId, SellerId};

/// A provider of card payments.
#[async_trait::async_trait]
pub trait PaymentProvider: Send + Sync + 'static {
    /// Makes a customer; the same buyer's again is the same one.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn create_customer(&self, new: &NewCustomer) -> Result<String, ProviderError>;

    /// Begins storing a card for charges without its owner: the secret for the front end.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn create_setup_intent(&self, customer: &str) -> Result<String, ProviderError>;

    /// Gives the card to the customer. One that is the customer's already is answered as it is.
    ///
    /// # Errors
    /// [`ProviderError`]; a card of another customer, or an unknown one, is refused.
    async fn attach_card(&self, customer: &str, payment_method: &str) -> Result<ProviderCard, ProviderError>;

    /// Takes the card from its customer; one that is nobody's any more is no error.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn detach_card(&self, payment_method: &str) -> Result<(), ProviderError>;

    /// Charges a card at once. A declined card is an answer, not an error. The same payment again gets the first answer.
    ///
    /// # Errors
    /// [`ProviderError`]; after [`ProviderError::Unknown`] it may have been charged.
    async fn charge(&self, charge: &Charge) -> Result<Intent, ProviderError>;

    /// A charge as it is now.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn intent(&self, id: &str) -> Result<Intent, ProviderError>;

    /// The charge that was made for this payment, if any: for when the answer was lost and the key is too old to ask with.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn find_intent(&self, customer: &str, payment: PaymentId) -> Result<Option<Intent>, ProviderError>;

    /// Gives up a charge that waits for its card's owner. One that succeeded meanwhile is answered as it is.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn cancel(&self, intent: &str) -> Result<Intent, ProviderError>;

    /// Gives a part of a charge back. The same refund again gets the first answer.
    ///
    /// # Errors
    /// [`ProviderError`]; after [`ProviderError::Unknown`] it may have been given back.
    async fn refund(&self, refund: &RefundOrder) -> Result<ProviderRefund, ProviderError>;

    /// A page of what moved the provider's balance for us in `from <= time < to`, oldest or newest first; `after` is the last id of the page before.
    ///
    /// # Errors
    /// [`ProviderError`].
    async fn movements(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&str>,
    ) -> Result<MovementPage, ProviderError>;
}

/// Why a provider's answer is not there.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// No key is set.
    #[error("no payment provider is configured")]
    NotConfigured,
    /// It understood and refused; nothing happened, and asking again is of no use. Its code and sentence.
    #[error("the payment provider refused: {message} ({code})")]
    Refused {
        /// The provider's stable word, e.g. `resource_missing`.
        code: String,
        /// In words.
        message: String,
    },
    /// Too many calls, or another call with this key is under way: nothing happened by this one; ask again later.
    #[error("the payment provider is busy: {0}")]
    Busy(String),
    /// No answer, or one that says nothing: it may have happened.
    #[error("the payment provider's answer is not known: {0}")]
    Unknown(String),
}

/// A buyer, for the provider's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCustomer {
    /// Whose; also makes the idempotency key.
    pub buyer: BuyerId,
    /// The tenant.
    pub seller: SellerId,
    /// May be empty.
    pub email: String,
    /// May be empty.
    pub name: String,
}

/// A card as the provider shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderCard {
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
}

/// An order to charge a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The idempotency key, and metadata on the provider's side.
    pub payment: PaymentId,
    /// The tenant, as metadata.
    pub seller: SellerId,
    /// Whose, as metadata.
    pub buyer: BuyerId,
    /// `cus_…`
    pub customer: String,
    /// `pm_…`
    pub payment_method: String,
    /// How much.
    pub amount: Money,
    /// The card's owner is not there: no authentication can be asked for.
    pub off_session: bool,
    /// In words, for the provider's records.
    pub description: String,
}

/// What became of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// `pi_…`
    pub id: String,
    /// Ours, from its metadata.
    pub payment: Option<PaymentId>,
    /// Where it stands.
    pub status: IntentStatus,
    /// What was asked for; what was received when it succeeded.
    pub amount: Money,
    /// `ch_…`, when a charge was made.
    pub charge: Option<String>,
    /// For the front end, when the card's owner has to confirm.
    pub client_secret: Option<String>,
    /// Of all charges of this intent, what went back, whoever gave it.
    pub refunded: Money,
}

/// Where a charge stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntentStatus {
    /// Money is here.
    Succeeded,
    /// The card's owner has to confirm.
    RequiresAction,
    /// Under way; ask again.
    Processing,
    /// Declined. It could be confirmed with another card; we do not.
    Declined(Decline),
    /// Given up.
    Canceled,
}

/// Why a card was declined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decline {
    /// The provider's code, the most exact one: `insufficient_funds`, `authentication_required`.
    pub code: String,
}

/// An order to give money back to a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundOrder {
    /// The idempotency key, and metadata on the provider's side.
    pub refund: RefundId,
    /// Ours, as metadata.
    pub payment: PaymentId,
    /// `pi_…`
    pub intent: String,
    /// How much.
    pub amount: Money,
}

/// What became of a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRefund {
    /// `re_…`
    pub id: String,
    /// Where it stands.
    pub status: RefundStatus,
    /// How much.
    pub amount: Money,
}

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundStatus {
    /// Under way.
    Pending,
    /// On the card.
    Succeeded,
    /// It did not arrive; the money is with us.
    Failed,
}

/// One movement of the provider's balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// `txn_…`
    pub id: String,
    /// What moved.
    pub kind: MovementKind,
    /// `ch_…`, `re_…` or `dp_…`
    pub source: String,
    /// `pi_…` that it belongs to, where the provider says so.
    pub intent: Option<String>,
    /// Ours, from the metadata of the source, where the provider says so.
    pub payment: Option<PaymentId>,
    /// Positive came to us.
    pub amount: Money,
    /// What the provider kept of it.
    pub fee: Money,
    /// When.
    pub at: DateTime<Utc>,
}

/// What moved a provider's balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MovementKind {
    /// A card paid.
    Charge,
    /// Money went back to a card.
    Refund,
    /// A refund came back.
    RefundFailed,
    /// A dispute took money, or gave it back.
    Dispute,
    /// Payouts, fees and so on: not a matter between us and buyers.
    Other,
}

/// A page of movements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementPage {
    /// They.
    pub movements: Vec<Movement>,
    /// There are more after the last one.
    pub more: bool,
}
