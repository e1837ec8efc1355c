//! Events that a buyer is told of.

use leadflow_contracts::{ConvertError, common, events as told, id, money, time_from_ms};
use leadflow_messaging::Message;
use leadflow_notifier_domain::{News, amount};

use crate::app::Telling;

/// Something to tell `buyer` because of `message`; a repeat of the event has the same id.
fn telling(message: &Message, seller: &str, buyer: &str, news: News) -> Result<Telling, ConvertError> {
    Ok(Telling {
        source: message.id.as_bytes().to_vec(),
        seller: id(seller, "seller_id")?,
        buyer: id(buyer, "buyer_id")?,
        lead: None,
        news,
        traceparent: message.traceparent.clone(),
    })
}

fn words(value: Option<&common::Money>, field: &'static str) -> Result<String, ConvertError> {
    Ok(amount(money(value, field)?))
}

pub(super) fn low_balance(message: &Message, event: &told::WalletLowBalance) -> Result<Telling, ConvertError> {
    let (available, threshold) =
        (words(event.available.as_ref(), "available")?, words(event.threshold.as_ref(), "threshold")?);
    telling(message, &event.seller_id, &event.buyer_id, News::LowBalance { available, threshold })
}

/// A declined recharge, or a charge that is to be confirmed. Whoever pays by hand sees himself that he was declined.
pub(super) fn payment(message: &Message, event: &told::PaymentChanged) -> Result<Option<Telling>, ConvertError> {
    let amount = words(event.amount.as_ref(), "amount")?;
    let news = match event.news() {
        told::PaymentNews::Declined if event.recharge => News::RechargeFailed {
            amount,
            why: event.decline_message.clone(),
            again_at: time_from_ms(event.next_attempt_at_ms).filter(|_| event.next_attempt_at_ms > 0),
        },
        told::PaymentNews::ActionNeeded => News::PaymentActionNeeded { amount, recharge: event.recharge },
        _ => return Ok(None),
    };
    telling(message, &event.seller_id, &event.buyer_id, news).map(Some)
}

pub(super) fn recharge_turned_off(message: &Message, event: &told::RechargeTurnedOff) -> Result<Telling, ConvertError> {
    let news = News::RechargeTurnedOff { why: event.because.clone() };
    telling(message, &event.seller_id, &event.buyer_id, news)
}

pub(super) fn return_decided(message: &Message, event: &told::ReturnDecided) -> Result<Telling, ConvertError> {
    let news = News::ReturnDecided {
        campaign: event.campaign_name.clone(),
        approved: event.approved,
        reason: event.reason.clone(),
        note: event.note.clone(),
        price: words(event.price.as_ref(), "price")?,
    };
    let told = telling(message, &event.seller_id, &event.buyer_id, news)?;
    // The return has an id of its own, and is decided once.
    Ok(Telling { source: event.return_id.as_bytes().to_vec(), lead: Some(id(&event.lead_id, "lead_id")?), ..told })
}

pub(super) fn endpoint_disabled(message: &Message, event: &told::EndpointDisabled) -> Result<Telling, ConvertError> {
    let failing_since = time_from_ms(event.failing_since_ms).filter(|_| event.failing_since_ms > 0);
    let news = News::EndpointDisabled { why: event.reason.clone(), failing_since };
    telling(message, &event.seller_id, &event.buyer_id, news)
}
