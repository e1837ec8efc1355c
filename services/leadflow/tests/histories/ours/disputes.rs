//! What is heard of disputes: as `app/payments/settle_dispute` does.

use leadflow_billing_domain::{DisputeState, DisputeStep, dispute_step};

use super::{Dispute, Ours};
use crate::stripe::{FoundDispute, Refusal, money};

impl Ours {
    /// A dispute as Stripe showed it.
    pub fn hear_dispute(&mut self, found: &FoundDispute) -> Result<(), Refusal> {
        let Some(payment) = self.settled_owner(&found.intent)? else { return Ok(()) };
        let known = self.disputes.get(&found.id).cloned();
        let Some(step) = dispute_step(known.as_ref().map(|it| it.state), found.state) else { return Ok(()) };
        let amount = known.map_or(found.amount, |it| it.amount);
        let (opening, closing, repaid) = (self.moved(payment), self.moved(payment), self.id());
        self.change(|books, ours| {
            if matches!(step, DisputeStep::Open | DisputeStep::OpenAndLose) {
                books.dispute_opened(opening, money(amount), true, String::new()).unwrap();
            }
            if matches!(step, DisputeStep::Win | DisputeStep::Lose | DisputeStep::OpenAndLose) {
                books.dispute_closed(closing, money(amount), step == DisputeStep::Win, String::new()).unwrap();
            }
            if step == DisputeStep::Win {
                Self::repay(books, ours, repaid);
            }
        });
        let charge = self.payment_mut(payment);
        match step {
            DisputeStep::Open | DisputeStep::OpenAndLose => charge.disputed += amount,
            DisputeStep::Win => charge.disputed -= amount,
            DisputeStep::Lose | DisputeStep::Forget => {}
        }
        self.disputes.insert(found.id.clone(), Dispute { payment, amount, state: found.state });
        Ok(())
    }

    pub fn open_disputes(&self) -> usize {
        self.disputes.values().filter(|it| it.state == DisputeState::Open).count()
    }
}
