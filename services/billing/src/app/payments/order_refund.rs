//! Asking the provider about a refund that is written down.

use leadflow_billing_domain::{RefundState, Refunds};

use super::{KEY_LASTS, LEASE, Payments};
use crate::{
    app::AppError,
    outbound::provider::{ProviderError, RefundOrder, RefundStatus},
    store::{
        payments,
        refunds::{self, Refund},
    },
};

impl Payments {
    /// Orders the refund, again with its key while that is good for something, and books the answer.
    ///
    /// # Errors
    /// [`AppError::Database`]. That the provider does not answer is no error: it is asked again later.
    pub(super) async fn order_refund(&self, refund: &Refund) -> Result<(), AppError> {
        match self.try_refund(refund).await {
            Ok(()) => Ok(()),
            Err(AppError::Provider(error)) => {
                tracing::warn!(refund_id = %refund.id, attempts = refund.attempts, %error, "a refund is not settled yet");
                self.ask_again_about_refund(refund.id, refund.attempts).await
            }
            Err(other) => Err(other),
        }
    }

    async fn try_refund(&self, refund: &Refund) -> Result<(), AppError> {
        let payment = {
            let mut tx = self.billing.tenants.begin(refund.seller).await?;
            payments::find(&mut tx, refund.seller, refund.payment).await?
        };
        let Some((intent, currency)) = payment.and_then(|it| it.intent.map(|intent| (intent, it.amount.currency())))
        else {
            // Only payments that succeeded are given back, and those have one.
            return Err(ProviderError::Unknown("the payment's charge is not known".to_owned()).into());
        };
        if self.now() - refund.created_at >= KEY_LASTS && refund.provider_id.is_none() {
            return self.conclude(refund, &intent).await;
        }
        let amount = leadflow_kernel::Money::new(refund.amount, currency).map_err(AppError::Amount)?;
        let order = RefundOrder { refund: refund.id, payment: refund.payment, intent: intent.clone(), amount };
        match self.provider.refund(&order).await {
            Ok(answer) => {
                let state = match answer.status {
                    RefundStatus::Pending => RefundState::Pending,
                    RefundStatus::Succeeded => RefundState::Succeeded,
                    RefundStatus::Failed => RefundState::Failed,
                };
                self.book_refund(refund, Some(&answer.id), state).await?;
                self.look_at_refunds(&intent).await.map(|_| ())
            }
            Err(ProviderError::Refused { code, message }) => {
                tracing::warn!(refund_id = %refund.id, code, message, "the provider refused a refund");
                if refund.attempts == 0 {
                    self.book_refund(refund, None, RefundState::Failed).await?;
                    // What could not be told from this one before can be told now.
                    self.look_at_refunds(&intent).await.map(|_| ())
                } else {
                    // That this order was refused says nothing of the one before.
                    self.conclude(refund, &intent).await
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What became of a refund that cannot be asked about any more: if more went back of the charge than all others explain, it did. (Or one of
    /// the same amount was made on the provider's own pages: the sum is right either way.)
    async fn conclude(&self, refund: &Refund, intent: &str) -> Result<(), AppError> {
        let total = self.provider.intent(intent).await?.refunded.amount();
        let booked: Refunds = {
            let mut tx = self.billing.tenants.begin(refund.seller).await?;
            refunds::booked(&mut tx, refund.seller, refund.payment).await?
        };
        let state = if total >= booked.certain + booked.foreign + refund.amount {
            RefundState::Succeeded
        } else {
            RefundState::Failed
        };
        self.book_refund(refund, None, state).await?;
        self.look_at_refunds(intent).await.map(|_| ())
    }

    /// Takes refunds that somebody has to ask about, of all tenants, and asks. Returns how many.
    ///
    /// # Errors
    /// [`AppError::Database`].
    pub async fn ask_about_refunds(&self, limit: i64) -> Result<usize, AppError> {
        let now = self.now();
        let mut open = {
            let mut connection = self.billing.pool.acquire().await?;
            refunds::claim(&mut connection, now, now + LEASE, limit).await?
        };
        let count = open.len();
        // The oldest first: where only the charge's total is left to tell by, it is the likelier to have been made.
        open.sort_by_key(|refund| refund.id);
        for refund in open {
            if let Err(error) = self.order_refund(&refund).await {
                tracing::warn!(refund_id = %refund.id, %error, "what became of a refund is not booked yet");
            }
        }
        Ok(count)
    }
}
