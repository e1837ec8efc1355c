//! A buyer's webhooks: several, each for some events and in its own form.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use leadflow_contracts::notifier::{
    AnswerMeaning, AnswerRule, AnswerRules, BasicAuth, BearerAuth, DeleteEndpointRequest, Endpoint, EndpointAuth,
    EndpointEvents, EndpointFormat, GetEndpointRequest, ListEndpointsRequest, PutEndpointRequest,
    RotateEndpointSecretRequest, SendSampleRequest, endpoint_auth::How,
};
use leadflow_kernel::EndpointId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{BUYERS, CREATED, OK};
use crate::http::{
    Api,
    input::{Body, PathId, Repeat},
    problem::{Problem, invalid, rename_fields},
    session::Me,
    table::Route,
    values::{Time, present},
    versions::{IfMatch, Versioned, made_once, put_back},
};

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

/// What a webhook is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookEvent)]
pub(super) enum Event {
    #[serde(rename = "lead.assigned")]
    LeadAssigned,
    #[serde(rename = "lead.returned")]
    LeadReturned,
    #[serde(rename = "wallet.low_balance")]
    WalletLowBalance,
    #[serde(rename = "payment.failed")]
    PaymentFailed,
}

pub(super) const EVENTS: [(Event, &str); 4] = [
    (Event::LeadAssigned, "lead.assigned"),
    (Event::LeadReturned, "lead.returned"),
    (Event::WalletLowBalance, "wallet.low_balance"),
    (Event::PaymentFailed, "payment.failed"),
];

/// A header that is sent with each request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookHeader)]
struct Header {
    name: String,
    /// Shown as `********`; given back like that, it stays.
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = WebhookAuthType)]
enum AuthType {
    /// `user` and `password`.
    Basic,
    /// `token`.
    Bearer,
}

/// What the receiver asks for in `Authorization`. Values are shown as `********`; given back like that, they stay.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookAuth)]
struct Auth {
    r#type: AuthType,
    user: Option<String>,
    password: Option<String>,
    token: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = WebhookMeaning)]
enum Meaning {
    /// It has the lead.
    Accepted,
    /// Refused: it has this person already.
    Duplicate,
    /// Refused.
    Rejected,
    /// It is sent again later.
    Retry,
}

impl Meaning {
    const fn of(meaning: AnswerMeaning) -> Self {
        match meaning {
            AnswerMeaning::Accepted => Self::Accepted,
            AnswerMeaning::Duplicate => Self::Duplicate,
            AnswerMeaning::Rejected => Self::Rejected,
            AnswerMeaning::Retry | AnswerMeaning::Unspecified => Self::Retry,
        }
    }

    const fn to_proto(self) -> AnswerMeaning {
        match self {
            Self::Accepted => AnswerMeaning::Accepted,
            Self::Duplicate => AnswerMeaning::Duplicate,
            Self::Rejected => AnswerMeaning::Rejected,
            Self::Retry => AnswerMeaning::Retry,
        }
    }
}

/// Fits an answer when all fit that are set.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookAnswerRule)]
struct Rule {
    /// One of these; none: any 2xx and 4xx but 408, 425 and 429.
    #[serde(default)]
    statuses: Vec<u32>,
    /// A JSON pointer (RFC 6901) at which something is.
    pointer: Option<String>,
    /// What is there, as text; none: anything.
    equals: Option<String>,
    /// Somewhere in the answer's first 16 KiB.
    contains: Option<String>,
    means: Meaning,
}

/// How answers are read. The first rule that fits decides; without one the status does.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookAnswerRules)]
struct Rules {
    /// At most 20.
    rules: Vec<Rule>,
    /// A JSON pointer to the reason of a refusal; none: the answer's beginning.
    reason_pointer: Option<String>,
}

impl Rules {
    fn of(rules: AnswerRules) -> Self {
        let rule = |rule: AnswerRule| Rule {
            means: Meaning::of(rule.means()),
            statuses: rule.statuses,
            pointer: some(rule.json_pointer),
            equals: some(rule.equals),
            contains: some(rule.contains),
        };
        Self { rules: rules.rules.into_iter().map(rule).collect(), reason_pointer: some(rules.because_pointer) }
    }

