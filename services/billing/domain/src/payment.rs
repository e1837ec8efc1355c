//! One charge of a card, from the order to what became of its money.

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, CardId, Money, PaymentId, PostingId, SellerId};
use rust_decimal::Decimal;

/// Who wanted the charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentKind {
    /// The buyer.
    TopUp,
    /// The program, for him.
    Recharge,
}

/// Where a payment stands. News only ever moves it down this list, except that of the two refusals the first one stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentState {
    /// Ordered; the provider may or may not have heard of it.
    Pending,
    /// Waits for the card's owner to confirm it.
    RequiresAction,
    /// The card was declined.
    Declined,
    /// Given up before anything was taken.
    Canceled,
    /// The money was taken and is in the wallet.
    Succeeded,
}

impl PaymentKind {
    /// The stable name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::Recharge => "recharge",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::TopUp, Self::Recharge].into_iter().find(|kind| kind.name() == name)
    }
}

impl PaymentState {
    /// The stable name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::RequiresAction => "requires_action",
            Self::Declined => "declined",
            Self::Canceled => "canceled",
            Self::Succeeded => "succeeded",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::RequiresAction, Self::Declined, Self::Canceled, Self::Succeeded]
            .into_iter()
            .find(|state| state.name() == name)
    }

    /// Whether the provider still has to be asked what became of it.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::RequiresAction)
    }
}

/// A payment as it is stored. Its id is the idempotency key that the provider knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardPayment {
    /// Its id.
    pub id: PaymentId,
    /// The tenant.
    pub seller: SellerId,
    /// Whose wallet, and whose card.
    pub buyer: BuyerId,
    /// Who wanted it.
    pub kind: PaymentKind,
    /// Made by the caller, for a top-up.
    pub request: Option<String>,
    /// What was ordered; more than zero.
    pub amount: Money,
    /// The card that is charged.
    pub card: CardId,
    /// The provider's id of the card's owner.
    pub customer: String,
    /// The provider's id of the card.
    pub payment_method: String,
    /// Where it stands.
    pub state: PaymentState,
    /// The provider's id of the charge, once it is known.
    pub intent: Option<String>,
    /// Why it was declined, in the provider's word.
    pub decline_code: Option<String>,
    /// What the front end needs while the owner has to confirm.
    pub client_secret: Option<String>,
    /// What the card paid: zero until it succeeded. Major units.
    pub received: Decimal,
    /// Of that, what went back to the card (or is on its way).
    pub refunded: Decimal,
    /// Of that, what disputes that are open or lost have taken.
    pub disputed: Decimal,
    /// The posting that credited it.
    pub posting: Option<PostingId>,
    /// When it was ordered.
    pub created_at: DateTime<Utc>,
    /// How often the provider was asked.
    pub attempts: u32,
}

/// What the provider says of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeNews {
    /// The card paid so much.
    Succeeded(Money),
    /// The owner has to confirm, with this secret.
    RequiresAction(Option<String>),
    /// Under way.
    Processing,
    /// Declined, for this reason.
    Declined(String),
    /// Given up.
    Canceled,
}

/// What news of a charge changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it was known, or later news has been heard.
    Nothing,
    /// Only where the charge is found at the provider is known now.
    Noted,
    /// This money has to be credited.
    Credit(Money),
    /// Its owner has to confirm.
    ActionNeeded,
    /// It was declined.
    Declined,
    /// It was given up.
    Canceled,
}

/// News that cannot be about this payment. Worth a look by a person; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HearError {
    /// Another charge of the provider names this payment, too.
    #[error("the provider has two charges for one payment: {known} and {told}")]
    OtherIntent {
        /// The one it was settled by.
        known: String,
        /// The one that is told of.
        told: String,
    },
    /// What was taken is nothing, or not in the payment's currency.
    #[error("the provider took {0} for a payment of {1}")]
    Amount(Money, Money),
}

/// Declined by nobody: the program found that nothing was ever taken.
pub const NEVER_CHARGED: &str = "never_charged";

/// The decline of a charge that its owner would have had to confirm, while he was not there.
pub const AUTHENTICATION_REQUIRED: &str = "authentication_required";

impl CardPayment {
    /// Takes news of the charge `intent`: an answer, a webhook, or what a worker found. Money that was taken is always credited, once,
    /// also after "declined" and "canceled"; nothing un-succeeds.
    ///
    /// # Errors
    /// [`HearError`]; nothing was changed.
    pub fn hear(&mut self, intent: &str, news: ChargeNews) -> Result<Effect, HearError> {
        let noted = match &self.intent {
            Some(known) if known != intent => {
                return Err(HearError::OtherIntent { known: known.clone(), told: intent.to_owned() });
            }
            Some(_) => false,
            None => true,
        };
        let news = match news {
            // Nobody is there to confirm.
            ChargeNews::RequiresAction(_) if self.kind == PaymentKind::Recharge => {
                ChargeNews::Declined(AUTHENTICATION_REQUIRED.to_owned())
            }
            other => other,
        };
        let effect = match news {
            ChargeNews::Succeeded(received) => {
                if !received.is_positive() || received.currency() != self.amount.currency() {
                    return Err(HearError::Amount(received, self.amount));
                }
                if self.state == PaymentState::Succeeded {
                    Effect::Nothing
                } else {
                    self.received = received.amount();
                    self.turn(PaymentState::Succeeded);
                    Effect::Credit(received)
                }
            }
            ChargeNews::RequiresAction(secret) if self.state == PaymentState::Pending => {
                self.turn(PaymentState::RequiresAction);
                self.client_secret = secret;
                Effect::ActionNeeded
            }
            ChargeNews::Declined(code) if self.state.is_open() => {
                self.decline(code);
                Effect::Declined
            }
            ChargeNews::Canceled if self.state.is_open() => {
                self.turn(PaymentState::Canceled);
                Effect::Canceled
            }
            _ => Effect::Nothing,
        };
        if noted {
            self.intent = Some(intent.to_owned());
        }
        Ok(if noted && effect == Effect::Nothing { Effect::Noted } else { effect })
    }

    /// The provider refused the order, or never had it: nothing was taken. True when that is news.
    pub fn refuse(&mut self, code: &str) -> bool {
        let open = self.state.is_open();
        if open {
            self.decline(code.to_owned());
        }
        open
    }

    /// Nothing was ever taken, and nobody tries any more. True when that is news.
    pub fn give_up(&mut self) -> bool {
        let open = self.state.is_open();
        if open {
            self.turn(PaymentState::Canceled);
            self.decline_code = Some(NEVER_CHARGED.to_owned());
        }
        open
    }

    /// What could still be given back. Major units.
    #[must_use]
    pub fn refundable(&self) -> Decimal {
        (self.received - self.refunded - self.disputed).max(Decimal::ZERO)
    }

    fn decline(&mut self, code: String) {
        self.turn(PaymentState::Declined);
        self.decline_code = Some(code);
    }

    fn turn(&mut self, state: PaymentState) {
        self.state = state;
        self.client_secret = None;
        self.decline_code = None;
    }
}
