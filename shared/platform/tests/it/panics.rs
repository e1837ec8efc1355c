//! A panic as the log shows it.

use std::process::Command;

use leadflow_platform::telemetry::{self, TelemetrySettings};
use serde_json::Value;

/// In a process of its own: a hook for panics is the whole process's.
#[test]
fn a_panic_is_a_line_with_its_place_and_without_what_it_quotes() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["panics::somebody_panics", "--exact", "--ignored", "--nocapture"])
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !text.contains("Lovelace"), "{text}");
    let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    for line in &lines {
        assert_eq!((&line["level"], &line["message"]), (&"ERROR".into(), &"panicked".into()), "{line}");
        assert!(line["place"].as_str().is_some_and(|place| place.contains("panics.rs:")), "{line}");
    }
    assert_eq!(lines[1]["words"], "it stands so in the source");
}

#[test]
#[ignore = "panics, for the test above"]
fn somebody_panics() {
    let settings = TelemetrySettings { filter: "info".into(), json: true, otlp_endpoint: None, metrics_port: None };
    let _telemetry = telemetry::start(&settings, "test").unwrap();
    let name = "Lovelace";
    std::thread::spawn(move || panic!("{name} is nobody")).join().unwrap_err();
    std::thread::spawn(|| panic!("it stands so in the source")).join().unwrap_err();
}
