//! Wire forms that answers and events share.

use leadflow_accounts_domain::Status;
use leadflow_contracts::common;

pub(crate) const fn status_to_proto(status: Status) -> common::Status {
    match status {
        Status::Active => common::Status::Active,
        Status::Paused => common::Status::Paused,
        Status::Archived => common::Status::Archived,
    }
}
