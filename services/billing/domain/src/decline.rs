//! The provider's reasons for a decline, in our words.

/// What a decline code means for the person whose card it is. Codes of fraud checks are told like any other decline: the card's owner hears
/// the reason from his bank, and nobody else from us.
#[must_use]
pub fn sentence(code: &str) -> &'static str {
    match code {
        "insufficient_funds" => "The card does not have enough money. Use another card or a smaller amount.",
        "expired_card" => "The card has expired. Add a card that is valid.",
        "incorrect_cvc" | "invalid_cvc" => "The card's security code is wrong. Add the card again.",
        "incorrect_number" | "invalid_number" | "invalid_account" => {
            "The card's number is not valid. Add the card again."
        }
        "invalid_expiry_month" | "invalid_expiry_year" => "The card's expiry date is wrong. Add the card again.",
        "incorrect_zip" | "incorrect_address" => "The address does not match the card's. Add the card again.",
        "authentication_required" | "authentication_not_handled" | "payment_intent_authentication_failure" => {
            "The bank wants the card's owner to confirm the payment. Top up once by hand and confirm it; after that the card can be charged again."
        }
        "card_not_supported" | "transaction_not_allowed" | "service_not_allowed" | "not_permitted" => {
            "The card cannot be used for this kind of payment. Use another card."
        }
        "currency_not_supported" => "The card cannot be charged in this currency. Use another card.",
        "card_velocity_exceeded" | "withdrawal_count_limit_exceeded" => {
            "The card has reached its limit. Use another card or try again tomorrow."
        }
        "processing_error" | "issuer_not_available" | "reenter_transaction" | "try_again_later" | "approve_with_id" => {
            "The bank could not be reached. Try again later."
        }
        "amount_too_large" => "The amount is more than the card allows. Use a smaller amount.",
        "amount_too_small" => "The amount is too small to be charged. Use a larger amount.",
        "resource_missing" | "payment_method_unavailable" | "payment_method_unactivated" => {
            "The card is not stored any more. Add it again or use another one."
        }
        crate::payment::NEVER_CHARGED => "The charge was not made. Nothing was taken from the card.",
        _ => "The bank declined the card. Use another card or ask the bank.",
    }
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn a_stolen_card_is_declined_in_the_words_of_any_other() {
        for code in
            ["stolen_card", "lost_card", "fraudulent", "pickup_card", "merchant_blacklist", "generic_decline", "?"]
        {
            assert_eq!(sentence(code), sentence("do_not_honor"), "{code}");
        }
    }

    #[test]
    fn a_card_that_wants_its_owner_says_what_to_do() {
        assert!(sentence("authentication_required").contains("Top up once by hand"));
    }
}
