//! E-mails and text messages to a buyer: what became of each.

use axum::{Json, extract::State};
use leadflow_contracts::{
    accounts::GetBuyerRequest,
    notifier::{Attempt, ListMessagesRequest, SentMessage},
};
use leadflow_kernel::{BuyerId, MessageId};
use serde::Serialize;
use utoipa::ToSchema;

use super::{BUYERS, OK, SEEING_SELLERS};
use crate::http::{
    Api,
    input::{Page, PathId, Query, next_after},
    problem::Problem,
    session::Me,
    table::Route,
    values::Time,
};

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get(
            "/api/notifications/messages",
            BUYERS,
            "E-mails and text messages to oneself, the newest first",
            own,
        )
        .query::<Page>()
        .answers::<Messages>(OK, "Messages"),
        Route::get("/api/buyers/{id}/messages", SEEING_SELLERS, "E-mails and text messages to a buyer", of_buyer)
            .query::<Page>()
            .answers::<Messages>(OK, "Messages"),
    ]
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MessageAttempt {
    number: u32,
    at: Option<Time>,
    duration_ms: u32,
    /// What the provider answered; null when it did not.
    status_code: Option<u32>,
    /// What was wrong, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    error: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NotificationMessage)]
struct MessageView {
    id: String,
    /// `EMAIL` or `SMS`.
    channel: String,
    /// `LEAD_ASSIGNED`, `LOW_BALANCE`, `DAILY_SUMMARY` and so on.
    kind: String,
    /// Address or number; empty before the first attempt.
    recipient: String,
    /// `WAITING`; `SENT`: its provider has it; `DELIVERED` or `BOUNCED`: its provider told so; `REFUSED`: not tried again;
    /// `EXPIRED`: of no use any more; `SUPPRESSED`: not sent, because it was not wanted or the address is dead.
    status: String,
    /// Why it did not arrive, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    error: String,
    /// What it is about.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    lead_id: String,
    created_at: Option<Time>,
    /// Null while it waits.
    ended_at: Option<Time>,
    /// Null when it is not tried again.
    next_attempt_at: Option<Time>,
    attempts: Vec<MessageAttempt>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = NotificationMessages)]
struct Messages {
    messages: Vec<MessageView>,
    /// For the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<String>,
}

fn attempt(attempt: Attempt) -> MessageAttempt {
    MessageAttempt {
        number: attempt.number,
        at: Time::from_ms(attempt.started_at_ms),
        duration_ms: attempt.duration_ms,
        status_code: Some(attempt.status_code).filter(|code| *code != 0),
        error: attempt.error,
    }
}

fn view(message: SentMessage) -> MessageView {
    MessageView {
        id: message.message_id,
        channel: message.channel,
        kind: message.kind,
        recipient: message.recipient,
        status: message.status,
        error: message.error,
        lead_id: message.lead_id,
        created_at: Time::from_ms(message.created_at_ms),
        ended_at: Time::from_ms(message.ended_at_ms),
        next_attempt_at: Time::from_ms(message.next_attempt_at_ms),
        attempts: message.attempts.into_iter().map(attempt).collect(),
    }
}

async fn own(State(api): State<Api>, me: Me, Query(page): Query<Page>) -> Result<Json<Messages>, Problem> {
    list(&api, &me, me.buyer()?, &page).await
}

async fn of_buyer(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<BuyerId>,
    Query(page): Query<Page>,
) -> Result<Json<Messages>, Problem> {
    // Whether there is such a buyer is accounts' knowledge.
    let message = GetBuyerRequest { buyer_id: id.to_string() };
    api.services.accounts().get_buyer(api.services.request(me.tenant()?, message)).await?;
    list(&api, &me, id, &page).await
}

async fn list(api: &Api, me: &Me, buyer: BuyerId, page: &Page) -> Result<Json<Messages>, Problem> {
    let (limit, before) = page.bounds::<MessageId>()?;
    let message = ListMessagesRequest { buyer_id: buyer.to_string(), limit, before };
    let listed = api.services.messages().list_messages(api.services.request(me.tenant()?, message)).await?;
    let messages: Vec<_> = listed.into_inner().messages.into_iter().map(view).collect();
    let next_after = next_after(&messages, limit, |message| &message.id);
    Ok(Json(Messages { messages, next_after }))
}
