//! The chassis as its callers meet it.

mod database;
mod grpc;
mod http;
mod leaving;
mod panics;
mod tenants;
