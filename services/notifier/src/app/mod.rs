//! What can be done, one file per use case.

mod accept_leads;
mod accept_messages;
mod accept_money;
mod accept_news;
mod audit;
mod delete_endpoint;
mod get_endpoint;
mod get_preferences;
mod keep_months;
mod learn_buyers;
mod list_deliveries;
mod list_messages;
mod log_deliveries;
mod mask_sales;
mod occasions;
mod put_endpoint;
mod put_preferences;
mod record_messages;
mod record_results;
mod replay_deliveries;
mod rotate_endpoint_secret;
mod rotate_secrets;
mod send_messages;
mod send_sample;
mod sum_up_days;
mod take_callback;
mod take_due;
mod take_sendgrid_events;
mod take_twilio;
mod unsubscribe;

use std::{sync::Arc, time::Duration};

use leadflow_kernel::Clock;
use leadflow_messaging::outbox::{Outbox, Relay};
use leadflow_notifier_domain::{Channel, UnsubscribeTokens};
use leadflow_outbound_http::{Client, UrlError};
use leadflow_platform::db::Tenants;
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::{
    secrets::{SecretKeys, SecretsError},
    sendgrid_key::EventKey,
    twilio_signature::TwilioTokens,
};

pub use accept_leads::{Sale, Undone};
pub use accept_money::{Declined, LowWallet};
pub use accept_news::Telling;
pub use get_endpoint::EndpointView;
pub use get_preferences::PreferencesView;
pub use learn_buyers::DirectoryNews;
pub use list_deliveries::{DeliveryView, MAX_PAGE};
pub use list_messages::MessageView;
pub use put_endpoint::{Format, MAX_ENDPOINTS, PutEndpoint};
pub use replay_deliveries::{MAX_REPLAY, MAX_REPLAY_RANGE, Replay, Replayed};
pub use rotate_secrets::{RotatedPart, Rotation};
pub use send_messages::Queue;
pub use send_sample::Sample;
pub use take_callback::{Callback, CallbackSource};
pub use take_sendgrid_events::EventsError;

/// How long a message belongs to whoever took it, unless told otherwise.
const MESSAGE_LEASE: Duration = Duration::from_mins(3);

/// The user who gave a command, as far as is known.
pub type Actor = Option<leadflow_platform::audit::Actor>;

/// Carries out what notifier does. Cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    /// The service's database.
    pub pool: PgPool,
    /// The same, for one tenant at a time.
    tenants: Tenants,
    /// Publishes what the outbox holds.
    pub relay: Relay,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// What endpoints' secrets are encrypted with.
    pub keys: SecretKeys,
    /// Knows which addresses are refused.
    pub client: Client,
    /// How long a delivery belongs to whoever took it.
    pub lease: Duration,
    /// How long a message belongs to whoever took it: longer than an attempt at sending it, and recording that.
    pub message_lease: Duration,
    /// Wakes who sends messages.
    pub wakes: Wakes,
    /// Reads the tokens of links that end mails; made without keys, which read none.
    pub unsubscribe_tokens: UnsubscribeTokens,
    /// What SendGrid signs its events with; none: they are refused.
    pub sendgrid_key: Option<EventKey>,
    /// What Twilio signs its calls with; none: they are refused.
    pub twilio_tokens: Option<TwilioTokens>,
    outbox: Outbox,
}

/// Wakes the senders of each channel, so that what is new does not wait until they look again.
#[derive(Debug, Clone, Default)]
pub struct Wakes {
    /// Of mails.
    pub email: Arc<Notify>,
    /// Of text messages.
    pub sms: Arc<Notify>,
}

impl Wakes {
    /// Of `channel`.
    #[must_use]
    pub fn of(&self, channel: Channel) -> &Notify {
        match channel {
            Channel::Email => &self.email,
            Channel::Sms => &self.sms,
        }
    }
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// No such record in this tenant (it may well exist in another one).
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The endpoint's id is in use by somebody else.
    #[error("the endpoint's id is in use")]
    EndpointExists,
    /// There was one with this id, and its owner deleted it.
    #[error("this webhook was made before, and deleted since")]
    EndpointDeleted,
    /// The buyer has [`MAX_ENDPOINTS`].
    #[error("a buyer may have {MAX_ENDPOINTS} endpoints")]
    TooManyEndpoints,
    /// A field has no such value.
    #[error("{0} {1}")]
    Field(&'static str, &'static str),
    /// Stored credentials would go to another host.
    #[error("the credentials and headers were given for another host: give them again, or none")]
    CredentialsNeeded,
    /// Headers or credentials are refused.
    #[error(transparent)]
    Credentials(#[from] leadflow_notifier_domain::CredentialError),
    /// The body's template is refused.
    #[error("body_template: {0}")]
    Body(#[from] leadflow_notifier_domain::BodyError),
    /// Nothing is sent to it now.
    #[error("the endpoint is switched off")]
    EndpointOff,
    /// It has not ended.
    #[error("the delivery has not ended yet")]
    DeliveryWaits,
    /// The buyer's system refused it, and the sale was undone.
    #[error("the receiver refused the delivery, and the lead was given back")]
    DeliveryRefused,
    /// What it was to send is removed.
    #[error("the personal data of its lead was removed: there is nothing to send again")]
    DeliveryMasked,
    /// The endpoint is not of the version that the change was made for.
    #[error("it was changed meanwhile: read it and try again")]
    ChangedMeanwhile,
    /// The URL is refused.
    #[error("url {0}")]
    Url(#[from] UrlError),
    /// The secret is refused.
    #[error("secret {0}")]
    Secret(#[from] leadflow_notifier_domain::SecretError),
    /// The rules for answers are refused.
    #[error("answer: {0}")]
    Answer(#[from] leadflow_notifier_domain::AnswerRuleError),
    /// A secret could not be made, encrypted or decrypted.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The made-up lead is not one.
    #[error("the sample cannot be written: {0}")]
    Sample(String),
    /// Preferences are refused.
    #[error(transparent)]
    Preferences(#[from] leadflow_notifier_domain::PreferencesError),
    /// Not a token of ours.
    #[error("this link does not work")]
    TokenUnknown,
    /// There is no key that a call of this provider could be checked with.
    #[error("{0} is not set up here")]
    NotConfigured(&'static str),
    /// A call of a provider is not signed as it should be.
    #[error("the signature is not right")]
    BadSignature,
    /// A call is signed, and cannot be read.
    #[error("the call cannot be read")]
    CallbackUnreadable,
    /// PostgreSQL.
    #[error("database")]
    Database(#[from] sqlx::Error),
}

impl Notifier {
    /// Works on `pool`; events go through `relay`.
    #[must_use]
    pub fn new(
        pool: PgPool,
        relay: Relay,
        clock: Arc<dyn Clock>,
        keys: SecretKeys,
        client: Client,
        lease: Duration,
    ) -> Self {
        let (tenants, outbox) = (Tenants::new(pool.clone(), crate::TENANT_ROLE), Outbox::new(crate::SCHEMA));
        let (message_lease, wakes) = (MESSAGE_LEASE, Wakes::default());
        let unsubscribe_tokens = UnsubscribeTokens::new(&[]);
        Self {
            pool,
            tenants,
            relay,
            clock,
            keys,
            client,
            lease,
            message_lease,
            wakes,
            unsubscribe_tokens,
            sendgrid_key: None,
            twilio_tokens: None,
            outbox,
        }
    }
}
