//! Leads: what a seller got, what a supplier posted, what a buyer bought.

use std::collections::HashMap;

use axum::{Json, extract::State};
use bytes::Bytes;
use leadflow_contracts::{
    accounts::Role,
    common::Outcome,
    distribution::{
        GetLeadRequest, Lead, ListLeadsRequest, ListPurchasesRequest, MarkViewedRequest, Purchase, PurchaseStanding,
        ReturnState,
    },
    notifier::{Attempt, Delivery, ListDeliveriesRequest},
};
use leadflow_kernel::{CategoryId, LeadId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{OK, campaigns::id_or_none};
use crate::http::{
    Api, dates,
    input::{PathId, Query, limit},
    problem::{Problem, bad_query, unknown},
    session::Me,
    table::{Party, Right, Route, Who},
    values::{Dollars, Time},
};

/// Everybody who has to do with leads.
const EVERYBODY: Who = Who::Only(&[Party::Seller(Right::See), Party::Buyer, Party::Supplier]);
const USUAL_PAGE: u32 = 50;
/// No list goes on beyond this many rows.
pub(super) const MAX_ROWS: u32 = 10_000;
/// Of these deliveries, the newest, it is known when they arrived.
const DELIVERIES: u32 = 200;

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/leads", EVERYBODY, "Leads, the newest first: bought, got or posted, by who asks", list)
            .query::<Asked>()
            .answers::<Leads>(OK, "Leads"),
        Route::get("/api/leads/{id}", EVERYBODY, "A lead; its buyer is noted to have looked at it", show)
            .answers::<OneLead>(OK, "The lead"),
    ]
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum LeadStatus {
    Pending,
    Distributed,
    Unsold,
    Rejected,
    Expired,
    Test,
}

impl LeadStatus {
    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Distributed => Self::Distributed,
            Outcome::Unsold => Self::Unsold,
            Outcome::Rejected => Self::Rejected,
            Outcome::Expired => Self::Expired,
            Outcome::Test => Self::Test,
            Outcome::Pending | Outcome::Conflict | Outcome::Unspecified => Self::Pending,
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum PurchaseStatus {
    Assigned,
    Delivered,
    Viewed,
    ReturnRequested,
    Returned,
    ReturnRejected,
}

/// What is asked for: of leads by sellers and suppliers, of purchases by buyers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum WantedStatus {
    Pending,
    Distributed,
    Unsold,
    Rejected,
    Expired,
    Test,
    Assigned,
    Viewed,
    ReturnRequested,
    Returned,
    ReturnRejected,
}

impl WantedStatus {
    fn of_leads(self) -> Result<Outcome, Problem> {
        match self {
            Self::Pending => Ok(Outcome::Pending),
            Self::Distributed => Ok(Outcome::Distributed),
            Self::Unsold => Ok(Outcome::Unsold),
            Self::Rejected => Ok(Outcome::Rejected),
            Self::Expired => Ok(Outcome::Expired),
            Self::Test => Ok(Outcome::Test),
            Self::Assigned | Self::Viewed | Self::ReturnRequested | Self::Returned | Self::ReturnRejected => {
                Err(bad_query("status must be PENDING, DISTRIBUTED, UNSOLD, REJECTED, EXPIRED or TEST"))
            }
        }
    }

    fn of_purchases(self) -> Result<PurchaseStanding, Problem> {
        match self {
            Self::Assigned => Ok(PurchaseStanding::Unseen),
            Self::Viewed => Ok(PurchaseStanding::Viewed),
            Self::ReturnRequested => Ok(PurchaseStanding::ReturnRequested),
            Self::Returned => Ok(PurchaseStanding::Returned),
            Self::ReturnRejected => Ok(PurchaseStanding::ReturnRejected),
            Self::Pending | Self::Distributed | Self::Unsold | Self::Rejected | Self::Expired | Self::Test => {
                Err(bad_query("status must be ASSIGNED, VIEWED, RETURN_REQUESTED, RETURNED or RETURN_REJECTED"))
            }
        }
    }
}

