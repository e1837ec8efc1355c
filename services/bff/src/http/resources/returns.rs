//! Returns: a buyer asks to have a sale undone, its seller decides.

use axum::{Json, extract::State, http::StatusCode};
use leadflow_contracts::{
    accounts::Role,
    distribution::{
        self as proto, DecideReturnRequest, GetReturnRequest, ListReturnsRequest, RequestReturnRequest, ReturnState,
    },
};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, ReturnId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    BUYERS, CREATED, OK, SELLERS, TENANT,
    campaigns::id_or_none,
    leads::{MAX_ROWS, Named, Pagination},
};
use crate::http::{
    Api, dates,
    input::{Body, PathId, Query, Repeat, limit},
    problem::{Problem, bad_query},
    session::Me,
    table::Route,
    values::{Dollars, Time},
};

const USUAL_PAGE: u32 = 50;

pub(in crate::http) fn routes() -> Vec<Route> {
    let conflict = StatusCode::CONFLICT;
    vec![
        Route::post("/api/leads/{id}/return", BUYERS, "Ask to have a purchase (an assignment's id) undone", ask)
            .body::<Wish>()
            .answers::<ReturnAnswer>(CREATED, "Asked for; approved at once where the campaign says so")
            .refuses(
                conflict,
                "`returns_not_allowed`, `return_window_over`, `reason_not_allowed`, `return_share_reached`, `already_returned`",
            ),
        Route::get("/api/returns", TENANT, "Returns, those asked for last first; of a buyer, his own", list)
            .query::<Asked>()
            .answers::<Returns>(OK, "Returns"),
        Route::get("/api/returns/{id}", TENANT, "A return", show).answers::<OneReturn>(OK, "The return"),
        Route::post("/api/returns/{id}/approve", SELLERS, "Undo the sale: its price goes back to the buyer", approve)
            .body::<Decision>()
            .answers::<ReturnAnswer>(OK, "Approved, now or before")
            .refuses(conflict, "`return_decided`: it was rejected"),
        Route::post("/api/returns/{id}/reject", SELLERS, "Leave the sale as it is", reject)
            .body::<Decision>()
            .answers::<ReturnAnswer>(OK, "Rejected, now or before")
            .refuses(conflict, "`return_decided`: it was approved"),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum ReturnStatus {
    /// The seller has to decide.
    Requested,
    /// The sale is undone.
    Approved,
    /// The sale stays.
    Rejected,
}

impl ReturnStatus {
    const fn of(state: ReturnState) -> Self {
        match state {
            ReturnState::Approved => Self::Approved,
            ReturnState::Rejected => Self::Rejected,
            ReturnState::Requested | ReturnState::Unspecified => Self::Requested,
        }
    }

    const fn to_proto(self) -> ReturnState {
        match self {
            Self::Requested => ReturnState::Requested,
            Self::Approved => ReturnState::Approved,
            Self::Rejected => ReturnState::Rejected,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Return)]
struct ReturnView {
    id: String,
    assignment_id: String,
    lead_id: String,
    buyer_id: String,
    campaign: Named,
    price: Dollars,
    status: ReturnStatus,
    /// One of the campaign's.
    reason: String,
    /// What the buyer wrote.
    note: String,
    assigned_at: Option<Time>,
    requested_at: Option<Time>,
    /// Null until it is decided.
    decided_at: Option<Time>,
    /// What the seller wrote.
    decision_note: String,
    /// The campaign's policy decided.
    automatic: bool,
}

impl ReturnView {
    fn of(one: proto::Return) -> Self {
        Self {
            status: ReturnStatus::of(one.state()),
            id: one.return_id,
            assignment_id: one.assignment_id,
            lead_id: one.lead_id,
            buyer_id: one.buyer_id,
            campaign: Named { id: one.campaign_id, name: one.campaign_name },
            price: Dollars::of(one.price.as_ref()),
            reason: one.reason,
            note: one.note,
            assigned_at: Time::from_ms(one.assigned_at_ms),
            requested_at: Time::from_ms(one.requested_at_ms),
            decided_at: Time::from_ms(one.decided_at_ms),
            decision_note: one.decision_note,
            automatic: one.automatic,
        }
    }
}

#[derive(Serialize, ToSchema)]
struct ReturnAnswer {
    message: &'static str,
    r#return: ReturnView,
}

#[derive(Serialize, ToSchema)]
struct OneReturn {
    r#return: ReturnView,
}

#[derive(Serialize, ToSchema)]
struct Returns {
    returns: Vec<ReturnView>,
    pagination: Pagination,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ReturnWish)]
struct Wish {
    /// One of the campaign's.
    reason: String,
    /// At most 2,000 characters.
    #[serde(default)]
    note: String,
}

async fn ask(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<AssignmentId>,
    repeat: Repeat,
    Body(body): Body<Wish>,
) -> Result<(StatusCode, Json<ReturnAnswer>), Problem> {
    let return_id: ReturnId = repeat.id(&me.user.user_id, &format!("return {id}"));
    let message = RequestReturnRequest {
        return_id: return_id.to_string(),
        assignment_id: id.to_string(),
        buyer_id: me.buyer()?.to_string(),
        reason: body.reason,
        note: body.note,
    };
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    let made = ReturnView::of(api.services.returns().request_return(request).await?.into_inner());
    let message = if made.status == ReturnStatus::Approved { "Return approved" } else { "Return requested" };
    Ok((CREATED, Json(ReturnAnswer { message, r#return: made })))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReturnQuestion)]
struct Asked {
    status: Option<ReturnStatus>,
    /// A campaign's id.
    campaign: Option<String>,
    /// A buyer's id; for sellers.
    buyer: Option<String>,
    /// Asked for on this day or later, or at this moment or later.
    start_date: Option<String>,
    /// A day, which is included, or a moment.
    end_date: Option<String>,
    #[schema(minimum = 1)]
    page: Option<u32>,
    /// Rows at most, 1 to 200; 50 when not given.
    #[schema(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

async fn list(State(api): State<Api>, me: Me, Query(asked): Query<Asked>) -> Result<Json<Returns>, Problem> {
    let limit = limit(asked.limit, USUAL_PAGE)?;
    let page = asked.page.unwrap_or(1);
    if page == 0 || page.saturating_mul(limit) > MAX_ROWS {
        return Err(bad_query(format!("page must be at least 1, and page times limit at most {MAX_ROWS}")));
    }
    let (from_ms, until_ms) = dates::bounds(asked.start_date.as_deref(), asked.end_date.as_deref())?;
    let buyer_id = if me.role() == Role::Buyer {
        if asked.buyer.is_some() {
            return Err(bad_query("buyer is for sellers"));
        }
        me.buyer()?.to_string()
    } else {
        id_or_none::<BuyerId>(asked.buyer, "buyer must be a buyer's id")?
    };
    let message = ListReturnsRequest {
        buyer_id,
        campaign_id: id_or_none::<CampaignId>(asked.campaign, "campaign must be a campaign's id")?,
        states: asked.status.map(|status| status.to_proto().into()).into_iter().collect(),
        from_ms,
        until_ms,
        page,
        limit,
    };
    let listed = api.services.returns().list_returns(api.services.request(me.tenant()?, message)).await?.into_inner();
    let returns = listed.returns.into_iter().map(ReturnView::of).collect();
    Ok(Json(Returns { returns, pagination: Pagination::of(page, limit, listed.total) }))
}

async fn show(State(api): State<Api>, me: Me, PathId(id): PathId<ReturnId>) -> Result<Json<OneReturn>, Problem> {
    let buyer_id = if me.role() == Role::Buyer { me.buyer()?.to_string() } else { String::new() };
    let message = GetReturnRequest { return_id: id.to_string(), buyer_id };
    let found = api.services.returns().get_return(api.services.request(me.tenant()?, message)).await?.into_inner();
    Ok(Json(OneReturn { r#return: ReturnView::of(found) }))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ReturnDecision)]
struct Decision {
    /// For the buyer; at most 2,000 characters.
    #[serde(default)]
    note: String,
}

async fn decide(api: &Api, me: &Me, id: ReturnId, approve: bool, body: Decision) -> Result<ReturnView, Problem> {
    let message = DecideReturnRequest { return_id: id.to_string(), approve, note: body.note };
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    Ok(ReturnView::of(api.services.returns().decide_return(request).await?.into_inner()))
}

async fn approve(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<ReturnId>,
    Body(body): Body<Decision>,
) -> Result<Json<ReturnAnswer>, Problem> {
    let decided = decide(&api, &me, id, true, body).await?;
    Ok(Json(ReturnAnswer { message: "Return approved", r#return: decided }))
}

async fn reject(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<ReturnId>,
    Body(body): Body<Decision>,
) -> Result<Json<ReturnAnswer>, Problem> {
    let decided = decide(&api, &me, id, false, body).await?;
    Ok(Json(ReturnAnswer { message: "Return rejected", r#return: decided }))
}
