//! A card's owner complains to his bank, and the bank takes the money.

use chrono::{DateTime, Utc};

use super::{
    Params,
    core::Core,
    error::{Outcome, StripeError},
    list,
    model::Dispute,
    movements::DISPUTE_FEE,
};

const REASONS: [&str; 7] = [
    "fraudulent",
    "product_not_received",
    "product_unacceptable",
    "duplicate",
    "subscription_canceled",
    "credit_not_processed",
    "general",
];

impl Core {
    /// Makes the owner of a charge's card complain; of all of it unless less is said. The money is gone at once.
    ///
    /// # Errors
    /// 404; 400 for a charge that failed, was complained of before, or was given back.
    pub fn dispute(&mut self, charge: &str, amount: Option<i64>, reason: &str, now: DateTime<Utc>) -> Outcome {
        self.room(&self.disputes)?;
        self.room(&self.movements)?;
        if !REASONS.contains(&reason) {
            return Err(StripeError::invalid(format!("reason must be one of {}", REASONS.join(", "))).param("reason"));
        }
        let row = self.charges.get(charge).ok_or_else(|| StripeError::missing("charge", charge, "charge"))?.clone();
        let left = row.amount - row.amount_refunded;
        let amount = amount.unwrap_or(left);
        if !row.paid() || row.dispute.is_some() || !(1..=left).contains(&amount) {
            return Err(StripeError::invalid("This charge cannot be disputed, or not by so much.").param("charge"));
        }
        let id = self.ids.next("du");
        let taken = self.charge_adjusted(&row, ("adjustment", "dispute"), (-amount, DISPUTE_FEE), &id, now);
        self.disputes.insert(Dispute {
            id: id.clone(),
            created: now,
            charge: row.id,
            intent: row.intent,
            amount,
            currency: row.currency,
            reason: reason.to_owned(),
            status: "needs_response".to_owned(),
            movements: vec![taken],
        });
        if let Some(row) = self.charges.get_mut(charge) {
            row.dispute = Some(id.clone());
        }
        self.dispute_event("charge.dispute.created", &id, now);
        self.dispute_event("charge.dispute.funds_withdrawn", &id, now);
        self.retrieve_dispute(&id)
    }

    /// The bank decides. Won: the money comes back (its fee does not).
    ///
    /// # Errors
    /// 404; 400 if it was decided before.
    pub fn close_dispute(&mut self, id: &str, won: bool, now: DateTime<Utc>) -> Outcome {
        let row = self.disputes.get(id).ok_or_else(|| StripeError::missing("dispute", id, "dispute"))?.clone();
        if row.status != "needs_response" {
            return Err(StripeError::invalid("This dispute is already closed"));
        }
        let Some(charge) = self.charges.get(&row.charge).cloned() else { return self.retrieve_dispute(id) };
        let back =
            won.then(|| self.charge_adjusted(&charge, ("adjustment", "dispute_reversal"), (row.amount, 0), id, now));
        if let Some(row) = self.disputes.get_mut(id) {
            row.status = if won { "won" } else { "lost" }.to_owned();
            row.movements.extend(back);
        }
        self.dispute_event("charge.dispute.closed", id, now);
        if won {
            self.dispute_event("charge.dispute.funds_reinstated", id, now);
        }
        self.retrieve_dispute(id)
    }

    /// `GET /v1/disputes/{id}`.
    ///
    /// # Errors
    /// 404.
    pub fn retrieve_dispute(&self, id: &str) -> Outcome {
        let missing = || StripeError::missing("dispute", id, "dispute");
        Ok(self.show_dispute(self.disputes.get(id).ok_or_else(missing)?))
    }

    /// `GET /v1/disputes`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn list_disputes(&self, params: &Params) -> Outcome {
        params.only(&[&list::COMMON[..], &["charge", "payment_intent"]].concat())?;
        let (charge, intent) = (params.text("charge")?, params.text("payment_intent")?);
        let wanted = |row: &Dispute| {
            charge.is_none_or(|charge| row.charge == charge) && intent.is_none_or(|intent| row.intent == intent)
        };
        list::page(&self.disputes, "/v1/disputes", params, |row| row.created, wanted, |row| self.show_dispute(row))
    }

    fn dispute_event(&mut self, kind: &str, id: &str, now: DateTime<Utc>) {
        if let Some(row) = self.disputes.get(id) {
            let object = self.show_dispute(row);
            self.event(kind, object, None, now);
        }
    }
}
