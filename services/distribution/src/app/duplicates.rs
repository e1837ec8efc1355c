//! Which of the posted leads repeat one that is known.

use std::{borrow::Cow, collections::HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_distribution_domain::duplicates::{FieldKind, fingerprints};
use leadflow_kernel::{CampaignId, LeadId};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Posted, cache::Campaign};
use crate::store::{decisions::Configuration, leads};

/// A lead's fingerprint as stored, and the field it is of.
#[derive(Debug, Clone)]
pub struct Print {
    /// For people.
    pub field: String,
    /// Hash of campaign and canonical text.
    pub hash: Uuid,
}

/// The fingerprints that `data` (a JSON object) leaves in a campaign.
pub fn prints(configuration: &Configuration, data: &str) -> Vec<Print> {
    if configuration.duplicates.window_days == 0 {
        return Vec::new();
    }
    let Ok(Value::Object(data)) = serde_json::from_str(data) else { return Vec::new() };
    fingerprints(&configuration.duplicates, |name| {
        let text = match data.get(name)? {
            Value::String(text) => Cow::Borrowed(text.as_str()),
            Value::Number(number) => Cow::Owned(number.to_string()),
            Value::Bool(yes) => Cow::Borrowed(if *yes { "true" } else { "false" }),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let kind = configuration.field_kinds.get(name).copied().unwrap_or_else(|| FieldKind::guess(name));
        Some((kind, text))
    })
    .into_iter()
    .map(|print| {
        let digest =
            Sha256::new().chain_update(configuration.id.as_bytes()).chain_update(print.canonical.as_bytes()).finalize();
        let mut half = [0_u8; 16];
        half.copy_from_slice(&digest[..16]);
        Print { field: print.field, hash: Uuid::from_bytes(half) }
    })
    .collect()
}

/// The lead that another one repeats, and by which field.
#[derive(Debug, Clone)]
pub struct Duplicate {
    /// The earlier lead.
    pub of: LeadId,
    /// What they have in common.
    pub field: String,
}

/// The fingerprints of a batch, with their campaigns.
pub fn looked_for(posted: &[Posted], prints: &[Vec<Print>]) -> Vec<(CampaignId, Uuid)> {
    posted
        .iter()
        .zip(prints)
        .flat_map(|(lead, prints)| prints.iter().map(|print| (lead.campaign, print.hash)))
        .collect()
}

/// Knows what was seen before, and learns from the batch.
#[derive(Debug, Default)]
pub struct Seen {
    stored: HashMap<(CampaignId, Uuid), (LeadId, DateTime<Utc>)>,
    batch: HashMap<(CampaignId, Uuid), LeadId>,
}

impl Seen {
    /// Reads what is stored of these fingerprints.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn load(
        connection: &mut PgConnection,
        posted: &[Posted],
        prints: &[Vec<Print>],
    ) -> Result<Self, sqlx::Error> {
        let wanted = looked_for(posted, prints);
        if wanted.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self::stored(leads::seen(connection, &wanted).await?))
    }

    /// What was read already.
    pub fn stored(stored: HashMap<(CampaignId, Uuid), (LeadId, DateTime<Utc>)>) -> Self {
        Self { stored, batch: HashMap::new() }
    }

    /// Whether `lead` repeats another one. If not, and it is no test, later ones may repeat it.
    pub fn check(
        &mut self,
        lead: &Posted,
        prints: &[Print],
        campaign: &Campaign,
        now: DateTime<Utc>,
    ) -> Option<Duplicate> {
        let window = TimeDelta::days(i64::from(campaign.configuration.duplicates.window_days));
        for print in prints {
            let key = (lead.campaign, print.hash);
            let stored = self.stored.get(&key).filter(|(_, at)| *at > now - window).map(|(of, _)| *of);
            if let Some(of) = self.batch.get(&key).copied().or(stored)
                && of != lead.lead
            {
                return Some(Duplicate { of, field: print.field.clone() });
            }
        }
        if !lead.test {
            self.batch.extend(prints.iter().map(|print| ((lead.campaign, print.hash), lead.lead)));
        }
        None
    }
}
