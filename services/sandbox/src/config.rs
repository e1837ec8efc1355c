//! Settings.

use leadflow_platform::Env;

/// What the sandbox needs to know; the defaults are fine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Webhooks kept; the oldest go first.
    pub max_records: usize,
    /// Bytes of all bodies kept; the oldest go first.
    pub max_bytes: usize,
    /// Webhook ids remembered per name, for telling repeats.
    pub max_ids: usize,
    /// Mails kept; the oldest go first.
    pub max_mails: usize,
    /// Bytes of all mails kept; the oldest go first.
    pub max_mail_bytes: usize,
    /// The API that the pages which mails link to are in front of.
    pub api_url: String,
    /// Where browsers and clients find the sandbox; `None`: on this machine, at the port that it listens on.
    pub public_url: Option<String>,
    /// The one client that the stand-in for Google knows.
    pub client_id: String,
    /// Its secret, which protects nothing.
    pub client_secret: String,
    /// Where the stand-in for Stripe keeps what it knows; `None`: in memory only.
    pub stripe_file: Option<String>,
    /// Where it sends its events; `None`: nowhere.
    pub stripe_webhook_url: Option<String>,
    /// What it signs them with; more than one while a secret is being replaced.
    pub stripe_webhook_secrets: Vec<String>,
    /// Objects of a kind that it keeps; more are refused.
    pub stripe_max_objects: usize,
    /// Where the stand-in for SendGrid sends its events; `None`: nowhere.
    pub sendgrid_webhook_url: Option<String>,
    /// What it signs them with: base64 of a PKCS #8 key on P-256; `None`: one that it makes.
    pub sendgrid_webhook_key: Option<String>,
    /// The account that the stand-in for Twilio knows: `AC` and 32 hexadecimal digits.
    pub twilio_account_sid: String,
    /// Its token, which calls are signed with, too.
    pub twilio_auth_token: String,
    /// A key of the account, `SK…:secret`; `None`: it has none.
    pub twilio_api_key: Option<String>,
    /// The account's numbers, in E.164.
    pub twilio_numbers: Vec<String>,
    /// Its messaging service, which sends from the first of them.
    pub twilio_service_sid: String,
    /// Where messages of people go; `None`: nowhere.
    pub twilio_inbound_url: Option<String>,
    /// Text messages kept; the oldest go first.
    pub max_texts: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_records: 10_000,
            max_bytes: 64 << 20,
            max_ids: 500_000,
            max_mails: 1_000,
            max_mail_bytes: 16 << 20,
            api_url: "http://127.0.0.1:3000".to_owned(),
            public_url: None,
            client_id: "leadflow-sandbox".to_owned(),
            client_secret: "leadflow-sandbox-secret".to_owned(),
            stripe_file: None,
            stripe_webhook_url: None,
            stripe_webhook_secrets: Vec::new(),
            stripe_max_objects: 50_000,
            sendgrid_webhook_url: None,
            sendgrid_webhook_key: None,
            twilio_account_sid: "AC5a4db0c15a4db0c15a4db0c15a4db0c1".to_owned(),
            twilio_auth_token: "leadflow-sandbox-token".to_owned(),
            twilio_api_key: None,
            twilio_numbers: vec![crate::twilio::SENDER.to_owned()],
            twilio_service_sid: "MG5a4db0c15a4db0c15a4db0c15a4db0c1".to_owned(),
            twilio_inbound_url: None,
            max_texts: 10_000,
        }
    }
}

impl Config {
    /// Reads the settings; problems are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let default = Self::default();
        Self {
            max_records: env.or("SANDBOX_MAX_RECORDS", default.max_records, "webhooks the sandbox keeps"),
            api_url: env
                .or("BFF_HTTP_URL", default.api_url.clone(), "HTTP address or addresses of the bff, comma-separated")
                .split(',')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
            public_url: env.optional(
                "SANDBOX_PUBLIC_URL",
                "where the sandbox is found, e.g. http://127.0.0.1:8090; none: there, with the port it listens on",
            ),
            client_id: env.or(
                "SANDBOX_CLIENT_ID",
                default.client_id.clone(),
                "the client that the stand-in for Google knows",
            ),
            client_secret: env.or(
                "SANDBOX_CLIENT_SECRET",
                default.client_secret.clone(),
                "and its secret, which protects nothing",
            ),
            stripe_file: env.optional(
                "SANDBOX_STRIPE_FILE",
                "where the stand-in for Stripe keeps its customers and charges; none: a restart forgets them",
            ),
            stripe_webhook_url: env
                .optional("SANDBOX_STRIPE_WEBHOOK_URL", "where the stand-in for Stripe sends events; none: nowhere"),
            stripe_webhook_secrets: env
                .optional_secret("SANDBOX_STRIPE_WEBHOOK_SECRETS", "what it signs them with, comma-separated")
                .into_iter()
                .flat_map(|secrets| secrets.split(',').map(|secret| secret.trim().to_owned()).collect::<Vec<_>>())
                .filter(|secret| !secret.is_empty())
                .collect(),
            sendgrid_webhook_url: env.optional(
                "SANDBOX_SENDGRID_WEBHOOK_URL",
                "where the stand-in for SendGrid sends events; none: nowhere",
            ),
            sendgrid_webhook_key: env.optional_secret(
                "SANDBOX_SENDGRID_WEBHOOK_KEY",
                "what it signs them with, base64 of a PKCS #8 key on P-256; none: a new one at each start",
            ),
            twilio_account_sid: env.or(
                "SANDBOX_TWILIO_ACCOUNT_SID",
                default.twilio_account_sid.clone(),
                "the account that the stand-in for Twilio knows",
            ),
            twilio_auth_token: env
                .optional_secret(
                    "SANDBOX_TWILIO_AUTH_TOKEN",
                    "its token, which calls are signed with; none: a well-known one",
                )
                .unwrap_or_else(|| default.twilio_auth_token.clone()),
            twilio_api_key: env
                .optional_secret("SANDBOX_TWILIO_API_KEY", "a key of that account, SK…:secret; none: it has none"),
            twilio_numbers: env
                .or("SANDBOX_TWILIO_NUMBERS", default.twilio_numbers.join(","), "its numbers in E.164, comma-separated")
                .split(',')
                .map(|number| number.trim().to_owned())
                .filter(|number| !number.is_empty())
                .collect(),
            twilio_service_sid: env.or(
                "SANDBOX_TWILIO_SERVICE_SID",
                default.twilio_service_sid.clone(),
                "its messaging service, which sends from the first of them",
            ),
            twilio_inbound_url: env.optional(
                "SANDBOX_TWILIO_INBOUND_URL",
                "where the stand-in for Twilio sends messages that people write; none: nowhere",
            ),
            ..default
        }
    }
}
