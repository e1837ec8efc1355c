//! One service away, dead or hanging: what the others know is still shown, the rest is a clear 503, and nobody waits for long.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use futures::future::join_all;
use http::Method;
use leadflow_bff::http::{Who, routes};
use leadflow_testkit::wait;
use serde_json::{Value, json};

use crate::{
    client::Answer,
    world::{PATIENCE, Tenant, World},
};

/// Of one call of a service. A request makes a few, one after the other.
const CALL_MS: u64 = 3_000;
/// An answer comes within this, also on a busy machine.
const BOUND: Duration = Duration::from_secs(25);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Dead,
    Hanging,
}

/// Who asks what, and what of it is there all the same: `None` for 503.
type Question<'a> = (&'a str, String, Option<fn(&Value) -> bool>);

fn any(_: &Value) -> bool {
    true
}

fn questions<'a>(service: &str, t: &'a Tenant) -> Vec<Question<'a>> {
    let (seller, buyer) = (t.seller.token.as_str(), t.buyer.token.as_str());
    let one_buyer = format!("/api/buyers/{}", t.buyer.user["buyerId"].as_str().unwrap());
    let one_supplier = format!("/api/suppliers/{}", t.supplier);
    let one_campaign = format!("/api/campaigns/{}", t.campaign);
    let (one_lead, one_category) = (format!("/api/leads/{}", t.lead), format!("/api/categories/{}", t.category));
    let both = |paths: &[&str], wanted: Option<fn(&Value) -> bool>| {
        let of = |token: &'a str| paths.iter().map(move |path| (token, (*path).to_owned(), wanted)).collect::<Vec<_>>();
        [of(seller), of(buyer)].concat()
    };
    let catalogue =
        ["/api/categories", "/api/campaigns", "/api/leads", "/api/reports", &one_campaign, &one_lead, &one_category];
    let own = ["/api/auth/session", "/api/auth/sessions"];
    let sellers = [
        "/api/team",
        "/api/auth/invite-code",
        "/api/suppliers",
        "/api/buyers",
        &one_supplier,
        &one_buyer,
        "/api/audit",
    ];
    match service {
        "accounts" => [
            both(&catalogue, None),
            both(&own, None),
            sellers.map(|path| (seller, path.to_owned(), None)).into(),
            vec![(buyer, "/api/payments/wallet".to_owned(), None)],
        ]
        .concat(),
        "distribution" => [
            both(&catalogue, None),
            both(&own, Some(any)),
            vec![
                (seller, "/api/team".to_owned(), Some(any as fn(&Value) -> bool)),
                (seller, "/api/auth/invite-code".to_owned(), Some(any)),
                (
                    seller,
                    "/api/buyers".to_owned(),
                    Some(|it| it["buyers"][0]["stats"].is_null() && it["buyers"][0]["user"]["email"].is_string()),
                ),
                (
                    seller,
                    one_buyer.clone(),
                    Some(|it| it["buyer"]["stats"].is_null() && it["buyer"]["wallet"]["balance"].is_number()),
                ),
                (seller, "/api/suppliers".to_owned(), Some(|it| it["suppliers"][0]["leadsDelivered"].is_null())),
                (seller, one_supplier, Some(|it| it["supplier"]["keys"][0]["hint"].is_string())),
                (
                    seller,
                    "/api/audit".to_owned(),
                    Some(|it| it["missing"] == json!(["distribution"]) && it["entries"][0].is_object()),
                ),
                (buyer, one_buyer, Some(|it| it["buyer"]["wallet"]["balance"].is_number())),
                (buyer, "/api/payments/wallet".to_owned(), Some(|it| it["balance"].is_number())),
                (buyer, "/api/notifications/preferences".to_owned(), Some(any)),
            ],
        ]
        .concat(),
        "billing" => [
            both(&catalogue, Some(any)),
            both(&own, Some(any)),
            vec![
                (
                    seller,
                    one_buyer,
                    Some(
                        (|it| it["buyer"]["wallet"].is_null() && it["buyer"]["stats"]["leads"].is_number())
                            as fn(&Value) -> bool,
                    ),
                ),
                (seller, "/api/buyers".to_owned(), Some(|it| it["buyers"][0]["stats"]["leads"].is_number())),
                (seller, "/api/audit".to_owned(), Some(|it| it["missing"] == json!(["billing"]))),
                (buyer, "/api/notifications/preferences".to_owned(), Some(any)),
                (buyer, "/api/payments/wallet".to_owned(), None),
            ],
        ]
        .concat(),
        _ => [
            both(&catalogue, Some(any)),
            both(&own, Some(any)),
            vec![
                (
                    buyer,
                    "/api/leads".to_owned(),
                    Some(
                        (|it| it["leads"][0]["deliveredAt"].is_null() && it["leads"][0]["price"] == 25.0)
                            as fn(&Value) -> bool,
                    ),
                ),
                (seller, "/api/audit".to_owned(), Some(|it| it["missing"] == json!(["notifier"]))),
                (buyer, "/api/payments/wallet".to_owned(), Some(|it| it["balance"].is_number())),
                (buyer, "/api/notifications/preferences".to_owned(), None),
                (buyer, "/api/notifications/messages".to_owned(), None),
                (seller, format!("{one_buyer}/messages"), None),
            ],
        ]
        .concat(),
    }
}

