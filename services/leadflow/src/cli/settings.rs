//! `leadflow settings`: the reference of every setting, from the code that reads them.

use std::{collections::BTreeMap, fmt::Write as _, process::ExitCode};

use leadflow_platform::{Env, Setting, telemetry::TelemetrySettings};

use crate::{
    local::settings::LocalSettings,
    role::{Ports, Role},
    say::say,
    serve,
};

pub(super) fn run() -> ExitCode {
    say!("{}", reference().trim_end());
    ExitCode::SUCCESS
}

/// As in docs/settings.md.
fn reference() -> String {
    // Read from an empty environment: only what is asked for matters, not what is missing.
    let of = |read: &dyn Fn(&mut Env)| {
        let mut env = Env::default();
        read(&mut env);
        env.known().to_vec()
    };
    let telemetry = of(&|env| drop(TelemetrySettings::read(env)));
    let services: Vec<(Role, Vec<Setting>)> = Role::ALL
        .iter()
        .map(|role| {
            let settings = of(&|env| {
                Ports::read(env, *role);
                drop(serve::Settings::read(env, &[*role]));
            });
            (*role, settings)
        })
        .collect();
    let mut readers = BTreeMap::<&str, usize>::new();
    for setting in services.iter().flat_map(|(_, settings)| settings) {
        *readers.entry(setting.name).or_default() += 1;
    }
    let is_shared = |setting: &Setting| readers.get(setting.name).is_some_and(|count| *count > 1);

    let mut shared = telemetry;
    for setting in services.iter().flat_map(|(_, settings)| settings).filter(|setting| is_shared(setting)) {
        if shared.iter().all(|other| other.name != setting.name) {
            shared.push(setting.clone());
        }
    }
    let mut told: Vec<&str> = shared.iter().map(|setting| setting.name).collect();
    let mut text = String::from(
        "# Settings\n\nFrom the environment, read as a whole at start: every problem is told at once, by name. An empty value counts as\n\
         not set. Printed by `leadflow settings`.\n",
    );
    section(&mut text, "Several services", &shared);
    for (role, settings) in &services {
        let own: Vec<_> = settings.iter().filter(|setting| !is_shared(setting)).cloned().collect();
        told.extend(own.iter().map(|setting| setting.name));
        section(&mut text, role.name(), &own);
    }
    let local = of(&|env| drop(LocalSettings::read(env)));
    let local: Vec<_> = local
        .into_iter()
        .filter(|setting| matches!(setting.name, "DATABASE_URL" | "NATS_URL") || !told.contains(&setting.name))
        .collect();
    section(&mut text, "`make up` on one machine", &local);
    text
}

fn section(text: &mut String, title: &str, settings: &[Setting]) {
    let _ = write!(text, "\n## {title}\n\n| Setting | What it does | When not set |\n|---|---|---|\n");
    for setting in settings {
        let default = match setting.default.as_deref() {
            None => "must be set".to_owned(),
            Some("") => "none".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        let secret = if setting.secret { " (secret, never printed)" } else { "" };
        let help = setting.help.replace('|', "\\|");
        let _ = writeln!(text, "| `{}` | {help}{secret} | {default} |", setting.name);
    }
}

#[cfg(test)]
mod tests {
    use super::reference;

    #[test]
    fn the_page_in_docs_is_as_printed() {
        let page = include_str!("../../../../docs/settings.md");
        assert!(page == reference(), "docs/settings.md is out of date: leadflow settings > docs/settings.md");
    }
}
