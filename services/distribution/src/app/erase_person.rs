//! Removing one person's data, because he or his seller wants it.
//!
//! Who it is about comes in once and is not kept: a keyed hash is, by which what he posted is recognised. A wish first waits until distribution
//! has passed the last message that was in its stream when it came, so what was posted before is decided and can be found. Then all leads of the
//! tenant are read, a few hundred in a step, and those that name the person are masked; at last the dead letters. A lead that comes long after
//! it was received, as a dead letter that was sent again does, has the wishes that were asked for since searched again from there.

use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use leadflow_contracts::streams;
use leadflow_distribution_domain::{
    configure::Invalid,
    person::{Recogniser, Wanted},
};
use leadflow_kernel::{BuyerId, CampaignId, ErasureId, LeadId, SellerId};
use leadflow_messaging::progress;
use leadflow_platform::audit::Change;
use serde_json::{Value, json};
use sqlx::{Postgres, Transaction};

use super::{
    Actor, App, AppError,
    dead_letters::{self, unreadable},
    mask_leads::mask,
};
use crate::{
    metrics,
    store::erasures::{self, ErasureRow, Open, Searched, Step},
};

/// Leads read in one transaction.
const LEADS: i64 = 500;
/// Wishes looked at together for whether they can begin.
const WAITING: i64 = 100;
/// By how much a gateway's clock may be ahead of ours.
pub(super) const CLOCKS: TimeDelta = TimeDelta::minutes(1);

/// Wishes whose last step failed in this process, the one that failed last at the end: all others go before them.
#[derive(Debug, Default)]
pub(super) struct Failed(Mutex<Vec<ErasureId>>);

impl Failed {
    fn all(&self) -> Vec<ErasureId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, id: ErasureId, failed: bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|one| *one != id);
        if failed {
            all.push(id);
        }
    }
}

/// A wish with what came of it so far.
#[derive(Debug)]
pub struct ErasureView {
    /// As stored.
    pub row: ErasureRow,
    /// Who had bought the leads, and how many of them.
    pub buyers: Vec<(BuyerId, String, u32)>,
}

impl App {
    /// Writes the wish down. The same person again is the same wish; when it had ended it begins anew.
    ///
    /// # Errors
    /// [`AppError::Invalid`] when nobody is named, [`AppError::Stream`] while NATS is away.
    pub async fn request_erasure(
        &self,
        actor: Actor,
        seller: SellerId,
        email: &str,
        phone: &str,
    ) -> Result<ErasureView, AppError> {
        let wanted = self
            .recogniser
            .name(seller, email, phone)
            .map_err(|wrong| Invalid { field: wrong.field().to_owned(), problem: wrong.to_string() })?;
        let part = |hash: Option<[u8; 32]>| hash.map_or_else(Vec::new, |hash| hash.to_vec());
        let id = ErasureId::derive(&[seller.as_bytes(), &part(wanted.email), &part(wanted.phone)]);
        let sequence = progress::last_sequence(&self.bus, streams::LEADS).await.map_err(unreadable)?;
        let mut tx = self.tenants.begin(seller).await?;
        let now = self.clock.now();
        erasures::ask(&mut tx, seller, id, &wanted, actor.map(|actor| actor.user), sequence, now).await?;
        // Whom it is about is in no audit.
        let by = json!({ "byEmail": wanted.email.is_some(), "byPhone": wanted.phone.is_some() });
        self.note(&mut tx, seller, Change::new("erasure.requested", id).by(actor).to(by)).await?;
        let row = erasures::find(&mut tx, seller, id).await?.ok_or(AppError::NotFound("erasure"))?;
        let buyers = erasures::buyers(&mut tx, seller, id).await?;
        tx.commit().await?;
        self.erasure_wanted.notify_one();
        Ok(ErasureView { row, buyers })
    }

