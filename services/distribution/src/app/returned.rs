//! What follows when a sale is undone: its day's cap, and the event that has the money given back.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use leadflow_contracts::{
    events::{LeadReturned, ReturnDecided},
    money_to_proto, time_to_ms,
};
use leadflow_distribution_domain::{day_in, returns::ReturnState};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, EventId, LeadId, ReturnId, SellerId};
use leadflow_messaging::Envelope;
use leadflow_platform::db::TenantTx;

use super::{App, AppError};
use crate::store::{
    columns,
    returns::{self, ReturnRow},
    routing,
};

/// A sale that is undone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Undone {
    pub(super) campaign: CampaignId,
    pub(super) buyer: BuyerId,
    pub(super) assignment: AssignmentId,
    pub(super) sold_at: DateTime<Utc>,
    /// Where the tenant's days begin.
    pub(super) zone: Tz,
}

impl App {
    /// Counts a sale no more for the cap of its day, if that day still counts. Replicas know the counts from memory, so the campaign's
    /// version moves, under its lock: a decision that is under way by the old count is made anew. Somebody may have waited for the room.
    pub(super) async fn count_out_of_cap(
        &self,
        tx: &mut TenantTx,
        seller: SellerId,
        sale: &Undone,
    ) -> Result<bool, AppError> {
        let Some(subscription) = returns::subscription_of(tx, seller, sale.assignment).await? else {
            return Ok(false);
        };
        routing::bump(tx, &[sale.campaign]).await?;
        let day = day_in(sale.zone, sale.sold_at);
        let counted = returns::count_out_of_cap(tx, sale.campaign, sale.buyer, subscription, day).await?;
        if counted {
            self.look_again(tx, &[sale.campaign]).await?;
        }
        Ok(counted)
    }

    /// Commits, together with what is told of a return that is decided by it: to the buyer who asked, and that the sale is undone.
    pub(super) async fn commit_return(
        &self,
        mut tx: TenantTx,
        decided: Option<&ReturnRow>,
        now: DateTime<Utc>,
    ) -> Result<(), AppError> {
        let Some(row) = decided else { return Ok(tx.commit().await?) };
        // A sale is undone once, and a return decided once: they make the events' ids.
        let id = |kind: &[u8]| EventId::derive(&[kind, row.assignment_id.as_bytes()]);
        let mut told = Vec::with_capacity(2);
        if columns::return_state(&row.state)? == ReturnState::Approved {
            told.push(Envelope::new(id(b"lead.returned"), &returned(row, now)?, now));
        }
        if !row.by_receiver {
            told.push(Envelope::new(id(b"lead.return_decided"), &decision(row, now)?, now));
        }
        let pending = self.outbox.append(&mut tx, told).await?;
        tx.commit().await?;
        self.relay.send(pending);
        self.retry_wanted.notify_one();
        Ok(())
    }
}

fn decision(row: &ReturnRow, now: DateTime<Utc>) -> Result<ReturnDecided, AppError> {
    Ok(ReturnDecided {
        return_id: ReturnId::from_uuid(row.return_id).to_string(),
        assignment_id: AssignmentId::from_uuid(row.assignment_id).to_string(),
        lead_id: LeadId::from_uuid(row.lead_id).to_string(),
        buyer_id: BuyerId::from_uuid(row.buyer_id).to_string(),
        seller_id: SellerId::from_uuid(row.seller_id).to_string(),
        campaign_name: row.campaign_name.clone(),
        approved: columns::return_state(&row.state)? == ReturnState::Approved,
        reason: row.reason.clone(),
        note: row.decision_note.clone(),
        price: Some(money_to_proto(columns::money(row.price, &row.currency)?)),
        decided_at_ms: time_to_ms(now),
    })
}

fn returned(row: &ReturnRow, now: DateTime<Utc>) -> Result<LeadReturned, AppError> {
    Ok(LeadReturned {
        return_id: ReturnId::from_uuid(row.return_id).to_string(),
        assignment_id: AssignmentId::from_uuid(row.assignment_id).to_string(),
        lead_id: LeadId::from_uuid(row.lead_id).to_string(),
        buyer_id: BuyerId::from_uuid(row.buyer_id).to_string(),
        seller_id: SellerId::from_uuid(row.seller_id).to_string(),
        campaign_id: CampaignId::from_uuid(row.campaign_id).to_string(),
        campaign_name: row.campaign_name.clone(),
        price: Some(money_to_proto(columns::money(row.price, &row.currency)?)),
        reason: row.reason.clone(),
        decided_at_ms: time_to_ms(now),
    })
}
