//! Payment intents: made, looked at, confirmed, given up.

use chrono::{DateTime, Utc};

use super::{
    Params,
    core::Core,
    customers::not_the_customers,
    error::{Outcome, StripeError},
    list,
    model::{Metadata, Methods, PaymentIntent},
    payment_methods::used_up,
};

/// The least that can be charged, by currency. All of them have two decimals.
const LEAST: [(&str, i64); 15] = [
    ("usd", 50),
    ("eur", 50),
    ("gbp", 30),
    ("cad", 50),
    ("aud", 50),
    ("nzd", 50),
    ("chf", 50),
    ("brl", 50),
    ("mxn", 1_000),
    ("sgd", 50),
    ("sek", 300),
    ("nok", 300),
    ("dkk", 250),
    ("pln", 200),
    ("czk", 1_500),
];
const MOST: i64 = 99_999_999;
const CANCELABLE: [&str; 3] = ["requires_payment_method", "requires_confirmation", "requires_action"];
/// Stripe's, for which nothing is made here.
const NOT_HERE: [&str; 8] = [
    "application_fee_amount",
    "transfer_data",
    "transfer_group",
    "on_behalf_of",
    "shipping",
    "mandate",
    "mandate_data",
    "payment_method_options",
];
const CREATE: [&str; 24] = [
    "amount",
    "currency",
    "customer",
    "payment_method",
    "payment_method_data",
    "confirm",
    "off_session",
    "metadata",
    "description",
    "payment_method_types",
    "automatic_payment_methods",
    "setup_future_usage",
    "return_url",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "receipt_email",
    "error_on_requires_action",
    "capture_method",
    "confirmation_method",
    "use_stripe_sdk",
    "application_fee_amount",
    "transfer_data",
    "shipping",
    "payment_method_options",
];

impl Core {
    /// `POST /v1/payment_intents`.
    ///
    /// # Errors
    /// As Stripe's; 402 where it is confirmed at once and the card declines.
    pub fn create_payment_intent(&mut self, params: &Params, now: DateTime<Utc>) -> Outcome {
        params.only(&CREATE)?;
        params.not_here(&NOT_HERE)?;
        self.room(&self.intents)?;
        params.required("amount")?;
        let amount = params.integer("amount")?.unwrap_or_default();
        let currency = params.required("currency")?.to_ascii_lowercase();
        check_amount(amount, &currency)?;
        for (name, only) in [("capture_method", "automatic_async"), ("confirmation_method", "automatic")] {
            params.word(name, &[only, "automatic"])?;
        }
        let confirm = params.boolean("confirm")?.unwrap_or(false);
        let how = How::read(params)?;
        if !confirm && (how.off_session || how.error_on_requires_action) {
            let param = if how.off_session { "off_session" } else { "error_on_requires_action" };
            let message = format!("The parameter {param} can only be passed when confirm is true.");
            return Err(StripeError::parameter("", param, message));
        }
        let future = params.word("setup_future_usage", &["off_session", "on_session"])?;
        let mut metadata = Metadata::new();
        params.metadata(&mut metadata)?;
        let methods = methods_of(params)?;
        let return_url = params.url("return_url")?;
        if confirm {
            check_return(&methods, &how, return_url.as_deref())?;
        }
        let customer = self.named_customer(params)?;
        let method = self.given_method(params, now)?;
        self.check_method(method.as_deref(), customer.as_deref())?;
        let id = self.ids.next("pi");
        let secret = self.ids.next(&format!("{id}_secret"));
        self.intents.insert(PaymentIntent {
            id: id.clone(),
            created: now,
            client_secret: secret,
            amount,
            amount_received: 0,
            currency,
            customer,
            status: if method.is_some() { "requires_confirmation" } else { "requires_payment_method" }.to_owned(),
            payment_method: method,
            methods,
            setup_future_usage: future,
            description: params.owned("description")?,
            receipt_email: params.owned("receipt_email")?,
            statement_descriptor: params.owned("statement_descriptor")?,
            statement_descriptor_suffix: params.owned("statement_descriptor_suffix")?,
            return_url,
            latest_charge: None,
            last_error: None,
            canceled_at: None,
            cancellation_reason: None,
            metadata,
        });
        self.intent_event("payment_intent.created", &id, now);
        if confirm {
            self.pay(&id, &how, now)?;
        }
        self.payment_intent(&id)
    }

    /// `GET /v1/payment_intents/{id}`.
    ///
    /// # Errors
    /// 404.
    pub fn payment_intent(&self, id: &str) -> Outcome {
        let missing = || StripeError::missing("payment_intent", id, "intent");
        Ok(self.show_intent(self.intents.get(id).ok_or_else(missing)?))
    }

