//! The channel e-mail.

mod sealed;
mod sendgrid;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use leadflow_kernel::MailId;
use leadflow_notifier_domain::{
    Channel, Letter, LetterError, Letters, MessageKind, News, Reader, Topic, UNSUBSCRIBE_PURPOSE, UnsubscribeTokens,
};
use leadflow_outbound_mail::{Mail, Mailer, SendError};
use leadflow_platform::grpc::ServiceToken;
use url::Url;

use super::carrier::{Carrier, NotSent, Sent, Written};
use crate::store::messages::MessageJob;
use sealed::Seal;
pub use sendgrid::{SendGrid, SendGridSettings};

/// The API's public route that ends mails, without a session.
const ONE_CLICK: [&str; 3] = ["api", "notifications", "unsubscribe"];

/// Who takes mails.
#[derive(Clone)]
pub enum Provider {
    /// A mail server.
    Smtp(Mailer),
    /// SendGrid's API.
    SendGrid(SendGrid),
}

/// Writes mails, and hands them to a provider. Cheap to clone.
#[derive(Clone)]
pub struct Email {
    provider: Option<Provider>,
    letters: Arc<Letters>,
    places: Places,
    seal: Seal,
    unsubscribe: UnsubscribeTokens,
}

/// Where links lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The front end's pages are below it: for people.
    pub pages: Url,
    /// The API is below it: for mail programs, which follow only https.
    pub api: Url,
}

impl Email {
    /// Sends through `provider`, if there is one.
    ///
    /// # Errors
    /// When a template is not one.
    pub fn new(provider: Option<Provider>, places: Places, token: &ServiceToken) -> Result<Self, LetterError> {
        let letters = Arc::new(Letters::new(places.pages.to_string())?);
        let unsubscribe = UnsubscribeTokens::new(&token.derive_keys(UNSUBSCRIBE_PURPOSE));
        Ok(Self { provider, letters, places, seal: Seal::new(token), unsubscribe })
    }

    /// A mail that lets somebody in.
    fn write_sealed(&self, job: &MessageJob, kind: MessageKind, page: &str) -> Written<Letter> {
        // A mail's id is its message's.
        let Some(contents) = self.seal.open(MailId::from_uuid(job.key.id.uuid()), &job.contents) else {
            // Another SERVICE_TOKEN than that of whoever asked: mended, it can be opened.
            return Written::NotYet("its contents cannot be opened with this SERVICE_TOKEN".to_owned());
        };
        let link = link(&self.places.pages, &[page], &contents.token);
        match self.letters.access(kind, &contents.name, &contents.company_name, &link) {
            Some(letter) => written(contents.email, letter),
            None => unknown(),
        }
    }

    /// A mail to a buyer.
    fn write_news(&self, job: &MessageJob, kind: MessageKind) -> Written<Letter> {
        let Some(to) = &job.addressee else {
            // The directory tells of buyers soon after they are made.
            return Written::NotYet("the buyer is not known here yet".to_owned());
        };
        if !to.wishes.want(Channel::Email, kind) {
            return Written::Never("the buyer does not want such mails".to_owned());
        }
        if to.email.is_empty() {
            return Written::Never("the buyer has no e-mail address".to_owned());
        }
        let Ok(news) = News::decode(&job.contents) else { return unknown() };
        let topic = Topic::ALL.into_iter().find(|topic| topic.code() == kind.code());
        let token = job.key.buyer.zip(topic).map(|(buyer, topic)| self.unsubscribe.write(buyer, topic));
        let unsubscribe = token.as_ref().map(|token| link(&self.places.pages, &["unsubscribe"], token));
        let token = token.filter(|_| self.places.api.scheme() == "https");
        let one_click = token.map(|token| link(&self.places.api, &ONE_CLICK, &token));
        let reader = Reader {
            seller: &job.seller_name,
            name: &to.name,
            verified: to.email_verified,
            time_zone: &to.time_zone,
            unsubscribe: unsubscribe.as_deref(),
            one_click: one_click.as_deref(),
        };
        written(to.email.clone(), self.letters.news(&news, &reader))
    }
}

fn unknown() -> Written<Letter> {
    Written::NotYet("this release knows no such mail".to_owned())
}

fn written(to: String, letter: Result<Letter, LetterError>) -> Written<Letter> {
    match letter {
        Ok(letter) => Written::Letter { to, letter, units: 1 },
        // A later release may know better.
        Err(error) => Written::NotYet(error.to_string()),
    }
}

impl Carrier for Email {
    type Letter = Letter;

    fn channel(&self) -> Channel {
        Channel::Email
    }

    fn is_ready(&self) -> bool {
        self.provider.is_some()
    }

    fn write(&self, job: &MessageJob, _now: DateTime<Utc>) -> Written<Letter> {
        match job.key.kind {
            Some(kind) => match kind.page() {
                Some(page) => self.write_sealed(job, kind, page),
                None => self.write_news(job, kind),
            },
            None => unknown(),
        }
    }

    async fn send(&self, job: &MessageJob, to: &str, letter: &Letter) -> Result<Sent, NotSent> {
        match &self.provider {
            Some(Provider::Smtp(mailer)) => by_smtp(mailer, job, to, letter).await,
            Some(Provider::SendGrid(sendgrid)) => sendgrid.send(job, to, letter).await,
            None => {
                let why =
                    "there is neither a mail server (setting SMTP_HOST) nor SendGrid (SENDGRID_API_KEY)".to_owned();
                Err(NotSent::Later { status_code: 0, why, retry_after: None, unsure: false })
            }
        }
    }
}

async fn by_smtp(mailer: &Mailer, job: &MessageJob, to: &str, letter: &Letter) -> Result<Sent, NotSent> {
    let id = job.key.id.to_string();
    let mail = Mail {
        id: &id,
        sender: &letter.sender,
        address: to,
        subject: &letter.subject,
        text: &letter.text,
        html: &letter.html,
        unsubscribe: letter.unsubscribe.as_deref(),
        one_click: letter.one_click.as_deref(),
    };
    match mailer.send(&mail).await {
        Ok(()) => Ok(Sent::default()),
        Err(SendError::Refused(why)) => Err(NotSent::Refused { status_code: 0, why }),
        Err(SendError::Later(why)) => Err(NotSent::Later { status_code: 0, why, retry_after: None, unsure: false }),
    }
}

/// The token goes behind `?`, where the front end's page, or the API, reads it.
fn link(base: &Url, path: &[&str], token: &str) -> String {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
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
            assert_eq!(link(&base.parse().unwrap(), &["reset-password"], "a&b"), wanted);
        }
    }
}
