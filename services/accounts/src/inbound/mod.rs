//! What comes in: gRPC calls.

mod convert;
pub mod grpc;
