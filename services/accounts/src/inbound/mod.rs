//! What comes in: gRPC calls.

mod convert;
pub mod grpc;
pub mod people;
mod people_convert;
