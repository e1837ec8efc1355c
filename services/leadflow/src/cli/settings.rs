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
        assert!(
            written == reference(),
            "docs/settings.md is of another release; run: leadflow settings > docs/settings.md"
        );
    }

    fn file(path: &str) -> String {
        std::fs::read_to_string(format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR")))
            .unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// The settings of a file of `NAME=value` lines.
    fn assigned(path: &str) -> HashMap<String, String> {
        let text = file(path);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split_once('=').unwrap()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
    }

    /// What is not as on a machine of one's own when every role has a machine of its own.
    const APART: &[(&str, &str)] = &[
        ("LISTEN_ADDRESS", "0.0.0.0"),
        ("METRICS_PORT", "9464"),
        ("NATS_URL", "nats://nats:4222"),
        ("ACCOUNTS_GRPC_URL", "http://accounts:9101"),
        ("BILLING_GRPC_URL", "http://billing:9102"),
        ("DISTRIBUTION_GRPC_URL", "http://distribution:9103"),
        ("NOTIFIER_GRPC_URL", "http://notifier:9104"),
        ("INGEST_HTTP_URL", "http://ingest:8080"),
    ];

    #[test]
    fn every_setting_is_in_the_manifests_with_its_default() {
        let compose = file("docker-compose.yml");
        for (title, read) in groups() {
            let (name, role) = match title.strip_prefix("Role ") {
                Some("sandbox") => continue,
                Some(role) => (role, true),
                None if title == "Every process" => ("process", false),
                None => continue,
            };
            let process = assigned("k8s/base/settings/process.env");
            let path = format!("k8s/base/settings/{name}.env");
            let values = assigned(&path);
            let pod = if role { file(&format!("k8s/base/{name}.yaml")) } else { String::new() };
            let known = known(&read);
            for setting in &known {
                if setting.secret {
                    assert!(
                        pod.contains(&format!("- {{ name: {}, valueFrom", setting.name)),
                        "{name}.yaml: {}",
                        setting.name
                    );
                    assert!(
                        compose.contains(&format!("{}: ${{", setting.name)),
                        "docker-compose.yml: {}",
                        setting.name
                    );
                    assert!(!values.contains_key(setting.name), "{path} holds a secret");
                    continue;
                }
                if role && process.contains_key(setting.name) {
                    continue;
                }
                let apart = APART.iter().find(|(name, _)| *name == setting.name).map(|(_, value)| (*value).to_owned());
                let wanted = apart.or_else(|| setting.default.clone()).unwrap_or_default();
                assert_eq!(values.get(setting.name), Some(&wanted), "{path}: {}", setting.name);
            }
            for there in values.keys() {
                assert!(known.iter().any(|setting| setting.name == there), "{path}: nothing reads {there}");
            }
            assert!(!role || compose.contains(&path), "docker-compose.yml does not read {path}");
        }
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
