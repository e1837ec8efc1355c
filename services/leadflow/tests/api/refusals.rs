//! A buyer's system refuses a lead that he bought: he is paid back, and the next in the waterfall gets it and pays.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use leadflow_contracts::events::{LeadRefusal, LeadRefused};
use leadflow_kernel::{Clock as _, EventId, SystemClock};
use leadflow_messaging::{Bus, BusSettings, Envelope, dlq};
use leadflow_testkit::{
    books::{self, Expectations},
    wait,
};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::{net::TcpListener, sync::watch};

use crate::world::{PATIENCE, Person, World};

/// A system that answers every lead with a well-meant "no".
#[derive(Clone)]
struct Crm {
    url: String,
    got: Arc<Mutex<Vec<String>>>,
    answers: watch::Sender<bool>,
}

impl Crm {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/leads", listener.local_addr().unwrap());
        let this = Self { url, got: Arc::default(), answers: watch::Sender::new(true) };
        let router = Router::new().route("/leads", post(refuse)).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        this
    }

    /// The deliveries that were tried, in order.
    fn got(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }

    async fn has(&self, requests: usize) {
        wait::until(format!("{requests} requests"), PATIENCE, async || self.got().len() >= requests).await;
    }
}

async fn refuse(State(crm): State<Crm>, headers: HeaderMap) -> (StatusCode, Json<Value>) {
    crm.got.lock().unwrap().push(headers["webhook-id"].to_str().unwrap().to_owned());
    crm.answers.subscribe().wait_for(|answers| *answers).await.unwrap();
    (StatusCode::OK, Json(json!({ "result": { "status": "declined", "why": "not in our area" } })))
}

/// A seller with a waterfall of two buyers; the first one's system refuses whatever it gets.
struct Market {
    seller: Person,
    first: Person,
    second: Person,
    campaign: String,
    supplier: String,
    api_key: String,
}

fn buyer_id(buyer: &Person) -> &str {
    buyer.user["buyerId"].as_str().unwrap()
}

impl Market {
    async fn open(world: &World, name: &str, crm: &Crm, refusals: Value) -> Self {
        let client = &world.client;
        let (seller, code) = world.seller(name).await;
        let first = world.buyer(&format!("{name}-first"), &code).await;
        let second = world.buyer(&format!("{name}-second"), &code).await;
        let category = world.category(&seller, "Medicare Supplement").await;
        let campaign = world.campaign(&seller, &category).await;
        let change = json!({ "distributionLogic": "WATERFALL", "returns": { "days": 0, "refusals": refusals } });
        client.put(&format!("/api/campaigns/{campaign}"), &seller.token, &change).await.ok(200);
        for (place, buyer) in [&first, &second].into_iter().enumerate() {
            let body = json!({ "campaignId": campaign, "states": ["CA"], "waterfallPriority": place + 1 });
            client.post("/api/campaigns/subscribe", &buyer.token, &body).await.ok(201);
            world.credit(&seller, buyer_id(buyer), 100).await;
        }
        let sandbox = &world.cluster.http_urls("sandbox")[0];
        let rules = json!({
            "rules": [{ "pointer": "/result/status", "equals": "declined", "means": "REJECTED" }], "reasonPointer": "/result/why",
        });
        for (buyer, url, answer) in
            [(&first, crm.url.clone(), rules), (&second, format!("{sandbox}/hooks/{name}"), Value::Null)]
        {
            let body = json!({ "url": url, "events": ["lead.assigned"], "answer": answer });
            client.post("/api/notifications/endpoints", &buyer.token, &body).await.ok(201);
        }
        let (supplier, api_key) = world.supplier(&seller, &category).await;
        let market = Self { seller, first, second, campaign, supplier, api_key };
        for buyer in [&market.first, &market.second] {
            market.wallet(world, buyer, 100.0).await;
        }
        market
    }

    async fn post(&self, world: &World, number: u32) -> String {
        let posted = world.post_lead(&self.api_key, &self.campaign, number).await;
        posted["leadId"].as_str().unwrap().to_owned()
    }

