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
    /// The name that it is from, beside the address in the settings; empty: the settings' own.
    pub sender: &'a str,
    /// Whom to.
    pub address: &'a str,
    /// The subject line.
    pub subject: &'a str,
    /// For who reads text.
    pub text: &'a str,
    /// For who reads HTML.
    pub html: &'a str,
    /// The page on which not to get such mails any more.
    pub unsubscribe: Option<&'a str>,
    /// Where a mail program says so for its reader, with one POST (RFC 8058); https.
    pub one_click: Option<&'a str>,
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
        // A name that could begin another header is none.
        let named = !mail.sender.is_empty() && !mail.sender.chars().any(char::is_control);
        let from =
            if named { Mailbox::new(Some(mail.sender.to_owned()), self.from.email.clone()) } else { self.from.clone() };
        let mut message = Message::builder()
            .from(from)
            // Without a name: people choose theirs, and not all are fit for a header.
            .to(Mailbox::new(None, address))
            .subject(mail.subject)
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            // Nobody's absence shall be told to a machine (RFC 3834).
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        let fit = |link: &&str| link.chars().all(|c| c.is_ascii_graphic());
        let one_click = mail.one_click.filter(fit);
        if let Some(link) = one_click.or(mail.unsubscribe.filter(fit)) {
            let name = HeaderName::new_from_ascii_str("List-Unsubscribe");
            message = message.raw_header(HeaderValue::new(name, format!("<{link}>")));
        }
        if one_click.is_some() {
            let name = HeaderName::new_from_ascii_str("List-Unsubscribe-Post");
            message = message.raw_header(HeaderValue::new(name, "List-Unsubscribe=One-Click".to_owned()));
        }
        message
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
        Mail {
            id: "msg_1",
            sender: "Acme, Söhne via LeadFlow",
            address,
            subject: "Grüße",
            text: "Hello",
            html: "<p>Hello</p>",
            unsubscribe: Some("https://app.example.com/unsubscribe?token=abc"),
            one_click: None,
        }
    }

    #[tokio::test]
    async fn every_attempt_has_the_same_message_id() {
        let mailer = Mailer::new(&settings()).unwrap();
        let message = mailer.message(&mail("sam@example.com")).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        assert!(text.contains("Message-ID: <msg_1@leadflow.example>\r\n"), "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated\r\n"), "{text}");
        assert!(text.contains("To: sam@example.com\r\n"), "{text}");
        assert!(text.contains("List-Unsubscribe: <https://app.example.com/unsubscribe?token=abc>\r\n"), "{text}");
        assert!(!text.contains("List-Unsubscribe-Post"), "{text}");
        let one_click = Mail { one_click: Some("https://api.example.com/end?token=abc"), ..mail("sam@example.com") };
        let text = String::from_utf8(mailer.message(&one_click).unwrap().formatted()).unwrap();
        assert!(text.contains("List-Unsubscribe: <https://api.example.com/end?token=abc>\r\n"), "{text}");
        assert!(text.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{text}");
        let from = text.lines().find(|line| line.starts_with("From:")).unwrap();
        assert!(from.contains("<noreply@leadflow.example>") && from.contains("=?utf-8?"), "{from}");
        let forged = Mail { sender: "Acme\r\nBcc: all@example.com", ..mail("sam@example.com") };
        let text = String::from_utf8(mailer.message(&forged).unwrap().formatted()).unwrap();
        assert!(text.contains("From: LeadFlow <noreply@leadflow.example>\r\n") && !text.contains("Bcc"), "{text}");
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
