//! Records as the directory events that tell of them: always the whole state.

use chrono::{DateTime, Utc};
use leadflow_accounts_domain::{Buyer, Seller, SpendingLimit, Supplier};
use leadflow_contracts::{
    common,
    events::{ApiKey, BuyerChanged, BuyerContact, SellerChanged, SupplierChanged},
    money_to_proto, time_to_ms,
};

use crate::{store::contacts::Contact, wire::status_to_proto};

/// `seller.changed.<id>`
#[must_use]
pub fn seller_changed(seller: &Seller) -> SellerChanged {
    SellerChanged {
        seller_id: seller.id.to_string(),
        version: seller.version,
        company_name: seller.company_name.as_str().to_owned(),
        status: status_to_proto(seller.status).into(),
        time_zone: seller.time_zone.name().to_owned(),
        currency: seller.currency.code().to_owned(),
        platform_fee_percent: seller.fee.to_string(),
        posts_per_second: seller.posts_per_second.get(),
        retention_days: seller.retention.get(),
    }
}

/// `buyer.changed.<id>`
#[must_use]
pub fn buyer_changed(buyer: &Buyer) -> BuyerChanged {
    let limit = |limit: Option<SpendingLimit>| -> Option<common::Money> { limit.map(|l| money_to_proto(l.money())) };
    BuyerChanged {
        buyer_id: buyer.id.to_string(),
        seller_id: buyer.seller_id.to_string(),
        version: buyer.version,
        company_name: buyer.company_name.as_str().to_owned(),
        status: status_to_proto(buyer.status).into(),
        priority: buyer.priority.get().into(),
        weekly_spending_limit: limit(buyer.weekly_limit),
        monthly_spending_limit: limit(buyer.monthly_limit),
    }
}

/// `buyer.contact.<id>`
#[must_use]
pub fn buyer_contact(contact: &Contact) -> BuyerContact {
    BuyerContact {
        buyer_id: contact.buyer_id.to_string(),
        seller_id: contact.seller_id.to_string(),
        version: contact.version,
        name: contact.name.clone(),
        email: contact.email.clone(),
        email_verified: contact.email_verified,
        phone: contact.phone.clone(),
    }
}

/// `supplier.changed.<id>`, with the keys that work at `now`.
#[must_use]
pub fn supplier_changed(supplier: &Supplier, now: DateTime<Utc>) -> SupplierChanged {
    SupplierChanged {
        supplier_id: supplier.id.to_string(),
        seller_id: supplier.seller_id.to_string(),
        version: supplier.version,
        name: supplier.name.as_str().to_owned(),
        status: status_to_proto(supplier.status).into(),
        category_ids: supplier.categories.ids().iter().map(ToString::to_string).collect(),
        keys: supplier
            .live_keys(now)
            .map(|key| ApiKey {
                key_id: key.id.to_string(),
                sha256: key.sha256.to_vec().into(),
                expires_at_ms: key.expires_at.map_or(0, time_to_ms),
            })
            .collect(),
        posts_per_second: supplier.posts_per_second.get(),
    }
}
