//! Charging cards, and what is heard of it: as `app/payments/{charge,settle,recharge}` do.

use chrono::TimeDelta;
use leadflow_billing_domain::{CardPayment, Effect, PaymentKind, PaymentState};
use leadflow_kernel::PaymentId;
use rust_decimal::Decimal;

use super::Ours;
use crate::stripe::{Intent, Refusal, money};

/// For so long a key is good.
pub const KEY_LASTS: TimeDelta = TimeDelta::hours(23);
const CONFIRM_WITHIN: TimeDelta = TimeDelta::minutes(60);

impl Ours {
    /// A buyer charges a card.
    pub fn top_up(&mut self, amount: Decimal, card: usize) {
        let id = self.order(PaymentKind::TopUp, amount, card);
        self.charge_first(id);
    }

    /// A worker looks whether the wallet is to be recharged.
    pub fn look_at_wallet(&mut self, card: usize) {
        let open = self.payments.iter().any(|it| it.kind == PaymentKind::Recharge && it.state.is_open());
        let card = card % self.cards.len();
        let id = self.cards[card].id;
        let due = self.recharge.due(&self.wallet, Some(id), self.wanted, Decimal::from(500), self.now);
        let (false, Ok(amount)) = (open, due) else { return };
        let rests = self.recharge.declined_card == Some(id) && self.recharge.not_before.is_some_and(|at| at > self.now);
        assert!(!rests, "an attempt before its time");
        self.recharge.attempted(self.now, self.wallet.terms.time_zone);
        let id = self.order(PaymentKind::Recharge, amount, card);
        self.charge_first(id);
    }

    /// Writes a payment down.
    fn order(&mut self, kind: PaymentKind, amount: Decimal, card: usize) -> PaymentId {
        let card = self.cards[card % self.cards.len()].clone();
        let payment = CardPayment {
            id: self.id(),
            seller: self.wallet.seller,
            buyer: self.wallet.buyer,
            kind,
            request: None,
            amount: money(amount),
            card: card.id,
            customer: self.customer.clone(),
            payment_method: card.method,
            state: PaymentState::Pending,
            intent: None,
            decline_code: None,
            client_secret: None,
            received: Decimal::ZERO,
            refunded: Decimal::ZERO,
            disputed: Decimal::ZERO,
            posting: None,
            created_at: self.now,
            attempts: 0,
        };
        let id = payment.id;
        self.payments.push(payment);
        id
    }

    fn charge_first(&mut self, id: PaymentId) {
        let payment = self.payment(id).unwrap().clone();
        match self.stripe.charge(&payment, self.now) {
            Ok(intent) => self.answered(&payment, &intent),
            Err(Refusal::Refused(code)) => self.refused(id, &code),
            Err(_) => {}
        }
    }

    /// A worker asks what became of a payment. Where there is no answer, it asks again some time.
    pub fn ask(&mut self, id: PaymentId) {
        let payment = self.payment(id).unwrap().clone();
        if payment.state.is_open() {
            let _ = self.what_became_of(&payment);
        }
    }

    fn what_became_of(&mut self, payment: &CardPayment) -> Result<(), Refusal> {
        let age = self.now - payment.created_at;
        if let Some(intent) = &payment.intent {
            let late = payment.state == PaymentState::RequiresAction && age >= CONFIRM_WITHIN;
            let intent =
                if late { self.stripe.cancel(intent, self.now)? } else { self.stripe.intent(intent, self.now)? };
            self.answered(payment, &intent);
            return Ok(());
        }
        let mut refused = None;
        if age < KEY_LASTS {
            match self.stripe.charge(payment, self.now) {
                Ok(intent) => {
                    self.answered(payment, &intent);
                    return Ok(());
                }
                Err(Refusal::Refused(code)) => refused = Some(code),
                Err(other) => return Err(other),
            }
        }
        match (self.stripe.find_intent(&payment.customer, payment.id, self.now)?, refused) {
            (Some(intent), _) => self.answered(payment, &intent),
            (None, Some(code)) => self.refused(payment.id, &code),
            (None, None) => {
                self.payment_mut(payment.id).give_up();
            }
        }
        Ok(())
    }

    fn answered(&mut self, payment: &CardPayment, intent: &Intent) {
        self.settle(intent);
        let asks = matches!(intent.news, leadflow_billing_domain::ChargeNews::RequiresAction(_));
        if payment.kind == PaymentKind::Recharge
            && asks
            && let Ok(canceled) = self.stripe.cancel(&intent.id, self.now)
        {
            self.settle(&canceled);
        }
    }

    fn refused(&mut self, id: PaymentId, code: &str) {
        let now = self.now;
        let payment = self.payment_mut(id);
        if payment.refuse(code) && payment.kind == PaymentKind::Recharge {
            let card = payment.card;
            let _ = self.recharge.declined(card, code, now);
        }
    }

    /// The payment that a charge is of.
    pub fn owner(&self, payment: Option<PaymentId>, intent: &str) -> Option<PaymentId> {
        let ours = |it: &&CardPayment| Some(it.id) == payment || it.intent.as_deref() == Some(intent);
        self.payments.iter().find(ours).map(|it| it.id)
    }

    /// Books what Stripe says of a charge. True when that changed something.
    pub fn settle(&mut self, intent: &Intent) -> bool {
        let Some(id) = self.owner(intent.payment, &intent.id) else { return false };
        let mut payment = self.payment(id).unwrap().clone();
        let effect = payment.hear(&intent.id, intent.news.clone()).unwrap();
        match effect {
            Effect::Credit(amount) => {
                let (it, repaid) = (self.moved(id), self.id());
                self.change(|books, ours| {
                    books.charged(it, payment.kind, amount, String::new()).unwrap();
                    Self::repay(books, ours, repaid);
                });
                payment.posting = Some(it.posting);
                self.recharge.paid(payment.card);
            }
            Effect::Declined if payment.kind == PaymentKind::Recharge => {
                let code = payment.decline_code.clone().unwrap();
                let _ = self.recharge.declined(payment.card, &code, self.now);
            }
            _ => {}
        }
        *self.payment_mut(id) = payment;
        effect != Effect::Nothing
    }
}
