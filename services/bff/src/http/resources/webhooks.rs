//! A buyer's webhooks: several, each for some events and in its own form.

mod form;

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use leadflow_contracts::notifier::{
    DeleteEndpointRequest, Endpoint, EndpointFormat, GetEndpointRequest, ListEndpointsRequest, PutEndpointRequest,
    RotateEndpointSecretRequest, SendSampleRequest,
};
use leadflow_kernel::EndpointId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BUYERS, CREATED, OK};
use crate::http::{
    Api,
    input::{Body, PathId, Repeat},
    problem::{Problem, rename_fields},
    session::Me,
    table::Route,
    values::present,
    versions::{IfMatch, Versioned, made_once, put_back},
};
use form::{Auth, Header, Rules, Webhook, auth, events, headers, some};
pub(super) use form::{EVENTS, Event};

const LIST: &str = "/api/notifications/endpoints";
const ONE: &str = "/api/notifications/endpoints/{id}";
const TEST: &str = "/api/notifications/endpoints/{id}/test";
const ROTATE: &str = "/api/notifications/endpoints/{id}/rotate-secret";
/// Longer than notifier waits for a receiver.
const RECEIVERS_TIME: Duration = Duration::from_secs(35);

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get(LIST, BUYERS, "One's webhooks, in the order they were made", list)
            .answers::<Webhooks>(OK, "Webhooks"),
        Route::post(LIST, BUYERS, "Make a webhook; at most 20", create)
            .body::<NewWebhook>()
            .answers::<WebhookAnswer>(CREATED, "Made")
            .refuses(StatusCode::CONFLICT, "`endpoint_deleted`: this request made one before, and it was deleted since")
            .versioned(),
        Route::put(ONE, BUYERS, "Change a webhook; what is not given stays", update)
            .body::<WebhookChange>()
            .answers::<WebhookAnswer>(OK, "Changed")
            .versioned(),
        Route::delete(ONE, BUYERS, "Delete a webhook; what waits for it is given up", delete)
            .answers_nothing(StatusCode::NO_CONTENT, "Deleted, now or before")
            .versioned(),
        Route::post(TEST, BUYERS, "Send a made-up lead to a webhook", test)
            .answers::<TestAnswer>(OK, "Sent; what came back"),
        Route::post(ROTATE, BUYERS, "A new secret; for 24 hours deliveries are signed with the old one, too", rotate)
            .body::<NewSecret>()
            .answers::<WebhookAnswer>(OK, "Replaced")
            .versioned(),
    ]
}

#[derive(Serialize, ToSchema)]
struct Webhooks {
    endpoints: Vec<Webhook>,
}

#[derive(Serialize, ToSchema)]
struct WebhookAnswer {
    message: &'static str,
    endpoint: Webhook,
}

