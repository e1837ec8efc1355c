//! Pages of objects, newest first.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Params,
    error::{Outcome, StripeError},
    table::{Row, Table},
};

/// The parameters that every list has.
pub(super) const COMMON: [&str; 4] = ["limit", "starting_after", "ending_before", "created"];

/// Times that are asked for.
#[derive(Debug, Default)]
struct Span {
    from: Option<i64>,
    to: Option<i64>,
}

impl Span {
    fn read(params: &Params) -> Result<Self, StripeError> {
        if let Ok(Some(at)) = params.integer("created") {
            return Ok(Self { from: Some(at), to: at.checked_add(1) });
        }
        let Some(inner) = params.inner("created")? else { return Ok(Self::default()) };
        inner.only(&["gt", "gte", "lt", "lte"])?;
        let after = |at: Option<i64>| at.map(|at| at.saturating_add(1));
        Ok(Self {
            from: inner.integer("gte")?.or(after(inner.integer("gt")?)),
            to: inner.integer("lt")?.or(after(inner.integer("lte")?)),
        })
    }

    fn has(&self, at: DateTime<Utc>) -> bool {
        let at = at.timestamp();
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }
}

fn limit(params: &Params) -> Result<usize, StripeError> {
    match params.integer("limit")? {
        None => Ok(10),
        Some(limit @ 1..=100) => Ok(usize::try_from(limit).unwrap_or(10)),
        Some(_) => Err(StripeError::parameter("parameter_invalid_integer", "limit", "Invalid limit: must be 1 to 100")),
    }
}

/// A page of a table: of what is `wanted`, in the span and after the cursor that the parameters name.
pub(super) fn page<T: Row>(
    table: &Table<T>,
    url: &str,
    params: &Params,
    created: impl Fn(&T) -> DateTime<Utc>,
    wanted: impl Fn(&T) -> bool,
    render: impl Fn(&T) -> Value,
) -> Outcome {
    let (span, limit) = (Span::read(params)?, limit(params)?);
    let cursor = |name: &str| -> Result<Option<u64>, StripeError> {
        let Some(id) = params.text(name)? else { return Ok(None) };
        table.place(id).map(Some).ok_or_else(|| StripeError::missing(T::TABLE, id, name))
    };
    let (after, before) = (cursor("starting_after")?, cursor("ending_before")?);
    let fits = |row: &T| span.has(created(row)) && wanted(row);
    let mut rows: Vec<&T> = if let Some(before) = before {
        // The nearest to the cursor, and then newest first as always.
        let newer = table.places().filter(|(place, row)| *place > before && fits(row));
        let mut rows: Vec<_> = newer.map(|(_, row)| row).take(limit + 1).collect();
        rows.reverse();
        rows
    } else {
        let older = table.places().rev().filter(|(place, row)| after.is_none_or(|after| *place < after) && fits(row));
        older.map(|(_, row)| row).take(limit + 1).collect()
    };
    let has_more = rows.len() > limit;
    if has_more && before.is_some() {
        rows.remove(0);
    }
    rows.truncate(limit);
    let data: Vec<Value> = rows.into_iter().map(render).collect();
    Ok(json!({ "object": "list", "url": url, "has_more": has_more, "data": data }))
}
