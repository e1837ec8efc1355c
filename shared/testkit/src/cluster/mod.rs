//! All of LeadFlow as real processes on this machine: private servers, replicas of every role, and
//! a proxy in front of each server, so that a test can kill anything and cut any connection.
//!
//! It knows the executable's command line (`migrate`, `serve ROLE`) and its settings, and no code.

mod replica;

use std::{
    ffi::OsStr,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};

pub use replica::Replica;

use crate::{
    Balancer, ChaosProxy, TempDir,
    servers::{Nats, NatsOptions, Postgres, PostgresOptions, SyncInterval},
    wait,
};

/// How long a role may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Roles that others than services call.
const PUBLIC: [&str; 2] = ["ingest", "bff"];

/// What to start.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The `leadflow` executable.
    pub binary: PathBuf,
    /// Roles in the order of starting, with how many replicas of each.
    pub roles: Vec<(&'static str, usize)>,
    /// Whether PostgreSQL syncs its log: off is faster, and a killed process loses nothing either way.
    pub fsync: bool,
    /// When nats-server syncs its files.
    pub sync: SyncInterval,
    /// Whether the roles reach the servers, and billing the sandbox's Stripe, through proxies.
    pub proxied: bool,
    /// Whether a [`Balancer`] is in front of the replicas of each public role.
    pub balanced: bool,
    /// Further settings of every role.
    pub env: Vec<(String, String)>,
    /// Further settings of PostgreSQL.
    pub postgres: Vec<(String, String)>,
    /// Every process serves its metrics on a port of its own.
    pub metrics: bool,
    /// A backup to begin from, instead of empty schemas.
    pub restore: Option<PathBuf>,
    /// Where logs go, kept; `None` is a folder that goes away with the cluster.
    pub logs: Option<PathBuf>,
}

impl ClusterOptions {
    /// One replica of each role, no syncing, no proxies.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            roles: ["accounts", "distribution", "billing", "notifier", "ingest", "sandbox"]
                .map(|role| (role, 1))
                .to_vec(),
            fsync: false,
            sync: SyncInterval::Every(Duration::from_secs(120)),
            proxied: false,
            balanced: false,
            env: Vec::new(),
            postgres: Vec::new(),
            metrics: false,
            restore: None,
            logs: None,
        }
    }

    /// So many replicas of a role.
    #[must_use]
    pub fn replicas(mut self, role: &str, count: usize) -> Self {
        for entry in &mut self.roles {
            if entry.0 == role {
                entry.1 = count;
            }
        }
        self
    }
}

