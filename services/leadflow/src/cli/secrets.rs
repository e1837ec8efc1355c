//! `leadflow secrets`: the key that webhook secrets are stored with.

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use leadflow_notifier::{app::Rotation, secrets::SecretKeys};
use leadflow_platform::{
    db::{self, DbSettings},
    settings,
};

use crate::{
    local::{environment, table},
    say::say,
};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// How many secrets are stored with which of the keys
    Show,
    /// Store every secret with the first key of SECRETS_KEY; safe while services run, and to begin again after a crash
    Rotate {
        /// Secrets written at once
        #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        batch: u32,
    },
}

pub(super) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let mut env = environment::env()?;
    let database = settings::database(&mut env, "NOTIFIER_DATABASE_URL", leadflow_notifier::ROLE, "leadflow-secrets");
    let set = env.required_secret("SECRETS_KEY", "the keys that services have, the one to write with first");
    env.finish()?;
    let keys = SecretKeys::parse(&set).context("SECRETS_KEY")?;
    let pool = db::connect(&DbSettings { max_connections: 1, ..database })?;
    let mut rotation = Rotation::new(pool.clone(), keys.clone());
    let answer = match command {
        Command::Show => show(&rotation, &keys).await.map(|_| ExitCode::SUCCESS),
        Command::Rotate { batch } => rotate(&mut rotation, &keys, batch).await,
    };
    pool.close().await;
    answer
}

async fn rotate(rotation: &mut Rotation, keys: &SecretKeys, batch: u32) -> anyhow::Result<ExitCode> {
    let wanted: i64 = count(rotation, |id| keys.knows(id) && id != keys.first()).await?;
    let (mut done, mut unreadable) = (0, Vec::new());
    while let Some(part) = rotation.step(batch).await? {
        done += part.resealed;
        unreadable.extend(part.unreadable);
        say!("{done} of {wanted} secrets are stored with the first key");
    }
    for endpoint in &unreadable {
        say!("{endpoint}: cannot be read with its key; its owner has to set a new secret");
    }
    let left = show(rotation, keys).await?;
    ensure!(left == 0, "{left} secrets are not stored with the first key: see above, then run this again");
    Ok(ExitCode::SUCCESS)
}

/// Says what is stored with which key; how many secrets are not stored with the first.
async fn show(rotation: &Rotation, keys: &SecretKeys) -> anyhow::Result<i64> {
    let used = rotation.keys_in_use().await.context("ask the database")?;
    let rows: Vec<_> = used
        .iter()
        .map(|(id, secrets)| {
            let place = if id == keys.first() {
                "the first in SECRETS_KEY"
            } else if keys.knows(id) {
                "in SECRETS_KEY, only read with"
            } else {
                "NOT in SECRETS_KEY: nobody can read these"
            };
            [format!("key {id}"), format!("{secrets} secrets"), place.to_owned()]
        })
        .collect();
    if rows.is_empty() {
        say!("No secrets are stored.");
    } else {
        say!("{}", table::columns(&rows).trim_end());
    }
    Ok(used.iter().filter(|(id, _)| id != keys.first()).map(|(_, secrets)| secrets).sum())
}

async fn count(rotation: &Rotation, wanted: impl Fn(&str) -> bool) -> anyhow::Result<i64> {
    let used = rotation.keys_in_use().await.context("ask the database")?;
    Ok(used.iter().filter(|(id, _)| wanted(id)).map(|(_, secrets)| secrets).sum())
}
