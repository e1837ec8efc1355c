//! What operators see of a lead and of the processes, on a port that the public does not reach.

use leadflow_contracts::common::Logic;
use leadflow_testkit::{cluster::Replica, wait};

use crate::{
    client::Client,
    world::{PATIENCE, Terms, World, lead, options},
};

/// The value of the first line that begins with `name` and has all of `labels`.
fn value(text: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let is_it = |line: &&str| {
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']))
            && labels.iter().all(|l| line.contains(l))
    };
    text.lines().find(is_it)?.rsplit(' ').next()?.parse().ok()
}

async fn metrics(replica: &Replica) -> String {
    let url = format!("http://127.0.0.1:{}/metrics", replica.metrics.unwrap());
    let answer = Client::new().get(&url, &[]).await.unwrap();
    assert_eq!(answer.status, 200);
    answer.body.as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_is_seen_in_the_metrics_of_every_role_that_had_to_do_with_it() {
    let mut options = options();
    options.metrics = true;
    let world = World::start(options).await;
    let campaign = world.campaign(Logic::RoundRobin, "25.00", 30).await;
    let buyer = world.buyer("measured", 5, "100.00").await;
    world.subscribe(campaign, buyer, Terms::default()).await;
    let answer = world.post(&lead(campaign, 1), &[]).await.unwrap();
    assert_eq!(answer.body["distributed"], true, "{answer:?}");

    let replicas = &world.cluster.replicas;
    let of = |role: &str| replicas.iter().find(|replica| replica.role == role).unwrap();
    for (role, name, labels, wanted) in [
        ("distribution", "leadflow_leads_total", &["outcome=\"distributed\""][..], 1.0),
        ("distribution", "leadflow_lead_decision_duration_seconds_count", &[], 1.0),
        ("distribution", "leadflow_consumer_waiting", &["stream=\"LEADS\"", "consumer=\"distribution\""], 0.0),
        ("billing", "leadflow_lead_debit_duration_seconds_count", &[], 1.0),
        ("billing", "leadflow_holds_open", &[], 0.0),
        ("billing", "leadflow_outbox_overdue_seconds", &["schema=\"billing\""], 0.0),
        ("notifier", "leadflow_events_handled_total", &["stream=\"LEADS\"", "outcome=\"done\""], 1.0),
        ("notifier", "leadflow_lead_delivery_duration_seconds_count", &["channel=\"WEBHOOK\""], 1.0),
        ("ingest", "leadflow_stream_messages", &["stream=\"DLQ\""], 0.0),
    ] {
        wait::until(format!("{role}: {name} is {wanted}"), PATIENCE, async || {
            value(&metrics(of(role)).await, name, labels) == Some(wanted)
        })
        .await;
    }
    let posts = value(
        &metrics(of("ingest")).await,
        "http_server_request_duration_seconds_count",
        &["http_route=\"/api/leads/ingest\"", "http_request_method=\"POST\""],
    );
    assert!(posts >= Some(1.0), "{posts:?}");
    for replica in replicas.iter().filter(|replica| replica.role != "sandbox") {
        wait::until(format!("{} tells that it is ready", replica.role), PATIENCE, async || {
            value(&metrics(replica).await, "leadflow_ready", &[&format!("role=\"{}\"", replica.role)]) == Some(1.0)
        })
        .await;
        let there = Client::new().get(&format!("{}/metrics", replica.http_url()), &[]).await.unwrap();
        assert_eq!(there.status, 404, "{} shows metrics to the public", replica.role);
    }
}
