//! Cards.

use chrono::{DateTime, Datelike as _, Utc};
use serde_json::{Value, json};

use super::{
    Params,
    cards::{self, Manner, TestCard},
    core::Core,
    customers::refused_reference,
    error::{Outcome, StripeError},
    list,
    model::{Metadata, PaymentMethod},
    render::card_of,
};

impl Core {
    /// `POST /v1/payment_methods`: `card[number]` of a test card, or `card[token]`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn create_payment_method(&mut self, params: &Params, now: DateTime<Utc>) -> Outcome {
        params.only(&["type", "card", "billing_details", "metadata", "allow_redisplay"])?;
        let id = self.new_method(params, now)?;
        self.payment_method(&id)
    }

    /// From what a call says of a card, be it as `payment_method_data`.
    pub(super) fn new_method(&mut self, params: &Params, now: DateTime<Utc>) -> Result<String, StripeError> {
        if params.required("type")? != "card" {
            return Err(StripeError::parameter("", "type", "This sandbox knows cards only"));
        }
        let input = params.inner("card")?.unwrap_or_default();
        input.only(&["number", "exp_month", "exp_year", "cvc", "token", "networks"])?;
        let card = match input.text("token")? {
            Some(token) => cards::named(token).ok_or_else(|| refused_reference("token", token, "card[token]"))?,
            None => cards::numbered(input.required("number")?)?,
        };
        let exp_month = input.integer("exp_month")?.unwrap_or(12);
        let exp_year = input.integer("exp_year")?.unwrap_or_else(|| i64::from(now.year()) + 3);
        let exp_year = if exp_year < 100 { exp_year + 2_000 } else { exp_year };
        if !(1..=12).contains(&exp_month) {
            let message = "Your card's expiration month is invalid.";
            return Err(StripeError::card("invalid_expiry_month", None, message).param("exp_month"));
        }
        let (year, month) = (i64::from(now.year()), i64::from(now.month()));
        if (exp_year, exp_month) < (year, month) || exp_year > year + 50 {
            let message = "Your card's expiration year is invalid.";
            return Err(StripeError::card("invalid_expiry_year", None, message).param("exp_year"));
        }
        if input.text("cvc")?.is_some_and(|cvc| !matches!(cvc.len(), 3 | 4) || !cvc.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(StripeError::card("invalid_cvc", None, "Your card's security code is invalid.").param("cvc"));
        }
        let billing = params.inner("billing_details")?.unwrap_or_default();
        billing.only(&["name", "email", "phone", "address"])?;
        let mut metadata = Metadata::new();
        params.metadata(&mut metadata)?;
        let new = self.add_method(card, (exp_month, exp_year), now)?;
        if let Some(row) = self.methods.get_mut(&new) {
            (row.name, row.email, row.metadata) = (billing.owned("name")?, billing.owned("email")?, metadata);
        }
        Ok(new)
    }

    fn add_method(
        &mut self,
        card: &TestCard,
        (exp_month, exp_year): (i64, i64),
        now: DateTime<Utc>,
    ) -> Result<String, StripeError> {
        self.room(&self.methods)?;
        let id = self.ids.next("pm");
        self.methods.insert(PaymentMethod {
            id: id.clone(),
            created: now,
            number: card.number.to_owned(),
            exp_month,
            exp_year,
            name: None,
            email: None,
            customer: None,
            set_up: false,
            used_up: false,
            told_to_decline: None,
            metadata: Metadata::new(),
        });
        Ok(id)
    }

    /// A payment method that a call names: a test name as `pm_card_visa` makes a new one, as at Stripe.
    pub(super) fn named_method(&mut self, id: &str, now: DateTime<Utc>) -> Result<String, StripeError> {
        if self.methods.get(id).is_some() {
            return Ok(id.to_owned());
        }
        match id.strip_prefix("pm_card_").and_then(cards::named) {
            Some(card) => self.add_method(card, (now.month().into(), i64::from(now.year()) + 1), now),
            None => Err(refused_reference("PaymentMethod", id, "payment_method")),
        }
    }

    /// `GET /v1/payment_methods/{id}`.
    ///
    /// # Errors
    /// 404.
    pub fn payment_method(&self, id: &str) -> Outcome {
        let missing = || StripeError::missing("PaymentMethod", id, "payment_method");
        Ok(self.show_method(self.methods.get(id).ok_or_else(missing)?))
    }

    /// `POST /v1/payment_methods/{id}/attach`.
    ///
    /// # Errors
    /// As Stripe's; a card that declines cannot be attached.
    pub fn attach_payment_method(&mut self, id: &str, params: &Params, now: DateTime<Utc>) -> Outcome {
        params.only(&["customer"])?;
        params.required("customer")?;
        let customer = self.named_customer(params)?.unwrap_or_default();
        let id = self.attach(id, &customer, now)?;
        self.payment_method(&id)
    }

    pub(super) fn attach(&mut self, id: &str, customer: &str, now: DateTime<Utc>) -> Result<String, StripeError> {
        let id = self.named_method(id, now)?;
        let Some(row) = self.methods.get(&id) else { return Ok(id) };
        if row.customer.as_deref() == Some(customer) {
            return Ok(id);
        }
        if row.customer.is_some() {
            let message = "The payment method you provided has already been attached to a customer.";
            return Err(StripeError::invalid(message));
        }
        if row.used_up {
            return Err(used_up());
        }
        if let Some(code) = self.declines_to_be_stored(&id) {
            return Err(declined(code));
        }
        self.give(&id, customer, now);
        Ok(id)
    }

    /// What a card declines with as soon as somebody wants to keep it.
    pub(super) fn declines_to_be_stored(&self, id: &str) -> Option<&'static str> {
        let row = self.methods.get(id)?;
        match card_of(row).manner {
            Manner::Declines(code) => Some(code),
            _ => row.told_to_decline.as_deref().and_then(cards::decline_of).map(|decline| decline.decline_code),
        }
    }

    pub(super) fn give(&mut self, id: &str, customer: &str, now: DateTime<Utc>) {
        let Some(row) = self.methods.get_mut(id) else { return };
        if row.customer.is_none() {
            row.customer = Some(customer.to_owned());
            self.method_event("payment_method.attached", id, None, now);
        }
    }

    /// `POST /v1/payment_methods/{id}/detach`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn detach_payment_method(&mut self, id: &str, params: &Params, now: DateTime<Utc>) -> Outcome {
        params.only(&[])?;
        let missing = || StripeError::missing("PaymentMethod", id, "payment_method");
        let row = self.methods.get_mut(id).ok_or_else(missing)?;
        let Some(customer) = row.customer.take() else {
            let message = "The payment method you provided is not attached to a customer so detachment is impossible.";
            return Err(StripeError::invalid(message));
        };
        (row.used_up, row.set_up) = (true, false);
        if let Some(owner) = self.customers.get_mut(&customer)
            && owner.default_method.as_deref() == Some(id)
        {
            owner.default_method = None;
        }
        self.method_event("payment_method.detached", id, Some(json!({ "customer": customer })), now);
        self.payment_method(id)
    }

    /// `GET /v1/payment_methods?customer=` and `GET /v1/customers/{id}/payment_methods`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn list_payment_methods(&self, customer: Option<&str>, params: &Params) -> Outcome {
        params.only(&[&list::COMMON[..], &["customer", "type", "allow_redisplay"]].concat())?;
        let kind = params.text("type")?;
        let (customer, url) = match customer {
            Some(id) => {
                self.customer(id)?;
                (id.to_owned(), format!("/v1/customers/{id}/payment_methods"))
            }
            None => {
                params.required("customer")?;
                (self.named_customer(params)?.unwrap_or_default(), "/v1/payment_methods".to_owned())
            }
        };
        let wanted =
            |row: &PaymentMethod| row.customer.as_deref() == Some(&customer) && kind.is_none_or(|kind| kind == "card");
        list::page(&self.methods, &url, params, |row| row.created, wanted, |row| self.show_method(row))
    }

    /// Makes a stored card decline with this code from now on, or behave as its number says again: what happens to cards
    /// in real life, and cannot be had from Stripe.
    ///
    /// # Errors
    /// For an unknown card or code.
    pub fn tell_card(&mut self, id: &str, decline: Option<&str>) -> Outcome {
        if let Some(code) = decline
            && cards::decline_of(code).is_none()
        {
            let known: Vec<_> = cards::decline_codes().collect();
            return Err(StripeError::invalid(format!("decline must be one of {}", known.join(", "))).param("decline"));
        }
        let missing = || StripeError::missing("PaymentMethod", id, "payment_method");
        self.methods.get_mut(id).ok_or_else(missing)?.told_to_decline = decline.map(str::to_owned);
        self.payment_method(id)
    }

    /// Newest first, whoever's.
    pub(super) fn newest_methods(&self, limit: usize) -> Value {
        self.methods.iter().rev().take(limit).map(|row| self.show_method(row)).collect()
    }

    fn method_event(&mut self, kind: &str, id: &str, previous: Option<Value>, now: DateTime<Utc>) {
        if let Ok(object) = self.payment_method(id) {
            self.event(kind, object, previous, now);
        }
    }
}

pub(super) fn used_up() -> StripeError {
    StripeError::invalid(
        "This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, \
         and may not be used again.",
    )
    .param("payment_method")
}

/// 402 for this decline code.
pub(super) fn declined(code: &str) -> StripeError {
    let decline = cards::decline_of(code).or_else(|| cards::decline_of("generic_decline"));
    match decline {
        Some(it) => StripeError::card(it.code, Some(it.decline_code), it.message),
        None => StripeError::card("card_declined", None, "Your card was declined."),
    }
}
