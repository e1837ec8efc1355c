//! Masking leads that were kept as long as their tenant wants.
//!
//! A tenant's leads are looked at from the oldest on, and a cursor remembers how far: a step reads only what is next. Leads come in the
//! order of that cursor but for those that waited long in their stream: whoever writes one of these sets the cursor back.

use chrono::{DateTime, TimeDelta, Utc};

use leadflow_kernel::{LeadId, SellerId};

use super::{App, AppError, Posted, dead_letters, mask_leads::mask};
use crate::{
    metrics,
    store::{
        erasures,
        retention::{self, Tenant},
    },
};

/// Leads looked at in one transaction.
const LEADS: i64 = 256;
/// Fingerprints removed in one transaction.
const PRINTS: i64 = 5_000;
/// From the end of one look at a tenant to the next.
const AGAIN: TimeDelta = TimeDelta::hours(1);
/// Between looks at a tenant's fingerprints: each reads all that there are.
const PRINTS_AGAIN: TimeDelta = TimeDelta::days(1);
/// A lead that is decided so long after it was received may be behind a cursor, which is a day behind at least.
const LATE: TimeDelta = TimeDelta::hours(20);

impl App {
    /// Does a part of what is due for one tenant. Returns whether there may be more. Any number of replicas may do this at once: each
    /// takes another tenant.
    ///
    /// # Errors
    /// Those of PostgreSQL; nothing of the step was done then.
    pub async fn keep_no_longer(&self) -> Result<bool, AppError> {
        let now = self.clock.now();
        let mut tx = self.pool.begin().await?;
        let usual = i32::try_from(self.retention_days).unwrap_or(i32::MAX);
        let Some(mut tenant) = retention::lock_due(&mut tx, usual, now).await? else {
            tx.commit().await?;
            return Ok(false);
        };
        let until = now - TimeDelta::days(i64::from(tenant.days));
        let next = retention::next_leads(&mut tx, &tenant, until, LEADS).await?;
        let (mut masked, mut events) = (0, Vec::new());
        let mut ended = None;
        let due = if let Some((at, lead, _)) = next.last() {
            tenant.cursor = (*at, *lead);
            let left: Vec<_> = next.iter().filter(|(.., masked)| !masked).map(|(at, lead, _)| (*at, *lead)).collect();
            let done = mask(&mut tx, tenant.seller, &left, None, now).await?;
            (masked, events) = (done.masked.len(), done.events);
            now
        } else if self.tidy(&mut tx, &mut tenant, until, now).await? {
            now
        } else {
            ended = Some((tenant.seller, until));
            now + AGAIN
        };
        retention::save(&mut tx, &tenant, due).await?;
        let pending = self.outbox.append(&mut tx, events).await?;
        tx.commit().await?;
        metrics::masked(masked, "retention");
        self.relay.send(pending);
        if let Some((seller, until)) = ended {
            self.keep_no_letters(seller, until).await?;
        }
        Ok(true)
    }

    /// Dead letters about leads that are masked, or that never were leads and are as old. Not remembered: what fails now is done after the
    /// next look.
    async fn keep_no_letters(&self, seller: SellerId, until: DateTime<Utc>) -> Result<(), AppError> {
        let letters = dead_letters::of_tenant(&self.bus, seller).await?;
        if letters.is_empty() {
            return Ok(());
        }
        let leads: Vec<LeadId> = letters.iter().map(|letter| letter.lead).collect();
        let masked = erasures::masked(&mut *self.pool.acquire().await?, seller, &leads).await?;
        for letter in &letters {
            if masked.contains(&letter.lead) || (letter.undecided && letter.at() < until) {
                dead_letters::empty(&self.bus, letter).await?;
            }
        }
        Ok(())
    }

    /// What is there beside leads. Returns whether there may be more.
    async fn tidy(
        &self,
        tx: &mut sqlx::PgConnection,
        tenant: &mut Tenant,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, AppError> {
        retention::empty_notes(tx, tenant.seller, until).await?;
        if tenant.prints_at > now {
            return Ok(false);
        }
        let gone = retention::forget_prints(tx, tenant.seller, until, now, PRINTS).await?;
        if i64::try_from(gone).unwrap_or(PRINTS) < PRINTS {
            tenant.prints_at = now + PRINTS_AGAIN;
            return Ok(false);
        }
        Ok(true)
    }
}

/// Whether a lead waited so long for its decision that the look at old leads may have passed it.
pub(super) fn is_late(lead: &Posted, now: DateTime<Utc>) -> bool {
    lead.received_at < now - LATE
}
