//! What an endpoint may be told of.

/// A kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventKind {
    /// A lead was sold to the buyer.
    LeadAssigned,
    /// A sale was undone, its price paid back.
    LeadReturned,
    /// The buyer's wallet fell below its threshold.
    WalletLowBalance,
    /// A payment by card was declined.
    PaymentFailed,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::LeadAssigned, Self::LeadReturned, Self::WalletLowBalance, Self::PaymentFailed];

    /// As in bodies, in the API and stored.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::LeadAssigned => "lead.assigned",
            Self::LeadReturned => "lead.returned",
            Self::WalletLowBalance => "wallet.low_balance",
            Self::PaymentFailed => "payment.failed",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.text() == text)
    }
}