    /// A tenant's wish.
    ///
    /// # Errors
    /// [`AppError::NotFound`] when the tenant has no such wish.
    pub async fn get_erasure(&self, seller: SellerId, id: ErasureId) -> Result<ErasureView, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let row = erasures::find(&mut tx, seller, id).await?.ok_or(AppError::NotFound("erasure"))?;
        Ok(ErasureView { row, buyers: erasures::buyers(&mut tx, seller, id).await? })
    }

    /// Does a part of what is to be done for one wish. Returns whether there may be more. Any number of replicas may do this at once.
    ///
    /// # Errors
    /// Those of PostgreSQL and NATS; what the step did not commit is done by the next one.
    pub async fn erase(&self) -> Result<bool, AppError> {
        // What has begun goes on while NATS is away.
        let begun = self.begin_erasures().await;
        let more = self.erase_next().await;
        begun.and(more)
    }

    async fn erase_next(&self) -> Result<bool, AppError> {
        let mut tx = self.pool.begin().await?;
        let Some(open) = erasures::lock_next(&mut tx, &self.erasures_failed.all()).await? else {
            tx.commit().await?;
            return Ok(false);
        };
        let step = if open.letters {
            // Not under the lock: another replica does the same, and nothing comes of it.
            tx.commit().await?;
            self.erase_letters(&open).await
        } else {
            self.erase_leads(tx, &open).await
        };
        self.erasures_failed.note(open.id, step.is_err());
        step.map(|()| true)
    }

    async fn erase_leads(&self, mut tx: Transaction<'static, Postgres>, open: &Open) -> Result<(), AppError> {
        let now = self.clock.now();
        let read = erasures::next_leads(&mut tx, open, open.asked_at + CLOCKS, LEADS).await?;
        let found: Vec<&Searched> =
            read.iter().filter(|lead| !lead.masked && names(&self.recogniser, open, lead)).collect();
        let leads: Vec<_> = found.iter().map(|lead| (lead.received_at, LeadId::from(lead.lead_id))).collect();
        let done = mask(&mut tx, open.seller, &leads, Some(open.id), now).await?;
        let masked: Vec<LeadId> = done.masked.iter().map(|one| one.lead).collect();
        let mut campaigns: Vec<CampaignId> = found.iter().map(|lead| lead.campaign_id.into()).collect();
        campaigns.sort_unstable();
        campaigns.dedup();
        let fingerprints =
            if masked.is_empty() { 0 } else { erasures::forget_prints(&mut tx, &campaigns, &masked).await? };
        let step = Step {
            searched: i64::try_from(read.iter().filter(|lead| !lead.masked).count()).unwrap_or(i64::MAX),
            cursor: read.last().map_or(open.cursor, |lead| (lead.received_at, lead.lead_id.into())),
            ended: i64::try_from(read.len()).unwrap_or(LEADS) < LEADS,
            leads: masked,
            fingerprints,
        };
        erasures::save(&mut tx, open, &step, now).await?;
        let pending = self.outbox.append(&mut tx, done.events).await?;
        tx.commit().await?;
        metrics::masked(step.leads.len(), "erasure");
        self.relay.send(pending);
        Ok(())
    }

    async fn begin_erasures(&self) -> Result<(), AppError> {
        let waiting = erasures::waiting(&mut *self.pool.acquire().await?, WAITING).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let position = progress::position(&self.bus, streams::LEADS, streams::LEADS_DISTRIBUTION).await;
        let position = position.map_err(unreadable)?;
        let passed: Vec<_> = waiting.into_iter().filter(|(_, sequence)| position.has_passed(*sequence)).collect();
        if !passed.is_empty() {
            erasures::begin(&mut *self.pool.acquire().await?, &passed).await?;
        }
        Ok(())
    }

    async fn erase_letters(&self, open: &Open) -> Result<(), AppError> {
        let letters = dead_letters::of_tenant(&self.bus, open.seller).await?;
        let mut connection = self.pool.acquire().await?;
        let leads: Vec<LeadId> = letters.iter().map(|letter| letter.lead).collect();
        let masked = erasures::masked(&mut connection, open.seller, &leads).await?;
        let his =
            |texts: &[String]| texts.iter().any(|text| in_json(&self.recogniser, open.seller, &open.wanted, text));
        let found: Vec<_> =
            letters.iter().filter(|letter| masked.contains(&letter.lead) || his(&letter.texts)).collect();
        if !found.is_empty() {
            let numbers: Vec<u64> = found.iter().map(|letter| letter.number()).collect();
            erasures::note_letters(&mut connection, open, &numbers).await?;
            for letter in found {
                dead_letters::empty(&self.bus, letter).await?;
            }
        }
        Ok(erasures::end(&mut connection, open, self.clock.now()).await?)
    }
}

/// Whether a lead names the person, in anything that was posted.
fn names(recogniser: &Recogniser, open: &Open, lead: &Searched) -> bool {
    let texts = [Some(&lead.data), lead.raw.as_ref(), lead.unknown_fields.as_ref()];
    recogniser.finds(open.seller, &open.wanted, &lead.reference)
        || texts.into_iter().flatten().any(|text| in_json(recogniser, open.seller, &open.wanted, text))
}

/// Whether any name, text or number of a JSON document (or the text, if it is none) is one of those who are wanted.
fn in_json(recogniser: &Recogniser, seller: SellerId, wanted: &Wanted, text: &str) -> bool {
    fn is_in(value: &Value, finds: &impl Fn(&str) -> bool) -> bool {
        match value {
            Value::String(text) => finds(text),
            Value::Number(number) => finds(&number.to_string()),
            Value::Array(all) => all.iter().any(|one| is_in(one, finds)),
            Value::Object(all) => all.iter().any(|(name, one)| finds(name) || is_in(one, finds)),
            Value::Null | Value::Bool(_) => false,
        }
    }
    let finds = |text: &str| recogniser.finds(seller, wanted, text);
    serde_json::from_str::<Value>(text).map_or_else(|_| finds(text), |value| is_in(&value, &finds))
}
