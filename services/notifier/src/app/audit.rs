//! What is written down of a change of a webhook. Its secret is not, and of its URL only where it leads: the rest may hold
//! what nobody but its owner and its receiver should know.

use leadflow_kernel::BuyerId;
use leadflow_notifier_domain::Preferences;
use leadflow_platform::audit::{Change, Trail};
use serde_json::{Value, json};
use url::Url;

use super::Actor;
use crate::{model::Endpoint, store::health::Ailing};

pub(super) const TRAIL: Trail = Trail::new(crate::SCHEMA);

pub(super) fn created(actor: Actor, endpoint: &Endpoint) -> Change {
    Change::new("webhook.created", endpoint.id).by(actor).to(webhook(endpoint))
}

/// `what` was changed, by name.
pub(super) fn updated(actor: Actor, before: &Endpoint, after: &Endpoint, what: &[&str]) -> Change {
    let mut now = webhook(after);
    now["changed"] = json!(what);
    Change::new("webhook.updated", after.id).by(actor).from(webhook(before)).to(now)
}

pub(super) fn deleted(actor: Actor, endpoint: &Endpoint) -> Change {
    Change::new("webhook.deleted", endpoint.id).by(actor).from(webhook(endpoint))
}

/// What was sent again: one delivery, or so many of a time.
pub(super) fn replayed(actor: Actor, endpoint: &Endpoint, what: Value) -> Change {
    Change::new("webhook.replayed", endpoint.id).by(actor).to(what)
}

/// By the system.
pub(super) fn disabled(endpoint: &Ailing, reason: &str) -> Change {
    let buyer = endpoint.buyer.to_string();
    Change::new("webhook.disabled", endpoint.id)
        .from(json!({ "buyer": buyer, "enabled": true }))
        .to(json!({ "buyer": buyer, "enabled": false, "disabledReason": reason }))
}

/// A buyer's, who wants to be told otherwise.
pub(super) fn preferences(
    action: &'static str,
    actor: Actor,
    buyer: BuyerId,
    before: &Preferences,
    after: &Preferences,
) -> Change {
    Change::new(action, buyer).by(actor).from(wishes(before)).to(wishes(after))
}

/// A phone of a buyer's asked for no more text messages, or for some again.
pub(super) fn phone_answered(buyer: BuyerId, stops: bool) -> Change {
    let action = if stops { "preferences.sms_stopped" } else { "preferences.sms_started" };
    Change::new(action, buyer).from(json!({ "smsStopped": !stops })).to(json!({ "smsStopped": stops }))
}

fn wishes(preferences: &Preferences) -> Value {
    json!({
        "emailOnLead": preferences.email_on_lead,
        "smsOnLead": preferences.sms_on_lead,
        "emailOnLowBalance": preferences.email_on_low_balance,
        "smsOnLowBalance": preferences.sms_on_low_balance,
        "emailOnReturn": preferences.email_on_return,
        "dailySummary": preferences.daily_summary,
        "smsAgreedAt": preferences.sms_agreed_at,
        "quietFrom": preferences.quiet.from,
        "quietUntil": preferences.quiet.until,
        "timeZone": preferences.time_zone.map(|zone| zone.name()),
        "version": preferences.version,
    })
}

fn webhook(endpoint: &Endpoint) -> Value {
    json!({
        "buyer": endpoint.buyer.to_string(),
        "name": endpoint.name,
        "url": place(&endpoint.url),
        "events": endpoint.events.iter().map(|event| event.text()).collect::<Vec<_>>(),
        "enabled": endpoint.enabled,
        "disabledReason": endpoint.disabled_reason,
        "version": endpoint.version,
    })
}

/// Scheme, host and port.
fn place(url: &str) -> String {
    Url::parse(url).map_or_else(|_| String::new(), |url| format!("{}/…", url.origin().ascii_serialization()))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn of_a_url_only_the_host_is_told() {
        assert_eq!(
            place("https://hooks.example.com:8443/services/T0/secret?token=x#y"),
            "https://hooks.example.com:8443/…"
        );
        assert_eq!(place("https://user:password@hooks.example.com"), "https://hooks.example.com/…");
        assert_eq!(place("nonsense"), "");
    }
}
