//! Who takes part: sellers (tenants), their buyers, their suppliers and the suppliers' API keys.
//!
//! Everything here is a decision over values: no I/O, no clock, no randomness.

mod api_key;
mod buyer;
mod error;
mod seller;
mod status;
mod supplier;
mod values;

pub use api_key::{ApiKey, KeyText, MAX_LIVE_KEYS, MAX_OVERLAP_SECONDS, RANDOM_BYTES};
pub use buyer::{Buyer, BuyerChange, LimitChange, NewBuyer};
pub use error::{Invalid, Reason, Refusal};
pub use seller::{NewSeller, Seller, SellerChange};
pub use status::Status;
pub use supplier::{Categories, KeyMaterial, NewSupplier, Supplier, SupplierChange};
pub use values::{FeePercent, Name, PostsPerSecond, Priority, SpendingLimit, TimeZone};
