//! Which sales a campaign takes back.

use leadflow_contracts::distribution as proto;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Which sales of a campaign may be undone.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReturnPolicy {
    /// Within so many days (of 24 hours) of the sale, 365 at most; 0: none.
    days: u32,
    /// Of what a buyer bought in the campaign in one month (of the seller's calendar), at most so many percent, rounded down; 100 when not
    /// given.
    #[serde(default = "all")]
    #[schema(maximum = 100)]
    max_share_percent_per_month: u32,
    /// What a buyer may give as his reason, such as `wrong_number`; at least one where there are days, 20 at most.
    #[serde(default)]
    reasons: Vec<String>,
    /// Approved at once.
    #[serde(default)]
    auto_approve: bool,
    /// A sale that is undone on its own day counts no more for the daily cap.
    #[serde(default)]
    counts_out_of_caps: bool,
    /// What becomes of a sale whose lead the buyer's own system refuses when it is delivered; nothing when not given.
    #[serde(default)]
    refusals: RefusalPolicy,
}

#[derive(Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RefusalPolicy {
    /// The sale is undone at once, whatever is said of returns.
    credited: bool,
    /// And the lead is for sale again, to whoever did not have it; not in broadcast. Only if credited.
    #[serde(default)]
    sold_on: bool,
    /// Of what a buyer bought in the campaign in one month, at most so many percent, rounded down; 1 to 100 if credited.
    #[serde(default)]
    #[schema(maximum = 100)]
    max_share_percent_per_month: u32,
}

const fn all() -> u32 {
    100
}

impl ReturnPolicy {
    pub(super) fn of(policy: proto::ReturnPolicy) -> Self {
        let refusals = policy.refusals.unwrap_or_default();
        Self {
            days: policy.days,
            max_share_percent_per_month: policy.max_share_percent_per_month,
            reasons: policy.reasons,
            auto_approve: policy.auto_approve,
            counts_out_of_caps: policy.counts_out_of_caps,
            refusals: RefusalPolicy {
                credited: refusals.credited,
                sold_on: refusals.sold_on,
                max_share_percent_per_month: refusals.max_share_percent_per_month,
            },
        }
    }

    pub(super) fn into_proto(self) -> proto::ReturnPolicy {
        proto::ReturnPolicy {
            days: self.days,
            max_share_percent_per_month: self.max_share_percent_per_month,
            reasons: self.reasons,
            auto_approve: self.auto_approve,
            counts_out_of_caps: self.counts_out_of_caps,
            refusals: Some(proto::RefusalPolicy {
                credited: self.refusals.credited,
                sold_on: self.refusals.sold_on,
                max_share_percent_per_month: self.refusals.max_share_percent_per_month,
            }),
        }
    }
}
