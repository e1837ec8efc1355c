//! What may happen while cards are charged.

use std::time::Duration;

use http::Method;
use leadflow_testkit::cluster::Cluster;
use rand::{RngExt as _, rngs::StdRng};
use serde_json::{Value, json};

use super::shop::Shop;
use crate::chaos;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Of processes, and of connections to PostgreSQL.
    Chaos(chaos::Fault),
    /// Of Stripe itself.
    Stripe(Stripe),
    /// Connections to Stripe are cut and refused; cut; answers do not come back; nothing gets through.
    CutStripe,
    DropStripe,
    MuteStripe,
    StallStripe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stripe {
    LostRequest,
    LostAnswer,
    TooMany,
    FailedBefore,
    FailedAfter,
    FailedForGood,
    Slow,
    Hangs,
}

/// The first round, in this order; later ones are drawn.
pub const FAULTS: [Fault; 19] = [
    Fault::Chaos(chaos::Fault::KillRole("billing")),
    Fault::Stripe(Stripe::LostRequest),
    Fault::Stripe(Stripe::LostAnswer),
    Fault::Chaos(chaos::Fault::KillRole("billing")),
    Fault::MuteStripe,
    Fault::Chaos(chaos::Fault::DropPostgres),
    Fault::Stripe(Stripe::FailedAfter),
    Fault::Stripe(Stripe::Hangs),
    Fault::Chaos(chaos::Fault::KillRole("billing")),
    Fault::Stripe(Stripe::FailedForGood),
    Fault::Chaos(chaos::Fault::KillPostgres),
    Fault::CutStripe,
    Fault::Stripe(Stripe::TooMany),
    Fault::Chaos(chaos::Fault::KillRole("distribution")),
    Fault::Stripe(Stripe::FailedBefore),
    Fault::Chaos(chaos::Fault::CutPostgres),
    Fault::Stripe(Stripe::Slow),
    Fault::DropStripe,
    Fault::StallStripe,
];

/// Besides these, what is drawn in later rounds.
const LATER: [Fault; 1] = [Fault::Chaos(chaos::Fault::StallPostgres)];

pub fn drawn(rng: &mut StdRng) -> Fault {
    let n = rng.random_range(0..FAULTS.len() + LATER.len());
    FAULTS.get(n).copied().unwrap_or_else(|| LATER[n - FAULTS.len()])
}

impl Stripe {
    fn rule(self) -> Value {
        let mut rule = match self {
            Self::LostRequest => json!({ "fault": "lostRequest" }),
            Self::LostAnswer => json!({ "fault": "lostAnswer" }),
            Self::TooMany => json!({ "fault": "status", "status": 429, "retryAfter": 1 }),
            Self::FailedBefore => json!({ "fault": "status", "status": 500 }),
            Self::FailedAfter => json!({ "fault": "status", "status": 500, "executed": true }),
            Self::FailedForGood => json!({ "fault": "status", "status": 500, "executed": true, "remembered": true }),
            Self::Slow => json!({ "fault": "slow", "delayMs": 1_500 }),
            Self::Hangs => json!({ "fault": "hang", "executed": true }),
        };
        // Some calls pass in between, so that what was begun is gone on with.
        rule["next"] = 5.into();
        rule["percent"] = 70.into();
        rule["path"] = "payment_intents".into();
        rule
    }
}

/// Does the fault, lets it last, and undoes it; what Stripe was told to do wrong goes on until it was done or
/// something else is told.
pub async fn inflict(cluster: &mut Cluster, shop: &Shop, fault: Fault, which: usize, lasting: Duration) {
    let proxy = cluster.stripe_proxy.as_ref().expect("this cluster has proxies");
    match fault {
        Fault::Chaos(fault) => chaos::inflict(cluster, fault, which, lasting).await,
        Fault::Stripe(fault) => {
            let rules = json!({ "rules": [fault.rule()] });
            shop.sandbox(Method::PUT, "/api/stripe/behaviour", Some(&rules)).await;
            tokio::time::sleep(lasting).await;
        }
        Fault::DropStripe => proxy.drop_connections(),
        Fault::CutStripe | Fault::MuteStripe | Fault::StallStripe => {
            match fault {
                Fault::CutStripe => proxy.cut().await,
                Fault::MuteStripe => proxy.mute(),
                _ => proxy.blackhole(),
            }
            tokio::time::sleep(lasting).await;
            proxy.restore().await.unwrap();
        }
    }
}
