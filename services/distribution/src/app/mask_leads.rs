//! Removing personal data of leads: here, and by an event from whoever else keeps some.

use chrono::{DateTime, Utc};
use leadflow_contracts::{
    common::Outcome,
    events::{LeadsMasked, MaskedLead, MaskedSale},
    time_to_ms,
};
use leadflow_kernel::{ErasureId, EventId, LeadId, SellerId};
use leadflow_messaging::Envelope;
use sqlx::PgConnection;

use super::{AppError, outcome};
use crate::store::{
    leads::Verdict,
    masking::{self, Masked},
};

/// Sales in one event: some 70 bytes each, far below what a message may weigh.
const SALES_AN_EVENT: usize = 4_000;

/// What was masked, and the events that tell of it: to be committed together.
pub(super) struct Masking {
    pub(super) masked: Vec<Masked>,
    pub(super) events: Vec<Envelope>,
}

/// Masks those of these leads that are not masked yet.
pub(super) async fn mask(
    connection: &mut PgConnection,
    seller: SellerId,
    leads: &[(DateTime<Utc>, LeadId)],
    erasure: Option<ErasureId>,
    now: DateTime<Utc>,
) -> Result<Masking, AppError> {
    let times = || leads.iter().map(|(at, _)| *at);
    let (Some(first), Some(last)) = (times().min(), times().max()) else {
        return Ok(Masking { masked: Vec::new(), events: Vec::new() });
    };
    let ids: Vec<LeadId> = leads.iter().map(|(_, lead)| *lead).collect();
    let masked = masking::mask(connection, seller, &ids, (first, last), now).await?;
    let ids: Vec<LeadId> = masked.iter().map(|one| one.lead).collect();
    let sales = masking::sales(connection, seller, &ids).await?;
    let mut events: Vec<Envelope> =
        masked.iter().filter(|one| one.expired).map(|one| expired(seller, one, now)).collect();
    events.extend(sales.chunks(SALES_AN_EVENT).map(|sales| {
        let leads = sales
            .chunk_by(|(one, ..), (other, ..)| one == other)
            .map(|sales| MaskedLead {
                lead_id: sales.first().map_or_else(String::new, |(lead, ..)| lead.to_string()),
                sales: sales
                    .iter()
                    .map(|(_, sale, buyer)| MaskedSale { assignment_id: sale.to_string(), buyer_id: buyer.to_string() })
                    .collect(),
            })
            .collect();
        let event = LeadsMasked {
            seller_id: seller.to_string(),
            leads,
            erasure_id: erasure.map_or_else(String::new, |id| id.to_string()),
            masked_at_ms: time_to_ms(now),
        };
        Envelope::new(EventId::new(), &event, now)
    }));
    Ok(Masking { masked, events })
}

fn expired(seller: SellerId, lead: &Masked, now: DateTime<Utc>) -> Envelope {
    let verdict = Verdict {
        lead: lead.lead,
        supplier: lead.supplier,
        outcome: Outcome::Expired,
        reason: "expired".to_owned(),
        buyers_assigned: 0,
        price: None,
        test: false,
        reference: String::new(),
        body_hash: Vec::new(),
    };
    outcome::decided_event(seller, lead.campaign, &verdict, now, lead.traceparent.as_deref())
}
