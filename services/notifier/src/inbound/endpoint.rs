//! Endpoints between the contract's messages and our values.

use leadflow_contracts::{
    notifier::{self as proto, endpoint_auth::How},
    time_to_ms,
};
use leadflow_notifier_domain::{
    AnswerRule, AnswerRules, Auth, BodyKind, BodyTemplate, Credentials, EventKind, Meaning,
};
use leadflow_platform::grpc::status;
use tonic::{Code, Status};

use super::grpc::read;
use crate::app::{EndpointView, Format, PutEndpoint};

pub(super) fn endpoint(view: &EndpointView) -> proto::Endpoint {
    let endpoint = &view.endpoint;
    proto::Endpoint {
        endpoint_id: endpoint.id.to_string(),
        buyer_id: endpoint.buyer.to_string(),
        seller_id: endpoint.seller.to_string(),
        url: endpoint.url.clone(),
        secret: view.secret.text().to_owned(),
        enabled: endpoint.enabled,
        disabled_reason: endpoint.disabled_reason.clone(),
        failing_since_ms: endpoint.failing_since.map_or(0, time_to_ms),
        version: endpoint.version,
        name: endpoint.name.clone(),
        events: endpoint.events.iter().map(|event| event.text().to_owned()).collect(),
        format: Some(shown_format(view)),
        concurrency: endpoint.concurrency,
        old_secret_until_ms: endpoint.old_secret.as_ref().map_or(0, |(_, until)| time_to_ms(*until)),
    }
}

fn shown_format(view: &EndpointView) -> proto::EndpointFormat {
    let body = view.endpoint.body.as_ref();
    proto::EndpointFormat {
        headers: view.credentials.headers.clone().into_iter().collect(),
        auth: view.credentials.auth.clone().map(|auth| {
            let how = match auth {
                Auth::Basic { user, password } => How::Basic(proto::BasicAuth { user, password }),
                Auth::Bearer { token } => How::Bearer(proto::BearerAuth { token }),
            };
            proto::EndpointAuth { how: Some(how) }
        }),
        body_template: body.map(|body| body.source.clone()).unwrap_or_default(),
        content_type: body.map(|body| body.kind.content_type().to_owned()).unwrap_or_default(),
        answer: view.endpoint.rules.as_ref().map(shown_rules),
    }
}

fn shown_rules(rules: &AnswerRules) -> proto::AnswerRules {
    proto::AnswerRules {
        rules: rules
            .rules
            .iter()
            .map(|rule| proto::AnswerRule {
                statuses: rule.statuses.iter().map(|status| u32::from(*status)).collect(),
                json_pointer: rule.pointer.clone().unwrap_or_default(),
                equals: rule.equals.clone(),
                contains: rule.contains.clone(),
                means: match rule.means {
                    Meaning::Accepted => proto::AnswerMeaning::Accepted,
                    Meaning::Duplicate => proto::AnswerMeaning::Duplicate,
                    Meaning::Rejected => proto::AnswerMeaning::Rejected,
                    Meaning::Retry => proto::AnswerMeaning::Retry,
                }
                .into(),
            })
            .collect(),
        because_pointer: rules.because.clone().unwrap_or_default(),
    }
}

/// What an endpoint shall be.
///
/// # Errors
/// INVALID_ARGUMENT for what cannot be read.
pub(super) fn put(request: proto::PutEndpointRequest) -> Result<PutEndpoint, Status> {
    Ok(PutEndpoint {
        id: read(&request.endpoint_id, "endpoint_id")?,
        buyer: read(&request.buyer_id, "buyer_id")?,
        url: request.url,
        secret: request.secret,
        enabled: request.enabled,
        name: request.name,
        events: request.events.map(|events| events.names.iter().map(|name| event(name)).collect()).transpose()?,
        concurrency: request.concurrency,
        keep_deleted: request.keep_deleted,
        format: request.format.map(format).transpose()?,
        expected: request.expected_version,
    })
}

fn event(name: &str) -> Result<EventKind, Status> {
    let unknown = || status(Code::InvalidArgument, "invalid_field", format_args!("events: there is no \"{name}\""));
    EventKind::parse(name).ok_or_else(unknown)
}

fn format(format: proto::EndpointFormat) -> Result<Format, Status> {
    let auth = match format.auth.and_then(|auth| auth.how) {
        Some(How::Basic(proto::BasicAuth { user, password })) => Some(Auth::Basic { user, password }),
        Some(How::Bearer(proto::BearerAuth { token })) => Some(Auth::Bearer { token }),
        None => None,
    };
    let body = match (format.body_template, format.content_type.as_str()) {
        (source, "") if source.is_empty() => None,
        (source, content_type) => {
            let kind = if content_type.is_empty() { Some(BodyKind::Json) } else { BodyKind::parse(content_type) };
            let kind = kind.ok_or_else(|| {
                let what = "content_type must be application/json or application/x-www-form-urlencoded";
                status(Code::InvalidArgument, "invalid_field", what)
            })?;
            Some(BodyTemplate { kind, source }).filter(|body| !body.source.is_empty())
        }
    };
    let rules = format.answer.map(rules).transpose()?.filter(|rules| *rules != AnswerRules::default());
    Ok(Format { credentials: Credentials { headers: format.headers.into_iter().collect(), auth }, body, rules })
}

fn rules(given: proto::AnswerRules) -> Result<AnswerRules, Status> {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let rules = given.rules.into_iter().enumerate().map(|(at, rule)| {
        let means = match rule.means() {
            proto::AnswerMeaning::Accepted => Meaning::Accepted,
            proto::AnswerMeaning::Duplicate => Meaning::Duplicate,
            proto::AnswerMeaning::Rejected => Meaning::Rejected,
            proto::AnswerMeaning::Retry => Meaning::Retry,
            proto::AnswerMeaning::Unspecified => {
                let what = format_args!("answer: rule {} says no meaning", at + 1).to_string();
                return Err(status(Code::InvalidArgument, "invalid_answer_rules", what));
            }
        };
        Ok(AnswerRule {
            // What is no status fits none, and is refused as such.
            statuses: rule.statuses.into_iter().map(|status| u16::try_from(status).unwrap_or(u16::MAX)).collect(),
            pointer: some(rule.json_pointer),
            equals: rule.equals,
            contains: rule.contains,
            means,
        })
    });
    Ok(AnswerRules { rules: rules.collect::<Result<_, _>>()?, because: some(given.because_pointer) })
}
