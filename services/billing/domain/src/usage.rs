//! What sellers pay for messages that were sent for them. A message is counted by the terms in force when it was sent, in
//! the month of its tenant's calendar; amounts are exact until a month is posted, and are rounded there, once.

use std::collections::BTreeSet;

use chrono::{DateTime, Months, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use leadflow_kernel::{BuyerId, Currency, PostingId, SellerId};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::{Account, AccountKind, Entry, Period, Posting, PostingKind};

/// What was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsageKind {
    /// A mail.
    Email,
    /// A text message; its units are segments.
    Sms,
    /// A webhook that arrived.
    Webhook,
}

impl UsageKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Email, Self::Sms, Self::Webhook];

    /// The stable name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Webhook => "webhook",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What sellers pay on top unless somebody chose otherwise, in percent.
    #[must_use]
    pub fn usual_markup(self) -> Decimal {
        Decimal::from(match self {
            Self::Email => 15,
            Self::Sms => 20,
            Self::Webhook => 0,
        })
    }
}

/// A seller's markups in percent; `None` is the usual one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Markups {
    /// On mails.
    pub email: Option<Decimal>,
    /// On text messages.
    pub sms: Option<Decimal>,
    /// On webhooks.
    pub webhook: Option<Decimal>,
}

impl Markups {
    /// What was chosen for a kind.
    #[must_use]
    pub const fn chosen(&self, kind: UsageKind) -> Option<Decimal> {
        match kind {
            UsageKind::Email => self.email,
            UsageKind::Sms => self.sms,
            UsageKind::Webhook => self.webhook,
        }
    }

    /// What is paid on top for a kind.
    #[must_use]
    pub fn of(&self, kind: UsageKind) -> Decimal {
        self.chosen(kind).unwrap_or_else(|| kind.usual_markup())
    }
}

/// Values with the moment from which each holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History<T>(Vec<(DateTime<Utc>, T)>);

impl<T> Default for History<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> History<T> {
    /// Of these, in any order.
    #[must_use]
    pub fn new(mut values: Vec<(DateTime<Utc>, T)>) -> Self {
        values.sort_by_key(|(since, _)| *since);
        Self(values)
    }

    /// What held at `at`.
    #[must_use]
    pub fn at(&self, at: DateTime<Utc>) -> Option<&T> {
        self.0.iter().rev().find(|(since, _)| *since <= at).map(|(_, value)| value)
    }
}

/// What a unit of something costs in one currency; `None` from when there was no price any more.
pub type Prices = History<Option<Decimal>>;

impl Prices {
    /// What is paid for what was sent at `at`: the price in force, or else the next there was. `None` while there is
    /// none; it is never taken for nothing.
    #[must_use]
    pub fn price(&self, at: DateTime<Utc>) -> Option<Decimal> {
        let next = || self.0.iter().filter(|(since, _)| *since > at).find_map(|(_, price)| *price);
        self.at(at).copied().flatten().or_else(next)
    }
}

/// What a unit costs the platform, as it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitCost {
    /// Of what.
    pub kind: UsageKind,
    /// For tenants with this currency.
    pub currency: Currency,
    /// In that currency.
    pub cost: Decimal,
}

/// A message that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentMessage {
    /// For whom: the tenant.
    pub seller: SellerId,
    /// For which of its buyers.
    pub buyer: Option<BuyerId>,
    /// What.
    pub kind: UsageKind,
    /// What is paid for.
    pub units: u32,
    /// When.
    pub at: DateTime<Utc>,
}

/// What messages are counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageKey {
    /// The tenant.
    pub seller: SellerId,
    /// The first of the month.
    pub month: NaiveDate,
    /// What was sent.
    pub kind: UsageKind,
    /// For whom.
    pub buyer: Option<BuyerId>,
    /// Of one unit, in the tenant's currency; `None`: there is no price yet.
    pub cost: Option<Decimal>,
    /// On top, in percent.
    pub markup_percent: Decimal,
}

