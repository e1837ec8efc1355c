//! What providers of e-mail and text messages call back with, as it came.

use std::collections::HashMap;

use bytes::Bytes;

use super::{AppError, EventsError, Notifier};

/// Who calls back, and about what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackSource {
    /// SendGrid's event webhook: what became of mails.
    SendGridEvents,
    /// Twilio: what became of a text message.
    TwilioStatus,
    /// Twilio: a text message to us.
    TwilioInbound,
}

/// A call of a provider's. Nothing of it is to be believed before its signature was checked.
#[derive(Debug, Clone)]
pub struct Callback {
    /// Whose it claims to be.
    pub source: CallbackSource,
    /// Those that signatures are in, names in small letters.
    pub headers: HashMap<String, String>,
    /// The very bytes.
    pub body: Bytes,
    /// The URL that was called, as the provider knows it.
    pub url: String,
}

impl Notifier {
    /// Believes what is signed, and returns what is answered to the provider, if it reads that.
    ///
    /// # Errors
    /// [`AppError::NotConfigured`] without the key that its signature is checked with; [`AppError::BadSignature`] when that is not right.
    pub async fn take_callback(&self, callback: &Callback) -> Result<String, AppError> {
        match callback.source {
            CallbackSource::SendGridEvents => {
                let taken = self.take_sendgrid_events(self.sendgrid_key.as_ref(), &callback.headers, &callback.body);
                taken.await.map(|_| String::new()).map_err(|error| match error {
                    EventsError::NotConfigured => AppError::NotConfigured("SendGrid"),
                    EventsError::BadSignature => AppError::BadSignature,
                    EventsError::Unreadable => AppError::CallbackUnreadable,
                    EventsError::Database(error) => AppError::Database(error),
                })
            }
            CallbackSource::TwilioStatus => self.take_text_status(callback).await.map(|()| String::new()),
            CallbackSource::TwilioInbound => self.take_text(callback).await.map(|()| String::new()),
        }
    }
}
