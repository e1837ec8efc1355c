//! What roles write: never a person's data or a secret, whatever is asked for; at the usual level nothing for each lead; and at debug enough to
//! follow one lead through all services.

mod markers;
mod outside;
mod people;
mod scenes;

use std::{collections::BTreeMap, time::Duration};

use leadflow_contracts::{common::Logic, notifier};
use leadflow_kernel::EndpointId;
use leadflow_testkit::{cluster::ClusterOptions, wait};
use serde_json::{Value, json};

use self::{markers::Markers, outside::Outside, scenes::Market};
use crate::world::{PATIENCE, Terms, World, lead, options};

/// Leads that are posted to see how many lines that makes.
const MANY: u32 = 60;
/// Lines that a role may write meanwhile.
const FEW: usize = 10;

fn with(filter: &str, outside: &Outside) -> ClusterOptions {
    let mut options = options();
    options.roles.push(("bff", 1));
    let twilio = outside.url("");
    for (name, value) in [
        ("RUST_LOG", filter),
        ("INGEST_TRUSTED_PROXIES", "1"),
        ("BFF_TRUSTED_PROXIES", "1"),
        ("BFF_CALL_TIMEOUT_MS", "20000"),
        ("SIGN_INS_PER_MINUTE", "1000"),
        ("SHUTDOWN_DELAY_SECONDS", "0"),
        ("TWILIO_ACCOUNT_SID", "AC0123"),
        ("TWILIO_AUTH_TOKEN", "Zqtwiliotoken"),
        ("TWILIO_FROM", "+15005550006"),
        ("TWILIO_API_BASE", &twilio),
    ] {
        options.env.push((name.into(), value.into()));
    }
    options
}

/// Every line that each role has written, which is JSON with a time, a level and whose it is.
fn lines(world: &World) -> BTreeMap<&'static str, Vec<Value>> {
    let of = |text: String| {
        // The last line may still be on its way.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line}"))).collect()
    };
    let lines: BTreeMap<_, Vec<Value>> = world.cluster.replicas.iter().map(|r| (r.role, of(r.log()))).collect();
    for line in lines.values().flatten() {
        assert!(["timestamp", "level", "target"].iter().all(|name| line[*name].is_string()), "{line}");
    }
    lines
}

/// Ends every role, so that all is written, and looks for what must not be.
async fn nothing_is_in_the_logs(world: &mut World, markers: &Markers) {
    for replica in &mut world.cluster.replicas {
        replica.stop(Duration::from_secs(60)).await.unwrap();
    }
    let mut found = Vec::new();
    for replica in &world.cluster.replicas {
        let log = replica.log();
        eprintln!("{}: {} lines, {} bytes", replica.role, log.lines().count(), log.len());
        for line in log.lines() {
            found.extend(markers.found_in(line).map(|marker| format!("{}: {marker}: {line:.2000}", replica.role)));
        }
    }
    lines(world);
    assert!(found.is_empty(), "{} lines; the first:\n{}", found.len(), found[..found.len().min(20)].join("\n"));
}

