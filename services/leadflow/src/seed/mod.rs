//! Makes tenants through the services' own commands: the one that `up` shows, and whatever else needs
//! a market to sell leads in.

mod cards;
mod demo_tenant;
mod http;
mod market;
mod places;

pub use demo_tenant::{demo_tenant, fields};
pub use http::Http;
pub use market::{BuyerSpec, CampaignSpec, Market, REASONS, SubscriptionSpec};
pub use places::Places;
