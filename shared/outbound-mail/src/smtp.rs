use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        PoolConfig,
        authentication::Credentials,
        client::{Tls as Protection, TlsParameters},
    },
};

use crate::{SendError, SettingsError, SmtpSettings, Tls};

/// Connections at once.
const CONNECTIONS: u32 = 8;
/// An unused connection is closed after this; servers do so not much later.
const IDLE: Duration = Duration::from_secs(20);

/// A mail to one person.
#[derive(Clone, Copy)]
pub struct Mail<'a> {
    /// What it is known by: the same for every attempt. Letters, digits, dots, dashes and underscores.
    pub id: &'a str,
    /// Whom to.
    pub address: &'a str,
    /// The subject line.
    pub subject: &'a str,
    /// For who reads text.
    pub text: &'a str,
    /// For who reads HTML.
    pub html: &'a str,
}

/// Sends mails through one server. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
}

impl SmtpSettings {
    /// Whether a [`Mailer`] can be made of them.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn check(&self) -> Result<(), SettingsError> {
        self.parts().map(|_| ())
    }

    fn parts(&self) -> Result<(Mailbox, Protection), SettingsError> {
        let from = self.from.parse().map_err(|_| SettingsError::From)?;
        let parameters = || TlsParameters::new(self.host.clone()).map_err(|_| SettingsError::Host);
        let protection = match self.tls {
            Tls::StartTls => Protection::Required(parameters()?),
            Tls::Implicit => Protection::Wrapper(parameters()?),
            Tls::None => Protection::None,
        };
        Ok((from, protection))
    }
}

impl Mailer {
    /// Connects when first used. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn new(settings: &SmtpSettings) -> Result<Self, SettingsError> {
        let (from, protection) = settings.parts()?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(protection)
            .timeout(Some(settings.timeout))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS).idle_timeout(IDLE));
        if let Some((user, password)) = &settings.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), password.clone()));
        }
        Ok(Self { transport: builder.build(), from, timeout: settings.timeout })
    }

    /// Hands `mail` to the server.
    ///
    /// # Errors
    /// [`SendError`], which says whether another attempt may help.
    pub async fn send(&self, mail: &Mail<'_>) -> Result<(), SendError> {
        let message = self.message(mail)?;
        match tokio::time::timeout(self.timeout, self.transport.send(message)).await {
            Ok(sent) => Ok(sent.map(|_| ())?),
            Err(_) => Err(SendError::Later(format!("the mail server did not answer within {:?}", self.timeout))),
        }
    }

    fn message(&self, mail: &Mail<'_>) -> Result<Message, SendError> {
        let unfit = |what: &str| SendError::Refused(format!("{what} cannot be used in a mail"));
        let address = mail.address.parse().map_err(|_| unfit("the address"))?;
        Message::builder()
            .from(self.from.clone())
            // Without a name: people choose theirs, and not all are fit for a header.
            .to(Mailbox::new(None, address))
            .subject(mail.subject)
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            // Nobody's absence shall be told to a machine (RFC 3834).
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(mail.text.to_owned(), mail.html.to_owned()))
            .map_err(|_| unfit("the text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> SmtpSettings {
        SmtpSettings {
            host: "127.0.0.1".to_owned(),
            port: 9,
            tls: Tls::None,
            credentials: None,
            from: "LeadFlow <noreply@leadflow.example>".to_owned(),
            timeout: Duration::from_secs(20),
        }
    }

    fn mail(address: &str) -> Mail<'_> {
        Mail { id: "evt_1", address, subject: "Grüße", text: "Hello", html: "<p>Hello</p>" }
    }

    #[tokio::test]
    async fn every_attempt_has_the_same_message_id() {
        let mailer = Mailer::new(&settings()).unwrap();
        let message = mailer.message(&mail("sam@example.com")).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        assert!(text.contains("Message-ID: <evt_1@leadflow.example>\r\n"), "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated\r\n"), "{text}");
        assert!(text.contains("To: sam@example.com\r\n"), "{text}");
    }

    #[tokio::test]
    async fn what_can_never_be_sent_is_refused_and_a_server_that_is_away_is_not() {
        let mailer = Mailer::new(&settings()).unwrap();
        let refused = mailer.send(&mail("a@example.com\r\nBcc: all@example.com")).await;
        assert!(matches!(refused, Err(SendError::Refused(_))), "{refused:?}");
        let later = mailer.send(&mail("sam@example.com")).await;
        assert!(matches!(later, Err(SendError::Later(_))), "{later:?}");
    }

    #[tokio::test]
    async fn a_sender_that_is_no_address_is_told() {
        let wrong = SmtpSettings { from: "LeadFlow".to_owned(), ..settings() };
        assert_eq!(Mailer::new(&wrong).err(), Some(SettingsError::From));
    }
}
