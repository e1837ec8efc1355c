//! `leadflow suppressions`: addresses and numbers that nothing is sent to any more.

use std::process::ExitCode;

use anyhow::bail;
use chrono::SecondsFormat;
use clap::{Subcommand, ValueEnum};
use leadflow_notifier::{Channel, store::suppressions};
use leadflow_platform::{
    db::{self, DbSettings},
    settings,
};

use crate::{local::table, say::say};

/// What to do with addresses and numbers that nothing is sent to.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List them, newest first, with the reason
    List {
        /// The most lines
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
    },
    /// Send to one again that was dead, or that complained and asks for mails now. A phone that sent STOP has to send START itself
    Lift {
        /// What it is
        channel: Of,
        /// The address or number, as `list` prints it
        recipient: String,
    },
}

/// Which of the two.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Of {
    /// An e-mail address
    Email,
    /// A phone number
    Sms,
}

pub(super) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let mut env = crate::local::environment::env()?;
    let database =
        settings::database(&mut env, "NOTIFIER_DATABASE_URL", leadflow_notifier::ROLE, "leadflow-suppressions");
    env.finish()?;
    let pool = db::connect(&DbSettings { max_connections: 1, ..database })?;
    let answer = answer(command, &mut *pool.acquire().await?).await;
    pool.close().await;
    answer
}

async fn answer(command: Command, connection: &mut sqlx::PgConnection) -> anyhow::Result<ExitCode> {
    match command {
        Command::List { limit } => {
            let found = suppressions::list(connection, limit).await?;
            if found.is_empty() {
                say!("every address and number is sent to");
                return Ok(ExitCode::SUCCESS);
            }
            let head = ["channel", "recipient", "reason", "since", "because"].map(str::to_owned);
            let rows = found.into_iter().map(|one| {
                let since = one.at.to_rfc3339_opts(SecondsFormat::Secs, true);
                [one.channel, one.recipient, one.reason, since, one.detail]
            });
            let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
            say!("{}", table::columns(&rows).trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Command::Lift { channel, recipient } => {
            let channel = match channel {
                Of::Email => Channel::Email,
                Of::Sms => Channel::Sms,
            };
            if !suppressions::lift(connection, channel, &suppressions::plain(&recipient)).await? {
                bail!("{recipient} is not among them, or sent STOP: then only its START helps");
            }
            say!("{recipient} is sent to again");
            Ok(ExitCode::SUCCESS)
        }
    }
}
