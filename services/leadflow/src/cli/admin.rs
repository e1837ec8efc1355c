//! `leadflow admin`: people who run the platform.

use std::{
    io::{self, BufRead as _, IsTerminal as _},
    os::fd::AsRawFd as _,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::Subcommand;
use leadflow_contracts::accounts::{CreateAdminRequest, people_client::PeopleClient};
use leadflow_kernel::UserId;
use leadflow_platform::{
    grpc::{self, Caller},
    settings,
};

/// Hashing the password included.
const DEADLINE: Duration = Duration::from_secs(10);

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an administrator. The password is read from standard input, never from the command line
    Create {
        /// The address to sign in with
        #[arg(long)]
        email: String,
        /// What he or she is called
        #[arg(long, default_value = "Administrator")]
        name: String,
    },
}

/// Runs it.
///
/// # Errors
/// When accounts cannot be reached or refuses.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let Command::Create { email, name } = command;
    let mut env = crate::local::environment::env()?;
    let url = env.or(
        "ACCOUNTS_GRPC_URL",
        "http://127.0.0.1:9101".to_owned(),
        "gRPC address or addresses of accounts, comma-separated",
    );
    let token = settings::service_token(&mut env);
    env.finish()?;
    let password = tokio::task::spawn_blocking(password).await??;
    let mut people = PeopleClient::new(grpc::channel(&url, "ACCOUNTS_GRPC_URL")?);
    let request = CreateAdminRequest { user_id: UserId::new().to_string(), email, password, name };
    match people.create_admin(Caller::new(token).unbound(request, DEADLINE)).await {
        Ok(made) => {
            let made = made.into_inner();
            println!("{} may sign in as an administrator ({})", made.email, made.user_id);
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            // "<code>: <sentence>": the sentence is for people.
            let sentence = refusal.message().split_once(": ").map_or(refusal.message(), |(_, sentence)| sentence);
            bail!("no administrator was made: {sentence} (accounts at {url})");
        }
    }
}

/// The first line of standard input; asked for, and not shown while it is typed, when that is a terminal.
fn password() -> anyhow::Result<String> {
    let input = io::stdin();
    let hidden = if input.is_terminal() {
        eprint!("Password: ");
        Some(Hidden::new(input.as_raw_fd())?)
    } else {
        None
    };
    let mut line = String::new();
    input.lock().read_line(&mut line).context("read the password from standard input")?;
    if hidden.is_some() {
        eprintln!();
    }
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("no password on standard input");
    }
    Ok(password.to_owned())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden {
    terminal: i32,
    before: libc::termios,
}

impl Hidden {
    #[expect(unsafe_code, reason = "the standard library cannot switch a terminal's echo off")]
    fn new(terminal: i32) -> io::Result<Self> {
        // SAFETY: termios is plain data, which tcgetattr fills; both calls only read or write through the pointer
        // during the call.
        unsafe {
            let mut before: libc::termios = std::mem::zeroed();
            if libc::tcgetattr(terminal, &raw mut before) != 0 {
                return Err(io::Error::last_os_error());
            }
            let mut hidden = before;
            hidden.c_lflag &= !libc::ECHO;
            if libc::tcsetattr(terminal, libc::TCSANOW, &raw const hidden) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self { terminal, before })
        }
    }
}

impl Drop for Hidden {
    #[expect(unsafe_code, reason = "the standard library cannot switch a terminal's echo on again")]
    fn drop(&mut self) {
        // SAFETY: as above. If it fails there is nothing more to try.
        unsafe {
            libc::tcsetattr(self.terminal, libc::TCSANOW, &raw const self.before);
        }
    }
}
