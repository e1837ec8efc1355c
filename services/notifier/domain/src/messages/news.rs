use chrono::{DateTime, Utc};
use leadflow_kernel::{Currency, Money};
use serde::{Deserialize, Serialize};

use super::MessageKind;

/// What there is to tell a buyer, whatever the channel: what a message keeps until it has ended. Amounts are words ([`amount`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum News {
    /// A lead was bought.
    LeadAssigned(LeadNews),
    /// There is little money left.
    LowBalance {
        /// What there is.
        available: String,
        /// What it fell below.
        threshold: String,
    },
    /// A card that recharges the wallet was declined.
    RechargeFailed {
        /// What was to be charged.
        amount: String,
        /// In words; may be empty.
        why: String,
        /// When it is tried again.
        again_at: Option<DateTime<Utc>>,
    },
    /// Automatic recharging was turned off.
    RechargeTurnedOff {
        /// In words; may be empty.
        why: String,
    },
    /// A charge has to be confirmed.
    PaymentActionNeeded {
        /// Of how much.
        amount: String,
        /// It was made by the program.
        recharge: bool,
    },
    /// The seller decided on a return.
    ReturnDecided {
        /// Under what it was sold.
        campaign: String,
        /// The price goes back.
        approved: bool,
        /// The buyer's, as he chose it.
        reason: String,
        /// The seller's; may be empty.
        note: String,
        /// What the lead had cost.
        price: String,
    },
    /// A webhook was switched off.
    EndpointDisabled {
        /// In words.
        why: String,
        /// The first failure.
        failing_since: Option<DateTime<Utc>>,
    },
    /// What happened on one day.
    DailySummary(DaySummary),
}

/// A lead as its buyer is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadNews {
    /// Its id.
    pub lead: String,
    /// Under what it was sold.
    pub campaign: String,
    /// Of what.
    pub category: String,
    /// USPS code, or empty.
    pub state: String,
    /// As the supplier says.
    pub quality: String,
    /// What it cost.
    pub price: String,
    /// When.
    pub sold_at: DateTime<Utc>,
    /// Of the person; may be empty.
    pub first_name: String,
    /// Of the person; may be empty.
    pub last_name: String,
    /// Label and value of each field, name and address included: for verified addresses only.
    pub fields: Vec<(String, String)>,
}

/// What happened on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySummary {
    /// In the buyer's time zone, e.g. "2026-11-23".
    pub day: chrono::NaiveDate,
    /// Leads that he bought.
    pub leads: u64,
    /// What they cost, returns taken off.
    pub spent: String,
    /// Those that were given back by now.
    pub returned: u64,
    /// Webhooks that arrived.
    pub delivered: u64,
    /// Webhooks that were given up.
    pub gave_up: u64,
    /// What is left in the wallet; none when it could not be asked for.
    pub available: Option<String>,
}

impl News {
    /// Which kind of message tells it.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::LeadAssigned(_) => MessageKind::LeadAssigned,
            Self::LowBalance { .. } => MessageKind::LowBalance,
            Self::RechargeFailed { .. } => MessageKind::RechargeFailed,
            Self::RechargeTurnedOff { .. } => MessageKind::RechargeTurnedOff,
            Self::PaymentActionNeeded { .. } => MessageKind::PaymentActionNeeded,
            Self::ReturnDecided { .. } => MessageKind::ReturnDecided,
            Self::EndpointDisabled { .. } => MessageKind::EndpointDisabled,
            Self::DailySummary(_) => MessageKind::DailySummary,
        }
    }

    /// As it is kept.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Maps with text keys and plain values: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// From what was kept.
    ///
    /// # Errors
    /// When it is of another release.
    pub fn decode(kept: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(kept)
    }
}

/// An amount in words: `$25.00`, `-$5.00`, `25.00 EUR`.
#[must_use]
pub fn amount(money: Money) -> String {
    if money.currency() != Currency::USD {
        return money.to_string();
    }
    let amount = money.amount();
    if amount.is_sign_negative() && !amount.is_zero() { format!("-${}", -amount) } else { format!("${amount}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_are_read_as_they_were_kept() {
        let news = News::RechargeFailed { amount: "$5.00".into(), why: String::new(), again_at: None };
        assert_eq!(News::decode(&news.encode()).unwrap(), news);
        assert_eq!(news.kind(), MessageKind::RechargeFailed);
        assert!(News::decode(b"{\"about\":\"postcard\"}").is_err());
    }

    #[test]
    fn amounts_are_words() {
        let words = |text: &str, currency| amount(Money::parse(text, Currency::parse(currency).unwrap()).unwrap());
        assert_eq!(words("25", "USD"), "$25.00");
        assert_eq!(words("-5.5", "USD"), "-$5.50");
        assert_eq!(words("25", "EUR"), "25.00 EUR");
    }
}
