//! Objects as API version 2026-09-30.endive shows them.

use chrono::{DateTime, Utc};
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use super::{
    cards::{self, TestCard},
    core::Core,
    model::{Customer, Event, Methods, PaymentIntent, PaymentMethod, SetupIntent},
};

/// The version of the API that this is.
pub const API_VERSION: &str = "2026-09-30.endive";

pub(super) fn time(at: DateTime<Utc>) -> Value {
    at.timestamp().into()
}

/// The card of a payment method; numbers were checked when it was made.
pub(super) fn card_of(method: &PaymentMethod) -> &'static TestCard {
    cards::CARDS.iter().find(|card| card.number == method.number).unwrap_or(&cards::CARDS[0])
}

pub(super) fn last4(number: &str) -> &str {
    number.get(number.len().saturating_sub(4)..).unwrap_or(number)
}

/// One print a number, as at Stripe, so that the same card is known again.
pub(super) fn fingerprint(number: &str) -> String {
    hex::encode(&digest(&SHA256, number.as_bytes()).as_ref()[..8])
}

pub(super) fn billing_details(name: Option<&str>, email: Option<&str>) -> Value {
    json!({
        "address": { "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null },
        "email": email, "name": name, "phone": null, "tax_id": null
    })
}

pub(super) fn checks() -> Value {
    json!({ "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" })
}

/// An error that an intent keeps, with the payment method that it came from.
fn last_error(core: &Core, error: Option<&Map<String, Value>>) -> Value {
    let Some(error) = error else { return Value::Null };
    let mut error = error.clone();
    if let Some(method) = error.get("payment_method").and_then(Value::as_str).and_then(|id| core.methods.get(id)) {
        error.insert("payment_method".to_owned(), core.show_method(method));
    }
    error.into()
}

fn methods(methods: &Methods) -> (Value, Value, Value) {
    match methods {
        Methods::Named(types) => (json!(types), Value::Null, Value::Null),
        Methods::Automatic { redirects } => {
            let allow = if *redirects { "always" } else { "never" };
            let details = json!({ "id": "pmc_1LeadFlowSandbox00000000", "parent": null });
            (json!(["card"]), json!({ "allow_redirects": allow, "enabled": true }), details)
        }
    }
}

impl Core {
    pub(super) fn show_customer(&self, row: &Customer) -> Value {
        json!({
            "id": row.id, "object": "customer", "address": null, "balance": 0, "created": time(row.created),
            "currency": null, "customer_account": null, "default_source": null, "delinquent": false,
            "description": row.description, "discount": null, "email": row.email,
            "invoice_prefix": fingerprint(&row.id).get(..8).unwrap_or_default().to_ascii_uppercase(),
            "invoice_settings": {
                "custom_fields": null, "default_payment_method": row.default_method, "footer": null, "rendering_options": null
            },
            "livemode": false, "metadata": row.metadata, "name": row.name, "next_invoice_sequence": 1,
            "phone": row.phone, "preferred_locales": [], "shipping": null, "tax_exempt": "none", "test_clock": null
        })
    }

    pub(super) fn show_method(&self, row: &PaymentMethod) -> Value {
        let card = card_of(row);
        json!({
            "id": row.id, "object": "payment_method", "allow_redisplay": "unspecified",
            "billing_details": billing_details(row.name.as_deref(), row.email.as_deref()),
            "card": {
                "brand": card.brand, "checks": checks(), "country": "US", "display_brand": card.brand,
                "exp_month": row.exp_month, "exp_year": row.exp_year, "fingerprint": fingerprint(&row.number),
                "funding": "credit", "generated_from": null, "last4": last4(&row.number),
                "networks": { "available": [card.brand], "preferred": null }, "regulated_status": "unregulated",
                "three_d_secure_usage": { "supported": true }, "wallet": null
            },
            "created": time(row.created), "customer": row.customer, "customer_account": null, "livemode": false,
            "metadata": row.metadata, "type": "card"
        })
    }

    /// What the front end has to do next: Stripe's own script, or a visit of the page.
    fn next_action(&self, id: &str, secret: &str, status: &str, return_url: Option<&str>) -> Value {
        if status != "requires_action" {
            return Value::Null;
        }
        let page = format!("{}/stripe/authenticate/{id}?client_secret={secret}", self.settings.address);
        match return_url {
            Some(back) => {
                json!({ "type": "redirect_to_url", "redirect_to_url": { "return_url": back, "url": page } })
            }
            None => json!({
                "type": "use_stripe_sdk", "use_stripe_sdk": { "type": "three_d_secure_redirect", "stripe_js": page }
            }),
        }
    }

    pub(super) fn show_setup(&self, row: &SetupIntent) -> Value {
        let (types, automatic, configuration) = methods(&row.methods);
        json!({
            "id": row.id, "object": "setup_intent", "application": null, "automatic_payment_methods": automatic,
            "cancellation_reason": row.cancellation_reason, "client_secret": row.client_secret, "created": time(row.created),
            "customer": row.customer, "customer_account": null, "description": row.description,
            "excluded_payment_method_types": null, "flow_directions": null,
            "last_setup_error": last_error(self, row.last_error.as_ref()), "latest_attempt": null, "livemode": false,
            "mandate": null, "metadata": row.metadata,
            "next_action": self.next_action(&row.id, &row.client_secret, &row.status, row.return_url.as_deref()),
            "on_behalf_of": null, "payment_method": row.payment_method,
            "payment_method_configuration_details": configuration,
            "payment_method_options": { "card": { "mandate_options": null, "network": null, "request_three_d_secure": "automatic" } },
            "payment_method_types": types, "single_use_mandate": null, "status": row.status, "usage": row.usage
        })
    }

    pub(super) fn show_intent(&self, row: &PaymentIntent) -> Value {
        let (types, automatic, configuration) = methods(&row.methods);
        json!({
            "id": row.id, "object": "payment_intent", "amount": row.amount, "amount_capturable": 0,
            "amount_details": { "tip": {} }, "amount_received": row.amount_received, "application": null,
            "application_fee_amount": null, "automatic_payment_methods": automatic,
            "canceled_at": row.canceled_at.map(time), "cancellation_reason": row.cancellation_reason,
            "capture_method": "automatic_async", "client_secret": row.client_secret, "confirmation_method": "automatic",
            "created": time(row.created), "currency": row.currency, "customer": row.customer, "customer_account": null,
            "description": row.description, "excluded_payment_method_types": null,
            "last_payment_error": last_error(self, row.last_error.as_ref()), "latest_charge": row.latest_charge,
            "livemode": false, "metadata": row.metadata,
            "next_action": self.next_action(&row.id, &row.client_secret, &row.status, row.return_url.as_deref()),
            "on_behalf_of": null, "payment_method": row.payment_method,
            "payment_method_configuration_details": configuration,
            "payment_method_options": {
                "card": { "installments": null, "mandate_options": null, "network": null, "request_three_d_secure": "automatic" }
            },
            "payment_method_types": types, "processing": null, "receipt_email": row.receipt_email, "review": null,
            "setup_future_usage": row.setup_future_usage, "shipping": null, "source": null,
            "statement_descriptor": row.statement_descriptor, "statement_descriptor_suffix": row.statement_descriptor_suffix,
            "status": row.status, "transfer_data": null, "transfer_group": null
        })
    }

    pub(super) fn show_event(&self, row: &Event) -> Value {
        let mut data = json!({ "object": row.object });
        if let Some(previous) = &row.previous {
            data["previous_attributes"] = previous.clone();
        }
        json!({
            "id": row.id, "object": "event", "api_version": API_VERSION, "created": time(row.created), "data": data,
            "livemode": false, "pending_webhooks": u8::from(self.webhooks.waits(&row.id)),
            "request": { "id": row.request, "idempotency_key": row.key }, "type": row.kind
        })
    }
}
