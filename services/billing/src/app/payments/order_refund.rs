//! Asking the provider about a refund that is written down.

use leadflow_billing_domain::RefundState;

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
        if let Some(known) = &refund.provider_id {
            // It has been made: ordered again after its key is forgotten, it would be made twice.
            let Some(found) = self.records.refund_now(known).await? else {
                return Err(ProviderError::Unknown(format!("there is no refund {known} any more")).into());
            };
            self.book_refund(refund, Some(known), state_of(found.refund.status)).await?;
            return self.look_at_refunds(&intent).await.map(|_| ());
        }
        if self.now() - refund.created_at >= KEY_LASTS {
            return self.conclude(refund, &intent).await;
        }
        let amount = leadflow_kernel::Money::new(refund.amount, currency).map_err(AppError::Amount)?;
        let order = RefundOrder { refund: refund.id, payment: refund.payment, intent: intent.clone(), amount };
        match self.provider.refund(&order).await {
            Ok(answer) => {
                self.book_refund(refund, Some(&answer.id), state_of(answer.status)).await?;
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

    /// What became of a refund that cannot be ordered any more: it is among the charge's, or was never made.
    async fn conclude(&self, refund: &Refund, intent: &str) -> Result<(), AppError> {
        let all = self.records.refunds_of(intent).await?;
        match all.iter().find(|found| found.ours == Some(refund.id)) {
            Some(found) => self.book_refund(refund, Some(&found.refund.id), state_of(found.refund.status)).await?,
            None => self.book_refund(refund, None, RefundState::Failed).await?,
        };
        self.look_at_refunds(intent).await.map(|_| ())
    }

    /// Takes refunds that somebody has to ask about, of all tenants, and asks. Returns how many.
    ///
    /// # Errors
    /// [`AppError::Database`].
    pub async fn ask_about_refunds(&self, limit: i64) -> Result<usize, AppError> {
        let now = self.now();
        let open = {
            let mut connection = self.billing.pool.acquire().await?;
            refunds::claim(&mut connection, now, now + LEASE, limit).await?
        };
        let count = open.len();
        for refund in open {
            if let Err(error) = self.order_refund(&refund).await {
                tracing::warn!(refund_id = %refund.id, %error, "what became of a refund is not booked yet");
            }
        }
        Ok(count)
    }
}

pub(super) const fn state_of(status: RefundStatus) -> RefundState {
    match status {
        RefundStatus::Pending => RefundState::Pending,
        RefundStatus::Succeeded => RefundState::Succeeded,
        RefundStatus::Failed => RefundState::Failed,
    }
}
