//! The channel of text messages.

mod twilio;

use chrono::{DateTime, Utc};
use leadflow_notifier_domain::{Channel, LetterError, News, Text, Texts, quiet_until};

use super::carrier::{Carrier, NotSent, Sent, Written};
use crate::store::messages::{Addressee, MessageJob};
pub use twilio::{Twilio, TwilioSettings};

/// Writes text messages, and hands them to Twilio.
pub struct Sms {
    provider: Option<Twilio>,
    texts: Texts,
}

impl Sms {
    /// Sends through `provider`, if there is one.
    ///
    /// # Errors
    /// When a template is not one.
    pub fn new(provider: Option<Twilio>) -> Result<Self, LetterError> {
        Ok(Self { provider, texts: Texts::new()? })
    }
}

/// Why nothing is sent to him, now or ever.
fn silence(job: &MessageJob, to: &Addressee, now: DateTime<Utc>) -> Option<Written<Text>> {
    let kind = job.key.kind?;
    let never = |why: &str| Some(Written::Never(why.to_owned()));
    if !to.wishes.want(Channel::Sms, kind) || to.sms_agreed_at.is_none() {
        return never("the buyer does not want such text messages");
    }
    if to.phone.is_empty() {
        return never("the buyer has no phone number");
    }
    match quiet_until(to.quiet, &to.time_zone, now) {
        Some(end) if !kind.is_urgent() && end >= job.expires_at => never("his quiet hours last until it is of no use"),
        Some(end) if !kind.is_urgent() => Some(Written::NotBefore(end)),
        _ => None,
    }
}

impl Carrier for Sms {
    type Letter = Text;

    fn channel(&self) -> Channel {
        Channel::Sms
    }

    fn is_ready(&self) -> bool {
        self.provider.is_some()
    }

    fn write(&self, job: &MessageJob, now: DateTime<Utc>) -> Written<Text> {
        let unknown = || Written::NotYet("this release knows no such text message".to_owned());
        if job.key.kind.is_none() {
            return unknown();
        }
        let Some(to) = &job.addressee else {
            // The directory tells of buyers soon after they are made.
            return Written::NotYet("the buyer is not known here yet".to_owned());
        };
        if let Some(silence) = silence(job, to, now) {
            return silence;
        }
        let Ok(news) = News::decode(&job.contents) else { return unknown() };
        match self.texts.news(&news, &job.seller_name, &to.time_zone) {
            Ok(Some(letter)) => Written::Letter { to: to.phone.clone(), units: letter.segments, letter },
            Ok(None) => unknown(),
            Err(error) => Written::NotYet(error.to_string()),
        }
    }

    async fn send(&self, job: &MessageJob, to: &str, letter: &Text) -> Result<Sent, NotSent> {
        match &self.provider {
            Some(twilio) => twilio.send(job.key.id, to, letter).await,
            None => {
                let why = "there is no account at Twilio (TWILIO_ACCOUNT_SID)".to_owned();
                Err(NotSent::Later { status_code: 0, why, retry_after: None, unsure: false })
            }
        }
    }

    async fn find(&self, job: &MessageJob, to: &str, letter: &Text) -> Result<Vec<Sent>, NotSent> {
        match &self.provider {
            Some(twilio) => twilio.find(to, letter, job.created_at).await,
            None => Ok(Vec::new()),
        }
    }
}
