//! E-mails and text messages: what there is to tell, who wants to hear of it, and when it is tried again.

mod day;
mod fields;
mod kind;
mod news;
mod pace;
mod plain;
mod quiet;
mod resend;
mod turns;
mod wishes;

pub use day::{day_bounds, day_to_sum_up};
pub use fields::{initial, person, readable_fields};
pub use kind::{Channel, MessageKind};
pub use news::{DaySummary, LeadNews, News, amount};
pub use pace::Pace;
pub use plain::{plain, plain_name};
pub use quiet::quiet_until;
pub use resend::{MESSAGE_RETRY_AFTER_CAP, message_pause};
pub use turns::Turns;
pub use wishes::Wishes;
