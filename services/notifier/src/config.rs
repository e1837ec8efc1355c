//! Settings.

mod twilio;

use std::time::Duration;

use leadflow_outbound_mail::{SmtpSettings, Tls};
use leadflow_platform::{Env, db::DbSettings, grpc::ServiceToken, settings};
use url::Url;

use crate::{
    outbound::{email::SendGridSettings, sms::TwilioSettings},
    secrets::SecretKeys,
};

/// What notifier needs to know.
#[derive(Clone)]
pub struct Config {
    /// Its database.
    pub database: DbSettings,
    /// The secret that callers show.
    pub token: ServiceToken,
    /// What endpoints' secrets are encrypted with.
    pub keys: SecretKeys,
    /// Lets endpoints be on this machine; for development.
    pub allow_loopback: bool,
    /// How long a receiver may take, to the last byte of its answer.
    pub timeout: Duration,
    /// How many requests, and to whom, are made at once.
    pub limits: Limits,
    /// How often the tables are asked for what is due.
    pub poll: Duration,
    /// Who takes mails; none: they wait.
    pub mail: Option<MailSettings>,
    /// Who takes text messages; none: they wait.
    pub sms: Option<TwilioSettings>,
    /// Text messages a second that this replica hands over at most.
    pub sms_per_second: u32,
    /// Where distribution is, which knows what buyers bought.
    pub distribution_url: String,
    /// Where billing is, which knows what they have left.
    pub billing_url: String,
    /// What SendGrid signs its events with, as it shows it: base64. None: they are not taken.
    pub sendgrid_webhook_key: Option<String>,
    /// Mails a second that this replica hands over at most.
    pub email_per_second: u32,
    /// Months before the current one of which attempts at webhooks are kept; 0: all.
    pub attempts_keep_months: u32,
    /// Where people's pages are: mails link to them.
    pub frontend: Url,
    /// Where the API is found from outside.
    pub public_url: Url,
}

/// What one replica bears. What does not fit waits in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests at once.
    pub in_flight: usize,
    /// Requests at once to one endpoint.
    pub per_endpoint: usize,
    /// Requests at once to one that has not answered yet; each answer adds one.
    pub first_in_flight: usize,
    /// Deliveries in memory, those in flight included.
    pub held: usize,
    /// Deliveries in memory for one endpoint that gets as many requests at once as there may be; with fewer, as much less.
    pub held_per_endpoint: usize,
    /// Deliveries in memory for an endpoint whose last attempt failed: few, so that a receiver that
    /// hangs holds little.
    pub held_when_failing: usize,
    /// A request that takes longer does not count among those at once any more.
    pub slow_after: Duration,
    /// One that takes even longer is stuck: what waits behind it goes back to the table.
    pub stuck_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 512,
            per_endpoint: 16,
            first_in_flight: 2,
            held: 4_096,
            held_per_endpoint: 256,
            held_when_failing: 2,
            slow_after: Duration::from_secs(1),
            stuck_after: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// Reads the settings; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let limits = Limits::default();
        let keys = env.required_secret(
            "SECRETS_KEY",
            "base64 of 32 random bytes that stored secrets are encrypted with; several, comma-separated, while one \
             replaces another: the first encrypts, all decrypt",
        );
        let keys = if keys.is_empty() { Ok(SecretKeys::default()) } else { SecretKeys::parse(&keys) };
        Self {
            database: settings::database(env, "NOTIFIER_DATABASE_URL", crate::ROLE, "leadflow-notifier"),
            token: settings::service_token(env),
            keys: keys.unwrap_or_else(|error| {
                env.problem(format!("SECRETS_KEY {error}"));
                SecretKeys::default()
            }),
            allow_loopback: env.or(
                "WEBHOOK_ALLOW_LOOPBACK",
                false,
                "true lets webhooks go to this machine; for development only",
            ),
            timeout: settings::millis(env, "WEBHOOK_TIMEOUT_MS", 30_000, "time a receiver has, to the last byte"),
            limits: Limits {
                in_flight: env.or("WEBHOOK_CONCURRENCY", limits.in_flight, "webhook requests at once"),
                per_endpoint: env.or("WEBHOOK_CONCURRENCY_PER_ENDPOINT", limits.per_endpoint, "and to one endpoint"),
                ..limits
            },
            poll: Duration::from_millis(500),
            mail: mail(env),
            sendgrid_webhook_key: webhook_key(env),
            sms: twilio::read(env),
            sms_per_second: env.or(
                "SMS_PER_SECOND",
                10,
                "text messages a second that a replica hands over at most; Twilio keeps those that its numbers are too slow for",
            ),
            distribution_url: env.or(
                "DISTRIBUTION_GRPC_URL",
                "http://127.0.0.1:9103".to_owned(),
                "gRPC address or addresses of distribution, comma-separated",
            ),
            billing_url: env.or(
                "BILLING_GRPC_URL",
                "http://127.0.0.1:9102".to_owned(),
                "gRPC address or addresses of billing, comma-separated",
            ),
            email_per_second: env.or("EMAIL_PER_SECOND", 50, "mails a second that a replica hands over at most"),
            attempts_keep_months: env.or(
                "ATTEMPTS_KEEP_MONTHS",
                13,
                "months before the current one of which attempts at webhooks are kept, with what receivers answered; 0: all",
            ),
            frontend: frontend(env),
            public_url: public_url(env),
        }
    }

    /// How long a delivery belongs to whoever took it: time for the request, and as much again to
    /// wait for its turn and to record the result. Replicas' clocks may differ by less than that.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.timeout * 2 + Duration::from_secs(5)
    }
}

