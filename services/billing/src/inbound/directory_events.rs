//! `seller.changed` and `buyer.changed`: billing's copy of tenants, and wallets for new buyers.

use chrono_tz::Tz;
use leadflow_billing_domain::{Allowance, BuyerStatus, Terms};
use leadflow_contracts::{
    ConvertError, Event as _, common,
    events::{BuyerChanged, SellerChanged},
    id, optional_money,
};
use leadflow_kernel::{Currency, MoneyError};
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler, HandleError},
};
use rust_decimal::Decimal;

use super::lead_events::failed;
use crate::{
    app::Billing,
    store::directory::{BuyerRecord, SellerRecord},
};

/// Decimals a fee's percent may have; more would be rounded away in the table.
const FEE_DECIMALS: u32 = 4;

/// Takes over the records of a batch in one transaction.
pub struct DirectoryEvents {
    billing: Billing,
}

impl DirectoryEvents {
    /// Takes over into `billing`.
    #[must_use]
    pub const fn new(billing: Billing) -> Self {
        Self { billing }
    }
}

#[async_trait::async_trait]
impl BatchHandler for DirectoryEvents {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        let (mut sellers, mut buyers) = (Vec::new(), Vec::new());
        for message in batch {
            match message.kind.as_str() {
                SellerChanged::TYPE => {
                    let event = message.decode::<SellerChanged>().map_err(HandleError::permanent)?;
                    sellers.push(seller(&event).map_err(HandleError::permanent)?);
                }
                BuyerChanged::TYPE => {
                    let event = message.decode::<BuyerChanged>().map_err(HandleError::permanent)?;
                    buyers.push(buyer(&event).map_err(HandleError::permanent)?);
                }
                other => return Err(HandleError::permanent(format!("an event of another type: {other:?}"))),
            }
        }
        self.billing.apply_directory(&sellers, &buyers).await.map_err(failed)
    }
}

/// A record that is not what its contract says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Unreadable {
    #[error(transparent)]
    Field(#[from] ConvertError),
    #[error("currency: {0}")]
    Currency(#[from] MoneyError),
    #[error("time_zone: not an IANA name")]
    TimeZone,
    #[error("platform_fee_percent: must be 0 to 100 with at most 4 decimals")]
    Fee,
    #[error("version: must be at least 1")]
    Version,
    #[error("status: unknown")]
    Status,
    #[error("{0}: must not be negative")]
    Limit(&'static str),
}

fn version(version: u64) -> Result<i64, Unreadable> {
    i64::try_from(version).ok().filter(|version| *version > 0).ok_or(Unreadable::Version)
}

fn seller(event: &SellerChanged) -> Result<SellerRecord, Unreadable> {
    let fee_percent = Decimal::from_str_exact(&event.platform_fee_percent)
        .ok()
        .filter(|fee| *fee >= Decimal::ZERO && *fee <= Decimal::ONE_HUNDRED && fee.normalize().scale() <= FEE_DECIMALS)
        .ok_or(Unreadable::Fee)?;
    Ok(SellerRecord {
        id: id(&event.seller_id, "seller_id")?,
        version: version(event.version)?,
        terms: Terms {
            currency: Currency::parse(&event.currency)?,
            time_zone: event.time_zone.parse::<Tz>().map_err(|_| Unreadable::TimeZone)?,
            fee_percent,
        },
    })
}

fn buyer(event: &BuyerChanged) -> Result<BuyerRecord, Unreadable> {
    let limit = |value: Option<&common::Money>, field| {
        let limit = optional_money(value, field)?.map(|money| money.amount());
        if limit.is_some_and(|limit| limit < Decimal::ZERO) { Err(Unreadable::Limit(field)) } else { Ok(limit) }
    };
    let status = match event.status() {
        common::Status::Active => BuyerStatus::Active,
        common::Status::Paused => BuyerStatus::Paused,
        common::Status::Archived => BuyerStatus::Archived,
        common::Status::Unspecified => return Err(Unreadable::Status),
    };
    Ok(BuyerRecord {
        id: id(&event.buyer_id, "buyer_id")?,
        seller: id(&event.seller_id, "seller_id")?,
        version: version(event.version)?,
        allowance: Allowance {
            status,
            weekly_limit: limit(event.weekly_spending_limit.as_ref(), "weekly_spending_limit")?,
            monthly_limit: limit(event.monthly_spending_limit.as_ref(), "monthly_spending_limit")?,
        },
    })
}

#[cfg(test)]
mod tests {
    use leadflow_kernel::{BuyerId, SellerId};

    use super::*;

    fn seller_event() -> SellerChanged {
        SellerChanged {
            seller_id: SellerId::new().to_string(),
            version: 1,
            time_zone: "America/New_York".to_owned(),
            currency: "USD".to_owned(),
            platform_fee_percent: "0".to_owned(),
            ..SellerChanged::default()
        }
    }

    #[test]
    fn a_fee_of_zero_percent_stays_zero_and_an_impossible_one_is_refused() {
        assert_eq!(seller(&seller_event()).unwrap().terms.fee_percent, Decimal::ZERO);
        for bad in ["", "-1", "100.01", "NaN", "5.00001", "5%"] {
            let event = SellerChanged { platform_fee_percent: bad.to_owned(), ..seller_event() };
            assert_eq!(seller(&event), Err(Unreadable::Fee), "{bad:?}");
        }
    }

    #[test]
    fn an_unknown_time_zone_or_version_is_refused() {
        let event = SellerChanged { time_zone: "Mars/Olympus".to_owned(), ..seller_event() };
        assert_eq!(seller(&event), Err(Unreadable::TimeZone));
        let event = SellerChanged { version: 0, ..seller_event() };
        assert_eq!(seller(&event), Err(Unreadable::Version));
    }

    #[test]
    fn an_absent_limit_is_none_a_zero_one_is_zero_and_a_negative_one_is_refused() {
        let usd = |amount: &str| Some(common::Money { amount: amount.to_owned(), currency: "USD".to_owned() });
        let mut event = BuyerChanged {
            buyer_id: BuyerId::new().to_string(),
            seller_id: SellerId::new().to_string(),
            version: 3,
            status: common::Status::Active.into(),
            weekly_spending_limit: usd("0"),
            ..BuyerChanged::default()
        };
        let allowance = buyer(&event).unwrap().allowance;
        assert_eq!((allowance.weekly_limit, allowance.monthly_limit), (Some(Decimal::ZERO), None));
        event.monthly_spending_limit = usd("-1");
        assert_eq!(buyer(&event), Err(Unreadable::Limit("monthly_spending_limit")));
    }
}
