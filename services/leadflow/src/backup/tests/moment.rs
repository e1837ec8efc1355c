//! Why the outboxes are locked: copies of two moments lose events or have some without a cause, and those of one moment do not.
//!
//! Two databases stand for the services'. A sale is in the first one's `facts`, its event in the outbox until it was published; who works it off
//! remembers that in the second one's `effects`.

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use chrono::DateTime;
use leadflow_contracts::{Event as _, events::LeadReceived, streams};
use leadflow_kernel::EventId;
use leadflow_messaging::{Bus, Envelope, topology};
use leadflow_testkit::{TempDir, TestDb, TestNats, wait};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool};

use super::{PATIENCE, bus_to, small};
use crate::backup::{
    database::{self, Server, Snapshot},
    manifest::stream_name,
    moment,
    streams::Copies,
};

/// Each sells and publishes, one after the other, while moments are looked for.
const SELLERS: usize = 4;
const MOMENTS: usize = 10;
/// Sales that go all the way between two moments.
const BETWEEN: usize = 20;

struct World {
    sales: TestDb,
    works: TestDb,
    bus: Bus,
    _nats: TestNats,
    folder: TempDir,
}

impl World {
    async fn start() -> Self {
        let (sales, works) = (TestDb::create(&[]).await.unwrap(), TestDb::create(&[]).await.unwrap());
        let tables = "CREATE SCHEMA sales; CREATE TABLE sales.facts (name text); CREATE TABLE sales.outbox (name text)";
        sales.pool().execute(tables).await.unwrap();
        let tables =
            "CREATE SCHEMA works; CREATE TABLE works.effects (name text); CREATE TABLE works.outbox (name text)";
        works.pool().execute(tables).await.unwrap();
        let nats = TestNats::start().await.unwrap();
        let bus = bus_to(&nats).await;
        topology::ensure(&bus, small()).await.unwrap();
        Self { sales, works, bus, _nats: nats, folder: TempDir::new("moment").unwrap() }
    }

    fn servers(&self) -> Vec<Server> {
        vec![
            Server { url: self.sales.url(), schemas: vec!["sales"] },
            Server { url: self.works.url(), schemas: vec!["works"] },
        ]
    }

    fn sale(&self, name: &str) -> Sale {
        let (sales, works, bus) = (self.sales.pool().clone(), self.works.pool().clone(), self.bus.clone());
        Sale { name: name.to_owned(), sales, works, bus }
    }

    async fn copies(&self) -> Copies {
        Copies::open(&self.bus, self.folder.path()).await.unwrap()
    }

    /// What a whole that is restored from these would not do, and what it would do without a reason.
    async fn wrong(&self, snapshots: &[Snapshot]) -> Vec<String> {
        let [sales, works] = snapshots else { panic!("a snapshot of each database") };
        let facts = seen(&self.sales, sales, "SELECT name FROM sales.facts").await;
        let outbox = seen(&self.sales, sales, "SELECT name FROM sales.outbox").await;
        let effects = seen(&self.works, works, "SELECT name FROM works.effects").await;
        let file = fs::read_to_string(self.folder.path().join(stream_name(streams::LEADS))).unwrap();
        let stream: BTreeSet<String> = file
            .lines()
            .map(|line| {
                let line: Value = serde_json::from_str(line).unwrap();
                String::from_utf8(BASE64_STANDARD.decode(line["payload"].as_str().unwrap()).unwrap()).unwrap()
            })
            .collect();
        let known: BTreeSet<_> = outbox.iter().chain(&stream).chain(&effects).cloned().collect();
        let lost = facts.difference(&known).map(|name| format!("{name} is lost"));
        let groundless = known.difference(&facts).map(|name| format!("{name} has no cause"));
        lost.chain(groundless).collect()
    }
}

async fn seen(db: &TestDb, snapshot: &Snapshot, sql: &'static str) -> BTreeSet<String> {
    let mut connection = PgConnection::connect(&db.url()).await.unwrap();
    let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ; SET TRANSACTION SNAPSHOT '{}'", snapshot.id);
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut connection).await.unwrap();
    sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap().into_iter().collect()
}

#[derive(Clone)]
struct Sale {
    name: String,
    sales: PgPool,
    works: PgPool,
    bus: Bus,
}

impl Sale {
    async fn decide(&self) {
        let both = "WITH fact AS (INSERT INTO sales.facts VALUES ($1)) INSERT INTO sales.outbox VALUES ($1)";
        sqlx::query(both).bind(&self.name).execute(&self.sales).await.unwrap();
    }

