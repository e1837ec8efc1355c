//! The machine: everything it knows, and a call from beginning to end.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{
    Method, Params,
    error::{Outcome, StripeError},
    ids::Ids,
    keys::{Keys, Seen},
    model::{Charge, Customer, Dispute, Event, Movement, PaymentIntent, PaymentMethod, Refund, SetupIntent},
    table::{Row, Table},
    webhooks::Webhooks,
};

/// What a [`Core`] is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Makes the ids: the same seed and the same calls make the same ids.
    pub seed: String,
    /// Where the page is on which a card's owner confirms, without a slash at the end.
    pub address: String,
    /// Objects of a kind; more are refused.
    pub max_objects: usize,
    /// Events kept; the oldest go first.
    pub max_events: usize,
    /// Idempotency keys kept; more are refused until the oldest are a day old.
    pub max_keys: usize,
    /// Searches do not find what is younger: at Stripe, up to a minute.
    pub search_lag: TimeDelta,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: "leadflow".to_owned(),
            address: "http://127.0.0.1:8090".to_owned(),
            max_objects: 50_000,
            max_events: 10_000,
            max_keys: 50_000,
            search_lag: TimeDelta::zero(),
        }
    }
}

/// A call of the API.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// GET, POST or DELETE.
    pub method: Method,
    /// What follows `/v1/`, e.g. `payment_intents/pi_1/confirm`.
    pub path: &'a str,
    /// Of the form, or of the query.
    pub params: &'a Params,
    /// The `Idempotency-Key`; it counts for POST only.
    pub key: Option<&'a str>,
}

/// What a call is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// JSON.
    pub body: Value,
    /// `req_…`
    pub request: String,
    /// The call that this is the answer of, when it is an earlier one's.
    pub original_request: Option<String>,
}

/// How a call fails that would not have to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failing {
    /// It was carried out all the same.
    pub executed: bool,
    /// Its key gets this answer from now on.
    pub remembered: bool,
}

/// Stripe without HTTP and without a clock: calls in, objects and errors out.
#[derive(Debug, Clone)]
pub struct Core {
    pub(super) settings: Settings,
    pub(super) ids: Ids,
    pub(super) ids_written: Option<Ids>,
    pub(super) customers: Table<Customer>,
    pub(super) methods: Table<PaymentMethod>,
    pub(super) setups: Table<SetupIntent>,
    pub(super) intents: Table<PaymentIntent>,
    pub(super) charges: Table<Charge>,
    pub(super) refunds: Table<Refund>,
    /// Those that go on by themselves.
    pub(super) late_refunds: BTreeSet<String>,
    pub(super) disputes: Table<Dispute>,
    pub(super) movements: Table<Movement>,
    pub(super) events: Table<Event>,
    pub(super) keys: Keys,
    pub(super) webhooks: Webhooks,
    /// The call that is carried out: its id and its key.
    pub(super) running: Option<(String, Option<String>)>,
}

