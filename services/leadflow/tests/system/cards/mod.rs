//! Card money in the running whole: whatever dies or is cut, a card is charged once for each wish, and every charge is in its
//! buyer's wallet.

mod fault;
mod load;
pub mod shop;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::Method;
use leadflow_messaging::{Bus, BusSettings, dlq};
use leadflow_testkit::{
    books::{self, Answer},
    cluster::ClusterOptions,
    wait,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    chaos::{everybody_is_back, setting},
    client::told,
    operator,
    world::{PATIENCE, World, options},
};
use fault::Fault;
use load::Load;
use shop::{Buyer, Shop};

// CARDS_FAULTS is how many faults (default: each of the first round once), CARDS_SEED replays a run's decisions, CARDS_LOGS is a folder
// for the processes' logs.

/// After faults everything pending must come to rest within this: a replica that was killed leaves a charge to others for a minute.
const SETTLE_WITHIN: Duration = Duration::from_secs(180);

/// With the API, and two replicas of billing.
fn with_api() -> ClusterOptions {
    let mut options = options().replicas("billing", 2);
    options.roles.push(("bff", 1));
    for name in ["READS_PER_MINUTE", "WRITES_PER_MINUTE", "SIGN_INS_PER_MINUTE"] {
        options.env.push((name.into(), "100000".into()));
    }
    options.env.push(("PASSWORDS_PER_QUARTER_HOUR".into(), "10000".into()));
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_dies_a_card_is_charged_once_and_every_charge_is_credited() {
    let seed = setting("CARDS_SEED").unwrap_or_else(|| rand::random::<u32>().into());
    let faults = usize::try_from(setting("CARDS_FAULTS").unwrap_or(19)).unwrap();
    println!("cards: {faults} faults with CARDS_SEED={seed}");
    let mut options = with_api().replicas("distribution", 2);
    options.proxied = true;
    options.logs = std::env::var_os("CARDS_LOGS").map(Into::into);
    for (name, value) in [
        ("INGEST_DECISION_WAIT_MS", "2000"),
        ("INGEST_ACK_TIMEOUT_MS", "2000"),
        ("STRIPE_TIMEOUT_SECONDS", "2"),
        ("BILLING_RELEASE_AFTER_SECONDS", "5"),
        ("BILLING_RELEASE_EVERY_SECONDS", "1"),
    ] {
        options.env.push((name.into(), value.into()));
    }
    let mut world = World::start(options).await;
    let shop = Shop::open(&world, "cards", 10).await;
    let (mut filling, mut recharged) = (Vec::new(), Vec::new());
    for n in 0..3 {
        filling.push(shop.buyer(&format!("fills{n}"), "pm_card_visa").await);
        let buyer = shop.buyer(&format!("low{n}"), "pm_card_visa").await;
        let change = json!({
            "autoRechargeEnabled": true, "autoRechargeThreshold": 20, "autoRechargeAmount": 30, "autoRechargeMostADay": 20,
        });
        shop.recharge(&buyer, &change).await;
        recharged.push(buyer);
    }
    let load = Arc::new(Load::new(shop.clone()));
    let working = load.start(&filling, &recharged);

    let mut rng = StdRng::seed_from_u64(seed);
    let mut done: BTreeMap<Fault, usize> = BTreeMap::new();
    let mut first_round = fault::FAULTS.into_iter();
    for _ in 0..faults {
        let fault = first_round.next().unwrap_or_else(|| fault::drawn(&mut rng));
        let (before, lasting) = (rng.random_range(100..900), rng.random_range(50..1_500));
        tokio::time::sleep(Duration::from_millis(before)).await;
        let which: usize = rng.random_range(0..1_000);
        println!("cards: {fault:?}");
        fault::inflict(&mut world.cluster, &shop, fault, which, Duration::from_millis(lasting)).await;
        *done.entry(fault).or_default() += 1;
    }
    shop.sandbox(Method::PUT, "/api/stripe/behaviour", Some(&json!({}))).await;
    everybody_is_back(&mut world.cluster).await;
    let until_now = load.filled();
    wait::until("wallets are filled again", PATIENCE, async || load.filled() > until_now + 5).await;
    load.stop();
    working.join_all().await;
    // Money that arrives sells leads that wait, which makes the wallet low again: that ends here.
    for buyer in &recharged {
        shop.recharge(buyer, &json!({ "autoRechargeEnabled": false })).await;
    }

    let answers: Vec<Answer> = load.answers().into_iter().map(|(id, body)| told(&id, &body)).collect();
    let leads: Vec<_> = answers.iter().map(|answer| answer.lead_id).collect();
    println!(
        "cards: {} leads answered, {} top-ups, {} returns; faults: {done:?}",
        leads.len(),
        load.filled(),
        load.returned()
    );
    if let Err(error) = books::wait_until_settled(&world.books, &leads, SETTLE_WITHIN).await {
        panic!("CARDS_SEED={seed}: {error}");
    }
    // What nobody heard of may need one look at Stripe's own books; after that there is nothing to find.
    let (agreed, text) = operator::run(&world, &["reconcile"]).await;
    if !agreed {
        println!("cards: the first comparison found\n{text}");
        let (agreed, text) = operator::run(&world, &["reconcile"]).await;
        assert!(agreed, "CARDS_SEED={seed}: still not agreed\n{text}");
    }
    let record = world.stripe_record().await;
    let expectations = books::Expectations { answers, stripe: Some(record.clone()), ..books::Expectations::settled() };
    let report = books::check(&world.books, &expectations).await.unwrap();
    assert!(report.is_clean(), "CARDS_SEED={seed}\n{report}");

    // One charge for each key, and it was answered.
    let payments = load.payments();
    let count = async |sql: &'static str| -> i64 { sqlx::query_scalar(sql).fetch_one(&world.books).await.unwrap() };
    let top_ups = count("SELECT count(*) FROM billing.payments WHERE kind = 'top_up'").await;
    assert_eq!(top_ups, i64::try_from(payments.len()).unwrap(), "CARDS_SEED={seed}: payments for keys");
    for payment in &payments {
        let paid = record.charges.iter().filter(|charge| charge.paid() && charge.payment() == Some(*payment)).count();
        assert_eq!(paid, 1, "CARDS_SEED={seed}: charges of {payment}");
    }
    let recharges =
        count("SELECT count(*) FROM billing.payments WHERE kind = 'recharge' AND state = 'succeeded'").await;
    let returns = count("SELECT count(*) FROM billing.postings WHERE kind = 'lead_return'").await;
    assert!(recharges > 0 && returns > 0, "CARDS_SEED={seed}: {recharges} recharges, {returns} returns");
    assert_eq!(returns, i64::try_from(load.returned()).unwrap(), "CARDS_SEED={seed}: each return is paid back once");
    println!("cards: {recharges} recharges, {} charges at Stripe", record.charges.len());
    let settings = BusSettings { url: world.cluster.nats.url(), source: "test".into(), connect_within: PATIENCE };
    let letters = dlq::list(&Bus::connect(&settings).await.unwrap(), 1, 10).await.unwrap();
    assert!(letters.is_empty(), "CARDS_SEED={seed}: put aside: {letters:#?}");
}

/// Posts these leads at once, and gives their answers.
async fn at_once(shop: &Shop, numbers: std::ops::Range<usize>) -> Vec<Answer> {
    let mut posting = JoinSet::new();
    for n in numbers {
        let shop = shop.clone();
        posting.spawn(async move { shop.lead(n).await });
    }
    posting.join_all().await.into_iter().map(|(id, body)| told(&id, &body)).collect()
}

/// Every wallet that was due for a recharge has been looked at: it is not due any more, or only when it may be charged again. (Whoever looks
/// takes it for a minute.)
async fn all_looked_at(world: &World) {
    wait::until("every wallet that is due was looked at", PATIENCE, async || {
        let due = "SELECT count(*) FROM billing.recharge_due WHERE due_at < now() + interval '2 minutes'";
        sqlx::query_scalar::<_, i64>(due).fetch_one(&world.books).await.unwrap() == 0
    })
    .await;
}

async fn the_books_are_right(world: &World, answers: Vec<Answer>) {
    let leads: Vec<_> = answers.iter().map(|answer| answer.lead_id).collect();
    books::wait_until_settled(&world.books, &leads, PATIENCE).await.unwrap();
    let stripe = Some(world.stripe_record().await);
    let expectations = books::Expectations { answers, stripe, ..books::Expectations::settled() };
    let report = books::check(&world.books, &expectations).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

async fn sold_to(world: &World, buyer: &Buyer) -> i64 {
    let id: leadflow_kernel::BuyerId = buyer.id.parse().unwrap();
    sqlx::query_scalar("SELECT count(*) FROM distribution.assignments WHERE buyer_id = $1::text::uuid")
        .bind(id.uuid().to_string())
        .fetch_one(&world.books)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_leads_at_once_make_one_recharge_and_all_are_sold() {
    let world = World::start(with_api().replicas("distribution", 2)).await;
    let shop = Shop::open(&world, "fifty", 10).await;
    let buyer = shop.buyer("fifty", "pm_card_visa").await;
    shop.credit(&buyer, 25).await;
    let change = json!({ "autoRechargeEnabled": true, "autoRechargeThreshold": 20, "autoRechargeAmount": 600 });
    shop.recharge(&buyer, &change).await;
    // Two are paid with what there is, and the wallet is below its threshold while the others ask.
    let answers = at_once(&shop, 0..50).await;
    wait::until("all fifty are sold", PATIENCE, async || sold_to(&world, &buyer).await == 50).await;
    all_looked_at(&world).await;
    the_books_are_right(&world, answers).await;
    let charges = world.stripe_record().await.charges;
    assert_eq!(charges.iter().map(|charge| (charge.paid(), charge.amount)).collect::<Vec<_>>(), [(true, 60_000)]);

    // Somebody gives money back at Stripe's dashboard, and nobody tells us: the comparison does, and its command fails. What
    // it found is booked, so there is nothing more to find.
    shop.sandbox(Method::PUT, "/api/stripe/webhook/manners", Some(&json!({ "hold": true }))).await;
    let record = shop.sandbox(Method::GET, "/api/stripe/record", None).await;
    let refund = format!("/api/stripe/charges/{}/refund", record["charges"][0]["id"].as_str().unwrap());
    shop.sandbox(Method::POST, &refund, Some(&json!({ "amount": 1_000 }))).await;
    let (agreed, text) = operator::run(&world, &["reconcile"]).await;
    assert!(!agreed && text.contains("10.00"), "{text}");
    let (agreed, text) = operator::run(&world, &["reconcile"]).await;
    assert!(agreed, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_is_not_charged_again_before_its_time() {
    let world = World::start(with_api()).await;
    let shop = Shop::open(&world, "declined", 10).await;
    let buyer = shop.buyer("declined", "pm_card_chargeCustomerFail").await;
    shop.credit(&buyer, 25).await;
    let change = json!({ "autoRechargeEnabled": true, "autoRechargeThreshold": 20, "autoRechargeAmount": 100 });
    shop.recharge(&buyer, &change).await;
    let mut answers = at_once(&shop, 0..5).await;
    let declines = async || world.stripe_record().await.charges.iter().filter(|charge| !charge.paid()).count();
    wait::until("the card declined", PATIENCE, async || declines().await == 1).await;
    let wallet = wait::until_some("the wallet says so", PATIENCE, async || {
        let wallet = shop.wallet(&buyer).await;
        (wallet["autoRechargeDeclines"] == 1).then_some(wallet)
    })
    .await;
    assert_eq!(wallet["autoRechargeEnabled"], true, "{wallet}");

    // More leads that nobody can pay, another threshold, and recharging turned off and on: all of it makes the wallet due.
    answers.extend(at_once(&shop, 5..25).await);
    for change in [
        json!({ "autoRechargeThreshold": 50 }),
        json!({ "autoRechargeEnabled": false }),
        json!({ "autoRechargeEnabled": true }),
    ] {
        shop.recharge(&buyer, &change).await;
        all_looked_at(&world).await;
    }
    answers.extend(at_once(&shop, 25..30).await);
    all_looked_at(&world).await;
    let rest: bool = sqlx::query_scalar(
        "SELECT declines = 1 AND not_before BETWEEN now() + interval '50 minutes' AND now() + interval '1 hour' FROM billing.recharges",
    )
    .fetch_one(&world.books)
    .await
    .unwrap();
    assert!(rest, "it rests for an hour from the first decline");
    assert_eq!(sold_to(&world, &buyer).await, 2);
    the_books_are_right(&world, answers).await;
    let charges = world.stripe_record().await.charges;
    assert_eq!(charges.iter().map(|charge| (charge.paid(), charge.amount)).collect::<Vec<_>>(), [(false, 10_000)]);
}
