//! Between columns and the words of the domain.

use chrono_tz::Tz;
use leadflow_distribution_domain::{
    Logic, State, StateSet, Status,
    duplicates::{DuplicateRule, Match},
    returns::ReturnState,
    time_zone,
};
use leadflow_kernel::{Currency, Money};
use rust_decimal::Decimal;

/// A column holds what no version of this program writes.
#[derive(Debug, thiserror::Error)]
#[error("column {0} holds an unknown value")]
struct Unknown(&'static str);

/// Turns an impossible value into an error of the query that read it.
pub fn impossible(column: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(Unknown(column)))
}

/// The text of a status.
pub const fn status_text(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Paused => "paused",
        Status::Archived => "archived",
    }
}

/// Reads a status.
///
/// # Errors
/// When it is none.
pub fn status(text: &str) -> Result<Status, sqlx::Error> {
    match text {
        "active" => Ok(Status::Active),
        "paused" => Ok(Status::Paused),
        "archived" => Ok(Status::Archived),
        _ => Err(impossible("status")),
    }
}

/// The text of a return's state.
pub const fn return_state_text(state: ReturnState) -> &'static str {
    match state {
        ReturnState::Requested => "requested",
        ReturnState::Approved => "approved",
        ReturnState::Rejected => "rejected",
    }
}

/// Reads a return's state.
///
/// # Errors
/// When it is none.
pub fn return_state(text: &str) -> Result<ReturnState, sqlx::Error> {
    match text {
        "requested" => Ok(ReturnState::Requested),
        "approved" => Ok(ReturnState::Approved),
        "rejected" => Ok(ReturnState::Rejected),
        _ => Err(impossible("state")),
    }
}

/// The text of a logic.
pub const fn logic_text(logic: Logic) -> &'static str {
    match logic {
        Logic::RoundRobin => "round_robin",
        Logic::WeightedRoundRobin => "weighted_round_robin",
        Logic::Waterfall => "waterfall",
        Logic::Broadcast => "broadcast",
    }
}

/// Reads a logic.
///
/// # Errors
/// When it is none.
pub fn logic(text: &str) -> Result<Logic, sqlx::Error> {
    match text {
        "round_robin" => Ok(Logic::RoundRobin),
        "weighted_round_robin" => Ok(Logic::WeightedRoundRobin),
        "waterfall" => Ok(Logic::Waterfall),
        "broadcast" => Ok(Logic::Broadcast),
        _ => Err(impossible("logic")),
    }
}

/// The text of how duplicate fields count.
pub const fn match_text(matching: Match) -> &'static str {
    match matching {
        Match::Any => "any",
        Match::All => "all",
    }
}

/// Reads a duplicate rule.
///
/// # Errors
/// When a column is impossible.
pub fn duplicate_rule(window_days: i32, fields: Vec<String>, matching: &str) -> Result<DuplicateRule, sqlx::Error> {
    let matching = match matching {
        "any" => Match::Any,
        "all" => Match::All,
        _ => return Err(impossible("duplicate_match")),
    };
    Ok(DuplicateRule { window_days: unsigned(window_days, "duplicate_window_days")?, fields, matching })
}

/// Reads an amount and its currency.
///
/// # Errors
/// When either is impossible.
pub fn money(amount: Decimal, currency: &str) -> Result<Money, sqlx::Error> {
    Currency::parse(currency).and_then(|currency| Money::new(amount, currency)).map_err(|_| impossible("price"))
}

/// Reads a currency.
///
/// # Errors
/// When it is none.
pub fn currency(text: &str) -> Result<Currency, sqlx::Error> {
    Currency::parse(text).map_err(|_| impossible("currency"))
}

/// Reads a time zone.
///
/// # Errors
/// When nobody knows it.
pub fn zone(text: &str) -> Result<Tz, sqlx::Error> {
    time_zone(text).ok_or_else(|| impossible("time_zone"))
}

/// Reads the states of a subscription.
pub fn states(codes: &[String]) -> StateSet {
    codes.iter().filter_map(|code| State::parse(code)).collect()
}

/// A number that is never negative.
///
/// # Errors
/// When it is.
pub fn unsigned(number: i32, column: &'static str) -> Result<u32, sqlx::Error> {
    u32::try_from(number).map_err(|_| impossible(column))
}

/// A column's form of a number that is bounded far below its limit.
pub fn signed(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
