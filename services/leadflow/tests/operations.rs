//! What operators are given says what the program does: alerts and dashboards name metrics that there are, the runbook has a paragraph for each alert.

#[path = "operations/commands.rs"]
mod commands;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// How Prometheus calls what the code declares, without what depends on the kind (`_total`, `_bucket`, …).
fn declared() -> BTreeSet<String> {
    let mut text = String::new();
    for folder in ["shared", "services"] {
        sources(&root().join(folder), &mut text);
    }
    let mut found: BTreeSet<String> =
        ["process_cpu", "process_open_fds", "process_resident_memory"].map(str::to_owned).into();
    for quoted in text.split('"').filter(|quoted| quoted.len() < 80) {
        let prefixes = ["leadflow.", "http.server.", "http.client.", "rpc.server.", "messaging."];
        if prefixes.iter().any(|prefix| quoted.starts_with(prefix))
            && quoted.chars().all(|c| c.is_ascii_lowercase() || c == '.' || c == '_')
        {
            found.insert(quoted.replace('.', "_"));
        }
    }
    found
}

/// Every metric that an expression names.
fn named(expression: &str) -> BTreeSet<String> {
    let mut bare = String::new();
    let mut label = 0_u32;
    for c in expression.chars() {
        match c {
            '{' => label += 1,
            '}' => label -= 1,
            _ if label == 0 => bare.push(c),
            _ => {}
        }
    }
    bare.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| ["leadflow_", "http_", "rpc_", "messaging_", "process_"].iter().any(|p| word.starts_with(p)))
        .filter(|word| {
            !["http_route", "rpc_method", "rpc_grpc_status_code", "http_response_status_code"].contains(word)
        })
        .map(|word| {
            let mut word = word;
            for end in ["_bucket", "_count", "_total", "_seconds", "_bytes"] {
                word = word.strip_suffix(end).unwrap_or(word);
            }
            word.to_owned()
        })
        .collect()
}

fn alerts() -> Vec<String> {
    let text = read("deploy/prometheus/alerts.yml");
    text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

#[test]
fn alerts_and_dashboards_name_metrics_that_there_are() {
    let declared = declared();
    assert!(declared.contains("leadflow_outbox_overdue"), "{declared:?}");
    let mut used = BTreeSet::new();
    let rules = read("deploy/prometheus/alerts.yml");
    for rule in rules.split("- alert:").skip(1) {
        let expression = rule.split("expr:").nth(1).unwrap().split("labels:").next().unwrap();
        let expression = expression.split("\n        for:").next().unwrap();
        let names = named(expression);
        assert!(!names.is_empty(), "{rule}");
        used.extend(names);
    }
    let mut panels = 0;
    for board in fs::read_dir(root().join("deploy/grafana/dashboards")).unwrap() {
        let board: Value = serde_json::from_str(&fs::read_to_string(board.unwrap().path()).unwrap()).unwrap();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let names = named(target["expr"].as_str().unwrap());
                assert!(!names.is_empty(), "{target}");
                used.extend(names);
            }
            panels += 1;
        }
    }
    assert!(panels > 20, "{panels}");
    let unknown: Vec<_> = used.difference(&declared).collect();
    assert!(unknown.is_empty(), "nothing measures {unknown:?}");
}

#[test]
fn a_role_of_which_nothing_runs_is_missed() {
    let roles = read("services/leadflow/src/role.rs");
    let names = roles.lines().filter_map(|line| line.strip_prefix("    name: \"")?.strip_suffix("\","));
    let names: BTreeSet<_> = names.filter(|name| *name != "sandbox").collect();
    assert!(names.contains("ingest") && names.len() > 4, "{names:?}");
    let rules = read("deploy/prometheus/alerts.yml");
    for name in names {
        assert!(rules.contains(&format!("absent(leadflow_ready{{role=\"{name}\"}})")), "{name}");
    }
}

#[test]
fn the_runbook_has_a_paragraph_for_each_alert_and_no_other() {
    let runbook = read("docs/runbook.md");
    let paragraphs: BTreeSet<_> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let alerts = alerts();
    assert!(alerts.len() > 10);
    assert_eq!(paragraphs, alerts.iter().map(String::as_str).collect());
    let rules = read("deploy/prometheus/alerts.yml");
    for alert in alerts {
        assert!(rules.contains(&format!("runbook: docs/runbook.md#{}\n", alert.to_lowercase())), "{alert}");
    }
}

#[test]
fn the_operators_rules_are_the_same_as_those_of_a_prometheus_of_ones_own() {
    let rules = read("deploy/prometheus/alerts.yml");
    let operators = read("k8s/components/monitoring/rules.yaml");
    let spec = operators.split("\nspec:\n").nth(1).unwrap();
    let wanted: String = rules[rules.find("groups:").unwrap()..].lines().map(|line| format!("  {line}\n")).collect();
    assert_eq!(spec, wanted, "k8s/components/monitoring/rules.yaml is not what deploy/prometheus/alerts.yml says");
}

/// What the image's first layer is built from: cargo refuses a manifest that names a test or a build script which is not there.
#[test]
fn the_skeleton_of_the_image_is_a_workspace_that_cargo_takes() {
    let folder = leadflow_testkit::TempDir::new("skeleton").unwrap();
    let made =
        std::process::Command::new(root().join("scripts/image/skeleton.sh")).arg(folder.path()).status().unwrap();
    assert!(made.success());
    let read = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(folder.path().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    let whole: Value = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!(
        whole["packages"].as_array().unwrap().len(),
        whole["workspace_members"].as_array().unwrap().len(),
        "crates are missing"
    );
}