    /// The buyer's wallet once it has so much, and nothing is held.
    async fn wallet(&self, world: &World, buyer: &Person, balance: f64) -> Value {
        let mut last = Value::Null;
        let found = wait::try_for(format!("a wallet with {balance}"), PATIENCE, async || {
            last = world.client.get("/api/payments/wallet", &buyer.token).await.body;
            (last["balance"] == json!(balance) && last["held"] == json!(0.0)).then(|| last.clone())
        });
        found.await.unwrap_or_else(|error| panic!("{error}: {last}"))
    }

    /// As the seller sees it.
    async fn lead(&self, world: &World, lead: &str) -> Value {
        world.client.get(&format!("/api/leads/{lead}"), &self.seller.token).await.ok(200)["lead"].clone()
    }

    /// What became of each of the first buyer's sales of these leads, once the second one has what was sold on.
    async fn moved_on(&self, world: &World, lead: &str) -> Value {
        wait::until_some("the lead went on", PATIENCE, async || {
            let shown = self.lead(world, lead).await;
            (shown["assignments"].as_array()?.len() == 2 && shown["status"] == "DISTRIBUTED").then_some(())
        })
        .await;
        // A lead is read with several questions: what the first of them was told may be of before.
        self.lead(world, lead).await
    }

    /// The first buyer's deliveries once so many were refused.
    async fn refused(&self, world: &World, wanted: usize) -> Vec<Value> {
        wait::until_some(format!("{wanted} refusals are recorded"), PATIENCE, async || {
            let listed = world.client.get("/api/notifications/deliveries", &self.first.token).await.ok(200);
            let all = listed["deliveries"].as_array()?.clone();
            (all.iter().filter(|one| one["status"] == "REFUSED").count() == wanted).then_some(all)
        })
        .await
    }

    async fn returned(&self, world: &World) -> Value {
        let report = world.client.get("/api/reports?type=revenue&days=7", &self.seller.token).await.ok(200);
        report["overview"]["returned"].clone()
    }
}

fn kinds(wallet: &Value) -> Vec<(String, f64)> {
    let lines = wallet["transactions"].as_array().unwrap().iter();
    lines.map(|line| (line["type"].as_str().unwrap().to_owned(), line["amount"].as_f64().unwrap())).rev().collect()
}

async fn bus(world: &World) -> Bus {
    let settings = BusSettings { url: world.cluster.nats.url(), source: "tests".into(), connect_within: PATIENCE };
    Bus::connect(&settings).await.unwrap()
}

async fn books_are_right(world: &World, pool: &PgPool, leads: &[&str]) {
    let leads: Vec<_> = leads.iter().map(|lead| lead.parse().unwrap()).collect();
    books::wait_until_settled(pool, &leads, PATIENCE).await.unwrap();
    let report = books::check(pool, &Expectations::settled()).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(dlq::list(&bus(world).await, 0, 1).await.unwrap().is_empty(), "messages were put aside");
}

fn sold_on(share: u32) -> Value {
    json!({ "credited": true, "soldOn": true, "maxSharePercentPerMonth": share })
}

