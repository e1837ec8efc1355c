//! What is refused leaves databases and streams as they were, and the servers keep nothing of a backup.

use std::{fs, path::Path};

use chrono::DateTime;
use leadflow_contracts::events::WalletCredited;
use leadflow_kernel::EventId;
use leadflow_messaging::{
    Bus, Envelope, copy,
    topology::{self, STREAMS},
};
use leadflow_platform::Env;
use leadflow_testkit::{TempDir, TestDb, TestNats};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::{bus_to, small};
use crate::{
    backup::{manifest::stream_name, restore, streams::Copies, take},
    migrate::{self, Schema},
};

struct Servers {
    db: TestDb,
    nats: TestNats,
    bus: Bus,
    schemas: Vec<Schema>,
}

impl Servers {
    async fn empty() -> Self {
        let db = TestDb::create(&[]).await.unwrap();
        let nats = TestNats::start().await.unwrap();
        let bus = bus_to(&nats).await;
        let mut env = Env::from_pairs([("DATABASE_URL", db.url().as_str())]);
        let schemas = migrate::schemas(&mut env);
        env.finish().unwrap();
        Self { db, nats, bus, schemas }
    }

    async fn restore(&self, from: &Path) -> anyhow::Result<()> {
        restore(&self.schemas, &self.bus, small(), from).await
    }

    async fn refuses(&self, from: &Path, why: &str) {
        let told = format!("{:#}", self.restore(from).await.unwrap_err());
        assert!(told.contains(why), "{told}");
        assert!(!told.contains("half filled"), "{told}");
    }

    /// Tables of ours.
    async fn tables(&self) -> i64 {
        let all = "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
        sqlx::query_scalar(all).fetch_one(self.db.pool()).await.unwrap()
    }

    /// Consumers of each stream, of those that are there.
    async fn consumers(&self) -> Vec<u64> {
        let mut client = BufReader::new(TcpStream::connect(("127.0.0.1", self.nats.port())).await.unwrap());
        let mut found = Vec::new();
        client.write_all(b"CONNECT {\"verbose\":false}\r\nSUB answers 1\r\n").await.unwrap();
        for stream in STREAMS {
            let ask = format!("PUB $JS.API.CONSUMER.NAMES.{stream} answers 0\r\n\r\n");
            client.write_all(ask.as_bytes()).await.unwrap();
            let mut line = String::new();
            while !line.starts_with("MSG ") {
                line.clear();
                assert_ne!(client.read_line(&mut line).await.unwrap(), 0, "nats-server hangs up");
            }
            let length: usize = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
            let mut answer = vec![0; length + 2];
            client.read_exact(&mut answer).await.unwrap();
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            if answer["error"].is_null() {
                found.push(answer["total"].as_u64().unwrap());
            }
        }
        found
    }
}

#[tokio::test]
async fn nothing_is_changed_by_a_restore_that_is_refused_and_nothing_left_by_a_backup() {
    let folder = TempDir::new("whole").unwrap();
    let (copied, part) = (folder.path().join("copy"), folder.path().join("copy.part"));
    let old = Servers::empty().await;
    topology::ensure(&old.bus, small()).await.unwrap();
    let consumers = old.consumers().await;
    assert!(consumers.len() == STREAMS.len() && consumers.iter().sum::<u64>() > 5, "{consumers:?}");

    // No tables: there is nothing to lock.
    let error = take(&old.schemas, &old.bus, &copied, DateTime::UNIX_EPOCH).await.unwrap_err();
    assert!(format!("{error:#}").contains("lock the outboxes"), "{error:#}");
    assert!(!copied.exists() && !part.exists());
    assert_eq!(old.consumers().await, consumers, "after a backup that failed");
    // A file is there already: the streams before it have been opened.
    let full = TempDir::new("full").unwrap();
    fs::write(full.path().join(stream_name(STREAMS[3])), "").unwrap();
    assert!(Copies::open(&old.bus, full.path()).await.is_err());
    assert_eq!(old.consumers().await, consumers, "after one that could not begin");

    for schema in &old.schemas {
        migrate::migrate(schema).await.unwrap();
    }
    let event = WalletCredited { buyer_id: "one".to_owned(), ..Default::default() };
    old.bus.publish(&[Envelope::new(EventId::new(), &event, DateTime::UNIX_EPOCH)]).await.unwrap();
    take(&old.schemas, &old.bus, &copied, DateTime::UNIX_EPOCH).await.unwrap();
    assert_eq!(old.consumers().await, consumers, "after a backup");

    let new = Servers::empty().await;
    let dump = copied.join("notifier.dump");
    let good = fs::read(&dump).unwrap();
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 1;
    fs::write(&dump, &bad).unwrap();
    new.refuses(&copied, "notifier.dump is not what was written").await;
    fs::write(&dump, &good[..good.len() - 1]).unwrap();
    new.refuses(&copied, "notifier.dump is not what was written").await;
    fs::write(&dump, &good).unwrap();
    assert_eq!((new.tables().await, new.consumers().await), (0, vec![]), "a damaged backup changes nothing");

    // Databases that have something; an NATS that has something.
    let tables = old.tables().await;
    let mixed = Servers { bus: new.bus.clone(), ..old };
    mixed.refuses(&copied, "has these schemas already: accounts, billing, distribution, notifier").await;
    assert_eq!((mixed.tables().await, new.consumers().await), (tables, vec![]));
    let mixed = Servers { bus: bus_to(&mixed.nats).await, db: new.db, schemas: new.schemas, nats: mixed.nats };
    mixed.refuses(&copied, "have been used: BILLING").await;
    assert_eq!((mixed.tables().await, mixed.consumers().await), (0, consumers.clone()));

    let new = Servers { bus: new.bus, nats: new.nats, ..mixed };
    new.restore(&copied).await.unwrap();
    assert_eq!((new.tables().await, new.consumers().await), (tables, consumers));
    assert_eq!(copy::used(&new.bus).await.unwrap(), ["BILLING"]);
}
