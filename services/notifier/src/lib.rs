//! Tells buyers of the leads they bought: signed webhooks, with retries, every attempt on record. And mails people their links.

pub mod app;
pub mod config;
pub mod inbound;
mod metrics;
pub mod model;
pub mod outbound;
pub mod secrets;
pub mod sendgrid_key;
pub mod store;
pub mod twilio_signature;
pub mod workers;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use leadflow_contracts::{
    notifier::{
        endpoints_server::EndpointsServer, masking_server::MaskingServer, messages_server::MessagesServer,
        notifier_server::NotifierServer,
    },
    streams,
};
use leadflow_kernel::Clock;
use leadflow_messaging::{
    Bus,
    consumer::{self, ConsumerSettings},
    outbox::{Outbox, Relay},
};
use leadflow_notifier_domain::UNSUBSCRIBE_PURPOSE;
use leadflow_outbound_http::{Client, Options};
use leadflow_outbound_mail::Mailer;
use leadflow_platform::{Health, Shutdown, audit, db, grpc, http};
use tokio::net::TcpListener;

use outbound::{
    dispatcher::Dispatcher,
    email::{Email, Places, Provider, SendGrid},
    numbers::Services,
    sms::{Sms, Twilio},
    webhook::Webhooks,
};

pub use config::{Config, Limits, MailSettings};
pub use leadflow_notifier_domain::{Channel, Topic, UnsubscribeTokens};

/// The service's schema.
pub const SCHEMA: &str = "notifier";
/// The role that the service takes on its connections.
pub const ROLE: &str = "leadflow_notifier";
/// The role that its transactions for one tenant take instead.
pub const TENANT_ROLE: &str = "leadflow_notifier_tenant";
/// The schema's history.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// Events handled at once.
const BATCH: usize = 256;
/// Webhooks may go a moment later, so that each batch of deliveries serves more of them.
const PACE: Duration = Duration::from_millis(10);
/// How often it is looked whether it is morning somewhere.
const SUMMARIES: Duration = Duration::from_secs(60);
/// How long requests at hand may go on after the stop.
const DRAIN: Duration = Duration::from_secs(15);