    /// `GET /v1/payment_intents`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn list_payment_intents(&self, params: &Params) -> Outcome {
        params.only(&[&list::COMMON[..], &["customer"]].concat())?;
        let customer = params.text("customer")?;
        let wanted = |row: &PaymentIntent| customer.is_none() || row.customer.as_deref() == customer;
        let show = |row: &PaymentIntent| self.show_intent(row);
        list::page(&self.intents, "/v1/payment_intents", params, |row| row.created, wanted, show)
    }

    /// `POST /v1/payment_intents/{id}/confirm`.
    ///
    /// # Errors
    /// As Stripe's; 402 where the card declines.
    pub fn confirm_payment_intent(&mut self, id: &str, params: &Params, now: DateTime<Utc>) -> Outcome {
        self.confirm(id, params, false, now)
    }

    /// Stripe's own form for cards asks the owner where he is, so it needs no address to send him back to.
    pub(super) fn confirm(&mut self, id: &str, params: &Params, by_form: bool, now: DateTime<Utc>) -> Outcome {
        params.only(&[
            "payment_method",
            "payment_method_data",
            "off_session",
            "return_url",
            "client_secret",
            "use_stripe_sdk",
            "setup_future_usage",
            "error_on_requires_action",
            "receipt_email",
        ])?;
        self.check_secret(id, params)?;
        let row = self.intents.get(id).ok_or_else(|| StripeError::missing("payment_intent", id, "intent"))?;
        if !CANCELABLE.contains(&row.status.as_str()) {
            let message = if row.status == "succeeded" {
                "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed."
                    .to_owned()
            } else {
                format!(
                    "You cannot confirm this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of \
                     the following statuses may be confirmed: requires_confirmation, requires_action.",
                    row.status
                )
            };
            let error = unexpected("payment_intent_unexpected_state", message);
            return Err(error.with("payment_intent", self.show_intent(row)));
        }
        let (customer, methods) = (row.customer.clone(), row.methods.clone());
        let how = How::read(params)?;
        let return_url = params.url("return_url")?.or_else(|| row.return_url.clone());
        if !by_form {
            check_return(&methods, &how, return_url.as_deref())?;
        }
        let future = params.word("setup_future_usage", &["off_session", "on_session"])?;
        let method = self.given_method(params, now)?;
        self.check_method(method.as_deref(), customer.as_deref())?;
        if let Some(row) = self.intents.get_mut(id) {
            row.payment_method = method.or(row.payment_method.take());
            row.setup_future_usage = future.or(row.setup_future_usage.take());
            row.return_url = return_url;
        }
        self.pay(id, &how, now)?;
        self.payment_intent(id)
    }

    /// `POST /v1/payment_intents/{id}/cancel`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn cancel_payment_intent(&mut self, id: &str, params: &Params, now: DateTime<Utc>) -> Outcome {
        params.only(&["cancellation_reason"])?;
        let reasons = ["abandoned", "duplicate", "fraudulent", "requested_by_customer"];
        let reason = params.word("cancellation_reason", &reasons)?;
        let row = self.intents.get(id).ok_or_else(|| StripeError::missing("payment_intent", id, "intent"))?;
        if !CANCELABLE.contains(&row.status.as_str()) {
            let message = format!(
                "You cannot cancel this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of the \
                 following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, \
                 requires_action, processing.",
                row.status
            );
            let error = unexpected("payment_intent_unexpected_state", message);
            return Err(error.with("payment_intent", self.show_intent(row)));
        }
        if let Some(row) = self.intents.get_mut(id) {
            row.status = "canceled".to_owned();
            row.canceled_at = Some(now);
            row.cancellation_reason = reason;
        }
        self.intent_event("payment_intent.canceled", id, now);
        self.payment_intent(id)
    }

    /// The card that a call names or describes.
    pub(super) fn given_method(&mut self, params: &Params, now: DateTime<Utc>) -> Result<Option<String>, StripeError> {
        if let Some(data) = params.inner("payment_method_data")? {
            return self.new_method(&data, now).map(Some);
        }
        match params.owned("payment_method")? {
            Some(id) => self.named_method(&id, now).map(Some),
            None => Ok(None),
        }
    }

    fn check_method(&self, method: Option<&str>, customer: Option<&str>) -> Result<(), StripeError> {
        let Some(row) = method.and_then(|id| self.methods.get(id)) else { return Ok(()) };
        if row.used_up {
            return Err(used_up());
        }
        match (&row.customer, customer) {
            (Some(_), None) => Err(StripeError::invalid(
                "The PaymentMethod you provided belongs to a Customer, so the Customer must be passed along with it.",
            )
            .param("customer")),
            (Some(owner), Some(customer)) if owner != customer => Err(not_the_customers(&row.id)),
            _ => Ok(()),
        }
    }

    pub(super) fn intent_event(&mut self, kind: &str, id: &str, now: DateTime<Utc>) {
        if let Some(row) = self.intents.get(id) {
            let object = self.show_intent(row);
            self.event(kind, object, None, now);
        }
    }
}

