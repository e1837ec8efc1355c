//! What moved the account's balance.

use chrono::{DateTime, Utc};
use leadflow_kernel::{Money, PaymentId};
use stripe::StripeRequest as _;
use stripe_core::{
    BalanceTransaction, BalanceTransactionSource, BalanceTransactionType, Charge, Dispute, Refund,
    balance_transaction::ListBalanceTransaction, charge::RetrieveCharge, dispute::RetrieveDispute,
    refund::RetrieveRefund,
};
use stripe_types::{Currency, Expandable, RangeBoundsTs, RangeQueryTs};

use super::{Stripe, amounts::from_minor, convert, errors::Failure, path_id};
use crate::outbound::provider::{Movement, MovementKind, MovementPage, ProviderError};

/// The most of a page.
const PAGE: i64 = 100;

/// What a movement's source says of it.
struct Source {
    id: String,
    intent: Option<String>,
    payment: Option<PaymentId>,
    /// Without a sign, and in the currency that the card paid in: the movement's own is the account's.
    amount: i64,
    currency: Currency,
}

impl Source {
    fn charge(from: &Charge) -> Self {
        Self {
            id: from.id.to_string(),
            intent: from.payment_intent.as_ref().map(|intent| intent.id().to_string()),
            payment: convert::ours(from.metadata.get(convert::PAYMENT)),
            amount: from.amount_captured,
            currency: from.currency.clone(),
        }
    }

    fn refund(from: &Refund) -> Self {
        let metadata = from.metadata.as_ref();
        Self {
            id: from.id.to_string(),
            intent: from.payment_intent.as_ref().map(|intent| intent.id().to_string()),
            payment: convert::ours(metadata.and_then(|metadata| metadata.get(convert::PAYMENT))),
            amount: from.amount,
            currency: from.currency.clone(),
        }
    }

    fn dispute(from: &Dispute) -> Self {
        Self {
            id: from.id.to_string(),
            intent: from.payment_intent.as_ref().map(|intent| intent.id().to_string()),
            payment: convert::ours(from.metadata.get(convert::PAYMENT)),
            amount: from.amount,
            currency: from.currency.clone(),
        }
    }
}

fn kind(of: &BalanceTransaction, source: &str) -> MovementKind {
    use BalanceTransactionType as Type;
    match &of.type_ {
        Type::Charge | Type::Payment => MovementKind::Charge,
        Type::Refund | Type::PaymentRefund => MovementKind::Refund,
        Type::RefundFailure => MovementKind::RefundFailed,
        Type::Adjustment if source.starts_with("dp_") || source.starts_with("du_") => MovementKind::Dispute,
        _ => MovementKind::Other,
    }
}

impl Stripe {
    pub(super) async fn page(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        after: Option<&str>,
    ) -> Result<MovementPage, Failure> {
        // Stripe counts seconds: one that has begun belongs to the period.
        let until = to.timestamp() + i64::from(to.timestamp_subsec_nanos() > 0);
        let bounds = RangeBoundsTs { gte: Some(from.timestamp()), lt: Some(until), ..RangeBoundsTs::default() };
        let mut request = ListBalanceTransaction::new().created(RangeQueryTs::Bounds(bounds)).limit(PAGE);
        if let Some(after) = after {
            request = request.starting_after(after);
        }
        let with_sources = request.clone().expand(["data.source".to_owned()]);
        let page = match with_sources.customize().send(&self.client).await.map_err(Failure::from) {
            Ok(page) => page,
            // One source of a kind that the library does not know, and none of the page can be read. They are asked for
            // one by one then.
            Err(Failure::Other(ProviderError::Unknown(_)) | Failure::Theirs(_)) => {
                request.customize().send(&self.client).await?
            }
            Err(failure) => return Err(failure),
        };
        let mut movements = Vec::with_capacity(page.data.len());
        for moved in &page.data {
            movements.push(self.movement(moved).await?);
        }
        Ok(MovementPage { movements, more: page.has_more })
    }

    async fn movement(&self, of: &BalanceTransaction) -> Result<Movement, Failure> {
        let id = of.source.as_ref().map(|source| source.id().to_string()).unwrap_or_default();
        let kind = kind(of, &id);
        let source = match &of.source {
            Some(Expandable::Object(source)) => match &**source {
                BalanceTransactionSource::Charge(charge) => Some(Source::charge(charge)),
                BalanceTransactionSource::Refund(refund) => Some(Source::refund(refund)),
                BalanceTransactionSource::Dispute(dispute) => Some(Source::dispute(dispute)),
                _ => None,
            },
            _ => self.source(kind, &id).await?,
        };
        let own = from_minor(of.amount, &of.currency)?;
        let (source, intent, payment, amount) = match source {
            Some(source) => {
                let amount = if source.currency == of.currency { own } else { in_the_cards_currency(of, &source)? };
                (source.id, source.intent, source.payment, amount)
            }
            None => (id, None, None, own),
        };
        let at = DateTime::from_timestamp(of.created, 0)
            .ok_or_else(|| Failure::Other(ProviderError::Unknown("a time cannot be read".to_owned())))?;
        Ok(Movement {
            id: of.id.to_string(),
            kind,
            source,
            intent,
            payment,
            amount,
            fee: from_minor(of.fee, &of.currency)?,
            at,
        })
    }

    async fn source(&self, kind: MovementKind, id: &str) -> Result<Option<Source>, Failure> {
        Ok(match kind {
            MovementKind::Charge => {
                Some(Source::charge(&RetrieveCharge::new(path_id(id)?).customize().send(&self.client).await?))
            }
            MovementKind::Refund | MovementKind::RefundFailed => {
                Some(Source::refund(&RetrieveRefund::new(path_id(id)?).customize().send(&self.client).await?))
            }
            MovementKind::Dispute => {
                Some(Source::dispute(&RetrieveDispute::new(path_id(id)?).customize().send(&self.client).await?))
            }
            MovementKind::Other => None,
        })
    }
}

/// What the card paid, with the movement's sign: the account is paid out in another currency.
fn in_the_cards_currency(of: &BalanceTransaction, source: &Source) -> Result<Money, ProviderError> {
    let amount = from_minor(source.amount, &source.currency)?;
    if of.amount < 0 { convert::negative(amount) } else { Ok(amount) }
}