impl Core {
    /// One that knows nobody.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            ids: Ids::new(&settings.seed),
            ids_written: None,
            settings,
            customers: Table::default(),
            methods: Table::default(),
            setups: Table::default(),
            intents: Table::default(),
            charges: Table::default(),
            refunds: Table::default(),
            late_refunds: BTreeSet::new(),
            disputes: Table::default(),
            movements: Table::default(),
            events: Table::default(),
            keys: Keys::default(),
            webhooks: Webhooks::default(),
            running: None,
        }
    }

    /// A call from beginning to end.
    pub fn call(&mut self, call: &Call<'_>, now: DateTime<Utc>) -> Answer {
        match self.begin(call, now) {
            Some(answer) => answer,
            None => self.finish(call, now),
        }
    }

    /// Begins a call: an answer if it is answered already, be it by the idempotency key. Otherwise the key is in use until
    /// [`Core::finish`] or [`Core::abandon`].
    pub fn begin(&mut self, call: &Call<'_>, now: DateTime<Utc>) -> Option<Answer> {
        self.advance(now);
        let key = call.key.filter(|_| call.method == Method::Post)?;
        if key.is_empty() || key.len() > 255 {
            let error = StripeError::parameter("", "", "Idempotency keys have 1 to 255 characters");
            return Some(self.refusal(&error));
        }
        match self.keys.begin(key, call, self.settings.max_keys, now) {
            Ok(Seen::New) => None,
            Ok(Seen::Answered { status, body, request }) => {
                Some(Answer { status, body, request: self.ids.next("req"), original_request: Some(request) })
            }
            Err(error) => Some(self.refusal(&error)),
        }
    }

    /// Carries out a call that was begun.
    pub fn finish(&mut self, call: &Call<'_>, now: DateTime<Utc>) -> Answer {
        self.advance(now);
        let request = self.ids.next("req");
        let key = call.key.filter(|_| call.method == Method::Post);
        self.running = Some((request.clone(), key.map(str::to_owned)));
        let outcome = self.route(call, now).and_then(|object| self.expand(object, call.params));
        self.running = None;
        let remembered = outcome.as_ref().err().is_none_or(|error| !error.before_execution());
        let (status, body) = match outcome {
            Ok(object) => (200, object),
            Err(error) => (error.status(), error.body()),
        };
        if let Some(key) = key {
            self.keys.release(key);
            if remembered {
                self.keys.remember(key, call, status, &body, &request, now);
            }
        }
        Answer { status, body, request, original_request: None }
    }

    /// Gives up a call that was begun: its key is free again.
    pub fn abandon(&mut self, call: &Call<'_>) {
        if let Some(key) = call.key {
            self.keys.release(key);
        }
    }

    /// Answers a call with an error that has nothing to do with it: it may have been carried out all the same, and its key
    /// may get this answer from now on, as after a failure of Stripe's own.
    pub fn fail(
        &mut self,
        call: &Call<'_>,
        error: &StripeError,
        Failing { executed, remembered }: Failing,
        now: DateTime<Utc>,
    ) -> Answer {
        match self.begin(call, now) {
            // Its key had its answer before.
            Some(answer) if remembered => return answer,
            Some(_) => return self.refusal(error),
            None if executed => {
                self.finish(call, now);
            }
            None => self.abandon(call),
        }
        let answer = self.refusal(error);
        if let Some(key) = call.key.filter(|_| remembered && call.method == Method::Post) {
            self.keys.remember(key, call, answer.status, &answer.body, &answer.request, now);
        }
        answer
    }

    /// The answer that this error is.
    pub fn refusal(&mut self, error: &StripeError) -> Answer {
        Answer { status: error.status(), body: error.body(), request: self.ids.next("req"), original_request: None }
    }

    /// Carries out what is due by now: refunds that go on by themselves, keys that are too old.
    pub fn advance(&mut self, now: DateTime<Utc>) {
        self.keys.forget(now);
        self.settle_refunds(now);
    }

    /// Searches do not find what is younger than this from now on.
    pub fn set_search_lag(&mut self, lag: TimeDelta) {
        self.settings.search_lag = lag;
    }

    /// How many objects there are of all kinds.
    #[must_use]
    pub fn size(&self) -> usize {
        self.customers.len()
            + self.methods.len()
            + self.setups.len()
            + self.intents.len()
            + self.charges.len()
            + self.refunds.len()
            + self.disputes.len()
            + self.movements.len()
            + self.events.len()
            + self.keys.len()
            + self.webhooks.len()
    }

    /// Whether one more fits into a table.
    pub(super) fn room<T: Row>(&self, table: &Table<T>) -> Result<(), StripeError> {
        if table.len() < self.settings.max_objects {
            return Ok(());
        }
        let message = format!(
            "This sandbox is full: it keeps {} objects of a kind. DELETE /api/stripe empties it.",
            self.settings.max_objects
        );
        Err(StripeError::injected(429).with("message", message.into()))
    }

    /// Notes an event, and that it has to be delivered.
    pub(super) fn event(&mut self, kind: &str, object: Value, previous: Option<Value>, now: DateTime<Utc>) {
        let (request, key) = self.running.clone().map_or((None, None), |(request, key)| (Some(request), key));
        let id = self.ids.next("evt");
        self.webhooks.add(&id, now);
        self.events.insert(Event { id, created: now, kind: kind.to_owned(), object, previous, request, key });
        while self.events.len() > self.settings.max_events {
            let Some(gone) = self.events.remove_oldest() else { break };
            self.webhooks.forget(&gone.id);
        }
    }

    /// The objects of the whole account, for whoever looks at all of it. Newest first, at most `limit`.
    pub fn show(&mut self, resource: &str, limit: usize, now: DateTime<Utc>) -> Vec<Value> {
        let params = Params::from_json(&serde_json::json!({ "limit": limit.clamp(1, 100) }));
        let outcome: Outcome = match resource {
            "payment_methods" => Ok(self.newest_methods(limit)),
            _ => self.route(&Call { method: Method::Get, path: resource, params: &params, key: None }, now),
        };
        match outcome {
            Ok(Value::Array(items)) => items,
            Ok(mut list) => match list.get_mut("data").map(Value::take) {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            },
            Err(_) => Vec::new(),
        }
    }
}
