//! Runs the stand-in for Stripe: one lock around it, a file that follows, faults, and events sent to a webhook.

mod faults;
mod file;
mod sender;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use leadflow_kernel::Clock;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use self::file::Journal;
use crate::{
    config::Config,
    stripe::{Core, Method, Settings},
};

use faults::Faults;
pub(crate) use faults::{Behaviour, Fault, Rule};
pub(crate) use sender::send_events;

/// Below the sandbox's own address; what clients put before `v1/…`.
pub(crate) const PATH: &str = "/stripe";
const MAX_SECRETS: usize = 8;

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    pub(crate) url: String,
    /// Each signs.
    #[serde(default)]
    pub(crate) secrets: Vec<String>,
}

impl Target {
    /// What is wrong with it, if anything.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let known = url::Url::parse(&self.url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !known || self.url.len() > 2_000 {
            return Some("url must be an http address");
        }
        if self.secrets.len() > MAX_SECRETS || self.secrets.iter().any(|secret| !(1..=200).contains(&secret.len())) {
            return Some("up to 8 secrets, of 1 to 200 characters");
        }
        None
    }
}

/// What is behind the lock.
struct Inner {
    core: Core,
    journal: Option<Journal>,
    target: Option<Target>,
}

/// The stand-in for Stripe, as the handlers share it.
#[derive(Clone)]
pub(crate) struct Payments {
    inner: Arc<Mutex<Inner>>,
    faults: Arc<Mutex<Faults>>,
    /// Something has to be sent.
    wake: Arc<Notify>,
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
}

impl Payments {
    /// With what the file knows, for a sandbox that is found at `address`.
    pub(crate) fn open(config: &Config, address: &str, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let settings = Settings {
            // Ids of another run must not come again: whoever calls has stored them.
            seed: seed()?,
            address: address.trim_end_matches('/').to_owned(),
            max_objects: config.stripe_max_objects,
            ..Settings::default()
        };
        let mut core = Core::new(settings.clone());
        let journal = match &config.stripe_file {
            Some(path) => Some(Journal::open(PathBuf::from(path), &mut core)?),
            None => None,
        };
        let target =
            config.stripe_webhook_url.clone().map(|url| Target { url, secrets: config.stripe_webhook_secrets.clone() });
        if let Some(problem) = target.as_ref().and_then(Target::problem) {
            anyhow::bail!("SANDBOX_STRIPE_WEBHOOK_URL and its secrets: {problem}");
        }
        core.deliver_events(target.is_some());
        Ok(Self {
            inner: Arc::new(Mutex::new(Inner { core, journal, target })),
            faults: Arc::default(),
            wake: Arc::new(Notify::new()),
            clock,
            settings: Arc::new(settings),
        })
    }

    /// Does something with it, and has the file follow before anybody is answered.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Core, DateTime<Utc>) -> T) -> T {
        let mut inner = self.lock();
        let Inner { core, journal, .. } = &mut *inner;
        let done = work(core, self.clock.now());
        let changes = core.changes();
        if let Some(journal) = journal
            && let Err(error) = journal.append(&changes, core)
        {
            tracing::error!(%error, "the file of the stand-in for Stripe cannot be written; a restart will forget");
        }
        drop(inner);
        if !changes.is_empty() {
            self.wake.notify_one();
        }
        done
    }

    pub(crate) fn target(&self) -> Option<Target> {
        self.lock().target.clone()
    }

    pub(crate) fn set_target(&self, target: Option<Target>) {
        let mut inner = self.lock();
        inner.core.deliver_events(target.is_some());
        inner.target = target;
        drop(inner);
        self.wake.notify_one();
    }

    /// Sends what waits, now that the manners are others.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// What is left of what it was told to do wrong.
    pub(crate) fn faults(&self) -> Behaviour {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).get()
    }

    /// Tells it what to do wrong.
    pub(crate) fn set_faults(&self, behaviour: Behaviour) {
        self.with(|core, _| core.set_search_lag(behaviour.search_lag()));
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).set(behaviour);
    }

    /// What goes wrong with this call.
    pub(crate) fn take_fault(&self, method: Method, path: &str) -> Option<Fault> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).take(method, path)
    }

    /// Forgets everything that happened; where events go, and faults, stay.
    pub(crate) fn clear(&self) -> anyhow::Result<()> {
        let fresh = Settings { seed: seed()?, ..(*self.settings).clone() };
        let mut inner = self.lock();
        let Inner { core, journal, target } = &mut *inner;
        *core = Core::new(fresh);
        core.deliver_events(target.is_some());
        match journal {
            Some(journal) => journal.rewrite(core).context("the file of the stand-in for Stripe"),
            None => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn seed() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system has no random numbers"))?;
    Ok(hex::encode(bytes))
}
