//! The commands of an operator, against a running whole.

use std::{process::Stdio, time::Duration};

use bytes::Bytes;
use leadflow_contracts::{Event as _, common::Logic, events::LeadReceived};
use leadflow_kernel::EventId;
use leadflow_messaging::{Bus, BusSettings, Envelope};
use leadflow_testkit::wait;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::world::{PATIENCE, Terms, World, doubled, lead, options};

fn leadflow(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leadflow"));
    command.args(arguments).envs(world.cluster.env()).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Whether it succeeded, and what it printed.
pub async fn run(world: &World, arguments: &[&str]) -> (bool, String) {
    let output = leadflow(world, arguments).output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_watched_without_personal_data() {
    let world = World::start(options()).await;
    let campaign = world.campaign(Logic::RoundRobin, "25.00", 0).await;
    let buyer = world.buyer("watched", 5, "100.00").await;
    world.subscribe(campaign, buyer, Terms::default()).await;
    let mut tail = leadflow(&world, &["events", "tail", "lead.assigned", "-n", "1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It says so when it listens.
    let mut says = BufReader::new(tail.stderr.take().unwrap()).lines();
    assert!(says.next_line().await.unwrap().unwrap().starts_with("listening on lead.assigned"));
    let answer = world.post(&lead(campaign, 1), &[]).await.unwrap();
    let output = tokio::time::timeout(PATIENCE, tail.wait_with_output()).await.unwrap().unwrap();
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(line["subject"], "lead.assigned");
    assert_eq!(line["event"]["leadId"], answer.body["leadId"]);
    assert_eq!(line["event"]["assignments"][0]["buyerId"], serde_json::json!(buyer));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!text.contains("ada1") && line["event"].get("dataJson").is_none(), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_message_is_listed_shown_and_sent_again() {
    let world = World::start(options()).await;
    let (clean, text) = run(&world, &["dlq", "list"]).await;
    assert!(clean && text.contains("no dead letters"), "{text}");
    let settings =
        BusSettings { url: world.cluster.nats.url(), source: "test".into(), connect_within: Duration::from_secs(10) };
    let bus = Bus::connect(&settings).await.unwrap();
    let broken = Envelope {
        id: EventId::new(),
        subject: LeadReceived::default().subject(),
        kind: LeadReceived::TYPE.to_owned(),
        time: chrono::DateTime::UNIX_EPOCH,
        traceparent: None,
        payload: Bytes::from_static(b"\xff\xff\xff this is no lead"),
    };
    bus.publish(std::slice::from_ref(&broken)).await.unwrap();
    wait::until("it is put aside", PATIENCE, async || !run(&world, &["dlq", "list"]).await.0).await;
    let (_, listed) = run(&world, &["dlq", "list"]).await;
    assert!(listed.contains("LEADS/distribution") && listed.contains("lead.received"), "{listed}");
    let (shown, text) = run(&world, &["dlq", "show", "1"]).await;
    assert!(shown && text.contains(&broken.id.to_string()), "{text}");
    let (found, text) = run(&world, &["dlq", "show", "99"]).await;
    assert!(!found && text.contains("there is no dead letter 99"), "{text}");
    // Nobody mended it, so it comes back under a new number: it was really sent again.
    let (sent, text) = run(&world, &["dlq", "redrive", "1"]).await;
    assert!(sent, "{text}");
    wait::until("it is put aside again", PATIENCE, async || run(&world, &["dlq", "show", "2"]).await.0).await;
    assert!(!run(&world, &["dlq", "show", "1"]).await.0, "the first is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_plays_and_its_books_are_right() {
    let world = World::start(doubled()).await;
    let (right, text) = run(&world, &["demo", "--posts", "200"]).await;
    assert!(right, "{text}");
    for part in [
        "Campaigns: who got how many",
        "One decision in words",
        "dollars given back",
        "  recharge ",
        "Compared with what Stripe's stand-in has: ",
        "invariants hold",
    ] {
        assert!(text.contains(part), "no \"{part}\" in:\n{text}");
    }
    assert!(!text.contains("has: 0 charges"), "{text}");
    let returned = "SELECT count(*) FROM billing.postings WHERE kind = 'lead_return'";
    let returned: i64 = sqlx::query_scalar(returned).fetch_one(&world.books).await.unwrap();
    assert!(returned > 0, "nobody returned anything:\n{text}");
    // The same books with a cent moved are wrong, and the command says so by its exit code.
    sqlx::query("UPDATE billing.wallets SET balance = balance + 0.01 WHERE buyer_id = (SELECT min(buyer_id::text)::uuid FROM billing.wallets)")
        .execute(&world.books)
        .await
        .unwrap();
    let (right, text) = run(&world, &["demo", "--posts", "20"]).await;
    assert!(!right && text.contains("balance_is_the_sum_of_entries"), "{text}");
}
