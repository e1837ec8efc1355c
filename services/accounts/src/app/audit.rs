//! What is written down of a change.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Buyer, Invitation, Member, Phone, Place, Seller, Supplier, User};
use leadflow_platform::audit::{Actor, ActorRole, Trail};
use serde_json::{Value, json};

pub(super) use leadflow_platform::audit::Change;

/// Where it is written down.
pub(super) const TRAIL: Trail = Trail::new(crate::SCHEMA);

/// Somebody who acts for himself.
pub(super) fn actor(user: &User) -> Actor {
    let role = match user.place {
        Place::Seller(_, Member::Owner) => ActorRole::Owner,
        Place::Seller(_, Member::Manager) => ActorRole::Manager,
        Place::Seller(_, Member::Viewer) => ActorRole::Viewer,
        Place::Buyer(..) => ActorRole::Buyer,
        Place::Supplier(..) => ActorRole::Supplier,
        Place::Admin => ActorRole::Admin,
    };
    Actor { user: user.id, role: Some(role) }
}

pub(super) fn user(user: &User) -> Value {
    json!({
        "email": user.email.as_str(),
        "name": user.name.as_str(),
        "phone": user.phone.as_ref().map(Phone::as_str),
        "role": user.place.role().code(),
        "member": user.place.member().code(),
        "emailVerified": user.email_verified,
    })
}

/// The token is in none.
pub(super) fn invitation(invitation: &Invitation) -> Value {
    let place = invitation.invited.place(invitation.seller_id);
    json!({
        "email": invitation.email.as_str(),
        "role": place.role().code(),
        "member": place.member().code(),
        "supplier": place.supplier_id().map(|id| id.to_string()),
        "expiresAt": invitation.expires_at,
    })
}

pub(super) fn seller(seller: &Seller) -> Value {
    json!({
        "companyName": seller.company_name.as_str(),
        "status": seller.status.code(),
        "timeZone": seller.time_zone.name(),
        "currency": seller.currency.code(),
        "platformFeePercent": seller.fee.to_string(),
        "postsPerSecond": seller.posts_per_second.get(),
        "retentionDays": seller.retention.get(),
    })
}

pub(super) fn buyer(buyer: &Buyer) -> Value {
    json!({
        "companyName": buyer.company_name.as_str(),
        "status": buyer.status.code(),
        "priority": buyer.priority.get(),
        "weeklySpendingLimit": buyer.weekly_limit.map(|limit| format!("{:.2}", limit.money().amount())),
        "monthlySpendingLimit": buyer.monthly_limit.map(|limit| format!("{:.2}", limit.money().amount())),
    })
}

/// Of keys only what shows which they are.
pub(super) fn supplier(supplier: &Supplier, now: DateTime<Utc>) -> Value {
    json!({
        "name": supplier.name.as_str(),
        "status": supplier.status.code(),
        "categories": supplier.categories.ids().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "postsPerSecond": supplier.posts_per_second.get(),
        "keys": supplier.live_keys(now).map(|key| json!({"id": key.id.to_string(), "hint": key.hint})).collect::<Vec<_>>(),
    })
}