fn is_clear_503(answer: &Answer) -> bool {
    answer.status == 503 && answer.headers.contains_key("retry-after") && answer.body["code"] == "unavailable"
}

async fn asked(world: &World, token: &str, path: &str) -> Answer {
    let began = Instant::now();
    let answer = world.client.get(path, token).await;
    let took = began.elapsed();
    assert!(took < BOUND, "{path} took {took:?}");
    answer
}

/// What is to be shown may be hindered for a moment by a connection that has just broken; what is away is so at once.
async fn ask(world: &World, (token, path, wanted): &Question<'_>) -> Option<String> {
    let first = asked(world, token, path).await;
    let Some(wanted) = wanted else {
        return (!is_clear_503(&first)).then(|| format!("{path}: {} {}", first.status, first.text));
    };
    let end = Instant::now() + PATIENCE;
    let mut answer = first;
    while is_clear_503(&answer) && Instant::now() < end {
        answer = asked(world, token, path).await;
    }
    let fine = answer.status == 200 && wanted(&answer.body);
    (!fine).then(|| format!("{path}: {} {}", answer.status, answer.text))
}

/// Everything else that can be asked is answered, too, if not always with what was asked for.
async fn sweep(world: &World, t: &Tenant) -> Vec<String> {
    let paths = routes().into_iter().filter(|route| route.method == Method::GET && route.who != Who::ApiKey);
    let paths: Vec<String> = paths
        .filter(|route| route.path != "/api/events")
        .map(|route| {
            let id = match route.path.split('/').nth(2) {
                Some("buyers") => t.buyer.user["buyerId"].as_str().unwrap(),
                Some("suppliers") => &t.supplier,
                Some("campaigns") => &t.campaign,
                Some("categories") => &t.category,
                Some("leads") => &t.lead,
                _ => "nonsense",
            };
            route.path.replace("{id}", id)
        })
        .collect();
    let both = paths.iter().flat_map(|path| [(path, &t.seller.token), (path, &t.buyer.token)]);
    let problems = join_all(both.map(async |(path, token)| {
        let answer = asked(world, token, path).await;
        (answer.status.is_server_error() && !is_clear_503(&answer))
            .then(|| format!("{path}: {} {}", answer.status, answer.text))
    }));
    problems.await.into_iter().flatten().collect()
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_service_away_what_the_others_know_is_still_shown() {
    let mut world = World::with(&[("BFF_CALL_TIMEOUT_MS", &CALL_MS.to_string())]).await;
    let tenant = world.tenant("away").await;
    let mut problems = Vec::new();
    let mut leads = 1;
    for service in ["accounts", "distribution", "billing", "notifier"] {
        let index = world.cluster.indices(service)[0];
        for fault in [Fault::Dead, Fault::Hanging] {
            match fault {
                Fault::Dead => world.cluster.replicas[index].kill9(),
                Fault::Hanging => signal(world.cluster.replicas[index].pid().unwrap(), "-STOP"),
            }
            let questions = questions(service, &tenant);
            let told = join_all(questions.iter().map(|question| ask(&world, question))).await;
            let swept = sweep(&world, &tenant).await;
            problems.extend(
                told.into_iter().flatten().chain(swept).map(|problem| format!("{service} {fault:?}: {problem}")),
            );
            // Suppliers need none of those whom front ends wait for.
            if matches!(service, "accounts" | "notifier") && fault == Fault::Dead {
                leads += 1;
                let posted = world.post_lead(&tenant.api_key, &tenant.campaign, leads).await;
                assert_eq!(posted["distributed"], true, "{posted}");
            }
            match fault {
                Fault::Dead => world.cluster.replicas[index].spawn().unwrap(),
                Fault::Hanging => signal(world.cluster.replicas[index].pid().unwrap(), "-CONT"),
            }
            world.cluster.ready(index).await.unwrap();
            wait::until("everything is shown again", PATIENCE, async || {
                let paths = [
                    ("/api/campaigns", &tenant.seller.token),
                    ("/api/payments/wallet", &tenant.buyer.token),
                    ("/api/notifications/preferences", &tenant.buyer.token),
                ];
                join_all(paths.map(|(path, token)| world.client.get(path, token)))
                    .await
                    .iter()
                    .all(|it| it.status == 200)
            })
            .await;
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
