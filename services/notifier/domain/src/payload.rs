//! What a receiver gets: the lead's fields beside ours, in one flat object.

mod money;

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, Currency, LeadId, Money, ReturnId};
use serde::Serialize;
use serde_json::value::RawValue;

pub use self::money::{LowBalance, PaymentFailed, payload_of_failed_payment, payload_of_low_balance};
use crate::EventKind;

/// A lead sold to one buyer.
#[derive(Debug, Clone, Copy)]
pub struct LeadAssigned<'a> {
    /// The lead.
    pub lead: LeadId,
    /// Who bought it.
    pub buyer: BuyerId,
    /// The sale.
    pub assignment: AssignmentId,
    /// What it was sold under.
    pub campaign: CampaignId,
    /// The campaign's name.
    pub campaign_name: &'a str,
    /// The category's name.
    pub category_name: &'a str,
    /// USPS code, or empty.
    pub state: &'a str,
    /// HOT, WARM, COLD, or empty.
    pub quality: &'a str,
    /// What this buyer paid.
    pub price: Money,
    /// When it was sold.
    pub assigned_at: DateTime<Utc>,
    /// The lead's fields, a JSON object.
    pub data_json: &'a [u8],
}

/// A sale that was undone.
#[derive(Debug, Clone, Copy)]
pub struct LeadReturned<'a> {
    /// The return.
    pub undone: ReturnId,
    /// The lead.
    pub lead: LeadId,
    /// Who had bought it.
    pub buyer: BuyerId,
    /// The sale.
    pub assignment: AssignmentId,
    /// What it was sold under.
    pub campaign: CampaignId,
    /// The campaign's name.
    pub campaign_name: &'a str,
    /// What he gets back.
    pub price: Money,
    /// Why, a stable word.
    pub reason: &'a str,
    /// When it was decided.
    pub decided_at: DateTime<Utc>,
}

/// Why no payload can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// The lead's data is not a JSON object.
    #[error("the lead's data is not a JSON object: {0}")]
    Data(String),
}

impl From<&serde_json::Error> for PayloadError {
    /// Only the place: the parser's words may repeat what it read, which is a person's.
    fn from(error: &serde_json::Error) -> Self {
        Self::Data(format!("line {}, column {}", error.line(), error.column()))
    }
}

/// The made-up lead.
const SAMPLE: &[u8] = br#"{"test":true,"firstName":"Sample","lastName":"Lead","email":"sample@example.com","phone":"+15550100100","zip":"90001"}"#;

#[derive(Serialize)]
struct Body<'a> {
    event: &'static str,
    timestamp: String,
    data: BTreeMap<String, &'a RawValue>,
}

/// The body to send: `{"event":"lead.assigned","timestamp":…,"data":{…}}`. `data` has the lead's
/// fields exactly as they are stored (numbers keep every digit) and `leadId`, `buyerId`,
/// `assignmentId`, `campaignId`, `campaign`, `category`, `state`, `quality` and `price`. Ours are
/// written last, so a lead with a field of such a name cannot pretend to be another sale.
///
/// # Errors
/// [`PayloadError::Data`].
pub fn payload(sold: &LeadAssigned<'_>) -> Result<Vec<u8>, PayloadError> {
    let refused = |e: serde_json::Error| PayloadError::from(&e);
    let mut data: BTreeMap<String, &RawValue> = if sold.data_json.is_empty() {
        BTreeMap::new()
    } else {
        serde_json::from_slice(sold.data_json).map_err(refused)?
    };
    let ours = [
        ("leadId", text(&sold.lead.to_string())),
        ("buyerId", text(&sold.buyer.to_string())),
        ("assignmentId", text(&sold.assignment.to_string())),
        ("campaignId", text(&sold.campaign.to_string())),
        ("campaign", text(sold.campaign_name)),
        ("category", text(sold.category_name)),
        ("state", optional(sold.state)),
        ("quality", optional(sold.quality)),
        ("price", RawValue::from_string(sold.price.amount().to_string())),
    ]
    .into_iter()
    .map(|(name, value)| value.map(|value| (name, value)))
    .collect::<Result<Vec<_>, _>>()
    .map_err(refused)?;
    for (name, value) in &ours {
        data.insert((*name).to_owned(), value);
    }
    let timestamp = timestamp(sold.assigned_at);
    serde_json::to_vec(&Body { event: EventKind::LeadAssigned.text(), timestamp, data }).map_err(refused)
}