    fn to_proto(&self) -> AnswerRules {
        let rule = |rule: &Rule| AnswerRule {
            statuses: rule.statuses.clone(),
            json_pointer: rule.pointer.clone().unwrap_or_default(),
            equals: rule.equals.clone().unwrap_or_default(),
            contains: rule.contains.clone().unwrap_or_default(),
            means: rule.means.to_proto().into(),
        };
        AnswerRules {
            rules: self.rules.iter().map(rule).collect(),
            because_pointer: self.reason_pointer.clone().unwrap_or_default(),
        }
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Webhook {
    id: String,
    name: String,
    url: String,
    enabled: bool,
    /// Why it was switched off by the system.
    disabled_reason: Option<String>,
    /// The first failure since the last success.
    failing_since: Option<Time>,
    events: Vec<Event>,
    headers: Vec<Header>,
    auth: Option<Auth>,
    /// The body's form, over `event`, `timestamp` and the fields of `lead`; null: the usual JSON.
    body_template: Option<String>,
    /// `application/json` or `application/x-www-form-urlencoded`; null without a template.
    content_type: Option<String>,
    answer: Option<Rules>,
    /// Requests at once, at most; null: as many as usual.
    concurrency: Option<u32>,
    /// What deliveries are signed with.
    secret: String,
    /// Until then they are signed with the secret before, too.
    old_secret_until: Option<Time>,
    #[serde(skip)]
    version: u64,
}

impl Webhook {
    fn of(endpoint: Endpoint) -> Self {
        let format = endpoint.format.unwrap_or_default();
        let mut headers: Vec<Header> = format.headers.into_iter().map(|(name, value)| Header { name, value }).collect();
        headers.sort_by(|a, b| a.name.cmp(&b.name));
        let auth = format.auth.and_then(|auth| auth.how).map(|how| match how {
            How::Basic(basic) => {
                Auth { r#type: AuthType::Basic, user: Some(basic.user), password: Some(basic.password), token: None }
            }
            How::Bearer(bearer) => {
                Auth { r#type: AuthType::Bearer, user: None, password: None, token: Some(bearer.token) }
            }
        });
        let told = |name: &String| EVENTS.into_iter().find(|(_, known)| known == name).map(|(event, _)| event);
        Self {
            id: endpoint.endpoint_id,
            name: endpoint.name,
            url: endpoint.url,
            enabled: endpoint.enabled,
            disabled_reason: some(endpoint.disabled_reason),
            failing_since: Time::from_ms(endpoint.failing_since_ms),
            events: endpoint.events.iter().filter_map(told).collect(),
            headers,
            auth,
            body_template: some(format.body_template),
            content_type: some(format.content_type),
            answer: format.answer.map(Rules::of),
            concurrency: Some(endpoint.concurrency).filter(|requests| *requests > 0),
            secret: endpoint.secret,
            old_secret_until: Time::from_ms(endpoint.old_secret_until_ms),
            version: endpoint.version,
        }
    }
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

fn events(events: &[Event]) -> EndpointEvents {
    let name = |event: &Event| EVENTS.into_iter().find(|(known, _)| known == event).map(|(_, name)| name.to_owned());
    EndpointEvents { names: events.iter().filter_map(name).collect() }
}

fn headers(headers: &[Header]) -> Result<std::collections::HashMap<String, String>, Problem> {
    let mut map = std::collections::HashMap::with_capacity(headers.len());
    for Header { name, value } in headers {
        if map.insert(name.to_ascii_lowercase(), value.clone()).is_some() {
            return Err(invalid("headers", "must have each name once"));
        }
    }
    Ok(map)
}

fn auth(auth: &Auth) -> Result<EndpointAuth, Problem> {
    let given = |value: &Option<String>, field: &str| value.clone().ok_or_else(|| invalid(field, "is required"));
    let how = match auth.r#type {
        AuthType::Basic => How::Basic(BasicAuth {
            user: given(&auth.user, "auth.user")?,
            password: given(&auth.password, "auth.password")?,
        }),
        AuthType::Bearer => How::Bearer(BearerAuth { token: given(&auth.token, "auth.token")? }),
    };
    Ok(EndpointAuth { how: Some(how) })
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
