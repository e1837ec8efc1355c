//! A lead as it arrives.

use chrono::{DateTime, Utc};
use leadflow_contracts::{ConvertError, events::LeadReceived, id, time_from_ms};
use leadflow_kernel::{CampaignId, CategoryId, LeadId, SellerId, SupplierId};

/// A post that a gateway took.
#[derive(Debug, Clone)]
pub struct Posted {
    /// The lead.
    pub lead: LeadId,
    /// The tenant.
    pub seller: SellerId,
    /// Who posted it.
    pub supplier: SupplierId,
    /// For which campaign.
    pub campaign: CampaignId,
    /// Of which kind.
    pub category: CategoryId,
    /// USPS code, or empty.
    pub state: String,
    /// HOT, WARM, COLD or empty.
    pub quality: String,
    /// JSON object.
    pub data: String,
    /// JSON object, when something differs from `data`.
    pub raw: Option<String>,
    /// Names in data that the category does not define.
    pub unknown_fields: Vec<String>,
    /// The supplier's own.
    pub reference: String,
    /// To be decided, and nothing else.
    pub test: bool,
    /// When the gateway took it.
    pub received_at: DateTime<Utc>,
    /// What makes two posts the same request.
    pub body_hash: Vec<u8>,
    /// Where the gateway waits; empty when it does not.
    pub reply_subject: String,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
}

/// Why an event is no lead.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// An id is malformed.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// Not text.
    #[error("{0} is not UTF-8")]
    NotText(&'static str),
    /// No time of arrival.
    #[error("received_at_ms: missing")]
    NoTime,
}

impl Posted {
    /// Reads the event.
    ///
    /// # Errors
    /// [`Unreadable`] for an event that no gateway writes.
    pub fn read(event: LeadReceived, traceparent: Option<String>) -> Result<Self, Unreadable> {
        let text = |bytes: &[u8], field| String::from_utf8(bytes.to_vec()).map_err(|_| Unreadable::NotText(field));
        let raw = text(&event.raw_json, "raw_json")?;
        Ok(Self {
            lead: id(&event.lead_id, "lead_id")?,
            seller: id(&event.seller_id, "seller_id")?,
            supplier: id(&event.supplier_id, "supplier_id")?,
            campaign: id(&event.campaign_id, "campaign_id")?,
            category: id(&event.category_id, "category_id")?,
            data: text(&event.data_json, "data_json")?,
            raw: (!raw.is_empty()).then_some(raw),
            received_at: time_from_ms(event.received_at_ms).ok_or(Unreadable::NoTime)?,
            body_hash: event.body_hash.to_vec(),
            state: event.state,
            quality: event.quality,
            unknown_fields: event.unknown_fields,
            reference: event.reference,
            test: event.test,
            reply_subject: event.reply_subject,
            traceparent,
        })
    }
}
