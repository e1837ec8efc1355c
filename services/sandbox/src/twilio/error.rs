//! Refusals, in Twilio's own numbers and words.

use serde_json::{Value, json};

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TwilioError {
    pub(crate) code: u32,
    pub(crate) status: u16,
    pub(crate) message: String,
}

impl TwilioError {
    /// Of a call that could never succeed.
    pub(super) fn bad(code: u32, message: impl Into<String>) -> Self {
        Self { code, status: 400, message: message.into() }
    }

    /// Nobody whom it knows.
    pub(crate) fn unauthorized() -> Self {
        Self { code: 20003, status: 401, message: "Authenticate".to_owned() }
    }

    pub(crate) fn too_many() -> Self {
        Self { code: 20429, status: 429, message: "Too Many Requests".to_owned() }
    }

    pub(crate) fn broken() -> Self {
        Self { code: 20500, status: 500, message: "An internal server error has occurred".to_owned() }
    }

    pub(crate) fn not_found(path: &str) -> Self {
        Self { code: 20404, status: 404, message: format!("The requested resource {path} was not found") }
    }

    /// As the API says it.
    pub(crate) fn body(&self) -> Value {
        json!({
            "code": self.code,
            "message": self.message,
            "more_info": format!("https://www.twilio.com/docs/errors/{}", self.code),
            "status": self.status,
        })
    }
}

/// What a status call-back's number means, as the message's `error_message` has it.
pub(super) fn meaning(code: u32) -> Option<&'static str> {
    Some(match code {
        21610 => "Attempt to send to unsubscribed recipient",
        30001 => "Queue overflow",
        30002 => "Account suspended",
        30003 => "Unreachable destination handset",
        30004 => "Message blocked",
        30005 => "Unknown destination handset",
        30006 => "Landline or unreachable carrier",
        30007 => "Carrier violation",
        30008 => "Unknown error",
        _ => return None,
    })
}
