//! Who plays: four campaigns, one for each way to choose, and ten buyers who differ in all that
//! matters. Ids are new in every run, so a run starts with an empty market.

use leadflow_contracts::common::{Logic, Status};
use leadflow_kernel::{BuyerId, CampaignId, CategoryId, SubscriptionId};

use crate::seed::{BuyerSpec, CampaignSpec, SubscriptionSpec};

/// Everything that is made before the first lead is posted.
pub struct Cast {
    /// The category of every campaign.
    pub category: CategoryId,
    /// One for each logic.
    pub campaigns: Vec<CampaignSpec>,
    /// Ten.
    pub buyers: Vec<Buyer>,
    /// Who buys where.
    pub subscriptions: Vec<(SubscriptionSpec, Status)>,
}

/// A buyer and what is particular about it.
pub struct Buyer {
    /// What it is made of.
    pub spec: BuyerSpec,
    /// Its status when the leads come.
    pub status: Status,
    /// Whether its webhook fails.
    pub failing: bool,
    /// For people.
    pub remark: &'static str,
}

const WEST: &[&str] = &["CA", "NV", "OR", "WA", "AZ"];
const SOUTH: &[&str] = &["TX", "OK", "LA", "NM", "AR"];
const SOUTHEAST: &[&str] = &["FL", "GA", "AL", "SC", "NC"];
const NORTHEAST: &[&str] = &["NY", "NJ", "CT", "PA", "MA"];
const EVERYWHERE: &[&str] = &[];

struct Role {
    name: &'static str,
    hook: &'static str,
    priority: u32,
    states: &'static [&'static str],
    cap: Option<u32>,
    funds: &'static str,
    weekly: Option<&'static str>,
    remark: &'static str,
}

const ROLES: [Role; 10] = [
    Role {
        name: "Bluebird Benefits",
        hook: "bluebird",
        priority: 10,
        states: EVERYWHERE,
        cap: None,
        funds: "15000",
        weekly: None,
        remark: "buys everywhere",
    },
    Role {
        name: "Golden Gate Insurance",
        hook: "golden-gate",
        priority: 8,
        states: WEST,
        cap: None,
        funds: "12000",
        weekly: None,
        remark: "the West only",
    },
    Role {
        name: "Lone Star Seniors",
        hook: "lone-star",
        priority: 7,
        states: SOUTH,
        cap: None,
        funds: "9000",
        weekly: None,
        remark: "the South only",
    },
    Role {
        name: "Sunshine Health",
        hook: "sunshine",
        priority: 6,
        states: SOUTHEAST,
        cap: None,
        funds: "9000",
        weekly: None,
        remark: "the Southeast only",
    },
    Role {
        name: "Empire Coverage",
        hook: "empire",
        priority: 5,
        states: NORTHEAST,
        cap: Some(40),
        funds: "9000",
        weekly: None,
        remark: "the Northeast, 40 a day each",
    },
    Role {
        name: "Prairie Mutual",
        hook: "prairie",
        priority: 4,
        states: EVERYWHERE,
        cap: Some(25),
        funds: "6000",
        weekly: None,
        remark: "25 a day each",
    },
    Role {
        name: "Harbor Advisors",
        hook: "harbor",
        priority: 3,
        states: EVERYWHERE,
        cap: None,
        funds: "1500",
        weekly: None,
        remark: "has only $1,500",
    },
    Role {
        name: "Cactus Medigap",
        hook: "cactus",
        priority: 2,
        states: EVERYWHERE,
        cap: None,
        funds: "5000",
        weekly: Some("500"),
        remark: "spends $500 a week",
    },
    Role {
        name: "Siesta Agency",
        hook: "siesta",
        priority: 9,
        states: EVERYWHERE,
        cap: None,
        funds: "5000",
        weekly: None,
        remark: "is paused",
    },
    Role {
        name: "Shaky CRM Group",
        hook: "shaky",
        priority: 5,
        states: EVERYWHERE,
        cap: None,
        funds: "8000",
        weekly: None,
        remark: "its webhook fails",
    },
];
const SIESTA: usize = 8;
const SHAKY: usize = 9;

/// Name, logic, price, and the buyers by their place in [`ROLES`] (in a waterfall: in order).
const CAMPAIGNS: [(&str, Logic, &str, &[usize]); 4] = [
    ("Turning 65", Logic::RoundRobin, "12.00", &[0, 1, 2, 3, 4, 5, 6, 9]),
    ("Medicare Advantage", Logic::WeightedRoundRobin, "25.00", &[0, 1, 2, 3, 5, 7, 8, 9]),
    ("Final Expense", Logic::Waterfall, "40.00", &[8, 6, 1, 2, 3, 4]),
    ("Shared Quotes", Logic::Broadcast, "8.00", &[0, 1, 2, 3, 4, 5, 6, 7, 9]),
];
/// In the broadcast this buyer's subscription is paused.
const PAUSED_IN_BROADCAST: usize = 4;

/// A new cast. `run` tells its sandbox receivers from those of other runs.
#[must_use]
pub fn cast(run: &str) -> Cast {
    let category = CategoryId::new();
    let buyers: Vec<Buyer> = ROLES
        .iter()
        .enumerate()
        .map(|(place, role)| Buyer {
            spec: BuyerSpec {
                id: BuyerId::new(),
                name: role.name.to_owned(),
                priority: role.priority,
                funds: role.funds.to_owned(),
                weekly_limit: role.weekly.map(str::to_owned),
                hook: format!("{}-{run}", role.hook),
            },
            status: if place == SIESTA { Status::Paused } else { Status::Active },
            failing: place == SHAKY,
            remark: role.remark,
        })
        .collect();
    let mut campaigns = Vec::new();
    let mut subscriptions = Vec::new();
    for (name, logic, price, takers) in CAMPAIGNS {
        let id = CampaignId::new();
        for (place, &taker) in takers.iter().enumerate() {
            let paused = logic == Logic::Broadcast && taker == PAUSED_IN_BROADCAST;
            let spec = SubscriptionSpec {
                id: SubscriptionId::new(),
                campaign: id,
                buyer: buyers[taker].spec.id,
                daily_cap: ROLES[taker].cap,
                states: ROLES[taker].states.iter().map(|&state| state.to_owned()).collect(),
                waterfall: if logic == Logic::Waterfall { place as u32 + 1 } else { 0 },
            };
            subscriptions.push((spec, if paused { Status::Paused } else { Status::Active }));
        }
        campaigns.push(CampaignSpec {
            id,
            category,
            name: name.to_owned(),
            logic,
            price: price.to_owned(),
            duplicate_days: 30,
        });
    }
    Cast { category, campaigns, buyers, subscriptions }
}
