//! What a failed call means: was it refused, or may it have happened?

use stripe::{ApiErrors, ApiErrorsType, StripeError};

use crate::outbound::provider::ProviderError;

/// A call that failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// A card's bank refused; whole, because it carries the charge.
    Card(Box<ApiErrors>),
    /// Everything else.
    Other(ProviderError),
    /// There is no such object (the call named it).
    Missing,
    /// A failure of Stripe's own, with this status. It may have happened all the same, and whoever asks with the same key gets the same
    /// answer, so only looking tells.
    Theirs(u16),
}

impl From<StripeError> for Failure {
    fn from(error: StripeError) -> Self {
        match error {
            StripeError::Stripe(error, status) => of_answer(error, status),
            // The sentences below say nothing of what was sent or answered.
            StripeError::Timeout => unknown("no answer in time"),
            StripeError::JSONDeserialize(_) => unknown("the answer cannot be read"),
            StripeError::ClientError(error) => unknown(error),
            StripeError::ConfigError(error) => Self::Other(refused("configuration", error)),
        }
    }
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for ProviderError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Card(error) => refused(decline_code(&error), error.message.unwrap_or_default()),
            Failure::Other(error) => error,
            Failure::Missing => refused("resource_missing", "there is no such object"),
            Failure::Theirs(status) => Self::Unknown(format!("status {status}")),
        }
    }
}

/// The most exact word for why a card was declined.
pub(super) fn decline_code(error: &ApiErrors) -> String {
    let code = error.code.as_ref().map(|code| code.as_str().to_owned());
    // A bank's "authentication_required" is a decline code, too; everything else that is more exact is only there.
    error.decline_code.clone().or(code).unwrap_or_else(|| "card_declined".to_owned())
}

/// Nothing happened, and asking again is of no use.
pub(super) fn refused(code: impl Into<String>, message: impl Into<String>) -> ProviderError {
    // Its words may repeat a customer's address.
    let message: String = message.into();
    let words = message.split_whitespace().map(|word| if word.contains('@') { "…" } else { word });
    ProviderError::Refused { code: code.into(), message: words.collect::<Vec<_>>().join(" ") }
}

fn unknown(why: impl Into<String>) -> Failure {
    Failure::Other(ProviderError::Unknown(why.into()))
}

fn of_answer(error: Box<ApiErrors>, status: u16) -> Failure {
    let code = error.code.as_ref().map_or("", |code| code.as_str()).to_owned();
    match status {
        _ if matches!(code.as_str(), "idempotency_key_in_use" | "lock_timeout" | "rate_limit") => {
            Failure::Other(ProviderError::Busy(code))
        }
        409 | 429 => Failure::Other(ProviderError::Busy(format!("status {status}"))),
        402 if error.type_ == ApiErrorsType::CardError => Failure::Card(error),
        // The key is wrong, or may not do this: no card was asked, and nothing is said of any. Its text is not repeated.
        401 | 403 => {
            tracing::error!(status, "Stripe does not accept STRIPE_SECRET_KEY, or it may not do this");
            Failure::Other(ProviderError::NotConfigured)
        }
        404 => Failure::Missing,
        // Ours, but it depends on somebody else; or the server gave up waiting for the request's end.
        408 | 424 => unknown(format!("status {status}")),
        400..=499 if code == "resource_missing" => Failure::Missing,
        400..=499 => {
            let code = if code.is_empty() { error.type_.as_str().to_owned() } else { code };
            Failure::Other(refused(code, error.message.unwrap_or_default()))
        }
        _ => Failure::Theirs(status),
    }
}
