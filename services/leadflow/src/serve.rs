//! Runs roles in this process: reads all settings, binds all ports, then starts each service.

use std::{net::IpAddr, pin::Pin, sync::Arc, time::Duration};

use anyhow::Context as _;
use leadflow_kernel::{Clock, SystemClock};
use leadflow_messaging::{
    Bus, BusSettings, GroupCommitPublisher, GroupCommitSettings, measure,
    topology::{self, TopologySettings},
};
use leadflow_platform::{Env, Shutdown, settings};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    observe,
    role::{Ports, Role, listen_address},
    schema::{self, Needed},
};

/// What the services of one process are to do.
pub struct Settings {
    nats_url: String,
    topology: TopologySettings,
    /// Where all ports are.
    pub address: IpAddr,
    /// Between being told to stop and stopping.
    pub shutdown_delay: Duration,
    roles: Vec<(Ports, RoleConfig)>,
}

/// Connections that may wait to be taken.
const BACKLOG: u32 = 1_024;

enum RoleConfig {
    Accounts(leadflow_accounts::Config),
    Billing(leadflow_billing::Config),
    Distribution(leadflow_distribution::Config),
    Notifier(Box<leadflow_notifier::Config>),
    Ingest(leadflow_ingest::Config),
    Bff(leadflow_bff::Config),
    Sandbox(leadflow_sandbox::Config),
}

impl RoleConfig {
    fn read(env: &mut Env, role: Role) -> Self {
        match role {
            Role::Accounts => Self::Accounts(leadflow_accounts::Config::read(env)),
            Role::Billing => Self::Billing(leadflow_billing::Config::read(env)),
            Role::Distribution => Self::Distribution(leadflow_distribution::Config::read(env)),
            Role::Notifier => Self::Notifier(Box::new(leadflow_notifier::Config::read(env))),
            Role::Ingest => Self::Ingest(leadflow_ingest::Config::read(env)),
            Role::Bff => Self::Bff(leadflow_bff::Config::read(env)),
            Role::Sandbox => Self::Sandbox(leadflow_sandbox::Config::read(env)),
        }
    }

    /// What it needs of its schema, if it has one.
    fn needed(&self) -> Option<Needed> {
        let (migrator, database) = match self {
            Self::Accounts(config) => (&leadflow_accounts::MIGRATOR, &config.database),
            Self::Billing(config) => (&leadflow_billing::MIGRATOR, &config.database),
            Self::Distribution(config) => (&leadflow_distribution::MIGRATOR, &config.database),
            Self::Notifier(config) => (&leadflow_notifier::MIGRATOR, &config.database),
            Self::Ingest(_) | Self::Bff(_) | Self::Sandbox(_) => return None,
        };
        Some(Needed { migrator, database: database.clone() })
    }

    const fn role(&self) -> Role {
        match self {
            Self::Accounts(_) => Role::Accounts,
            Self::Billing(_) => Role::Billing,
            Self::Distribution(_) => Role::Distribution,
            Self::Notifier(_) => Role::Notifier,
            Self::Ingest(_) => Role::Ingest,
            Self::Bff(_) => Role::Bff,
            Self::Sandbox(_) => Role::Sandbox,
        }
    }
}

impl Settings {
    /// Reads everything these roles need; problems are collected in `env`.
    pub fn read(env: &mut Env, roles: &[Role]) -> Self {
        Self {
            nats_url: settings::nats_url(env),
            topology: topology_settings(env),
            address: listen_address(env),
            shutdown_delay: Duration::from_secs(env.or(
                "SHUTDOWN_DELAY_SECONDS",
                5,
                "seconds between SIGTERM and the stop, in which requests are still served but each is told to go elsewhere next time",
            )),
            roles: roles.iter().map(|role| (Ports::read(env, *role), RoleConfig::read(env, *role))).collect(),
        }
    }
}

/// Reads what an operator may choose about the streams.
pub fn topology_settings(env: &mut Env) -> TopologySettings {
    let default = TopologySettings::default();
    TopologySettings {
        replicas: env.or("NATS_REPLICAS", default.replicas, "copies of each stream: 1 on one node, 3 in a cluster"),
        max_bytes: env.or(
            "NATS_MAX_BYTES",
            default.max_bytes,
            "most bytes of the LEADS stream; each of the others may hold a quarter",
        ),
    }
}