/// The body of a sale that was undone: `{"event":"lead.returned",…}` with `returnId`, `leadId`, `buyerId`, `assignmentId`,
/// `campaignId`, `campaign`, `reason` and `price` in its `data`.
///
/// # Errors
/// None that anybody has seen: it is what writing JSON may say.
pub fn payload_of_return(returned: &LeadReturned<'_>) -> Result<Vec<u8>, PayloadError> {
    body(
        EventKind::LeadReturned,
        returned.decided_at,
        [
            ("returnId", text(&returned.undone.to_string())),
            ("leadId", text(&returned.lead.to_string())),
            ("buyerId", text(&returned.buyer.to_string())),
            ("assignmentId", text(&returned.assignment.to_string())),
            ("campaignId", text(&returned.campaign.to_string())),
            ("campaign", text(returned.campaign_name)),
            ("reason", text(returned.reason)),
            ("price", RawValue::from_string(returned.price.amount().to_string())),
        ],
    )
}

/// A body with nothing but what we say.
fn body<const N: usize>(
    event: EventKind,
    at: DateTime<Utc>,
    fields: [(&str, serde_json::Result<Box<RawValue>>); N],
) -> Result<Vec<u8>, PayloadError> {
    let refused = |e: serde_json::Error| PayloadError::from(&e);
    let ours = fields.into_iter().map(|(name, value)| value.map(|value| (name, value)));
    let ours = ours.collect::<Result<Vec<_>, _>>().map_err(refused)?;
    let data = ours.iter().map(|(name, value)| ((*name).to_owned(), &**value)).collect();
    serde_json::to_vec(&Body { event: event.text(), timestamp: timestamp(at), data }).map_err(refused)
}

fn timestamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The body of a made-up lead, which says of itself that it is one.
///
/// # Errors
/// As [`payload`].
pub fn sample(
    buyer: BuyerId,
    lead: LeadId,
    assignment: AssignmentId,
    at: DateTime<Utc>,
) -> Result<Vec<u8>, PayloadError> {
    payload(&LeadAssigned {
        lead,
        buyer,
        assignment,
        campaign: CampaignId::derive(&[b"sample"]),
        campaign_name: "Sample campaign",
        category_name: "Sample category",
        state: "CA",
        quality: "",
        price: Money::zero(Currency::USD),
        assigned_at: at,
        data_json: SAMPLE,
    })
}

fn text(value: &str) -> serde_json::Result<Box<RawValue>> {
    serde_json::value::to_raw_value(value)
}

