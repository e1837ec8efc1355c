//! Telling billing which assignments exist.

use std::collections::HashSet;

use leadflow_distribution_domain::configure::Invalid;
use leadflow_kernel::{AssignmentId, CampaignId, SellerId};
use sqlx::Executor as _;

use super::{App, AppError};
use crate::store::{leads, routing};

/// The most assignments asked about at once.
pub const MAX_CONFIRMED: usize = 1_000;

impl App {
    /// Of these assignments, the ones that the tenant has. Takes the locks of their campaigns first, and has every
    /// decision that is under way in them made anew, so "unknown" stays true of everything that began before.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for too many; a database error when the locks are not free in time.
    pub async fn confirm_assignments(
        &self,
        seller: SellerId,
        assignments: &[(AssignmentId, CampaignId)],
    ) -> Result<Vec<AssignmentId>, AppError> {
        if assignments.len() > MAX_CONFIRMED {
            let problem = format!("must be at most {MAX_CONFIRMED}");
            return Err(Invalid { field: "assignments".to_owned(), problem }.into());
        }
        let mut campaigns: Vec<CampaignId> = assignments.iter().map(|(_, campaign)| *campaign).collect();
        campaigns.sort_unstable();
        campaigns.dedup();
        let ids: Vec<AssignmentId> = assignments.iter().map(|(id, _)| *id).collect();
        let mut transaction = self.pool.begin().await?;
        // Shorter than the caller's patience: it asks again.
        transaction.execute("SET LOCAL lock_timeout = '5s'").await?;
        routing::lock(&mut transaction, &campaigns).await?;
        let existing = leads::existing_sales(&mut transaction, seller, &ids).await?;
        // Decisions hold no lock while they are made: those that began before must not be saved any more.
        let known: HashSet<AssignmentId> = existing.iter().copied().collect();
        let unknown = assignments.iter().filter(|(id, _)| !known.contains(id)).map(|(_, campaign)| *campaign);
        routing::forestall(&mut transaction, &unknown.collect::<Vec<_>>()).await?;
        transaction.commit().await?;
        Ok(existing)
    }
}
