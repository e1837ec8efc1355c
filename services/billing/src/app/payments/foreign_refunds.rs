//! Refunds that were made on the provider's own pages.

use leadflow_billing_domain::{Books, CardMove, RefundState, unexplained};
use leadflow_kernel::{BuyerId, EventId, Money, PaymentId, PostingId, RefundId, SellerId};
use leadflow_messaging::Envelope;
use rust_decimal::Decimal;

use super::{Heard, Payments};
use crate::{
    app::AppError,
    outbound::{events, provider::ProviderError},
    store::{
        payments,
        refunds::{self, Refund},
    },
};

impl Payments {
    /// Whose charge it is. Where nobody has heard yet that it succeeded (or even under which id), the provider is asked and that is
    /// booked first.
    pub(super) async fn settled_owner(
        &self,
        payment: Option<PaymentId>,
        intent: &str,
    ) -> Result<Option<(SellerId, BuyerId, PaymentId)>, AppError> {
        for asked in [false, true] {
            {
                let mut connection = self.billing.pool.acquire().await?;
                if let Some(owner) = payments::credited_owner(&mut connection, payment, intent).await? {
                    return Ok(Some(owner));
                }
            }
            if !asked {
                match self.provider.intent(intent).await {
                    Ok(intent) => self.settle(&intent).await?,
                    // It does not know the charge, so it is not one of ours.
                    Err(ProviderError::Refused { .. }) => return Ok(None),
                    Err(error) => return Err(error.into()),
                };
            }
        }
        Ok(None)
    }

    /// Asks the provider how much of a charge went back, and books what our own refunds do not explain. What the wallet has not got is
    /// owed. While it is not known whether one of ours is in that sum, this is refused; asked again later, it can be told. The answer counts only if nothing of this kind was booked since it was asked for, so an old one does no harm.
    ///
    /// # Errors
    /// [`AppError::Database`], [`AppError::Provider`].
    pub async fn look_at_refunds(&self, intent: &str) -> Result<Heard, AppError> {
        let Some((seller, buyer, id)) = self.settled_owner(None, intent).await? else { return Ok(Heard::NotOurs) };
        loop {
            let seen = {
                let mut tx = self.billing.tenants.begin(seller).await?;
                payments::looks(&mut tx, seller, id).await?
            };
            let total = self.provider.intent(intent).await?.refunded.amount();

            let mut tx = self.billing.tenants.begin(seller).await?;
            let wallet = Self::lock_wallet(&mut tx, seller, buyer).await?;
            let Some(mut payment) = payments::lock(&mut tx, seller, id).await? else { return Ok(Heard::NotOurs) };
            if payments::looks(&mut tx, seller, id).await? != seen {
                continue;
            }
            let booked = refunds::booked(&mut tx, seller, id).await?;
            let difference = unexplained(total, booked);
            if difference.is_zero() {
                let maybe_more = booked.uncertain > Decimal::ZERO && total - booked.certain > booked.foreign;
                return if maybe_more { Err(not_yet()) } else { Ok(Heard::Known) };
            }
            let now = self.now();
            let posting = PostingId::new();
            let it = CardMove { seller, buyer, payment: id, posting, now };
            let amount = Money::new(difference.abs(), wallet.terms.currency).map_err(AppError::Amount)?;
            let mut books = Books::new([wallet], []);
            let mut events = Vec::new();
            Self::open_accounts(&mut tx, &wallet).await?;
            let went = difference > Decimal::ZERO;
            if went {
                let text = "Refund to the card, made at the card provider".to_owned();
                books.refunded_elsewhere(it, amount, text).map_err(AppError::CardMoney)?;
                events.push(Envelope::new(EventId::new(), &events::payment_refunded(&payment, amount), now));
            } else {
                let text = "Refund that did not arrive at the card".to_owned();
                books.refund_failed(it, amount, text).map_err(AppError::CardMoney)?;
                books.repay_debt(seller, buyer, PostingId::new(), now);
                let wallet = books.wallet(seller, buyer).copied().unwrap_or(wallet);
                events.push(Envelope::new(EventId::new(), &events::credited(&wallet, amount, posting), now));
            }
            payment.refunded += difference;
            let refund = Refund {
                id: RefundId::new(),
                seller,
                buyer,
                payment: id,
                request: None,
                amount: amount.amount(),
                state: if went { RefundState::Succeeded } else { RefundState::Failed },
                provider_id: None,
                posting,
                failed_posting: (!went).then_some(posting),
                created_at: now,
                attempts: 0,
            };
            refunds::insert(&mut tx, &refund, now).await?;
            payments::save(&mut tx, &payment, now, now).await?;
            payments::looked(&mut tx, seller, id).await?;
            self.billing.commit_tenant(tx, &books.into_changes(), events).await?;
            return Ok(Heard::Booked);
        }
    }
}

fn not_yet() -> AppError {
    ProviderError::Busy("a refund of ours, of the same charge, is not settled yet".to_owned()).into()
}
