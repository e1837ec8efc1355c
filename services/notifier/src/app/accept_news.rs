//! What happened becomes messages to the buyers who want to hear of it, one for each channel.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_kernel::{BuyerId, LeadId, MessageId, SellerId};
use leadflow_notifier_domain::{Channel, News};

use super::Notifier;
use crate::store::{
    messages::NewMessage,
    wishes::{self, Reach},
};

/// Something to tell one buyer.
#[derive(Debug, Clone)]
pub struct Telling {
    /// What it is known by: the same for a repeat.
    pub source: Vec<u8>,
    /// The tenant.
    pub seller: SellerId,
    /// Whom.
    pub buyer: BuyerId,
    /// The lead that it is about.
    pub lead: Option<LeadId>,
    /// What.
    pub news: News,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
}

impl Telling {
    /// As a message. Its id follows from what it tells of, the channel and whom.
    pub(super) fn message(&self, channel: Channel, now: DateTime<Utc>) -> NewMessage {
        let kind = self.news.kind();
        let parts: [&[u8]; 4] =
            [kind.code().as_bytes(), &self.source, channel.code().as_bytes(), self.buyer.as_bytes()];
        NewMessage {
            id: MessageId::derive(&parts),
            seller: Some(self.seller),
            buyer: Some(self.buyer),
            channel,
            kind,
            lead: self.lead,
            contents: self.news.encode(),
            expires_at: now + TimeDelta::from_std(kind.useful_for()).unwrap_or(TimeDelta::MAX),
            received_at: None,
            traceparent: self.traceparent.clone(),
        }
    }
}

impl Notifier {
    /// Stores a message for each buyer and channel that is wanted. A buyer of whom nothing is known yet is asked for when it is
    /// sent. Told twice, each is one.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn accept_news(&self, told: &[Telling]) -> Result<(), sqlx::Error> {
        if told.is_empty() {
            return Ok(());
        }
        let buyers: Vec<BuyerId> = told.iter().map(|telling| telling.buyer).collect();
        let reach = wishes::of_buyers(&mut *self.pool.acquire().await?, &buyers).await?;
        let now = self.clock.now();
        let new: Vec<_> = told
            .iter()
            .flat_map(|telling| channels(&reach, telling).map(move |channel| telling.message(channel, now)))
            .collect();
        self.accept_messages(&new).await
    }
}

fn channels(reach: &HashMap<(SellerId, BuyerId), Reach>, telling: &Telling) -> impl Iterator<Item = Channel> {
    let known = reach.get(&(telling.seller, telling.buyer)).copied();
    let wishes = known.map(|reach| reach.wishes).unwrap_or_default();
    let kind = telling.news.kind();
    Channel::ALL.into_iter().filter(move |channel| {
        // Who has no address is visibly not told; a phone is something to have chosen first.
        let there = *channel == Channel::Email || known.is_some_and(|reach| reach.phone);
        there && wishes.want(*channel, kind)
    })
}
