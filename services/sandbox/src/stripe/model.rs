//! What the stand-in remembers. Amounts are in the smallest unit of their currency.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::table::Row;

pub(super) type Metadata = BTreeMap<String, String>;

macro_rules! row {
    ($type:ty, $table:literal) => {
        impl Row for $type {
            const TABLE: &'static str = $table;

            fn id(&self) -> &str {
                &self.id
            }
        }
    };
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) created: DateTime<Utc>,
    pub(super) email: Option<String>,
    pub(super) name: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) description: Option<String>,
    /// The card that invoices would be paid with.
    pub(super) default_method: Option<String>,
    pub(super) metadata: Metadata,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PaymentMethod {
    pub(super) id: String,
    pub(super) created: DateTime<Utc>,
    /// Of a test card, so it is nobody's.
    pub(super) number: String,
    pub(super) exp_month: i64,
    pub(super) exp_year: i64,
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) customer: Option<String>,
    /// Its owner agreed to payments without him.
    pub(super) set_up: bool,
    /// Was somebody's, or paid without being anybody's: of no use any more.
    pub(super) used_up: bool,
    /// What it declines with from now on, whatever the card would do.
    pub(super) told_to_decline: Option<String>,
    pub(super) metadata: Metadata,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SetupIntent {
    pub(super) id: String,
    pub(super) created: DateTime<Utc>,
    pub(super) client_secret: String,
    pub(super) customer: Option<String>,
    pub(super) payment_method: Option<String>,
    pub(super) usage: String,
    /// As Stripe words it.
    pub(super) status: String,
    pub(super) methods: Methods,
    pub(super) description: Option<String>,
    pub(super) return_url: Option<String>,
    pub(super) last_error: Option<Map<String, Value>>,
    pub(super) cancellation_reason: Option<String>,
    pub(super) metadata: Metadata,
}

/// Which kinds of payment methods an intent takes; here, cards are all there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Methods {
    /// They were named.
    Named(Vec<String>),
    /// Those of the dashboard; whether also those that send the owner to another page.
    Automatic { redirects: bool },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PaymentIntent {
    pub(super) id: String,
    pub(super) created: DateTime<Utc>,
    pub(super) client_secret: String,
    pub(super) amount: i64,
    pub(super) amount_received: i64,
    pub(super) currency: String,
    pub(super) customer: Option<String>,
    pub(super) payment_method: Option<String>,
    /// As Stripe words it.
    pub(super) status: String,
    pub(super) methods: Methods,
    pub(super) setup_future_usage: Option<String>,
    pub(super) description: Option<String>,
    pub(super) receipt_email: Option<String>,
    pub(super) statement_descriptor: Option<String>,
    pub(super) statement_descriptor_suffix: Option<String>,
    pub(super) return_url: Option<String>,
    pub(super) latest_charge: Option<String>,
    pub(super) last_error: Option<Map<String, Value>>,
    pub(super) canceled_at: Option<DateTime<Utc>>,
    pub(super) cancellation_reason: Option<String>,
    pub(super) metadata: Metadata,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) created: DateTime<Utc>,
    pub(super) intent: String,
    pub(super) customer: Option<String>,
    pub(super) payment_method: String,
    pub(super) amount: i64,
    pub(super) amount_refunded: i64,
    pub(super) currency: String,
    /// The decline code of one that failed.
    pub(super) failure: Option<String>,
    pub(super) description: Option<String>,
    pub(super) receipt_email: Option<String>,
    pub(super) movement: Option<String>,
    pub(super) authenticated: bool,
    pub(super) dispute: Option<String>,
    pub(super) metadata: Metadata,
}

impl Charge {
    pub(super) const fn paid(&self) -> bool {
        self.failure.is_none()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) created: DateTime<Utc>,
    pub(super) charge: String,
    pub(super) intent: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    /// As Stripe words it.
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) movement: Option<String>,
    pub(super) failure_movement: Option<String>,
    pub(super) failure_reason: Option<String>,
    /// When it goes on by itself: one that is pending succeeds, one that succeeded fails.
    pub(super) due: Option<DateTime<Utc>>,
    pub(super) metadata: Metadata,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) created: DateTime<Utc>,
    pub(super) charge: String,
    pub(super) intent: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) reason: String,
    /// As Stripe words it: `needs_response`, `won`, `lost`.
    pub(super) status: String,
    /// Of money taken, and given back when it was won.
    pub(super) movements: Vec<String>,
}

/// What moved the balance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Movement {
    pub(super) id: String,
    pub(super) created: DateTime<Utc>,
    /// As Stripe words it: `charge`, `refund`, `refund_failure`, `adjustment`.
    pub(super) kind: String,
    /// As Stripe words it: `dispute`, `dispute_reversal` and so on.
    pub(super) category: String,
    pub(super) amount: i64,
    pub(super) fee: i64,
    pub(super) currency: String,
    pub(super) source: String,
    pub(super) description: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) created: DateTime<Utc>,
    pub(super) kind: String,
    /// As it was then.
    pub(super) object: Value,
    pub(super) previous: Option<Value>,
    /// The call that it comes from.
    pub(super) request: Option<String>,
    pub(super) key: Option<String>,
}

row!(Customer, "customer");
row!(PaymentMethod, "payment_method");
row!(SetupIntent, "setup_intent");
row!(PaymentIntent, "payment_intent");
row!(Charge, "charge");
row!(Refund, "refund");
row!(Dispute, "dispute");
row!(Movement, "movement");
row!(Event, "event");
