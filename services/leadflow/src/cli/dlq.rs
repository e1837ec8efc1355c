//! `leadflow dlq`: messages that a service could not process.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use leadflow_messaging::dlq;

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List dead letters, oldest first. Exits 1 when there are any
    List {
        /// The most lines
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one dead letter with its payload, which may hold personal data
    Show {
        /// Its number, as `list` prints it
        number: u64,
    },
    /// Publish dead letters again where they came from, and remove them here
    Redrive {
        /// Numbers as `list` prints them
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        numbers: Vec<u64>,
        /// Every dead letter
        #[arg(long)]
        all: bool,
    },
    /// Remove dead letters for good: only what nobody can ever process, and whose effect nobody misses
    Drop {
        /// Numbers as `list` prints them
        #[arg(required = true)]
        numbers: Vec<u64>,
    },
}

/// Runs it.
///
/// # Errors
/// When NATS cannot be reached or a number does not exist.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let bus = super::bus::connect().await?;
    match command {
        Command::List { limit } => {
            let letters = dlq::list(&bus, 1, limit).await?;
            if letters.is_empty() {
                println!("no dead letters");
                return Ok(ExitCode::SUCCESS);
            }
            println!("{:>6}  {:<23}  {:<22}  {:<32}  error", "number", "put aside", "consumer", "event");
            for letter in letters {
                let kind = letter.kind.rsplit('.').next().unwrap_or_default();
                println!(
                    "{:>6}  {:<23}  {:<22}  {:<32}  {}",
                    letter.number,
                    letter.at_text(),
                    letter.consumer,
                    format!("{kind} on {}", letter.subject),
                    letter.error
                );
            }
            Ok(ExitCode::FAILURE)
        }
        Command::Show { number } => {
            let letter = dlq::show(&bus, number).await?.with_context(|| format!("there is no dead letter {number}"))?;
            println!("number     {}", letter.number);
            println!("put aside  {}", letter.at_text());
            println!("consumer   {}", letter.consumer);
            println!("subject    {}", letter.subject);
            println!("event id   {}", letter.event_id);
            println!("error      {}", letter.error);
            match leadflow_contracts::to_json(&letter.kind, &letter.payload) {
                Some(event) => println!("{}", serde_json::to_string_pretty(&event)?),
                None => println!("{} bytes that are no {}", letter.payload.len(), letter.kind),
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Drop { numbers } => {
            for number in numbers {
                let letter =
                    dlq::show(&bus, number).await?.with_context(|| format!("there is no dead letter {number}"))?;
                dlq::remove(&bus, number).await?;
                println!("removed {number}, event {} of {}: {}", letter.event_id, letter.consumer, letter.error);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Redrive { numbers, all } => {
            let letters = if all {
                dlq::list(&bus, 1, usize::MAX).await?
            } else {
                let mut letters = Vec::new();
                for number in numbers {
                    letters.push(
                        dlq::show(&bus, number).await?.with_context(|| format!("there is no dead letter {number}"))?,
                    );
                }
                letters
            };
            if letters.is_empty() {
                bail!("there are no dead letters");
            }
            for letter in &letters {
                dlq::redrive(&bus, letter).await?;
                println!("sent {} again on {}", letter.number, letter.subject);
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}
