//! Refusals, as Stripe words them.

use serde_json::{Map, Value, json};

/// What an operation answers: an object, or why there is none.
pub type Outcome = Result<Value, StripeError>;

/// A refusal: an HTTP status and Stripe's error object.
#[derive(Debug, Clone, PartialEq)]
pub struct StripeError(Box<Details>);

#[derive(Debug, Clone, PartialEq)]
struct Details {
    status: u16,
    /// Nothing began to be carried out, so an idempotency key does not remember it.
    before_execution: bool,
    fields: Map<String, Value>,
}

impl StripeError {
    fn new(status: u16, kind: &str, message: impl Into<String>) -> Self {
        let mut fields = Map::new();
        fields.insert("type".to_owned(), kind.into());
        fields.insert("message".to_owned(), message.into().into());
        Self(Box::new(Details { status, before_execution: false, fields }))
    }

    /// 400 `invalid_request_error`.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    /// 400, in the sandbox's own words.
    #[must_use]
    pub fn refused(message: &str) -> Self {
        Self::invalid(message)
    }

    /// 404 `resource_missing`.
    pub(super) fn missing(what: &str, id: &str, param: &str) -> Self {
        let mut error = Self::invalid(format!("No such {what}: '{}'", clip(id))).code("resource_missing").param(param);
        error.0.status = 404;
        error
    }

    /// 404 for a path that is none.
    pub(super) fn unknown_url(message: String) -> Self {
        let mut error = Self::invalid(message);
        error.0.status = 404;
        error.0.before_execution = true;
        error
    }

    /// 402 `card_error`.
    pub(super) fn card(code: &str, decline_code: Option<&str>, message: &str) -> Self {
        let error = Self::new(402, "card_error", message).code(code);
        match decline_code {
            Some(decline_code) => error.with("decline_code", decline_code.into()),
            None => error,
        }
    }

    /// A parameter that is wrong in itself: an idempotency key does not remember it. Stripe has no code for most; an empty one is none.
    pub(super) fn parameter(code: &str, param: &str, message: impl Into<String>) -> Self {
        let mut error = Self::invalid(message);
        for (name, value) in [("code", code), ("param", param)] {
            if !value.is_empty() {
                error = error.with(name, value.into());
            }
        }
        error.0.before_execution = true;
        error
    }

    /// 400 `idempotency_error`: the key was used for something else.
    pub(super) fn other_request(message: String) -> Self {
        Self::new(400, "idempotency_error", message)
    }

    /// 409: a call with this key is under way.
    pub(super) fn key_in_use(key: &str) -> Self {
        let message = format!(
            "There is currently another in-progress request using this Idempotent Key (that probably means you \
             submitted twice, and the other request is still going through): {}. Please try again later.",
            clip(key)
        );
        Self::invalid(message).code("idempotency_key_in_use").conflict()
    }

    fn conflict(mut self) -> Self {
        self.0.status = 409;
        self
    }

    /// 401.
    #[must_use]
    pub fn unauthorized(message: impl Into<String>) -> Self {
        let mut error = Self::new(401, "invalid_request_error", message);
        error.0.before_execution = true;
        error
    }

    /// What was told to fail with this status.
    #[must_use]
    pub fn injected(status: u16) -> Self {
        let mut error = match status {
            429 => Self::new(
                status,
                "invalid_request_error",
                "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
            )
            .code("rate_limit"),
            400..=499 => Self::new(status, "invalid_request_error", "The sandbox was told to refuse this."),
            _ => Self::new(status, "api_error", "An unknown error occurred (the sandbox was told to fail)."),
        };
        error.0.before_execution = true;
        error
    }

    pub(super) fn code(self, code: &str) -> Self {
        self.with("code", code.into())
    }

    pub(super) fn param(self, param: &str) -> Self {
        self.with("param", param.into())
    }

    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.0.fields.insert(name.to_owned(), value);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// Stripe's word for it, e.g. `card_declined`.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.0.fields.get("code").and_then(Value::as_str)
    }

    pub(super) fn before_execution(&self) -> bool {
        self.0.before_execution
    }

    /// The error object without the wrapping, as intents keep it.
    pub(super) fn fields(&self) -> &Map<String, Value> {
        &self.0.fields
    }

    /// What is sent.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut fields = self.0.fields.clone();
        if let Some(code) = self.error_code() {
            let page = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"));
            fields.insert("doc_url".to_owned(), page.into());
        }
        json!({ "error": fields })
    }
}

/// Nobody's id or key is this long; longer ones are not repeated back.
fn clip(text: &str) -> &str {
    match text.char_indices().nth(255) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