fn optional(value: &str) -> serde_json::Result<Box<RawValue>> {
    if value.is_empty() { serde_json::value::to_raw_value(&()) } else { text(value) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn sold(data_json: &[u8]) -> LeadAssigned<'_> {
        LeadAssigned {
            lead: LeadId::derive(&[b"l"]),
            buyer: BuyerId::derive(&[b"b"]),
            assignment: AssignmentId::derive(&[b"a"]),
            campaign: CampaignId::derive(&[b"c"]),
            campaign_name: "Solar \"West\"",
            category_name: "Solar",
            state: "CA",
            quality: "",
            price: Money::parse("25", Currency::USD).unwrap(),
            assigned_at: "2026-11-22T12:00:00Z".parse().unwrap(),
            data_json,
        }
    }

    #[test]
    fn the_body_has_the_documented_shape() {
        let lead = sold(br#"{"firstName":"John","roof":{"age":12}}"#);
        let body = payload(&lead).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap(),
            json!({
                "event": "lead.assigned",
                "timestamp": "2026-11-22T12:00:00.000Z",
                "data": {
                    "leadId": lead.lead.to_string(),
                    "buyerId": lead.buyer.to_string(),
                    "assignmentId": lead.assignment.to_string(),
                    "campaignId": lead.campaign.to_string(),
                    "campaign": "Solar \"West\"",
                    "category": "Solar",
                    "state": "CA",
                    "quality": null,
                    "price": 25.00,
                    "firstName": "John",
                    "roof": {"age": 12},
                }
            })
        );
        assert!(String::from_utf8(body).unwrap().contains(r#""price":25.00"#));
    }

    #[test]
    fn a_lead_cannot_overwrite_what_we_say() {
        let lead = sold(
            br#"{"leadId":"x","buyerId":"x","assignmentId":"x","campaignId":"x","campaign":"x","category":"x",
                "state":"x","quality":"x","price":0,"event":"x","timestamp":"x"}"#,
        );
        let body: Value = serde_json::from_slice(&payload(&lead).unwrap()).unwrap();
        assert_eq!(body["event"], "lead.assigned");
        assert_eq!(body["data"]["event"], "x", "only inside data");
        let ours = body["data"].as_object().unwrap();
        for name in ["leadId", "buyerId", "assignmentId", "campaignId", "campaign", "category", "state", "quality"] {
            assert_ne!(ours[name], "x", "{name}");
        }
        assert_eq!(ours["price"], 25.0);
    }

    #[test]
    fn numbers_keep_every_digit() {
        let body = payload(&sold(br#"{"account":12345678901234567890123,"rate":1.10}"#)).unwrap();
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains("12345678901234567890123") && body.contains(r#""rate":1.10"#), "{body}");
    }

    #[test]
    fn a_return_says_which_sale_and_why() {
        let returned = LeadReturned {
            undone: ReturnId::derive(&[b"r"]),
            lead: LeadId::derive(&[b"l"]),
            buyer: BuyerId::derive(&[b"b"]),
            assignment: AssignmentId::derive(&[b"a"]),
            campaign: CampaignId::derive(&[b"c"]),
            campaign_name: "Solar",
            price: Money::parse("25", Currency::USD).unwrap(),
            reason: "wrong_number",
            decided_at: "2026-11-22T12:00:00Z".parse().unwrap(),
        };
        let body: Value = serde_json::from_slice(&payload_of_return(&returned).unwrap()).unwrap();
        assert_eq!(body["event"], "lead.returned");
        assert_eq!(
            body["data"],
            json!({
                "returnId": returned.undone.to_string(), "leadId": returned.lead.to_string(), "buyerId": returned.buyer.to_string(),
                "assignmentId": returned.assignment.to_string(), "campaignId": returned.campaign.to_string(), "campaign": "Solar",
                "reason": "wrong_number", "price": 25.0,
            })
        );
    }

    #[test]
    fn data_that_is_no_object_is_refused() {
        for bad in [b"[1]".as_slice(), b"\"x\"", b"{", b"\xff"] {
            assert!(payload(&sold(bad)).is_err());
        }
        assert!(payload(&sold(b"")).is_ok() && payload(&sold(b"{}")).is_ok());
    }

    proptest! {
        #[test]
        fn whatever_the_fields_are_called_the_ids_are_ours(names in proptest::collection::vec("[a-zA-Z]{0,12}", 0..20)) {
            let data = serde_json::to_vec(&names.iter().map(|n| (n.clone(), "x")).collect::<BTreeMap<_, _>>()).unwrap();
            let lead = sold(&data);
            let body: Value = serde_json::from_slice(&payload(&lead).unwrap()).unwrap();
            prop_assert_eq!(&body["data"]["leadId"], &json!(lead.lead));
            prop_assert_eq!(&body["data"]["assignmentId"], &json!(lead.assignment));
        }
    }
}
