//! `GET /v1/payment_intents/search`: `metadata["key"]:"value" AND customer:"cus_…"`.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    Params,
    core::Core,
    error::{Outcome, StripeError},
    model::PaymentIntent,
};

/// A condition.
enum Clause<'a> {
    Metadata(&'a str, &'a str),
    Field(&'a str, &'a str),
}

impl Core {
    /// Payment intents by metadata, customer and status, joined by `AND`. What is younger than the search lag is not found.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn search_payment_intents(&self, params: &Params, now: DateTime<Utc>) -> Outcome {
        params.only(&["query", "limit", "page"])?;
        let clauses = parse(params.required("query")?)
            .ok_or_else(|| StripeError::parameter("", "query", "We were unable to parse your search query."))?;
        let limit = match params.integer("limit")? {
            None => 10,
            Some(limit @ 1..=100) => usize::try_from(limit).unwrap_or(10),
            Some(_) => return Err(StripeError::parameter("parameter_invalid_integer", "limit", "Invalid limit")),
        };
        let wrong = || StripeError::parameter("", "page", "Invalid page");
        let skip: usize = params.text("page")?.map_or(Ok(0), |page| page.parse().map_err(|_| wrong()))?;
        let found = self.intents.iter().rev().filter(|row| {
            row.created <= now - self.settings.search_lag && clauses.iter().all(|clause| fits(clause, row))
        });
        let mut data: Vec<Value> = found.skip(skip).take(limit + 1).map(|row| self.show_intent(row)).collect();
        let has_more = data.len() > limit;
        data.truncate(limit);
        let next = has_more.then(|| (skip + limit).to_string());
        Ok(json!({
            "object": "search_result", "url": "/v1/payment_intents/search", "has_more": has_more, "next_page": next,
            "data": data
        }))
    }
}

fn fits(clause: &Clause<'_>, row: &PaymentIntent) -> bool {
    match clause {
        Clause::Metadata(key, value) => row.metadata.get(*key).is_some_and(|found| found == value),
        Clause::Field("customer", value) => row.customer.as_deref() == Some(value),
        Clause::Field("status", value) => row.status == *value,
        Clause::Field("currency", value) => row.currency == *value,
        Clause::Field(..) => false,
    }
}

/// None: it is not of this form.
fn parse(query: &str) -> Option<Vec<Clause<'_>>> {
    let mut rest = query.trim();
    let mut clauses = Vec::new();
    loop {
        let (clause, after) = clause(rest)?;
        clauses.push(clause);
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(clauses);
        }
        rest = rest.strip_prefix("AND ").or_else(|| rest.strip_prefix("and "))?.trim_start();
    }
}

fn clause(text: &str) -> Option<(Clause<'_>, &str)> {
    if let Some(rest) = text.strip_prefix("metadata[") {
        let (key, rest) = quoted(rest)?;
        let (value, rest) = quoted(rest.strip_prefix(']')?.strip_prefix(':')?)?;
        return Some((Clause::Metadata(key, value), rest));
    }
    let (name, rest) = text.split_once(':')?;
    let (value, rest) = quoted(rest)?;
    ["customer", "status", "currency"].contains(&name).then_some((Clause::Field(name, value), rest))
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    let mark = text.chars().next().filter(|mark| matches!(mark, '"' | '\''))?;
    text[1..].split_once(mark)
}
