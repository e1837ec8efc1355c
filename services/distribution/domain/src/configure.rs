//! What sellers and buyers may set up: bounds, names and changes of status.

use std::collections::HashSet;

use leadflow_kernel::Money;

use crate::{
    duplicates::DuplicateRule,
    model::Status,
    state::{State, StateSet},
};

/// Fields of a category at most.
pub const MAX_FIELDS: usize = 200;
/// Options of a select field at most.
pub const MAX_OPTIONS: usize = 500;
/// Bytes of all texts of a category's fields at most: the record travels as one message, and one that is
/// too large would never be published and hold up those behind it.
pub const MAX_FIELDS_BYTES: usize = 256 * 1024;
/// Fields of a duplicate rule at most.
pub const MAX_DUPLICATE_FIELDS: usize = 10;
/// The longest window of a duplicate rule.
pub const MAX_WINDOW_DAYS: u32 = 3_650;
/// The longest time a lead stays for sale: ninety days.
pub const MAX_TTL_HOURS: u32 = 90 * 24;
/// How long a lead stays for sale when the campaign does not say.
pub const DEFAULT_TTL_HOURS: u32 = 72;
const MAX_NAME: usize = 200;
const MAX_TEXT: usize = 2_000;
const MAX_FIELD_NAME: usize = 64;
const MAX_WATERFALL: u32 = 1_000_000;
const MAX_CAP: u32 = 1_000_000;

/// Why something cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct Invalid {
    /// Which part of the request.
    pub field: String,
    /// What is wrong, to follow the field's name in a sentence.
    pub problem: String,
}

pub(crate) fn invalid<T>(field: impl Into<String>, problem: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid { field: field.into(), problem: problem.into() })
}

/// A field of a category, as far as the rules go.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    /// Its key in the lead's data.
    pub name: &'a str,
    /// For people.
    pub description: &'a str,
    /// Whether it is chosen from `options`.
    pub is_select: bool,
    /// What may be chosen.
    pub options: &'a [String],
}

/// A name of something, trimmed.
///
/// # Errors
/// [`Invalid`] when it is empty, longer than 200 characters or has control characters.
pub fn name(field: &str, text: &str) -> Result<String, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return invalid(field, "must not be empty");
    }
    if text.chars().count() > MAX_NAME {
        return invalid(field, format!("must have at most {MAX_NAME} characters"));
    }
    if text.chars().any(char::is_control) {
        return invalid(field, "must not contain control characters");
    }
    Ok(text.to_owned())
}

/// Free text.
///
/// # Errors
/// [`Invalid`] when it is longer than 2,000 characters or contains a NUL.
pub fn description(field: &str, text: &str) -> Result<(), Invalid> {
    if text.chars().count() > MAX_TEXT {
        return invalid(field, format!("must have at most {MAX_TEXT} characters"));
    }
    if text.contains('\0') {
        return invalid(field, "must not contain a NUL character");
    }
    Ok(())
}

/// The fields of a category.
///
/// # Errors
/// [`Invalid`] for the first field that is malformed or named twice, and for too many or too large ones.
pub fn fields(fields: &[Field<'_>]) -> Result<(), Invalid> {
    if fields.len() > MAX_FIELDS {
        return invalid("fields", format!("must be at most {MAX_FIELDS}"));
    }
    let bytes = |field: &Field<'_>| {
        field.name.len() + field.description.len() + field.options.iter().map(String::len).sum::<usize>()
    };
    if fields.iter().map(bytes).sum::<usize>() > MAX_FIELDS_BYTES {
        return invalid("fields", format!("must have at most {} KiB of text together", MAX_FIELDS_BYTES / 1024));
    }
    let mut names = HashSet::new();
    for (at, field) in fields.iter().enumerate() {
        let here = |part: &str| format!("fields[{at}].{part}");
        field_name(&here("name"), field.name)?;
        if !names.insert(field.name) {
            return invalid(here("name"), "is used twice");
        }
        description(&here("description"), field.description)?;
        options(&here("options"), field)?;
    }
    Ok(())
}

