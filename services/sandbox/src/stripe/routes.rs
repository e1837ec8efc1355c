//! Which operation a method and a path mean.

use chrono::{DateTime, Utc};

use super::{
    core::{Call, Core},
    error::{Outcome, StripeError},
};

/// What is done with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Looked at.
    Get,
    /// Made or changed.
    Post,
    /// Taken away.
    Delete,
}

use Method::{Get, Post};

impl Core {
    pub(super) fn route(&mut self, call: &Call<'_>, now: DateTime<Utc>) -> Outcome {
        let Call { params, .. } = *call;
        let path: Vec<&str> = call.path.trim_matches('/').split('/').collect();
        match (call.method, &path[..]) {
            (Post, ["customers"]) => self.create_customer(params, now),
            (Get, ["customers"]) => self.list_customers(params),
            (Get, ["customers", id]) => known_none(call).and_then(|()| self.customer(id)),
            (Post, ["customers", id]) => self.update_customer(id, params, now),
            (Get, ["customers", id, "payment_methods"]) => self.list_payment_methods(Some(id), params),
            (Get, ["customers", id, "payment_methods", method]) => {
                let owner = self.methods.get(method).and_then(|row| row.customer.as_deref());
                if owner != Some(id) {
                    return Err(StripeError::missing("PaymentMethod", method, "payment_method"));
                }
                self.payment_method(method)
            }
            (Post, ["payment_methods"]) => self.create_payment_method(params, now),
            (Get, ["payment_methods"]) => self.list_payment_methods(None, params),
            (Get, ["payment_methods", id]) => {
                known_none(call)?;
                let id = if id.starts_with("pm_card_") { self.named_method(id, now)? } else { (*id).to_owned() };
                self.payment_method(&id)
            }
            (Post, ["payment_methods", id, "attach"]) => self.attach_payment_method(id, params, now),
            (Post, ["payment_methods", id, "detach"]) => self.detach_payment_method(id, params, now),
            (Post, ["setup_intents"]) => self.create_setup_intent(params, now),
            (Get, ["setup_intents"]) => self.list_setup_intents(params),
            (Get, ["setup_intents", id]) => {
                params.only(&["client_secret"])?;
                self.check_secret(id, params)?;
                self.setup_intent(id)
            }
            (Post, ["setup_intents", id, "confirm"]) => self.confirm_setup_intent(id, params, now),
            (Post, ["setup_intents", id, "cancel"]) => self.cancel_setup_intent(id, params, now),
            (Post, ["payment_intents"]) => self.create_payment_intent(params, now),
            (Get, ["payment_intents"]) => self.list_payment_intents(params),
            (Get, ["payment_intents", "search"]) => self.search_payment_intents(params, now),
            (Get, ["payment_intents", id]) => {
                params.only(&["client_secret"])?;
                self.check_secret(id, params)?;
                self.payment_intent(id)
            }
            (Post, ["payment_intents", id, "confirm"]) => self.confirm_payment_intent(id, params, now),
            (Post, ["payment_intents", id, "cancel"]) => self.cancel_payment_intent(id, params, now),
            (Get, ["charges"]) => self.list_charges(params),
            (Get, ["charges", id]) => known_none(call).and_then(|()| self.charge(id)),
            (Post, ["refunds"]) => self.create_refund(params, now),
            (Get, ["refunds"]) => self.list_refunds(params),
            (Get, ["refunds", id]) => known_none(call).and_then(|()| self.refund(id)),
            (Get, ["disputes"]) => self.list_disputes(params),
            (Get, ["disputes", id]) => known_none(call).and_then(|()| self.retrieve_dispute(id)),
            (Post, ["disputes", id, "close"]) => {
                known_none(call)?;
                self.close_dispute(id, false, now)
            }
            (Get, ["balance_transactions"]) => self.list_balance_transactions(params),
            (Get, ["balance_transactions", id]) => known_none(call).and_then(|()| self.balance_transaction(id)),
            (Get, ["events"]) => self.list_events(params),
            (Get, ["events", id]) => known_none(call).and_then(|()| self.retrieve_event(id)),
            _ => Err(unknown(call)),
        }
    }
}

fn known_none(call: &Call<'_>) -> Result<(), StripeError> {
    call.params.only(&[])
}

fn unknown(call: &Call<'_>) -> StripeError {
    let method = match call.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Delete => "DELETE",
    };
    let path: String = call.path.chars().take(200).collect();
    StripeError::unknown_url(format!("Unrecognized request URL ({method}: /v1/{path}), or not of this sandbox."))
}
