//! Twilio tells what became of text messages, and hands on what phones answer: STOP ends them.

use chrono::{DateTime, Utc};
use leadflow_kernel::MessageId;
use leadflow_notifier_domain::{Channel, Keyword, NumberState, number_state, trouble_in_words};
use url::{Url, form_urlencoded};

use super::{
    AppError, Callback, Notifier,
    audit::{self, TRAIL},
    record_messages::told,
};
use crate::store::{
    buyers,
    callbacks::{self, Fate},
    messages::{MessageStatus, Taken},
    suppressions::{self, NewSuppression},
};

/// What `callbacks` knows these calls by.
const SOURCE: &str = "TWILIO";
const SIGNATURE: &str = "x-twilio-signature";
/// The most segments that we ever said a text has.
const MOST_SEGMENTS: u32 = 20;

/// A form that is Twilio's.
struct Form(Vec<(String, String)>);

impl Form {
    /// The first field of one of these names; empty: none.
    fn get(&self, names: &[&str]) -> &str {
        let found = self.0.iter().find(|(name, value)| names.contains(&name.as_str()) && !value.is_empty());
        found.map_or("", |(_, value)| value)
    }
}

impl Notifier {
    /// Takes what became of a text message. What is told again changes nothing, nor does what comes later than it happened.
    ///
    /// # Errors
    /// As [`Notifier::take_callback`].
    pub(super) async fn take_text_status(&self, callback: &Callback) -> Result<(), AppError> {
        let form = self.signed_form(callback)?;
        let (sid, status) = (form.get(&["MessageSid", "SmsSid"]), form.get(&["MessageStatus", "SmsStatus"]));
        if sid.is_empty() || status.is_empty() {
            return Err(AppError::CallbackUnreadable);
        }
        let ended = match status {
            "delivered" | "read" => MessageStatus::Delivered,
            "undelivered" | "failed" | "canceled" => MessageStatus::Bounced,
            "accepted" | "scheduled" | "queued" | "sending" | "sent" => MessageStatus::Sent,
            // Those of other releases of Twilio's.
            _ => return Ok(()),
        };
        let (message, units) = about(&callback.url);
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let message = match message {
            Some(message) => Some(message),
            None => callbacks::text_by_provider_id(&mut transaction, sid).await?,
        };
        let Some(message) = message else { return Ok(()) };
        if ended == MessageStatus::Sent {
            let recipient = suppressions::plain(form.get(&["To"]));
            let taken = Taken { provider_id: sid.to_owned(), recipient, units: units.unwrap_or(1) };
            let noted = callbacks::note_taken(&mut transaction, message, &taken, now).await?;
            transaction.commit().await?;
            if noted {
                self.wakes.sms.notify_one();
            }
            return Ok(());
        }
        let event = format!("{sid} {status}");
        if callbacks::remember(&mut transaction, SOURCE, &[&event], now).await?.is_empty() {
            return Ok(());
        }
        let code = form.get(&["ErrorCode"]).parse().unwrap_or_default();
        let error = if ended == MessageStatus::Bounced { words(status, code) } else { String::new() };
        let dead = dead(form.get(&["To"]), code, &error, now);
        let fate = Fate { message, status: ended, error, provider_id: sid.to_owned(), units };
        let changed = callbacks::tell(&mut transaction, &[fate], now).await?;
        if let Some(dead) = dead {
            suppressions::insert(&mut transaction, &[dead]).await?;
        }
        let told = changed.iter().flat_map(|it| told(&it.key, it.status, &it.error, it.unpaid, now));
        let pending = self.outbox.append(&mut transaction, told.collect()).await?;
        transaction.commit().await?;
        self.relay.send(pending);
        Ok(())
    }

    /// Takes what a phone answers. STOP ends text messages to it, whoever's; START begins them again, unless they ended for another reason. Each
    /// once. Twilio answers these words itself, so nothing is answered here.
    ///
    /// # Errors
    /// As [`Notifier::take_callback`].
    pub(super) async fn take_text(&self, callback: &Callback) -> Result<(), AppError> {
        let form = self.signed_form(callback)?;
        let (sid, phone) = (form.get(&["MessageSid", "SmsSid"]), suppressions::plain(form.get(&["From"])));
        if sid.is_empty() || phone.is_empty() {
            return Err(AppError::CallbackUnreadable);
        }
        // What Twilio took it for, where it was told which words mean what.
        let word = match form.get(&["OptOutType"]) {
            "" => form.get(&["Body"]),
            known => known,
        };
        let word = match Keyword::of(word) {
            Some(word @ (Keyword::Stop | Keyword::Start)) => word,
            Some(Keyword::Help) | None => return Ok(()),
        };
        let now = self.clock.now();
        let mut transaction = self.pool.begin().await?;
        let event = format!("{sid} received");
        if callbacks::remember(&mut transaction, SOURCE, &[&event], now).await?.is_empty() {
            return Ok(());
        }
        let stops = word == Keyword::Stop;
        let changed = if stops {
            let stopped = suppression(&phone, "STOPPED", "the phone sent STOP", now);
            suppressions::insert(&mut transaction, &[stopped]).await? > 0
        } else {
            suppressions::lift_stop(&mut transaction, &phone).await?
        };
        if changed {
            for (seller, buyer) in buyers::with_phone(&mut transaction, &phone).await? {
                TRAIL.write(&mut transaction, Some(seller), now, audit::phone_answered(buyer, stops)).await?;
            }
        }
        transaction.commit().await?;
        tracing::info!(stops, changed, "a phone answered");
        Ok(())
    }

    fn signed_form(&self, callback: &Callback) -> Result<Form, AppError> {
        let tokens = self.twilio_tokens.as_ref().ok_or(AppError::NotConfigured("Twilio"))?;
        let signature = callback.headers.get(SIGNATURE).ok_or(AppError::BadSignature)?;
        let fields: Vec<_> = form_urlencoded::parse(&callback.body).into_owned().collect();
        if !tokens.verifies(signature, &callback.url, &fields) {
            return Err(AppError::BadSignature);
        }
        Ok(Form(fields))
    }
}

/// Which message a call is about, and how many segments it has, as the URL says that Twilio was given with it.
fn about(url: &str) -> (Option<MessageId>, Option<u32>) {
    let Ok(url) = Url::parse(url) else { return (None, None) };
    let find = |wanted| url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    let units = find("segments").and_then(|text| text.parse().ok());
    let message = find("message").and_then(|text| text.parse().ok());
    (message, units.filter(|units| (1..=MOST_SEGMENTS).contains(units)))
}

fn words(status: &str, code: u32) -> String {
    match (trouble_in_words(code), code) {
        (Some(words), _) => format!("Twilio told: {status} ({code}): {words}"),
        (None, 0) => format!("Twilio told: {status}"),
        (None, _) => format!("Twilio told: {status} ({code})"),
    }
}

/// Whether nothing is to be sent to this number any more.
fn dead(to: &str, code: u32, why: &str, at: DateTime<Utc>) -> Option<NewSuppression> {
    let phone = suppressions::plain(to);
    match number_state(code) {
        _ if phone.is_empty() => None,
        NumberState::Fine => None,
        NumberState::Stopped => Some(suppression(&phone, "STOPPED", why, at)),
        NumberState::Dead => Some(suppression(&phone, "BOUNCED", why, at)),
    }
}

fn suppression(phone: &str, reason: &'static str, detail: &str, at: DateTime<Utc>) -> NewSuppression {
    NewSuppression { channel: Channel::Sms, recipient: phone.to_owned(), reason, detail: detail.to_owned(), at }
}
