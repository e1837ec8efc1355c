//! How a buyer hears of leads.

use std::time::Duration;

use axum::{Json, extract::State};
use leadflow_contracts::{
    accounts::UpdateProfileRequest,
    notifier::{Endpoint, GetEndpointRequest, PutEndpointRequest, SendSampleRequest},
};
use leadflow_kernel::EndpointId;
use serde::{Deserialize, Serialize};
use tonic::Code;
use utoipa::ToSchema;

use super::{BUYERS, OK};
use crate::http::{
    Api,
    input::Body,
    problem::{Problem, invalid},
    session::Me,
    table::Route,
    versions::{IfMatch, Versioned, put_back},
};

const PATH: &str = "/api/notifications/preferences";
const TEST: &str = "/api/notifications/preferences/test-webhook";
/// Longer than notifier waits for a receiver.
const RECEIVERS_TIME: Duration = Duration::from_secs(35);

pub(in crate::http) fn routes() -> Vec<Route> {
    vec![
        Route::get(PATH, BUYERS, "How one hears of leads", show)
            .answers::<PreferencesAnswer>(OK, "Preferences")
            .versioned(),
        Route::put(PATH, BUYERS, "Change how one hears of leads; what is not given stays", update)
            .body::<Change>()
            .answers::<PreferencesChanged>(OK, "Changed")
            .versioned(),
        Route::post(TEST, BUYERS, "Send a made-up lead to one's webhook", test)
            .answers::<SampleAnswer>(OK, "Sent; what came back"),
    ]
}

#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
struct EmailNotifications {
    low_balance: bool,
    daily_summary: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Preferences {
    /// Always false: e-mail is not sent yet.
    email_on_lead: bool,
    /// Always false: text messages are not sent yet.
    sms_on_lead: bool,
    phone_number: String,
    webhook_enabled: bool,
    webhook_url: Option<String>,
    /// What deliveries are signed with.
    webhook_secret: Option<String>,
    /// Why the webhook was switched off by the system.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    webhook_disabled_reason: String,
    email_notifications: EmailNotifications,
}

#[derive(Serialize, ToSchema)]
struct PreferencesAnswer {
    preferences: Preferences,
}

#[derive(Serialize, ToSchema)]
struct PreferencesChanged {
    message: &'static str,
    preferences: Preferences,
}

fn view(phone: String, endpoint: Option<Endpoint>) -> Preferences {
    let endpoint = endpoint.unwrap_or_default();
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    Preferences {
        email_on_lead: false,
        sms_on_lead: false,
        phone_number: phone,
        webhook_enabled: endpoint.enabled,
        webhook_url: some(endpoint.url),
        webhook_secret: some(endpoint.secret),
        webhook_disabled_reason: endpoint.disabled_reason,
        email_notifications: EmailNotifications::default(),
    }
}

async fn endpoint(api: &Api, me: &Me) -> Result<Option<Endpoint>, Problem> {
    let message = GetEndpointRequest { buyer_id: me.buyer()?.to_string() };
    match api.services.notifier().get_endpoint(api.services.request(me.tenant()?, message)).await {
        Ok(endpoint) => Ok(Some(endpoint.into_inner())),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(status.into()),
    }
}

/// 0 before the first webhook.
fn version(endpoint: Option<&Endpoint>) -> u64 {
    endpoint.map_or(0, |endpoint| endpoint.version)
}

async fn show(State(api): State<Api>, me: Me) -> Result<Versioned<PreferencesAnswer>, Problem> {
    let endpoint = endpoint(&api, &me).await?;
    let version = version(endpoint.as_ref());
    Ok(Versioned(version, PreferencesAnswer { preferences: view(me.user.phone, endpoint) }))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PreferencesChange)]
struct Change {
    email_on_lead: Option<bool>,
    sms_on_lead: Option<bool>,
    phone_number: Option<String>,
    webhook_enabled: Option<bool>,
    webhook_url: Option<String>,
    /// At least 16 characters; one is made when there is none.
    webhook_secret: Option<String>,
    email_notifications: Option<EmailNotifications>,
}

