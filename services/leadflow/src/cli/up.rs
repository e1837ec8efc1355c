//! `leadflow up`

use std::process::ExitCode;

use anyhow::Context as _;
use leadflow_testkit::servers::{nats_server, postgres_bin};

use crate::{
    local::{
        demo::{self, DemoTenant},
        disk,
        environment::{self, Variables},
        layout::Layout,
        pair,
        ports::{self, Wanted},
        servers,
        services::{self, Program},
        settings::{LocalSettings, NATS_PORT, POSTGRES_PORT},
        state, table,
    },
    migrate,
    say::say,
    seed::{self, Places},
};

pub(super) async fn run() -> anyhow::Result<ExitCode> {
    // Given up in the middle, what is just being started is stopped again; what was ready runs on.
    tokio::select! {
        outcome = bring_up() => outcome,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted; `make down` stops what was started so far"),
    }
}

async fn bring_up() -> anyhow::Result<ExitCode> {
    let layout = Layout::find();
    layout.create()?;
    let _lock = state::lock(&layout)?;
    let own = environment::own();
    let mut env = environment::env_of(&own);
    let settings = LocalSettings::read(&mut env);
    env.finish()?;
    disk::check(layout.home())?;
    check_programs(&settings)?;
    check_ports(&layout, &settings)?;

    let both_private = settings.database_url.is_none() && settings.nats_url.is_none();
    if both_private {
        pair::check(&layout)?;
    }
    if settings.database_url.is_none() {
        servers::postgres(&layout, &settings).await?;
    }
    if settings.nats_url.is_none() {
        servers::nats(&layout, &settings).await?;
    }
    if both_private {
        pair::join(&layout)?;
    }
    let variables = environment::compose(&layout, &settings, &own)?;
    environment::note(&layout, &variables)?;
    apply_migrations(&own, &variables).await?;

    let program = Program::own()?;
    let mut started = Vec::new();
    for (role, ports) in &settings.roles {
        if services::start(&layout, &program, *role, *ports, &variables).await? {
            started.push(*role);
        }
    }
    // Those that ran on may have to find a restarted server again.
    services::wait_ready(&layout, &settings.roles, &started).await?;
    let tenant = demo_tenant(&layout, &variables).await?;
    print_summary(&settings, &variables, Some(&tenant));
    Ok(ExitCode::SUCCESS)
}

/// Makes the demo tenant, or what is missing of it, and keeps its supplier's key.
async fn demo_tenant(layout: &Layout, variables: &Variables) -> anyhow::Result<DemoTenant> {
    let mut env = environment::env_of(variables);
    let places = Places::read(&mut env);
    env.finish()?;
    let known = demo::load(layout);
    let seeded = seed::demo_tenant(places, known.as_ref().map(|tenant| tenant.supplier_key.as_str()))
        .await
        .context("the demo tenant cannot be made")?;
    let tenant = DemoTenant {
        supplier_key: seeded.supplier_key,
        campaign_id: seeded.campaign_id.to_string(),
        body: seeded.body,
    };
    if known.as_ref() != Some(&tenant) {
        demo::save(layout, &tenant)?;
    }
    Ok(tenant)
}

async fn apply_migrations(own: &Variables, variables: &Variables) -> anyhow::Result<()> {
    let mut all = own.clone();
    all.extend(variables.clone());
    let mut env = environment::env_of(&all);
    let schemas = migrate::schemas(&mut env);
    env.finish()?;
    migrate::check_roles(&schemas).await?;
    for schema in &schemas {
        if migrate::missing(schema).await? != Some(0) {
            say!("migrate: {}", schema.name);
        }
        migrate::migrate(schema).await?;
    }
    Ok(())
}

/// All missing programs at once, before anything is started.
fn check_programs(settings: &LocalSettings) -> anyhow::Result<()> {
    let found = [settings.database_url.is_none().then(postgres_bin), settings.nats_url.is_none().then(nats_server)];
    let missing: Vec<_> = found.into_iter().flatten().filter_map(Result::err).map(|error| error.to_string()).collect();
    anyhow::ensure!(missing.is_empty(), "{}", missing.join("\nleadflow: "));
    Ok(())
}

/// All busy ports at once, before anything is started.
fn check_ports(layout: &Layout, settings: &LocalSettings) -> anyhow::Result<()> {
    let mut wanted = Vec::new();
    let mut ours = Vec::new();
    let mut want = |runs: &str, what: String, port: u16, setting: &'static str| {
        ours.extend(state::running(layout, runs).map(|started| started.process.pid));
        wanted.push(Wanted { what, port, setting });
    };
    if settings.database_url.is_none() {
        want(servers::POSTGRES, "PostgreSQL".to_owned(), settings.postgres_port, POSTGRES_PORT);
    }
    if settings.nats_url.is_none() {
        want(servers::NATS, "nats-server".to_owned(), settings.nats_port, NATS_PORT);
    }
    for (role, ports) in &settings.roles {
        want(role.name(), format!("{role}'s HTTP"), ports.http, role.http().name);
        if let (Some(port), Some(setting)) = (ports.grpc, role.grpc()) {
            want(role.name(), format!("{role}'s gRPC"), port, setting.name);
        }
        if let (Some(port), Some(setting)) = (ports.smtp, role.smtp()) {
            want(role.name(), format!("{role}'s mail"), port, setting.name);
        }
    }
    let problems = ports::problems(&wanted, &ours);
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("\nleadflow: "));
    Ok(())
}

fn print_summary(settings: &LocalSettings, variables: &Variables, demo: Option<&DemoTenant>) {
    let mut rows = Vec::new();
    let mut row = |name: &str, what: &str, place: String| rows.push([name.to_owned(), what.to_owned(), place]);
    for (role, ports) in &settings.roles {
        row(role.name(), role.purpose(), format!("http://127.0.0.1:{}{}", ports.http, role.page()));
        if ports.smtp.is_some() {
            row("", "mails to people", format!("http://127.0.0.1:{}/mails", ports.http));
            row("", "their text messages", format!("http://127.0.0.1:{}/texts", ports.http));
        }
    }
    for (name, what, setting) in
        [(servers::POSTGRES, "database", "DATABASE_URL"), (servers::NATS, "streams", "NATS_URL")]
    {
        let place = variables.get(setting).map(|url| without_password(url)).unwrap_or_default();
        row(name, what, place);
    }
    say!("\nLeadFlow is up.\n\n{}", table::columns(&rows));
    if let Some(demo) = demo {
        say!("Demo supplier's key: {}\n", demo.supplier_key);
        if let Some(ingest) = settings.roles.iter().find(|(role, _)| role.name() == "ingest") {
            say!("Post a lead:\n\n{}\n", curl(ingest.1.http, demo));
        }
    }
    say!("make logs follows what happens, make doctor checks everything, make down stops it.");
}

/// One line to paste into a shell.
fn curl(port: u16, demo: &DemoTenant) -> String {
    format!(
        "curl -sS http://127.0.0.1:{port}/api/leads/ingest -H 'X-API-Key: {}' -H 'Content-Type: application/json' -d '{}'",
        demo.supplier_key,
        demo.body.replace('\'', "'\\''")
    )
}

/// A URL that may be shown.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, rest)), Some((_, host))) if rest.contains('@') => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn passwords_are_not_shown() {
        for (url, shown) in [
            ("postgres://u:p@h:1/db", "postgres://h:1/db"),
            ("postgres://u:p@ss@h:1/db", "postgres://h:1/db"),
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
