//! What a webhook is to its owner, and to notifier.

use std::collections::HashMap;

use leadflow_contracts::notifier::{
    AnswerMeaning, AnswerRule, AnswerRules, BasicAuth, BearerAuth, Endpoint, EndpointAuth, EndpointEvents,
    endpoint_auth::How,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::{
    problem::{Problem, invalid},
    values::Time,
};

/// What a webhook is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookEvent)]
pub(in super::super) enum Event {
    #[serde(rename = "lead.assigned")]
    LeadAssigned,
    #[serde(rename = "lead.returned")]
    LeadReturned,
    #[serde(rename = "wallet.low_balance")]
    WalletLowBalance,
    #[serde(rename = "payment.failed")]
    PaymentFailed,
}

pub(in super::super) const EVENTS: [(Event, &str); 4] = [
    (Event::LeadAssigned, "lead.assigned"),
    (Event::LeadReturned, "lead.returned"),
    (Event::WalletLowBalance, "wallet.low_balance"),
    (Event::PaymentFailed, "payment.failed"),
];

/// A header that is sent with each request.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookHeader)]
pub(super) struct Header {
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
pub(super) struct Auth {
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
pub(super) struct Rules {
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

    pub(super) fn to_proto(&self) -> AnswerRules {
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

pub(super) fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Webhook {
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
    pub(super) version: u64,
}

impl Webhook {
    pub(super) fn of(endpoint: Endpoint) -> Self {
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

pub(super) fn events(events: &[Event]) -> EndpointEvents {
    let name = |event: &Event| EVENTS.into_iter().find(|(known, _)| known == event).map(|(_, name)| name.to_owned());
    EndpointEvents { names: events.iter().filter_map(name).collect() }
}

pub(super) fn headers(headers: &[Header]) -> Result<HashMap<String, String>, Problem> {
    let mut map = HashMap::with_capacity(headers.len());
    for Header { name, value } in headers {
        if map.insert(name.to_ascii_lowercase(), value.clone()).is_some() {
            return Err(invalid("headers", "must have each name once"));
        }
    }
    Ok(map)
}

pub(super) fn auth(auth: &Auth) -> Result<EndpointAuth, Problem> {
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