fn options(here: &str, field: &Field<'_>) -> Result<(), Invalid> {
    if !field.is_select {
        return if field.options.is_empty() { Ok(()) } else { invalid(here, "are for select fields only") };
    }
    if field.options.is_empty() || field.options.len() > MAX_OPTIONS {
        return invalid(here, format!("must be 1 to {MAX_OPTIONS}"));
    }
    let mut seen = HashSet::new();
    for option in field.options {
        if name(here, option)? != *option {
            return invalid(here, "must not begin or end with blanks");
        }
        if !seen.insert(option) {
            return invalid(here, "must differ");
        }
    }
    Ok(())
}

fn field_name(here: &str, text: &str) -> Result<(), Invalid> {
    let mut characters = text.chars();
    let starts_well = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    let goes_on_well = characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if starts_well && goes_on_well && text.len() <= MAX_FIELD_NAME {
        return Ok(());
    }
    invalid(here, format!("must be a letter and letters, digits, _ - . ({MAX_FIELD_NAME} characters at most)"))
}

/// A campaign's price.
///
/// # Errors
/// [`Invalid`] when it is below zero or not in the seller's currency.
pub fn price(price: Money, seller_currency: leadflow_kernel::Currency) -> Result<(), Invalid> {
    if price.is_negative() {
        return invalid("price", "must be zero or more");
    }
    if price.currency() != seller_currency {
        return invalid("price", format!("must be in {seller_currency}"));
    }
    Ok(())
}

/// A campaign's duplicate rule.
///
/// # Errors
/// [`Invalid`] when the window is too long, fields are missing, too many or malformed.
pub fn duplicate_rule(rule: &DuplicateRule) -> Result<(), Invalid> {
    if rule.window_days > MAX_WINDOW_DAYS {
        return invalid("duplicates.window_days", format!("must be at most {MAX_WINDOW_DAYS}"));
    }
    if rule.window_days > 0 && rule.fields.is_empty() {
        return invalid("duplicates.fields", "must name a field when there is a window");
    }
    if rule.fields.len() > MAX_DUPLICATE_FIELDS {
        return invalid("duplicates.fields", format!("must be at most {MAX_DUPLICATE_FIELDS}"));
    }
    rule.fields.iter().try_for_each(|field| field_name("duplicates.fields", field))
}

/// The fields of a duplicate rule, in a category with these fields.
///
/// # Errors
/// [`Invalid`] when a rule that is on names a field that the category does not have: it would never find anything.
pub fn duplicate_fields(rule: &DuplicateRule, category: &[&str]) -> Result<(), Invalid> {
    match rule.fields.iter().find(|field| !category.contains(&field.as_str())) {
        Some(missing) if rule.window_days > 0 => {
            invalid("duplicates.fields", format!("has {missing}, which the category does not define"))
        }
        _ => Ok(()),
    }
}

/// Hours a lead stays for sale; 0 is the default.
///
/// # Errors
/// [`Invalid`] beyond ninety days.
pub fn ttl_hours(hours: u32) -> Result<u32, Invalid> {
    match hours {
        0 => Ok(DEFAULT_TTL_HOURS),
        1..=MAX_TTL_HOURS => Ok(hours),
        _ => invalid("lead_ttl_hours", format!("must be at most {MAX_TTL_HOURS}")),
    }
}

/// The states of a subscription.
///
/// # Errors
/// [`Invalid`] for a text that is no USPS code, or any at all where the campaign allows none.
pub fn states(codes: &[String], allowed: bool) -> Result<StateSet, Invalid> {
    if !codes.is_empty() && !allowed {
        return invalid("states", "cannot be chosen in this campaign");
    }
    codes
        .iter()
        .map(|code| State::parse(code).map_or_else(|| invalid("states", "must be USPS codes such as CA"), Ok))
        .collect()
}

/// A daily cap.
///
/// # Errors
/// [`Invalid`] beyond a million.
pub fn daily_cap(cap: Option<u32>) -> Result<(), Invalid> {
    if cap.is_some_and(|cap| cap > MAX_CAP) {
        return invalid("daily_cap", format!("must be at most {MAX_CAP}"));
    }
    Ok(())
}

/// A place in a waterfall; 0 is none.
///
/// # Errors
/// [`Invalid`] beyond a million.
pub fn waterfall_priority(field: &str, place: u32) -> Result<Option<u32>, Invalid> {
    match place {
        0 => Ok(None),
        1..=MAX_WATERFALL => Ok(Some(place)),
        _ => invalid(field, format!("must be at most {MAX_WATERFALL}")),
    }
}

