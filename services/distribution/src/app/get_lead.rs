//! A lead with the reasons for where it went, for its seller.

use std::collections::HashMap;

use leadflow_contracts::common::{Decision, DecisionTrace};
use leadflow_distribution_domain::{explain, undone};
use leadflow_kernel::{BuyerId, LeadId, SellerId};

use super::{App, AppError, outcome, stored_trace::Stored, trace::trace_from_proto};
use crate::store::{
    columns, leads, projections,
    show::{self, LeadRow, SaleRow},
};

/// What a seller sees of a lead.
#[derive(Debug)]
pub struct LeadView {
    /// What its supplier is told.
    pub decision: Decision,
    /// As stored.
    pub lead: LeadRow,
    /// To whom it was sold.
    pub sales: Vec<SaleRow>,
    /// How it was decided.
    pub trace: DecisionTrace,
    /// The same in sentences.
    pub explanation: Vec<String>,
}

impl App {
    /// A tenant's lead.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when the tenant has no such lead.
    pub async fn get_lead(&self, seller: SellerId, id: LeadId) -> Result<LeadView, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let missing = AppError::NotFound("lead");
        let Some(lead) = show::lead(&mut tx, seller, id).await? else { return Err(missing) };
        let Some(verdict) = leads::known_of(&mut tx, seller, id).await? else { return Err(missing) };
        let sales = show::sales(&mut tx, seller, id).await?;
        let stored = Stored::decode(&lead.trace).map_err(|_| AppError::Database(columns::impossible("trace")))?;
        let subscribers = projections::subscribers(&mut tx, seller, stored.subscriptions()).await?;
        let buyers = subscribers.iter().map(|one| (one.subscription, one.buyer)).collect();
        let names: HashMap<BuyerId, String> = subscribers.into_iter().map(|one| (one.buyer, one.name)).collect();
        let trace = stored.complete(&buyers);
        let routed = trace_from_proto(&trace);
        let mut explanation = Vec::new();
        if !trace.duplicate_of.is_empty() {
            explanation.push(format!("It repeats {} (same {}).", trace.duplicate_of, trace.duplicate_field));
        } else if !verdict.reason.is_empty() && routed.is_none() {
            explanation.push(format!("It was refused: {}.", verdict.reason.replace('_', " ")));
        }
        if let Some(routed) = &routed {
            explanation.extend(explain(routed, |buyer| names.get(&buyer).cloned()));
        }
        if sales.iter().any(|sale| sale.return_id.is_some()) {
            for sale in show::undone(&mut tx, seller, &sales).await? {
                let who = sale.company_name.unwrap_or_else(|| BuyerId::from(sale.buyer_id).to_string());
                let said = sale.by_receiver.then_some(sale.note.as_str());
                explanation.push(undone(&who, &sale.reason, said));
            }
        }
        Ok(LeadView { decision: outcome::decision(&verdict), lead, sales, trace, explanation })
    }
}
