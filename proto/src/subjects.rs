//! Subjects, by the service that publishes them.

/// ingest: a post was accepted.
pub const LEAD_RECEIVED: &str = "lead.received";
/// distribution: a return that was asked for was decided.
pub const LEAD_RETURN_DECIDED: &str = "lead.return_decided";
/// ingest, over core NATS, never stored: what a gateway let through.
pub const INGEST_TAKEN: &str = "ingest.taken";
/// distribution: a lead was sold.
pub const LEAD_ASSIGNED: &str = "lead.assigned";
/// distribution: nobody can buy the lead now.
pub const LEAD_UNSOLD: &str = "lead.unsold";
/// distribution: a rule refused the lead.
pub const LEAD_REJECTED: &str = "lead.rejected";
/// distribution: the lead was for sale until its time ran out.
pub const LEAD_EXPIRED: &str = "lead.expired";
/// distribution: the personal data of leads is removed.
pub const LEAD_MASKED: &str = "lead.masked";
/// distribution: a sale was undone.
pub const LEAD_RETURNED: &str = "lead.returned";
/// billing: money was added to a wallet.
pub const WALLET_CREDITED: &str = "wallet.credited";
/// billing: available money fell below the threshold.
pub const WALLET_LOW_BALANCE: &str = "wallet.low_balance";
/// billing: holds were given back that no sale needed.
pub const WALLET_RELEASED: &str = "wallet.released";
/// billing: spending limits or the wallet's status changed.
pub const WALLET_LIMITS_CHANGED: &str = "wallet.limits_changed";
/// billing: a card was charged.
pub const PAYMENT_SUCCEEDED: &str = "payment.succeeded";
/// billing: a card's charge was declined.
pub const PAYMENT_DECLINED: &str = "payment.declined";
/// billing: the buyer has to confirm a charge.
pub const PAYMENT_ACTION_NEEDED: &str = "payment.action_needed";
/// billing: automatic recharging was turned off by the program.
pub const PAYMENT_RECHARGE_TURNED_OFF: &str = "payment.recharge_turned_off";
/// billing: money went back to a card.
pub const PAYMENT_REFUNDED: &str = "payment.refunded";
/// billing: a card's owner disputes a charge.
pub const PAYMENT_DISPUTE_OPENED: &str = "payment.dispute_opened";
/// billing: a dispute was decided.
pub const PAYMENT_DISPUTE_CLOSED: &str = "payment.dispute_closed";
/// notifier: a message was sent, which somebody pays for.
pub const USAGE_RECORDED: &str = "usage.recorded";
/// notifier: a delivery arrived.
pub const NOTIFICATION_DELIVERED: &str = "notification.delivered";
/// notifier: a delivery was given up.
pub const NOTIFICATION_GAVE_UP: &str = "notification.gave_up";
/// notifier: an endpoint was switched off after days of failure.
pub const NOTIFICATION_ENDPOINT_DISABLED: &str = "notification.endpoint_disabled";
/// notifier: the buyer's system does not take a lead.
pub const NOTIFICATION_LEAD_REFUSED: &str = "notification.lead_refused";
/// notifier: an e-mail or a text message was taken by its provider, or will not be sent.
pub const NOTIFICATION_MESSAGE_ENDED: &str = "notification.message_ended";
/// accounts: a user is to be sent a mail.
pub const NOTIFICATION_MAIL_WANTED: &str = "notification.mail_wanted";

/// The subject of a directory record, e.g. `seller.changed.seller_…`. Published by accounts
/// (seller, buyer, supplier) and distribution (category, campaign, subscription).
#[must_use]
pub fn changed(noun: &str, id: &str) -> String {
    format!("{noun}.changed.{id}")
}

/// How a buyer is reached, e.g. `buyer.contact.buyer_…`. Published by accounts.
#[must_use]
pub fn buyer_contact(id: &str) -> String {
    format!("buyer.contact.{id}")
}

/// The filter for every record of one noun.
#[must_use]
pub fn all_changed(noun: &str) -> String {
    format!("{noun}.changed.*")
}
