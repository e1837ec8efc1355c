//! Sums of leads and sales.

use std::collections::HashMap;

use chrono::NaiveDate;
use leadflow_distribution_domain::{ask::Range, days};
use leadflow_kernel::{BuyerId, Currency, SellerId};
use uuid::Uuid;

use super::Catalogue;
use crate::{
    app::{AppError, put_category::SELLER_UNKNOWN},
    store::catalogue::sums::{self, By, DayRow, SumRow, Whose},
};

/// Sums given at most when nobody says which.
pub const SUMS: u32 = 200;

/// Sums by day, and the currency they are in.
#[derive(Debug)]
pub struct Days {
    /// Every day of the range; no sum where there was nothing.
    pub days: Vec<(NaiveDate, Option<DayRow>)>,
    /// The tenant's.
    pub currency: Currency,
}

/// Sums, and the currency they are in.
#[derive(Debug)]
pub struct Sums {
    /// Those asked for, in that order; else the most sales first.
    pub sums: Vec<(Uuid, Option<SumRow>)>,
    /// The tenant's.
    pub currency: Currency,
}

impl Catalogue {
    /// Leads and sales on each day of a range, in the tenant's time zone.
    ///
    /// # Errors
    /// [`AppError::Refused`] while the tenant is not known.
    pub async fn sum_by_day(&self, seller: SellerId, range: Range, whose: Whose) -> Result<Days, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let (zone, currency) = sums::tenant(&mut tx, seller).await?.ok_or(SELLER_UNKNOWN)?;
        let (dates, starts): (Vec<_>, Vec<_>) = days(zone, range.0, range.1).into_iter().unzip();
        let rows = sums::by_day(&mut tx, seller, range, whose, &starts).await?;
        let mut rows: HashMap<i32, DayRow> = rows.into_iter().map(|row| (row.day, row)).collect();
        let days = (1..).zip(dates).map(|(day, date)| (date, rows.remove(&day))).collect();
        Ok(Days { days, currency })
    }

    /// Leads and sales of a range by something: of those in `ids`, or the [`SUMS`] with the most sales.
    ///
    /// # Errors
    /// [`AppError::Refused`] while the tenant is not known.
    pub async fn sum_by(
        &self,
        seller: SellerId,
        range: Range,
        by: By,
        buyer: Option<BuyerId>,
        ids: &[Uuid],
    ) -> Result<Sums, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let (_, currency) = sums::tenant(&mut tx, seller).await?.ok_or(SELLER_UNKNOWN)?;
        let rows = sums::by(&mut tx, seller, range, by, buyer, ids, SUMS).await?;
        if ids.is_empty() {
            return Ok(Sums { sums: rows.into_iter().map(|row| (row.id, Some(row))).collect(), currency });
        }
        let rows: HashMap<Uuid, SumRow> = rows.into_iter().map(|row| (row.id, row)).collect();
        Ok(Sums { sums: ids.iter().map(|id| (*id, rows.get(id).cloned())).collect(), currency })
    }
}