/// How a payment is confirmed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct How {
    /// The card's owner is not there.
    pub(super) off_session: bool,
    pub(super) error_on_requires_action: bool,
    /// Its owner has just confirmed.
    pub(super) authenticated: bool,
}

impl How {
    fn read(params: &Params) -> Result<Self, StripeError> {
        Ok(Self {
            // Stripe also takes `one_off` and `recurring`.
            off_session: match params.text("off_session")? {
                Some("one_off" | "recurring") => true,
                _ => params.boolean("off_session")?.unwrap_or(false),
            },
            error_on_requires_action: params.boolean("error_on_requires_action")?.unwrap_or(false),
            authenticated: false,
        })
    }
}

fn check_amount(amount: i64, currency: &str) -> Result<(), StripeError> {
    let Some((_, least)) = LEAST.iter().find(|(known, _)| *known == currency) else {
        let shown: String = currency.chars().take(20).collect();
        let message = format!("Invalid currency: {shown}. This sandbox supports currencies with two decimals.");
        return Err(StripeError::parameter("", "currency", message));
    };
    if amount < 1 {
        let message = "This value must be greater than or equal to 1.";
        return Err(StripeError::parameter("parameter_invalid_integer", "amount", message));
    }
    if amount < *least {
        let message = format!("Amount must be at least {} {currency}", shown(*least, currency));
        return Err(StripeError::invalid(message).code("amount_too_small").param("amount"));
    }
    if amount > MOST {
        let message = format!("Amount must be no more than {} {currency}", shown(MOST, currency));
        return Err(StripeError::invalid(message).code("amount_too_large").param("amount"));
    }
    Ok(())
}

/// As Stripe writes amounts into sentences: `$999,999.99`.
pub(super) fn shown(amount: i64, currency: &str) -> String {
    let sign = match currency {
        "usd" => "$",
        "eur" => "€",
        "gbp" => "£",
        _ => "",
    };
    let whole = (amount / 100).to_string();
    let mut grouped = String::with_capacity(whole.len() + 4);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{:02}", amount % 100)
}

/// Named kinds, or the dashboard's: those unless something else is said, as since 2023-08-16.
pub(super) fn methods_of(params: &Params) -> Result<Methods, StripeError> {
    let automatic = params.inner("automatic_payment_methods")?;
    if let Some(types) = params.texts("payment_method_types")? {
        if automatic.is_some() {
            let message =
                "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.";
            return Err(StripeError::invalid(message).code("parameters_exclusive"));
        }
        if types.is_empty() || types.iter().any(|kind| kind != "card") {
            let message = "This sandbox knows the payment method type card only";
            return Err(StripeError::invalid(message).param("payment_method_types"));
        }
        return Ok(Methods::Named(types));
    }
    let automatic = automatic.unwrap_or_default();
    automatic.only(&["enabled", "allow_redirects"])?;
    if automatic.boolean("enabled")? == Some(false) {
        return Ok(Methods::Named(vec!["card".to_owned()]));
    }
    let redirects = automatic.word("allow_redirects", &["always", "never"])?.is_none_or(|word| word == "always");
    Ok(Methods::Automatic { redirects })
}

/// Who is there may have to be sent to another page, and back.
fn check_return(methods: &Methods, how: &How, return_url: Option<&str>) -> Result<(), StripeError> {
    if matches!(methods, Methods::Automatic { redirects: true }) && !how.off_session && return_url.is_none() {
        let message = "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some \
                       of these payment methods might redirect your customer off of your page, you must provide a \
                       `return_url`. If you don't want to accept redirect-based payment methods, set \
                       `automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` \
                       to `never` when creating Setup Intents and Payment Intents.";
        return Err(StripeError::invalid(message));
    }
    Ok(())
}

/// 400: it is not in a state for that.
pub(super) fn unexpected(code: &str, message: String) -> StripeError {
    StripeError::invalid(message).code(code)
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn amounts_in_sentences() {
        let written = [(50, "usd"), (99_999_999, "usd"), (100_000, "eur"), (1_500, "czk")]
            .map(|(amount, currency)| shown(amount, currency));
        assert_eq!(written, ["$0.50", "$999,999.99", "€1,000.00", "15.00"]);
    }
}