/// A change of status: what is archived stays so, or a buyer could wash its history.
///
/// # Errors
/// [`Invalid`] when something archived is to come back.
pub fn status_change(from: Status, to: Status) -> Result<(), Invalid> {
    if from == Status::Archived && to != Status::Archived {
        return invalid("status", "is archived and stays so");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use leadflow_kernel::Currency;

    use super::*;

    #[test]
    fn a_price_is_zero_or_more() {
        let money = |text| Money::parse(text, Currency::USD).unwrap();
        assert!(price(money("0"), Currency::USD).is_ok());
        assert!(price(money("-5"), Currency::USD).is_err());
        assert!(price(money("5"), Currency::parse("EUR").unwrap()).is_err());
    }

    #[test]
    fn fields_are_named_once_and_sanely() {
        let field = |name| Field { name, description: "", is_select: false, options: &[] };
        assert!(fields(&[field("firstName"), field("last_name"), field("utm.source")]).is_ok());
        assert!(fields(&[field("a"), field("a")]).is_err());
        let long = "a".repeat(65);
        for bad in ["", " a", "1a", "a b", "a\0", "é", &long] {
            assert!(fields(&[field(bad)]).is_err(), "{bad:?}");
        }
        let many: Vec<String> = (0..=MAX_FIELDS).map(|n| format!("f{n}")).collect();
        let many: Vec<Field<'_>> = many.iter().map(|name| field(name)).collect();
        assert!(fields(&many[1..]).is_ok());
        assert!(fields(&many).is_err());
    }

    #[test]
    fn options_belong_to_select_fields() {
        let (none, two, same) = (vec![], vec!["a".to_owned(), "b".to_owned()], vec!["a".to_owned(), "a".to_owned()]);
        let check = |is_select, options: &[String]| fields(&[Field { name: "x", description: "", is_select, options }]);
        assert!(check(true, &two).is_ok() && check(false, &none).is_ok());
        assert!(check(true, &none).is_err() && check(false, &two).is_err() && check(true, &same).is_err());
        assert!(check(true, &[" a".to_owned()]).is_err() && check(true, &[String::new()]).is_err());
    }

    #[test]
    fn states_need_the_campaigns_leave() {
        let codes = ["ca".to_owned(), "NY".to_owned()];
        assert_eq!(states(&codes, true).unwrap().codes().count(), 2);
        assert!(states(&codes, false).is_err());
        assert!(states(&[], false).is_ok());
        assert!(states(&["California".to_owned()], true).is_err());
    }

    #[test]
    fn the_archived_stays_archived() {
        assert!(status_change(Status::Archived, Status::Active).is_err());
        assert!(status_change(Status::Archived, Status::Archived).is_ok());
        assert!(status_change(Status::Paused, Status::Active).is_ok());
    }

    #[test]
    fn a_rule_with_a_window_names_fields() {
        let rule = |window_days, fields: &[&str]| DuplicateRule {
            window_days,
            fields: fields.iter().map(|&f| f.to_owned()).collect(),
            matching: crate::duplicates::Match::Any,
        };
        assert!(duplicate_rule(&rule(0, &[])).is_ok());
        assert!(duplicate_rule(&rule(1, &["email"])).is_ok());
        assert!(duplicate_rule(&rule(1, &[])).is_err());
        assert!(duplicate_rule(&rule(MAX_WINDOW_DAYS + 1, &["email"])).is_err());
    }

    #[test]
    fn a_rule_looks_at_fields_that_there_are() {
        let rule = |window_days| DuplicateRule {
            window_days,
            fields: vec!["email".to_owned(), "phone".to_owned()],
            matching: crate::duplicates::Match::All,
        };
        assert!(duplicate_fields(&rule(1), &["phone", "age", "email"]).is_ok());
        assert!(duplicate_fields(&rule(1), &["phone"]).unwrap_err().problem.contains("email"));
        assert!(duplicate_fields(&rule(0), &[]).is_ok());
    }

    #[test]
    fn zero_hours_is_the_default() {
        assert_eq!(ttl_hours(0), Ok(DEFAULT_TTL_HOURS));
        assert!(ttl_hours(MAX_TTL_HOURS + 1).is_err());
    }
}
