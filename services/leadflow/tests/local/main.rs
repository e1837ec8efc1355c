//! `leadflow up`, `down`, `doctor` and `logs` as a user runs them: real processes in a folder of
//! their own.

mod command;
mod data;
mod disk;
mod doctor;
mod machine;
mod migrate;
mod packages;
mod provider_events;
mod schema;
mod secrets;
mod suppressions;
mod tenants;

#[path = "../system/client.rs"]
mod client;

use std::{fs, net::TcpListener, time::Duration};

use leadflow_testkit::{servers::ProcessId, wait};

use machine::{Machine, ROLES};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn up_starts_everything_and_twice_changes_nothing() {
    let machine = Machine::new();
    let first = machine.run(&["up"]);
    first.succeeded();
    for role in ROLES {
        assert!(first.out.contains(&format!("{role}: ready")), "{}", first.out);
    }
    let table = |out: &str| out.split_once("LeadFlow is up.").expect("a table").1.to_owned();
    let running = machine.running();
    assert_eq!(running.len(), ROLES.len() + 2, "services, PostgreSQL and nats-server");

    let second = machine.run(&["up"]);
    second.succeeded();
    assert_eq!(table(&first.out), table(&second.out));
    assert!(!second.out.contains("starting"), "{}", second.out);
    assert_eq!(machine.running(), running, "a second up replaced a process");

    let doctor = machine.run(&["doctor"]);
    doctor.succeeded();
    assert!(!doctor.out.contains("WRONG"), "{}", doctor.out);

    let logs = machine.run(&["logs", "--no-follow", "-n", "1"]);
    logs.succeeded();
    for program in ["billing", "postgresql", "nats"] {
        assert!(logs.out.lines().any(|line| line.starts_with(program) && line.contains(" | ")), "{}", logs.out);
    }
}

#[tokio::test]
async fn down_stops_what_up_started_and_nothing_else() {
    let machine = Machine::new();
    machine.run(&["up"]).succeeded();
    let started: Vec<_> = machine.running();
    // A note that names a process of ours with another start: its number was given to somebody else.
    let own = ProcessId::of(std::process::id()).expect("we run");
    machine.renumber("sandbox", own.pid);
    let down = machine.run(&["down"]);
    down.succeeded();
    assert!(down.out.contains("postgresql: stopped") && !down.out.contains("sandbox: stopped"), "{}", down.out);
    assert!(own.is_alive());
    let (sandbox, others): (Vec<_>, Vec<_>) = started.into_iter().partition(|(name, _)| name == "sandbox");
    for (name, process) in others {
        assert!(!process.is_alive(), "{name} still runs");
    }
    assert!(sandbox.iter().all(|(_, process)| process.is_alive()), "a process that is not noted was stopped");
    for (_, process) in sandbox {
        process.signal(leadflow_testkit::servers::Signal::Kill);
        wait::until("the sandbox ends", LIMIT, async || !process.is_alive()).await;
    }

    let again = machine.run(&["down"]);
    again.succeeded();
    assert!(again.out.contains("nothing was running"), "{}", again.out);
    // What was stored is still there, and so are the secrets that belong to it.
    let secrets = fs::read(machine.home().join("secrets.env")).expect("secrets");
    machine.run(&["up"]).succeeded();
    assert_eq!(fs::read(machine.home().join("secrets.env")).expect("secrets"), secrets);
}

#[tokio::test]
async fn what_died_is_started_again_and_what_lives_is_left_alone() {
    let machine = Machine::new();
    machine.run(&["up"]).succeeded();
    let before = machine.running();
    for name in ["billing", "postgresql"] {
        let process = machine.process(name);
        process.signal(leadflow_testkit::servers::Signal::Kill);
        wait::until(format!("{name} ends"), LIMIT, async || !process.is_alive()).await;
    }
    let doctor = machine.run(&["doctor"]);
    assert!(!doctor.ok, "{}", doctor.out);
    assert!(doctor.out.contains("WRONG  billing"), "{}", doctor.out);
    let up = machine.run(&["up"]);
    up.succeeded();
    let after = machine.running();
    let kept: Vec<_> = after.iter().filter(|entry| before.contains(entry)).map(|(name, _)| name.as_str()).collect();
    assert_eq!(kept.len(), before.len() - 2, "{kept:?} were kept");
    machine.run(&["doctor"]).succeeded();
}

#[tokio::test]
async fn a_busy_port_is_one_sentence_and_nothing_is_started() {
    let machine = Machine::new();
    let port = machine.port("INGEST_HTTP_PORT");
    let taken = TcpListener::bind(("127.0.0.1", port)).expect("bind");
    let up = machine.run(&["up"]);
    let busy = format!("port {port} for ingest's HTTP is in use by");
    up.failed_with_one_sentence(&[&busy, "INGEST_HTTP_PORT=", "make up"]);
    assert!(machine.running().is_empty());
    drop(taken);
    machine.run(&["up"]).succeeded();
}

#[tokio::test]
async fn another_setting_restarts_the_services_but_not_the_servers() {
    let machine = Machine::new();
    machine.run(&["up"]).succeeded();
    let before = machine.running();
    let up = machine.run_with(&["up"], &[("RUST_LOG", "warn")]);
    up.succeeded();
    let after = machine.running();
    for (name, process) in before {
        let kept = after.contains(&(name.clone(), process));
        assert_eq!(kept, !ROLES.contains(&name.as_str()), "{name}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_read_are_all_told_at_once() {
    let machine = Machine::new();
    let up = machine.run_with(&["up"], &[("NATS_SYNC", "sometimes"), ("BILLING_HTTP_PORT", "many")]);
    assert!(!up.ok);
    assert!(up.err.contains("NATS_SYNC") && up.err.contains("BILLING_HTTP_PORT"), "{}", up.err);
    assert!(machine.running().is_empty());
}

#[tokio::test]
async fn two_ups_at_once_start_everything_once() {
    let machine = Machine::new();
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(|| machine.run(&["up"]));
        (machine.run(&["up"]), other.join().expect("up"))
    });
    first.succeeded();
    second.succeeded();
    let starts = |out: &str| out.lines().filter(|line| line.ends_with(": starting")).count();
    assert_eq!(starts(&first.out) + starts(&second.out), ROLES.len() + 2);
}
