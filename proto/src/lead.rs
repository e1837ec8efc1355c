//! Which lead an event is about.

use leadflow_kernel::LeadId;
use prost_reflect::DynamicMessage;

use crate::json::POOL;

/// The lead that an encoded message of type `full_name`, e.g. "leadflow.events.v1.LeadAssigned", is about. `None` if it is about none, or
/// cannot be read.
#[must_use]
pub fn lead_of(full_name: &str, payload: &[u8]) -> Option<LeadId> {
    let descriptor = POOL.as_ref()?.get_message_by_name(full_name)?;
    let message = DynamicMessage::decode(descriptor, payload).ok()?;
    own(&message).or_else(|| own(message.get_field_by_name("decision")?.as_message()?))
}

fn own(message: &DynamicMessage) -> Option<LeadId> {
    message.get_field_by_name("lead_id")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::{
        Event as _,
        common::Decision,
        events::{LeadAssigned, LeadDecided, SellerChanged},
    };

    #[test]
    fn events_about_a_lead_name_it() {
        let lead = LeadId::new();
        let assigned = LeadAssigned { lead_id: lead.to_string(), ..Default::default() };
        assert_eq!(lead_of(LeadAssigned::TYPE, &assigned.encode_to_vec()), Some(lead));
        let decision = Some(Decision { lead_id: lead.to_string(), ..Default::default() });
        let decided = LeadDecided { decision, ..Default::default() };
        assert_eq!(lead_of(LeadDecided::TYPE, &decided.encode_to_vec()), Some(lead));
        let seller = SellerChanged { seller_id: lead.to_string(), ..Default::default() };
        assert_eq!(lead_of(SellerChanged::TYPE, &seller.encode_to_vec()), None);
        let somebody = LeadAssigned { lead_id: "ada@example.com".into(), ..Default::default() };
        assert_eq!(lead_of(LeadAssigned::TYPE, &somebody.encode_to_vec()), None);
        assert_eq!(lead_of(LeadAssigned::TYPE, b"\xff\xff"), None);
        assert_eq!(lead_of("no such type", b""), None);
    }
}
