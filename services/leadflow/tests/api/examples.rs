//! For each route a request that it carries out for those who may.

use http::Method;
use serde_json::{Value, json};

use crate::world::{PASSWORD, Tenant};

/// A request that its route carries out for those who may.
pub struct Example {
    pub path: String,
    pub body: Option<Value>,
    /// The success's status.
    pub status: u16,
    /// Whether it names records of the tenant, so that nobody of another one may succeed.
    pub names_records: bool,
}

fn plain(path: &str, status: u16) -> Example {
    Example { path: path.to_owned(), body: None, status, names_records: false }
}

fn with(path: &str, body: Value, status: u16) -> Example {
    Example { body: Some(body), ..plain(path, status) }
}

fn on_record(path: String, body: Option<Value>, status: u16) -> Example {
    Example { path, body, status, names_records: true }
}

/// Ids of the tenant that are for one request alone.
pub struct Own<'a> {
    pub tenant: &'a Tenant,
    pub buyer_id: &'a str,
    /// The session of whoever the route is tried for.
    pub session_id: String,
    pub invitation: &'a str,
    pub member: &'a str,
    pub suppliers_invitation: &'a str,
    pub suppliers_person: &'a str,
    /// What the buyer bought, and asked back.
    pub assignment: &'a str,
    pub returned: &'a str,
    /// A tenant that nobody else is tried with.
    pub spare_seller: &'a str,
    /// The buyer's.
    pub card: &'a str,
    /// The buyer's.
    pub payment: &'a str,
    /// The buyer's webhook, once its routes are tried, and a delivery to it that has ended.
    pub endpoint: &'a str,
    pub delivery: &'a str,
    /// One that the owner asked for.
    pub erasure: &'a str,
    pub unique: u32,
}

