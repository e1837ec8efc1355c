//! PostgreSQL's own programs, told where the database is in their environment: what a process is started with, everybody on the machine can read.

use std::{path::PathBuf, process::Stdio, str::FromStr as _};

use anyhow::{Context as _, ensure};
use leadflow_testkit::servers::postgres_bin;
use percent_encoding::percent_decode_str;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio::process::Command;
use url::Url;

/// As PostgreSQL shows the connections.
pub const APPLICATION: &str = "leadflow-backup";

/// What libpq would heed rather than what it is told here.
const STRONGER: [&str; 2] = ["PGSERVICE", "PGHOSTADDR"];

/// A program that works on the database of this URL.
///
/// # Errors
/// When it is not installed, or the URL cannot be read.
pub fn program(name: &str, url: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(find(name)?);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    for variable in STRONGER {
        command.env_remove(variable);
    }
    // `pg_restore` without `--dbname` would write SQL to its output; what is not said here it takes from the environment.
    command.envs(environment(url)?).args(["--no-password", "--dbname"]).arg(format!("application_name={APPLICATION}"));
    Ok(command)
}

/// Where a program is.
///
/// # Errors
/// When it is not installed.
pub fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = postgres_bin().context("PostgreSQL's programs")?.path.join(name);
    ensure!(path.is_file(), "{} is missing: install PostgreSQL's client programs", path.display());
    Ok(path)
}

/// Runs it to its end.
///
/// # Errors
/// When it fails; the text has its words.
pub async fn run(command: &mut Command, name: &str) -> anyhow::Result<()> {
    let output = command.output().await.with_context(|| format!("cannot run {name}"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} failed: {}", words.trim());
    Ok(())
}

/// The URL as libpq's variables. It is read as the roles read it (what they know and libpq does not is left out, what is not
/// given comes from the same variables), but for what their driver tells nobody: the password and the certificates.
fn environment(url: &str) -> anyhow::Result<Vec<(&'static str, String)>> {
    // Errors about it would have the password.
    let unreadable = "the database URL cannot be read";
    let options = PgConnectOptions::from_str(url).ok().context(unreadable)?;
    let url = Url::parse(url).ok().context(unreadable)?;
    let host = options.get_socket().and_then(|path| path.to_str()).unwrap_or_else(|| options.get_host());
    let mut variables = vec![
        ("PGHOST", host.trim_start_matches('[').trim_end_matches(']').to_owned()),
        ("PGPORT", options.get_port().to_string()),
        ("PGUSER", options.get_username().to_owned()),
        ("PGSSLMODE", ssl_mode(options.get_ssl_mode()).to_owned()),
    ];
    variables.extend(options.get_database().map(|database| ("PGDATABASE", database.to_owned())));
    variables.extend(options.get_options().map(|options| ("PGOPTIONS", options.to_owned())));
    if let Some(password) = url.password() {
        let password = percent_decode_str(password).decode_utf8().ok().context(unreadable)?;
        variables.push(("PGPASSWORD", password.into_owned()));
    }
    for (name, value) in url.query_pairs() {
        let variable = match &*name {
            "password" => "PGPASSWORD",
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => "PGSSLROOTCERT",
            "sslcert" | "ssl-cert" => "PGSSLCERT",
            "sslkey" | "ssl-key" => "PGSSLKEY",
            _ => continue,
        };
        variables.push((variable, value.into_owned()));
    }
    // A command's environment ends at a NUL.
    ensure!(variables.iter().all(|(_, value)| !value.contains('\0')), unreadable);
    Ok(variables)
}

const fn ssl_mode(mode: PgSslMode) -> &'static str {
    match mode {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn told(url: &str) -> BTreeMap<&'static str, String> {
        environment(url).unwrap().into_iter().collect()
    }

    #[test]
    fn what_is_written_in_escapes_is_told_as_it_is() {
        let said = told(
            "postgres://o%27brien%40x:p%40ss%3Aw%2F%20%25%2B+%C3%B6%23%3F%26%3D@db.test:6543/le%20ad?sslmode=require&sslrootcert=%2Fca%20one.pem",
        );
        for (name, value) in [
            ("PGHOST", "db.test"),
            ("PGPORT", "6543"),
            ("PGUSER", "o'brien@x"),
            ("PGPASSWORD", "p@ss:w/ %++ö#?&="),
            ("PGDATABASE", "le ad"),
            ("PGSSLMODE", "require"),
            ("PGSSLROOTCERT", "/ca one.pem"),
        ] {
            assert_eq!(said[name], value, "{name}");
        }
    }

    #[test]
    fn a_socket_an_address_of_version_six_and_options_are_told_and_what_libpq_does_not_know_is_not() {
        assert_eq!(told("postgres://%2Frun%2Fpg/leads")["PGHOST"], "/run/pg");
        assert_eq!(told("postgres:///leads?host=/run/pg&user=a&password=b%26c")["PGHOST"], "/run/pg");
        assert_eq!(told("postgres:///leads?host=/run/pg&user=a&password=b%26c")["PGPASSWORD"], "b&c");
        assert_eq!(told("postgres://a@[::1]:5433/leads")["PGHOST"], "::1");
        let said = told("postgres://a@h/leads?options[search_path]=x&statement-cache-capacity=0");
        assert_eq!(said["PGOPTIONS"], "-c search_path=x");
        assert!(!said.values().any(|value| value.contains("cache")), "{said:?}");
    }

    #[test]
    fn an_unreadable_url_is_refused_without_its_password() {
        for url in ["", "postgres://a:secret%FF@h/d", "postgres://a:secret%00@h/d"] {
            let error = format!("{:#}", environment(url).unwrap_err());
            assert!(error.contains("cannot be read") && !error.contains("secret"), "{url}: {error}");
        }
    }
}