/// The running whole. Dropping it ends and wipes everything.
pub struct Cluster {
    /// Replicas in the order of starting.
    pub replicas: Vec<Replica>,
    /// The database server.
    pub postgres: Postgres,
    /// The message server.
    pub nats: Nats,
    /// In front of the database server, for the roles.
    pub postgres_proxy: Option<ChaosProxy>,
    /// In front of the message server, for the roles.
    pub nats_proxy: Option<ChaosProxy>,
    /// In front of the stand-in for Stripe, for billing.
    pub stripe_proxy: Option<ChaosProxy>,
    fronts: Vec<(&'static str, Balancer)>,
    env: Vec<(String, String)>,
    logs: PathBuf,
    _dir: TempDir,
}

/// The secret that services of a cluster show each other.
pub const SERVICE_TOKEN: &str = "cluster-service-token";

/// What the stand-in for Stripe signs with.
pub const STRIPE_WEBHOOK_SECRET: &str = "whsec_cluster";

impl Cluster {
    /// Starts everything and waits until every role is ready.
    ///
    /// # Errors
    /// When a server, the migration or a role does not come up; the text ends with the log's end.
    pub async fn start(options: ClusterOptions) -> anyhow::Result<Self> {
        let dir = TempDir::new("cluster")?;
        let logs = options.logs.clone().unwrap_or_else(|| dir.path().join("logs"));
        std::fs::create_dir_all(&logs)?;
        let postgres = Postgres::start(PostgresOptions {
            fsync: options.fsync,
            max_connections: 300,
            settings: options.postgres.clone(),
            ..PostgresOptions::new(dir.path().join("postgres"))
        })
        .await?;
        let nats = Nats::start(NatsOptions { sync: options.sync, ..NatsOptions::new(dir.path().join("nats")) }).await?;
        let (mut postgres_proxy, mut nats_proxy) = (None, None);
        let (mut database_url, mut nats_url) = (postgres.url(), nats.url());
        if options.proxied {
            let (through_pg, through_nats) =
                (ChaosProxy::start(address(&postgres.url())?).await?, ChaosProxy::start(address(&nats.url())?).await?);
            database_url =
                postgres.url().replace(&address(&postgres.url())?.to_string(), &through_pg.addr().to_string());
            nats_url = format!("nats://{}", through_nats.addr());
            (postgres_proxy, nats_proxy) = (Some(through_pg), Some(through_nats));
        }
        let mut env = vec![
            ("DATABASE_URL".to_owned(), database_url),
            ("NATS_URL".to_owned(), nats_url),
            ("SERVICE_TOKEN".to_owned(), SERVICE_TOKEN.to_owned()),
            ("SECRETS_KEY".to_owned(), "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".to_owned()),
            ("WEBHOOK_ALLOW_LOOPBACK".to_owned(), "true".to_owned()),
            ("RUST_LOG".to_owned(), "info".to_owned()),
        ];
        let (mut replicas, mut fronts) = (Vec::new(), Vec::new());
        for (role, count) in &options.roles {
            for index in 0..*count {
                replicas.push(Replica::plan(&options.binary, role, index, &logs, options.metrics)?);
            }
            let urls: Vec<_> = replicas.iter().filter(|r| r.role == *role).map(Replica::grpc_url).collect();
            env.push((format!("{}_GRPC_URL", role.to_uppercase()), urls.join(",")));
            let mut urls: Vec<_> = replicas.iter().filter(|r| r.role == *role).map(Replica::http_url).collect();
            if options.balanced && PUBLIC.contains(role) {
                let behind = urls.iter().map(|url| address(url)).collect::<anyhow::Result<_>>()?;
                let front = Balancer::start(behind).await?;
                urls = vec![front.url()];
                fronts.push((*role, front));
            }
            env.push((format!("{}_HTTP_URL", role.to_uppercase()), urls.join(",")));
        }
        let mut stripe_proxy = None;
        if let Some(sandbox) = replicas.iter().find(|replica| replica.role == "sandbox") {
            let mut stripe = sandbox.http_url();
            if options.proxied {
                let proxy = ChaosProxy::start(address(&stripe)?).await?;
                stripe = format!("http://{}", proxy.addr());
                stripe_proxy = Some(proxy);
            }
            let mail = [
                ("SMTP_HOST", "127.0.0.1".to_owned()),
                ("SMTP_PORT", sandbox.smtp().to_string()),
                ("SMTP_TLS", "none".to_owned()),
                ("SMTP_FROM", "LeadFlow <noreply@leadflow.example>".to_owned()),
                ("FRONTEND_URL", format!("{}/app", sandbox.http_url())),
            ];
            env.extend(mail.map(|(name, value)| (name.to_owned(), value)));
            // Its stand-in for Stripe, which tells the API what happened, if there is one.
            for (name, value) in [
                ("STRIPE_API_BASE", format!("{stripe}/stripe")),
                ("STRIPE_SECRET_KEY", "sk_test_sandbox".to_owned()),
                ("STRIPE_PUBLISHABLE_KEY", "pk_test_sandbox".to_owned()),
                ("STRIPE_WEBHOOK_SECRET", STRIPE_WEBHOOK_SECRET.to_owned()),
                ("SANDBOX_STRIPE_WEBHOOK_SECRETS", STRIPE_WEBHOOK_SECRET.to_owned()),
            ] {
                env.push((name.to_owned(), value));
            }
            if let Some((_, api)) = env.iter().find(|(name, _)| name == "BFF_HTTP_URL") {
                let url = format!("{}/api/webhooks/stripe", api.split(',').next().unwrap_or_default());
                env.push(("SANDBOX_STRIPE_WEBHOOK_URL".to_owned(), url));
            }
            // Its stand-in for Google, and the one client that this knows.
            for (name, value) in [
                ("GOOGLE_ISSUER", format!("{}/google", sandbox.http_url())),
                ("GOOGLE_CLIENT_ID", "leadflow-sandbox".to_owned()),
                ("GOOGLE_CLIENT_SECRET", "leadflow-sandbox-secret".to_owned()),
                ("GOOGLE_ALLOW_LOOPBACK", "true".to_owned()),
            ] {
                env.push((name.to_owned(), value));
            }
        }
        env.extend(options.env.iter().cloned());
        match &options.restore {
            Some(from) => {
                let args = ["restore".as_ref(), "--from".as_ref(), from.as_os_str()];
                prepare(&options.binary, &args, &env, (&postgres.url(), &nats.url()), &logs).await?;
            }
            None => {
                prepare(&options.binary, &["migrate".as_ref()], &env, (&postgres.url(), &nats.url()), &logs).await?;
            }
        }
        let mut cluster =
            Self { replicas, postgres, nats, postgres_proxy, nats_proxy, stripe_proxy, fronts, env, logs, _dir: dir };
        for replica in &mut cluster.replicas {
            replica.set_env(&cluster.env);
            replica.spawn()?;
        }
        for index in 0..cluster.replicas.len() {
            cluster.ready(index).await?;
        }
        Ok(cluster)
    }

