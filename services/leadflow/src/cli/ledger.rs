//! `leadflow ledger`: the ledger as a file.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, ensure};
use chrono::NaiveDate;
use clap::{Subcommand, ValueEnum};
use leadflow_billing::export::{self, ExportError, Exported, Part};
use leadflow_kernel::SellerId;
use leadflow_platform::{db, settings};
use sqlx::PgPool;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write the ledger as it is at this moment, to standard output or a file
    Export {
        /// How it looks
        #[arg(long, value_enum)]
        format: Format,
        /// One tenant's part
        #[arg(long)]
        seller: Option<SellerId>,
        /// The first day, in UTC: 2026-11-01
        #[arg(long)]
        from: Option<NaiveDate>,
        /// The last day, in UTC, which is included
        #[arg(long)]
        to: Option<NaiveDate>,
        /// Where to; it is there when it is whole
        #[arg(long)]
        output: Option<PathBuf>,
    },
}

/// How the file looks.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    /// Comma-separated values, a row for each line of a posting
    Csv,
    /// beancount's plain text
    Beancount,
}

impl Format {
    const fn inner(self) -> export::Format {
        match self {
            Self::Csv => export::Format::Csv,
            Self::Beancount => export::Format::Beancount,
        }
    }
}

/// Runs it.
///
/// # Errors
/// When the ledger cannot be read or written.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let Command::Export { format, seller, from, to, output } = command;
    let is_forward = from.zip(to).is_none_or(|(from, to)| from <= to);
    ensure!(is_forward, "--from must not be after --to");
    let mut env = crate::local::environment::env()?;
    let database =
        settings::database(&mut env, "BILLING_DATABASE_URL", leadflow_billing::ROLE, "leadflow-ledger-export");
    env.finish()?;
    let pool = db::connect(&database).context("the database URL of billing cannot be read")?;
    let part = Part { seller, from, to };
    let exported = match &output {
        Some(path) => to_file(&pool, &part, format, path).await?,
        None => {
            let mut out = BufWriter::new(io::stdout());
            match export::export(&pool, &part, format.inner(), &mut out).await {
                // Whoever reads has seen enough.
                Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                    // What is still in the buffer has nowhere to go.
                    drop(out.into_parts());
                    return Ok(ExitCode::SUCCESS);
                }
                outcome => outcome?,
            }
        }
    };
    eprintln!("{} postings, {} lines", exported.postings, exported.lines);
    Ok(ExitCode::SUCCESS)
}

/// Writes beside the file and renames: what has its name is whole.
async fn to_file(pool: &PgPool, part: &Part, format: Format, path: &Path) -> anyhow::Result<Exported> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let write = async {
        let mut out = BufWriter::new(File::create(&beside)?);
        let exported = export::export(pool, part, format.inner(), &mut out).await?;
        out.flush()?;
        out.get_ref().sync_all()?;
        fs::rename(&beside, path)?;
        anyhow::Ok(exported)
    };
    let outcome = write.await;
    if outcome.is_err() {
        // It may not be there, and the error says more.
        let _ = fs::remove_file(&beside);
    }
    outcome.with_context(|| format!("write {}", path.display()))
}
