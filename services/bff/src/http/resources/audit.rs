//! Who changed what, from every service that changes something.

use axum::{Json, extract::State};
use leadflow_kernel::SellerId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{ADMINS, OK, OWNERS, leads::Pagination};
use crate::{
    http::{
        Api, dates,
        input::{Query, limit},
        problem::{Problem, bad_query},
        session::Me,
        table::Route,
        values::Time,
    },
    outbound::trails::{self, Asked, Trails},
};

const USUAL_PAGE: u32 = 50;
/// No list goes on beyond this many entries.
const MAX_ROWS: u32 = 10_000;

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/audit", OWNERS, "Who changed what, the newest first", own)
            .query::<Question>()
            .answers::<Audit>(OK, "Entries"),
        Route::get("/api/admin/audit", ADMINS, "Who changed what in a tenant, or in none", any)
            .query::<AdminQuestion>()
            .answers::<Audit>(OK, "Entries"),
    ]
}

#[derive(Deserialize, ToSchema)]
#[schema(as = AuditQuestion)]
struct Question {
    /// A day or a moment.
    from: Option<String>,
    /// A day, which is included, or a moment.
    to: Option<String>,
    #[schema(minimum = 1)]
    page: Option<u32>,
    /// Entries at most, 1 to 200; 50 when not given.
    #[schema(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AdminAuditQuestion)]
struct AdminQuestion {
    /// The tenant; none: what belongs to no tenant, such as administrators' sign-ins.
    seller_id: Option<String>,
    /// A day or a moment.
    from: Option<String>,
    /// A day, which is included, or a moment.
    to: Option<String>,
    #[schema(minimum = 1)]
    page: Option<u32>,
    /// Entries at most, 1 to 200; 50 when not given.
    #[schema(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Who acted; null: nobody was signed in, or a service acted by itself.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditActor)]
struct Actor {
    user_id: String,
    /// What the user was then: OWNER, MANAGER, VIEWER, BUYER, SUPPLIER or ADMIN; empty if that is not known.
    role: String,
}

/// A change.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
struct Entry {
    id: String,
    at: Option<Time>,
    /// Which service wrote it down.
    service: &'static str,
    actor: Option<Actor>,
    /// Such as `campaign.updated`.
    action: String,
    /// The id of what was changed.
    subject_id: String,
    /// What it was like; null: nothing.
    #[schema(value_type = Option<Object>)]
    before: Option<Box<RawValue>>,
    /// What it is like now; null: nothing.
    #[schema(value_type = Option<Object>)]
    after: Option<Box<RawValue>>,
}

#[derive(Serialize, ToSchema)]
struct Audit {
    entries: Vec<Entry>,
    pagination: Pagination,
    /// Services that could not be asked: their entries are not here.
    missing: Vec<&'static str>,
}

async fn own(State(api): State<Api>, me: Me, Query(asked): Query<Question>) -> Result<Json<Audit>, Problem> {
    answer(&api, Some(me.tenant()?), asked).await
}

async fn any(State(api): State<Api>, Query(asked): Query<AdminQuestion>) -> Result<Json<Audit>, Problem> {
    let AdminQuestion { seller_id, from, to, page, limit } = asked;
    let seller = match seller_id.filter(|text| !text.is_empty()) {
        Some(text) => Some(text.parse().map_err(|_| bad_query("sellerId must be a tenant's id"))?),
        None => None,
    };
    answer(&api, seller, Question { from, to, page, limit }).await
}

async fn answer(api: &Api, tenant: Option<SellerId>, asked: Question) -> Result<Json<Audit>, Problem> {
    let limit = limit(asked.limit, USUAL_PAGE)?;
    let page = asked.page.unwrap_or(1);
    if page == 0 || page.saturating_mul(limit) > MAX_ROWS {
        return Err(bad_query(format!("page must be at least 1, and page times limit at most {MAX_ROWS}")));
    }
    let (from_ms, until_ms) = dates::between(["from", "to"], asked.from.as_deref(), asked.to.as_deref())?;
    let asked = Asked { tenant, from_ms, until_ms, skip: (page - 1) * limit, limit };
    let found = Trails::of(&api.services, tenant).page(&asked).await?;
    let total = found.total;
    let entries = found.entries.into_iter().map(entry).collect();
    let pagination = Pagination::of(page, limit, total);
    Ok(Json(Audit { entries, pagination, missing: found.missing }))
}

fn entry(found: trails::Found) -> Entry {
    let trails::Found { service, entry } = found;
    let json = |text: String| RawValue::from_string(text).ok();
    let actor =
        (!entry.actor_user_id.is_empty()).then_some(Actor { user_id: entry.actor_user_id, role: entry.actor_role });
    Entry {
        id: entry.audit_id,
        at: Time::from_ms(entry.at_ms),
        service,
        actor,
        action: entry.action,
        subject_id: entry.subject_id,
        before: json(entry.before_json),
        after: json(entry.after_json),
    }
}
