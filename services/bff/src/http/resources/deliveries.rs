//! What was sent to a buyer's webhooks, what came of it, and sending it again.

use axum::{Json, extract::State};
use chrono::DateTime;
use leadflow_contracts::{
    accounts::GetBuyerRequest,
    notifier::{self as proto, ListDeliveriesRequest, ReplayDeliveriesRequest},
};
use leadflow_kernel::{BuyerId, DeliveryId, EndpointId, SellerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BUYERS, OK, SEEING_SELLERS};
use crate::http::{
    Api,
    input::{Body, Page, PathId, Query, next_after},
    problem::{Problem, invalid},
    session::Me,
    table::Route,
    values::Time,
};

const OWN: &str = "/api/notifications/deliveries";
const OF_BUYER: &str = "/api/buyers/{id}/deliveries";
const AGAIN: &str = "/api/notifications/deliveries/{id}/replay";
const RANGE: &str = "/api/notifications/endpoints/{id}/replay";

pub(in crate::http) fn routes() -> Vec<Route> {
    let conflict = axum::http::StatusCode::CONFLICT;
    vec![
        Route::get(OWN, BUYERS, "What was sent to one's webhooks, the newest first, with every attempt", own)
            .query::<Page>()
            .answers::<Deliveries>(OK, "Deliveries"),
        Route::get(
            OF_BUYER,
            SEEING_SELLERS,
            "What was sent to a buyer's webhooks, without what they answered",
            of_buyer,
        )
        .query::<Page>()
        .answers::<Deliveries>(OK, "Deliveries"),
        Route::post(AGAIN, BUYERS, "Send a delivery that has ended again, with the same webhook-id", again)
            .answers::<Replayed>(OK, "It is on its way")
            .refuses(
                conflict,
                "`delivery_waits`: it has not ended; `delivery_refused`: its lead was given back; `delivery_masked`: its lead's personal data was removed; \
                 `endpoint_off`",
            ),
        Route::post(RANGE, BUYERS, "Send what a webhook was sent in a time again, at most 10,000 deliveries", range)
            .body::<ReplayRange>()
            .answers::<Replayed>(OK, "They are on their way")
            .refuses(conflict, "`endpoint_off`"),
    ]
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeliveryAttempt)]
struct Attempt {
    number: u32,
    started_at: Option<Time>,
    duration_ms: u32,
    /// Null: there was no answer.
    status_code: Option<u32>,
    /// What was wrong, in words.
    error: Option<String>,
    /// `ACCEPTED`, `DUPLICATE`, `REJECTED` or `RETRY`, as the webhook's rules read the answer; null: they say nothing of it.
    meaning: Option<String>,
    /// What else there is to know of it, in words: that the answer was cut off; null: nothing.
    note: Option<String>,
    /// What came back, to its owner alone.
    response: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    id: String,
    event: String,
    endpoint_id: String,
    /// Null: it tells of no lead.
    lead_id: Option<String>,
    assignment_id: Option<String>,
    /// `PENDING`, `DELIVERED`, `REFUSED` (by the receiver's answer), `GAVE_UP`.
    status: String,
    /// Why it did not arrive, or what became of sending it again, in words.
    reason: Option<String>,
    created_at: Option<Time>,
    ended_at: Option<Time>,
    next_attempt_at: Option<Time>,
    attempts: Vec<Attempt>,
}

