//! The one way by which news of a charge is booked, whoever brought it.

use leadflow_billing_domain::{
    AfterDecline, Books, CardMove, CardPayment, ChargeNews, Effect, HearError, PaymentKind, PaymentState,
};
use leadflow_kernel::{EventId, PaymentId, PostingId, SellerId};
use leadflow_messaging::Envelope;

use super::{Heard, Payments, pause};
use crate::{
    app::AppError,
    metrics,
    outbound::{
        events,
        provider::{Intent, IntentStatus},
    },
    store::{payments, recharges},
};

impl Payments {
    /// Books what the provider says of a charge: money that was taken is credited, once; a decline of a recharge has its consequences, once.
    ///
    /// # Errors
    /// [`AppError::Database`]; telling again is safe.
    pub async fn settle(&self, intent: &Intent) -> Result<Heard, AppError> {
        let owner = {
            let mut connection = self.billing.pool.acquire().await?;
            payments::owner(&mut connection, intent.payment, &intent.id).await?
        };
        let Some((seller, _, id)) = owner else {
            tracing::warn!(intent_id = %intent.id, "the provider tells of a charge that is not ours");
            return Ok(Heard::NotOurs);
        };
        let told = self.book(seller, id, |payment| payment.hear(&intent.id, news_of(intent))).await?;
        Ok(match told {
            Ok(Effect::Nothing) => Heard::Known,
            Ok(_) => Heard::Booked,
            Err(error) => {
                tracing::error!(payment_id = %id, intent_id = %intent.id, %error, "a charge cannot be booked; reconciliation shows it");
                Heard::NotOurs
            }
        })
    }

    /// The provider refused the order: nothing was taken.
    pub(super) async fn refused(&self, payment: &CardPayment, code: &str) -> Result<(), AppError> {
        let refuse =
            |payment: &mut CardPayment| Ok(if payment.refuse(code) { Effect::Declined } else { Effect::Nothing });
        self.book(payment.seller, payment.id, refuse).await.map(|_| ())
    }

    /// The provider never had the order, and will not get it any more.
    pub(super) async fn never_charged(&self, payment: &CardPayment) -> Result<(), AppError> {
        let give_up =
            |payment: &mut CardPayment| Ok(if payment.give_up() { Effect::Canceled } else { Effect::Nothing });
        self.book(payment.seller, payment.id, give_up).await.map(|_| ())
    }

    /// Decides under the wallet's lock, and books what follows.
    async fn book(
        &self,
        seller: SellerId,
        id: PaymentId,
        hear: impl FnOnce(&mut CardPayment) -> Result<Effect, HearError>,
    ) -> Result<Result<Effect, HearError>, AppError> {
        let billing = &self.billing;
        let mut tx = billing.tenants.begin(seller).await?;
        // Whose it is never changes, so it may be read before the wallet is locked.
        let Some(owned) = payments::find(&mut tx, seller, id).await? else { return Ok(Ok(Effect::Nothing)) };
        let wallet = Self::lock_wallet(&mut tx, seller, owned.buyer).await?;
        let Some(mut payment) = payments::lock(&mut tx, seller, id).await? else { return Ok(Ok(Effect::Nothing)) };
        let effect = match hear(&mut payment) {
            Ok(Effect::Nothing) => return Ok(Ok(Effect::Nothing)),
            Ok(effect) => effect,
            Err(error) => return Ok(Err(error)),
        };
        let now = self.now();
        let before = recharges::find(&mut tx, seller, payment.buyer).await?;
        let mut recharge = before.clone();
        let mut books = Books::new([wallet], []);
        let mut events = Vec::new();
        let mut tell = |event| events.push(event);
        match effect {
            Effect::Nothing | Effect::Noted => {}
            Effect::Credit(amount) => {
                Self::open_accounts(&mut tx, &wallet).await?;
                let posting = PostingId::new();
                let it = CardMove { seller, buyer: payment.buyer, payment: id, posting, now };
                let text = match payment.kind {
                    PaymentKind::TopUp => "Card payment",
                    PaymentKind::Recharge => "Automatic recharge",
                };
                if let Err(error) = books.charged(it, payment.kind, amount, text.to_owned()) {
                    // A balance beyond what money can express: for a person to look at.
                    return Err(AppError::CardMoney(error));
                }
                payment.posting = Some(posting);
                books.repay_debt(seller, payment.buyer, PostingId::new(), now);
                recharge.paid(payment.card);
                let wallet = books.wallet(seller, payment.buyer).copied().unwrap_or(wallet);
                tell(Envelope::new(EventId::new(), &events::credited(&wallet, amount, posting), now));
                tell(Envelope::new(EventId::new(), &events::payment_changed(&payment, None), now));
                // Low still; or the card was being left alone, and a lead may wait for more than there is.
                if wallet.is_low() || recharge != before {
                    recharges::look_at(&mut tx, &[payment.buyer], now).await?;
                }
            }
            Effect::ActionNeeded => tell(Envelope::new(EventId::new(), &events::payment_changed(&payment, None), now)),
            Effect::Declined if payment.kind == PaymentKind::Recharge => {
                let code = payment.decline_code.clone().unwrap_or_default();
                let after = recharge.declined(payment.card, &code, now);
                let again = if let AfterDecline::AgainAt(at) = after { Some(at) } else { None };
                tell(Envelope::new(EventId::new(), &events::payment_changed(&payment, again), now));
                match after {
                    AfterDecline::AgainAt(at) => recharges::look_at(&mut tx, &[payment.buyer], at).await?,
                    AfterDecline::TurnedOff => {
                        tell(Envelope::new(EventId::new(), &events::recharge_turned_off(&recharge), now));
                    }
                    AfterDecline::WasOff => {}
                }
            }
            Effect::Declined => tell(Envelope::new(EventId::new(), &events::payment_changed(&payment, None), now)),
            Effect::Canceled => {}
        }
        if recharge != before {
            recharges::save(&mut tx, &recharge).await?;
        }
        let first = if payment.state == PaymentState::RequiresAction { 3 } else { 1 };
        payments::save(&mut tx, &payment, now + pause(first), now).await?;
        billing.commit_tenant(tx, &books.into_changes(), events).await?;
        measure(payment.kind, effect);
        Ok(Ok(effect))
    }
}

fn measure(kind: PaymentKind, effect: Effect) {
    let kind = match kind {
        PaymentKind::TopUp => "top_up",
        PaymentKind::Recharge => "recharge",
    };
    let outcome = match effect {
        Effect::Credit(_) => "paid",
        Effect::Declined => "declined",
        Effect::ActionNeeded => "action_needed",
        Effect::Canceled => "canceled",
        Effect::Noted | Effect::Nothing => return,
    };
    metrics::card_payment(kind, outcome);
}

fn news_of(intent: &Intent) -> ChargeNews {
    match &intent.status {
        IntentStatus::Succeeded => ChargeNews::Succeeded(intent.amount),
        IntentStatus::RequiresAction => ChargeNews::RequiresAction(intent.client_secret.clone()),
        IntentStatus::Processing => ChargeNews::Processing,
        IntentStatus::Declined(decline) => ChargeNews::Declined(decline.code.clone()),
        IntentStatus::Canceled => ChargeNews::Canceled,
    }
}
