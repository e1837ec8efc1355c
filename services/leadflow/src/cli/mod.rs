//! The command line: one file per subcommand.

mod admin;
mod backup;
mod bus;
mod demo;
mod dlq;
mod doctor;
mod down;
mod erase;
mod events;
mod health;
mod ledger;
mod logs;
mod migrate;
mod provider_events;
mod reconcile;
mod secrets;
mod serve;
mod settings;
mod suppressions;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Lead distribution: leads in, sold, paid for and delivered.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything on this machine: servers, migrations, services, a demo tenant
    Up,
    /// Stop what `up` started, and nothing else
    Down,
    /// Follow the logs of what `up` started
    Logs(logs::Args),
    /// Sell 2,000 made-up leads to ten buyers through what runs, show what happened, check the books
    Demo(demo::Args),
    /// Check every dependency and say what is wrong and how to mend it
    Doctor,
    /// Say whether services on this machine can do their work; fails when one cannot. For health checks of containers
    Health(health::Args),
    /// Bring every service's schema up to date
    Migrate,
    /// Copy the databases and the streams, as they are at one moment, into a folder, while everything runs
    Backup(backup::BackupArgs),
    /// Fill empty databases and streams from such a folder, before roles are started
    Restore(backup::RestoreArgs),
    /// Watch events as they are published
    #[command(subcommand)]
    Events(events::Command),
    /// Messages that a service could not process: list, show, send again
    #[command(subcommand)]
    Dlq(dlq::Command),
    /// List, show and have worked off again webhooks of the payment provider that billing has given up
    #[command(subcommand)]
    ProviderEvents(provider_events::Command),
    /// Addresses and numbers that nothing is sent to any more: list them, send to one again
    #[command(subcommand)]
    Suppressions(suppressions::Command),
    /// Remove one person's data from every lead of a tenant; or say where it is, or prove that it is nowhere
    Erase(erase::Args),
    /// People who run the platform
    #[command(subcommand)]
    Admin(admin::Command),
    /// Every movement of money, for accountants
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Compare card payments with the payment provider's own books. Exits 1 when something does not agree
    Reconcile(reconcile::Args),
    /// The key that webhook secrets are stored with
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Measure the whole beside what this machine can do at all
    Bench(crate::bench::Args),
    /// Print every setting with its meaning and default
    Settings,
    /// Run services in this process until SIGTERM
    Serve(serve::Args),
}

/// Runs what the command line asks for.
///
/// # Errors
/// When it fails; the text is for a person.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Up => up::run().await,
        Command::Down => down::run().await,
        Command::Logs(args) => logs::run(&args).await,
        Command::Demo(args) => demo::run(&args).await,
        Command::Doctor => doctor::run().await,
        Command::Health(args) => health::run(&args).await,
        Command::Migrate => migrate::run().await,
        Command::Backup(args) => backup::backup(&args).await,
        Command::Restore(args) => backup::restore(&args).await,
        Command::Events(command) => events::run(command).await,
        Command::Dlq(command) => dlq::run(command).await,
        Command::ProviderEvents(command) => provider_events::run(command).await,
        Command::Suppressions(command) => suppressions::run(command).await,
        Command::Erase(args) => erase::run(&args).await,
        Command::Admin(command) => admin::run(command).await,
        Command::Ledger(command) => ledger::run(command).await,
        Command::Reconcile(args) => reconcile::run(&args).await,
        Command::Secrets(command) => secrets::run(command).await,
        Command::Bench(args) => crate::bench::run(args).await,
        Command::Settings => Ok(settings::run()),
        Command::Serve(args) => serve::run(args).await,
    }
}
