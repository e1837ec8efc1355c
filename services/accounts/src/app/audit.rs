//! What is written down of a change.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Buyer, Phone, Seller, Supplier, User};
use leadflow_kernel::{AuditId, Id, Kind, SellerId, UserId};
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::store::audit::{self, Entry};

/// A change on its way into the record.
pub(super) struct Change {
    action: &'static str,
    subject_id: String,
    actor: Option<UserId>,
    before: Option<Value>,
    after: Option<Value>,
}

impl Change {
    pub(super) fn new<K: Kind>(action: &'static str, subject: Id<K>) -> Self {
        Self { action, subject_id: subject.to_string(), actor: None, before: None, after: None }
    }

    pub(super) fn by(self, actor: impl Into<Option<UserId>>) -> Self {
        Self { actor: actor.into(), ..self }
    }

    pub(super) fn from(self, before: Value) -> Self {
        Self { before: Some(before), ..self }
    }

    pub(super) fn to(self, after: Value) -> Self {
        Self { after: Some(after), ..self }
    }

    /// Writes it in the open transaction; `seller_id` is the tenant that may read it.
    pub(super) async fn write(
        self,
        connection: &mut PgConnection,
        seller_id: Option<SellerId>,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let Self { action, subject_id, actor, before, after } = self;
        let id = AuditId::new();
        let entry = Entry { id, seller_id, at: now, actor, action: action.to_owned(), subject_id, before, after };
        audit::append(connection, &entry).await
    }
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

pub(super) fn seller(seller: &Seller) -> Value {
    json!({
        "companyName": seller.company_name.as_str(),
        "status": seller.status.code(),
        "timeZone": seller.time_zone.name(),
        "currency": seller.currency.code(),
        "platformFeePercent": seller.fee.to_string(),
        "postsPerSecond": seller.posts_per_second.get(),
    })
}

pub(super) fn buyer(buyer: &Buyer) -> Value {
    json!({
        "companyName": buyer.company_name.as_str(),
        "status": buyer.status.code(),
        "priority": buyer.priority.get(),
        "weeklySpendingLimit": buyer.weekly_limit.map(|limit| limit.money().amount().to_string()),
        "monthlySpendingLimit": buyer.monthly_limit.map(|limit| limit.money().amount().to_string()),
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