/// Serves until `shutdown`, or until one service fails: then the others are stopped in an orderly
/// way too. `measured`: somebody is told of readiness and of what waits in the streams.
///
/// # Errors
/// When a port or NATS cannot be had, or a service fails.
pub async fn run(settings: Settings, measured: bool, shutdown: Shutdown) -> anyhow::Result<()> {
    let mut bound = Vec::new();
    for (ports, config) in settings.roles {
        let role = config.role();
        if measured {
            tokio::spawn(observe::watch_readiness(role, settings.address, ports.http, shutdown.clone()));
        }
        let http = listen(bind(settings.address, ports.http, role, role.http().name)?)?;
        let mut further = [None, None];
        for (listener, port) in further.iter_mut().zip([ports.grpc.zip(role.grpc()), ports.smtp.zip(role.smtp())]) {
            if let Some((port, setting)) = port {
                *listener = Some(bind(settings.address, port, role, setting.name)?);
            }
        }
        let [grpc, smtp] = further;
        bound.push((config, Bound { http, grpc, smtp }));
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut services = JoinSet::new();
    let mut buses = Vec::new();
    for (config, bound) in bound {
        let role = config.role();
        let service: Service = match config {
            // Outside of LeadFlow: it has no business on the bus.
            RoleConfig::Sandbox(config) => sandbox(config, bound, shutdown.clone())?,
            // It asks; what it hears for the live feed it hears on a connection that it makes when somebody listens.
            RoleConfig::Bff(config) => {
                let deps = leadflow_bff::Deps { clock: Arc::clone(&clock) };
                Box::pin(leadflow_bff::run(config, deps, bound.http, shutdown.clone()))
            }
            config => {
                let bus = connect(&settings.nats_url, role).await?;
                if buses.is_empty() {
                    topology::ensure(&bus, settings.topology).await.context("streams and consumers")?;
                    if measured {
                        tokio::spawn(measure::watch(bus.clone(), shutdown.clone()));
                    }
                }
                buses.push(bus.clone());
                let (clock, shutdown) = (Arc::clone(&clock), shutdown.clone());
                Box::pin(async move {
                    match config.needed() {
                        Some(needed) if !schema::fits(role, &needed, &bound.http, &shutdown).await? => Ok(()),
                        _ => start(config, bus, clock, bound, shutdown)?.await,
                    }
                })
            }
        };
        services.spawn(async move { (role, service.await) });
    }
    let mut failed = None;
    while let Some(ended) = services.join_next().await {
        let outcome = match ended {
            Ok((role, outcome)) => outcome.with_context(|| format!("{role} failed")),
            Err(error) => Err(error).context("a service panicked"),
        };
        if let Err(error) = outcome {
            tracing::error!(error = format!("{error:#}"), "service failed");
            failed.get_or_insert(error);
        }
        // One gone, by order or not: the process is of no use without it.
        shutdown.cancel();
    }
    for bus in buses {
        bus.close().await;
    }
    failed.map_or(Ok(()), Err)
}

/// A role's ports. Only HTTP is listened to before the role can work: a caller whose connection is taken waits for an answer.
struct Bound {
    http: TcpListener,
    grpc: Option<TcpSocket>,
    smtp: Option<TcpSocket>,
}

/// A service at work.
type Service = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

fn start(
    config: RoleConfig,
    bus: Bus,
    clock: Arc<dyn Clock>,
    bound: Bound,
    shutdown: Shutdown,
) -> anyhow::Result<Service> {
    let role = config.role();
    let Bound { http, grpc, smtp } = bound;
    let grpc = || listen(grpc.with_context(|| format!("{role} has no gRPC port"))?);
    Ok(match config {
        RoleConfig::Accounts(config) => {
            let listeners = leadflow_accounts::Listeners { grpc: grpc()?, http };
            Box::pin(leadflow_accounts::run(config, leadflow_accounts::Deps { bus, clock }, listeners, shutdown))
        }
        RoleConfig::Billing(config) => {
            let listeners = leadflow_billing::Listeners { grpc: grpc()?, http };
            Box::pin(leadflow_billing::run(config, leadflow_billing::Deps { bus, clock }, listeners, shutdown))
        }
        RoleConfig::Distribution(config) => {
            let listeners = leadflow_distribution::Listeners { grpc: grpc()?, http };
            Box::pin(leadflow_distribution::run(
                config,
                leadflow_distribution::Deps { bus, clock },
                listeners,
                shutdown,
            ))
        }
        RoleConfig::Notifier(config) => {
            let listeners = leadflow_notifier::Listeners { grpc: grpc()?, http };
            Box::pin(leadflow_notifier::run(*config, leadflow_notifier::Deps { bus, clock }, listeners, shutdown))
        }
        RoleConfig::Ingest(config) => {
            // Ends by itself when the service has let go of the publisher.
            let (publisher, task) =
                GroupCommitPublisher::new(bus.clone(), GroupCommitSettings::default(), CancellationToken::new());
            tokio::spawn(task);
            let publisher = Arc::new(publisher);
            Box::pin(leadflow_ingest::run(config, leadflow_ingest::Deps { bus, publisher, clock }, http, shutdown))
        }
        RoleConfig::Bff(config) => Box::pin(leadflow_bff::run(config, leadflow_bff::Deps { clock }, http, shutdown)),
        RoleConfig::Sandbox(config) => sandbox(config, Bound { http, grpc: None, smtp }, shutdown)?,
    })
}

fn sandbox(config: leadflow_sandbox::Config, bound: Bound, shutdown: Shutdown) -> anyhow::Result<Service> {
    let smtp = listen(bound.smtp.context("the sandbox has no port for mails")?)?;
    let listeners = leadflow_sandbox::Listeners { http: bound.http, smtp };
    Ok(Box::pin(leadflow_sandbox::run(config, listeners, shutdown)))
}

/// Takes a port, which is not listened to yet.
fn bind(address: IpAddr, port: u16, role: Role, setting: &str) -> anyhow::Result<TcpSocket> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // What an earlier process left in the system's hands is no reason to wait.
        socket.set_reuseaddr(true)?;
        socket.bind((address, port).into())?;
        Ok::<_, std::io::Error>(socket)
    };
    bound()
        .with_context(|| format!("{role} cannot listen on {address}:{port}; free the port or set {setting} to another"))
}

fn listen(socket: TcpSocket) -> anyhow::Result<TcpListener> {
    let address = socket.local_addr()?;
    socket.listen(BACKLOG).with_context(|| format!("cannot listen on {address}; free the port"))
}

async fn connect(url: &str, role: Role) -> anyhow::Result<Bus> {
    let settings =
        BusSettings { url: url.to_owned(), source: role.name().to_owned(), connect_within: Duration::from_secs(30) };
    Ok(Bus::connect(&settings).await?)
}
