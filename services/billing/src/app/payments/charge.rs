//! Asking the provider about a payment that is written down.

use chrono::{DateTime, Utc};
use leadflow_billing_domain::{CardPayment, PaymentKind, PaymentState};
use leadflow_kernel::PaymentId;

use super::{Heard, KEY_LASTS, LEASE, Payments};
use crate::{
    app::AppError,
    outbound::provider::{Charge, Intent, IntentStatus, ProviderError},
    store::payments,
};

impl Payments {
    /// Charges the card, and books the answer. When there is none, the payment stays open and a worker asks again.
    ///
    /// # Errors
    /// [`AppError::Database`]; [`AppError::Provider`] only when no provider is configured, which gives the payment up.
    pub(super) async fn charge_first(&self, payment: &CardPayment) -> Result<(), AppError> {
        match self.provider.charge(&order(payment)).await {
            Ok(intent) => self.answered(payment, intent).await,
            Err(ProviderError::Refused { code, message }) => {
                tracing::warn!(payment_id = %payment.id, code, message, "the provider refused a charge");
                self.refused(payment, &code).await
            }
            Err(error @ ProviderError::NotConfigured) => {
                self.never_charged(payment).await?;
                Err(error.into())
            }
            Err(error @ (ProviderError::Busy(_) | ProviderError::Unknown(_))) => {
                tracing::warn!(payment_id = %payment.id, %error, "a charge is not settled yet");
                self.ask_again(payment.id, 0).await
            }
        }
    }

    /// Asks what became of a payment, again with its key while that is good for something, and books the answer.
    ///
    /// # Errors
    /// [`AppError::Database`]. That the provider does not answer is no error: it is asked again later.
    pub(super) async fn ask(&self, payment: &CardPayment) -> Result<(), AppError> {
        match self.what_became_of(payment).await {
            Ok(()) => Ok(()),
            Err(AppError::Provider(error)) => {
                tracing::warn!(payment_id = %payment.id, attempts = payment.attempts, %error, "a charge is not settled yet");
                self.ask_again(payment.id, payment.attempts).await
            }
            Err(other) => Err(other),
        }
    }

    async fn what_became_of(&self, payment: &CardPayment) -> Result<(), AppError> {
        let age = self.now() - payment.created_at;
        if let Some(intent) = &payment.intent {
            let late = payment.state == PaymentState::RequiresAction && age >= self.policy.confirm_within;
            let intent = if late { self.provider.cancel(intent).await? } else { self.provider.intent(intent).await? };
            return self.answered(payment, intent).await;
        }
        if age < KEY_LASTS {
            match self.provider.charge(&order(payment)).await {
                Ok(intent) => return self.answered(payment, intent).await,
                // That this order was refused says nothing of the one before.
                Err(ProviderError::Refused { code, message }) => {
                    tracing::warn!(payment_id = %payment.id, code, message, "the provider refused a charge");
                    return match self.provider.find_intent(&payment.customer, payment.id).await? {
                        Some(intent) => self.answered(payment, intent).await,
                        None => self.refused(payment, &code).await,
                    };
                }
                Err(error) => return Err(error.into()),
            }
        }
        match self.provider.find_intent(&payment.customer, payment.id).await? {
            Some(intent) => self.answered(payment, intent).await,
            None => {
                tracing::warn!(payment_id = %payment.id, "a charge that was never answered was never made");
                self.never_charged(payment).await
            }
        }
    }

    async fn answered(&self, payment: &CardPayment, intent: Intent) -> Result<(), AppError> {
        let heard = self.settle(&intent).await?;
        if payment.kind == PaymentKind::Recharge && intent.status == IntentStatus::RequiresAction {
            // Nobody will confirm it. If somebody did meanwhile, the money is credited.
            match self.provider.cancel(&intent.id).await {
                Ok(intent) => self.settle(&intent).await.map(|_| ())?,
                Err(error) => {
                    tracing::warn!(payment_id = %payment.id, %error, "a charge that nobody will confirm stays")
                }
            }
        } else if matches!(intent.status, IntentStatus::Processing | IntentStatus::RequiresAction) {
            self.ask_again(payment.id, payment.attempts).await?;
        }
        if heard == Heard::NotOurs {
            // Says so in the log already; asking again the same way brings the same.
            self.ask_again(payment.id, u32::MAX).await?;
        }
        Ok(())
    }

    /// Takes payments that somebody has to ask about, of all tenants, and asks. Returns how many.
    ///
    /// # Errors
    /// [`AppError::Database`].
    pub async fn ask_about_open(&self, limit: i64) -> Result<usize, AppError> {
        let now = self.now();
        let open = {
            let mut connection = self.billing.pool.acquire().await?;
            payments::claim(&mut connection, now, now + LEASE, limit).await?
        };
        let count = open.len();
        let mut asking = tokio::task::JoinSet::new();
        for payment in open {
            let payments = self.clone();
            asking.spawn(async move { (payment.id, payments.ask(&payment).await) });
        }
        while let Some(asked) = asking.join_next().await {
            match asked {
                Ok((_, Ok(()))) => {}
                Ok((id, Err(error))) => warn(id, &error),
                Err(error) => tracing::error!(%error, "asking about a payment ended badly"),
            }
        }
        Ok(count)
    }
}

fn warn(id: PaymentId, error: &AppError) {
    tracing::warn!(payment_id = %id, %error, cause = ?std::error::Error::source(error), "what became of a payment is not booked yet");
}

fn order(payment: &CardPayment) -> Charge {
    Charge {
        payment: payment.id,
        seller: payment.seller,
        buyer: payment.buyer,
        customer: payment.customer.clone(),
        payment_method: payment.payment_method.clone(),
        amount: payment.amount,
        off_session: payment.kind == PaymentKind::Recharge,
        description: match payment.kind {
            PaymentKind::TopUp => "Wallet top-up".to_owned(),
            PaymentKind::Recharge => "Automatic wallet recharge".to_owned(),
        },
    }
}

/// When the provider is asked about a payment that whoever wrote it left.
pub(super) fn first_look(now: DateTime<Utc>) -> DateTime<Utc> {
    now + LEASE
}
