//! A message, as it is kept and as the API shows it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::meaning;

/// What became of a message, in Twilio's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextStatus {
    /// A messaging service picks the number.
    Accepted,
    /// It waits for the network.
    Queued,
    /// The network has it.
    Sent,
    /// The phone has it.
    Delivered,
    /// The network could not deliver it.
    Undelivered,
    /// It was not sent.
    Failed,
    /// Somebody sent it to us.
    Received,
}

impl TextStatus {
    /// As in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Undelivered => "undelivered",
            Self::Failed => "failed",
            Self::Received => "received",
        }
    }
}

/// Who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// A person, to us.
    Inbound,
    /// We, through the API.
    OutboundApi,
    /// We or the number itself, in answer to a person's message.
    OutboundReply,
}

impl Direction {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::OutboundApi => "outbound-api",
            Self::OutboundReply => "outbound-reply",
        }
    }
}

/// A call of our webhook for a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// What was told.
    pub status: TextStatus,
    /// The answer's status; `None`: there was no answer.
    pub answer: Option<u16>,
}

/// A text message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Text {
    /// 1, 2, … in order of arrival.
    pub seq: u64,
    /// `SM` and 32 hexadecimal digits.
    pub sid: String,
    /// Who sent it.
    pub direction: Direction,
    /// The number that it came from.
    pub from: String,
    /// The number that it went to.
    pub to: String,
    /// The text.
    pub body: String,
    /// `GSM-7` or `UCS-2`.
    pub encoding: String,
    /// How many messages of the phone network it is.
    pub segments: u32,
    /// What became of it.
    pub status: TextStatus,
    /// Why it did not arrive.
    pub error_code: Option<u32>,
    /// The service that it was asked of.
    pub service: Option<String>,
    /// Where is told what became of it.
    pub status_callback: Option<String>,
    /// When it arrived.
    pub created_at: DateTime<Utc>,
    /// When the network had it.
    pub sent_at: Option<DateTime<Utc>>,
    /// When its status changed last.
    pub updated_at: DateTime<Utc>,
    /// Calls of our webhook, in their order.
    pub told: Vec<Told>,
}

impl Text {
    /// The other side's number.
    pub(crate) fn person(&self) -> &str {
        if self.direction == Direction::Inbound { &self.from } else { &self.to }
    }

    /// Our number.
    pub(crate) fn ours(&self) -> &str {
        if self.direction == Direction::Inbound { &self.to } else { &self.from }
    }

    pub(crate) fn becomes(&mut self, status: TextStatus, error_code: Option<u32>, now: DateTime<Utc>) {
        (self.status, self.error_code, self.updated_at) = (status, error_code, now);
        if matches!(status, TextStatus::Sent | TextStatus::Delivered) && self.sent_at.is_none() {
            self.sent_at = Some(now);
        }
    }

    /// As the API shows it. Its dates are in RFC 2822, and its numbers are strings.
    pub(super) fn shown(&self, account: &str) -> Value {
        let date = |at: DateTime<Utc>| at.to_rfc2822();
        // A service that has not picked a number yet knows neither.
        let picked = self.status != TextStatus::Accepted;
        let uri = format!("/2010-04-01/Accounts/{account}/Messages/{}", self.sid);
        json!({
            "account_sid": account,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": date(self.created_at),
            "date_sent": self.sent_at.map(date),
            "date_updated": date(self.updated_at),
            "direction": self.direction.word(),
            "error_code": self.error_code,
            "error_message": self.error_code.and_then(meaning),
            "from": picked.then_some(&self.from),
            "messaging_service_sid": self.service,
            "num_media": "0",
            "num_segments": if picked { self.segments.to_string() } else { "0".to_owned() },
            "price": null,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status.word(),
            "subresource_uris": { "media": format!("{uri}/Media.json") },
            "to": self.to,
            "uri": format!("{uri}.json"),
        })
    }

    /// What is told when its status has become `status`.
    pub(crate) fn status_parameters(&self, account: &str, status: TextStatus) -> Vec<(&'static str, String)> {
        let mut told = vec![
            ("AccountSid", account.to_owned()),
            ("ApiVersion", "2010-04-01".to_owned()),
            ("From", self.from.clone()),
            ("MessageSid", self.sid.clone()),
            ("MessageStatus", status.word().to_owned()),
            ("SmsSid", self.sid.clone()),
            ("SmsStatus", status.word().to_owned()),
            ("To", self.to.clone()),
        ];
        if let Some(code) = self.error_code.filter(|_| matches!(status, TextStatus::Undelivered | TextStatus::Failed)) {
            told.push(("ErrorCode", code.to_string()));
        }
        if let Some(service) = &self.service {
            told.push(("MessagingServiceSid", service.clone()));
        }
        if status == TextStatus::Delivered {
            told.push(("RawDlrDoneDate", self.updated_at.format("%y%m%d%H%M").to_string()));
        }
        told
    }

    /// What is told of one that a person sent.
    pub(crate) fn inbound_parameters(&self, account: &str) -> Vec<(&'static str, String)> {
        let mut told = vec![
            ("AccountSid", account.to_owned()),
            ("ApiVersion", "2010-04-01".to_owned()),
            ("Body", self.body.clone()),
            ("From", self.from.clone()),
            ("MessageSid", self.sid.clone()),
            ("NumMedia", "0".to_owned()),
            ("NumSegments", self.segments.to_string()),
            ("SmsMessageSid", self.sid.clone()),
            ("SmsSid", self.sid.clone()),
            ("SmsStatus", "received".to_owned()),
            ("To", self.to.clone()),
        ];
        // Of who wrote and of our number; not known of everybody, but always there.
        for name in ["FromCity", "FromCountry", "FromState", "FromZip", "ToCity", "ToCountry", "ToState", "ToZip"] {
            told.push((name, if name.ends_with("Country") { "US".to_owned() } else { String::new() }));
        }
        told
    }
}
