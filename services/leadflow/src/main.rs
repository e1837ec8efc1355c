//! `leadflow`: every role of the product, and what runs it on one machine, in one executable.

mod backup;
mod bench;
mod cli;
mod demo;
mod local;
mod migrate;
mod observe;
mod person;
mod role;
mod say;
mod schema;
mod seed;
mod serve;

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match cli::run(cli::Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            // The whole chain on one line: what was tried, then why it failed.
            eprintln!("leadflow: {error:#}");
            ExitCode::FAILURE
        }
    }
}
