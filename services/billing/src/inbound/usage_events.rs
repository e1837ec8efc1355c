//! `usage.recorded`: messages that sellers pay for.

use leadflow_billing_domain::{SentMessage, UsageKind};
use leadflow_contracts::{
    ConvertError,
    events::{self, UsageRecorded},
    id, time_from_ms,
};
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler, HandleError},
};

use crate::app::usage::{SentUsage, Usage};

/// The longest id of a message.
const LONGEST_ID: usize = 200;
/// The most units of one message: an SMS has at most ten segments.
const MOST_UNITS: u32 = 100;

/// Counts the messages of a batch of events.
pub struct UsageEvents {
    usage: Usage,
}

impl UsageEvents {
    /// Counts with `usage`.
    #[must_use]
    pub const fn new(usage: Usage) -> Self {
        Self { usage }
    }
}

#[async_trait::async_trait]
impl BatchHandler for UsageEvents {
    /// A message that is too old to know whether it was counted goes to the dead letters: a person decides then.
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let read = |message: &Message| {
            let event = message.decode::<UsageRecorded>().map_err(HandleError::permanent)?;
            sent(&event).map_err(HandleError::permanent)
        };
        let sent = batch.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        if let Some(uncountable) = self.usage.uncountable(&sent) {
            return Err(HandleError::permanent(uncountable));
        }
        self.usage.count(&sent).await?;
        Ok(())
    }
}

/// An event that is not what its contract says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Field(#[from] ConvertError),
    #[error("message_id: must be 1 to {LONGEST_ID} bytes")]
    Id,
    #[error("kind: unknown")]
    Kind,
    #[error("units: must be 1 to {MOST_UNITS}")]
    Units,
    #[error("at_ms: missing")]
    At,
}

fn sent(event: &UsageRecorded) -> Result<SentUsage, Unreadable> {
    let kind = match event.kind() {
        events::UsageKind::Email => UsageKind::Email,
        events::UsageKind::Sms => UsageKind::Sms,
        events::UsageKind::Webhook => UsageKind::Webhook,
        events::UsageKind::Unspecified => return Err(Unreadable::Kind),
    };
    if !(1..=LONGEST_ID).contains(&event.message_id.len()) {
        return Err(Unreadable::Id);
    }
    if !(1..=MOST_UNITS).contains(&event.units) {
        return Err(Unreadable::Units);
    }
    let buyer = if event.buyer_id.is_empty() { None } else { Some(id(&event.buyer_id, "buyer_id")?) };
    let message = SentMessage {
        seller: id(&event.seller_id, "seller_id")?,
        buyer,
        kind,
        units: event.units,
        at: time_from_ms(event.at_ms).ok_or(Unreadable::At)?,
    };
    Ok(SentUsage { id: event.message_id.clone(), message })
}

#[cfg(test)]
mod tests {
    use leadflow_kernel::{BuyerId, SellerId};

    use super::*;

    #[test]
    fn an_event_that_is_not_what_its_contract_says_is_refused() {
        let good = UsageRecorded {
            message_id: "dlv_1".to_owned(),
            seller_id: SellerId::new().to_string(),
            buyer_id: BuyerId::new().to_string(),
            kind: events::UsageKind::Webhook.into(),
            units: 1,
            at_ms: 1_765_108_800_000,
        };
        assert!(sent(&good).is_ok());
        let nobody = sent(&UsageRecorded { buyer_id: String::new(), ..good.clone() }).unwrap();
        assert_eq!(nobody.message.buyer, None);
        let refused = |event: UsageRecorded| sent(&event).unwrap_err();
        assert_eq!(refused(UsageRecorded { message_id: String::new(), ..good.clone() }), Unreadable::Id);
        assert_eq!(refused(UsageRecorded { message_id: "x".repeat(201), ..good.clone() }), Unreadable::Id);
        assert_eq!(refused(UsageRecorded { kind: 0, ..good.clone() }), Unreadable::Kind);
        assert_eq!(refused(UsageRecorded { kind: 77, ..good.clone() }), Unreadable::Kind);
        assert_eq!(refused(UsageRecorded { units: 0, ..good.clone() }), Unreadable::Units);
        assert_eq!(refused(UsageRecorded { units: 101, ..good.clone() }), Unreadable::Units);
        assert_eq!(refused(UsageRecorded { at_ms: 0, ..good.clone() }), Unreadable::At);
        assert!(matches!(refused(UsageRecorded { seller_id: "buyer_x".to_owned(), ..good }), Unreadable::Field(_)));
    }
}
