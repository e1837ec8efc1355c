//! One mail to a person: opened, written and handed to the mail server.

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use leadflow_contracts::events::MailContents;
use leadflow_notifier_domain::compose;
use leadflow_outbound_mail::{Mail, Mailer, SendError};
use leadflow_platform::grpc::ServiceToken;
use prost::Message as _;
use url::Url;

use crate::store::mails::MailJob;

/// What the key is derived for; accounts seals with the same.
const PURPOSE: &str = "mail contents";
const NONCE: usize = 12;

/// Writes and sends mails. Cheap to clone.
#[derive(Clone)]
pub struct Mails {
    mailer: Option<Mailer>,
    /// The front end's pages are below it.
    pages: Url,
    /// Of each service token: what was sealed before one was replaced opens, too.
    ciphers: Vec<Aes256Gcm>,
}

impl Mails {
    /// Sends through `mailer`, if there is one.
    #[must_use]
    pub fn new(mailer: Option<Mailer>, pages: Url, token: &ServiceToken) -> Self {
        let ciphers = token.derive_keys(PURPOSE).iter().map(|key| Aes256Gcm::new(key.into())).collect();
        Self { mailer, pages, ciphers }
    }

    /// Whether mails can be sent at all.
    #[must_use]
    pub const fn can_send(&self) -> bool {
        self.mailer.is_some()
    }

    /// Sends a mail.
    ///
    /// # Errors
    /// [`SendError`], which says whether another attempt may help.
    pub async fn send(&self, job: &MailJob) -> Result<(), SendError> {
        let Some(mailer) = &self.mailer else {
            return Err(SendError::Later("there is no mail server (setting SMTP_HOST)".to_owned()));
        };
        let Some(kind) = job.kind else {
            return Err(SendError::Later("this release knows no such mail".to_owned()));
        };
        let contents = self.open(job).ok_or_else(|| {
            // Another SERVICE_TOKEN than that of whoever asked: mended, it can be opened.
            SendError::Later("its contents cannot be opened with this SERVICE_TOKEN".to_owned())
        })?;
        let link = link(&self.pages, kind.page(), &contents.token);
        let letter = compose(kind, &contents.name, &contents.company_name, &link);
        let id = job.event.to_string();
        let mail =
            Mail { id: &id, address: &contents.email, subject: letter.subject, text: &letter.text, html: &letter.html };
        mailer.send(&mail).await
    }

    fn open(&self, job: &MailJob) -> Option<MailContents> {
        let (nonce, ciphertext) = job.sealed.split_at_checked(NONCE)?;
        let id = job.id.to_string();
        let plain = self.ciphers.iter().find_map(|cipher| {
            let payload = Payload { msg: ciphertext, aad: id.as_bytes() };
            cipher.decrypt(Nonce::from_slice(nonce), payload).ok()
        })?;
        MailContents::decode(plain.as_slice()).ok()
    }
}

/// The token goes behind `?`, where the front end's page reads it.
fn link(pages: &Url, page: &str, token: &str) -> String {
    let mut url = pages.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(page);
    }
    url.query_pairs_mut().clear().append_pair("token", token);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_below_the_front_end() {
        for (base, wanted) in [
            ("https://app.example.com", "https://app.example.com/reset-password?token=a%26b"),
            ("https://app.example.com/", "https://app.example.com/reset-password?token=a%26b"),
            ("http://127.0.0.1:8090/app", "http://127.0.0.1:8090/app/reset-password?token=a%26b"),
        ] {
            assert_eq!(link(&base.parse().unwrap(), "reset-password", "a&b"), wanted);
        }
    }
}
