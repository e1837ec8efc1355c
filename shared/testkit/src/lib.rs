//! Real servers for tests and for a machine of one's own: starts private PostgreSQL and
//! nats-server processes, gives each test its own database and streams, cuts its connections, and
//! waits for what should come true.
//!
//! Nothing here knows a service or speaks NATS: it only starts processes and talks SQL.

mod balancer;
pub mod books;
pub mod cluster;
mod db;
mod guard;
pub mod hostile;
mod nats;
pub mod proxy;
pub mod servers;
mod shared;
mod statements;
mod tempdir;
pub mod tenancy;
pub mod wait;

pub use balancer::Balancer;
pub use db::TestDb;
pub use nats::TestNats;
pub use proxy::ChaosProxy;
pub use shared::TestServers;
pub use statements::StatementCounter;
pub use tempdir::TempDir;
