//! E-mails and text messages: what there is to tell, who wants to hear of it, and when it is tried again.

mod kind;
mod pace;
mod resend;
mod wishes;

pub use kind::{Channel, MessageKind};
pub use pace::Pace;
pub use resend::{MESSAGE_RETRY_AFTER_CAP, message_pause};
pub use wishes::Wishes;