/// What the service is given.
pub struct Deps {
    /// Where events come from and go.
    pub bus: Bus,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// Where it listens; both are bound already.
pub struct Listeners {
    /// Commands.
    pub grpc: TcpListener,
    /// `/healthz` and `/readyz`.
    pub http: TcpListener,
}

/// Writes and reads the tokens of links that end mails.
#[must_use]
pub fn unsubscribe_tokens(token: &grpc::ServiceToken) -> UnsubscribeTokens {
    UnsubscribeTokens::new(&token.derive_keys(UNSUBSCRIBE_PURPOSE))
}

/// Serves until `shutdown`, then finishes the requests at hand and records their results.
///
/// # Errors
/// When the settings cannot be used or a listener fails for good.
pub async fn run(config: Config, deps: Deps, listeners: Listeners, shutdown: Shutdown) -> anyhow::Result<()> {
    let pool = db::connect(&config.database).context("the database URL of notifier cannot be read")?;
    let client = Client::new(Options {
        total_timeout: config.timeout,
        allow_loopback: config.allow_loopback,
        // Many endpoints may be on one host. Connections that a burst needed are kept for the next one, for half a
        // minute; fewer places would mean that most requests open a connection and close another.
        idle_per_host: config.limits.in_flight,
        purpose: "webhook",
        ..Options::default()
    })?;
    // Stopped one after the other: what takes work in, what sends, what records, what publishes.
    let (recorder_stop, relay_stop) = (Shutdown::new(), Shutdown::new());
    let (relay, relaying) = Relay::new(Outbox::new(SCHEMA), pool.clone(), deps.bus.clone(), relay_stop.clone());
    let relaying = tokio::spawn(relaying);
    let mut notifier = app::Notifier::new(
        pool.clone(),
        relay,
        deps.clock.clone(),
        config.keys.clone(),
        client.clone(),
        config.lease(),
    );
    notifier.unsubscribe_tokens = unsubscribe_tokens(&config.token);
    notifier.sendgrid_key = config.sendgrid_webhook_key.as_deref().and_then(sendgrid_key::EventKey::parse);
    notifier.twilio_tokens = config.sms.as_ref().map(|account| twilio_signature::TwilioTokens::new(&account.tokens));
    let webhooks = Webhooks::new(client, config.keys.clone(), deps.clock.clone());
    let (dispatcher, results) =
        Dispatcher::new(webhooks, deps.clock.clone(), config.limits, config.timeout, shutdown.clone());
    let recording = tokio::spawn(workers::recorder::run(notifier.clone(), results, recorder_stop.clone()));

    metrics::begin();
    let consume = |stream, consumer, handler: Arc<dyn consumer::BatchHandler>| {
        let settings = ConsumerSettings { stream, consumer, max_batch: BATCH, pace: PACE };
        consumer::run(deps.bus.clone(), settings, handler, shutdown.clone())
    };
    let leads = Arc::new(inbound::events::LeadsAssigned { notifier: notifier.clone(), dispatcher: dispatcher.clone() });
    let provider = match &config.mail {
        None => None,
        Some(MailSettings::Smtp(smtp)) => {
            Some(Provider::Smtp(Mailer::new(smtp).context("the mail server of notifier")?))
        }
        Some(MailSettings::SendGrid(account)) => Some(Provider::SendGrid(SendGrid::new(account, deps.clock.clone())?)),
    };
    let places = Places { pages: config.frontend.clone(), api: config.public_url.clone() };
    let email = Email::new(provider, places, &config.token)?;
    let email = Arc::new(app::Queue::new(email, config.email_per_second));
    let twilio = config.sms.as_ref().map(|account| Twilio::new(account, deps.clock.clone())).transpose()?;
    let sms = Arc::new(app::Queue::new(Sms::new(twilio)?, config.sms_per_second));
    let wanted = Arc::new(inbound::events::MailsWanted { notifier: notifier.clone() });
    let numbers = Arc::new(Services::new(
        grpc::channel(&config.distribution_url, "DISTRIBUTION_GRPC_URL")?,
        grpc::channel(&config.billing_url, "BILLING_GRPC_URL")?,
        grpc::Caller::new(config.token.clone()),
    ));
    let people = Arc::new(inbound::events::DirectoryChanged { notifier: notifier.clone() });
    let masked = Arc::new(inbound::masked::LeadsMasked { notifier: notifier.clone() });
    let money = Arc::new(inbound::events::MoneyNews { notifier: notifier.clone(), dispatcher: dispatcher.clone() });
    let (limits, poll) = (config.limits, config.poll);
    let work = [
        tokio::spawn(leadflow_platform::metrics::watch(pool.clone(), SCHEMA, metrics::SAMPLES, shutdown.clone())),
        tokio::spawn(consume(streams::LEADS, streams::LEADS_NOTIFIER, leads)),
        tokio::spawn(consume(streams::LEADS, streams::LEADS_MASKING, masked)),
        tokio::spawn(workers::masking::run(notifier.clone(), poll * 4, shutdown.clone())),
        tokio::spawn(consume(streams::DIRECTORY, streams::DIRECTORY_NOTIFIER, people)),
        tokio::spawn(consume(streams::BILLING, streams::BILLING_NOTIFIER, money)),
        tokio::spawn(consume(streams::NOTIFY, streams::NOTIFY_NOTIFIER, wanted)),
        tokio::spawn(workers::messages::send(notifier.clone(), email, poll, DRAIN, shutdown.clone())),
        tokio::spawn(workers::messages::send(notifier.clone(), sms, poll, DRAIN, shutdown.clone())),
        tokio::spawn(workers::summaries::run(notifier.clone(), numbers, SUMMARIES, shutdown.clone())),
        tokio::spawn(workers::months::run(notifier.clone(), config.attempts_keep_months, shutdown.clone())),
        tokio::spawn(workers::messages::tidy(notifier.clone(), poll * 4, shutdown.clone())),
        tokio::spawn(workers::retries::run(notifier.clone(), dispatcher.clone(), limits, poll, shutdown.clone())),
    ];

    let bus = deps.bus.clone();
    let health = Health::new("notifier").with_database(pool.clone()).with("nats", move || {
        let connected = bus.is_connected();
        async move { if connected { Ok(()) } else { Err("cannot be reached".to_owned()) } }
    });
    let service = inbound::grpc::Service::new(notifier.clone());
    let masking = inbound::masked::MaskingService { notifier: notifier.clone() };
    let messages = inbound::messages_grpc::Service::new(notifier);
    let mut routes = grpc::builder().context("reflection")?;
    routes.add_service(NotifierServer::with_interceptor(service.clone(), grpc::guard(&config.token)));
    routes.add_service(EndpointsServer::with_interceptor(service, grpc::guard(&config.token)));
    routes.add_service(MessagesServer::with_interceptor(messages, grpc::guard(&config.token)));
    routes.add_service(MaskingServer::with_interceptor(masking, grpc::guard(&config.token)));
    routes.add_service(audit::server(pool.clone(), SCHEMA, TENANT_ROLE, &config.token));
    let served = tokio::try_join!(
        async { grpc::serve(listeners.grpc, routes, shutdown.clone()).await.context("gRPC server of notifier") },
        async {
            let router = http::request_id(health.router(&shutdown));
            http::serve(listeners.http, router, shutdown.clone()).await.context("HTTP server of notifier")
        },
    );
    // A listener that failed stops the rest too.
    shutdown.cancel();
    for working in work {
        working.await.context("a worker of notifier ended badly")?;
    }
    dispatcher.drain(DRAIN).await;
    recorder_stop.cancel();
    recording.await.context("the recorder of notifier ended badly")?;
    relay_stop.cancel();
    relaying.await.context("the relay of notifier ended badly")?;
    pool.close().await;
    served.map(|_| ())
}
