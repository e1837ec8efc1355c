//! A disk that is full, really: a file system of its own in memory, which the test makes small.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use futures::future::join_all;
use leadflow_testkit::{
    TempDir,
    books::{self, Answer},
    wait,
};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::{
    client::{Client, told},
    machine::Machine,
};

const LIMIT: Duration = Duration::from_secs(180);

/// A small file system. Dropped, it is gone.
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// With these options of tmpfs; `None`, which is said, where mounting is not allowed.
    pub fn mount(options: &str) -> Option<Self> {
        let folder = TempDir::new("disk").expect("folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("{options},mode=755"), "leadflow-test"]).arg(folder.path());
        let output = mount.output();
        if output.as_ref().is_ok_and(|output| output.status.success()) {
            return Some(Self { folder });
        }
        let why =
            output.map_or_else(|error| error.to_string(), |out| String::from_utf8_lossy(&out.stderr).into_owned());
        // Straight to the terminal, so that a test that was passed over is seen.
        let _ = writeln!(std::io::stderr(), "SKIPPED: a file system cannot be mounted here ({})", why.trim());
        None
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves so many free bytes.
    fn leave(&self, free: u64) {
        let output = Command::new("df").args(["-k", "--output=used"]).arg(self.path()).output().expect("df");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let used: u64 = text.lines().last().expect("a line").trim().parse().expect("a number");
        self.resize(&format!("{}k", used + free / 1024));
    }

    fn resize(&self, size: &str) {
        let mut remount = Command::new("mount");
        remount.args(["-o", &format!("remount,size={size}")]).arg(self.path());
        assert!(remount.status().expect("mount").success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is just ending may still be in it.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[tokio::test]
async fn too_little_space_is_one_sentence_before_anything_is_started() {
    let Some(disk) = Disk::mount("size=300m") else { return };
    let machine = Machine::on(disk);
    machine.run(&["up"]).failed_with_one_sentence(&[
        "MiB are free on the disk of",
        "512 MiB are needed",
        "LEADFLOW_HOME",
    ]);
    assert!(machine.running().is_empty());
    let (found, mend) = machine.run(&["doctor"]).wrong("disk");
    assert!(found.contains("MiB free on the disk of") && mend.contains("make up"), "{found}; {mend}");
}

#[tokio::test]
async fn a_disk_that_is_full_half_way_through_the_start_is_one_sentence() {
    // Room for bytes, but not for as many files as a database has.
    let Some(disk) = Disk::mount("size=1g,nr_inodes=300") else { return };
    let machine = Machine::on(disk);
    machine.run(&["up"]).failed_with_one_sentence(&["the disk of", "is full", "free some space"]);
    assert!(machine.running().is_empty());
    machine.disk().resize("1g,nr_inodes=100k");
    machine.run(&["up"]).succeeded();
}

/// The gateway of a machine, and its demo tenant.
struct Gateway {
    client: Client,
    url: String,
    key: String,
    campaign: String,
}

impl Gateway {
    fn of(machine: &Machine) -> Self {
        let demo: PathBuf = machine.home().join("demo.json");
        let demo: Value = serde_json::from_str(&std::fs::read_to_string(demo).expect("a demo tenant")).expect("JSON");
        let text = |name: &str| demo[name].as_str().expect("text").to_owned();
        Self {
            client: Client::new(),
            url: format!("http://127.0.0.1:{}", machine.port("INGEST_HTTP_PORT")),
            key: text("supplier_key"),
            campaign: text("campaign_id"),
        }
    }

    /// Posts one lead; gives the status and what a 2xx promised.
    async fn post(&self, n: usize) -> (u16, Option<Answer>) {
        let body = json!({
            "campaignId": self.campaign, "state": "CA", "quality": "HOT",
            "data": {
                "firstName": "Ada", "lastName": "Full", "age": 45,
                "email": format!("ada{n}@example.com"), "phone": format!("+1212{:07}", 2_000_000 + n),
            }
        });
        let headers = [("x-api-key", self.key.as_str()), ("prefer", "respond-async")];
        let url = format!("{}/api/leads/ingest", self.url);
        let Ok(answer) = self.client.send(http::Method::POST, &url, &headers, Some(&body)).await else {
            return (0, None);
        };
        let id = || answer.body["leadId"].as_str().expect("an id");
        (answer.status.as_u16(), answer.status.is_success().then(|| told(id(), &answer.body)))
    }

    async fn is_ready(&self) -> bool {
        self.client.get(&format!("{}/readyz", self.url), &[]).await.is_ok_and(|answer| answer.status == 200)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_loses_nothing_and_is_told_in_one_line() {
    let Some(disk) = Disk::mount("size=1g") else { return };
    let machine = Machine::on(disk);
    machine.run(&["up"]).succeeded();
    let gateway = Gateway::of(&machine);
    assert!(gateway.is_ready().await);
    let mut answers = Vec::new();
    let mut posted = 0;

    machine.disk().leave(64 << 10);
    // Until the stream has no room: every post is either stored or refused as "try again".
    wait::until("a post is refused", LIMIT, async || {
        let outcomes = join_all((posted..posted + 32).map(|n| gateway.post(n))).await;
        posted += outcomes.len();
        let statuses: Vec<_> = outcomes.iter().map(|(status, _)| *status).collect();
        assert!(statuses.iter().all(|status| matches!(status, 202 | 503)), "{statuses:?}");
        answers.extend(outcomes.into_iter().filter_map(|(_, answer)| answer));
        statuses.iter().all(|status| *status == 503)
    })
    .await;
    let full = machine.run(&["doctor"]);
    let (found, mend) = full.wrong("disk");
    assert!(found.starts_with("only 0 MiB free on the disk of"), "{found}");
    assert!(mend.contains("free some space, then make up"), "{mend}");
    let (found, _) = full.wrong("storing");
    assert!(found.contains("stream LEADS"), "{found}");

    machine.disk().resize("1g");
    // nats-server goes on refusing until it is started again, which is seen and mended.
    let (_, mend) = machine.run(&["doctor"]).wrong("storing");
    assert!(mend.contains("make up"), "{mend}");
    machine.run(&["up"]).succeeded();
    machine.run(&["doctor"]).succeeded();
    let (status, answer) = gateway.post(posted).await;
    assert_eq!(status, 202);
    answers.extend(answer);

    let url = format!("postgres://postgres@127.0.0.1:{}/leadflow", machine.port("LEADFLOW_PG_PORT"));
    let pool = PgPool::connect(&url).await.expect("the database");
    let leads: Vec<_> = answers.iter().map(|answer| answer.lead_id).collect();
    books::wait_until_settled(&pool, &leads, LIMIT).await.expect("settled");
    let expectations = books::Expectations { answers, ..books::Expectations::settled() };
    let report = books::check(&pool, &expectations).await.expect("checked");
    assert!(report.is_clean(), "{report}");
    pool.close().await;
}
