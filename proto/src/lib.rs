//! Every contract between services: events, gRPC services, subjects and streams.
//!
//! The `.proto` files under `leadflow/` are the source. A published version never changes meaning:
//! fields are added, never renumbered or reused; a breaking change is a new `vN` package beside the
//! old one. `samples/` holds one encoded message of every event as it was published, and a test
//! reads each back.

mod convert;
mod event;
mod json;
mod lead;
pub mod streams;
pub mod subjects;

pub use convert::{ConvertError, id, money, money_to_proto, optional_money, time_from_ms, time_to_ms};
pub use event::Event;
pub use json::to_json;
pub use lead::lead_of;

#[allow(
    missing_docs,
    rustdoc::invalid_html_tags,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated from the .proto files, which carry the comments"
)]
mod generated {
    /// Shared words.
    pub mod common {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("leadflow.common.v1");
        }
    }
    /// Events.
    pub mod events {
        /// Version 1.
        pub mod v1 {
            tonic::include_proto!("leadflow.events.v1");
        }
    }
    /// gRPC services.
    pub mod rpc {
        /// accounts.
        pub mod accounts {
            /// Version 1.
            pub mod v1 {
                tonic::include_proto!("leadflow.rpc.accounts.v1");
            }
        }
        /// Who changed what: of several services.
        pub mod audit {
            /// Version 1.
            pub mod v1 {
                tonic::include_proto!("leadflow.rpc.audit.v1");
            }
        }
        /// billing.
        pub mod billing {
            /// Version 1.
            pub mod v1 {
                tonic::include_proto!("leadflow.rpc.billing.v1");
            }
        }
        /// distribution.
        pub mod distribution {
            /// Version 1.
            pub mod v1 {
                tonic::include_proto!("leadflow.rpc.distribution.v1");
            }
        }
        /// notifier.
        pub mod notifier {
            /// Version 1.
            pub mod v1 {
                tonic::include_proto!("leadflow.rpc.notifier.v1");
            }
        }
    }
}

pub use generated::{
    common::v1 as common,
    events::v1 as events,
    rpc::{
        accounts::v1 as accounts, audit::v1 as audit, billing::v1 as billing, distribution::v1 as distribution,
        notifier::v1 as notifier,
    },
};

/// The encoded `FileDescriptorSet` of all contracts, for gRPC reflection and for printing events.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));