impl Delivery {
    fn of(delivery: proto::Delivery, of_owner: bool) -> Self {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let attempt = |attempt: proto::Attempt| Attempt {
            number: attempt.number,
            started_at: Time::from_ms(attempt.started_at_ms),
            duration_ms: attempt.duration_ms,
            status_code: Some(attempt.status_code).filter(|code| *code != 0),
            error: some(attempt.error),
            meaning: some(attempt.meaning),
            note: some(attempt.note),
            response: Some(attempt.response).filter(|_| of_owner),
        };
        let waits = delivery.status == "PENDING";
        Self {
            id: delivery.delivery_id,
            event: delivery.event,
            endpoint_id: delivery.endpoint_id,
            lead_id: some(delivery.lead_id),
            assignment_id: some(delivery.assignment_id),
            status: delivery.status,
            reason: some(delivery.error),
            created_at: Time::from_ms(delivery.created_at_ms),
            ended_at: Time::from_ms(delivery.ended_at_ms),
            next_attempt_at: Time::from_ms(delivery.next_attempt_at_ms).filter(|_| waits),
            attempts: delivery.attempts.into_iter().map(attempt).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Deliveries {
    deliveries: Vec<Delivery>,
    /// Asks for the next page as `after`.
    next_after: Option<String>,
}

async fn page(
    api: &Api,
    tenant: SellerId,
    buyer: BuyerId,
    page: &Page,
    of_owner: bool,
) -> Result<Json<Deliveries>, Problem> {
    let (limit, before) = page.bounds::<DeliveryId>()?;
    let message = ListDeliveriesRequest { buyer_id: buyer.to_string(), limit, before };
    let listed = api.services.notifier().list_deliveries(api.services.request(tenant, message)).await?.into_inner();
    let deliveries: Vec<_> = listed.deliveries.into_iter().map(|delivery| Delivery::of(delivery, of_owner)).collect();
    let next_after = next_after(&deliveries, limit, |delivery| &delivery.id);
    Ok(Json(Deliveries { deliveries, next_after }))
}

async fn own(State(api): State<Api>, me: Me, Query(asked): Query<Page>) -> Result<Json<Deliveries>, Problem> {
    page(&api, me.tenant()?, me.buyer()?, &asked, true).await
}

async fn of_buyer(
    State(api): State<Api>,
    me: Me,
    PathId(buyer): PathId<BuyerId>,
    Query(asked): Query<Page>,
) -> Result<Json<Deliveries>, Problem> {
    let tenant = me.tenant()?;
    let request = api.services.request(tenant, GetBuyerRequest { buyer_id: buyer.to_string() });
    api.services.accounts().get_buyer(request).await?;
    page(&api, tenant, buyer, &asked, false).await
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReplayAnswer)]
struct Replayed {
    message: &'static str,
    /// How many are on their way again.
    replayed: u32,
    /// There are more: ask again with it as `after`.
    next_after: Option<String>,
}

async fn replay(api: &Api, me: &Me, message: ReplayDeliveriesRequest) -> Result<Json<Replayed>, Problem> {
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    let answer = api.services.endpoints().replay_deliveries(request).await?.into_inner();
    Ok(Json(Replayed {
        message: "Sent again",
        replayed: answer.replayed,
        next_after: Some(answer.next_after).filter(|next| !next.is_empty()),
    }))
}

async fn again(State(api): State<Api>, me: Me, PathId(id): PathId<DeliveryId>) -> Result<Json<Replayed>, Problem> {
    let message = ReplayDeliveriesRequest {
        buyer_id: me.buyer()?.to_string(),
        delivery_id: id.to_string(),
        ..ReplayDeliveriesRequest::default()
    };
    replay(&api, &me, message).await
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReplayRange {
    /// What was made then or later, such as 2026-11-23T08:00:00Z.
    from: String,
    /// And before then; at most 31 days later.
    until: String,
    /// Only what did not arrive.
    #[serde(default)]
    failed_only: bool,
    /// `nextAfter` of the answer before.
    after: Option<String>,
}

async fn range(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<EndpointId>,
    Body(body): Body<ReplayRange>,
) -> Result<Json<Replayed>, Problem> {
    let moment = |field: &str, text: &str| {
        let read = DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_millis());
        read.ok().filter(|ms| *ms > 0).ok_or_else(|| invalid(field, "must be a time such as 2026-11-23T08:00:00Z"))
    };
    let after = body.after.unwrap_or_default();
    if !after.is_empty() && after.parse::<DeliveryId>().is_err() {
        return Err(invalid("after", "must be nextAfter of the answer before"));
    }
    let message = ReplayDeliveriesRequest {
        buyer_id: me.buyer()?.to_string(),
        endpoint_id: id.to_string(),
        from_ms: moment("from", &body.from)?,
        until_ms: moment("until", &body.until)?,
        failed_only: body.failed_only,
        after,
        ..ReplayDeliveriesRequest::default()
    };
    replay(&api, &me, message).await
}
