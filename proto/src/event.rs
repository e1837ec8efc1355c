//! What makes a message an event: its type name and the subject it is published on.

use prost::Message;

use crate::{
    common::Outcome,
    events::{self, PaymentNews},
    subjects,
};

/// A message that is published to a stream.
pub trait Event: Message + Default + 'static {
    /// The protobuf full name; the `ce-type` header.
    const TYPE: &'static str;

    /// Where this one is published.
    fn subject(&self) -> String;
}

macro_rules! event {
    ($message:ident, |$this:ident| $subject:expr) => {
        impl Event for events::$message {
            const TYPE: &'static str = concat!("leadflow.events.v1.", stringify!($message));

            fn subject(&self) -> String {
                let $this = self;
                $subject
            }
        }
    };
}

event!(LeadReceived, |_this| subjects::LEAD_RECEIVED.to_owned());
event!(LeadAssigned, |_this| subjects::LEAD_ASSIGNED.to_owned());
event!(LeadDecided, |this| {
    match this.decision.as_ref().map(crate::common::Decision::outcome) {
        Some(Outcome::Rejected) => subjects::LEAD_REJECTED,
        Some(Outcome::Expired) => subjects::LEAD_EXPIRED,
        _ => subjects::LEAD_UNSOLD,
    }
    .to_owned()
});
event!(WalletCredited, |_this| subjects::WALLET_CREDITED.to_owned());
event!(WalletLowBalance, |_this| subjects::WALLET_LOW_BALANCE.to_owned());
event!(WalletReleased, |_this| subjects::WALLET_RELEASED.to_owned());
event!(WalletLimitsChanged, |_this| subjects::WALLET_LIMITS_CHANGED.to_owned());
event!(SellerChanged, |this| subjects::changed("seller", &this.seller_id));
event!(BuyerChanged, |this| subjects::changed("buyer", &this.buyer_id));
event!(SupplierChanged, |this| subjects::changed("supplier", &this.supplier_id));
event!(CategoryChanged, |this| subjects::changed("category", &this.category_id));
event!(CampaignChanged, |this| subjects::changed("campaign", &this.campaign_id));
event!(SubscriptionChanged, |this| subjects::changed("subscription", &this.subscription_id));
event!(DeliveryEnded, |this| {
    if this.delivered { subjects::NOTIFICATION_DELIVERED } else { subjects::NOTIFICATION_GAVE_UP }.to_owned()
});
event!(EndpointDisabled, |_this| subjects::NOTIFICATION_ENDPOINT_DISABLED.to_owned());
event!(MailWanted, |_this| subjects::NOTIFICATION_MAIL_WANTED.to_owned());
event!(LeadsMasked, |_this| subjects::LEAD_MASKED.to_owned());
event!(LeadReturned, |_this| subjects::LEAD_RETURNED.to_owned());
event!(PaymentChanged, |this| {
    match this.news() {
        PaymentNews::Succeeded => subjects::PAYMENT_SUCCEEDED,
        PaymentNews::ActionNeeded => subjects::PAYMENT_ACTION_NEEDED,
        PaymentNews::Declined | PaymentNews::Unspecified => subjects::PAYMENT_DECLINED,
    }
    .to_owned()
});
event!(RechargeTurnedOff, |_this| subjects::PAYMENT_RECHARGE_TURNED_OFF.to_owned());
event!(PaymentRefunded, |_this| subjects::PAYMENT_REFUNDED.to_owned());
event!(DisputeChanged, |this| {
    if this.closed { subjects::PAYMENT_DISPUTE_CLOSED } else { subjects::PAYMENT_DISPUTE_OPENED }.to_owned()
});
event!(BuyerContact, |this| subjects::buyer_contact(&this.buyer_id));
event!(LeadRefused, |_this| subjects::NOTIFICATION_LEAD_REFUSED.to_owned());
event!(MessageEnded, |_this| subjects::NOTIFICATION_MESSAGE_ENDED.to_owned());
event!(ReturnDecided, |_this| subjects::LEAD_RETURN_DECIDED.to_owned());
event!(UsageRecorded, |_this| subjects::USAGE_RECORDED.to_owned());
