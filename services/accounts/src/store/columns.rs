//! Columns to checked values. What was stored passed the same checks, so a failure means that
//! somebody else wrote to the table.

use leadflow_accounts_domain::{Name, PostsPerSecond, SpendingLimit, Status};
use leadflow_kernel::{Currency, Money};
use rust_decimal::Decimal;
use sqlx::{Row, postgres::PgRow};

pub(super) fn corrupt(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

pub(super) fn wrong(column: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(format!("column {column} holds an impossible value").into())
}

pub(super) fn name(row: &PgRow, column: &'static str) -> Result<Name, sqlx::Error> {
    Name::parse(column, row.try_get(column)?).map_err(corrupt)
}

pub(super) fn status(row: &PgRow) -> Result<Status, sqlx::Error> {
    Status::from_code(row.try_get("status")?).ok_or_else(|| wrong("status"))
}

pub(super) fn version(row: &PgRow) -> Result<u64, sqlx::Error> {
    u64::try_from(row.try_get::<i64, _>("version")?).map_err(corrupt)
}

pub(super) fn posts_per_second(row: &PgRow) -> Result<PostsPerSecond, sqlx::Error> {
    let number = u32::try_from(row.try_get::<i32, _>("posts_per_second")?).map_err(corrupt)?;
    PostsPerSecond::new("posts_per_second", number).map_err(corrupt)
}

pub(super) fn currency(row: &PgRow) -> Result<Currency, sqlx::Error> {
    Currency::parse(row.try_get("currency")?).map_err(corrupt)
}

pub(super) fn limit(
    row: &PgRow,
    column: &'static str,
    currency: Currency,
) -> Result<Option<SpendingLimit>, sqlx::Error> {
    row.try_get::<Option<Decimal>, _>(column)?
        .map(|amount| Money::new(amount, currency).map(SpendingLimit::from_money))
        .transpose()
        .map_err(corrupt)
}

/// A number that the domain bounds far below the column's range.
pub(super) fn small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// A version as its column's type.
pub(super) fn big(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
