//! Everything that a batch of decisions writes, in one statement: round trips are what a small
//! batch costs.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use leadflow_kernel::{CampaignId, LeadId, Money};
use leadflow_messaging::outbox;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{
    columns::signed,
    leads::{CAMPAIGN_UNKNOWN, NewLead, Sale, stored_outcome},
    routing::Moved,
    view::Guard,
};

/// Compare and set: the campaigns' rows are locked in id order, and unless every one of them is still as it was seen ($47 and the next),
/// nothing is written. A row that had to be waited for is compared as its last writer left it. Without rows to compare, because
/// the caller has locked them, everything is written.
const SAVE: &str = "\
    WITH seen AS MATERIALIZED ( \
      SELECT * FROM unnest($47::uuid[], $48::bigint[], $49::bigint[], $50::bigint[], $51::bigint[]) \
        AS t(campaign_id, version, next_seq, leads, epoch)), \
    same AS MATERIALIZED ( \
      SELECT r.campaign_id FROM seen t JOIN distribution.campaign_routing r ON r.campaign_id = t.campaign_id \
      WHERE r.campaign_id = ANY($47) AND (r.version, r.next_seq, r.leads, r.epoch) = (t.version, t.next_seq, t.leads, t.epoch) \
      ORDER BY r.campaign_id FOR UPDATE OF r), \
    all_same AS MATERIALIZED (SELECT count(*) = cardinality($47) AS yes FROM same), \
    prints AS ( \
      INSERT INTO distribution.lead_fingerprints (campaign_id, fingerprint, lead_id, seen_at) \
      SELECT t.*, $1 FROM unnest($2::uuid[], $3::uuid[], $4::uuid[]) AS t, all_same WHERE yes \
      ON CONFLICT (campaign_id, fingerprint) DO UPDATE SET lead_id = excluded.lead_id, seen_at = excluded.seen_at), \
    sold AS ( \
      INSERT INTO distribution.assignments \
        (assigned_at, assignment_id, lead_id, buyer_id, subscription_id, campaign_id, seller_id, price, currency) \
      SELECT $1, t.* FROM unnest($5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[], $9::uuid[], $10::uuid[], \
        $11::numeric[], $12::text[]) AS t, all_same WHERE yes), \
    places AS ( \
      INSERT INTO distribution.subscription_rotation \
        (campaign_id, subscription_id, last_served, wrr_current, cap_day, sold_today) \
      SELECT t.* FROM unnest($13::uuid[], $14::uuid[], $15::bigint[], $16::bigint[], $17::date[], $18::int[]) AS t, \
        all_same WHERE yes \
      ON CONFLICT (campaign_id, subscription_id) DO UPDATE SET last_served = excluded.last_served, \
        wrr_current = excluded.wrr_current, cap_day = excluded.cap_day, sold_today = excluded.sold_today), \
    told AS ( \
      INSERT INTO distribution.outbox (id, ordered, batch) \
      SELECT t.* FROM unnest($43::uuid[], $44::bool[], $45::bytea[]) AS t, all_same WHERE yes), \
    moved AS ( \
      UPDATE distribution.campaign_routing r SET next_seq = coalesce(t.next_seq, r.next_seq), leads = r.leads + t.leads \
      FROM unnest($19::uuid[], $20::bigint[], $46::bigint[]) AS t(campaign_id, next_seq, leads), all_same \
      WHERE yes AND r.campaign_id = ANY($19) AND r.campaign_id = t.campaign_id), \
    posted AS ( \
      INSERT INTO distribution.leads (decided_at, lead_id, seller_id, supplier_id, campaign_id, category_id, \
      received_at, expires_at, outcome, test, buyers_assigned, price, currency, reason, state, quality, \
      reference, body_hash, data, raw, unknown_fields, trace, traceparent) \
    SELECT $1, t.a, t.b, t.c, t.d, t.e, t.f, t.g, t.h, t.i, t.j, t.k, t.l, t.m, t.n, t.o, t.p, t.q, t.r::json, \
      t.s::json, t.t::json, t.u, t.v \
    FROM unnest($21::uuid[], $22::uuid[], $23::uuid[], $24::uuid[], $25::uuid[], $26::timestamptz[], \
      $27::timestamptz[], $28::smallint[], $29::bool[], $30::int[], $31::numeric[], $32::text[], $33::text[], \
      $34::text[], $35::text[], $36::text[], $37::bytea[], $38::text[], $39::text[], $40::text[], $41::bytea[], \
      $42::text[]) AS t(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v), all_same WHERE yes) \
    SELECT yes FROM all_same";

/// What a batch writes.
#[derive(Default)]
pub struct Batch<'a> {
    /// New leads with their decisions.
    pub leads: Vec<NewLead<'a>>,
    /// Fingerprints that they leave.
    pub prints: Vec<(CampaignId, Uuid, LeadId)>,
    /// Sales, of new leads or old.
    pub sales: Vec<Sale>,
    /// How the rotation moved; its campaigns must be locked.
    pub moved: Moved,
    /// The events that tell of it.
    pub told: outbox::Rows,
    /// The campaigns as they were seen; none when their rows are locked.
    pub guards: Vec<Guard>,
}

