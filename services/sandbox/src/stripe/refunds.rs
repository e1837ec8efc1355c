//! Money goes back to a card.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{
    Params,
    cards::Manner,
    core::Core,
    customers::refused_reference,
    error::{Outcome, StripeError},
    intents::shown,
    list,
    model::{Charge, Metadata, Refund},
    render::card_of,
};

/// Test cards whose refunds go on later do so after this.
const LATER: TimeDelta = TimeDelta::seconds(10);
const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];
/// Why refunds fail at Stripe.
const FAILURES: [&str; 5] =
    ["lost_or_stolen_card", "expired_or_canceled_card", "charge_for_pending_refund_disputed", "declined", "unknown"];

impl Core {
    /// `POST /v1/refunds`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn create_refund(&mut self, params: &Params, now: DateTime<Utc>) -> Outcome {
        params.only(&["charge", "payment_intent", "amount", "reason", "metadata", "instructions_email"])?;
        let reason = params.word("reason", &REASONS)?;
        let amount = params.integer("amount")?;
        let mut metadata = Metadata::new();
        params.metadata(&mut metadata)?;
        self.room(&self.refunds)?;
        self.room(&self.movements)?;
        let charge = self.refunded_charge(params)?.clone();
        let amount = refundable(&charge, amount)?;
        let manner = self.methods.get(&charge.payment_method).map(|row| card_of(row).manner);
        let (status, due) = match manner {
            Some(Manner::RefundsLate) => ("pending", Some(now + LATER)),
            Some(Manner::RefundsFail) => ("succeeded", Some(now + LATER)),
            _ => ("succeeded", None),
        };
        let id = self.ids.next("re");
        let movement = self.charge_adjusted(&charge, ("refund", "refund"), (-amount, 0), &id, now);
        self.refunds.insert(Refund {
            id: id.clone(),
            created: now,
            charge: charge.id.clone(),
            intent: charge.intent.clone(),
            amount,
            currency: charge.currency,
            status: status.to_owned(),
            reason,
            movement: Some(movement),
            failure_movement: None,
            failure_reason: None,
            due,
            metadata,
        });
        if due.is_some() {
            self.late_refunds.insert(id.clone());
        }
        if let Some(row) = self.charges.get_mut(&charge.id) {
            row.amount_refunded += amount;
        }
        self.refund_event("refund.created", &id, now);
        self.charge_event("charge.refunded", &charge.id, now);
        self.refund(&id)
    }

    /// The charge that a refund is of.
    fn refunded_charge(&self, params: &Params) -> Result<&Charge, StripeError> {
        let (charge, intent) = (params.text("charge")?, params.text("payment_intent")?);
        match (charge, intent) {
            (Some(id), None) => self.charges.get(id).ok_or_else(|| refused_reference("charge", id, "charge")),
            (None, Some(id)) => {
                let row = self.intents.get(id);
                let row = row.ok_or_else(|| refused_reference("payment_intent", id, "payment_intent"))?;
                let charge = row.latest_charge.as_ref().and_then(|id| self.charges.get(id)).filter(|row| row.paid());
                charge.ok_or_else(|| {
                    let message = format!("This PaymentIntent ({id}) does not have a successful charge to refund.");
                    StripeError::invalid(message).code("payment_intent_unexpected_state").param("payment_intent")
                })
            }
            (Some(_), Some(_)) => {
                Err(StripeError::invalid("Only one of charge and payment_intent can be passed in creating a refund."))
            }
            (None, None) => Err(StripeError::parameter(
                "parameter_missing",
                "charge",
                "One of the following params should be provided for this request: payment_intent or charge.",
            )),
        }
    }

    /// `GET /v1/refunds/{id}`.
    ///
    /// # Errors
    /// 404.
    pub fn refund(&self, id: &str) -> Outcome {
        let missing = || StripeError::missing("refund", id, "id");
        Ok(self.show_refund(self.refunds.get(id).ok_or_else(missing)?))
    }

    /// `GET /v1/refunds`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn list_refunds(&self, params: &Params) -> Outcome {
        params.only(&[&list::COMMON[..], &["charge", "payment_intent"]].concat())?;
        let (charge, intent) = (params.text("charge")?, params.text("payment_intent")?);
        let wanted = |row: &Refund| {
            charge.is_none_or(|charge| row.charge == charge) && intent.is_none_or(|intent| row.intent == intent)
        };
        list::page(&self.refunds, "/v1/refunds", params, |row| row.created, wanted, |row| self.show_refund(row))
    }

    /// A refund did not arrive after all: the card's bank sends the money back.
    ///
    /// # Errors
    /// 404; 400 if it failed before.
    pub fn fail_refund(&mut self, id: &str, reason: Option<&str>, now: DateTime<Utc>) -> Outcome {
        let reason = reason.unwrap_or("expired_or_canceled_card");
        if !FAILURES.contains(&reason) {
            return Err(StripeError::invalid(format!("reason must be one of {}", FAILURES.join(", "))).param("reason"));
        }
        let row = self.refunds.get(id).ok_or_else(|| StripeError::missing("refund", id, "id"))?.clone();
        if row.status == "failed" {
            return Err(StripeError::invalid("This refund has failed already."));
        }
        let Some(charge) = self.charges.get(&row.charge).cloned() else { return self.refund(id) };
        let kind = ("refund_failure", "refund_failure");
        let movement = self.charge_adjusted(&charge, kind, (row.amount, 0), id, now);
        if let Some(row) = self.refunds.get_mut(id) {
            row.status = "failed".to_owned();
            row.failure_reason = Some(reason.to_owned());
            row.failure_movement = Some(movement);
            row.due = None;
        }
        if let Some(charge) = self.charges.get_mut(&charge.id) {
            charge.amount_refunded -= row.amount;
        }
        for kind in ["refund.failed", "refund.updated", "charge.refund.updated"] {
            self.refund_changed(kind, id, &row.status, now);
        }
        self.refund(id)
    }

    /// Whether a refund goes on by itself, now that it was read from a file.
    pub(super) fn note_late(&mut self, id: &str) {
        if self.refunds.get(id).is_some_and(|row| row.due.is_some()) {
            self.late_refunds.insert(id.to_owned());
        } else {
            self.late_refunds.remove(id);
        }
    }

    /// A refund that was pending arrives.
    fn refund_arrived(&mut self, id: &str, now: DateTime<Utc>) {
        if let Some(row) = self.refunds.get_mut(id) {
            row.status = "succeeded".to_owned();
            row.due = None;
        }
        for kind in ["refund.updated", "charge.refund.updated"] {
            self.refund_changed(kind, id, "pending", now);
        }
    }

    pub(super) fn settle_refunds(&mut self, now: DateTime<Utc>) {
        let late = self.late_refunds.iter().filter_map(|id| self.refunds.get(id));
        let due: Vec<_> = late
            .filter(|row| row.due.is_some_and(|due| due <= now))
            .map(|row| (row.id.clone(), row.status == "pending"))
            .collect();
        for (id, pending) in due {
            self.late_refunds.remove(&id);
            if pending {
                self.refund_arrived(&id, now);
            } else {
                // It is there and has not failed yet, so this cannot be refused.
                let _ = self.fail_refund(&id, None, now);
            }
        }
    }

    fn refund_event(&mut self, kind: &str, id: &str, now: DateTime<Utc>) {
        if let Some(row) = self.refunds.get(id) {
            let object = self.show_refund(row);
            self.event(kind, object, None, now);
        }
    }

    fn refund_changed(&mut self, kind: &str, id: &str, before: &str, now: DateTime<Utc>) {
        if let Some(row) = self.refunds.get(id) {
            let object = self.show_refund(row);
            self.event(kind, object, Some(json!({ "status": before })), now);
        }
    }
}

