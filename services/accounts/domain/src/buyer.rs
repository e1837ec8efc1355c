//! Who buys leads from one seller.

use leadflow_kernel::{BuyerId, Currency, MoneyError, SellerId};

use crate::{Invalid, Name, Priority, Reason, Refusal, SpendingLimit, Status};

const WEEKLY: &str = "weekly_spending_limit";
const MONTHLY: &str = "monthly_spending_limit";

/// What a new buyer is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBuyer {
    /// Made by the caller.
    pub id: BuyerId,
    /// The company.
    pub company_name: Name,
    /// Its weight.
    pub priority: Priority,
    /// The most it spends in a week; `None` is no limit.
    pub weekly_limit: Option<SpendingLimit>,
    /// The most it spends in a month; `None` is no limit.
    pub monthly_limit: Option<SpendingLimit>,
}

impl NewBuyer {
    /// Everything that makes two requests to create it the same request.
    #[must_use]
    pub fn content(&self) -> Vec<String> {
        let limit = |limit: Option<SpendingLimit>| limit.map_or_else(String::new, |l| l.money().to_string());
        vec![
            self.company_name.as_str().to_owned(),
            self.priority.get().to_string(),
            limit(self.weekly_limit),
            limit(self.monthly_limit),
        ]
    }

    /// The record it becomes under a seller that sells in `currency`.
    ///
    /// # Errors
    /// [`Reason::Money`] for a limit in another currency.
    pub fn into_buyer(self, seller_id: SellerId, currency: Currency) -> Result<Buyer, Invalid> {
        same_currency(WEEKLY, self.weekly_limit, currency)?;
        same_currency(MONTHLY, self.monthly_limit, currency)?;
        Ok(Buyer {
            id: self.id,
            seller_id,
            version: 1,
            company_name: self.company_name,
            status: Status::Active,
            priority: self.priority,
            weekly_limit: self.weekly_limit,
            monthly_limit: self.monthly_limit,
        })
    }
}

/// A buyer as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buyer {
    /// Its id.
    pub id: BuyerId,
    /// Whose buyer it is.
    pub seller_id: SellerId,
    /// Counts its changes, from 1.
    pub version: u64,
    /// The company.
    pub company_name: Name,
    /// Whether it buys.
    pub status: Status,
    /// Its weight.
    pub priority: Priority,
    /// The most it spends in a week; `None` is no limit.
    pub weekly_limit: Option<SpendingLimit>,
    /// The most it spends in a month; `None` is no limit.
    pub monthly_limit: Option<SpendingLimit>,
}

/// What to do with a spending limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LimitChange {
    /// Leave it.
    #[default]
    Keep,
    /// Set it.
    Set(SpendingLimit),
    /// Take it away: unlimited.
    Clear,
}

impl LimitChange {
    /// Reads the two fields that a request has for one limit.
    ///
    /// # Errors
    /// [`Reason::SetAndCleared`].
    pub const fn new(field: &'static str, set: Option<SpendingLimit>, clear: bool) -> Result<Self, Invalid> {
        match (set, clear) {
            (Some(_), true) => Err(Invalid::new(field, Reason::SetAndCleared)),
            (Some(limit), false) => Ok(Self::Set(limit)),
            (None, true) => Ok(Self::Clear),
            (None, false) => Ok(Self::Keep),
        }
    }

    const fn apply(self, before: Option<SpendingLimit>) -> Option<SpendingLimit> {
        match self {
            Self::Keep => before,
            Self::Set(limit) => Some(limit),
            Self::Clear => None,
        }
    }
}

/// What to change; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct BuyerChange {
    /// The company.
    pub company_name: Option<Name>,
    /// Whether it buys.
    pub status: Option<Status>,
    /// Its weight.
    pub priority: Option<Priority>,
    /// The most it spends in a week.
    pub weekly_limit: LimitChange,
    /// The most it spends in a month.
    pub monthly_limit: LimitChange,
}