/// Of a sale, as its seller sees it.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum SaleStatus {
    Sold,
    ReturnRequested,
    Returned,
    ReturnRejected,
}

impl SaleStatus {
    const fn of(state: ReturnState) -> Self {
        match state {
            ReturnState::Unspecified => Self::Sold,
            ReturnState::Requested => Self::ReturnRequested,
            ReturnState::Approved => Self::Returned,
            ReturnState::Rejected => Self::ReturnRejected,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
}

/// A lead as its buyer sees it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BoughtLead {
    id: String,
    assignment_id: String,
    category: Named,
    campaign: Named,
    #[schema(value_type = Object)]
    data: Box<RawValue>,
    state: String,
    quality: String,
    price: Dollars,
    assigned_at: Option<Time>,
    /// When the webhook took it; null if it did not, or long ago.
    delivered_at: Option<Time>,
    viewed_at: Option<Time>,
    status: PurchaseStatus,
    /// Since then the lead's personal data is gone, and `data` is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    masked_at: Option<Time>,
    /// There when the buyer asked to have it undone.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    return_id: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Sale {
    assignment_id: String,
    buyer_id: String,
    subscription_id: String,
    price: Dollars,
    assigned_at: Option<Time>,
    status: SaleStatus,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    return_id: String,
}

/// A lead as its seller and its supplier see it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReceivedLead {
    id: String,
    status: LeadStatus,
    /// Why it was rejected, or nobody bought it.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    reason: String,
    campaign_id: String,
    category_id: String,
    supplier_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    reference: String,
    test: bool,
    #[schema(value_type = Object)]
    data: Box<RawValue>,
    state: String,
    quality: String,
    buyers_assigned: u32,
    /// What all its buyers pay together.
    price: Option<Dollars>,
    received_at: Option<Time>,
    decided_at: Option<Time>,
    expires_at: Option<Time>,
    /// Since then its personal data is gone: `data` and `reference` are empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    masked_at: Option<Time>,
    /// For its seller: who bought it; of a list, the first 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    assignments: Option<Vec<Sale>>,
    /// For its seller, of a single lead: why it went where it went.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    explanation: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Lead)]
enum LeadView {
    Bought(BoughtLead),
    Received(ReceivedLead),
}

/// Where in a list by page number an answer is.
#[derive(Serialize, ToSchema)]
pub(super) struct Pagination {
    page: u32,
    limit: u32,
    total: u64,
    pages: u64,
}

impl Pagination {
    pub(super) fn of(page: u32, limit: u32, total: u64) -> Self {
        Self { page, limit, total, pages: total.div_ceil(u64::from(limit)) }
    }
}

#[derive(Serialize, ToSchema)]
struct Leads {
    leads: Vec<LeadView>,
    pagination: Pagination,
}

#[derive(Serialize, ToSchema)]
struct OneLead {
    lead: LeadView,
}

/// Stored data are JSON; if they were not, the rest is still worth showing.
fn data(bytes: Bytes) -> Box<RawValue> {
    let text = String::from_utf8(bytes.into()).ok().and_then(|text| RawValue::from_string(text).ok());
    text.unwrap_or_else(|| RawValue::NULL.to_owned())
}

fn bought(purchase: Purchase, delivered: &HashMap<String, i64>) -> LeadView {
    let delivered_at = delivered.get(&purchase.assignment_id).copied().unwrap_or(0);
    let status = match (purchase.return_state(), purchase.viewed_at_ms, delivered_at) {
        (ReturnState::Requested, ..) => PurchaseStatus::ReturnRequested,
        (ReturnState::Approved, ..) => PurchaseStatus::Returned,
        (ReturnState::Rejected, ..) => PurchaseStatus::ReturnRejected,
        (_, 0, 0) => PurchaseStatus::Assigned,
        (_, 0, _) => PurchaseStatus::Delivered,
        _ => PurchaseStatus::Viewed,
    };
    LeadView::Bought(BoughtLead {
        id: purchase.lead_id,
        assignment_id: purchase.assignment_id,
        category: Named { id: purchase.category_id, name: purchase.category_name },
        campaign: Named { id: purchase.campaign_id, name: purchase.campaign_name },
        data: data(purchase.data_json),
        state: purchase.state,
        quality: purchase.quality,
        price: Dollars::of(purchase.price.as_ref()),
        assigned_at: Time::from_ms(purchase.assigned_at_ms),
        delivered_at: Time::from_ms(delivered_at),
        viewed_at: Time::from_ms(purchase.viewed_at_ms),
        status,
        masked_at: Time::from_ms(purchase.masked_at_ms),
        return_id: purchase.return_id,
    })
}

fn received(lead: Lead, role: Role) -> LeadView {
    let decision = lead.decision.unwrap_or_default();
    let is_seller = role == Role::Seller;
    let sales = lead.assignments.into_iter().map(|sale| Sale {
        status: SaleStatus::of(sale.return_state()),
        return_id: sale.return_id,
        assignment_id: sale.assignment_id,
        buyer_id: sale.buyer_id,
        subscription_id: sale.subscription_id,
        price: Dollars::of(sale.price.as_ref()),
        assigned_at: Time::from_ms(sale.assigned_at_ms),
    });
    LeadView::Received(ReceivedLead {
        status: LeadStatus::of(decision.outcome()),
        id: decision.lead_id,
        reason: decision.reason,
        campaign_id: lead.campaign_id,
        category_id: lead.category_id,
        supplier_id: lead.supplier_id,
        reference: decision.reference,
        test: decision.test,
        data: data(lead.data_json),
        state: lead.state,
        quality: lead.quality,
        buyers_assigned: decision.buyers_assigned,
        price: Dollars::known(decision.price.as_ref()),
        received_at: Time::from_ms(lead.received_at_ms),
        decided_at: Time::from_ms(lead.decided_at_ms),
        expires_at: Time::from_ms(lead.expires_at_ms),
        masked_at: Time::from_ms(lead.masked_at_ms),
        assignments: is_seller.then(|| sales.collect()),
        explanation: if is_seller { lead.explanation } else { Vec::new() },
    })
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LeadQuestion)]
struct Asked {
    /// Of sellers and suppliers `PENDING` to `TEST`, of buyers the others: `ASSIGNED` are all that were not looked at yet,
    /// delivered or not.
    status: Option<WantedStatus>,
    /// A category's id.
    category: Option<String>,
    /// A day or a moment.
    start_date: Option<String>,
    /// A day, which is included, or a moment.
    end_date: Option<String>,
    #[schema(minimum = 1)]
    page: Option<u32>,
    /// Rows at most, 1 to 200; 50 when not given.
    #[schema(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

async fn list(State(api): State<Api>, me: Me, Query(asked): Query<Asked>) -> Result<Json<Leads>, Problem> {
    let limit = limit(asked.limit, USUAL_PAGE)?;
    let page = asked.page.unwrap_or(1);
    if page == 0 || page.saturating_mul(limit) > MAX_ROWS {
        return Err(bad_query(format!("page must be at least 1, and page times limit at most {MAX_ROWS}")));
    }
    let category_id = id_or_none::<CategoryId>(asked.category, "category must be a category's id")?;
    let (from_ms, until_ms) = dates::bounds(asked.start_date.as_deref(), asked.end_date.as_deref())?;
    let tenant = me.tenant()?;
    let (leads, total) = if me.role() == Role::Buyer {
        let standing = asked.status.map_or(Ok(PurchaseStanding::Unspecified), WantedStatus::of_purchases)?.into();
        let buyer_id = me.buyer()?.to_string();
        let message = ListPurchasesRequest {
            buyer_id,
            category_id,
            from_ms,
            until_ms,
            page,
            limit,
            standing,
            ..Default::default()
        };
        let request = api.services.request(tenant, message);
        let mut catalogue = api.services.catalogue();
        let (listed, delivered) = futures::join!(catalogue.list_purchases(request), delivered(&api, &me));
        let listed = listed?.into_inner();
        let leads = listed.purchases.into_iter().map(|purchase| bought(purchase, &delivered)).collect();
        (leads, listed.total)
    } else if asked.status == Some(WantedStatus::Pending) {
        // A lead is listed once it is decided.
        (Vec::new(), 0)
    } else {
        let supplier_id = if me.role() == Role::Supplier { me.supplier()?.to_string() } else { String::new() };
        let outcomes = asked.status.map(WantedStatus::of_leads).transpose()?.map(Into::into).into_iter().collect();
        let message = ListLeadsRequest {
            supplier_id,
            category_id,
            outcomes,
            from_ms,
            until_ms,
            page,
            limit,
            campaign_id: String::new(),
        };
        let listed = api.services.catalogue().list_leads(api.services.request(tenant, message)).await?.into_inner();
        (listed.leads.into_iter().map(|lead| received(lead, me.role())).collect(), listed.total)
    };
    Ok(Json(Leads { leads, pagination: Pagination::of(page, limit, total) }))
}

/// When the newest of a buyer's deliveries arrived, by assignment; nothing while notifier is away.
async fn delivered(api: &Api, me: &Me) -> HashMap<String, i64> {
    let (Ok(tenant), Ok(buyer)) = (me.tenant(), me.buyer()) else { return HashMap::new() };
    let message = ListDeliveriesRequest { buyer_id: buyer.to_string(), limit: DELIVERIES, before: String::new() };
    let listed = api.services.notifier().list_deliveries(api.services.request(tenant, message)).await;
    let deliveries = listed.map(|answer| answer.into_inner().deliveries).unwrap_or_default();
    deliveries.into_iter().filter_map(arrival).collect()
}

fn arrival(delivery: Delivery) -> Option<(String, i64)> {
    if delivery.status != "DELIVERED" || delivery.event != "lead.assigned" {
        return None;
    }
    // It may have been sent again since.
    let took = |attempt: &&Attempt| match attempt.meaning.as_str() {
        "" => (200..300).contains(&attempt.status_code),
        meaning => matches!(meaning, "ACCEPTED" | "DUPLICATE"),
    };
    let first = delivery.attempts.iter().filter(took).min_by_key(|attempt| attempt.number)?;
    Some((delivery.assignment_id, first.started_at_ms + i64::from(first.duration_ms)))
}

async fn show(State(api): State<Api>, me: Me, PathId(id): PathId<LeadId>) -> Result<Json<OneLead>, Problem> {
    let tenant = me.tenant()?;
    if me.role() == Role::Buyer {
        let buyer_id = me.buyer()?.to_string();
        let message = ListPurchasesRequest {
            buyer_id: buyer_id.clone(),
            lead_id: id.to_string(),
            page: 1,
            limit: 1,
            ..Default::default()
        };
        let mut catalogue = api.services.catalogue();
        let listed = catalogue.list_purchases(api.services.request(tenant, message)).await?.into_inner();
        let purchase = listed.purchases.into_iter().next().ok_or_else(|| unknown("lead"))?;
        let message = MarkViewedRequest { buyer_id, assignment_id: purchase.assignment_id };
        let request = api.services.request(tenant, message);
        let (viewed, delivered) = futures::join!(catalogue.mark_viewed(request), delivered(&api, &me));
        return Ok(Json(OneLead { lead: bought(viewed?.into_inner(), &delivered) }));
    }
    let request = api.services.request(tenant, GetLeadRequest { lead_id: id.to_string() });
    let lead = api.services.distribution().get_lead(request).await?.into_inner();
    if me.role() == Role::Supplier && lead.supplier_id != me.supplier()?.to_string() {
        return Err(unknown("lead"));
    }
    Ok(Json(OneLead { lead: received(lead, me.role()) }))
}
