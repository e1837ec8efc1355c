//! Comparing our payments with Stripe's balance transactions, and booking what is missing: as `app/reconcile` does.

use std::collections::BTreeSet;

use leadflow_billing_domain::RefundState;
use leadflow_kernel::PaymentId;
use rust_decimal::Decimal;

use super::Ours;

impl Ours {
    /// Compares everything. Returns what did not agree; it does now.
    pub fn reconcile(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        let (mut refunded, mut disputed, mut charged) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (kind, source, intent) in self.stripe.movements(self.now) {
            match kind.as_str() {
                "charge" => {
                    let owner = self.owner(None, &intent);
                    if owner.is_none_or(|id| self.payment(id).unwrap().posting.is_none()) {
                        let shown = self.stripe.intent(&intent, self.now).unwrap();
                        self.settle(&shown);
                        found.push(format!("{source} was not credited"));
                    }
                    let id = self.owner(None, &intent).expect("a card was charged for no payment");
                    assert!(charged.insert(id), "a card was charged twice for {id}");
                }
                "refund" | "refund_failure" => {
                    refunded.insert(intent);
                }
                "adjustment" => {
                    disputed.insert(source);
                }
                other => panic!("a movement of kind {other}"),
            }
        }
        for payment in self.payments.iter().filter(|payment| payment.refunded > Decimal::ZERO) {
            refunded.extend(payment.intent.clone());
        }
        for intent in refunded {
            let id = self.owner(None, &intent).unwrap();
            let before = (self.payment(id).unwrap().refunded, self.states_of_refunds(id));
            for refund in self.stripe.refunds_of(&intent, self.now).unwrap() {
                self.hear_refund(&refund).unwrap();
            }
            self.look_at_refunds(&intent).unwrap();
            if before != (self.payment(id).unwrap().refunded, self.states_of_refunds(id)) {
                found.push(format!("{intent} was given back otherwise"));
            }
        }
        for dispute in disputed {
            let theirs = self.stripe.dispute_now(&dispute, self.now).unwrap();
            let known =
                self.disputes.get(&dispute).is_some_and(|it| (it.state, it.amount) == (theirs.state, theirs.amount));
            if !known {
                self.hear_dispute(&theirs).unwrap();
                found.push(format!("{dispute} was not heard of"));
            }
        }
        found
    }

    fn states_of_refunds(&self, payment: PaymentId) -> Vec<RefundState> {
        self.refunds.iter().filter(|it| it.payment == payment).map(|it| it.state).collect()
    }
}
