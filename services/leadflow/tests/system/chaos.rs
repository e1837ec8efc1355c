//! Faults at seeded random moments under load, then the books.
//!
//! Every role, nats-server and PostgreSQL are killed with SIGKILL, and connections to the servers
//! are cut, dropped and stalled, while suppliers post. Afterwards: nothing answered 2xx is lost,
//! nothing is sold or charged twice, no cap is exceeded, no hold is left behind, every webhook came, no
//! credit or change of a record that was answered is lost, and no message was put aside.
//!
//! `CHAOS_FAULTS` is how many faults (default 14: each kind once), `CHAOS_SEED` replays a run's decisions. The
//! moments themselves depend on the machine.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use leadflow_contracts::{accounts::UpdateBuyerRequest, billing::CreditWalletRequest, common::Logic};
use leadflow_kernel::{BuyerId, CampaignId};
use leadflow_messaging::{Bus, BusSettings, dlq};
use leadflow_testkit::{
    books::{self, Answer},
    cluster::Cluster,
    wait,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::{
    client::{Client, told},
    world::{PATIENCE, Terms, World, doubled, lead, usd},
};

/// Suppliers posting at once.
const POSTERS: usize = 16;
/// After faults everything pending must come to rest within this.
const SETTLE_WITHIN: Duration = Duration::from_secs(180);

pub fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    KillRole(&'static str),
    KillNats,
    KillPostgres,
    CutNats,
    CutPostgres,
    DropNats,
    DropPostgres,
    StallNats,
    StallPostgres,
}

const FAULTS: [Fault; 14] = [
    Fault::KillRole("distribution"),
    Fault::KillRole("billing"),
    Fault::KillRole("notifier"),
    Fault::KillRole("ingest"),
    Fault::KillRole("accounts"),
    Fault::KillRole("distribution"),
    Fault::KillNats,
    Fault::KillPostgres,
    Fault::CutNats,
    Fault::CutPostgres,
    Fault::DropNats,
    Fault::DropPostgres,
    Fault::StallNats,
    Fault::StallPostgres,
];

/// What the posters share.
struct Load {
    client: Client,
    url: String,
    api_key: String,
    campaigns: Vec<CampaignId>,
    next: AtomicUsize,
    stop: AtomicBool,
    /// The last 2xx answer of each lead.
    answers: Mutex<HashMap<String, Value>>,
    refused: AtomicUsize,
    unanswered: AtomicUsize,
}

impl Load {
    /// Posts leads until told to stop. A post that gets no 2xx is repeated with its key a few times,
    /// as a careful supplier does; every third lead has no key and is posted once.
    async fn run(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let n = self.next.fetch_add(1, Ordering::Relaxed);
            let body = lead(self.campaigns[n % self.campaigns.len()], n);
            let key = (!n.is_multiple_of(3)).then(|| format!("order-{n}"));
            let tries = if key.is_some() { 20 } else { 1 };
            for _ in 0..tries {
                let mut headers = vec![("x-api-key", self.api_key.as_str())];
                headers.extend(key.iter().map(|key| ("idempotency-key", key.as_str())));
                if n.is_multiple_of(5) {
                    headers.push(("prefer", "respond-async"));
                }
                match self.client.send(http::Method::POST, &self.url, &headers, Some(&body)).await {
                    Ok(answer) if answer.status.is_success() => {
                        let id = answer.body["leadId"].as_str().expect("a lead has an id").to_owned();
                        self.answers.lock().unwrap().insert(id, answer.body);
                        break;
                    }
                    Ok(answer) => {
                        assert_eq!(answer.status, 503, "only \"try again\" may be refused here: {answer:?}");
                        self.refused.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(_) => {
                        self.unanswered.fetch_add(1, Ordering::Relaxed);
                    }
                }
                // A supplier's own pace between tries.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Repeats a call until it is answered.
async fn answered<F: Future<Output = bool>>(call: impl Fn() -> F) {
    for _ in 0..600 {
        if call().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("a call was never answered");
}

/// Changes buyers and fills wallets until told to stop; each call is repeated until it is answered.
/// Gives back how many credits were answered, and each buyer's last name.
fn change_records(world: &World, buyers: Vec<BuyerId>, load: Arc<Load>) -> JoinHandle<(i64, Vec<String>)> {
    let (accounts, billing, caller, seller) = (world.accounts(), world.billing(), world.caller.clone(), world.seller);
    tokio::spawn(async move {
        let deadline = Duration::from_secs(5);
        let (mut credits, mut names) = (0, vec![String::new(); buyers.len()]);
        for (n, at) in (0..buyers.len()).cycle().enumerate() {
            if load.stop.load(Ordering::Relaxed) {
                break;
            }
            let buyer_id = buyers[at].to_string();
            let name = format!("name {n}");
            let renamed = UpdateBuyerRequest {
                buyer_id: buyer_id.clone(),
                company_name: Some(name.clone()),
                ..UpdateBuyerRequest::default()
            };
            let credit = CreditWalletRequest {
                buyer_id,
                credit_id: format!("chaos-{n}"),
                amount: usd("0.01"),
                description: "under fire".into(),
            };
            answered(|| {
                let (mut accounts, request) = (accounts.clone(), caller.request(renamed.clone(), seller, deadline));
                async move { accounts.update_buyer(request).await.is_ok() }
            })
            .await;
            names[at] = name;
            answered(|| {
                let (mut billing, request) = (billing.clone(), caller.request(credit.clone(), seller, deadline));
                async move { billing.credit_wallet(request).await.is_ok() }
            })
            .await;
            credits += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        (credits, names)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_dies_nothing_is_lost_sold_twice_or_charged_twice() {
    let seed = setting("CHAOS_SEED").unwrap_or_else(|| rand::random::<u32>().into());
    let faults = usize::try_from(setting("CHAOS_FAULTS").unwrap_or(14)).unwrap();
    println!("chaos: {faults} faults with CHAOS_SEED={seed}");
    let mut options = doubled();
    // As in production: a supplier repeats what is not answered soon.
    for name in ["INGEST_DECISION_WAIT_MS", "INGEST_ACK_TIMEOUT_MS"] {
        options.env.push((name.into(), "2000".into()));
    }
    options.proxied = true;
    options.env.push(("BILLING_RELEASE_AFTER_SECONDS".into(), "5".into()));
    // A delivery that died with its process is sent again after twice this and five seconds.
    options.env.push(("WEBHOOK_TIMEOUT_MS".into(), "2000".into()));
    options.env.push(("BILLING_RELEASE_EVERY_SECONDS".into(), "1".into()));
    let mut world = World::start(options).await;

    let (mut campaigns, mut names, mut buyers) = (Vec::new(), Vec::new(), Vec::new());
    for (logic, name) in [
        (Logic::RoundRobin, "rr"),
        (Logic::WeightedRoundRobin, "wrr"),
        (Logic::Waterfall, "fall"),
        (Logic::Broadcast, "all"),
    ] {
        let campaign = world.campaign(logic, "2.00", 30).await;
        for n in 1..=3_u32 {
            // One of the three runs out of money, one has a cap.
            let funds = if n == 2 { "40.00" } else { "100000.00" };
            names.push(format!("{name}{n}"));
            let buyer = world.buyer(&format!("{name}{n}"), n * 2, funds).await;
            let terms = Terms { waterfall: n, daily_cap: (n == 1).then_some(60), ..Terms::default() };
            world.subscribe(campaign, buyer, terms).await;
            buyers.push(buyer);
        }
        campaigns.push(campaign);
    }

    let load = Arc::new(Load {
        client: world.client.clone(),
        url: format!("{}/api/leads/ingest", world.cluster.http_urls("ingest")[0]),
        api_key: world.api_key.clone(),
        campaigns,
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        answers: Mutex::default(),
        refused: AtomicUsize::new(0),
        unanswered: AtomicUsize::new(0),
    });
    let posters: Vec<_> = (0..POSTERS)
        .map(|_| {
            let load = load.clone();
            tokio::spawn(async move { load.run().await })
        })
        .collect();

    let changing = change_records(&world, buyers.clone(), load.clone());

    let mut rng = StdRng::seed_from_u64(seed);
    let mut done: BTreeMap<Fault, usize> = BTreeMap::new();
    let mut first_round = FAULTS.into_iter();
    for _ in 0..faults {
        // The first round meets every kind once; after that they are drawn.
        let fault = first_round.next().unwrap_or_else(|| FAULTS[rng.random_range(0..FAULTS.len())]);
        let (before, lasting) = (rng.random_range(100..900), rng.random_range(50..1_500));
        tokio::time::sleep(Duration::from_millis(before)).await;
        let which: usize = rng.random_range(0..1_000);
        inflict(&mut world.cluster, fault, which, Duration::from_millis(lasting)).await;
        *done.entry(fault).or_default() += 1;
    }
    everybody_is_back(&mut world.cluster).await;
    // The whole works again while posts still come in.
    let until_now = load.answers.lock().unwrap().len();
    wait::until("posts are answered again", PATIENCE, async || load.answers.lock().unwrap().len() > until_now + 50)
        .await;
    load.stop.store(true, Ordering::Relaxed);
    for poster in posters {
        poster.await.unwrap();
    }
    let (credits, last_names) = changing.await.unwrap();

    let answers = load.answers.lock().unwrap().clone();
    println!(
        "chaos: {} leads answered, {} posts refused with 503, {} without an answer, {credits} credits; faults: {done:?}",
        answers.len(),
        load.refused.load(Ordering::Relaxed),
        load.unanswered.load(Ordering::Relaxed)
    );
    let answers: Vec<Answer> = answers.into_iter().map(|(id, body)| told(&id, &body)).collect();
    let leads: Vec<_> = answers.iter().map(|answer| answer.lead_id).collect();
    if let Err(error) = books::wait_until_settled(&world.books, &leads, SETTLE_WITHIN).await {
        panic!("CHAOS_SEED={seed}: {error}");
    }
    let stripe = Some(world.stripe_record().await);
    let expectations = books::Expectations { answers, stripe, ..books::Expectations::settled() };
    let report = books::check(&world.books, &expectations).await.unwrap();
    assert!(report.is_clean(), "CHAOS_SEED={seed}\n{report}");
    webhooks_arrived(&world, &names, seed).await;

    let made: i64 = sqlx::query_scalar("SELECT count(*) FROM billing.credits WHERE credit_id LIKE 'chaos-%'")
        .fetch_one(&world.books)
        .await
        .unwrap();
    assert_eq!(made, credits, "CHAOS_SEED={seed}: every credit that was answered, once");
    for (buyer, name) in buyers.iter().zip(last_names).filter(|(_, name)| !name.is_empty()) {
        let known: String =
            sqlx::query_scalar("SELECT company_name FROM distribution.buyers WHERE buyer_id = $1::text::uuid")
                .bind(buyer.uuid().to_string())
                .fetch_one(&world.books)
                .await
                .unwrap();
        assert_eq!(known, name, "CHAOS_SEED={seed}: the last change of a record arrived");
    }
    let settings = BusSettings { url: world.cluster.nats.url(), source: "test".into(), connect_within: PATIENCE };
    let letters = dlq::list(&Bus::connect(&settings).await.unwrap(), 1, 10).await.unwrap();
    assert!(letters.is_empty(), "CHAOS_SEED={seed}: put aside: {letters:#?}");
}

/// Does the fault, lets it last, and undoes it. What was killed is started again without waiting
/// until it is ready: the next fault may meet it while it starts.
pub async fn inflict(cluster: &mut Cluster, fault: Fault, which: usize, lasting: Duration) {
    let proxies = "this cluster has proxies";
    match fault {
        Fault::KillRole(role) => {
            let indices = cluster.indices(role);
            let index = indices[which % indices.len()];
            cluster.replicas[index].kill9();
            tokio::time::sleep(lasting).await;
            cluster.replicas[index].spawn().unwrap();
        }
        Fault::KillNats => {
            cluster.nats.kill9();
            tokio::time::sleep(lasting).await;
            cluster.nats.restart().await.unwrap();
        }
        Fault::KillPostgres => {
            cluster.postgres.kill9();
            tokio::time::sleep(lasting).await;
            cluster.postgres.restart().await.unwrap();
        }
        Fault::DropNats => cluster.nats_proxy.as_ref().expect(proxies).drop_connections(),
        Fault::DropPostgres => cluster.postgres_proxy.as_ref().expect(proxies).drop_connections(),
        Fault::CutNats | Fault::StallNats | Fault::CutPostgres | Fault::StallPostgres => {
            let nats = matches!(fault, Fault::CutNats | Fault::StallNats);
            let proxy = if nats { &cluster.nats_proxy } else { &cluster.postgres_proxy };
            let proxy = proxy.as_ref().expect(proxies);
            if matches!(fault, Fault::CutNats | Fault::CutPostgres) {
                proxy.cut().await;
            } else {
                proxy.blackhole();
            }
            tokio::time::sleep(lasting).await;
            proxy.restore().await.unwrap();
        }
    }
    start_again(cluster);
}

/// A role whose server was away at its start gives up after a while, as it would in production, where
/// it is started again.
fn start_again(cluster: &mut Cluster) {
    for replica in &mut cluster.replicas {
        if !replica.is_running() {
            replica.spawn().unwrap();
        }
    }
}

/// Every replica is ready; one that gives up only now, because of what it met at its start, is started again.
pub async fn everybody_is_back(cluster: &mut Cluster) {
    wait::until("every replica is ready", PATIENCE, async || {
        start_again(cluster);
        for replica in &cluster.replicas {
            if !replica.readyz().await {
                return false;
            }
        }
        true
    })
    .await;
}

/// Every assignment has a delivery, every delivery ended well, and the receiver, which nobody killed,
/// has seen each of them under one id, however often it was sent.
async fn webhooks_arrived(world: &World, names: &[String], seed: u64) {
    let count = async |sql: &'static str| -> i64 { sqlx::query_scalar(sql).fetch_one(&world.books).await.unwrap() };
    let pending = "SELECT count(*) FROM notifier.deliveries WHERE status <> 'DELIVERED'";
    wait::until(format!("CHAOS_SEED={seed}: every delivery arrived"), SETTLE_WITHIN, async || {
        count(pending).await == 0
    })
    .await;
    let missing = count(
        "SELECT count(*) FROM distribution.assignments a \
         WHERE NOT EXISTS (SELECT 1 FROM notifier.deliveries d WHERE d.assignment_id = a.assignment_id)",
    )
    .await;
    assert_eq!(missing, 0, "CHAOS_SEED={seed}: assignments without a delivery");
    let sandbox = &world.cluster.http_urls("sandbox")[0];
    let mut arrived = 0;
    for name in names {
        let ids = world.client.get(&format!("{sandbox}/api/hooks/{name}/ids"), &[]).await.unwrap().body;
        arrived += ids.as_object().unwrap().values().filter(|counts| counts["accepted"].as_u64() >= Some(1)).count();
    }
    let sent = count("SELECT count(*) FROM notifier.deliveries").await;
    assert_eq!(i64::try_from(arrived).unwrap(), sent, "CHAOS_SEED={seed}: what the receiver saw");
}
