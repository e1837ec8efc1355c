//! Every alert of `deploy/prometheus/alerts.yml` is made to fire by causing what it is about, in a cluster of real processes that a real
//! Prometheus looks at. `make alert-check` runs it; without Prometheus only the rules' text is looked at.

mod away;
mod load;
mod messages;
mod money;
mod months;
mod rules;
mod watch;

use std::{collections::BTreeSet, time::Duration};

use leadflow_contracts::common::Logic;
use leadflow_kernel::{BuyerId, CampaignId};
use leadflow_messaging::{Bus, BusSettings};
use leadflow_testkit::cluster::ClusterOptions;
use sqlx::AssertSqlSafe;

use crate::{
    cards::shop::{Buyer, Shop},
    world::{PATIENCE, Terms, World, options},
};
use watch::{Tools, Watch};

/// Each alert, and what is done to have it fire.
const CAUSES: [(&str, &str); 22] = [
    ("RoleNotReady", "accounts and distribution are killed; nats-server is killed"),
    ("SupplierRequestsFail", "the stream of leads is full"),
    ("ApiRequestsFail", "accounts is killed: no session can be looked up"),
    ("DecisionsSlow", "leads waited while distribution was away"),
    ("DebitsSlow", "somebody has locked the ledger for half a minute"),
    ("ConsumerLags", "leads come in while distribution is away"),
    ("ConsumerStands", "somebody has locked the ledger: billing's batches fail"),
    ("StreamFillsUp", "leads come in while distribution is away, until no more fit"),
    ("DeadLetters", "a message that is no lead is published"),
    ("OutboxStuck", "nats-server is away while a wallet is credited"),
    ("HoldsStay", "distribution is away, so nobody says whether a hold is needed"),
    ("RechargesFail", "buyers' cards decline"),
    ("PaymentProviderFails", "the provider answers 500 to what is about charges"),
    ("PaymentsUnsettled", "the same: nobody knows what became of them"),
    ("ProviderEventsGivenUp", "the same: an event's charge cannot be fetched"),
    ("BooksDiffer", "a row of yesterday's payments was changed by hand"),
    ("WebhooksOverdue", "two receivers hang, and notifier may make one request at once"),
    ("MessagesOverdue", "a buyer wants text messages, and there is no provider"),
    ("MessagesFail", "the mail server answers 451"),
    ("EndpointsDisabled", "a receiver answers 410"),
    ("LeadsOutsideMonths", "a gateway's clock is a year ahead"),
    ("AttemptsOutsideMonths", "a row of an attempt was changed by hand: it began in a year"),
];

/// These say what has happened within the last hour.
const LASTING: [&str; 2] = ["RechargesFail", "EndpointsDisabled"];

/// All that is needed to cause something.
struct Scene {
    world: World,
    shop: Shop,
    /// Sells all the time, to `steady`.
    campaign: CampaignId,
    steady: BuyerId,
    /// Buys all the time in the shop, and gets a mail for each lead.
    mailed: Buyer,
    bus: Bus,
    watch: Watch,
}

impl Scene {
    /// Rows that it changed.
    async fn sql(&self, sql: &'static str) -> u64 {
        sqlx::query(AssertSqlSafe(sql)).execute(&self.world.books).await.unwrap().rows_affected()
    }

    async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.world.books).await.unwrap()
    }

    /// Starts a process that was killed, and waits until it is ready.
    async fn start(&mut self, index: usize) {
        self.world.cluster.replicas[index].spawn().unwrap();
        self.world.cluster.ready(index).await.unwrap();
    }
}

fn settings() -> ClusterOptions {
    let mut options = options();
    options.roles.push(("bff", 1));
    options.metrics = true;
    options.logs = std::env::var_os("ALERTS_LOGS").map(Into::into);
    for (name, value) in [
        // Small enough to be filled.
        ("NATS_MAX_BYTES", "16777216"),
        // One is in the way of all.
        ("WEBHOOK_CONCURRENCY", "1"),
        ("INGEST_DECISION_WAIT_MS", "500"),
        ("INGEST_ACK_TIMEOUT_MS", "1000"),
        ("READS_PER_MINUTE", "100000"),
        ("WRITES_PER_MINUTE", "100000"),
        ("SIGN_INS_PER_MINUTE", "100000"),
        ("PASSWORDS_PER_QUARTER_HOUR", "10000"),
    ] {
        options.env.push((name.into(), value.into()));
    }
    options
}

#[test]
fn every_rule_has_a_cause_and_every_cause_a_rule() {
    let caused: BTreeSet<String> = CAUSES.iter().map(|(alert, _)| (*alert).to_owned()).collect();
    assert_eq!(caused, rules::names(&rules::text()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_alert_fires_when_its_cause_happens() {
    let Some(tools) = Tools::find() else {
        println!(
            "alerts: skipped, LEADFLOW_PROMETHEUS and LEADFLOW_PROMTOOL do not say where Prometheus is: `make alert-check` does"
        );
        return;
    };
    let world = World::start(settings()).await;
    let shop = Shop::open(&world, "alerts", 10).await;
    let campaign = world.campaign(Logic::RoundRobin, "25.00", 0).await;
    let steady = world.buyer("steady", 5, "1000000.00").await;
    world.subscribe(campaign, steady, Terms::default()).await;
    let mailed = shop.buyer("mailed", "pm_card_visa").await;
    shop.top_up(&mailed, "mailed-first", 50).await;
    shop.credit(&mailed, 900_000).await;
    let bus = BusSettings { url: world.cluster.nats.url(), source: "test".into(), connect_within: PATIENCE };
    let bus = Bus::connect(&bus).await.unwrap();
    let load = load::start(&world, campaign, &shop, &mailed);
    let watch = Watch::start(&tools, &world.cluster).await;
    let mut scene = Scene { world, shop, campaign, steady, mailed, bus, watch };
    scene.watch.sees_nothing_wrong().await;
    println!("alerts: nothing fires while all is well");

    scene.the_books_differ().await;
    tokio::join!(scene.recharges_are_declined(), scene.the_provider_fails());

    // A lock on the ledger is in the way of money for new buyers, too.
    let gone = scene.sold_to("gone").await;
    let hanging = [scene.sold_to("hangs0").await, scene.sold_to("hangs1").await];
    let patient = scene.sold_to("patient").await;
    tokio::join!(
        scene.junk_is_put_aside(),
        scene.a_receiver_is_gone(gone),
        scene.nobody_sends_texts(),
        scene.mails_are_not_taken(),
        scene.a_lead_is_of_next_year(),
        scene.an_attempt_is_of_next_year(),
        scene.the_ledger_is_locked(),
        scene.receivers_hang(hanging, patient),
    );

    scene.those_who_decide_go().await;
    scene.nats_goes().await;
    scene.the_books_agree().await;
    drop(load);
    scene.watch.is_calm(&LASTING).await;

    let fired = scene.watch.fired();
    println!("\n{:<22}  {:>13}  cause", "alert", "fired after s");
    for (alert, cause) in CAUSES {
        let took = fired.get(alert).map_or_else(|| "never".to_owned(), |took: &Duration| took.as_secs().to_string());
        println!("{alert:<22}  {took:>13}  {cause}");
    }
    let names: BTreeSet<String> = fired.into_keys().collect();
    assert_eq!(names, rules::names(&rules::text()), "a rule was never seen to fire");
    println!("alerts: every rule has fired");
}
