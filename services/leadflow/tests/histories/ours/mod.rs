//! Our side: what billing's tables would hold, changed by the rules of its domain. Each of [`Ours::change`] is one transaction.

mod charges;
mod disputes;
mod reconcile;
mod refunds;
mod sales;
mod webhooks;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_billing_domain::{
    AccountKind, Books, CardMove, CardPayment, DisputeState, Hold, Posting, PostingKind, Recharge, RefundState, Spent,
    Terms, Wallet, Wanted,
};
use leadflow_kernel::{AssignmentId, BuyerId, CardId, Currency, Id, Kind, PaymentId, PostingId, RefundId, SellerId};
use rust_decimal::Decimal;

use crate::stripe::Stripe;

pub use webhooks::News;

/// One of our refunds.
#[derive(Debug, Clone)]
pub struct Refund {
    pub id: RefundId,
    pub payment: PaymentId,
    pub amount: Decimal,
    pub state: RefundState,
    pub provider_id: Option<String>,
    pub created_at: DateTime<Utc>,
    pub attempts: u32,
}

/// A dispute as it is booked.
#[derive(Debug, Clone)]
pub struct Dispute {
    pub payment: PaymentId,
    pub amount: Decimal,
    pub state: DisputeState,
}

/// A stored card.
#[derive(Debug, Clone)]
pub struct Card {
    pub id: CardId,
    pub method: String,
}

/// Everything about one wallet, and the line to Stripe.
pub struct Ours {
    pub stripe: Stripe,
    pub now: DateTime<Utc>,
    pub wallet: Wallet,
    pub holds: BTreeMap<AssignmentId, Hold>,
    pub hold_ids: Vec<AssignmentId>,
    pub ledger: Vec<Posting>,
    pub sums: BTreeMap<AccountKind, Decimal>,
    /// How often each payment was credited.
    pub credits: BTreeMap<PaymentId, usize>,
    pub payments: Vec<CardPayment>,
    /// Counts what is booked of a payment's refunds.
    looks: BTreeMap<PaymentId, u32>,
    pub refunds: Vec<Refund>,
    /// What went back on Stripe's own pages.
    pub foreign: BTreeMap<PaymentId, Decimal>,
    pub disputes: BTreeMap<String, Dispute>,
    pub recharge: Recharge,
    pub wanted: Option<Wanted>,
    pub customer: String,
    pub cards: Vec<Card>,
    made: u64,
}

impl Ours {
    pub fn new(
        stripe: Stripe,
        customer: &str,
        methods: &[String],
        enabled: bool,
        cover: bool,
        now: DateTime<Utc>,
    ) -> Self {
        let mut made = 0;
        let mut number = || {
            made += 1;
            made
        };
        let never = Spent { start: NaiveDate::default(), amount: Decimal::ZERO };
        let (seller, buyer): (SellerId, BuyerId) = (numbered(number()), numbered(number()));
        let wallet = Wallet {
            buyer,
            seller,
            terms: Terms {
                currency: Currency::USD,
                time_zone: "America/New_York".parse().unwrap(),
                fee_percent: Decimal::from(5),
            },
            open: true,
            suspended: false,
            balance: Decimal::ZERO,
            held: Decimal::ZERO,
            week: never,
            month: never,
            weekly_limit: Some(Decimal::from(400)),
            monthly_limit: Some(Decimal::from(900)),
            low_balance_threshold: Decimal::from(50),
            debt: Decimal::ZERO,
            open_disputes: 0,
            lines: 0,
        };
        let cards = methods.iter().map(|method| Card { id: numbered(number()), method: method.clone() }).collect();
        let hold_ids = (0..10).map(|_| numbered(number())).collect();
        let recharge = Recharge {
            enabled,
            amount: Decimal::from(60),
            cover_waiting_lead: cover,
            most_a_day: 4,
            ..Recharge::none(seller, buyer)
        };
        Self {
            stripe,
            now,
            wallet,
            holds: BTreeMap::new(),
            hold_ids,
            ledger: Vec::new(),
            sums: BTreeMap::new(),
            credits: BTreeMap::new(),
            payments: Vec::new(),
            looks: BTreeMap::new(),
            refunds: Vec::new(),
            foreign: BTreeMap::new(),
            disputes: BTreeMap::new(),
            recharge,
            wanted: None,
            customer: customer.to_owned(),
            cards,
            made,
        }
    }

    /// A new id, the same in each run of a history.
    fn id<K: Kind>(&mut self) -> Id<K> {
        self.made += 1;
        numbered(self.made)
    }

    /// One transaction.
    fn change<T>(&mut self, decide: impl FnOnce(&mut Books, &Self) -> T) -> T {
        let mut books = Books::new([self.wallet], self.holds.values().cloned());
        let result = decide(&mut books, self);
        let changes = books.into_changes();
        for wallet in changes.wallets {
            self.wallet = wallet;
        }
        for hold in changes.new_holds.into_iter().chain(changes.changed_holds) {
            self.holds.insert(hold.id, hold);
        }
        for posting in &changes.postings {
            assert_eq!(posting.sum(), Decimal::ZERO, "{posting:?}");
            assert_eq!(posting.entries.iter().filter(|entry| entry.wallet.is_some()).count(), 1, "{posting:?}");
            for entry in &posting.entries {
                *self.sums.entry(entry.account.kind).or_default() += entry.amount;
            }
            if let PostingKind::TopUp(id) | PostingKind::Recharge(id) = posting.kind {
                *self.credits.entry(id).or_default() += 1;
            }
        }
        self.ledger.extend(changes.postings);
        result
    }

    fn moved(&mut self, payment: PaymentId) -> CardMove {
        let (seller, buyer) = (self.wallet.seller, self.wallet.buyer);
        CardMove { seller, buyer, payment, posting: self.id(), now: self.now }
    }

    fn repay(books: &mut Books, ours: &Self, posting: PostingId) {
        books.repay_debt(ours.wallet.seller, ours.wallet.buyer, posting, ours.now);
    }

    pub fn payment(&self, id: PaymentId) -> Option<&CardPayment> {
        self.payments.iter().find(|payment| payment.id == id)
    }

    fn payment_mut(&mut self, id: PaymentId) -> &mut CardPayment {
        self.payments.iter_mut().find(|payment| payment.id == id).unwrap()
    }

    pub fn sum(&self, kind: AccountKind) -> Decimal {
        self.sums.get(&kind).copied().unwrap_or_default()
    }
}

fn numbered<K: Kind>(number: u64) -> Id<K> {
    Id::derive(&[&number.to_be_bytes()])
}
