//! Between our money (two decimals) and Stripe's whole numbers of a currency's smallest unit. Exact, or refused.

use leadflow_kernel::{Currency, Money};
use rust_decimal::{Decimal, prelude::ToPrimitive as _};
use stripe_types::Currency as Theirs;

use crate::outbound::provider::ProviderError;

/// Currencies without a smaller unit: 500 is ¥500.
const WHOLE: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];
/// Without one, too, and still written with two decimals, which have to be zero.
const WRITTEN_WITH_TWO: [&str; 2] = ["ISK", "UGX"];
/// With three decimals, of which the last has to be zero.
const THREE: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

/// How many digits of Stripe's number are decimals, and how many of ours may be other than zero.
fn decimals(currency: Currency) -> (u32, u32) {
    let code = currency.code();
    if WHOLE.contains(&code) {
        (0, 0)
    } else if WRITTEN_WITH_TWO.contains(&code) {
        (2, 0)
    } else if THREE.contains(&code) {
        (3, 2)
    } else {
        (2, 2)
    }
}

/// As Stripe writes it.
///
/// # Errors
/// [`ProviderError::Refused`] when the currency has no such small amounts.
pub(super) fn to_minor(money: Money) -> Result<i64, ProviderError> {
    let (digits, significant) = decimals(money.currency());
    let exact = money.amount().normalize();
    if exact.scale() > significant {
        return Err(ProviderError::Refused {
            code: "invalid_amount".to_owned(),
            message: format!("{} is charged in steps of {}", money.currency(), Decimal::new(1, significant)),
        });
    }
    (exact * Decimal::from(10_u32.pow(digits))).to_i64().ok_or_else(|| ProviderError::Refused {
        code: "amount_too_large".to_owned(),
        message: "the amount is too large".to_owned(),
    })
}

/// As we write it.
///
/// # Errors
/// [`ProviderError::Unknown`] when it is no amount of ours: more than two decimals, or beyond what we write.
pub(super) fn from_minor(minor: i64, currency: &Theirs) -> Result<Money, ProviderError> {
    let unreadable = |_| ProviderError::Unknown(format!("an amount of {minor} {currency} cannot be written"));
    let currency = Currency::parse(&currency.to_string().to_ascii_uppercase()).map_err(unreadable)?;
    Money::new(Decimal::new(minor, decimals(currency).0).normalize(), currency).map_err(unreadable)
}

/// A currency as Stripe writes it.
pub(super) fn currency(of: Money) -> Theirs {
    // Never fails: what it does not know, it keeps as it is.
    of.currency().code().to_ascii_lowercase().parse().unwrap_or(Theirs::USD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str, currency: &str) -> Money {
        Money::parse(text, Currency::parse(currency).unwrap()).unwrap()
    }

    #[test]
    fn every_currency_is_counted_in_its_own_units_and_back() {
        for (ours, currency_code, theirs) in [
            ("25.00", "USD", 2_500),
            ("0.01", "EUR", 1),
            ("500", "JPY", 500),
            ("1000", "KRW", 1_000),
            ("7", "XPF", 7),
            ("5", "ISK", 500),
            ("12.34", "KWD", 12_340),
            ("9999999999.99", "USD", 999_999_999_999),
            ("25.00", "ZZZ", 2_500),
        ] {
            let ours = money(ours, currency_code);
            assert_eq!(to_minor(ours).unwrap(), theirs, "{ours}");
            assert_eq!(from_minor(theirs, &currency(ours)).unwrap(), ours, "{ours}");
        }
    }

    #[test]
    fn what_a_currency_cannot_pay_is_refused() {
        for (ours, currency) in [("500.50", "JPY"), ("5.01", "ISK"), ("1.10", "UGX")] {
            assert!(matches!(to_minor(money(ours, currency)), Err(ProviderError::Refused { .. })), "{ours} {currency}");
        }
    }

    #[test]
    fn what_we_cannot_write_is_not_rounded() {
        let dinar = currency(money("1", "KWD"));
        assert!(matches!(from_minor(12_345, &dinar), Err(ProviderError::Unknown(_))));
    }
}
