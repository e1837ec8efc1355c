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
};
use crate::{
    role::{Ports, Role},
    serve,
};

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
    let mut variables = secrets(layout)?;
    let signing_secret = variables.get("SANDBOX_STRIPE_WEBHOOK_SECRETS").cloned().unwrap_or_default();
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
        set("BFF_PUBLIC_URL", format!("http://localhost:{}", ports.http));
    }
    if let Some((_, Ports { http, smtp: Some(smtp), .. })) =
        settings.roles.iter().find(|(role, _)| *role == Role::Sandbox)
    {
        // Mails stay on this machine unless there is somebody to take them, and their links lead to the sandbox's pages.
        if !own.contains_key("SMTP_HOST") && !own.contains_key("SENDGRID_API_KEY") {
            set("SMTP_HOST", "127.0.0.1".to_owned());
            set("SMTP_PORT", smtp.to_string());
            set("SMTP_TLS", "none".to_owned());
            set("SMTP_FROM", "LeadFlow <noreply@leadflow.example>".to_owned());
        }
        set("FRONTEND_URL", format!("http://127.0.0.1:{http}/app"));
    }
    // Whoever is known to the real Google says all of it himself.
    if !own.contains_key("GOOGLE_CLIENT_ID")
        && let Some((_, ports)) = settings.roles.iter().find(|(role, _)| *role == Role::Sandbox)
    {
        let sandbox = leadflow_sandbox::Config::default();
        set("GOOGLE_ISSUER", leadflow_sandbox::google_issuer(&format!("http://127.0.0.1:{}", ports.http)));
        set("GOOGLE_CLIENT_ID", sandbox.client_id);
        set("GOOGLE_CLIENT_SECRET", sandbox.client_secret);
        set("GOOGLE_ALLOW_LOOPBACK", "true".to_owned());
    }
    // Likewise whoever has an account at Stripe.
    if !own.contains_key("STRIPE_SECRET_KEY") {
        let port = |wanted| settings.roles.iter().find(|(role, _)| *role == wanted).map(|(_, ports)| ports.http);
        if let (Some(sandbox), Some(bff)) = (port(Role::Sandbox), port(Role::Bff)) {
            set("STRIPE_API_BASE", leadflow_sandbox::stripe_api(&format!("http://127.0.0.1:{sandbox}")));
            set("STRIPE_SECRET_KEY", "sk_test_sandbox".to_owned());
            set("STRIPE_PUBLISHABLE_KEY", "pk_test_sandbox".to_owned());
            set("STRIPE_WEBHOOK_SECRET", signing_secret);
            set("SANDBOX_STRIPE_WEBHOOK_URL", format!("http://127.0.0.1:{bff}/api/webhooks/stripe"));
            // Billing remembers its customers and charges, so Stripe has to.
            set("SANDBOX_STRIPE_FILE", layout.stripe().display().to_string());
        }
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
    use leadflow_testkit::TempDir;

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
    fn stripe_is_the_sandboxs_unless_a_key_is_set() {
        let folder = TempDir::new("environment").unwrap();
        let layout = Layout::at(folder.path().to_owned());
        layout.create().unwrap();
        let settings = LocalSettings::read(&mut env_of(&Variables::new()));
        let made = compose(&layout, &settings, &Variables::new()).unwrap();
        assert_eq!(made["STRIPE_API_BASE"], "http://127.0.0.1:8090/stripe/");
        assert_eq!(made["SANDBOX_STRIPE_WEBHOOK_URL"], "http://127.0.0.1:3000/api/webhooks/stripe");
        assert_eq!(made["STRIPE_WEBHOOK_SECRET"], made["SANDBOX_STRIPE_WEBHOOK_SECRETS"]);
        // The same secret the next time: events signed before are still good.
        assert_eq!(compose(&layout, &settings, &Variables::new()).unwrap(), made);

        let own: Variables = [("STRIPE_SECRET_KEY", "sk_test_mine"), ("STRIPE_PUBLISHABLE_KEY", "pk_test_mine")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let made = compose(&layout, &settings, &own).unwrap();
        assert_eq!(made["STRIPE_SECRET_KEY"], "sk_test_mine");
        for none in ["STRIPE_API_BASE", "STRIPE_WEBHOOK_SECRET", "SANDBOX_STRIPE_WEBHOOK_URL"] {
            assert!(!made.contains_key(none), "{none}");
        }
    }

    #[test]
    fn the_private_database_has_its_own_name() {
        assert_eq!(private_database(15432), "postgres://postgres@127.0.0.1:15432/leadflow");
    }
}
