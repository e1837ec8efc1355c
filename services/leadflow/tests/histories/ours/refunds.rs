//! Giving money back to cards, and what is heard of it: as `app/payments/{refund_balance,order_refund,settle_refund,foreign_refunds}` do.

use leadflow_billing_domain::{CardPayment, PaymentState, RefundState, Refunds, allocate, unexplained};
use leadflow_kernel::{PaymentId, RefundId};
use rust_decimal::Decimal;

use super::{Ours, Refund, charges::KEY_LASTS};
use crate::stripe::{FoundRefund, Refusal, money};

impl Ours {
    /// Unspent balance goes back to the cards it came from, where there is that much.
    pub fn give_back_balance(&mut self, amount: Decimal) {
        let succeeded = self.payments.iter().rev().filter(|it| it.state == PaymentState::Succeeded);
        let newest: Vec<CardPayment> = succeeded.filter(|it| it.refundable() > Decimal::ZERO).cloned().collect();
        let Ok(parts) = allocate(amount, self.wallet.available(), &newest) else { return };
        let mut written = Vec::new();
        for (payment, part) in parts {
            let it = self.moved(payment);
            self.change(|books, _| books.refunded(it, money(part), String::new()).unwrap());
            self.payment_mut(payment).refunded += part;
            let refund = Refund {
                id: self.id(),
                payment,
                amount: part,
                state: RefundState::Pending,
                provider_id: None,
                created_at: self.now,
                attempts: 0,
            };
            written.push(refund.id);
            self.refunds.push(refund);
        }
        for id in written {
            let _ = self.try_refund(id);
        }
    }

    /// A worker asks what became of a refund.
    pub fn ask_about_refund(&mut self, id: RefundId) {
        let refund = self.refund_mut(id);
        if refund.state == RefundState::Pending {
            refund.attempts += 1;
            let _ = self.try_refund(id);
        }
    }

    fn refund_mut(&mut self, id: RefundId) -> &mut Refund {
        self.refunds.iter_mut().find(|refund| refund.id == id).unwrap()
    }

    fn try_refund(&mut self, id: RefundId) -> Result<(), Refusal> {
        let refund = self.refund_mut(id).clone();
        let intent = self.payment(refund.payment).unwrap().intent.clone().unwrap();
        if let Some(known) = &refund.provider_id {
            let found = self.stripe.refund_now(known, self.now)?;
            return self.hear_refund(&found);
        }
        if self.now - refund.created_at >= KEY_LASTS {
            return self.conclude(&refund, &intent);
        }
        match self.stripe.refund((id, refund.payment), &intent, refund.amount, self.now) {
            Ok(answer) => {
                self.book_refund(id, Some(&answer.id), answer.state);
                self.look_at_refunds(&intent)
            }
            // That this order was refused says nothing of the one before.
            Err(Refusal::Refused(_)) if refund.attempts > 0 => self.conclude(&refund, &intent),
            Err(Refusal::Refused(_)) => {
                self.book_refund(id, None, RefundState::Failed);
                self.look_at_refunds(&intent)
            }
            Err(other) => Err(other),
        }
    }

    /// What became of a refund that cannot be ordered any more: it is among the charge's, or was never made.
    fn conclude(&mut self, refund: &Refund, intent: &str) -> Result<(), Refusal> {
        let all = self.stripe.refunds_of(intent, self.now)?;
        match all.iter().find(|found| found.ours == Some(refund.id)) {
            Some(found) => self.book_refund(refund.id, Some(&found.id), found.state),
            None => self.book_refund(refund.id, None, RefundState::Failed),
        };
        self.look_at_refunds(intent)
    }