/// The request of a route's line.
pub fn example(method: &Method, path: &str, own: &Own<'_>) -> Option<Example> {
    let t = own.tenant;
    let n = own.unique;
    Some(match (method.as_str(), path) {
        ("GET", "/api/openapi.json" | "/api/docs") => plain(path, 200),
        ("POST", "/api/auth/register") => {
            let body = json!({ "email": format!("m{n}@seller.example"), "password": PASSWORD, "name": "M", "role": "SELLER", "companyName": "M" });
            with(path, body, 201)
        }
        ("POST", "/api/auth/login") => with(path, json!({ "email": t.seller.email, "password": PASSWORD }), 200),
        ("GET", "/api/auth/google") => plain(path, 302),
        // Only a browser that has been at Google has what it takes.
        ("GET", "/api/auth/callback/google") => plain(path, 401),
        ("POST", "/api/auth/forgot-password") => with(path, json!({ "email": "nobody@example.com" }), 202),
        // Only somebody with the mail has the token.
        ("POST", "/api/auth/reset-password") => with(path, json!({ "token": "no", "password": PASSWORD }), 404),
        ("POST", "/api/auth/verify-email") => with(path, json!({ "token": "no" }), 404),
        ("GET", "/api/auth/verify-invite") => plain(&format!("{path}?code={}", t.invite_code), 200),
        ("POST", "/api/auth/logout") => plain(path, 204),
        ("GET", "/api/auth/session" | "/api/auth/sessions") => plain(path, 200),
        ("PUT", "/api/auth/profile") => with(path, json!({ "name": "Same" }), 200),
        ("POST", "/api/auth/change-password") => {
            with(path, json!({ "oldPassword": PASSWORD, "newPassword": PASSWORD }), 200)
        }
        ("POST", "/api/auth/send-verification") => plain(path, 202),
        ("DELETE", "/api/auth/sessions") => plain(path, 200),
        ("DELETE", "/api/auth/sessions/{id}") => on_record(format!("/api/auth/sessions/{}", own.session_id), None, 204),
        ("GET", "/api/auth/invite-code" | "/api/events") => plain(path, 200),
        ("POST", "/api/auth/invite-code") => with(path, json!({}), 201),
        ("GET", "/api/team" | "/api/privacy/retention") => plain(path, 200),
        ("POST", "/api/privacy/erasures") => with(path, json!({ "email": "nobody@example.com" }), 202),
        ("GET", "/api/privacy/erasures/{id}") => on_record(format!("/api/privacy/erasures/{}", own.erasure), None, 200),
        ("PUT", "/api/privacy/retention") => with(path, json!({ "days": 365 }), 200),
        ("POST", "/api/team/invitations") => {
            with(path, json!({ "email": format!("m{n}@invited.example"), "role": "VIEWER" }), 201)
        }
        // Only somebody with the mail has the token.
        ("POST", "/api/team/invitations/accept") => {
            with(path, json!({ "token": "no", "password": PASSWORD, "name": "No" }), 404)
        }
        ("DELETE", "/api/team/invitations/{id}") => {
            on_record(format!("/api/team/invitations/{}", own.invitation), None, 204)
        }
        ("PUT", "/api/team/{id}") => {
            on_record(format!("/api/team/{}", own.member), Some(json!({ "role": "MANAGER" })), 200)
        }
        ("DELETE", "/api/team/{id}") => on_record(format!("/api/team/{}", own.member), None, 204),
        ("POST", "/api/suppliers/{id}/invite") => {
            let body = json!({ "email": format!("s{n}@invited.example") });
            on_record(format!("/api/suppliers/{}/invite", t.supplier), Some(body), 201)
        }
        ("GET", "/api/suppliers/{id}/people") => on_record(format!("/api/suppliers/{}/people", t.supplier), None, 200),
        ("DELETE", "/api/suppliers/{id}/people/{userId}") => {
            on_record(format!("/api/suppliers/{}/people/{}", t.supplier, own.suppliers_person), None, 204)
        }
        ("DELETE", "/api/suppliers/{id}/invitations/{invitationId}") => {
            on_record(format!("/api/suppliers/{}/invitations/{}", t.supplier, own.suppliers_invitation), None, 204)
        }
        ("GET", "/api/audit" | "/api/admin/audit" | "/api/admin/sellers") => plain(path, 200),
        ("GET", "/api/admin/sellers/{id}") => plain(&format!("/api/admin/sellers/{}", own.spare_seller), 200),
        ("GET", "/api/admin/sellers/{id}/usage-terms") => {
            plain(&format!("/api/admin/sellers/{}/usage-terms", own.spare_seller), 200)
        }
        ("PUT", "/api/admin/sellers/{id}/usage-terms") => {
            with(&format!("/api/admin/sellers/{}/usage-terms", own.spare_seller), json!({ "smsMarkupPercent": 5 }), 200)
        }
        ("POST", "/api/admin/sellers/{id}/suspend") => {
            plain(&format!("/api/admin/sellers/{}/suspend", own.spare_seller), 200)
        }
        ("POST", "/api/admin/sellers/{id}/reactivate") => {
            plain(&format!("/api/admin/sellers/{}/reactivate", own.spare_seller), 200)
        }
        // The buyer is another tenant's: whoever may is told so.
        ("POST", "/api/admin/sellers/{id}/refund") => {
            let body = json!({ "buyerId": own.buyer_id, "amount": 1, "reason": "matrix" });
            with(&format!("/api/admin/sellers/{}/refund", own.spare_seller), body, 404)
        }
        ("GET", "/api/categories" | "/api/campaigns" | "/api/buyers" | "/api/suppliers" | "/api/leads") => {
            plain(path, 200)
        }
        ("POST", "/api/categories") => with(path, json!({ "name": format!("Kind {n}"), "fields": [] }), 201),
        ("GET", "/api/categories/{id}") => on_record(format!("/api/categories/{}", t.category), None, 200),
        ("PUT", "/api/categories/{id}") => {
            on_record(format!("/api/categories/{}", t.category), Some(json!({ "name": "Medicare" })), 200)
        }
        // A category that a campaign needs cannot go: whoever may is told so.
        ("DELETE", "/api/categories/{id}") => on_record(format!("/api/categories/{}", t.category), None, 409),
        ("POST", "/api/campaigns") => {
            let body =
                json!({ "categoryId": t.category, "name": "C", "pricePerLead": 1, "distributionLogic": "BROADCAST" });
            on_record(path.to_owned(), Some(body), 201)
        }
        ("GET", "/api/campaigns/{id}") => on_record(format!("/api/campaigns/{}", t.campaign), None, 200),
        ("PUT", "/api/campaigns/{id}") => {
            on_record(format!("/api/campaigns/{}", t.campaign), Some(json!({ "description": "D" })), 200)
        }
        ("DELETE", "/api/campaigns/{id}") => on_record(format!("/api/campaigns/{}", t.campaign), None, 200),
        // The buyer has one already.
        ("POST", "/api/campaigns/subscribe") => {
            on_record(path.to_owned(), Some(json!({ "campaignId": t.campaign })), 409)
        }
        ("PUT", "/api/campaigns/subscribe") => {
            on_record(path.to_owned(), Some(json!({ "subscriptionId": t.subscription, "dailyCap": 5 })), 200)
        }
        ("DELETE", "/api/campaigns/subscribe") => on_record(format!("{path}?id={}", t.subscription), None, 200),
        ("POST", "/api/buyers") => with(path, json!({ "companyName": format!("Buyer {n}") }), 201),
        ("GET", "/api/buyers/{id}") => on_record(format!("/api/buyers/{}", own.buyer_id), None, 200),
        ("PUT", "/api/buyers/{id}") => {
            on_record(format!("/api/buyers/{}", own.buyer_id), Some(json!({ "priority": 7 })), 200)
        }
        ("DELETE", "/api/buyers/{id}") => on_record(format!("/api/buyers/{}", own.buyer_id), None, 200),
        ("POST", "/api/buyers/{id}/credits") => {
            let body = json!({ "amount": 1, "reason": "matrix" });
            on_record(format!("/api/buyers/{}/credits", own.buyer_id), Some(body), 201)
        }
        ("POST", "/api/buyers/{id}/refund") => {
            let body = json!({ "amount": 1, "reason": "matrix" });
            on_record(format!("/api/buyers/{}/refund", own.buyer_id), Some(body), 201)
        }
        ("POST", "/api/suppliers") => {
            on_record(path.to_owned(), Some(json!({ "name": format!("S{n}"), "categories": [t.category] })), 201)
        }
        ("GET", "/api/suppliers/{id}") => on_record(format!("/api/suppliers/{}", t.supplier), None, 200),
        ("PUT", "/api/suppliers/{id}") => {
            on_record(format!("/api/suppliers/{}", t.supplier), Some(json!({ "name": "Clicks" })), 200)
        }
        ("DELETE", "/api/suppliers/{id}") => on_record(format!("/api/suppliers/{}", t.supplier), None, 200),
        ("POST", "/api/suppliers/{id}/rotate-key") => {
            on_record(format!("/api/suppliers/{}/rotate-key", t.supplier), Some(json!({})), 200)
        }
        // Judged by the gateway, by key alone: see `keys`.
        ("POST" | "GET", "/api/leads/ingest") | ("GET", "/api/leads/ingest/{id}") => plain(path, 401),
        // It was asked back already: whoever may is told so.
        ("POST", "/api/leads/{id}/return") => {
            on_record(format!("/api/leads/{}/return", own.assignment), Some(json!({ "reason": "wrong_number" })), 409)
        }
        ("GET", "/api/returns") => plain(path, 200),
        ("GET", "/api/returns/{id}") => on_record(format!("/api/returns/{}", own.returned), None, 200),
        ("POST", "/api/returns/{id}/approve") => {
            on_record(format!("/api/returns/{}/approve", own.returned), Some(json!({ "note": "yes" })), 200)
        }
        // It was approved a line before.
        ("POST", "/api/returns/{id}/reject") => {
            on_record(format!("/api/returns/{}/reject", own.returned), Some(json!({ "note": "no" })), 409)
        }
        ("GET", "/api/leads/{id}") => on_record(format!("/api/leads/{}", t.lead), None, 200),
        (
            "GET",
            "/api/payments/wallet" | "/api/notifications/preferences" | "/api/reports" | "/api/reports/ledger.csv",
        ) => plain(path, 200),
        ("PUT", "/api/payments/wallet") => with(path, json!({ "autoRechargeEnabled": false }), 200),
        ("POST", "/api/payments/wallet") => with(path, json!({ "amount": 50 }), 200),
        ("GET", "/api/payments/methods") => plain(path, 200),
        ("POST", "/api/payments/methods") => with(path, json!({ "paymentMethodId": "pm_card_visa" }), 201),
        ("PUT", "/api/payments/methods") => {
            on_record(path.to_owned(), Some(json!({ "paymentMethodId": own.card })), 200)
        }
        ("DELETE", "/api/payments/methods") => on_record(format!("{path}?id={}", own.card), None, 200),
        ("POST", "/api/payments/setup-intent") => plain(path, 200),
        ("GET", "/api/payments/{id}") => on_record(format!("/api/payments/{}", own.payment), None, 200),
        // Only Stripe can sign.
        ("POST", "/api/webhooks/stripe") => with(path, json!({}), 400),
        // There is no webhook to send to: whoever may is told so.
        ("POST", "/api/notifications/preferences/test-webhook") => plain(path, 404),
        ("GET", "/api/notifications/messages" | "/api/notifications/unsubscribe") => plain(path, 200),
        ("GET", "/api/buyers/{id}/messages") => on_record(format!("/api/buyers/{}/messages", own.buyer_id), None, 200),
        // Only somebody with the mail has the token.
        ("POST", "/api/notifications/unsubscribe") => with(path, json!({ "token": "no" }), 404),
        // Without a key nobody can sign.
        ("POST", "/api/webhooks/sendgrid" | "/api/webhooks/twilio/status" | "/api/webhooks/twilio/inbound") => {
            with(path, json!({}), 409)
        }
        ("PUT", "/api/notifications/preferences") => with(path, json!({ "webhookEnabled": false }), 200),
        ("GET", "/api/notifications/endpoints" | "/api/notifications/deliveries") => plain(path, 200),
        ("POST", "/api/notifications/endpoints") => with(path, json!({ "url": "http://127.0.0.1:9/hook" }), 201),
        ("PUT", "/api/notifications/endpoints/{id}") => {
            on_record(format!("/api/notifications/endpoints/{}", own.endpoint), Some(json!({ "name": "CRM" })), 200)
        }
        ("DELETE", "/api/notifications/endpoints/{id}") => {
            on_record(format!("/api/notifications/endpoints/{}", own.endpoint), None, 204)
        }
        ("POST", "/api/notifications/endpoints/{id}/test") => {
            on_record(format!("/api/notifications/endpoints/{}/test", own.endpoint), None, 200)
        }
        ("POST", "/api/notifications/endpoints/{id}/rotate-secret") => {
            on_record(format!("/api/notifications/endpoints/{}/rotate-secret", own.endpoint), Some(json!({})), 200)
        }
        ("POST", "/api/notifications/endpoints/{id}/replay") => {
            let body = json!({ "from": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z" });
            on_record(format!("/api/notifications/endpoints/{}/replay", own.endpoint), Some(body), 200)
        }
        ("GET", "/api/buyers/{id}/endpoints") => {
            on_record(format!("/api/buyers/{}/endpoints", own.buyer_id), None, 200)
        }
        ("GET", "/api/buyers/{id}/deliveries") => {
            on_record(format!("/api/buyers/{}/deliveries", own.buyer_id), None, 200)
        }
        ("POST", "/api/notifications/deliveries/{id}/replay") => {
            on_record(format!("/api/notifications/deliveries/{}/replay", own.delivery), None, 200)
        }
        _ => return None,
    })
}
