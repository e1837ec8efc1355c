//! The one way by which news of our refunds is booked.

use leadflow_billing_domain::{Books, CardMove, RefundState};
use leadflow_kernel::{EventId, Money, PostingId};
use leadflow_messaging::Envelope;

use super::{Heard, Payments, RefundNews, order_refund::state_of};
use crate::{
    app::AppError,
    outbound::events,
    store::{
        payments,
        refunds::{self, Refund},
    },
};

impl Payments {
    /// Books what the provider says of a refund. One of ours that failed brings its money back, also when it was said to have
    /// succeeded before; of one made elsewhere only the charge's total counts, which is asked for.
    ///
    /// # Errors
    /// [`AppError::Database`], [`AppError::Provider`]; telling again is safe.
    pub async fn settle_refund(&self, news: &RefundNews) -> Result<Heard, AppError> {
        let known = {
            let mut connection = self.billing.pool.acquire().await?;
            refunds::named(&mut connection, news.refund, &news.id).await?
        };
        let Some(refund) = known else { return self.look_at_refunds(&news.intent).await };
        let heard = self.book_refund(&refund, Some(&news.id), state_of(news.status)).await?;
        if heard == Heard::Booked {
            // What could not be told from this one before can be told now.
            self.look_at_refunds(&news.intent).await?;
        }
        Ok(heard)
    }

    /// Decides under the locks of wallet and payment where one of our refunds stands now.
    pub(super) async fn book_refund(
        &self,
        refund: &Refund,
        provider_id: Option<&str>,
        told: RefundState,
    ) -> Result<Heard, AppError> {
        let (seller, buyer) = (refund.seller, refund.buyer);
        let mut tx = self.billing.tenants.begin(seller).await?;
        let wallet = Self::lock_wallet(&mut tx, seller, buyer).await?;
        let Some(mut payment) = payments::lock(&mut tx, seller, refund.payment).await? else {
            return Ok(Heard::NotOurs);
        };
        let Some(mut refund) = refunds::lock(&mut tx, seller, refund.id).await? else { return Ok(Heard::NotOurs) };
        let news = refund.state.after(told);
        let named = refund.provider_id.is_none() && provider_id.is_some();
        if news.is_none() && !named {
            return Ok(Heard::Known);
        }
        let now = self.now();
        if named {
            refund.provider_id = provider_id.map(ToOwned::to_owned);
        }
        let mut books = Books::new([wallet], []);
        let mut events = Vec::new();
        if let Some(state) = news {
            refund.state = state;
            let amount = Money::new(refund.amount, wallet.terms.currency).map_err(AppError::Amount)?;
            if state == RefundState::Failed {
                Self::open_accounts(&mut tx, &wallet).await?;
                let posting = PostingId::new();
                let it = CardMove { seller, buyer, payment: payment.id, posting, now };
                books
                    .refund_failed(it, amount, "Refund that did not arrive at the card".to_owned())
                    .map_err(AppError::CardMoney)?;
                books.repay_debt(seller, buyer, PostingId::new(), now);
                payment.refunded -= refund.amount;
                refund.failed_posting = Some(posting);
                let wallet = books.wallet(seller, buyer).copied().unwrap_or(wallet);
                events.push(Envelope::new(EventId::new(), &events::credited(&wallet, amount, posting), now));
            } else {
                events.push(Envelope::new(EventId::new(), &events::payment_refunded(&payment, amount), now));
            }
        }
        // One that the provider has taken is told of by its news; it is asked again only if that is long in coming.
        let ask = (refund.state == RefundState::Pending).then(|| now + super::pause(7));
        refunds::save(&mut tx, &refund, ask, now).await?;
        payments::save(&mut tx, &payment, now, now).await?;
        // Somebody may be about to book the charge's total as it was before.
        payments::looked(&mut tx, seller, payment.id).await?;
        self.billing.commit_tenant(tx, &books.into_changes(), events).await?;
        Ok(Heard::Booked)
    }
}
