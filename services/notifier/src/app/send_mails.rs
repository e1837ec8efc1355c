//! Sends mails that are due: each is taken with a lease, sent outside of any transaction, and its end recorded.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use leadflow_kernel::Backoff;
use leadflow_outbound_mail::SendError;
use uuid::Uuid;

use super::Notifier;
use crate::{
    outbound::{events, mail::Mails},
    store::mails::{self, MailEnd, MailJob},
};

/// The most that are taken, and sent, at once.
const BATCH: i64 = 8;
/// Between attempts. A link that nobody got in an hour is of no use, so there is no later than that.
const RETRY: Backoff = Backoff::new(Duration::from_secs(10), Duration::from_mins(10));

impl Notifier {
    /// Ends what has expired, then takes and sends what is due. Returns how many mails were taken.
    ///
    /// # Errors
    /// Those of PostgreSQL. What was sent and not recorded is sent again when its lease ends, with the same `Message-ID`.
    pub async fn send_mails(&self, mails: &Mails) -> Result<usize, sqlx::Error> {
        let (now, lease) = (self.clock.now(), Uuid::now_v7());
        let mut connection = self.pool.acquire().await?;
        let expired = mails::expire(&mut connection, now).await?;
        if expired > 0 {
            tracing::warn!(mails = expired, "mails were not sent before their links expired");
        }
        if !mails.can_send() {
            return Ok(0);
        }
        let jobs = mails::claim(&mut connection, lease, now, now + self.mail_lease, BATCH).await?;
        drop(connection);
        let ended = join_all(jobs.iter().map(async |job| (job, self.attempt(mails, job).await))).await;
        for (job, end) in ended {
            self.record_mail(job, lease, &end).await?;
        }
        Ok(jobs.len())
    }

    /// Records how an attempt ended, and that its tenant pays for it if it was sent, in one transaction.
    async fn record_mail(&self, job: &MailJob, lease: Uuid, end: &MailEnd) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        if !mails::finish(&mut transaction, job.event, lease, end, now).await? {
            tracing::warn!(event_id = %job.event, "a mail's end came after its lease: it may be sent twice");
            return Ok(());
        }
        let paid_by = job.seller.filter(|_| *end == MailEnd::Sent);
        let told = paid_by.map(|seller| events::mail_sent(job.event, seller, now)).into_iter().collect();
        let pending = self.outbox.append(&mut transaction, told).await?;
        transaction.commit().await?;
        self.relay.send(pending);
        Ok(())
    }

    async fn attempt(&self, mails: &Mails, job: &MailJob) -> MailEnd {
        match mails.send(job).await {
            Ok(()) => {
                tracing::info!(event_id = %job.event, attempt = job.attempt, "mail sent");
                MailEnd::Sent
            }
            Err(SendError::Refused(why)) => {
                tracing::warn!(event_id = %job.event, attempt = job.attempt, why, "mail refused");
                MailEnd::Refused(why)
            }
            Err(SendError::Later(why)) => {
                tracing::warn!(event_id = %job.event, attempt = job.attempt, why, "mail not sent yet");
                let wait = RETRY.delay(job.attempt.saturating_sub(1), rand::random());
                MailEnd::Later(why, self.clock.now() + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX))
            }
        }
    }
}