/// What changes in a campaign's routing row.
#[derive(Default)]
struct Routed {
    next_seq: Option<u64>,
    leads: i64,
}

/// The routing rows to write: where the rotation moved, and where leads came. A row is written once.
fn routing_rows(leads: &[NewLead<'_>], moved: &Moved) -> BTreeMap<CampaignId, Routed> {
    let mut rows: BTreeMap<CampaignId, Routed> = BTreeMap::new();
    for (campaign, next_seq) in &moved.campaigns {
        rows.entry(*campaign).or_default().next_seq = Some(*next_seq);
    }
    // A campaign that the tenant does not have may be another one's.
    for lead in leads.iter().filter(|lead| !lead.test && lead.reason != CAMPAIGN_UNKNOWN) {
        rows.entry(lead.campaign).or_default().leads += 1;
    }
    rows
}

/// Writes what was decided at `now`, all or nothing: false when a campaign is not as it was seen. Where there is nothing to
/// write, there is no round trip.
///
/// # Errors
/// Those of PostgreSQL; a unique violation when a lead is known by now, or sold to the same buyer.
pub async fn save(database: impl PgExecutor<'_>, batch: &Batch<'_>, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let Batch { leads, prints, sales, moved, told, guards } = batch;
    if leads.is_empty() && sales.is_empty() && moved.campaigns.is_empty() && told.ids.is_empty() {
        return Ok(true);
    }
    macro_rules! column {
        ($rows:ident, |$row:pat_param| $value:expr) => {
            $rows.iter().map(|$row| $value).collect::<Vec<_>>()
        };
    }
    let (campaigns, places) = (routing_rows(leads, moved), &moved.rows);
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query_scalar(SAVE)
        .bind(now)
        .bind(column!(prints, |(campaign, ..)| campaign.uuid()))
        .bind(column!(prints, |(_, print, _)| *print))
        .bind(column!(prints, |(.., lead)| lead.uuid()))
        .bind(column!(sales, |sale| sale.id.uuid()))
        .bind(column!(sales, |sale| sale.lead.uuid()))
        .bind(column!(sales, |sale| sale.buyer.uuid()))
        .bind(column!(sales, |sale| sale.subscription.uuid()))
        .bind(column!(sales, |sale| sale.campaign.uuid()))
        .bind(column!(sales, |sale| sale.seller.uuid()))
        .bind(column!(sales, |sale| sale.price.amount()))
        .bind(column!(sales, |sale| sale.price.currency().code().to_owned()))
        .bind(column!(places, |(campaign, ..)| campaign.uuid()))
        .bind(column!(places, |(_, subscription, _)| subscription.uuid()))
        .bind(column!(places, |(.., row)| number(row.last_served)))
        .bind(column!(places, |(.., row)| row.wrr_current))
        .bind(places.iter().map(|(.., row)| row.cap_day).collect::<Vec<Option<NaiveDate>>>())
        .bind(column!(places, |(.., row)| signed(row.sold_today)))
        .bind(column!(campaigns, |(id, _)| id.uuid()))
        .bind(column!(campaigns, |(_, row)| row.next_seq.map(number)))
        .bind(column!(leads, |lead| lead.id.uuid()))
        .bind(column!(leads, |lead| lead.seller.uuid()))
        .bind(column!(leads, |lead| lead.supplier.uuid()))
        .bind(column!(leads, |lead| lead.campaign.uuid()))
        .bind(column!(leads, |lead| lead.category.uuid()))
        .bind(column!(leads, |lead| lead.received_at))
        .bind(column!(leads, |lead| lead.expires_at))
        .bind(column!(leads, |lead| stored_outcome(lead.outcome)))
        .bind(column!(leads, |lead| lead.test))
        .bind(column!(leads, |lead| signed(lead.buyers_assigned)))
        .bind(column!(leads, |lead| lead.price.map(Money::amount)))
        .bind(column!(leads, |lead| lead.price.map(|price| price.currency().code().to_owned())))
        .bind(column!(leads, |lead| lead.reason.as_str()))
        .bind(column!(leads, |lead| lead.state))
        .bind(column!(leads, |lead| lead.quality))
        .bind(column!(leads, |lead| lead.reference))
        .bind(column!(leads, |lead| lead.body_hash))
        .bind(column!(leads, |lead| lead.data))
        .bind(column!(leads, |lead| lead.raw))
        .bind(column!(leads, |lead| lead.unknown_fields.as_deref()))
        .bind(column!(leads, |lead| lead.trace.as_slice()))
        .bind(column!(leads, |lead| lead.traceparent))
        .bind(&told.ids)
        .bind(&told.ordered)
        .bind(&told.batches)
        .bind(column!(campaigns, |(_, row)| row.leads))
        .bind(column!(guards, |guard| guard.campaign.uuid()))
        .bind(column!(guards, |guard| guard.routing.version))
        .bind(column!(guards, |guard| number(guard.routing.next_seq)))
        .bind(column!(guards, |guard| guard.leads))
        .bind(column!(guards, |guard| guard.epoch))
        .fetch_one(database)
        .await
}
