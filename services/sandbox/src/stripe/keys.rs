//! Idempotency keys: the first answer is everybody's.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    core::Call,
    error::StripeError,
    table::{Change, Row, Table},
};

/// Stripe keeps them at least this long.
const KEPT: TimeDelta = TimeDelta::hours(24);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Key {
    id: String,
    created: DateTime<Utc>,
    path: String,
    /// Of the parameters.
    digest: String,
    status: u16,
    body: Value,
    request: String,
}

impl Row for Key {
    const TABLE: &'static str = "key";

    fn id(&self) -> &str {
        &self.id
    }
}

/// What is known of a key.
pub(super) enum Seen {
    New,
    Answered { status: u16, body: Value, request: String },
}

/// The keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    answered: Table<Key>,
    in_use: HashSet<String>,
}

impl Keys {
    pub(super) fn len(&self) -> usize {
        self.answered.len()
    }

    /// Looks the key up; one that is new is in use from now on.
    pub(super) fn begin(
        &mut self,
        key: &str,
        call: &Call<'_>,
        max: usize,
        now: DateTime<Utc>,
    ) -> Result<Seen, StripeError> {
        self.forget(now);
        if let Some(known) = self.answered.get(key) {
            if known.path != call.path {
                return Err(StripeError::other_request(format!(
                    "Keys for idempotent requests can only be used for the same endpoint they were first used for \
                     ('/v1/{}' vs '/v1/{}'). Try using a key other than '{key}' if you meant to execute a different request.",
                    call.path, known.path
                )));
            }
            if known.digest != digest_of(call) {
                return Err(StripeError::other_request(format!(
                    "Keys for idempotent requests can only be used with the same parameters they were first used with. \
                     Try using a key other than '{key}' if you meant to execute a different request."
                )));
            }
            return Ok(Seen::Answered {
                status: known.status,
                body: known.body.clone(),
                request: known.request.clone(),
            });
        }
        if self.in_use.contains(key) {
            return Err(StripeError::key_in_use(key));
        }
        if self.answered.len() + self.in_use.len() >= max {
            return Err(StripeError::injected(429));
        }
        self.in_use.insert(key.to_owned());
        Ok(Seen::New)
    }

    pub(super) fn release(&mut self, key: &str) {
        self.in_use.remove(key);
    }

    pub(super) fn remember(
        &mut self,
        key: &str,
        call: &Call<'_>,
        status: u16,
        body: &Value,
        request: &str,
        now: DateTime<Utc>,
    ) {
        self.answered.insert(Key {
            id: key.to_owned(),
            created: now,
            path: call.path.to_owned(),
            digest: digest_of(call),
            status,
            body: body.clone(),
            request: request.to_owned(),
        });
    }

    /// Lets go of those that are too old.
    pub(super) fn forget(&mut self, now: DateTime<Utc>) {
        while self.answered.oldest().is_some_and(|key| now - key.created >= KEPT) {
            self.answered.remove_oldest();
        }
    }

    pub(super) fn drain(&mut self, into: &mut Vec<Change>) {
        self.answered.drain(into);
    }

    pub(super) fn dump(&self, into: &mut Vec<Change>) {
        self.answered.dump(into);
    }

    pub(super) fn restore(&mut self, change: &Change) -> Result<bool, serde_json::Error> {
        self.answered.restore(change)
    }
}

fn digest_of(call: &Call<'_>) -> String {
    hex::encode(digest(&SHA256, call.params.as_value().to_string().as_bytes()))
}
