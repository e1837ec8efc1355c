//! What decisions are made by, read without a lock in one round trip.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use leadflow_kernel::{CampaignId, LeadId};
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

use super::routing::Locked;

/// A campaign's row as it was seen. As long as all of it is unchanged, nobody decided anything in the campaign.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    /// The campaign.
    pub campaign: CampaignId,
    /// What a lock would have told.
    pub routing: Locked,
    /// Non-test leads that were decided in it.
    pub leads: i64,
    /// See the column.
    pub epoch: i64,
}

/// Everything at one moment.
#[derive(Debug, Default)]
pub struct View {
    /// Of the campaigns that exist.
    pub guards: Vec<Guard>,
    /// Leads with these fingerprints, and when they were seen; expired ones count no more.
    pub seen: HashMap<(CampaignId, Uuid), (LeadId, DateTime<Utc>)>,
    /// Some of the leads were decided before.
    pub known: bool,
}

#[derive(FromRow)]
struct Row {
    kind: i32,
    first: Uuid,
    second: Uuid,
    third: Option<Uuid>,
    numbers: Option<Vec<i64>>,
    at: Option<DateTime<Utc>>,
}

/// One statement, so one snapshot: fingerprints and leads are those of the very moment that the guards are of.
const VIEW: &str = "\
    SELECT 1 AS kind, campaign_id AS first, seller_id AS second, NULL::uuid AS third, \
      ARRAY[version, next_seq, leads, epoch] AS numbers, NULL::timestamptz AS at \
    FROM distribution.campaign_routing WHERE campaign_id = ANY($1) \
    UNION ALL \
    SELECT 2, t.campaign_id, t.fingerprint, f.lead_id, NULL, f.seen_at \
    FROM unnest($2::uuid[], $3::uuid[]) AS t(campaign_id, fingerprint) \
    CROSS JOIN LATERAL (SELECT p.lead_id, p.seen_at FROM distribution.lead_fingerprints p \
      WHERE p.campaign_id = t.campaign_id AND p.fingerprint = t.fingerprint OFFSET 0) f \
    WHERE (SELECT l.outcome FROM distribution.leads l WHERE l.lead_id = f.lead_id \
      AND l.received_at = (SELECT i.received_at FROM distribution.lead_ids i WHERE i.lead_id = f.lead_id)) <> 5 \
    UNION ALL \
    SELECT 3, lead_id, lead_id, NULL, NULL, NULL FROM distribution.lead_ids WHERE lead_id = ANY($4)";

/// Reads what is known of these campaigns, leads and fingerprints.
///
/// # Errors
/// Those of PostgreSQL.
pub async fn read(
    pool: &PgPool,
    campaigns: &[CampaignId],
    prints: &[(CampaignId, Uuid)],
    leads: &[LeadId],
) -> Result<View, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(VIEW)
        .bind(campaigns.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .bind(prints.iter().map(|(campaign, _)| campaign.uuid()).collect::<Vec<_>>())
        .bind(prints.iter().map(|(_, print)| *print).collect::<Vec<_>>())
        .bind(leads.iter().map(|id| id.uuid()).collect::<Vec<_>>())
        .fetch_all(pool)
        .await?;
    let mut view = View::default();
    for row in rows {
        match (row.kind, row.numbers.as_deref(), row.third, row.at) {
            (1, Some(&[version, next_seq, leads, epoch]), ..) => {
                let routing = Locked::read(row.second, version, next_seq)?;
                view.guards.push(Guard { campaign: row.first.into(), routing, leads, epoch });
            }
            (2, _, Some(lead), Some(at)) => {
                view.seen.insert((row.first.into(), row.second), (lead.into(), at));
            }
            _ => view.known = true,
        }
    }
    Ok(view)
}
