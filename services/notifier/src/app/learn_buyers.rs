//! The directory tells whose buyers there are, how they are reached, and in whose name.

use super::Notifier;
use crate::store::buyers::{self, BuyerNews, ContactNews, SellerNews};

/// What the directory told.
#[derive(Debug, Clone, Default)]
pub struct DirectoryNews {
    /// Of buyers.
    pub buyers: Vec<BuyerNews>,
    /// Of how they are reached.
    pub contacts: Vec<ContactNews>,
    /// Of sellers.
    pub sellers: Vec<SellerNews>,
}

impl Notifier {
    /// Remembers it. Repeats change nothing, and what is older than what is known changes nothing either, so no inbox is needed.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn learn(&self, told: &DirectoryNews) -> Result<(), sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        if !told.buyers.is_empty() {
            buyers::remember(&mut connection, &told.buyers).await?;
        }
        if !told.contacts.is_empty() {
            buyers::remember_contacts(&mut connection, &told.contacts).await?;
        }
        if !told.sellers.is_empty() {
            buyers::remember_sellers(&mut connection, &told.sellers).await?;
        }
        Ok(())
    }
}
