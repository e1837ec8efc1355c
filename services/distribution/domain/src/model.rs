//! What a decision is made of.

use chrono::NaiveDate;
use leadflow_kernel::{BuyerId, Money, SubscriptionId};

use crate::state::{State, StateSet};

/// How a campaign chooses among those who may have a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logic {
    /// Whoever waited longest.
    RoundRobin,
    /// In proportion to the buyers' priorities, evenly spread.
    WeightedRoundRobin,
    /// Always the first in a fixed order.
    Waterfall,
    /// Everybody.
    Broadcast,
}

/// Whether a record is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// In use.
    Active,
    /// Out of use for now.
    Paused,
    /// Out of use for good.
    Archived,
}

/// What of a campaign matters to a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Campaign {
    /// How it chooses.
    pub logic: Logic,
    /// What each buyer pays for a lead.
    pub price: Money,
    /// Whether subscriptions may be restricted to states; where not, stored restrictions count
    /// for nothing.
    pub allow_state_selection: bool,
}

/// A subscription of the campaign with what matters of its buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// Who pays.
    pub buyer: BuyerId,
    /// Of the subscription.
    pub status: Status,
    /// Of the buyer.
    pub buyer_status: Status,
    /// Empty: any state, and leads without one.
    pub states: StateSet,
    /// Leads a day; `None` is no limit, `Some(0)` none at all.
    pub daily_cap: Option<u32>,
    /// 1-10, the weight in weighted round robin; other values count as the nearest of these.
    pub priority: u8,
    /// The place in a waterfall the buyer asks for; 1 is first.
    pub buyer_waterfall: Option<u32>,
    /// The place the seller fixed; it wins.
    pub seller_waterfall: Option<u32>,
    /// When the subscription was made, microseconds since 1970: the older one wins a tie.
    pub since_micros: i64,
}

impl Candidate {
    /// The place in a waterfall: the seller's value, else the buyer's, else last.
    #[must_use]
    pub fn waterfall(&self) -> u32 {
        self.seller_waterfall.or(self.buyer_waterfall).unwrap_or(u32::MAX)
    }

    /// The weight in weighted round robin, 1-10.
    #[must_use]
    pub fn weight(&self) -> i64 {
        i64::from(self.priority.clamp(1, 10))
    }
}

/// One lead's worth of credit in [`Rotation::wrr_current`]: the least common multiple of 1 to 40,
/// so that the shares of a lead are exact for every total weight up to 40 and for most above.
pub const WRR_ONE: i64 = 5_342_931_457_063_200;

/// A subscription's place in its campaign's rotation, and what it got today.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rotation {
    /// The campaign's sequence number of the last lead it got; 0 is never.
    pub last_served: u64,
    /// Leads it is owed (positive) or has had too many of (negative), in [`WRR_ONE`]ths.
    pub wrr_current: i64,
    /// The day that `sold_today` counts.
    pub cap_day: Option<NaiveDate>,
    /// Leads it got on `cap_day`.
    pub sold_today: u32,
}

impl Rotation {
    /// Leads it got on `day`. A day before `cap_day` counts as `cap_day`: clocks of two replicas may differ
    /// around midnight, and a day that has begun is never gone back from, or its count would be lost.
    #[must_use]
    pub fn sold_on(&self, day: NaiveDate) -> u32 {
        if self.cap_day >= Some(day) { self.sold_today } else { 0 }
    }
}

/// The rotation of a whole campaign: one row a candidate, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotations {
    /// The number the next lead served gets; starts at 1.
    pub next_seq: u64,
    /// In the order of the candidates.
    pub rows: Vec<Rotation>,
}

/// What of a lead matters to a decision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lead {
    /// Where the person lives, when known.
    pub state: Option<State>,
    /// Who had this lead, or a duplicate of it, before.
    pub already_had: Vec<BuyerId>,
    /// What it has in common with other leads about the same person (see [`crate::duplicates`]).
    pub fingerprints: Vec<String>,
    /// Decided as if it were real, but asks for no money and leaves no trace in the rotation.
    pub test: bool,
}
