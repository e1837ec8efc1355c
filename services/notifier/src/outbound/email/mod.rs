//! The channel e-mail.

mod sealed;

use chrono::{DateTime, Utc};
use leadflow_kernel::MailId;
use leadflow_notifier_domain::{Channel, Letter, MailKind, compose};
use leadflow_outbound_mail::{Mail, Mailer, SendError};
use leadflow_platform::grpc::ServiceToken;
use url::Url;

use super::carrier::{Carrier, NotSent, Sent, Written};
use crate::store::messages::MessageJob;
use sealed::Seal;

/// Writes mails, and sends them through a mail server. Cheap to clone.
#[derive(Clone)]
pub struct Email {
    mailer: Option<Mailer>,
    /// The front end's pages are below it.
    pages: Url,
    seal: Seal,
}

impl Email {
    /// Sends through `mailer`, if there is one.
    #[must_use]
    pub fn new(mailer: Option<Mailer>, pages: Url, token: &ServiceToken) -> Self {
        Self { mailer, pages, seal: Seal::new(token) }
    }

    /// A mail that lets somebody in.
    fn write_sealed(&self, job: &MessageJob, kind: MailKind) -> Written<Letter> {
        // A mail's id is its message's.
        let Some(contents) = self.seal.open(MailId::from_uuid(job.key.id.uuid()), &job.contents) else {
            // Another SERVICE_TOKEN than that of whoever asked: mended, it can be opened.
            return Written::NotYet("its contents cannot be opened with this SERVICE_TOKEN".to_owned());
        };
        let link = link(&self.pages, kind.page(), &contents.token);
        let letter = compose(kind, &contents.name, &contents.company_name, &link);
        Written::Letter { to: contents.email, letter, units: 1 }
    }
}

impl Carrier for Email {
    type Letter = Letter;

    fn channel(&self) -> Channel {
        Channel::Email
    }

    fn is_ready(&self) -> bool {
        self.mailer.is_some()
    }

    fn write(&self, job: &MessageJob, _now: DateTime<Utc>) -> Written<Letter> {
        match job.key.kind.and_then(|kind| MailKind::of(kind.code())) {
            Some(kind) => self.write_sealed(job, kind),
            None => Written::NotYet("this release knows no such mail".to_owned()),
        }
    }

    async fn send(&self, job: &MessageJob, to: &str, letter: &Letter) -> Result<Sent, NotSent> {
        let Some(mailer) = &self.mailer else {
            let why = "there is no mail server (setting SMTP_HOST)".to_owned();
            return Err(NotSent::Later { status_code: 0, why, retry_after: None });
        };
        let id = job.key.id.to_string();
        let mail = Mail { id: &id, address: to, subject: letter.subject, text: &letter.text, html: &letter.html };
        match mailer.send(&mail).await {
            Ok(()) => Ok(Sent::default()),
            Err(SendError::Refused(why)) => Err(NotSent::Refused { status_code: 0, why }),
            Err(SendError::Later(why)) => Err(NotSent::Later { status_code: 0, why, retry_after: None }),
        }
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
