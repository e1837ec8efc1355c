//! Double entry: a posting is one movement, its entries sum to zero.

use chrono::{DateTime, Utc};
use leadflow_kernel::{AssignmentId, BuyerId, Id, Kind, PaymentId, PostingId, SellerId};
use rust_decimal::Decimal;

/// The kind of an account's id.
#[derive(Debug)]
pub enum AccountKindMarker {}
impl Kind for AccountKindMarker {
    const PREFIX: &'static str = "acct";
}
/// One account of the ledger.
pub type AccountId = Id<AccountKindMarker>;

/// What an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AccountKind {
    /// What a buyer has paid in and not spent.
    BuyerWallet,
    /// What a seller has earned by selling leads.
    SellerEarnings,
    /// What the platform kept of a seller's sales.
    PlatformFees,
    /// Where a tenant's money comes from by hand: transfers, gifts. Its balance is minus all credits.
    ExternalFunding,
    /// What is (or was) with the card provider: minus what cards paid, plus what went back to them.
    CardClearing,
    /// Card money that is disputed: taken from its wallet until the dispute is decided.
    Disputed,
    /// What a buyer owes because his card took money back that he had spent: minus that.
    BuyerDebt,
    /// What a seller pays for messages that were sent for him.
    PlatformUsage,
}

impl AccountKind {
    /// The stable name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BuyerWallet => "buyer_wallet",
            Self::SellerEarnings => "seller_earnings",
            Self::PlatformFees => "platform_fees",
            Self::ExternalFunding => "external_funding",
            Self::CardClearing => "card_clearing",
            Self::Disputed => "disputed",
            Self::BuyerDebt => "buyer_debt",
            Self::PlatformUsage => "platform_usage",
        }
    }
}

/// An account, named by what it is for and whose it is. A seller has one currency, so it is not
/// part of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    /// What for.
    pub kind: AccountKind,
    /// The tenant.
    pub seller: SellerId,
    /// The buyer, for a wallet.
    pub buyer: Option<BuyerId>,
}

impl Account {
    /// A buyer's wallet.
    #[must_use]
    pub const fn wallet(seller: SellerId, buyer: BuyerId) -> Self {
        Self { kind: AccountKind::BuyerWallet, seller, buyer: Some(buyer) }
    }

    /// One of the tenant's own accounts.
    #[must_use]
    pub const fn of_seller(kind: AccountKind, seller: SellerId) -> Self {
        Self { kind, seller, buyer: None }
    }

    /// Its id: everybody who knows the account arrives at the same one, so entries are written
    /// without looking accounts up.
    #[must_use]
    pub fn id(&self) -> AccountId {
        let buyer: &[u8] = self.buyer.as_ref().map_or(&[], |buyer| buyer.as_bytes());
        AccountId::derive(&[self.kind.name().as_bytes(), self.seller.as_bytes(), buyer])
    }
}

/// What a posting was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostingKind {
    /// A buyer bought a lead.
    LeadPurchase(AssignmentId),
    /// A sale was undone: its price is in the wallet again, and its shares are taken back.
    LeadReturn(AssignmentId),
    /// Money was added to a wallet by hand.
    Credit,
    /// A buyer charged his card.
    TopUp(PaymentId),
    /// His card was charged for him.
    Recharge(PaymentId),
    /// Unspent money went back to the card it came from.
    CardRefund(PaymentId),
    /// It did not arrive there, and is in the wallet again.
    CardRefundFailed(PaymentId),
    /// The card's owner disputes a charge: its money is set aside.
    Dispute(PaymentId),
    /// A dispute was decided: the money is in the wallet again, or gone.
    DisputeClosed(PaymentId),
    /// What a buyer owed was taken from his wallet.
    DebtRepaid,
    /// A seller's messages of a month. Moves no wallet's money.
    Usage,
}

impl PostingKind {
    /// The stable name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeadPurchase(_) => "lead_purchase",
            Self::LeadReturn(_) => "lead_return",
            Self::Credit => "credit",
            Self::TopUp(_) => "top_up",
            Self::Recharge(_) => "recharge",
            Self::CardRefund(_) => "card_refund",
            Self::CardRefundFailed(_) => "card_refund_failed",
            Self::Dispute(_) => "dispute",
            Self::DisputeClosed(_) => "dispute_closed",
            Self::DebtRepaid => "debt_repaid",
            Self::Usage => "usage",
        }
    }

    /// The assignment that was paid or paid back.
    #[must_use]
    pub const fn assignment(self) -> Option<AssignmentId> {
        match self {
            Self::LeadPurchase(assignment) | Self::LeadReturn(assignment) => Some(assignment),
            _ => None,
        }
    }

    /// The payment whose card money it moves.
    #[must_use]
    pub const fn payment(self) -> Option<PaymentId> {
        match self {
            Self::TopUp(payment)
            | Self::Recharge(payment)
            | Self::CardRefund(payment)
            | Self::CardRefundFailed(payment)
            | Self::Dispute(payment)
            | Self::DisputeClosed(payment) => Some(payment),
            Self::LeadPurchase(_) | Self::LeadReturn(_) | Self::Credit | Self::DebtRepaid | Self::Usage => None,
        }
    }
}

/// One balanced movement. It has exactly one wallet line (but for [`PostingKind::Usage`], which has none), even for a free
/// lead (of zero then), so a statement shows every purchase; other lines are left out when they are zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Its id.
    pub id: PostingId,
    /// What for.
    pub kind: PostingKind,
    /// The tenant.
    pub seller: SellerId,
    /// When.
    pub at: DateTime<Utc>,
    /// In words, for the statement.
    pub description: String,
    /// The lines; they sum to zero.
    pub entries: Vec<Entry>,
}

impl Posting {
    /// The sum of all entries: zero, unless somebody made a mistake.
    #[must_use]
    pub fn sum(&self) -> Decimal {
        self.entries.iter().map(|entry| entry.amount).sum()
    }
}

/// One line of a posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which account.
    pub account: Account,
    /// Positive adds to the account, negative takes from it. Major units.
    pub amount: Decimal,
    /// Where the line stands in the wallet's statement; only on wallet accounts.
    pub wallet: Option<WalletLine>,
}

/// A line of a wallet's statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletLine {
    /// The number of the line, 1 is the first; without gaps.
    pub number: i64,
    /// The balance after it.
    pub balance_after: Decimal,
}
