//! Customers.

use chrono::{DateTime, Utc};

use super::{
    Params,
    core::Core,
    error::{Outcome, StripeError},
    list,
    model::Customer,
};

const KNOWN: [&str; 7] = ["email", "name", "phone", "description", "metadata", "payment_method", "invoice_settings"];

impl Core {
    /// `POST /v1/customers`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn create_customer(&mut self, params: &Params, now: DateTime<Utc>) -> Outcome {
        params.only(&KNOWN)?;
        self.room(&self.customers)?;
        let mut row = Customer {
            id: String::new(),
            created: now,
            email: None,
            name: None,
            phone: None,
            description: None,
            default_method: None,
            metadata: Default::default(),
        };
        fill(&mut row, params)?;
        row.id = self.ids.next("cus");
        let id = row.id.clone();
        if let Some(method) = params.owned("payment_method")? {
            self.attach(&method, &id, now)?;
        }
        self.customers.insert(row);
        self.default_method(&id, params)?;
        let object = self.customer(&id)?;
        self.event("customer.created", object.clone(), None, now);
        Ok(object)
    }

    /// `POST /v1/customers/{id}`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn update_customer(&mut self, id: &str, params: &Params, now: DateTime<Utc>) -> Outcome {
        params.only(&KNOWN)?;
        params.not_here(&["payment_method"])?;
        let mut row = self.customers.get(id).ok_or_else(|| StripeError::missing("customer", id, "id"))?.clone();
        fill(&mut row, params)?;
        self.default_method(id, params)?;
        if let Some(place) = self.customers.get_mut(id) {
            row.default_method.clone_from(&place.default_method);
            *place = row;
        }
        let object = self.customer(id)?;
        self.event("customer.updated", object.clone(), None, now);
        Ok(object)
    }

    /// `GET /v1/customers/{id}`.
    ///
    /// # Errors
    /// 404.
    pub fn customer(&self, id: &str) -> Outcome {
        let row = self.customers.get(id).ok_or_else(|| StripeError::missing("customer", id, "id"))?;
        Ok(self.show_customer(row))
    }

    /// `GET /v1/customers`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn list_customers(&self, params: &Params) -> Outcome {
        params.only(&[&list::COMMON[..], &["email"]].concat())?;
        let email = params.text("email")?;
        let wanted = |row: &Customer| email.is_none_or(|email| row.email.as_deref() == Some(email));
        list::page(&self.customers, "/v1/customers", params, |row| row.created, wanted, |row| self.show_customer(row))
    }

    /// A customer that a call names in a parameter.
    pub(super) fn named_customer(&self, params: &Params) -> Result<Option<String>, StripeError> {
        let Some(id) = params.owned("customer")? else { return Ok(None) };
        match self.customers.get(&id) {
            Some(_) => Ok(Some(id)),
            None => Err(refused_reference("customer", &id, "customer")),
        }
    }

    fn default_method(&mut self, customer: &str, params: &Params) -> Result<(), StripeError> {
        let Some(settings) = params.inner("invoice_settings")? else { return Ok(()) };
        settings.only(&["default_payment_method"])?;
        let method = settings.owned("default_payment_method")?;
        if let Some(method) = &method
            && self.methods.get(method).is_none_or(|row| row.customer.as_deref() != Some(customer))
        {
            return Err(not_the_customers(method).param("invoice_settings[default_payment_method]"));
        }
        if let Some(row) = self.customers.get_mut(customer) {
            row.default_method = method;
        }
        Ok(())
    }
}

/// An object that a parameter names and that is not there: Stripe answers 400, not 404.
pub(super) fn refused_reference(what: &str, id: &str, param: &str) -> StripeError {
    let shown: String = id.chars().take(100).collect();
    StripeError::invalid(format!("No such {what}: '{shown}'")).code("resource_missing").param(param)
}

/// A payment method of nobody, or of another customer.
pub(super) fn not_the_customers(method: &str) -> StripeError {
    let shown: String = method.chars().take(100).collect();
    let message = format!(
        "The customer does not have a payment method with the ID {shown}. The payment method must be attached to the customer."
    );
    StripeError::invalid(message).code("resource_missing").param("payment_method")
}

fn fill(row: &mut Customer, params: &Params) -> Result<(), StripeError> {
    let given = |name: &str, old: &mut Option<String>| -> Result<(), StripeError> {
        if let Some(text) = params.owned(name)? {
            *old = Some(text);
        }
        Ok(())
    };
    given("email", &mut row.email)?;
    given("name", &mut row.name)?;
    given("phone", &mut row.phone)?;
    given("description", &mut row.description)?;
    if row.email.as_deref().is_some_and(|email| !email.contains('@') || email.len() > 512) {
        let message = "Invalid email address";
        return Err(StripeError::parameter("email_invalid", "email", message));
    }
    params.metadata(&mut row.metadata)
}