    async fn publish(&self) {
        let event = Envelope {
            id: EventId::new(),
            subject: LeadReceived::default().subject(),
            kind: LeadReceived::TYPE.to_owned(),
            time: DateTime::UNIX_EPOCH,
            traceparent: None,
            payload: self.name.clone().into(),
        };
        self.bus.publish(&[event]).await.unwrap();
    }

    async fn take_out(&self) {
        sqlx::query("DELETE FROM sales.outbox WHERE name = $1").bind(&self.name).execute(&self.sales).await.unwrap();
    }

    async fn work_off(&self) {
        sqlx::query("INSERT INTO works.effects VALUES ($1)").bind(&self.name).execute(&self.works).await.unwrap();
    }

    /// As far as a stream.
    async fn go(&self) {
        self.decide().await;
        self.publish().await;
        self.take_out().await;
    }
}

#[tokio::test]
async fn while_events_stand_nothing_comes_between_the_streams_and_the_databases() {
    let world = World::start().await;
    let [early, late, new] = ["early", "late", "new"].map(|name| world.sale(name));
    early.go().await;
    let mut copies = world.copies().await;
    copies.catch_up().await.unwrap();
    late.decide().await;
    late.publish().await;
    let servers = world.servers();
    let (mut deciding, mut taking_out) = (None, None);
    let look = async || {
        copies.finish().await?;
        let (new, late) = (new.clone(), late.clone());
        deciding = Some(tokio::spawn(async move { new.go().await }));
        taking_out = Some(tokio::spawn(async move { late.take_out().await }));
        early.work_off().await;
        wait::until("both wait for the outbox", PATIENCE, async || {
            let waiting =
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
            sqlx::query_scalar::<_, i64>(waiting).fetch_one(world.sales.pool()).await.unwrap() == 2
        })
        .await;
        database::snapshots(&servers).await
    };
    let (snapshots, stood) = database::while_events_stand(&servers, look).await.unwrap();
    assert!(!stood.held.is_zero());
    deciding.unwrap().await.unwrap();
    taking_out.unwrap().await.unwrap();
    copies.written().unwrap();
    copies.close().await;
    assert_eq!(world.wrong(&snapshots).await, Vec::<String>::new());
}

/// The same without the locks, and an event comes between: the check above can fail.
#[tokio::test]
async fn streams_that_are_older_than_the_databases_lose_an_event() {
    let world = World::start().await;
    world.sale("early").go().await;
    let mut copies = world.copies().await;
    copies.catch_up().await.unwrap();
    copies.finish().await.unwrap();
    world.sale("new").go().await;
    let snapshots = database::snapshots(&world.servers()).await.unwrap();
    copies.written().unwrap();
    copies.close().await;
    assert_eq!(world.wrong(&snapshots).await, ["new is lost"]);
}

#[tokio::test]
async fn databases_that_are_older_than_the_streams_do_not_know_the_cause_of_an_event() {
    let world = World::start().await;
    world.sale("early").go().await;
    let mut copies = world.copies().await;
    copies.catch_up().await.unwrap();
    let snapshots = database::snapshots(&world.servers()).await.unwrap();
    world.sale("new").go().await;
    copies.finish().await.unwrap();
    copies.written().unwrap();
    copies.close().await;
    assert_eq!(world.wrong(&snapshots).await, ["new has no cause"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_under_load_are_moments() {
    let world = World::start().await;
    let (stop, gone) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let sellers: Vec<_> = (0..SELLERS)
        .map(|seller| {
            let (stop, gone, sale) = (stop.clone(), gone.clone(), world.sale(""));
            tokio::spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    Sale { name: format!("{seller}-{number}"), ..sale.clone() }.go().await;
                    gone.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let servers = world.servers();
    for _ in 0..MOMENTS {
        let before = gone.load(Ordering::Relaxed);
        wait::until("events go", PATIENCE, async || gone.load(Ordering::Relaxed) >= before + BETWEEN).await;
        let mut copies = world.copies().await;
        let (files, snapshots) = moment(&servers, &mut copies).await.unwrap();
        copies.close().await;
        assert_eq!(world.wrong(&snapshots).await, Vec::<String>::new());
        database::forget(snapshots).await.unwrap();
        for file in files {
            fs::remove_file(world.folder.path().join(file)).unwrap();
        }
    }
    stop.store(true, Ordering::Relaxed);
    for seller in sellers {
        seller.await.unwrap();
    }
}
