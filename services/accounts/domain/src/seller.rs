//! A tenant.

use leadflow_kernel::{Currency, SellerId};

use crate::{FeePercent, Invalid, Name, PostsPerSecond, Reason, Refusal, RetentionDays, Status, TimeZone};

/// What a new seller is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSeller {
    /// Made by the caller.
    pub id: SellerId,
    /// The company.
    pub company_name: Name,
    /// Where its days begin.
    pub time_zone: TimeZone,
    /// In which it sells; cannot change.
    pub currency: Currency,
    /// The platform's part of each sale.
    pub fee: FeePercent,
    /// For all its suppliers together.
    pub posts_per_second: PostsPerSecond,
}

impl NewSeller {
    /// Reads the fields of a request; empty texts are the defaults.
    ///
    /// # Errors
    /// The first field that is not valid.
    pub fn parse(
        id: SellerId,
        company_name: &str,
        time_zone: &str,
        currency: &str,
        fee_percent: &str,
        posts_per_second: u32,
    ) -> Result<Self, Invalid> {
        let currency = match currency {
            "" => Currency::USD,
            code => Currency::parse(code).map_err(|e| Invalid::new("currency", Reason::Money(e)))?,
        };
        Ok(Self {
            id,
            company_name: Name::parse("company_name", company_name)?,
            time_zone: TimeZone::parse("time_zone", time_zone)?,
            currency,
            fee: FeePercent::parse("platform_fee_percent", fee_percent)?,
            posts_per_second: PostsPerSecond::new("posts_per_second", posts_per_second)?,
        })
    }

    /// Everything that makes two requests to create it the same request.
    #[must_use]
    pub fn content(&self) -> Vec<String> {
        vec![
            self.company_name.as_str().to_owned(),
            self.time_zone.name().to_owned(),
            self.currency.code().to_owned(),
            self.fee.to_string(),
            self.posts_per_second.get().to_string(),
        ]
    }

    /// The record it becomes.
    #[must_use]
    pub fn into_seller(self) -> Seller {
        Seller {
            id: self.id,
            version: 1,
            company_name: self.company_name,
            status: Status::Active,
            time_zone: self.time_zone,
            currency: self.currency,
            fee: self.fee,
            posts_per_second: self.posts_per_second,
            retention: RetentionDays::default(),
        }
    }
}

/// A seller as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seller {
    /// Its id.
    pub id: SellerId,
    /// Counts its changes, from 1.
    pub version: u64,
    /// The company.
    pub company_name: Name,
    /// Whether it sells.
    pub status: Status,
    /// Where its days begin.
    pub time_zone: TimeZone,
    /// In which it sells.
    pub currency: Currency,
    /// The platform's part of each sale.
    pub fee: FeePercent,
    /// For all its suppliers together.
    pub posts_per_second: PostsPerSecond,
    /// How long personal data of its leads is kept.
    pub retention: RetentionDays,
}

/// What to change; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct SellerChange {
    /// The company.
    pub company_name: Option<Name>,
    /// Whether it sells.
    pub status: Option<Status>,
    /// Where its days begin.
    pub time_zone: Option<TimeZone>,
    /// The platform's part of each sale.
    pub fee: Option<FeePercent>,
    /// For all its suppliers together.
    pub posts_per_second: Option<PostsPerSecond>,
    /// How long personal data of its leads is kept.
    pub retention: Option<RetentionDays>,
}

impl Seller {
    /// The seller after the change, one version on; `None` when the change changes nothing.
    ///
    /// # Errors
    /// [`Refusal::Archived`] for a change of an archived seller.
    pub fn changed(&self, change: SellerChange) -> Result<Option<Self>, Refusal> {
        let mut next = Self {
            company_name: change.company_name.unwrap_or_else(|| self.company_name.clone()),
            status: change.status.unwrap_or(self.status),
            time_zone: change.time_zone.unwrap_or(self.time_zone),
            fee: change.fee.unwrap_or(self.fee),
            posts_per_second: change.posts_per_second.unwrap_or(self.posts_per_second),
            retention: change.retention.unwrap_or(self.retention),
            ..self.clone()
        };
        if next == *self {
            return Ok(None);
        }
        self.status.changeable("seller")?;
        next.version += 1;
        Ok(Some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seller() -> Seller {
        NewSeller::parse(SellerId::new(), "Acme", "", "", "", 0).unwrap().into_seller()
    }

    #[test]
    fn a_new_seller_has_the_documented_defaults() {
        let seller = seller();
        assert_eq!(seller.time_zone.name(), "America/New_York");
        assert_eq!(seller.currency, Currency::USD);
        assert_eq!(seller.fee.to_string(), "5");
        assert_eq!((seller.version, seller.status), (1, Status::Active));
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        let field = |company: &str, zone: &str, currency: &str, fee: &str, rate| {
            NewSeller::parse(SellerId::new(), company, zone, currency, fee, rate).unwrap_err().field
        };
        assert_eq!(field("", "", "", "", 0), "company_name");
        assert_eq!(field("A", "Mars", "", "", 0), "time_zone");
        assert_eq!(field("A", "", "usd", "", 0), "currency");
        assert_eq!(field("A", "", "", "101", 0), "platform_fee_percent");
        assert_eq!(field("A", "", "", "", u32::MAX), "posts_per_second");
    }

    #[test]
    fn a_change_counts_the_version_and_no_change_does_not() {
        let seller = seller();
        let same = SellerChange { status: Some(Status::Active), ..SellerChange::default() };
        assert_eq!(seller.changed(same), Ok(None));
        let paused = SellerChange { status: Some(Status::Paused), ..SellerChange::default() };
        let next = seller.changed(paused).unwrap().unwrap();
        assert_eq!((next.version, next.status), (2, Status::Paused));
    }

    #[test]
    fn an_archived_seller_stays_as_it_is() {
        let archived = Seller { status: Status::Archived, ..seller() };
        for status in [Status::Active, Status::Paused] {
            let change = SellerChange { status: Some(status), ..SellerChange::default() };
            assert_eq!(archived.changed(change), Err(Refusal::Archived { what: "seller" }));
        }
        // A repeat of the request that archived it is not an error.
        let again = SellerChange { status: Some(Status::Archived), ..SellerChange::default() };
        assert_eq!(archived.changed(again), Ok(None));
    }
}