/// Who takes mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailSettings {
    /// A mail server.
    Smtp(SmtpSettings),
    /// SendGrid's API.
    SendGrid(SendGridSettings),
}

/// Who takes mails: whom `EMAIL_PROVIDER` names, or else the one whose settings are there.
fn mail(env: &mut Env) -> Option<MailSettings> {
    let wanted: Option<String> = env.optional(
        "EMAIL_PROVIDER",
        "smtp or sendgrid: who takes mails; none: smtp with SMTP_HOST, else sendgrid with SENDGRID_API_KEY",
    );
    let (smtp, sendgrid) = (smtp(env), sendgrid(env));
    match wanted.as_deref() {
        None => smtp.map(MailSettings::Smtp).or(sendgrid.map(MailSettings::SendGrid)),
        Some("smtp") => {
            if smtp.is_none() {
                env.problem("EMAIL_PROVIDER=smtp needs SMTP_HOST");
            }
            smtp.map(MailSettings::Smtp)
        }
        Some("sendgrid") => {
            if sendgrid.is_none() {
                env.problem("EMAIL_PROVIDER=sendgrid needs SENDGRID_API_KEY");
            }
            sendgrid.map(MailSettings::SendGrid)
        }
        Some(_) => {
            env.problem("EMAIL_PROVIDER must be smtp or sendgrid");
            None
        }
    }
}

/// SendGrid; `None` without `SENDGRID_API_KEY`.
fn sendgrid(env: &mut Env) -> Option<SendGridSettings> {
    let key =
        env.optional_secret("SENDGRID_API_KEY", "key of an account at SendGrid that may send mails; none: not used");
    let from: Option<String> =
        env.optional("SENDGRID_FROM_EMAIL", "address that mails are from; needed with SENDGRID_API_KEY");
    let default = "https://api.sendgrid.com";
    let base = env.or("SENDGRID_API_BASE", default.to_owned(), "where SendGrid's API is; another one for tests only");
    let base = match Url::parse(&base) {
        Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => url,
        _ => {
            env.problem("SENDGRID_API_BASE must be an http or https URL");
            Url::parse(default).unwrap_or_else(|_| unreachable!("a constant that is a URL"))
        }
    };
    let (key, from) = (key?, from.unwrap_or_default());
    if !from.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
        || from.contains(['<', ' '])
    {
        env.problem("SENDGRID_FROM_EMAIL must be an address such as noreply@example.com");
    }
    Some(SendGridSettings { base, key, from, timeout: Duration::from_secs(30) })
}

fn webhook_key(env: &mut Env) -> Option<String> {
    let key: Option<String> = env.optional(
        "SENDGRID_WEBHOOK_PUBLIC_KEY",
        "verification key of SendGrid's signed event webhook, base64; none: its events are refused",
    );
    if key.as_deref().is_some_and(|key| crate::sendgrid_key::EventKey::parse(key).is_none()) {
        env.problem("SENDGRID_WEBHOOK_PUBLIC_KEY must be the base64 text that SendGrid shows as verification key");
    }
    key
}

/// The mail server; `None` without `SMTP_HOST`.
fn smtp(env: &mut Env) -> Option<SmtpSettings> {
    let host: Option<String> = env.optional("SMTP_HOST", "mail server that takes mails to people; none: they wait");
    let tls = env.or(
        "SMTP_TLS",
        Tls::StartTls,
        "starttls, implicit (TLS from the first byte) or none (for a server on this machine)",
    );
    let port: Option<u16> =
        env.optional("SMTP_PORT", "its port; none: 587 with starttls, 465 with implicit, 25 with none");
    let user: Option<String> = env.optional("SMTP_USER", "user name for it; none: it is not asked for one");
    let password = env.optional_secret("SMTP_PASSWORD", "password for it");
    let from: Option<String> =
        env.optional("SMTP_FROM", "who mails are from, e.g. LeadFlow <noreply@example.com>; needed with SMTP_HOST");
    let timeout =
        settings::millis(env, "SMTP_TIMEOUT_MS", 30_000, "milliseconds the mail server has for a mail, all in all");
    let host = host?;
    if user.is_some() != password.is_some() {
        env.problem("SMTP_USER and SMTP_PASSWORD belong together: set both or none");
    }
    let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if tls == Tls::None && user.is_some() && !here {
        env.problem("SMTP_TLS=none would send SMTP_PASSWORD in the clear: use starttls or implicit");
    }
    let settings = SmtpSettings {
        port: port.unwrap_or(tls.port()),
        host,
        tls,
        credentials: user.zip(password),
        from: from.unwrap_or_default(),
        timeout: timeout.clamp(Duration::from_secs(1), Duration::from_mins(2)),
    };
    if let Err(error) = settings.check() {
        env.problem(format!("SMTP_HOST or SMTP_FROM: {error}"));
    }
    Some(settings)
}

/// Whether a URL leads to this machine.
pub(crate) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn frontend(env: &mut Env) -> Url {
    let help = "where people's pages are; mails link to /reset-password, /verify-email and the like below it";
    let text = env.or("FRONTEND_URL", HERE.to_owned(), help);
    place(env, "FRONTEND_URL", &text)
}

fn public_url(env: &mut Env) -> Url {
    let text = settings::public_url(env);
    place(env, "BFF_PUBLIC_URL", &text)
}

const HERE: &str = "http://localhost:3000";

fn place(env: &mut Env, name: &str, text: &str) -> Url {
    match Url::parse(text) {
        Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => return url,
        _ => env.problem(format!("{name} must be an http or https URL such as https://app.example.com")),
    }
    // Stands in while problems are collected.
    Url::parse(HERE).unwrap_or_else(|_| unreachable!("a constant that is a URL"))
}
