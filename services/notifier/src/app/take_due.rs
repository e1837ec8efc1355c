//! Takes deliveries that are due, with a lease: first attempts that found no room, retries, and what
//! a crash left behind.

use uuid::Uuid;

use super::Notifier;
use crate::{
    config::Limits,
    model::End,
    outbound::dispatcher::{Dispatcher, Origin},
    store::{
        claims::{self, Claim},
        masking::REMOVED,
    },
};

/// The most that is taken at once.
const BATCH: usize = 256;

impl Notifier {
    /// Takes what is due and fits, and begins to send it. Returns how many were taken.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn take_due(&self, dispatcher: &Dispatcher, limits: &Limits) -> Result<usize, sqlx::Error> {
        let load = dispatcher.load();
        let limit = load.room.min(BATCH);
        if limit == 0 {
            return Ok(0);
        }
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let now = self.clock.now();
        let claim = Claim {
            now,
            lease: Uuid::now_v7(),
            leased_until: now + self.lease,
            limit: count(limit),
            full: load.full,
            lines: load.lines.into_iter().map(|(endpoint, room, held)| (endpoint, count(room), count(held))).collect(),
            room: count(dispatcher.room_at_first()),
            room_when_failing: count(limits.held_when_failing),
        };
        let taken = claims::claim(&mut *self.pool.acquire().await?, &claim).await?;
        let number = taken.len();
        for job in taken {
            if job.payload.is_empty() {
                dispatcher.end(job, End::EndpointOff(REMOVED.to_owned())).await;
            } else if let Some(reason) = job.endpoint.off() {
                dispatcher.end(job, End::EndpointOff(reason)).await;
            } else if let Some(slot) = dispatcher.reserve(&job.endpoint, Origin::Table) {
                dispatcher.submit(slot, job);
            } else {
                // The room was taken by new leads meanwhile.
                dispatcher.end(job, End::GivenBack).await;
            }
        }
        Ok(number)
    }
}
