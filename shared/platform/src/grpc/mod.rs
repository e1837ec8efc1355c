//! gRPC between services: who calls, for which tenant, with which deadline, under which trace.

mod auth;
mod channel;
mod client;
mod replicas;
mod server;

pub use auth::{ACTOR, ACTOR_ROLE, ServiceToken, actor, optional_tenant, tenant, traceparent};
pub use channel::Channel;
pub use client::{Caller, ChannelError, answers, channel};
pub use server::{Guard, builder, guard, serve};

use tonic::{Code, Status};

/// A status with a stable code in its message: `"<code>: <sentence>"`.
#[must_use]
pub fn status(code: Code, stable: &str, sentence: impl std::fmt::Display) -> Status {
    Status::new(code, format!("{stable}: {sentence}"))
}

/// The stable code of a status made by [`status`].
#[must_use]
pub fn stable_code(status: &Status) -> &str {
    status.message().split_once(": ").map_or("", |(code, _)| code)
}
