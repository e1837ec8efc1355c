//! How a buyer hears of leads.

use std::time::Duration;

use axum::{Json, extract::State};
use leadflow_contracts::{
    accounts::UpdateProfileRequest,
    notifier::{
        self as proto, Endpoint, GetEndpointRequest, GetPreferencesRequest, PutEndpointRequest, PutPreferencesRequest,
        SendSampleRequest,
    },
};
use leadflow_kernel::EndpointId;
use serde::{Deserialize, Serialize};
use tonic::Code;
use utoipa::ToSchema;

use super::{BUYERS, OK, quiet_hours::QuietHours};
use crate::{
    http::{
        Api,
        input::Body,
        problem::{Problem, invalid, rename_fields},
        session::Me,
        table::Route,
        values::present,
        versions::{IfMatch, Versioned, put_back},
    },
    outbound::services::patiently,
};

const PATH: &str = "/api/notifications/preferences";
const TEST: &str = "/api/notifications/preferences/test-webhook";
/// Longer than notifier waits for a receiver.
const RECEIVERS_TIME: Duration = Duration::from_secs(35);
/// Two versions in one tag: the webhook's before these digits, the preferences' in them.
const PREFERENCES_BELOW: u64 = 1_000_000_000;
/// What notifier says while it has not heard yet of a new buyer, or of his number.
const ON_ITS_WAY: [&str; 2] = ["buyer_not_found", "phone_missing"];

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

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EmailNotifications {
    /// The wallet runs low.
    low_balance: bool,
    /// What happened, once a day; nothing when nothing did.
    daily_summary: bool,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Preferences {
    /// A mail for each lead.
    email_on_lead: bool,
    /// A text message for each lead: name, state and campaign, and no more. Not in quiet hours, but when they end.
    sms_on_lead: bool,
    /// A text message when the wallet runs low or a recharge fails; also in quiet hours.
    sms_on_low_balance: bool,
    /// A mail when a return was decided.
    email_on_return: bool,
    email_notifications: EmailNotifications,
    /// Where text messages go; empty for none.
    phone_number: String,
    /// The phone asked for no more text messages (STOP); none is sent until it sends START.
    sms_stopped: bool,
    /// Why no text message arrives at the phone otherwise.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    sms_undeliverable_because: String,
    /// Why nothing is mailed to the address.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    email_undeliverable_because: String,
    /// Hours without text messages but urgent ones; null for none.
    quiet_hours: Option<QuietHours>,
    /// IANA name; null for the seller's.
    time_zone: Option<String>,
    webhook_enabled: bool,
    webhook_url: Option<String>,
    /// What deliveries are signed with.
    webhook_secret: Option<String>,
    /// Why the webhook was switched off by the system.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    webhook_disabled_reason: String,
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

/// What is known of how a buyer hears of leads.
struct Known {
    endpoint: Option<Endpoint>,
    wishes: proto::Preferences,
}

impl Known {
    /// Changes with either part's.
    fn version(&self) -> u64 {
        webhook_version(self.endpoint.as_ref()) * PREFERENCES_BELOW + self.wishes.version % PREFERENCES_BELOW
    }

    fn view(self, phone: String) -> Preferences {
        let (endpoint, wishes) = (self.endpoint.unwrap_or_default(), self.wishes);
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Preferences {
            email_on_lead: wishes.email_on_lead,
            sms_on_lead: wishes.sms_on_lead,
            sms_on_low_balance: wishes.sms_on_low_balance,
            email_on_return: wishes.email_on_return,
            email_notifications: EmailNotifications {
                low_balance: wishes.email_on_low_balance,
                daily_summary: wishes.daily_summary,
            },
            phone_number: phone,
            sms_stopped: wishes.sms_stopped,
            sms_undeliverable_because: wishes.sms_dead_because,
            email_undeliverable_because: wishes.email_dead_because,
            quiet_hours: QuietHours::of(wishes.quiet_from, wishes.quiet_until),
            time_zone: some(wishes.time_zone),
            webhook_enabled: endpoint.enabled,
            webhook_url: some(endpoint.url),
            webhook_secret: some(endpoint.secret),
            webhook_disabled_reason: endpoint.disabled_reason,
        }
    }
}

async fn endpoint(api: &Api, me: &Me) -> Result<Option<Endpoint>, Problem> {
    let message = GetEndpointRequest { buyer_id: me.buyer()?.to_string(), ..GetEndpointRequest::default() };
    match api.services.notifier().get_endpoint(api.services.request(me.tenant()?, message)).await {
        Ok(endpoint) => Ok(Some(endpoint.into_inner())),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => Err(status.into()),
    }
}

async fn known(api: &Api, me: &Me) -> Result<Known, Problem> {
    let request = api.services.request(me.tenant()?, GetPreferencesRequest { buyer_id: me.buyer()?.to_string() });
    let mut messages = api.services.messages();
    let wishes = async { Ok(messages.get_preferences(request).await?.into_inner()) };
    let (endpoint, wishes) = tokio::try_join!(endpoint(api, me), wishes)?;
    Ok(Known { endpoint, wishes })
}

/// 0 before the first webhook.
fn webhook_version(endpoint: Option<&Endpoint>) -> u64 {
    endpoint.map_or(0, |endpoint| endpoint.version)
}

async fn show(State(api): State<Api>, me: Me) -> Result<Versioned<PreferencesAnswer>, Problem> {
    let known = known(&api, &me).await?;
    let version = known.version();
    Ok(Versioned(version, PreferencesAnswer { preferences: known.view(me.user.phone) }))
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EmailNotificationsChange {
    low_balance: Option<bool>,
    daily_summary: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PreferencesChange)]
struct Change {
    email_on_lead: Option<bool>,
    /// Only with a phone number.
    sms_on_lead: Option<bool>,
    /// Only with a phone number.
    sms_on_low_balance: Option<bool>,
    email_on_return: Option<bool>,
    email_notifications: Option<EmailNotificationsChange>,
    /// With the country's code, e.g. +12125550123; empty for none.
    phone_number: Option<String>,
    /// Null for none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<QuietHours>)]
    quiet_hours: Option<Option<QuietHours>>,
    /// IANA name; null for the seller's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    time_zone: Option<Option<String>>,
    webhook_enabled: Option<bool>,
    webhook_url: Option<String>,
    /// At least 16 characters; one is made when there is none.
    webhook_secret: Option<String>,
}

impl Change {
    /// What of it are preferences, if anything is; 422 for what cannot be.
    fn wishes(&self, buyer_id: String) -> Result<Option<PutPreferencesRequest>, Problem> {
        let (quiet_from, quiet_until) = match &self.quiet_hours {
            None => (None, None),
            Some(None) => (Some(0), Some(0)),
            Some(Some(hours)) => {
                let (from, until) = hours.minutes().map_err(|(field, problem)| invalid(field, problem))?;
                (Some(from), Some(until))
            }
        };
        let time_zone = self.time_zone.as_ref().map(|zone| zone.clone().unwrap_or_default());
        if time_zone.as_ref().is_some_and(|zone| !zone.is_empty() && zone.parse::<chrono_tz::Tz>().is_err()) {
            return Err(invalid("timeZone", "must be an IANA name such as America/New_York"));
        }
        let mails = self.email_notifications.as_ref();
        let nothing = PutPreferencesRequest { buyer_id, ..Default::default() };
        let wishes = PutPreferencesRequest {
            email_on_lead: self.email_on_lead,
            sms_on_lead: self.sms_on_lead,
            email_on_low_balance: mails.and_then(|mails| mails.low_balance),
            sms_on_low_balance: self.sms_on_low_balance,
            daily_summary: mails.and_then(|mails| mails.daily_summary),
            email_on_return: self.email_on_return,
            quiet_from,
            quiet_until,
            time_zone,
            ..nothing.clone()
        };
        Ok((wishes != nothing).then_some(wishes))
    }

    /// The webhook that shall be, if something of it shall be otherwise.
    fn webhook(&self, me: &Me, known: Option<&Endpoint>) -> Result<Option<PutEndpointRequest>, Problem> {
        let known_url = known.map(|known| &known.url);
        let url = self.webhook_url.as_ref().filter(|url| !url.is_empty()).or(known_url);
        let touched = self.webhook_enabled.is_some() || self.webhook_secret.is_some() || url != known_url;
        let Some(url) = url else {
            let wanted = self.webhook_enabled == Some(true);
            return if wanted { Err(invalid("webhookUrl", "is required for a webhook")) } else { Ok(None) };
        };
        let buyer = me.buyer()?;
        let id = || EndpointId::derive(&[buyer.as_bytes()]).to_string();
        let request = || PutEndpointRequest {
            endpoint_id: known.map_or_else(id, |known| known.endpoint_id.clone()),
            buyer_id: buyer.to_string(),
            url: url.clone(),
            secret: self.webhook_secret.clone().unwrap_or_default(),
            enabled: self.webhook_enabled.unwrap_or_else(|| known.is_none_or(|known| known.enabled)),
            expected_version: Some(webhook_version(known)),
            ..PutEndpointRequest::default()
        };
        Ok(touched.then(request))
    }
}

async fn update(
    State(api): State<Api>,
    me: Me,
    if_match: IfMatch,
    Body(body): Body<Change>,
) -> Result<Versioned<PreferencesChanged>, Problem> {
    let wishes = body.wishes(me.buyer()?.to_string())?;
    let phone = checked_phone(&api, &me, body.phone_number.as_deref()).await?;
    let put = |known| put(&api, &me, &if_match, &body, wishes.clone(), phone.as_deref(), known);
    let known = put_back(&if_match, || known(&api, &me), Known::version, put).await?;
    let version = known.version();
    let preferences = known.view(phone.unwrap_or(me.user.phone));
    Ok(Versioned(version, PreferencesChanged { message: "Preferences updated", preferences }))
}

/// The number that shall be, if it is another than there is; nothing is changed yet.
async fn checked_phone(api: &Api, me: &Me, wanted: Option<&str>) -> Result<Option<String>, Problem> {
    match wanted.filter(|phone| *phone != me.user.phone) {
        Some(phone) => Ok(Some(put_phone(api, me, phone, true).await?).filter(|phone| *phone != me.user.phone)),
        None => Ok(None),
    }
}

async fn put_phone(api: &Api, me: &Me, phone: &str, check_only: bool) -> Result<String, Problem> {
    let message = UpdateProfileRequest {
        user_id: me.user.user_id.clone(),
        name: None,
        phone: Some(phone.to_owned()),
        check_only,
    };
    let updated = api.services.people().update_profile(api.services.unbound(message)).await;
    // The profile's `phone` is called `phoneNumber` here.
    let named = |status: tonic::Status| rename_fields(status.into(), &[("phone", "phoneNumber")]);
    Ok(updated.map_err(named)?.into_inner().phone)
}

/// Changes what shall be otherwise: the webhook first, which is the only part that can be refused for what nobody knows before,
/// then the number, then what depends on it. What cannot be is refused before anything is changed; where a later part is
/// not reached all the same, the answer says what was changed.
async fn put(
    api: &Api,
    me: &Me,
    if_match: &IfMatch,
    body: &Change,
    wishes: Option<PutPreferencesRequest>,
    phone: Option<&str>,
    mut known: Known,
) -> Result<Known, Problem> {
    let webhook = body.webhook(me, known.endpoint.as_ref())?;
    if phone.unwrap_or(&me.user.phone).is_empty() {
        for (field, wanted, so_far) in [
            ("smsOnLead", body.sms_on_lead, known.wishes.sms_on_lead),
            ("smsOnLowBalance", body.sms_on_low_balance, known.wishes.sms_on_low_balance),
        ] {
            if wanted == Some(true) && !so_far {
                return Err(invalid(field, "needs a phone number: set phoneNumber"));
            }
        }
    }
    let mut done = Vec::new();
    if let Some(message) = webhook {
        let request = api.services.request_by(&me.user, me.tenant()?, message);
        let before = webhook_version(known.endpoint.as_ref());
        let put = api.services.notifier().put_endpoint(request).await?.into_inner();
        if put.version != before {
            done.push("webhook");
        }
        known.endpoint = Some(put);
    }
    if let Some(phone) = phone {
        put_phone(api, me, phone, false).await.map_err(|problem| partly(problem, &done))?;
        done.push("phone number");
    }
    if let Some(mut message) = wishes {
        // Each field is put by itself, so other people's changes stay, whatever the version.
        message.expected_version = if_match.is_given().then_some(known.wishes.version);
        let tenant = me.tenant()?;
        let put = patiently(&ON_ITS_WAY, || {
            let (mut messages, request) =
                (api.services.messages(), api.services.request_by(&me.user, tenant, message.clone()));
            async move { messages.put_preferences(request).await }
        });
        known.wishes = put.await.map_err(|status| partly(status.into(), &done))?.into_inner();
    }
    Ok(known)
}

/// What happened before this problem.
fn partly(Problem(mut error): Problem, done: &[&str]) -> Problem {
    if !done.is_empty() {
        error.message = format!("the {} was changed, but not the rest: {}", done.join(" and the "), error.message);
        // Of another code than what begins anew, which would find a version of our own making.
        error.code = "partly_changed";
    }
    Problem(error)
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
    let message = SendSampleRequest { buyer_id: me.buyer()?.to_string(), ..SendSampleRequest::default() };
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