/// The webhook as it is, or changed if something of it shall be otherwise.
async fn put_webhook(api: &Api, me: &Me, body: &Change, known: Option<Endpoint>) -> Result<Option<Endpoint>, Problem> {
    let known_url = known.as_ref().map(|known| &known.url);
    let url = body.webhook_url.as_ref().filter(|url| !url.is_empty()).or(known_url);
    let touched = body.webhook_enabled.is_some() || body.webhook_secret.is_some() || url != known_url;
    match url {
        Some(url) if touched => {
            let buyer = me.buyer()?;
            let id = || EndpointId::derive(&[buyer.as_bytes()]).to_string();
            let message = PutEndpointRequest {
                endpoint_id: known.as_ref().map_or_else(id, |known| known.endpoint_id.clone()),
                buyer_id: buyer.to_string(),
                url: url.clone(),
                secret: body.webhook_secret.clone().unwrap_or_default(),
                enabled: body.webhook_enabled.unwrap_or_else(|| known.as_ref().is_none_or(|known| known.enabled)),
                expected_version: Some(version(known.as_ref())),
            };
            let request = api.services.request_by(&me.user, me.tenant()?, message);
            Ok(Some(api.services.notifier().put_endpoint(request).await?.into_inner()))
        }
        None if body.webhook_enabled == Some(true) => Err(invalid("webhookUrl", "is required for a webhook")),
        _ => Ok(known),
    }
}

async fn update(
    State(api): State<Api>,
    me: Me,
    if_match: IfMatch,
    Body(body): Body<Change>,
) -> Result<Versioned<PreferencesChanged>, Problem> {
    let asked_for = |wanted: Option<bool>| wanted == Some(true);
    let mails = body.email_notifications.as_ref();
    for (field, asked) in [
        ("emailOnLead", asked_for(body.email_on_lead)),
        ("smsOnLead", asked_for(body.sms_on_lead)),
        ("emailNotifications.lowBalance", mails.is_some_and(|mails| mails.low_balance)),
        ("emailNotifications.dailySummary", mails.is_some_and(|mails| mails.daily_summary)),
    ] {
        if asked {
            return Err(invalid(field, "is not available yet"));
        }
    }
    let put = |known| put_webhook(&api, &me, &body, known);
    let endpoint = put_back(&if_match, || endpoint(&api, &me), |known| version(known.as_ref()), put).await?;
    let version = version(endpoint.as_ref());
    let phone = match body.phone_number {
        Some(phone) if phone != me.user.phone => {
            let message = UpdateProfileRequest { user_id: me.user.user_id, name: None, phone: Some(phone) };
            let updated = api.services.people().update_profile(api.services.unbound(message)).await;
            updated.map_err(phone_problem)?.into_inner().phone
        }
        _ => me.user.phone,
    };
    let preferences = view(phone, endpoint);
    Ok(Versioned(version, PreferencesChanged { message: "Preferences updated", preferences }))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SampleAnswer {
    /// Whether the receiver answered 2xx.
    success: bool,
    /// Null: it did not answer.
    status_code: Option<u32>,
    duration_ms: u32,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    error: String,
    /// What it answered, at most 16 KiB.
    response: String,
}

async fn test(State(api): State<Api>, me: Me) -> Result<Json<SampleAnswer>, Problem> {
    let message = SendSampleRequest { buyer_id: me.buyer()?.to_string() };
    let mut request = api.services.request(me.tenant()?, message);
    request.set_timeout(RECEIVERS_TIME);
    let attempt = api.services.notifier().send_sample(request).await?.into_inner();
    Ok(Json(SampleAnswer {
        success: (200..300).contains(&attempt.status_code),
        status_code: Some(attempt.status_code).filter(|code| *code != 0),
        duration_ms: attempt.duration_ms,
        error: attempt.error,
        response: attempt.response,
    }))
}

/// The profile's `phone` is called `phoneNumber` here.
fn phone_problem(status: tonic::Status) -> Problem {
    let Problem(mut error) = status.into();
    if let Some(problem) = error.fields.remove("phone") {
        error.fields.insert("phoneNumber".to_owned(), problem);
    }
    Problem(error)
}
