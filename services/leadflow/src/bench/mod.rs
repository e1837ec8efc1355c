//! `leadflow bench`: how fast the whole is, beside what this machine can do at all, in one run.
//!
//! Private servers, every role as a process of its own, real HTTP in and real webhooks out; the
//! books are checked before anything is printed. Load generator and webhook receiver share the
//! machine's cores with everything else, so absolute figures mean little and ratios much.

mod book;
mod footprint;
mod load;
mod market;
mod old;
mod receiver;
mod report;
mod scenarios;
mod sick;
mod sql;
mod stand_in;
mod usage;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use leadflow_testkit::servers::SyncInterval;

use crate::say::say;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Fewer leads and smaller tables: a minute or two, rougher figures
    #[arg(long)]
    quick: bool,
    /// Leads in each run of the pipeline
    #[arg(long)]
    leads: Option<u64>,
    /// Suppliers posting at once
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Posts a second while latency is measured; none: a quarter of the larger settled maximum of the run
    #[arg(long)]
    rate: Option<f64>,
    /// Only these, comma-separated; the whole way with one replica is always measured, because the others compare with it (but
    /// webhooks and footprint can be alone)
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// When nats-server flushes to the disk, as NATS_SYNC
    #[arg(long, default_value = "always")]
    sync: SyncInterval,
    /// Also write the report to this file
    #[arg(long)]
    output: Option<PathBuf>,
    #[arg(long, hide = true, requires_all = ["port", "server"])]
    stand_in: Option<stand_in::StandIn>,
    #[arg(long, hide = true)]
    port: Option<u16>,
    #[arg(long, hide = true)]
    server: Option<String>,
}

/// What can be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// The gateway against a bare acknowledgement
    Ingest,
    /// Post to decision, post to webhook
    Latency,
    /// Two replicas of distribution
    Replicas,
    /// 1,000 and 100,000 wallets
    Wallets,
    /// After a million old leads
    Old,
    /// Plain SQL, and one transaction a lead
    Limits,
    /// 10,000 webhooks to 200 endpoints, of which 20 hang and 20 fail; alone if it is the only one
    Webhooks,
    /// How soon all roles are ready and how much memory they hold idle; alone if it is the only one
    Footprint,
}

impl Args {
    fn wants(&self, scenario: Scenario) -> bool {
        self.only.is_empty() || self.only.contains(&scenario)
    }

    fn leads(&self) -> u64 {
        self.leads.unwrap_or(if self.quick { 5_000 } else { 30_000 })
    }
}

/// Measures and prints.
///
/// # Errors
/// When something cannot be started or a lead is lost.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if let (Some(what), Some(port), Some(server)) = (args.stand_in, args.port, &args.server) {
        return stand_in::serve(what, port, server).await.map(|()| ExitCode::SUCCESS);
    }
    if cfg!(debug_assertions) {
        eprintln!("This is a debug build: the figures say nothing. `make bench` builds for release.");
    }
    let (report, clean) = scenarios::run(&args).await?;
    say!("{report}");
    if let Some(path) = &args.output {
        std::fs::write(path, report.to_string()).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
