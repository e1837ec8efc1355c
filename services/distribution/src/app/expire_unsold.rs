//! Ending leads that nobody bought in their time.

use leadflow_contracts::common::Outcome;
use leadflow_kernel::LeadId;
use leadflow_messaging::trace;

use super::{App, AppError, outcome};
use crate::{
    metrics,
    store::{leads::Verdict, sale_later},
};

/// Leads ended in one transaction.
const LEADS: i64 = 256;

impl App {
    /// Ends a batch of leads whose time is up. Returns how many. Any number of replicas may do this
    /// at once.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn expire_unsold(&self) -> Result<usize, AppError> {
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let expired = sale_later::expire(&mut transaction, now, LEADS).await?;
        if expired.is_empty() {
            return Ok(0);
        }
        let events = expired
            .iter()
            .map(|lead| {
                let verdict = Verdict {
                    lead: LeadId::from_uuid(lead.lead_id),
                    supplier: lead.supplier_id.into(),
                    outcome: Outcome::Expired,
                    reason: "expired".to_owned(),
                    buyers_assigned: 0,
                    price: None,
                    test: false,
                    reference: lead.reference.clone(),
                    body_hash: Vec::new(),
                };
                let traceparent = lead.traceparent.as_deref();
                outcome::decided_event(lead.seller_id.into(), lead.campaign_id.into(), &verdict, now, traceparent)
            })
            .collect();
        let pending = self.outbox.append(&mut transaction, events).await?;
        transaction.commit().await?;
        metrics::expired(expired.len());
        for lead in &expired {
            let trace_id = lead.traceparent.as_deref().and_then(trace::trace_id);
            tracing::debug!(lead_id = %LeadId::from_uuid(lead.lead_id), trace_id, "lead expired");
        }
        self.relay.send(pending);
        Ok(expired.len())
    }
}
