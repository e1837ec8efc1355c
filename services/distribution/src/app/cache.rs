//! Campaigns in memory. What is kept is only used while the campaign's row says that it is current.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use leadflow_distribution_domain::Rotations;
use leadflow_kernel::CampaignId;
use sqlx::PgConnection;

use crate::store::{
    decisions::{self, Configuration},
    routing::{self, Locked},
};

/// Campaigns kept at most; beyond that all are forgotten and read again as they are needed.
const MAX_KEPT: usize = 10_000;

/// A campaign as it is at this moment.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Everything but the rotation.
    pub configuration: Arc<Configuration>,
    /// In the order of the configuration's candidates.
    pub rotations: Rotations,
    version: i64,
}

impl Campaign {
    /// Whether this is the campaign whose row that is.
    pub const fn is_as(&self, row: &Locked) -> bool {
        self.version == row.version && self.rotations.next_seq == row.next_seq
    }

    /// The same campaign after its rotation moved.
    pub fn moved_to(&self, rotations: Rotations) -> Self {
        Self { configuration: self.configuration.clone(), rotations, version: self.version }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Cache(Mutex<HashMap<CampaignId, Campaign>>);

impl Cache {
    /// The campaigns whose rows are locked, read from the database where memory is out of date.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn current(
        &self,
        connection: &mut PgConnection,
        locked: &HashMap<CampaignId, Locked>,
    ) -> Result<HashMap<CampaignId, Campaign>, sqlx::Error> {
        let mut current = self.known(locked);
        let missing: Vec<CampaignId> = locked.keys().filter(|id| !current.contains_key(id)).copied().collect();
        if !missing.is_empty() {
            for configuration in decisions::load(&mut *connection, &missing).await? {
                let Some(row) = locked.get(&configuration.id) else { continue };
                let rotations = Rotations { next_seq: 0, rows: Vec::new() };
                let id = configuration.id;
                let configuration = Arc::new(configuration);
                current.insert(id, Campaign { configuration, rotations, version: row.version });
            }
        }
        // The rotation has a version of its own: another replica's sales move it all the time.
        let moved: Vec<CampaignId> = current
            .iter()
            .filter(|(id, campaign)| locked.get(id).is_some_and(|row| row.next_seq != campaign.rotations.next_seq))
            .map(|(id, _)| *id)
            .collect();
        if !moved.is_empty() {
            let rows = routing::rotations(connection, &moved).await?;
            for id in moved {
                if let (Some(campaign), Some(row)) = (current.get_mut(&id), locked.get(&id)) {
                    let place = |subscription| rows.get(&(id, subscription)).copied().unwrap_or_default();
                    campaign.rotations = Rotations {
                        next_seq: row.next_seq,
                        rows: campaign.configuration.candidates.iter().map(|one| place(one.subscription)).collect(),
                    };
                }
            }
        }
        Ok(current)
    }

    /// All of these campaigns as they were when they were kept; `None` when one is not.
    pub fn guess(&self, campaigns: &[CampaignId]) -> Option<HashMap<CampaignId, Campaign>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        campaigns.iter().map(|id| Some((*id, kept.get(id)?.clone()))).collect()
    }

    /// Keeps a campaign after the transaction that moved its rotation has committed.
    pub fn keep(&self, campaign: Campaign) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(campaign.configuration.id, campaign);
    }

    fn known(&self, locked: &HashMap<CampaignId, Locked>) -> HashMap<CampaignId, Campaign> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locked
            .iter()
            .filter_map(|(id, row)| {
                let campaign = kept.get(id).filter(|campaign| campaign.version == row.version)?;
                Some((*id, campaign.clone()))
            })
            .collect()
    }
}