    /// Books where one of ours stands. True when that changed something.
    fn book_refund(&mut self, id: RefundId, provider_id: Option<&str>, told: RefundState) -> bool {
        let refund = self.refund_mut(id).clone();
        let news = refund.state.after(told);
        let named = refund.provider_id.is_none() && provider_id.is_some();
        if news.is_none() && !named {
            return false;
        }
        if news == Some(RefundState::Failed) {
            let (it, repaid) = (self.moved(refund.payment), self.id());
            self.change(|books, ours| {
                books.refund_failed(it, money(refund.amount), String::new()).unwrap();
                Self::repay(books, ours, repaid);
            });
            self.payment_mut(refund.payment).refunded -= refund.amount;
        }
        let refund = self.refund_mut(id);
        refund.provider_id = refund.provider_id.clone().or_else(|| provider_id.map(str::to_owned));
        refund.state = news.unwrap_or(refund.state);
        let payment = refund.payment;
        self.looked(payment);
        true
    }

    /// A refund as Stripe showed it.
    pub fn hear_refund(&mut self, found: &FoundRefund) -> Result<(), Refusal> {
        let ours = |it: &&Refund| Some(it.id) == found.ours || it.provider_id.as_deref() == Some(&found.id);
        let Some(id) = self.refunds.iter().find(ours).map(|it| it.id) else {
            return self.look_at_refunds(&found.intent);
        };
        if self.book_refund(id, Some(&found.id), found.state) {
            self.look_at_refunds(&found.intent)?;
        }
        Ok(())
    }

    fn booked(&self, payment: PaymentId) -> Refunds {
        let of = |which: &dyn Fn(&Refund) -> bool| {
            self.refunds.iter().filter(|it| it.payment == payment && which(it)).map(|it| it.amount).sum()
        };
        let known = |it: &Refund| it.provider_id.is_some() || it.state == RefundState::Succeeded;
        Refunds {
            certain: of(&|it| it.state != RefundState::Failed && known(it)),
            uncertain: of(&|it| it.state == RefundState::Pending && it.provider_id.is_none()),
            foreign: self.foreign.get(&payment).copied().unwrap_or_default(),
        }
    }

    pub fn looks(&self, payment: PaymentId) -> u32 {
        self.looks.get(&payment).copied().unwrap_or_default()
    }

    fn looked(&mut self, payment: PaymentId) {
        *self.looks.entry(payment).or_default() += 1;
    }

    /// Whose charge it is, once its money is credited.
    pub fn settled_owner(&mut self, intent: &str) -> Result<Option<PaymentId>, Refusal> {
        for asked in [false, true] {
            let credited = self.owner(None, intent).filter(|id| self.payment(*id).unwrap().posting.is_some());
            if credited.is_some() || asked {
                return Ok(credited);
            }
            match self.stripe.intent(intent, self.now) {
                Ok(shown) => self.settle(&shown),
                Err(Refusal::Refused(_)) => return Ok(None),
                Err(other) => return Err(other),
            };
        }
        Ok(None)
    }

    /// "How much of it went back?"
    pub fn look_at_refunds(&mut self, intent: &str) -> Result<(), Refusal> {
        let Some(id) = self.settled_owner(intent)? else { return Ok(()) };
        let total = self.stripe.intent(intent, self.now)?.refunded;
        self.book_total(id, total)
    }

    /// Books what our own refunds do not explain of the sum that went back.
    pub fn book_total(&mut self, id: PaymentId, total: Decimal) -> Result<(), Refusal> {
        let booked = self.booked(id);
        let difference = unexplained(total, booked);
        if difference.is_zero() {
            let maybe_more = booked.uncertain > Decimal::ZERO && total - booked.certain > booked.foreign;
            return if maybe_more { Err(Refusal::Later) } else { Ok(()) };
        }
        let (it, repaid) = (self.moved(id), self.id());
        let amount = money(difference.abs());
        self.change(|books, ours| {
            if difference > Decimal::ZERO {
                books.refunded_elsewhere(it, amount, String::new()).unwrap();
            } else {
                books.refund_failed(it, amount, String::new()).unwrap();
                Self::repay(books, ours, repaid);
            }
        });
        *self.foreign.entry(id).or_default() += difference;
        self.payment_mut(id).refunded += difference;
        self.looked(id);
        Ok(())
    }
}
