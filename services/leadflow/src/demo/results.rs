//! What the run left behind, read from the services' tables.

use std::collections::HashMap;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use leadflow_contracts::common::{DecisionTrace, Verdict};
use leadflow_kernel::{BuyerId, CampaignId, LeadId, SellerId};
use rust_decimal::Decimal;
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use crate::seed::Market;

/// Leads asked for at once.
const AT_ONCE: usize = 32;

/// The traces of leads, as their seller is told.
pub type Traces = HashMap<LeadId, DecisionTrace>;

/// Asks for the trace of every lead of the tenant.
pub async fn traces(books: &PgPool, market: &Market) -> anyhow::Result<Traces> {
    let leads: Vec<Uuid> = sqlx::query_scalar("SELECT lead_id FROM distribution.leads WHERE seller_id = $1")
        .bind(market.seller.uuid())
        .fetch_all(books)
        .await?;
    stream::iter(leads)
        .map(|lead| async move {
            let id = LeadId::from_uuid(lead);
            anyhow::Ok((id, market.lead(&id.to_string()).await?.trace.unwrap_or_default()))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

/// Leads of one campaign by what became of them; tests are counted apart.
#[derive(Debug, Clone, Default)]
pub struct CampaignResult {
    /// Sold to at least one buyer.
    pub sold: u64,
    /// Still for sale.
    pub unsold: u64,
    /// Refused as somebody known.
    pub rejected: u64,
    /// Tests.
    pub tests: u64,
    /// Sales; more than leads in a broadcast.
    pub sales: u64,
    /// What buyers paid together.
    pub revenue: Decimal,
    /// How often each verdict was given to a buyer.
    pub verdicts: HashMap<(BuyerId, Verdict), u64>,
}

/// One buyer's side.
#[derive(Debug, Clone, Default)]
pub struct BuyerResult {
    /// Bought.
    pub leads: u64,
    /// Paid.
    pub spent: Decimal,
    /// Left in the wallet.
    pub balance: Decimal,
    /// Webhooks received, still tried, given up.
    pub delivered: u64,
    /// Webhooks that wait for a next attempt.
    pub pending: u64,
    /// Webhooks given up.
    pub gave_up: u64,
    /// Requests made.
    pub attempts: u64,
}

/// Reads the campaigns of a tenant.
pub async fn campaigns(
    books: &PgPool,
    seller: SellerId,
    traces: &Traces,
) -> anyhow::Result<HashMap<CampaignId, CampaignResult>> {
    let rows = sqlx::query(
        "SELECT l.lead_id, l.campaign_id, l.outcome, l.test, count(a.assignment_id) AS sales, \
           coalesce(sum(a.price), 0) AS paid \
         FROM distribution.leads l LEFT JOIN distribution.assignments a USING (lead_id) \
         WHERE l.seller_id = $1 GROUP BY l.lead_id, l.campaign_id, l.outcome, l.test",
    )
    .bind(seller.uuid())
    .fetch_all(books)
    .await?;
    let mut results: HashMap<CampaignId, CampaignResult> = HashMap::new();
    for row in rows {
        let result = results.entry(CampaignId::from_uuid(row.try_get("campaign_id")?)).or_default();
        if row.try_get("test")? {
            result.tests += 1;
            continue;
        }
        match row.try_get::<i16, _>("outcome")? {
            2 => result.sold += 1,
            4 => result.rejected += 1,
            _ => result.unsold += 1,
        }
        result.sales += row.try_get::<i64, _>("sales")?.unsigned_abs();
        result.revenue += row.try_get::<Decimal, _>("paid")?;
        let Some(trace) = traces.get(&LeadId::from_uuid(row.try_get("lead_id")?)) else { continue };
        for candidate in &trace.candidates {
            let buyer = candidate.buyer_id.parse()?;
            *result.verdicts.entry((buyer, candidate.verdict())).or_default() += 1;
        }
    }
    Ok(results)
}

/// Reads the buyers of a tenant.
pub async fn buyers(books: &PgPool, seller: SellerId) -> anyhow::Result<HashMap<BuyerId, BuyerResult>> {
    let rows = sqlx::query(
        "SELECT w.buyer_id, w.balance, \
           (SELECT count(*) FROM distribution.assignments a WHERE a.buyer_id = w.buyer_id) AS leads, \
           (SELECT coalesce(sum(h.amount), 0) FROM billing.holds h WHERE h.buyer_id = w.buyer_id AND h.state = 'captured') AS spent, \
           d.delivered, d.pending, d.gave_up, d.attempts \
         FROM billing.wallets w CROSS JOIN LATERAL ( \
           SELECT count(*) FILTER (WHERE status = 'DELIVERED') AS delivered, count(*) FILTER (WHERE status = 'PENDING') AS pending, \
             count(*) FILTER (WHERE status = 'GAVE_UP') AS gave_up, coalesce(sum(attempts_made), 0)::bigint AS attempts \
           FROM notifier.deliveries d WHERE d.buyer_id = w.buyer_id) d \
         WHERE w.seller_id = $1",
    )
    .bind(seller.uuid())
    .fetch_all(books)
    .await?;
    let number = |row: &sqlx::postgres::PgRow, column: &str| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
    rows.iter()
        .map(|row| {
            let result = BuyerResult {
                leads: number(row, "leads")?,
                spent: row.try_get("spent")?,
                balance: row.try_get("balance")?,
                delivered: number(row, "delivered")?,
                pending: number(row, "pending")?,
                gave_up: number(row, "gave_up")?,
                attempts: number(row, "attempts")?,
            };
            Ok((BuyerId::from_uuid(row.try_get::<Uuid, _>("buyer_id")?), result))
        })
        .collect()
}

/// Webhooks of a tenant that nobody has tried to send yet.
pub async fn untried_deliveries(books: &PgPool, seller: SellerId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM notifier.deliveries WHERE seller_id = $1 AND status = 'PENDING' AND attempts_made = 0",
    )
    .bind(seller.uuid())
    .fetch_one(books)
    .await
}

/// The sold lead of a campaign whose decision has the most to tell: the most different verdicts.
pub async fn telling_lead(
    books: &PgPool,
    campaign: CampaignId,
    traces: &Traces,
) -> Result<Option<LeadId>, sqlx::Error> {
    let sold: Vec<Uuid> = sqlx::query_scalar(
        "SELECT lead_id FROM distribution.leads WHERE campaign_id = $1 AND outcome = 2 ORDER BY received_at, lead_id",
    )
    .bind(campaign.uuid())
    .fetch_all(books)
    .await?;
    let score = |lead: &LeadId| {
        let mut verdicts: Vec<i32> = traces.get(lead)?.candidates.iter().map(|candidate| candidate.verdict).collect();
        verdicts.sort_unstable();
        verdicts.dedup();
        // Who could not pay is the most interesting: the next one in order was tried.
        let refused = verdicts.contains(&Verdict::InsufficientFunds.into());
        Some(verdicts.len() + 2 * usize::from(refused))
    };
    Ok(sold.into_iter().map(LeadId::from_uuid).max_by_key(score))
}