impl Buyer {
    /// The buyer after the change, one version on; `None` when the change changes nothing.
    /// `currency` is the one its seller sells in.
    ///
    /// # Errors
    /// [`Refusal::Archived`] for a change of an archived buyer, [`Refusal::Invalid`] for a limit in
    /// another currency.
    pub fn changed(&self, change: BuyerChange, currency: Currency) -> Result<Option<Self>, Refusal> {
        let mut next = Self {
            company_name: change.company_name.unwrap_or_else(|| self.company_name.clone()),
            status: change.status.unwrap_or(self.status),
            priority: change.priority.unwrap_or(self.priority),
            weekly_limit: change.weekly_limit.apply(self.weekly_limit),
            monthly_limit: change.monthly_limit.apply(self.monthly_limit),
            ..self.clone()
        };
        if next == *self {
            return Ok(None);
        }
        self.status.changeable("buyer")?;
        same_currency(WEEKLY, next.weekly_limit, currency)?;
        same_currency(MONTHLY, next.monthly_limit, currency)?;
        next.version += 1;
        Ok(Some(next))
    }
}

fn same_currency(field: &'static str, limit: Option<SpendingLimit>, currency: Currency) -> Result<(), Invalid> {
    match limit.map(|limit| limit.money().currency()) {
        Some(other) if other != currency => Err(Invalid::new(field, Reason::Money(MoneyError::Mixed(other, currency)))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(text: &str) -> Option<SpendingLimit> {
        Some(SpendingLimit::parse("l", text, "USD").unwrap())
    }

    fn new() -> NewBuyer {
        NewBuyer {
            id: BuyerId::new(),
            company_name: Name::parse("n", "XYZ Agency").unwrap(),
            priority: Priority::DEFAULT,
            weekly_limit: limit("100"),
            monthly_limit: None,
        }
    }

    #[test]
    fn limits_are_in_the_sellers_currency() {
        let euro = Currency::parse("EUR").unwrap();
        assert_eq!(new().into_buyer(SellerId::new(), euro).unwrap_err().field, WEEKLY);
        let buyer = new().into_buyer(SellerId::new(), Currency::USD).unwrap();
        let change = BuyerChange {
            monthly_limit: LimitChange::Set(SpendingLimit::parse("l", "5", "EUR").unwrap()),
            ..BuyerChange::default()
        };
        assert!(matches!(buyer.changed(change, Currency::USD), Err(Refusal::Invalid(i)) if i.field == MONTHLY));
    }

    #[test]
    fn a_limit_is_kept_set_or_cleared() {
        let buyer = new().into_buyer(SellerId::new(), Currency::USD).unwrap();
        let change = |weekly_limit| BuyerChange { weekly_limit, ..BuyerChange::default() };
        assert_eq!(buyer.changed(change(LimitChange::Keep), Currency::USD), Ok(None));
        let cleared = buyer.changed(change(LimitChange::Clear), Currency::USD).unwrap().unwrap();
        assert_eq!((cleared.weekly_limit, cleared.version), (None, 2));
        // Zero is not the same as none: it allows nothing.
        let zero = LimitChange::new(WEEKLY, limit("0"), false).unwrap();
        let zero = cleared.changed(change(zero), Currency::USD).unwrap().unwrap();
        assert_eq!((zero.weekly_limit, zero.version), (limit("0"), 3));
        assert!(LimitChange::new(WEEKLY, limit("1"), true).is_err());
    }

    #[test]
    fn content_tells_no_limit_from_a_limit_of_zero() {
        let zero = NewBuyer { monthly_limit: limit("0"), ..new() };
        let none = NewBuyer { monthly_limit: None, ..zero.clone() };
        assert_ne!(zero.content(), none.content());
    }

    #[test]
    fn an_archived_buyer_stays_as_it_is() {
        let buyer = new().into_buyer(SellerId::new(), Currency::USD).unwrap();
        let archived = Buyer { status: Status::Archived, ..buyer };
        let change = BuyerChange { status: Some(Status::Active), ..BuyerChange::default() };
        assert_eq!(archived.changed(change, Currency::USD), Err(Refusal::Archived { what: "buyer" }));
    }
}
