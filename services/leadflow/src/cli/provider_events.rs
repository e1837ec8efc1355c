//! `leadflow provider-events`: webhooks of the payment provider that billing could not work off.

use std::process::ExitCode;

use anyhow::bail;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use leadflow_billing::app::provider_events::{Detail, GivenUp, GivenUpEvents};
use leadflow_kernel::{Clock as _, SystemClock};
use leadflow_platform::{
    db::{self, DbSettings},
    settings,
};

use crate::{local::table, say::say};

/// What to do with webhooks that were given up.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List them, oldest first, with the reason. Exits 1 when there are any
    List {
        /// The most lines
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
    },
    /// Show one: why it was given up and what it is about, without what is personal or secret
    Show {
        /// Its id, "evt_…"
        id: String,
    },
    /// Have them worked off again, within seconds, by a replica that runs
    Retry {
        /// Ids as `list` prints them
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<String>,
        /// Every one
        #[arg(long)]
        all: bool,
    },
}

pub(super) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let mut env = crate::local::environment::env()?;
    let database =
        settings::database(&mut env, "BILLING_DATABASE_URL", leadflow_billing::ROLE, "leadflow-provider-events");
    env.finish()?;
    let pool = db::connect(&DbSettings { max_connections: 1, ..database })?;
    let events = GivenUpEvents::new(pool.clone());
    let answer = answer(command, &events).await;
    pool.close().await;
    answer
}

async fn answer(command: Command, events: &GivenUpEvents) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { limit } => {
            let found = events.list(limit).await?;
            if found.is_empty() {
                say!("no webhook of the payment provider was given up");
                return Ok(ExitCode::SUCCESS);
            }
            let head = ["event", "type", "received", "attempts", "error"].map(str::to_owned);
            let rows: Vec<_> = std::iter::once(head).chain(found.iter().map(row)).collect();
            say!("{}", table::columns(&rows).trim_end());
            Ok(ExitCode::FAILURE)
        }
        Command::Show { id } => match events.show(&id).await? {
            Some(detail) => {
                say!("{}", text(&detail));
                Ok(ExitCode::SUCCESS)
            }
            None => bail!("no webhook {id:?} was given up"),
        },
        Command::Retry { ids, all } => {
            let again = events.retry((!all).then_some(ids.as_slice()), SystemClock.now()).await?;
            for id in &again {
                say!("{id} is worked off again");
            }
            let unknown: Vec<_> = ids.iter().filter(|id| !again.contains(id)).map(String::as_str).collect();
            if !unknown.is_empty() {
                bail!("not given up, or not known: {}", unknown.join(", "));
            }
            if again.is_empty() {
                bail!("no webhook of the payment provider was given up");
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn row(event: &GivenUp) -> [String; 5] {
    [event.id.clone(), event.kind.clone(), time(event.received_at), event.attempts.to_string(), event.error.clone()]
}

fn text(Detail { event, about }: &Detail) -> String {
    let mut rows = vec![
        ["event".to_owned(), event.id.clone()],
        ["type".to_owned(), event.kind.clone()],
        ["created".to_owned(), time(event.created)],
        ["received".to_owned(), time(event.received_at)],
        ["attempts".to_owned(), event.attempts.to_string()],
        ["error".to_owned(), event.error.clone()],
    ];
    rows.extend(about.iter().map(|(name, value)| [format!("object's {name}"), value.clone()]));
    table::columns(&rows).trim_end().to_owned()
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
