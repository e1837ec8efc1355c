//! A post: checked, put on the stream, answered with its decision if that comes in time.

use std::{error::Error as _, sync::Arc};

use leadflow_contracts::{
    common::{Decision, Outcome},
    events::LeadReceived,
    time_to_ms,
};
use leadflow_ingest_domain::{FieldErrors, Post, PostError, Quality, Schema, ValidLead};
use leadflow_kernel::{EventId, LeadId};
use leadflow_messaging::{Envelope, trace};
use tokio::time::Instant;

use super::{App, authenticate::Caller, lead_id_of};
use crate::{
    outbound::publisher::PublishError,
    store::{
        directory::{Campaign, Category},
        recent::Accepted,
    },
};

/// A post as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct NewPost<'a> {
    /// The body.
    pub body: &'a [u8],
    /// The `Idempotency-Key` header.
    pub idempotency_key: Option<&'a str>,
    /// Answer as soon as the lead is stored.
    pub respond_async: bool,
    /// W3C trace context.
    pub traceparent: &'a str,
    /// When it was all here.
    pub began: Instant,
}

/// An accepted post.
#[derive(Debug, Clone, PartialEq)]
pub enum Posted {
    /// The lead is decided.
    Decided(Decision),
    /// The lead is stored and will be decided.
    Pending {
        /// Its id.
        lead_id: LeadId,
        /// The supplier's own name for it; empty when there is none.
        reference: String,
        /// Proves to any gateway that it was accepted.
        receipt: String,
        /// The caller did not want to wait.
        respond_async: bool,
    },
}

