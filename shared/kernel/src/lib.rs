//! The words every service shares: typed ids, money, time, back-off and optimism. No I/O.
//!
//! Clock and randomness are arguments everywhere else, so this crate is the only place that reads
//! the system's clock ([`SystemClock`]) or makes ids from it.

mod backoff;
mod clock;
mod id;
mod money;
mod optimism;

pub use backoff::Backoff;
pub use clock::{Clock, ManualClock, SystemClock};
pub use id::{
    ApiKeyId, AssignmentId, AuditId, BuyerId, CampaignId, CardId, CategoryId, DeliveryId, EndpointId, ErasureId,
    EventId, Id, IdError, InvitationId, Kind, LeadId, MailId, MessageId, PaymentId, PostingId, RefundId, ReturnId,
    SellerId, SessionId, SubscriptionId, SupplierId, UserId,
};
pub use money::{Currency, Money, MoneyError};
pub use optimism::Optimism;
