//! The transactional outbox: an event is written in the transaction that makes it true and
//! published after that has committed.
//!
//! One row holds all events of one transaction. After the commit the same process publishes them
//! from memory and deletes the row ([`Relay::send`]), so nothing is read back. What a crash leaves
//! behind is found by the sweeper ([`Relay::sweep`]), which looks for rows that are still there some
//! seconds later: deleting on publish, not a high-water mark, because a slower transaction may
//! commit a smaller number later. An event can be published twice; its id lets the stream and the
//! consumers' inboxes see that.
//!
//! Events of `DIRECTORY` subjects replace each other, so their order matters: they are only ever
//! published by one holder of an advisory lock, in the order of `seq` ([`Relay::sweep_ordered`]).

mod batch;
mod relay;
mod store;

pub(crate) use batch::{decode, encode};
pub use relay::Relay;
pub use store::{Outbox, Pending, Rows};