/// What is given back: the wish, or all that is left.
fn refundable(charge: &Charge, wanted: Option<i64>) -> Result<i64, StripeError> {
    let left = charge.amount - charge.amount_refunded;
    if !charge.paid() {
        let message = format!("You cannot refund charge {} because it has not been captured.", charge.id);
        return Err(StripeError::invalid(message).code("charge_not_refundable"));
    }
    if charge.dispute.is_some() {
        let message = format!("Charge {} has been charged back; cannot issue a refund.", charge.id);
        return Err(StripeError::invalid(message).code("charge_disputed"));
    }
    if left == 0 {
        let message = format!("Charge {} has already been refunded.", charge.id);
        return Err(StripeError::invalid(message).code("charge_already_refunded"));
    }
    match wanted {
        None => Ok(left),
        Some(amount) if amount < 1 => Err(StripeError::parameter(
            "parameter_invalid_integer",
            "amount",
            "This value must be greater than or equal to 1.",
        )),
        Some(amount) if amount > left => {
            let message = format!(
                "Refund amount ({}) is greater than unrefunded amount on charge ({})",
                shown(amount, &charge.currency),
                shown(left, &charge.currency)
            );
            Err(StripeError::invalid(message).param("amount"))
        }
        Some(amount) => Ok(amount),
    }
}
