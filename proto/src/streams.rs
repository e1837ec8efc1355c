//! Names of streams and durable consumers.

/// `lead.>`
pub const LEADS: &str = "LEADS";
/// `wallet.>`, `payment.>`
pub const BILLING: &str = "BILLING";
/// `notification.>`, `usage.>`
pub const NOTIFY: &str = "NOTIFY";
/// `seller.>`, `buyer.>`, `supplier.>`, `category.>`, `campaign.>`, `subscription.>`: the newest message a subject is kept.
pub const DIRECTORY: &str = "DIRECTORY";
/// `dlq.>`: messages that a consumer could not process, with their error.
pub const DLQ: &str = "DLQ";

/// LEADS: distribution decides `lead.received`.
pub const LEADS_DISTRIBUTION: &str = "distribution";
/// LEADS: billing captures `lead.assigned` and pays back `lead.returned`.
pub const LEADS_BILLING: &str = "billing";
/// LEADS: notifier delivers `lead.assigned` and `lead.returned`, and tells of `lead.return_decided`.
pub const LEADS_NOTIFIER: &str = "notifier";
/// LEADS: notifier removes the personal data of leads that `lead.masked` tells of. A name of its own: the release before this one would
/// put them among the dead letters.
pub const LEADS_MASKING: &str = "notifier-masking";
/// BILLING: distribution looks again at leads that wait for a buyer.
pub const BILLING_DISTRIBUTION: &str = "distribution";
/// BILLING: billing recharges wallets that `wallet.low_balance` told of.
pub const BILLING_BILLING: &str = "billing";
/// NOTIFY: billing counts `usage.recorded`.
pub const NOTIFY_BILLING: &str = "billing";
/// NOTIFY: notifier sends `notification.mail_wanted` and tells of `notification.endpoint_disabled`.
pub const NOTIFY_NOTIFIER: &str = "notifier";
/// NOTIFY: distribution takes back what `notification.lead_refused` tells of, and sells it to the next.
pub const NOTIFY_DISTRIBUTION: &str = "distribution";
/// BILLING: notifier tells buyers of their wallet and their cards.
pub const BILLING_NOTIFIER: &str = "notifier";
/// DIRECTORY: distribution's copy of sellers and buyers.
pub const DIRECTORY_DISTRIBUTION: &str = "distribution";
/// DIRECTORY: billing's copy of sellers and buyers.
pub const DIRECTORY_BILLING: &str = "billing";
/// DIRECTORY: notifier's copy of sellers and buyers (names, time zones, how a buyer is reached). An older release's `notifier` heard of buyers only:
/// another name begins with all that there is, not with what changes from now on.
pub const DIRECTORY_NOTIFIER: &str = "notifier-people";