    /// Waits until a replica says that it is ready.
    ///
    /// # Errors
    /// When it ended, or is not ready within a minute.
    pub async fn ready(&mut self, index: usize) -> anyhow::Result<()> {
        let replica = &mut self.replicas[index];
        let what = format!("{}-{} ready", replica.role, replica.index);
        let outcome = wait::try_for(&what, READY_WITHIN, async || {
            let answered = replica.readyz().await;
            // Only its own answer counts: another program may have its port.
            let running = replica.is_running();
            if answered || !running { Some(answered && running) } else { None }
        })
        .await;
        ensure!(matches!(outcome, Ok(true)), "{what}: {}", self.replicas[index].last_words());
        Ok(())
    }

    /// Where a public role is called: at its balancer, or else at its first replica.
    #[must_use]
    pub fn front(&self, role: &str) -> String {
        self.balancer(role).map(Balancer::url).or_else(|| self.http_urls(role).into_iter().next()).unwrap_or_default()
    }

    /// The balancer in front of a public role, if there are any.
    #[must_use]
    pub fn balancer(&self, role: &str) -> Option<&Balancer> {
        self.fronts.iter().find(|(other, _)| *other == role).map(|(_, front)| front)
    }

    /// The base URLs of a role's HTTP ports.
    #[must_use]
    pub fn http_urls(&self, role: &str) -> Vec<String> {
        self.replicas.iter().filter(|r| r.role == role).map(Replica::http_url).collect()
    }

    /// The gRPC addresses of a role, comma-separated.
    #[must_use]
    pub fn grpc_urls(&self, role: &str) -> String {
        self.replicas.iter().filter(|r| r.role == role).map(Replica::grpc_url).collect::<Vec<_>>().join(",")
    }

    /// The numbers of a role's replicas in [`Self::replicas`].
    #[must_use]
    pub fn indices(&self, role: &str) -> Vec<usize> {
        (0..self.replicas.len()).filter(|&i| self.replicas[i].role == role).collect()
    }

    /// The settings with which an operator's command finds this cluster.
    #[must_use]
    pub fn env(&self) -> Vec<(String, String)> {
        let ports = self.replicas.iter().filter(|replica| replica.index == 0);
        let ports =
            ports.map(|replica| (format!("{}_HTTP_PORT", replica.role.to_uppercase()), replica.http.to_string()));
        self.env.iter().cloned().chain(ports).collect()
    }

    /// Where the logs are.
    #[must_use]
    pub fn logs(&self) -> &Path {
        &self.logs
    }
}

/// The address in a URL such as `nats://127.0.0.1:4222`.
fn address(url: &str) -> anyhow::Result<SocketAddr> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    host.parse().with_context(|| format!("no address in {url}"))
}

/// Runs what comes before the roles, on the servers themselves.
async fn prepare(
    binary: &Path,
    args: &[&OsStr],
    env: &[(String, String)],
    (database, nats): (&str, &str),
    logs: &Path,
) -> anyhow::Result<()> {
    let output = tokio::process::Command::new(binary)
        .args(args)
        .envs(env.iter().cloned())
        .env("DATABASE_URL", database)
        .env("NATS_URL", nats)
        .current_dir(logs)
        .output()
        .await
        .with_context(|| format!("cannot run {}", binary.display()))?;
    ensure!(output.status.success(), "{args:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
