//! Setup intents: a card is kept for payments without its owner.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{
    Params,
    cards::Manner,
    core::Core,
    error::{Outcome, StripeError},
    intents::{methods_of, unexpected},
    list,
    model::{Metadata, SetupIntent},
    payment_methods::{declined, used_up},
    render::card_of,
};

const OPEN: [&str; 3] = ["requires_payment_method", "requires_confirmation", "requires_action"];

impl Core {
    /// `POST /v1/setup_intents`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn create_setup_intent(&mut self, params: &Params, now: DateTime<Utc>) -> Outcome {
        params.only(&[
            "customer",
            "payment_method",
            "usage",
            "payment_method_types",
            "automatic_payment_methods",
            "confirm",
            "description",
            "metadata",
            "return_url",
            "payment_method_data",
        ])?;
        self.room(&self.setups)?;
        let customer = self.named_customer(params)?;
        let mut metadata = Metadata::new();
        params.metadata(&mut metadata)?;
        let usage = params.word("usage", &["off_session", "on_session"])?.unwrap_or_else(|| "off_session".to_owned());
        let confirm = params.boolean("confirm")?.unwrap_or(false);
        let methods = methods_of(params)?;
        let method = self.given_method(params, now)?;
        let id = self.ids.next("seti");
        let secret = self.ids.next(&format!("{id}_secret"));
        self.setups.insert(SetupIntent {
            id: id.clone(),
            created: now,
            client_secret: secret,
            customer,
            usage,
            status: if method.is_some() { "requires_confirmation" } else { "requires_payment_method" }.to_owned(),
            payment_method: method,
            methods,
            description: params.owned("description")?,
            return_url: params.url("return_url")?,
            last_error: None,
            cancellation_reason: None,
            metadata,
        });
        self.setup_event("setup_intent.created", &id, now);
        if confirm {
            self.set_up(&id, false, now)?;
        }
        self.setup_intent(&id)
    }

    /// `GET /v1/setup_intents/{id}`.
    ///
    /// # Errors
    /// 404.
    pub fn setup_intent(&self, id: &str) -> Outcome {
        let missing = || StripeError::missing("setupintent", id, "intent");
        Ok(self.show_setup(self.setups.get(id).ok_or_else(missing)?))
    }

    /// `GET /v1/setup_intents`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn list_setup_intents(&self, params: &Params) -> Outcome {
        params.only(&[&list::COMMON[..], &["customer", "payment_method"]].concat())?;
        let (customer, method) = (params.text("customer")?, params.text("payment_method")?);
        let wanted = |row: &SetupIntent| {
            (customer.is_none() || row.customer.as_deref() == customer)
                && (method.is_none() || row.payment_method.as_deref() == method)
        };
        list::page(&self.setups, "/v1/setup_intents", params, |row| row.created, wanted, |row| self.show_setup(row))
    }

    /// `POST /v1/setup_intents/{id}/confirm`.
    ///
    /// # Errors
    /// As Stripe's; 402 for a card that declines.
    pub fn confirm_setup_intent(&mut self, id: &str, params: &Params, now: DateTime<Utc>) -> Outcome {
        params.only(&["payment_method", "payment_method_data", "return_url", "client_secret"])?;
        self.check_secret(id, params)?;
        let row = self.setups.get(id).ok_or_else(|| StripeError::missing("setupintent", id, "intent"))?;
        if !OPEN.contains(&row.status.as_str()) {
            let message = format!(
                "You cannot confirm this SetupIntent because it has already {}.",
                if row.status == "succeeded" { "succeeded" } else { "been canceled" }
            );
            let error = unexpected("setup_intent_unexpected_state", message);
            return Err(error.with("setup_intent", self.show_setup(row)));
        }
        let method = self.given_method(params, now)?;
        let return_url = params.url("return_url")?;
        if let Some(row) = self.setups.get_mut(id) {
            row.payment_method = method.or(row.payment_method.take());
            row.return_url = return_url.or(row.return_url.take());
        }
        self.set_up(id, false, now)?;
        self.setup_intent(id)
    }

    /// `POST /v1/setup_intents/{id}/cancel`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn cancel_setup_intent(&mut self, id: &str, params: &Params, now: DateTime<Utc>) -> Outcome {
        params.only(&["cancellation_reason"])?;
        let reason = params.word("cancellation_reason", &["abandoned", "duplicate", "requested_by_customer"])?;
        let row = self.setups.get(id).ok_or_else(|| StripeError::missing("setupintent", id, "intent"))?;
        if !OPEN.contains(&row.status.as_str()) {
            let message = format!("You cannot cancel this SetupIntent because it has a status of {}.", row.status);
            let error = unexpected("setup_intent_unexpected_state", message);
            return Err(error.with("setup_intent", self.show_setup(row)));
        }
        if let Some(row) = self.setups.get_mut(id) {
            row.status = "canceled".to_owned();
            row.cancellation_reason = reason;
        }
        self.setup_event("setup_intent.canceled", id, now);
        self.setup_intent(id)
    }

    /// Keeps the card, or asks its owner, or is declined.
    pub(super) fn set_up(&mut self, id: &str, authenticated: bool, now: DateTime<Utc>) -> Result<(), StripeError> {
        let Some(row) = self.setups.get(id).cloned() else { return Ok(()) };
        let Some(method_id) = row.payment_method.clone() else {
            let message = "You cannot confirm this SetupIntent because it's missing a payment method. You can either \
                           update the SetupIntent with a payment method and then confirm it again, or confirm it again \
                           directly with a payment method.";
            let error = unexpected("setup_intent_unexpected_state", message.to_owned());
            return Err(error.with("setup_intent", self.show_setup(&row)));
        };
        let Some(method) = self.methods.get(&method_id) else { return Ok(()) };
        if method.used_up {
            return Err(used_up());
        }
        if method.customer.is_some() && method.customer != row.customer {
            return Err(super::customers::not_the_customers(&method_id));
        }
        let asks =
            matches!(card_of(method).manner, Manner::AsksAlways | Manner::AsksUnlessSetUp | Manner::AsksAndDeclines(_));
        if let Some(code) = self.declines_to_be_stored(&method_id) {
            return Err(self.setup_failed(id, &method_id, declined(code), now));
        }
        if asks && !authenticated {
            if let Some(row) = self.setups.get_mut(id) {
                row.status = "requires_action".to_owned();
                row.last_error = None;
            }
            self.setup_event("setup_intent.requires_action", id, now);
            return Ok(());
        }
        if let Some(method) = self.methods.get_mut(&method_id) {
            method.set_up |= row.usage == "off_session";
        }
        if let Some(customer) = &row.customer {
            self.give(&method_id, customer, now);
        }
        if let Some(row) = self.setups.get_mut(id) {
            row.status = "succeeded".to_owned();
            row.last_error = None;
        }
        self.setup_event("setup_intent.succeeded", id, now);
        Ok(())
    }

    /// Notes why it failed; the error that the caller gets.
    pub(super) fn setup_failed(
        &mut self,
        id: &str,
        method: &str,
        error: StripeError,
        now: DateTime<Utc>,
    ) -> StripeError {
        let mut kept: Map<String, Value> = error.fields().clone();
        kept.insert("payment_method".to_owned(), method.into());
        if let Some(row) = self.setups.get_mut(id) {
            row.status = "requires_payment_method".to_owned();
            row.payment_method = None;
            row.last_error = Some(kept);
        }
        self.setup_event("setup_intent.setup_failed", id, now);
        let shown = self.setups.get(id).map(|row| self.show_setup(row)).unwrap_or_default();
        let method = self.methods.get(method).map(|row| self.show_method(row)).unwrap_or_default();
        error.with("setup_intent", shown).with("payment_method", method)
    }

    fn setup_event(&mut self, kind: &str, id: &str, now: DateTime<Utc>) {
        if let Some(row) = self.setups.get(id) {
            let object = self.show_setup(row);
            self.event(kind, object, None, now);
        }
    }
}
