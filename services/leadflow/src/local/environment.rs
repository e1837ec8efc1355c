//! The environment of everything that runs on this machine: what the caller set, then what `up`
//! noted, then what `up` makes up.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use anyhow::Context as _;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use leadflow_platform::{Env, telemetry::TelemetrySettings};
use leadflow_testkit::servers::{Nats, Postgres};

use super::{
    layout::{Layout, write_private},
    settings::LocalSettings,
    stand_ins,
};
use crate::{role::Role, serve};

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// The private PostgreSQL's database.
pub const DATABASE: &str = "leadflow";

/// The environment for a command: the process's own, and below it what `up` noted in
/// `.leadflow/local.env`, so that `leadflow demo`, `events`, `dlq` and the like find what runs.
pub fn env() -> anyhow::Result<Env> {
    Ok(env_of(&merged(&Layout::find())?))
}

/// These variables as an [`Env`].
pub fn env_of(variables: &Variables) -> Env {
    Env::from_pairs(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())))
}

/// The process's own variables over those that `up` noted.
pub fn merged(layout: &Layout) -> anyhow::Result<Variables> {
    let mut variables = read(&layout.environment())?;
    variables.extend(own());
    Ok(variables)
}

/// The process's own variables. An empty one counts as not set; one that is not UTF-8 is no setting
/// of ours.
pub fn own() -> Variables {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(_, value)| !value.trim().is_empty())
        .collect()
}

/// What `up` sets for the services, beyond what the caller set. Written to `.leadflow/local.env`.
pub fn compose(layout: &Layout, settings: &LocalSettings, own: &Variables) -> anyhow::Result<Variables> {
    let secrets = secrets(layout)?;
    let mut variables = secrets.clone();
    let mut set = |name: &str, value: String| variables.insert(name.to_owned(), value);
    set("DATABASE_URL", settings.database_url.clone().unwrap_or_else(|| private_database(settings.postgres_port)));
    set("NATS_URL", settings.nats_url.clone().unwrap_or_else(|| Nats::url_at(settings.nats_port)));
    for (role, ports) in &settings.roles {
        set(role.http().name, ports.http.to_string());
        if let (Some(setting), Some(port)) = (role.grpc(), ports.grpc) {
            set(setting.name, port.to_string());
        }
        if let (Some(setting), Some(port)) = (role.smtp(), ports.smtp) {
            set(setting.name, port.to_string());
        }
    }
    for (name, role) in Role::ADDRESSES {
        if let Some((_, ports)) = settings.roles.iter().find(|(other, _)| other == role)
            && let Some(port) = ports.grpc
        {
            set(name, format!("http://127.0.0.1:{port}"));
        }
    }
    for (name, role) in Role::HTTP_ADDRESSES {
        if let Some((_, ports)) = settings.roles.iter().find(|(other, _)| other == role) {
            set(name, format!("http://127.0.0.1:{}", ports.http));
        }
    }
    if let Some((_, ports)) = settings.roles.iter().find(|(role, _)| *role == Role::Bff) {
        set("BFF_PUBLIC_URL", stand_ins::api_address(*ports));
    }
    for (name, value) in stand_ins::settings(layout, settings, own, &secrets) {
        set(&name, value);
    }
    for (name, value) in Role::LOCAL_DEFAULTS {
        set(name, (*value).to_owned());
    }
    // What the caller set wins, and whatever else services know is passed on: then a change of it is
    // seen at the next `up`.
    let mut everything = variables.clone();
    everything.extend(own.clone());
    let mut env = env_of(&everything);
    TelemetrySettings::read(&mut env);
    serve::Settings::read(&mut env, Role::ALL);
    for setting in env.known() {
        if let Some(chosen) = own.get(setting.name) {
            variables.insert(setting.name.to_owned(), chosen.clone());
        }
    }
    env.finish()?;
    Ok(variables)
}

/// Notes the variables for other commands.
pub fn note(layout: &Layout, variables: &Variables) -> anyhow::Result<()> {
    write_private(
        &layout.environment(),
        &format!("# What `leadflow up` started the services with.\n{}", text(variables)),
    )
}

/// The URL of the database in the private PostgreSQL.
pub fn private_database(port: u16) -> String {
    let server = Postgres::url_at(port);
    match server.rsplit_once('/') {
        Some((server, _)) => format!("{server}/{DATABASE}"),
        None => server,
    }
}

/// Secrets that nobody set: made up once, then kept beside the data that they protect.
fn secrets(layout: &Layout) -> anyhow::Result<Variables> {
    let path = layout.secrets();
    let mut variables = read(&path)?;
    let before = variables.len();
    for name in Role::SECRETS {
        variables.entry((*name).to_owned()).or_insert_with(|| BASE64_STANDARD.encode(rand::random::<[u8; 32]>()));
    }
    let key = "SANDBOX_SENDGRID_WEBHOOK_KEY";
    if !variables.contains_key(key) {
        variables.insert(key.to_owned(), leadflow_sandbox::new_sendgrid_key()?);
    }
    if variables.len() != before {
        let text = format!("# Made up by `leadflow up`. Belongs to the data in this folder.\n{}", text(&variables));
        write_private(&path, &text)?;
    }
    Ok(variables)
}

/// Lines that a shell reads, too.
fn text(variables: &Variables) -> String {
    variables.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name}='{}'", value.replace('\'', "'\\''"));
        text
    })
}

fn read(path: &Path) -> anyhow::Result<Variables> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().filter_map(parse_line).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Variables::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn parse_line(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once('=')?;
    if name.starts_with('#') {
        return None;
    }
    let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
    Some((name.to_owned(), value.replace("'\\''", "'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let variables: Variables = [("A", "plain"), ("B", "it's = \"odd\" $HOME"), ("C", "")]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .into();
        let text = format!("# a comment='x'\n{}", text(&variables));
        let read: Variables = text.lines().filter_map(parse_line).collect();
        assert_eq!(read, variables);
    }

    #[test]
    fn the_private_database_has_its_own_name() {
        assert_eq!(private_database(15432), "postgres://postgres@127.0.0.1:15432/leadflow");
    }
}