async fn list(State(api): State<Api>, me: Me) -> Result<Json<Webhooks>, Problem> {
    let request = api.services.request(me.tenant()?, ListEndpointsRequest { buyer_id: me.buyer()?.to_string() });
    let listed = api.services.endpoints().list_endpoints(request).await?.into_inner();
    Ok(Json(Webhooks { endpoints: listed.endpoints.into_iter().map(Webhook::of).collect() }))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct NewWebhook {
    url: String,
    #[serde(default)]
    name: String,
    /// On unless it is false.
    enabled: Option<bool>,
    /// `lead.assigned` when not given.
    events: Option<Vec<Event>>,
    #[serde(default)]
    headers: Vec<Header>,
    auth: Option<Auth>,
    body_template: Option<String>,
    /// JSON when not given.
    content_type: Option<String>,
    answer: Option<Rules>,
    concurrency: Option<u32>,
    /// At least 16 characters; one is made when it is not given.
    secret: Option<String>,
}

async fn create(
    State(api): State<Api>,
    me: Me,
    repeat: Repeat,
    Body(body): Body<NewWebhook>,
) -> Result<(StatusCode, Versioned<WebhookAnswer>), Problem> {
    let id: EndpointId = repeat.id(&me.user.user_id, "endpoint");
    let format = EndpointFormat {
        headers: headers(&body.headers)?,
        auth: body.auth.as_ref().map(auth).transpose()?,
        body_template: body.body_template.unwrap_or_default(),
        content_type: body.content_type.unwrap_or_default(),
        answer: body.answer.as_ref().map(Rules::to_proto),
    };
    let message = PutEndpointRequest {
        endpoint_id: id.to_string(),
        buyer_id: me.buyer()?.to_string(),
        url: body.url,
        secret: body.secret.unwrap_or_default(),
        enabled: body.enabled.unwrap_or(true),
        expected_version: Some(0),
        name: Some(body.name),
        events: body.events.as_deref().map(events),
        format: Some(format),
        concurrency: Some(body.concurrency.unwrap_or(0)),
        // The id follows from the request: one that is repeated late does not bring back what was deleted since.
        keep_deleted: true,
    };
    let known = || async { Ok(Webhook::of(one(&api, &me, id).await?)) };
    let endpoint = made_once(put(&api, &me, message), known, |webhook| webhook.version).await?;
    Ok((CREATED, Versioned(endpoint.version, WebhookAnswer { message: "Webhook made", endpoint })))
}

async fn put(api: &Api, me: &Me, message: PutEndpointRequest) -> Result<Webhook, Problem> {
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    Ok(Webhook::of(api.services.notifier().put_endpoint(request).await.map_err(named)?.into_inner()))
}

/// The fields as they are called here.
fn named(status: tonic::Status) -> Problem {
    rename_fields(status.into(), &[("webhookUrl", "url"), ("webhookSecret", "secret")])
}

async fn one(api: &Api, me: &Me, id: EndpointId) -> Result<Endpoint, Problem> {
    let message = GetEndpointRequest { buyer_id: me.buyer()?.to_string(), endpoint_id: id.to_string() };
    Ok(api.services.notifier().get_endpoint(api.services.request(me.tenant()?, message)).await?.into_inner())
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WebhookChange {
    url: Option<String>,
    name: Option<String>,
    enabled: Option<bool>,
    events: Option<Vec<Event>>,
    /// All of them; those that are not named are sent no more.
    headers: Option<Vec<Header>>,
    /// Null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Auth>)]
    auth: Option<Option<Auth>>,
    /// Null: the usual JSON.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    body_template: Option<Option<String>>,
    content_type: Option<String>,
    /// Null: answers are read by their status.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Rules>)]
    answer: Option<Option<Rules>>,
    /// Null: as many as usual.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    concurrency: Option<Option<u32>>,
    /// Another one at once: the old one is good no more. See `rotate-secret`.
    secret: Option<String>,
}

impl WebhookChange {
    /// How it is called and understood, with what stays; `None`: all of it.
    fn format(&self, known: EndpointFormat) -> Result<Option<EndpointFormat>, Problem> {
        let template = self.body_template.is_some() || self.content_type.is_some();
        if self.headers.is_none() && self.auth.is_none() && self.answer.is_none() && !template {
            return Ok(None);
        }
        let (headers, auth) = (
            self.headers.as_deref().map_or(Ok(known.headers), headers)?,
            match &self.auth {
                None => known.auth,
                Some(given) => given.as_ref().map(auth).transpose()?,
            },
        );
        let body_template = self.body_template.clone().map_or(known.body_template, Option::unwrap_or_default);
        let content_type = if body_template.is_empty() {
            String::new()
        } else {
            self.content_type.clone().unwrap_or(known.content_type)
        };
        let answer = match &self.answer {
            None => known.answer,
            Some(given) => given.as_ref().map(Rules::to_proto),
        };
        Ok(Some(EndpointFormat { headers, auth, body_template, content_type, answer }))
    }
}

async fn update(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<EndpointId>,
    if_match: IfMatch,
    Body(body): Body<WebhookChange>,
) -> Result<Versioned<WebhookAnswer>, Problem> {
    let change = |known: Endpoint| {
        let (api, me, body) = (&api, &me, &body);
        async move {
            let message = PutEndpointRequest {
                format: body.format(known.format.unwrap_or_default())?,
                endpoint_id: known.endpoint_id,
                buyer_id: known.buyer_id,
                url: body.url.clone().unwrap_or(known.url),
                secret: body.secret.clone().unwrap_or_default(),
                enabled: body.enabled.unwrap_or(known.enabled),
                expected_version: Some(known.version),
                name: body.name.clone(),
                events: body.events.as_deref().map(events),
                concurrency: body.concurrency.map(Option::unwrap_or_default),
                keep_deleted: true,
            };
            put(api, me, message).await
        }
    };
    let endpoint = put_back(&if_match, || one(&api, &me, id), |known: &Endpoint| known.version, change).await?;
    Ok(Versioned(endpoint.version, WebhookAnswer { message: "Webhook updated", endpoint }))
}

async fn delete(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<EndpointId>,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let expected_version = if if_match.is_given() {
        let known = one(&api, &me, id).await?;
        if_match.check(known.version)?;
        Some(known.version)
    } else {
        None
    };
    let message =
        DeleteEndpointRequest { buyer_id: me.buyer()?.to_string(), endpoint_id: id.to_string(), expected_version };
    api.services.endpoints().delete_endpoint(api.services.request_by(&me.user, me.tenant()?, message)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookTest)]
struct TestAnswer {
    /// Whether it would count as arrived.
    success: bool,
    /// Null: it did not answer.
    status_code: Option<u32>,
    duration_ms: u32,
    /// How the webhook's rules read the answer; null: they say nothing of it.
    meaning: Option<String>,
    /// Why there was no answer.
    error: Option<String>,
    /// What else there is to know, in words: that the answer was cut off; null: nothing.
    note: Option<String>,
    /// What it answered, at most 16 KiB.
    response: String,
}

async fn test(State(api): State<Api>, me: Me, PathId(id): PathId<EndpointId>) -> Result<Json<TestAnswer>, Problem> {
    let message = SendSampleRequest { buyer_id: me.buyer()?.to_string(), endpoint_id: id.to_string() };
    let mut request = api.services.request(me.tenant()?, message);
    request.set_timeout(RECEIVERS_TIME);
    let attempt = api.services.notifier().send_sample(request).await?.into_inner();
    Ok(Json(TestAnswer {
        success: match attempt.meaning.as_str() {
            "" => (200..300).contains(&attempt.status_code),
            meaning => meaning == "ACCEPTED",
        },
        status_code: Some(attempt.status_code).filter(|code| *code != 0),
        duration_ms: attempt.duration_ms,
        meaning: some(attempt.meaning),
        error: some(attempt.error),
        note: some(attempt.note),
        response: attempt.response,
    }))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = NewWebhookSecret)]
struct NewSecret {
    /// At least 16 characters; one is made when it is not given.
    secret: Option<String>,
}

async fn rotate(
    State(api): State<Api>,
    me: Me,
    PathId(id): PathId<EndpointId>,
    Body(body): Body<NewSecret>,
) -> Result<Versioned<WebhookAnswer>, Problem> {
    let message = RotateEndpointSecretRequest {
        buyer_id: me.buyer()?.to_string(),
        endpoint_id: id.to_string(),
        secret: body.secret.unwrap_or_default(),
    };
    let request = api.services.request_by(&me.user, me.tenant()?, message);
    let endpoint = api.services.endpoints().rotate_endpoint_secret(request).await.map_err(named)?.into_inner();
    let endpoint = Webhook::of(endpoint);
    Ok(Versioned(endpoint.version, WebhookAnswer { message: "Secret replaced", endpoint }))
}
