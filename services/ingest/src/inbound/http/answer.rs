//! Answers to suppliers.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use leadflow_contracts::common::{Decision, Outcome};
use leadflow_kernel::LeadId;
use serde::Serialize;
use serde_json::value::RawValue;

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    success: bool,
    lead_id: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    distributed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyers_assigned: Option<u32>,
    /// The exact text of the amount: a number of dollars with two decimals.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
    message: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    reference: &'a str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    test: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_url: Option<String>,
}

/// The answer to a decided lead.
pub(super) fn decided(status: StatusCode, decision: &Decision) -> Response {
    let buyers = decision.buyers_assigned;
    let (success, outcome, distributed, message) = match decision.outcome() {
        Outcome::Distributed => (true, "accepted", true, format!("Lead distributed to {buyers} buyer(s)")),
        Outcome::Test => (
            true,
            "accepted",
            true,
            format!("Test lead: would go to {buyers} buyer(s); nothing was charged, counted or delivered"),
        ),
        Outcome::Rejected => (false, "rejected", false, "Lead rejected".to_owned()),
        Outcome::Expired => (true, "expired", false, "Nobody bought the lead while it was for sale".to_owned()),
        Outcome::Unsold if decision.test => {
            (true, "accepted", false, "Test lead: nobody could buy it now; it is not for sale".to_owned())
        }
        // The others are no decisions and do not come here; for sale is the most that may be claimed.
        Outcome::Unsold | Outcome::Pending | Outcome::Conflict | Outcome::Unspecified => {
            (true, "accepted", false, "Nobody can buy the lead now; it stays for sale".to_owned())
        }
    };
    let price = decision.price.as_ref().and_then(|price| RawValue::from_string(price.amount.clone()).ok());
    let answer = Answer {
        success,
        lead_id: &decision.lead_id,
        outcome,
        distributed: Some(distributed),
        buyers_assigned: Some(buyers),
        price,
        reason: &decision.reason,
        message,
        reference: &decision.reference,
        test: decision.test,
        status_url: None,
    };
    (status, Json(answer)).into_response()
}

/// The answer to a lead that is stored and not decided yet.
pub(super) fn pending(
    status: StatusCode,
    lead_id: LeadId,
    reference: &str,
    status_url: String,
    respond_async: bool,
) -> Response {
    let lead_id = lead_id.to_string();
    let answer = Answer {
        success: true,
        lead_id: &lead_id,
        outcome: "pending",
        distributed: None,
        buyers_assigned: None,
        price: None,
        reason: "",
        message: "Lead stored; its decision will follow".to_owned(),
        reference,
        test: false,
        status_url: Some(status_url),
    };
    let mut response = (status, Json(answer)).into_response();
    if respond_async {
        response.headers_mut().insert(PREFERENCE_APPLIED, HeaderValue::from_static("respond-async"));
    }
    response
}
