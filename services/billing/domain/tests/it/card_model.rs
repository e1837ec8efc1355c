//! A model of a provider of card payments: its own record of charges, refunds and disputes, and the messages it sends.

use std::collections::BTreeMap;

use leadflow_kernel::{PaymentId, RefundId};

/// Where a charge stands with the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    Succeeded,
    RequiresAction,
    Declined,
    Canceled,
}

/// One charge, by its idempotency key.
#[derive(Debug, Clone)]
pub struct ChargeRecord {
    pub intent: String,
    pub cents: i64,
    pub state: Charge,
    pub refunds: BTreeMap<RefundKey, (i64, bool)>,
    pub dispute: Option<(i64, Dispute)>,
}

/// Ours by its key; others by a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefundKey {
    Ours(RefundId),
    Foreign(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dispute {
    Open,
    Won,
    Lost,
}

/// A message as it was sent: a picture of then.
#[derive(Debug, Clone)]
pub enum News {
    Charge { payment: PaymentId, state: Charge },
    Refund { refund: RefundId, failed: bool },
    Refunded { payment: PaymentId },
    Dispute { payment: PaymentId, cents: i64, state: Dispute },
}

#[derive(Debug, Default)]
pub struct Provider {
    pub charges: BTreeMap<PaymentId, ChargeRecord>,
    pub sent: Vec<News>,
    made: usize,
}

impl ChargeRecord {
    pub fn refunded(&self) -> i64 {
        self.refunds.values().filter(|(_, failed)| !failed).map(|(cents, _)| cents).sum()
    }

    fn rest(&self) -> i64 {
        let disputed = self.dispute.filter(|(_, state)| *state != Dispute::Won).map_or(0, |(cents, _)| cents);
        if self.state == Charge::Succeeded { self.cents - self.refunded() - disputed } else { 0 }
    }
}

impl Provider {
    /// The same key again gets the first answer.
    pub fn charge(&mut self, payment: PaymentId, cents: i64, outcome: Charge) -> Charge {
        self.made += 1;
        let intent = format!("pi_{}", self.made);
        let sent = &mut self.sent;
        let record = self.charges.entry(payment).or_insert_with(|| {
            sent.push(News::Charge { payment, state: outcome });
            ChargeRecord { intent, cents, state: outcome, refunds: BTreeMap::new(), dispute: None }
        });
        record.state
    }

    /// The card's owner confirms, or takes another card: the money is taken after all. A canceled charge cannot be.
    pub fn confirm(&mut self, payment: PaymentId) {
        if let Some(charge) = self.charges.get_mut(&payment)
            && matches!(charge.state, Charge::RequiresAction | Charge::Declined)
        {
            charge.state = Charge::Succeeded;
            self.sent.push(News::Charge { payment, state: Charge::Succeeded });
        }
    }

    pub fn cancel(&mut self, payment: PaymentId) -> Option<Charge> {
        let charge = self.charges.get_mut(&payment)?;
        if matches!(charge.state, Charge::RequiresAction | Charge::Declined) {
            charge.state = Charge::Canceled;
            self.sent.push(News::Charge { payment, state: Charge::Canceled });
        }
        Some(charge.state)
    }

    /// False: refused, there is not that much left of the charge.
    pub fn refund(&mut self, payment: PaymentId, key: RefundKey, cents: i64) -> bool {
        let Some(charge) = self.charges.get_mut(&payment) else { return false };
        if charge.refunds.contains_key(&key) {
            return true;
        }
        if cents > charge.rest() {
            return false;
        }
        charge.refunds.insert(key, (cents, false));
        self.sent.push(News::Refunded { payment });
        if let RefundKey::Ours(refund) = key {
            self.sent.push(News::Refund { refund, failed: false });
        }
        true
    }

    /// A refund made on the provider's pages, of at most so much.
    pub fn refund_elsewhere(&mut self, payment: PaymentId, cents: i64) {
        let cents = self.charges.get(&payment).map_or(0, ChargeRecord::rest).min(cents);
        if cents > 0 {
            self.made += 1;
            self.refund(payment, RefundKey::Foreign(self.made), cents);
        }
    }

    /// The newest refund that has not failed does.
    pub fn fail_refund(&mut self, payment: PaymentId) {
        let Some(charge) = self.charges.get_mut(&payment) else { return };
        let Some((key, refund)) = charge.refunds.iter_mut().rev().find(|(_, (_, failed))| !failed) else { return };
        refund.1 = true;
        self.sent.push(match key {
            RefundKey::Ours(refund) => News::Refund { refund: *refund, failed: true },
            RefundKey::Foreign(_) => News::Refunded { payment },
        });
    }

    pub fn dispute(&mut self, payment: PaymentId) {
        let Some(charge) = self.charges.get_mut(&payment) else { return };
        let cents = charge.rest();
        if charge.dispute.is_none() && cents > 0 {
            charge.dispute = Some((cents, Dispute::Open));
            self.sent.push(News::Dispute { payment, cents, state: Dispute::Open });
        }
    }

    pub fn decide(&mut self, payment: PaymentId, won: bool) {
        let Some(charge) = self.charges.get_mut(&payment) else { return };
        if let Some((cents, state @ Dispute::Open)) = &mut charge.dispute {
            *state = if won { Dispute::Won } else { Dispute::Lost };
            let (cents, state) = (*cents, *state);
            self.sent.push(News::Dispute { payment, cents, state });
        }
    }
}
