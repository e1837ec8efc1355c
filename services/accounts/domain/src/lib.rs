//! Who takes part: sellers (tenants), their buyers, their suppliers and the suppliers' API keys; and the
//! people who sign in for them.
//!
//! Everything here is a decision over values: no I/O, no clock, no randomness.

mod allowance;
mod api_key;
mod buyer;
mod email;
mod error;
mod google;
mod invitation;
mod invite;
mod password;
mod seller;
mod session;
mod status;
mod supplier;
mod team;
mod token;
mod user;
mod values;

pub use allowance::{Allowance, AllowanceKind, AllowanceState};
pub use api_key::{ApiKey, KeyText, MAX_LIVE_KEYS, MAX_OVERLAP_SECONDS, RANDOM_BYTES};
pub use buyer::{Buyer, BuyerChange, LimitChange, NewBuyer};
pub use email::Email;
pub use error::{Invalid, Reason, Refusal};
pub use google::{Attempt, Entry, Expected, GooglePerson, IdToken, Namesake, TokenRefusal, Wish};
pub use invitation::{Invitation, Invited};
pub use invite::{INVITE_BYTES, Invite, InviteText};
pub use password::{Password, PasswordRules};
pub use seller::{NewSeller, Seller, SellerChange};
pub use session::{Session, SessionRules};
pub use status::Status;
pub use supplier::{Categories, KeyMaterial, NewSupplier, Supplier, SupplierChange};
pub use team::{Team, TeamRefusal};
pub use token::{MailKind, TokenText};
pub use user::{Member, NewUser, Phone, Place, Role, User};
pub use values::{FeePercent, Name, PostsPerSecond, Priority, RetentionDays, SpendingLimit, TimeZone};
