//! A card is charged, or refuses, or its owner is asked.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    Params,
    cards::Manner,
    core::Core,
    error::{Outcome, StripeError},
    intents::{How, unexpected},
    list,
    model::{Charge, PaymentIntent},
    payment_methods::declined,
    render::card_of,
};

/// What comes of a card.
enum Verdict {
    Pays,
    Declines(&'static str),
    Asks,
}

impl Core {
    /// Tries to charge the intent's card.
    pub(super) fn pay(&mut self, id: &str, how: &How, now: DateTime<Utc>) -> Result<(), StripeError> {
        let Some(intent) = self.intents.get(id).cloned() else { return Ok(()) };
        let Some(method) = intent.payment_method.clone() else {
            let message = "You cannot confirm this PaymentIntent because it's missing a payment method. You can either \
                           update the PaymentIntent with a payment method and then confirm it again, or confirm it again \
                           directly with a payment method or ConfirmationToken.";
            let error = unexpected("payment_intent_unexpected_state", message.to_owned());
            return Err(error.with("payment_intent", self.show_intent(&intent)));
        };
        self.room(&self.charges)?;
        self.room(&self.movements)?;
        match self.verdict(&method, how) {
            Verdict::Pays => {
                self.charged(&intent, &method, how, now);
                Ok(())
            }
            Verdict::Declines(code) => Err(self.refused(&intent, &method, code, how, now)),
            Verdict::Asks if how.error_on_requires_action => {
                let error = declined("authentication_required");
                Err(self.payment_failed(id, &method, error, now))
            }
            Verdict::Asks => {
                if let Some(row) = self.intents.get_mut(id) {
                    row.status = "requires_action".to_owned();
                    row.last_error = None;
                }
                self.intent_event("payment_intent.requires_action", id, now);
                Ok(())
            }
        }
    }

    fn verdict(&self, method: &str, how: &How) -> Verdict {
        let Some(row) = self.methods.get(method) else { return Verdict::Declines("generic_decline") };
        if let Some(code) = row.told_to_decline.as_deref().and_then(super::cards::decline_of) {
            return Verdict::Declines(code.decline_code);
        }
        let manner = card_of(row).manner;
        let asks = match manner {
            Manner::AsksAlways | Manner::AsksAndDeclines(_) => true,
            Manner::AsksUnlessSetUp => !(how.off_session && row.set_up),
            _ => false,
        };
        if asks && !how.authenticated {
            return if how.off_session { Verdict::Declines("authentication_required") } else { Verdict::Asks };
        }
        match manner {
            Manner::Declines(code) | Manner::DeclinesCharges(code) | Manner::AsksAndDeclines(code) => {
                Verdict::Declines(code)
            }
            _ => Verdict::Pays,
        }
    }

    fn charged(&mut self, intent: &PaymentIntent, method: &str, how: &How, now: DateTime<Utc>) {
        let charge = self.add_charge(intent, method, None, how, now);
        let movement = self.charge_movement(&charge, intent, now);
        if let Some(row) = self.charges.get_mut(&charge) {
            row.movement = Some(movement);
        }
        if let Some(row) = self.methods.get_mut(method) {
            row.set_up |= intent.setup_future_usage.as_deref() == Some("off_session");
            // A card that is nobody's pays once.
            row.used_up |= row.customer.is_none() && intent.setup_future_usage.is_none();
        }
        if let (Some(customer), Some(_)) = (&intent.customer, &intent.setup_future_usage) {
            self.give(method, customer, now);
        }
        if let Some(row) = self.intents.get_mut(&intent.id) {
            row.status = "succeeded".to_owned();
            row.amount_received = row.amount;
            row.latest_charge = Some(charge.clone());
            row.last_error = None;
        }
        self.charge_event("charge.succeeded", &charge, now);
        self.intent_event("payment_intent.succeeded", &intent.id, now);
        if let Some(Manner::Disputes(reason)) = self.methods.get(method).map(|row| card_of(row).manner) {
            // The card's owner complains at once; that there is room was seen before.
            let _ = self.dispute(&charge, None, reason, now);
        }
    }

    /// A charge that failed, and the error that the caller gets.
    fn refused(
        &mut self,
        intent: &PaymentIntent,
        method: &str,
        code: &str,
        how: &How,
        now: DateTime<Utc>,
    ) -> StripeError {
        let charge = self.add_charge(intent, method, Some(code.to_owned()), how, now);
        if let Some(row) = self.intents.get_mut(&intent.id) {
            row.latest_charge = Some(charge.clone());
        }
        self.charge_event("charge.failed", &charge, now);
        self.payment_failed(&intent.id, method, declined(code).with("charge", charge.into()), now)
    }

    /// Notes why an intent could not be paid; the error that the caller gets.
    pub(super) fn payment_failed(
        &mut self,
        id: &str,
        method: &str,
        error: StripeError,
        now: DateTime<Utc>,
    ) -> StripeError {
        let mut kept: Map<String, Value> = error.fields().clone();
        kept.insert("payment_method".to_owned(), method.into());
        if let Some(row) = self.intents.get_mut(id) {
            row.status = "requires_payment_method".to_owned();
            row.payment_method = None;
            row.last_error = Some(kept);
        }
        self.intent_event("payment_intent.payment_failed", id, now);
        let intent = self.intents.get(id).map(|row| self.show_intent(row)).unwrap_or_default();
        let method = self.methods.get(method).map(|row| self.show_method(row)).unwrap_or_default();
        error.with("payment_intent", intent).with("payment_method", method)
    }

    fn add_charge(
        &mut self,
        intent: &PaymentIntent,
        method: &str,
        failure: Option<String>,
        how: &How,
        now: DateTime<Utc>,
    ) -> String {
        let id = self.ids.next("ch");
        self.charges.insert(Charge {
            id: id.clone(),
            created: now,
            intent: intent.id.clone(),
            customer: intent.customer.clone(),
            payment_method: method.to_owned(),
            amount: intent.amount,
            amount_refunded: 0,
            currency: intent.currency.clone(),
            failure,
            description: intent.description.clone(),
            receipt_email: intent.receipt_email.clone(),
            movement: None,
            authenticated: how.authenticated,
            dispute: None,
            metadata: intent.metadata.clone(),
        });
        id
    }

    /// `GET /v1/charges/{id}`.
    ///
    /// # Errors
    /// 404.
    pub fn charge(&self, id: &str) -> Outcome {
        let missing = || StripeError::missing("charge", id, "id");
        Ok(self.show_charge(self.charges.get(id).ok_or_else(missing)?))
    }

    /// `GET /v1/charges`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn list_charges(&self, params: &Params) -> Outcome {
        params.only(&[&list::COMMON[..], &["customer", "payment_intent"]].concat())?;
        let (customer, intent) = (params.text("customer")?, params.text("payment_intent")?);
        let wanted = |row: &Charge| {
            (customer.is_none() || row.customer.as_deref() == customer) && intent.is_none_or(|id| row.intent == id)
        };
        list::page(&self.charges, "/v1/charges", params, |row| row.created, wanted, |row| self.show_charge(row))
    }

    pub(super) fn charge_event(&mut self, kind: &str, id: &str, now: DateTime<Utc>) {
        if let Some(row) = self.charges.get(id) {
            let object = self.show_charge(row);
            self.event(kind, object, None, now);
        }
    }
}
