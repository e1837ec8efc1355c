//! Why a card was declined, as its owner is told.

/// What is told when nothing more exact may be.
const DECLINED: &str = "card_declined";

/// The provider's codes that help the card's owner.
const TOLD: &[&str] = &[
    "approve_with_id",
    "authentication_required",
    "call_issuer",
    "card_not_supported",
    "card_velocity_exceeded",
    "currency_not_supported",
    "duplicate_transaction",
    "expired_card",
    "incorrect_cvc",
    "incorrect_number",
    "incorrect_zip",
    "insufficient_funds",
    "invalid_cvc",
    "invalid_expiry_month",
    "invalid_expiry_year",
    "issuer_not_available",
    "processing_error",
    "reenter_transaction",
    "try_again_later",
    "withdrawal_count_limit_exceeded",
];

/// Others are the bank's own business, or (a stolen card, a suspected fraud) must not be told to whoever holds the card.
const NOT_TOLD: &[&str] = &[
    DECLINED,
    "do_not_honor",
    "fraudulent",
    "generic_decline",
    "invalid_account",
    "lost_card",
    "merchant_blacklist",
    "not_permitted",
    "pickup_card",
    "restricted_card",
    "security_violation",
    "service_not_allowed",
    "stolen_card",
    "transaction_not_allowed",
];

/// The stable code for the provider's.
#[must_use]
pub fn told(code: &str) -> &'static str {
    TOLD.iter().copied().find(|known| *known == code).unwrap_or(DECLINED)
}

/// Likewise; `None` for a code that is of no decline.
#[must_use]
pub fn of_decline(code: &str) -> Option<&'static str> {
    (TOLD.contains(&code) || NOT_TOLD.contains(&code)).then(|| told(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thief_must_not_know_is_not_told() {
        assert_eq!(told("insufficient_funds"), "insufficient_funds");
        for code in ["stolen_card", "lost_card", "fraudulent", "merchant_blacklist", "pickup_card", "", "made up"] {
            assert_eq!(told(code), DECLINED, "{code}");
        }
        assert_eq!((of_decline("stolen_card"), of_decline("expired_card")), (Some(DECLINED), Some("expired_card")));
        assert_eq!(of_decline("not_allowed"), None);
    }
}