impl UsageKey {
    /// Of a message: its month on the tenant's calendar, and the terms in force when it was sent.
    #[must_use]
    pub fn of(message: &SentMessage, time_zone: Tz, prices: &Prices, markups: &History<Markups>) -> Self {
        let markups = markups.at(message.at).copied().unwrap_or_default();
        Self {
            seller: message.seller,
            month: Period::at(message.at, time_zone).month_start,
            kind: message.kind,
            buyer: message.buyer,
            cost: prices.price(message.at),
            markup_percent: markups.of(message.kind),
        }
    }

    /// What so many units cost; `None` without a price, and when no number is as large.
    #[must_use]
    pub fn price(&self, units: u64) -> Option<UsagePrice> {
        let base = self.cost?.checked_mul(units.into())?;
        let markup = base.checked_mul(self.markup_percent.checked_div(Decimal::ONE_HUNDRED)?)?;
        Some(UsagePrice { base, markup, total: base.checked_add(markup)? })
    }
}

/// An exact price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsagePrice {
    /// What it costs the platform.
    pub base: Decimal,
    /// What is paid on top.
    pub markup: Decimal,
    /// Both.
    pub total: Decimal,
}

/// Counted messages that are not in the ledger yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unposted {
    /// What they are.
    pub key: UsageKey,
    /// How many units are not posted.
    pub units: u64,
}

/// What is to be posted for a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthDue {
    /// The month.
    pub month: NaiveDate,
    /// What is posted: of this month, and what came too late for those before.
    pub rows: Vec<Unposted>,
    /// The exact sum.
    pub exact: Decimal,
    /// That and what rounding left of the postings before, rounded to a cent, half to even: the one place where that is
    /// done.
    pub amount: Decimal,
}

/// What was posted for a seller before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostedBefore {
    /// Months, as far back as anything is unposted.
    pub months: BTreeSet<NaiveDate>,
    /// What rounding left of all postings there were: exact sums less amounts. At most half a cent either way.
    pub remainder: Decimal,
}

/// The first month that can be posted for one seller.
///
/// A month can be posted once it has been over for `grace` on the tenant's calendar and was not posted before. It takes
/// along what is unposted of earlier months: records that came late, and sums so small that they were rounded to nothing;
/// and what rounding left of the postings before, so that all amounts together are never more than half a cent from all
/// exact sums. A month whose sum is nothing is not posted. `None` also when a sum is beyond every number.
#[must_use]
pub fn month_due(
    unposted: &[Unposted],
    posted: &PostedBefore,
    now: DateTime<Utc>,
    grace: TimeDelta,
    time_zone: Tz,
) -> Option<MonthDue> {
    let open = Period::at(now - grace, time_zone).month_start;
    let mut month = unposted.iter().map(|row| row.key.month).min()?;
    while month < open {
        if !posted.months.contains(&month) {
            let rows: Vec<_> = unposted.iter().filter(|row| row.key.month <= month).copied().collect();
            let exact = rows
                .iter()
                .try_fold(Decimal::ZERO, |sum: Decimal, row| sum.checked_add(row.key.price(row.units)?.total))?;
            let whole = exact.checked_add(posted.remainder)?;
            let amount = whole.round_dp_with_strategy(2, RoundingStrategy::MidpointNearestEven);
            if amount > Decimal::ZERO {
                return Some(MonthDue { month, rows, exact, amount });
            }
        }
        month = month.checked_add_months(Months::new(1))?;
    }
    None
}

impl MonthDue {
    /// What it is in the ledger.
    #[must_use]
    pub fn posting(&self, id: PostingId, seller: SellerId, at: DateTime<Utc>) -> Posting {
        let line = |kind, amount| Entry { account: Account::of_seller(kind, seller), amount, wallet: None };
        Posting {
            id,
            kind: PostingKind::Usage,
            seller,
            at,
            description: format!("Messages of {}", self.month.format("%Y-%m")),
            entries: vec![
                line(AccountKind::SellerEarnings, -self.amount),
                line(AccountKind::PlatformUsage, self.amount),
            ],
        }
    }
}