/// Ledger lines of one kind, of the seller's file.
async fn ledger(world: &World, market: &Market, what: &str) -> usize {
    let csv = world.client.get("/api/reports/ledger.csv", &market.seller.token).await.text;
    csv.lines().filter(|line| line.contains(what)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_first_buyers_system_refuses_he_gets_back_and_the_next_one_gets_and_pays() {
    let world = World::start().await;
    let client = &world.client;
    let pool = PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    let crm = Crm::start().await;

    // Where nothing is said of refusals, he who ordered pays.
    let silent = Market::open(&world, "silent", &crm, json!({ "credited": false })).await;
    let kept = silent.post(&world, 1).await;
    silent.refused(&world, 1).await;

    // At most so much of a month: a third of three is one.
    let bounded = Market::open(&world, "bounded", &crm, sold_on(34)).await;
    let mut few = Vec::new();
    for number in 1..=3 {
        few.push(bounded.post(&world, number).await);
    }
    bounded.refused(&world, 3).await;

    let market = Market::open(&world, "waterfall", &crm, sold_on(100)).await;
    let lead = market.post(&world, 1).await;
    let shown = market.moved_on(&world, &lead).await;
    let back = market.wallet(&world, &market.first, 100.0).await;
    let paid = market.wallet(&world, &market.second, 75.0).await;
    let money = |kind: &str, amount: f64| (kind.to_owned(), amount);
    assert_eq!(
        kinds(&back),
        [money("CREDIT", 100.0), money("LEAD_PURCHASE", -25.0), money("LEAD_RETURN", 25.0)],
        "{back}"
    );
    assert_eq!(kinds(&paid), [money("CREDIT", 100.0), money("LEAD_PURCHASE", -25.0)], "{paid}");

    // Everybody sees what happened.
    let refused = &market.refused(&world, 1).await[0];
    assert_eq!((&refused["event"], &refused["attempts"].as_array().unwrap().len()), (&json!("lead.assigned"), &1));
    assert!(refused["reason"].as_str().unwrap().contains("not in our area"), "{refused}");
    let of = |buyer: &Person| {
        let all = shown["assignments"].as_array().unwrap();
        all.iter().find(|sale| sale["buyerId"] == buyer_id(buyer)).unwrap().clone()
    };
    let (gave_back, has) = (of(&market.first), of(&market.second));
    assert_eq!((&gave_back["status"], &has["status"]), (&json!("RETURNED"), &json!("SOLD")));
    assert_eq!(shown["status"], "DISTRIBUTED");
    let explained = shown["explanation"].as_array().unwrap().iter().filter_map(Value::as_str).collect::<Vec<_>>();
    let says = |what: &str| explained.iter().any(|line| line.contains(what));
    assert!(says("waterfall-second Inc got it"), "{explained:?}");
    assert!(
        says("waterfall-first Inc had it, but its system refused it: not in our area. The sale was undone."),
        "{explained:?}"
    );
    let his = client.get(&format!("/api/leads/{lead}"), &market.second.token).await.ok(200);
    assert_eq!((&his["lead"]["price"], &his["lead"]["data"]["firstName"]), (&json!(25.0), &json!("John")));
    let no_more = client.get(&format!("/api/leads/{lead}"), &market.first.token).await.ok(200);
    assert_eq!(no_more["lead"]["status"], "RETURNED");
    wait::until("the second one's system has it", PATIENCE, async || {
        let listed = client.get("/api/notifications/deliveries", &market.second.token).await.ok(200);
        listed["deliveries"][0]["status"] == "DELIVERED"
    })
    .await;

    // The supplier's lead counts once, and its seller has one price. What a lead was sold for counts what was undone; sums do not.
    let supplier = client.get(&format!("/api/suppliers/{}", market.supplier), &market.seller.token).await.ok(200);
    assert_eq!(supplier["supplier"]["leadsDelivered"], 1);
    let status = [("x-api-key", market.api_key.as_str())];
    let told = client.send(http::Method::GET, &format!("/api/leads/ingest/{lead}"), &status, None).await.ok(200);
    assert_eq!(
        (&told["distributed"], &told["buyersAssigned"], &told["price"]),
        (&json!(true), &json!(2), &json!(50.0))
    );
    for kind in ["revenue", "suppliers"] {
        let report = client.get(&format!("/api/reports?type={kind}&days=7"), &market.seller.token).await.ok(200);
        let row = &report["rows"][0];
        assert_eq!(
            (&row["assignments"], &row["returned"], &row["amount"]),
            (&json!(2), &json!(1), &json!(25.0)),
            "{kind}"
        );
    }
    books_are_right(&world, &pool, &[&lead, &kept]).await;
    let (sales, returns) =
        (ledger(&world, &market, "lead_purchase").await, ledger(&world, &market, "lead_return").await);

    // Told again, twice, by another event: nothing changes. What comes after it shows that it was heard.
    let (bus, now) = (bus(&world).await, SystemClock.now());
    let again = LeadRefused {
        delivery_id: refused["id"].as_str().unwrap().to_owned(),
        assignment_id: gave_back["assignmentId"].as_str().unwrap().to_owned(),
        lead_id: lead.clone(),
        buyer_id: buyer_id(&market.first).to_owned(),
        seller_id: market.seller.user["sellerId"].as_str().unwrap().to_owned(),
        refusal: LeadRefusal::Rejected.into(),
        because: "not in our area".to_owned(),
        at_ms: now.timestamp_millis(),
    };
    for _ in 0..2 {
        bus.publish(&[Envelope::new(EventId::new(), &again, now)]).await.unwrap();
    }
    let next = market.post(&world, 2).await;
    market.moved_on(&world, &next).await;
    market.wallet(&world, &market.first, 100.0).await;
    market.wallet(&world, &market.second, 50.0).await;
    assert_eq!(market.lead(&world, &lead).await["assignments"], shown["assignments"]);
    assert_eq!(market.returned(&world).await, 2);
    assert_eq!(
        (ledger(&world, &market, "lead_purchase").await, ledger(&world, &market, "lead_return").await),
        (sales * 2, returns * 2)
    );
    assert_eq!(crm.got().len(), 6, "each was tried once");

    // By now the others were heard, too.
    silent.wallet(&world, &silent.first, 75.0).await;
    silent.wallet(&world, &silent.second, 100.0).await;
    assert_eq!(silent.returned(&world).await, 0);
    assert_eq!(silent.lead(&world, &kept).await["assignments"][0]["status"], "SOLD");
    bounded.wallet(&world, &bounded.first, 50.0).await;
    bounded.wallet(&world, &bounded.second, 75.0).await;
    assert_eq!(bounded.returned(&world).await, 1);
    let mut all: Vec<&str> = few.iter().map(String::as_str).collect();
    all.extend([lead.as_str(), next.as_str(), kept.as_str()]);
    books_are_right(&world, &pool, &all).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_killed_between_the_no_and_its_record_asks_again_and_the_sale_is_undone_once() {
    // What it took is free again after twice this, and five seconds.
    let mut world = World::with(&[("WEBHOOK_TIMEOUT_MS", "8000")]).await;
    let pool = PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    let crm = Crm::start().await;
    let market = Market::open(&world, "killed", &crm, sold_on(100)).await;
    crm.answers.send_replace(false);
    let lead = market.post(&world, 1).await;
    crm.has(1).await;
    // The answer comes, and the record of it has to wait.
    let mut lock = pool.begin().await.unwrap();
    let locked = sqlx::query("SELECT FROM notifier.deliveries FOR UPDATE").execute(&mut *lock).await.unwrap();
    assert_eq!(locked.rows_affected(), 1);
    crm.answers.send_replace(true);
    wait::until("the record waits", PATIENCE, async || {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%UPDATE notifier.deliveries%'",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        waiting > 0
    })
    .await;
    let index = world.cluster.indices("notifier")[0];
    world.cluster.replicas[index].kill9();
    lock.rollback().await.unwrap();
    let told: i64 = sqlx::query_scalar("SELECT count(*) FROM distribution.returns").fetch_one(&pool).await.unwrap();
    assert_eq!(told, 0, "nobody knows of it");
    world.cluster.replicas[index].spawn().unwrap();
    world.cluster.ready(index).await.unwrap();

    market.moved_on(&world, &lead).await;
    market.wallet(&world, &market.first, 100.0).await;
    market.wallet(&world, &market.second, 75.0).await;
    let got = crm.got();
    assert_eq!((got.len(), &got[0]), (2, &got[1]), "asked again by the same name");
    let refused = &market.refused(&world, 1).await[0];
    assert_eq!(refused["attempts"].as_array().unwrap().len(), 1, "the one that is on record");
    assert_eq!(market.returned(&world).await, 1);
    books_are_right(&world, &pool, &[&lead]).await;
}
