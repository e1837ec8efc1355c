//! Who changed what. Each service writes its own changes down in its own schema, in the transaction of the
//! change, and answers for them; what an entry is, how it is stored and how it is asked for is the same everywhere.

mod actor;
mod service;
mod trail;

pub use actor::{Actor, ActorRole};
pub use service::{Service, server};
pub use trail::{Change, Entry, EntryKey, Trail};
