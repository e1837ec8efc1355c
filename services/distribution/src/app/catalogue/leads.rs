//! Leads of a tenant.

use std::collections::HashMap;

use leadflow_distribution_domain::ask::Page;
use leadflow_kernel::{LeadId, SellerId};

use super::{Catalogue, total};
use crate::{
    app::AppError,
    store::{
        catalogue::leads::{self, LeadFilter, ListedLead},
        show::SaleRow,
    },
};

/// A page of leads, each with the first of its sales.
#[derive(Debug)]
pub struct LeadPage {
    /// The newest first.
    pub leads: Vec<(ListedLead, Vec<SaleRow>)>,
    /// How many there are, up to a bound.
    pub total: u64,
}

impl Catalogue {
    /// A page of a tenant's leads, the newest first.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn list_leads(&self, seller: SellerId, wanted: &LeadFilter, page: Page) -> Result<LeadPage, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let found = leads::list(&mut tx, seller, wanted, page).await?;
        let total = total(page, found.len(), leads::count(&mut tx, seller, wanted)).await?;
        let sold: Vec<_> = found.iter().filter(|lead| lead.sold()).map(|lead| lead.lead_id).collect();
        let mut sales: HashMap<LeadId, Vec<SaleRow>> = HashMap::new();
        if !sold.is_empty() {
            for (lead, sale) in leads::sales(&mut tx, seller, &sold).await? {
                sales.entry(lead).or_default().push(sale);
            }
        }
        let leads = found
            .into_iter()
            .map(|lead| {
                let sales = sales.remove(&lead.lead_id.into()).unwrap_or_default();
                (lead, sales)
            })
            .collect();
        Ok(LeadPage { leads, total })
    }
}