/// Everything goes by. Gives the market when all was told and all junk was put aside.
async fn everything<'a>(world: &'a World, outside: &Outside) -> Market<'a> {
    let mut market = Market::open(world, outside).await;
    for secret in ["Zqtwiliotoken", leadflow_testkit::cluster::SERVICE_TOKEN] {
        market.markers.add(secret);
    }
    market.leads().await;
    market.look_and_return().await;
    let (lead, trace) = market.junk().await;
    let named = |line: &Value| line["lead_id"] == json!(lead) && line["trace_id"] == trace;
    for (role, dead) in [("distribution", 2), ("billing", 2), ("notifier", 4)] {
        wait::until(format!("{role} puts {dead} messages aside"), PATIENCE, async || {
            let put_aside = |line: &&Value| line["message"] == "message goes to the dead letters";
            lines(world)[role].iter().filter(put_aside).count() >= dead
        })
        .await;
    }
    let lines = lines(world);
    let found = lines["distribution"].iter().find(|line| named(line));
    assert_eq!(found.map(|line| &line["level"]), Some(&json!("ERROR")), "a dead letter's lead is named");
    let unread = |line: &Value| line["message"].as_str().is_some_and(|text| text.contains("record cannot be read"));
    assert!(lines["ingest"].iter().any(unread), "the gateway tells of a record that it cannot read");
    market.told().await;
    market
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usual_logs_hold_no_personal_data_and_do_not_grow_with_leads() {
    let outside = Outside::start().await;
    let mut world = World::start(with("info", &outside)).await;
    let market = everything(&world, &outside).await;
    // Text messages are refused here, which is a warning each.
    market.pair.buyer.put("/api/notifications/preferences", 200, &json!({ "smsOnLead": false })).await;
    let before = lines(&world);
    for n in 0..MANY {
        let (status, answer) = market.post(&market.person(100 + n).to_string(), &[]).await;
        assert_eq!((status, &answer["distributed"]), (201, &json!(true)), "{answer}");
    }
    wait::until("all have been told of", PATIENCE, async || {
        let sold = "SELECT count(DISTINCT lead_id) FROM notifier.deliveries";
        sqlx::query_scalar::<_, i64>(sold).fetch_one(&world.books).await.unwrap() >= i64::from(MANY)
    })
    .await;
    market.told().await;
    let after = lines(&world);
    for (role, lines) in &after {
        // Those that tell of something that went wrong with one lead are as many as that is.
        let of_trouble = |line: &&Value| line["level"] == "WARN" && line["lead_id"].is_string();
        let new: Vec<_> = lines[before[role].len()..].iter().filter(|line| !of_trouble(line)).collect();
        assert!(new.len() <= FEW, "{role} wrote {} lines for {MANY} leads: {new:#?}", new.len());
    }
    let markers = market.markers;
    nothing_is_in_the_logs(&mut world, &markers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_talkative_logs_hold_no_personal_data() {
    let outside = Outside::start().await;
    let mut world = World::start(with("trace", &outside)).await;
    let markers = everything(&world, &outside).await.markers;
    for (role, lines) in lines(&world) {
        assert!(role == "sandbox" || lines.len() > 30, "{role} wrote {} lines: were they asked for?", lines.len());
    }
    nothing_is_in_the_logs(&mut world, &markers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_debug_a_lead_is_followed_by_its_id_and_its_trace() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let outside = Outside::start().await;
    let world = World::start(with("info,leadflow=debug", &outside)).await;
    let campaign = world.campaign(Logic::RoundRobin, "25.00", 30).await;
    let buyer = world.buyer("followed", 5, "100.00").await;
    let gone = notifier::PutEndpointRequest {
        endpoint_id: EndpointId::new().to_string(),
        buyer_id: buyer.to_string(),
        url: outside.url("/echo/410/gone"),
        secret: "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".into(),
        enabled: true,
        ..Default::default()
    };
    world.notifier().put_endpoint(world.request(gone)).await.unwrap();
    world.subscribe(campaign, buyer, Terms::default()).await;
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let answer = world.post(&lead(campaign, 1), &[("traceparent", &parent)]).await.unwrap();
    assert_eq!(answer.body["distributed"], true, "{answer:?}");
    let followed = |line: &Value| line["lead_id"] == answer.body["leadId"] && line["trace_id"] == TRACE;
    for (role, message, level) in [
        ("ingest", "lead stored", "DEBUG"),
        ("distribution", "lead decided", "DEBUG"),
        ("billing", "sale paid", "DEBUG"),
        ("notifier", "webhook attempted", "DEBUG"),
        ("notifier", "webhook given up", "WARN"),
    ] {
        wait::until(format!("{role} writes \"{message}\""), PATIENCE, async || {
            lines(&world)[role]
                .iter()
                .any(|line| followed(line) && line["message"] == message && line["level"] == level)
        })
        .await;
    }
    // One that waits, and is sold when somebody wants it.
    let late = world.campaign(Logic::RoundRobin, "25.00", 30).await;
    let answer = world.post(&lead(late, 2), &[("traceparent", &parent)]).await.unwrap();
    assert_eq!(answer.body["distributed"], false, "{answer:?}");
    world.subscribe(late, buyer, Terms::default()).await;
    let followed = |line: &Value| line["lead_id"] == answer.body["leadId"] && line["trace_id"] == TRACE;
    for (role, message) in [("distribution", "lead sold later"), ("billing", "sale paid")] {
        wait::until(format!("{role} writes \"{message}\""), PATIENCE, async || {
            lines(&world)[role].iter().any(|line| followed(line) && line["message"] == message)
        })
        .await;
    }
    // A post that is refused has no lead, and is found by its trace.
    let refused =
        world.post(&json!({ "campaignId": campaign, "data": {} }), &[("traceparent", &parent)]).await.unwrap();
    assert_eq!(refused.status, 422);
    wait::until("the refusal is written", PATIENCE, async || {
        lines(&world)["ingest"].iter().any(|line| {
            line["trace_id"] == TRACE && line["message"] == "post refused" && line["code"] == "validation_failed"
        })
    })
    .await;
}
