//! The chassis as its callers meet it.

mod database;
mod grpc;
mod http;
mod tenants;
