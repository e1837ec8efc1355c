//! Events: asked for, and on their way.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    Params,
    core::Core,
    error::{Outcome, StripeError},
    list,
    model::Event,
    table::Row as _,
    webhooks::Manners,
};

impl Core {
    /// `GET /v1/events/{id}`.
    ///
    /// # Errors
    /// 404.
    pub fn retrieve_event(&self, id: &str) -> Outcome {
        let missing = || StripeError::missing("event", id, "id");
        Ok(self.show_event(self.events.get(id).ok_or_else(missing)?))
    }

    /// `GET /v1/events`.
    ///
    /// # Errors
    /// As Stripe's.
    pub fn list_events(&self, params: &Params) -> Outcome {
        params.only(&[&list::COMMON[..], &["type", "types"]].concat())?;
        let (kind, kinds) = (params.text("type")?, params.texts("types")?);
        let fits =
            |asked: &str, kind: &str| asked.strip_suffix('*').map_or(kind == asked, |start| kind.starts_with(start));
        let wanted = |row: &Event| {
            kind.is_none_or(|asked| fits(asked, &row.kind))
                && kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|asked| fits(asked, &row.kind)))
        };
        list::page(&self.events, "/v1/events", params, |row| row.created, wanted, |row| self.show_event(row))
    }

    /// The events after the one at this place (0: all that are kept), oldest first, each with its place. For callers
    /// without HTTP that deliver by themselves.
    #[must_use]
    pub fn events_after(&self, place: u64) -> Vec<(u64, Value)> {
        let newer = self.events.places().filter(|(at, _)| *at > place);
        newer.map(|(at, row)| (at, self.show_event(row))).collect()
    }

    /// Whether there is somewhere to deliver events to. Those that happen while there is not are not delivered later.
    pub fn deliver_events(&mut self, on: bool) {
        self.webhooks.on = on;
    }

    /// How events are delivered.
    #[must_use]
    pub fn manners(&self) -> &Manners {
        &self.webhooks.manners
    }

    /// Changes how events are delivered.
    pub fn set_manners(&mut self, manners: Manners) {
        self.webhooks.manners = manners;
    }

    /// Events that wait to be delivered.
    #[must_use]
    pub fn waiting_events(&self) -> usize {
        self.webhooks.len()
    }

    /// Takes up to `limit` events that are due, as they are sent: id and payload. Each has to be reported back with
    /// [`Core::delivered`]; one that is not is due again.
    pub fn take_due_events(&mut self, limit: usize, now: DateTime<Utc>) -> Vec<(String, String)> {
        let due = self.webhooks.take(limit, now);
        due.into_iter()
            .filter_map(|id| match self.events.get(&id) {
                Some(row) => Some((row.id().to_owned(), format!("{:#}", self.show_event(row)))),
                None => {
                    self.webhooks.forget(&id);
                    None
                }
            })
            .collect()
    }

    /// Notes whether the receiver took an event; if not, it is tried again later, for three days.
    pub fn delivered(&mut self, event: &str, taken: bool, now: DateTime<Utc>) {
        self.webhooks.answered(event, taken, now);
    }

    /// When the next event is due.
    #[must_use]
    pub fn next_delivery(&self) -> Option<DateTime<Utc>> {
        self.webhooks.next_at()
    }

    /// Sends an event once more, as Stripe's dashboard does.
    ///
    /// # Errors
    /// 404.
    pub fn resend(&mut self, event: &str, now: DateTime<Utc>) -> Outcome {
        let object = self.retrieve_event(event)?;
        self.webhooks.again(event, now);
        Ok(object)
    }
}
