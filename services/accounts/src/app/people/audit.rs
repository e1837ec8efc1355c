//! The record of who changed what.

use leadflow_kernel::{AuditId, SellerId};

use super::{People, PeopleError};
use crate::store::audit::{self, Entry};

impl People {
    /// Up to `limit` of the tenant's entries that are older than `before`, newest first.
    ///
    /// # Errors
    /// [`PeopleError::Database`].
    pub async fn audit_entries(
        &self,
        seller_id: SellerId,
        before: Option<AuditId>,
        limit: u32,
    ) -> Result<Vec<Entry>, PeopleError> {
        let mut tx = self.tenants.begin(seller_id).await?;
        Ok(audit::page(&mut tx, seller_id, before, limit).await?)
    }
}