/// Why a post was refused. Nothing of it was stored, unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum PostRefused {
    /// The body is no request.
    #[error(transparent)]
    Body(#[from] PostError),
    /// Fields are wrong.
    #[error("some fields are wrong")]
    Invalid(FieldErrors),
    /// No such campaign of this seller.
    #[error("there is no such campaign")]
    CampaignUnknown,
    /// The supplier may not post to the campaign's category.
    #[error("this supplier may not post to this campaign's category")]
    CategoryNotAllowed,
    /// The campaign's category has not arrived in memory yet.
    #[error("the campaign's category is not known here yet")]
    CategoryMissing,
    /// The same key came with another body before.
    #[error("this idempotency key was used with another body before")]
    KeyReused,
    /// The stream did not acknowledge it. It may have been stored.
    #[error("the lead could not be stored now")]
    NotStored(#[from] PublishError),
}

impl App {
    /// Takes a post.
    ///
    /// # Errors
    /// [`PostRefused`].
    pub async fn post_lead(&self, caller: &Caller, new: NewPost<'_>) -> Result<Posted, PostRefused> {
        let post = Post::parse(new.body)?;
        let body_hash = post.body_hash;
        let (campaign, category) = match self.campaign_of(caller, &post) {
            Ok(found) => found,
            Err(Unplaced::Refused(refused)) => return Err(refused),
            Err(Unplaced::NoCampaign) => return Err(PostRefused::Invalid(post.into_errors())),
        };
        let category_fits = post.category_id.is_none_or(|id| id == campaign.category_id);
        let lead = validate(post, &category.schema, category_fits)?;

        // The header is the key when both are there; the reference is then only kept.
        let key = new.idempotency_key.or(lead.reference.as_deref());
        let lead_id = key.map_or_else(LeadId::new, |key| lead_id_of(caller.supplier.id, key));
        let keyed = key.is_some();
        if keyed && self.recent.get(lead_id).is_some_and(|known| known.body_hash != body_hash) {
            // What was accepted here may have lost against another gateway's: distribution knows.
            let known = self
                .known_decision(caller, lead_id, body_hash, new.traceparent)
                .await?
                .ok_or(PostRefused::KeyReused)?;
            self.remember(caller, lead_id, body_hash, true);
            return Ok(Posted::Decided(known));
        }
        let reference = lead.reference.clone().unwrap_or_default();

        let wait = || self.waiters.register(lead_id, body_hash).map_err(|_| PostRefused::KeyReused);
        if new.respond_async {
            // It will not wait, but while it is on its way its key must not take another body.
            let _claim = if keyed { Some(wait()?) } else { None };
            if keyed && let Some(known) = self.known_decision(caller, lead_id, body_hash, new.traceparent).await? {
                return Ok(Posted::Decided(known));
            }
            let event = self.event(caller, lead, &campaign, lead_id, body_hash, String::new());
            self.publish(caller, event, lead_id, body_hash, keyed, new.traceparent).await?;
            self.remember(caller, lead_id, body_hash, true);
            let receipt = self.receipts.write(caller.supplier.id, lead_id, body_hash);
            return Ok(Posted::Pending { lead_id, reference, receipt, respond_async: true });
        }

        let mut waiter = wait()?;
        let event = self.event(caller, lead, &campaign, lead_id, body_hash, self.reply_subject.clone());
        self.publish(caller, event, lead_id, body_hash, keyed, new.traceparent).await?;
        if keyed {
            self.remember(caller, lead_id, body_hash, true);
        }
        let decision = tokio::time::timeout_at(new.began + self.timeouts.decision_wait, waiter.decision()).await;
        match decision.ok().flatten().map(|decision| (decision.outcome(), decision)) {
            Some((Outcome::Conflict, _)) => Err(PostRefused::KeyReused),
            Some((Outcome::Pending | Outcome::Unspecified, _)) | None => {
                self.remember(caller, lead_id, body_hash, true);
                let receipt = self.receipts.write(caller.supplier.id, lead_id, body_hash);
                Ok(Posted::Pending { lead_id, reference, receipt, respond_async: false })
            }
            Some((_, decision)) => Ok(Posted::Decided(decision)),
        }
    }

    fn campaign_of(&self, caller: &Caller, post: &Post<'_>) -> Result<(Arc<Campaign>, Arc<Category>), Unplaced> {
        let id = post.campaign_id.ok_or(Unplaced::NoCampaign)?;
        let (campaign, category) = self
            .directory
            .campaign(id)
            .filter(|(campaign, _)| campaign.seller_id == caller.seller.id)
            .ok_or(PostRefused::CampaignUnknown)?;
        if !caller.supplier.categories.contains(&campaign.category_id) {
            return Err(PostRefused::CategoryNotAllowed.into());
        }
        Ok((campaign, category.ok_or(PostRefused::CategoryMissing)?))
    }

    /// A lead that was posted under this key and decided before. When distribution cannot be asked
    /// the post is taken all the same: the lead's id makes sure that it stays one lead.
    async fn known_decision(
        &self,
        caller: &Caller,
        lead_id: LeadId,
        body_hash: [u8; 32],
        traceparent: &str,
    ) -> Result<Option<Decision>, PostRefused> {
        match self.decisions.find(caller.seller.id, caller.supplier.id, lead_id, Some(body_hash)).await {
            Ok(Some(decision)) => match decision.outcome() {
                Outcome::Conflict => Err(PostRefused::KeyReused),
                Outcome::Pending | Outcome::Unspecified => Ok(None),
                _ => Ok(Some(decision)),
            },
            Ok(None) => Ok(None),
            Err(error) => {
                let trace_id = trace::trace_id(traceparent);
                tracing::warn!(%lead_id, trace_id, %error, "a repeated key could not be looked up");
                Ok(None)
            }
        }
    }

    fn event(
        &self,
        caller: &Caller,
        lead: ValidLead,
        campaign: &Campaign,
        lead_id: LeadId,
        body_hash: [u8; 32],
        reply_subject: String,
    ) -> LeadReceived {
        LeadReceived {
            lead_id: lead_id.to_string(),
            seller_id: caller.seller.id.to_string(),
            supplier_id: caller.supplier.id.to_string(),
            campaign_id: campaign.id.to_string(),
            category_id: campaign.category_id.to_string(),
            state: lead.state.unwrap_or_default().to_owned(),
            quality: lead.quality.map_or("", Quality::code).to_owned(),
            data_json: lead.data_json.into_bytes().into(),
            raw_json: lead.raw_json.into_bytes().into(),
            unknown_fields: lead.unknown_fields,
            reference: lead.reference.unwrap_or_default(),
            test: lead.test,
            received_at_ms: time_to_ms(self.clock.now()),
            body_hash: body_hash.to_vec().into(),
            reply_subject,
        }
    }

    async fn publish(
        &self,
        caller: &Caller,
        event: LeadReceived,
        lead_id: LeadId,
        body_hash: [u8; 32],
        keyed: bool,
        traceparent: &str,
    ) -> Result<(), PublishError> {
        let mut envelope = Envelope::new(EventId::new(), &event, self.clock.now());
        if envelope.traceparent.is_none() {
            envelope = envelope.caused_by(Some(traceparent));
        }
        let published = self.publisher.publish(envelope, self.timeouts.ack).await;
        match &published {
            Err(error) if error.is_doubtful() => {
                let cause = error.source().map(ToString::to_string);
                let trace_id = trace::trace_id(traceparent);
                tracing::warn!(
                    %lead_id, supplier_id = %caller.supplier.id, trace_id, %error, cause, "a lead may not be stored"
                );
                // Its decision must not be taken for that of another body.
                if keyed {
                    self.remember(caller, lead_id, body_hash, false);
                }
            }
            // Thousands a second while NATS is away, and the connection's end has its own line.
            Err(error) => {
                tracing::debug!(%lead_id, trace_id = trace::trace_id(traceparent), %error, "a lead was not sent");
            }
            Ok(()) => tracing::debug!(
                %lead_id, trace_id = trace::trace_id(traceparent), supplier_id = %caller.supplier.id,
                campaign_id = event.campaign_id, "lead stored"
            ),
        }
        published
    }

    fn remember(&self, caller: &Caller, lead_id: LeadId, body_hash: [u8; 32], stored: bool) {
        self.recent.put(lead_id, Accepted { supplier_id: caller.supplier.id, body_hash, stored });
    }
}

fn validate(post: Post<'_>, schema: &Schema, category_fits: bool) -> Result<ValidLead, PostRefused> {
    let validated = post.validate(schema);
    if category_fits {
        return validated.map_err(PostRefused::Invalid);
    }
    let mut errors = validated.err().unwrap_or_default();
    errors.add("categoryId", "is not the campaign's category");
    Err(PostRefused::Invalid(errors))
}

/// Why there is no campaign to check a post against.
enum Unplaced {
    NoCampaign,
    Refused(PostRefused),
}

impl From<PostRefused> for Unplaced {
    fn from(refused: PostRefused) -> Self {
        Self::Refused(refused)
    }
}
