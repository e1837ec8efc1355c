//! What the demo tenant's supplier needs: made once, shown again at every `up`.

use std::fs;

use serde::{Deserialize, Serialize};

use super::layout::{Layout, write_private};

/// A supplier that can post right away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemoTenant {
    /// The header `X-API-Key`.
    pub supplier_key: String,
    /// Where its leads go.
    pub campaign_id: String,
    /// A body that the campaign accepts, as JSON.
    pub body: String,
}

/// The tenant made by an earlier `up`.
pub fn load(layout: &Layout) -> Option<DemoTenant> {
    serde_json::from_str(&fs::read_to_string(layout.demo()).ok()?).ok()
}

/// Keeps the tenant for the next `up`.
pub fn save(layout: &Layout, tenant: &DemoTenant) -> anyhow::Result<()> {
    write_private(&layout.demo(), &serde_json::to_string_pretty(tenant)?)
}
