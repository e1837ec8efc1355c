//! Stripe's test cards: what each is named and how it behaves.

use super::error::StripeError;

/// How a card behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Pays,
    /// Refuses to be charged and to be stored.
    Declines(&'static str),
    /// Can be stored, and refuses to be charged.
    DeclinesCharges(&'static str),
    /// Its owner is asked each time.
    AsksAlways,
    /// Its owner is asked, but not for payments without him once it was set up for those.
    AsksUnlessSetUp,
    /// Its owner is asked, and then it declines.
    AsksAndDeclines(&'static str),
    /// Pays; then its owner complains, for this reason.
    Disputes(&'static str),
    /// A refund is pending first.
    RefundsLate,
    /// A refund succeeds first and fails later.
    RefundsFail,
}

/// A test card.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TestCard {
    pub(super) number: &'static str,
    /// What follows `pm_card_` or `tok_`.
    pub(super) names: &'static [&'static str],
    pub(super) brand: &'static str,
    pub(super) manner: Manner,
}

const fn card(number: &'static str, names: &'static [&'static str], brand: &'static str, manner: Manner) -> TestCard {
    TestCard { number, names, brand, manner }
}

/// All that are known.
pub(super) static CARDS: &[TestCard] = &[
    card("4242424242424242", &["visa"], "visa", Manner::Pays),
    card("4000056655665556", &["visa_debit"], "visa", Manner::Pays),
    card("5555555555554444", &["mastercard"], "mastercard", Manner::Pays),
    card("378282246310005", &["amex"], "amex", Manner::Pays),
    card("6011111111111117", &["discover"], "discover", Manner::Pays),
    card("4000002760000016", &["de"], "visa", Manner::Pays),
    card("4000000000000002", &["chargeDeclined", "visa_chargeDeclined"], "visa", Manner::Declines("generic_decline")),
    card(
        "4000000000009995",
        &["chargeDeclinedInsufficientFunds", "visa_chargeDeclinedInsufficientFunds"],
        "visa",
        Manner::Declines("insufficient_funds"),
    ),
    card("4000000000009987", &["visa_chargeDeclinedLostCard"], "visa", Manner::Declines("lost_card")),
    card("4000000000009979", &["visa_chargeDeclinedStolenCard"], "visa", Manner::Declines("stolen_card")),
    card(
        "4000000000000069",
        &["chargeDeclinedExpiredCard", "visa_chargeDeclinedExpiredCard"],
        "visa",
        Manner::Declines("expired_card"),
    ),
    card(
        "4000000000000127",
        &["chargeDeclinedIncorrectCvc", "visa_chargeDeclinedIncorrectCvc"],
        "visa",
        Manner::Declines("incorrect_cvc"),
    ),
    card(
        "4000000000000119",
        &["chargeDeclinedProcessingError", "visa_chargeDeclinedProcessingError"],
        "visa",
        Manner::Declines("processing_error"),
    ),
    card(
        "4000000000006975",
        &["visa_chargeDeclinedVelocityLimitExceeded"],
        "visa",
        Manner::Declines("card_velocity_exceeded"),
    ),
    card(
        "4000000000000341",
        &["chargeCustomerFail", "visa_chargeCustomerFail"],
        "visa",
        Manner::DeclinesCharges("generic_decline"),
    ),
    card("4000002500003155", &["authenticationRequiredOnSetup"], "visa", Manner::AsksUnlessSetUp),
    card(
        "4000002760003184",
        &["authenticationRequired", "threeDSecure2Required", "threeDSecureRequired"],
        "visa",
        Manner::AsksAlways,
    ),
    card(
        "4000008260003178",
        &["authenticationRequiredChargeDeclinedInsufficientFunds"],
        "visa",
        Manner::AsksAndDeclines("insufficient_funds"),
    ),
    card("4000000000000259", &["createDispute"], "visa", Manner::Disputes("fraudulent")),
    card("4000000000002685", &["createDisputeProductNotReceived"], "visa", Manner::Disputes("product_not_received")),
    card("4000000000007726", &["pendingRefund"], "visa", Manner::RefundsLate),
    card("4000000000005126", &["refundFail"], "visa", Manner::RefundsFail),
];

/// By `pm_card_…`, `tok_…` or its name.
pub(super) fn named(token: &str) -> Option<&'static TestCard> {
    let name = token.strip_prefix("pm_card_").or_else(|| token.strip_prefix("tok_")).unwrap_or(token);
    CARDS.iter().find(|card| card.names.contains(&name))
}

/// By its number; spaces do not matter.
///
/// # Errors
/// As Stripe answers to numbers that are none, and to real ones.
pub(super) fn numbered(number: &str) -> Result<&'static TestCard, StripeError> {
    let digits: String = number.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if let Some(card) = CARDS.iter().find(|card| card.number == digits) {
        return Ok(card);
    }
    if !(12..=19).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) || !luhn(&digits) {
        return Err(StripeError::card("incorrect_number", None, "Your card number is incorrect.").param("number"));
    }
    let message = "Your card was declined. Your request was in test mode, but used a non test card. \
                   For a list of valid test cards, visit: https://stripe.com/docs/testing.";
    Err(StripeError::card("card_declined", Some("test_mode_live_card"), message))
}

fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Why a card declined, in Stripe's words.
pub(super) struct Decline {
    /// Of the error.
    pub(super) code: &'static str,
    pub(super) decline_code: &'static str,
    pub(super) message: &'static str,
}

const DECLINES: &[Decline] = &[
    decline("card_declined", "generic_decline", "Your card was declined."),
    decline("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    decline("card_declined", "lost_card", "Your card was declined."),
    decline("card_declined", "stolen_card", "Your card was declined."),
    decline("card_declined", "do_not_honor", "Your card was declined."),
    decline("card_declined", "fraudulent", "Your card was declined."),
    decline(
        "card_declined",
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
    decline("expired_card", "expired_card", "Your card has expired."),
    decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect."),
    decline(
        "processing_error",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
    decline(
        "authentication_required",
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
];

const fn decline(code: &'static str, decline_code: &'static str, message: &'static str) -> Decline {
    Decline { code, decline_code, message }
}

/// By its decline code.
pub(super) fn decline_of(decline_code: &str) -> Option<&'static Decline> {
    DECLINES.iter().find(|decline| decline.decline_code == decline_code)
}

/// Codes that cards can be told to decline with.
pub(super) fn decline_codes() -> impl Iterator<Item = &'static str> {
    DECLINES.iter().map(|decline| decline.decline_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_is_well_formed_and_declines_with_a_known_code() {
        for card in CARDS {
            assert!(luhn(card.number), "{}", card.number);
            assert!(std::ptr::eq(numbered(card.number).unwrap(), card));
            for name in card.names {
                assert!(std::ptr::eq(named(&format!("pm_card_{name}")).unwrap(), card));
            }
            if let Manner::Declines(code) | Manner::DeclinesCharges(code) | Manner::AsksAndDeclines(code) = card.manner
            {
                assert!(decline_of(code).is_some(), "{code}");
            }
        }
    }

    #[test]
    fn other_numbers_are_refused() {
        assert_eq!(numbered("4242 4242 4242 4241").unwrap_err().error_code(), Some("incorrect_number"));
        assert_eq!(numbered("12").unwrap_err().error_code(), Some("incorrect_number"));
        assert_eq!(numbered("4111111111111111").unwrap_err().error_code(), Some("card_declined"));
        assert_eq!(numbered("4242-4242-4242-4242").unwrap().brand, "visa");
    }
}
