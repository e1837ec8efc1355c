//! `leadflow settings`: the reference of every setting, from the code that reads them.

use std::{fmt::Write as _, process::ExitCode};

use leadflow_platform::{Env, Setting, telemetry::TelemetrySettings};

use crate::{local::settings::LocalSettings, role::Role, serve};

/// Prints it.
pub fn run() -> ExitCode {
    print!("{}", reference());
    ExitCode::SUCCESS
}

/// Reads a group's settings, to learn which there are.
type Reader = Box<dyn Fn(&mut Env)>;

fn groups() -> Vec<(String, Reader)> {
    let mut groups: Vec<(String, Reader)> = vec![(
        "Every process".to_owned(),
        Box::new(|env| {
            TelemetrySettings::read(env);
            serve::Settings::read(env, &[]);
        }),
    )];
    for role in Role::ALL {
        groups.push((format!("Role {role}"), Box::new(move |env| drop(serve::Settings::read(env, &[*role])))));
    }
    groups
        .push(("On a machine of one's own (`leadflow up`)".to_owned(), Box::new(|env| drop(LocalSettings::read(env)))));
    groups
}

fn known(read: &Reader) -> Vec<Setting> {
    let mut env = Env::default();
    read(&mut env);
    env.known().to_vec()
}

fn reference() -> String {
    let mut text = String::from(
        "# Settings\n\nAll come from the environment and are checked as a whole at start; every problem is named at once. An empty \
         variable counts as not set. This page is what `leadflow settings` prints.\n",
    );
    let mut told = Vec::new();
    for (title, read) in groups() {
        let fresh: Vec<_> = known(&read).into_iter().filter(|setting| !told.contains(&setting.name)).collect();
        if fresh.is_empty() {
            continue;
        }
        let _ = write!(text, "\n## {title}\n\n| setting | default | what it does |\n| --- | --- | --- |\n");
        for setting in fresh {
            let default = match setting.default.as_deref() {
                None if setting.secret => "required, secret".to_owned(),
                Some(_) if setting.secret => "none, secret".to_owned(),
                None => "required".to_owned(),
                Some("") => "none".to_owned(),
                Some(value) => format!("`{value}`"),
            };
            let _ = writeln!(text, "| `{}` | {default} | {} |", setting.name, setting.help);
            told.push(setting.name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_reference_in_docs_is_the_codes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md");
        let written = std::fs::read_to_string(path).unwrap();
        assert_eq!(written, reference(), "run: leadflow settings > docs/settings.md");
    }

    #[test]
    fn a_setting_means_the_same_to_every_role() {
        let mut first: HashMap<&str, Setting> = HashMap::new();
        for (_, read) in groups().into_iter().filter(|(title, _)| title.starts_with("Role")) {
            for setting in known(&read) {
                let seen = first.entry(setting.name).or_insert_with(|| setting.clone());
                assert_eq!(seen.default, setting.default, "{} has two defaults", setting.name);
            }
        }
    }

    #[test]
    fn services_look_for_each_other_where_they_listen() {
        let known: Vec<_> = groups().iter().flat_map(|(_, read)| known(read)).collect();
        let grpc = Role::ADDRESSES.iter().map(|(name, role)| (name, role.grpc().unwrap().default));
        let http = Role::HTTP_ADDRESSES.iter().map(|(name, role)| (name, role.http().default));
        for (name, port) in grpc.chain(http) {
            let Some(setting) = known.iter().find(|setting| setting.name == *name) else { continue };
            assert_eq!(setting.default, Some(format!("http://127.0.0.1:{port}")), "{name}");
        }
    }
}
