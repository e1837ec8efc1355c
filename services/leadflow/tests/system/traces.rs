//! What a collector of OpenTelemetry's is sent: one trace from the supplier's request to the buyer's webhook, and what every role measures.

use http::Method;
use leadflow_contracts::common::Logic;
use leadflow_testkit::wait;
use serde_json::json;

use crate::{
    collector::Collector,
    world::{PATIENCE, Terms, World, lead, options},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_sees_one_trace_through_all_services_and_what_every_role_measures() {
    let mut options = options();
    options.roles.push(("bff", 1));
    let collector = Collector::start(&mut options).await;
    let world = World::start(options).await;
    let campaign = world.campaign(Logic::RoundRobin, "25.00", 30).await;
    let buyer = world.buyer("traced", 5, "100.00").await;
    world.subscribe(campaign, buyer, Terms::default()).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let mut person = lead(campaign, 1);
    person["data"]["lastName"] = "Marker-Lovelace".into();
    person["data"]["email"] = "marker-lead@example.com".into();
    let answer = world.post(&person, &[("traceparent", &parent)]).await.unwrap();
    assert_eq!(answer.body["distributed"], true, "{answer:?}");
    // Somebody who is nobody here, and a page that there is not.
    let api = &world.cluster.http_urls("bff")[0];
    let credentials = json!({ "email": "marker-login@example.com", "password": "marker-password" });
    let login = format!("{api}/api/auth/login?hint=marker-query");
    let refused =
        world.client.send(Method::POST, &login, &[("traceparent", &parent)], Some(&credentials)).await.unwrap();
    assert_eq!(refused.status, 401, "{refused:?}");
    let missing = world.client.get(&format!("{api}/api/marker-path"), &[]).await.unwrap();
    assert_eq!(missing.status, 404, "{missing:?}");

    for service in ["ingest", "distribution", "billing", "notifier"] {
        let what = format!("a span of {service} in the request's trace");
        wait::until(what, PATIENCE, async || collector.has_span(service, trace)).await;
    }
    for (service, name, attributes) in [
        ("ingest", "http.server.request.duration", &["http.route=/api/leads/ingest", "http.request.method=POST"][..]),
        ("ingest", "leadflow.stream.messages", &["stream=DLQ"]),
        ("ingest", "leadflow.consumer.waiting", &["stream=LEADS", "consumer=distribution"]),
        ("distribution", "leadflow.leads", &["outcome=distributed"]),
        ("distribution", "leadflow.lead.decision.duration", &[]),
        ("distribution", "leadflow.events.handled", &["stream=LEADS", "outcome=done"]),
        ("billing", "leadflow.lead.debit.duration", &[]),
        ("billing", "leadflow.sale.debit.duration", &[]),
        ("billing", "leadflow.card_payments", &["kind=recharge", "outcome=declined"]),
        ("billing", "rpc.server.duration", &["rpc.method=PlaceHolds", "rpc.grpc.status_code=0"]),
        ("notifier", "leadflow.deliveries", &["status=DELIVERED"]),
        ("notifier", "http.client.request.duration", &["purpose=webhook"]),
        ("notifier", "leadflow.messages.overdue", &["channel=SMS"]),
        ("accounts", "rpc.server.duration", &["rpc.method=CreateSeller"]),
        ("accounts", "leadflow.outbox.overdue", &["schema=accounts"]),
        ("bff", "http.server.request.duration", &["http.route=/api/auth/login", "http.response.status_code=401"]),
        ("bff", "http.server.request.duration", &["http.route=", "http.response.status_code=404"]),
    ] {
        let what = format!("{service} sends {name} {attributes:?}");
        wait::until(what, PATIENCE, async || collector.has_metric(service, name, attributes)).await;
    }
    for role in ["accounts", "billing", "distribution", "notifier", "ingest", "bff"] {
        let label = format!("role={role}");
        let what = format!("{role} sends whether it is ready");
        wait::until(what, PATIENCE, async || collector.has_metric(role, "leadflow.ready", &[&label])).await;
    }
    let phone = person["data"]["phone"].as_str().unwrap();
    for personal in ["arker-", phone, &world.api_key] {
        let found = collector.with(personal);
        assert!(found.is_empty(), "{personal} is in {found:#?}");
    }
}
