//! A role whose dependency is away says so, and goes on when it returns: the same process, without a flood of lines in between.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use futures::future::join_all;
use leadflow_contracts::common::Logic;
use leadflow_kernel::{BuyerId, CampaignId};
use leadflow_testkit::{
    cluster::{Cluster, ClusterOptions},
    wait,
};

use crate::world::{PATIENCE, Terms, World, lead, options};

/// How often roles are asked while something is away.
const LOOKS: usize = 24;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
/// What a role may write at once when it loses something, and how much more each second while it has not got it back.
const LINES_AT_ONCE: usize = 60;
const LINES_A_SECOND: f64 = 3.0;

const ALL: [&str; 6] = ["accounts", "billing", "distribution", "notifier", "ingest", "bff"];

fn whole() -> ClusterOptions {
    let mut options = options();
    options.proxied = true;
    options.roles.push(("bff", 1));
    // Posts are answered soon although nobody decides.
    options.env.retain(|(name, _)| name != "INGEST_DECISION_WAIT_MS" && name != "INGEST_ACK_TIMEOUT_MS");
    options.env.push(("INGEST_DECISION_WAIT_MS".into(), "100".into()));
    options.env.push(("INGEST_ACK_TIMEOUT_MS".into(), "500".into()));
    options
}

struct Market {
    world: World,
    campaign: CampaignId,
    buyer: BuyerId,
    posted: usize,
}

impl Market {
    async fn open() -> Self {
        let world = World::start(whole()).await;
        let campaign = world.campaign(Logic::RoundRobin, "1.00", 0).await;
        let buyer = world.buyer("patient", 5, "1000.00").await;
        world.subscribe(campaign, buyer, Terms::default()).await;
        let mut market = Self { world, campaign, buyer, posted: 0 };
        market.sells().await;
        market
    }

    /// Suppliers go on posting; what they are answered.
    async fn post(&mut self) -> Option<u16> {
        self.posted += 1;
        let answer = self.world.post(&lead(self.campaign, self.posted), &[]).await.ok()?;
        Some(answer.status.as_u16())
    }

    /// A lead is accepted, sold and paid.
    async fn sells(&mut self) {
        let before: i64 = self.world.sold(self.campaign).await.iter().map(|(_, sold)| sold).sum();
        wait::until("a lead is accepted", PATIENCE, async || {
            let number = 1_000_000 + usize::try_from(before).unwrap();
            let answer = self.world.post(&lead(self.campaign, number), &[]).await;
            answer.is_ok_and(|answer| answer.status.is_success())
        })
        .await;
        wait::until("it is sold", PATIENCE, async || {
            self.world.sold(self.campaign).await.iter().any(|(buyer, sold)| *buyer == self.buyer && *sold > before)
        })
        .await;
    }
}

fn pids(cluster: &Cluster) -> Vec<Option<u32>> {
    cluster.replicas.iter().map(leadflow_testkit::cluster::Replica::pid).collect()
}

fn lines(cluster: &Cluster) -> BTreeMap<&'static str, usize> {
    let count = |role| fs::read_to_string(cluster.logs().join(format!("{role}-0.log"))).unwrap().lines().count();
    ALL.map(|role| (role, count(role))).into()
}

async fn ready(cluster: &Cluster) -> BTreeMap<&'static str, bool> {
    let asked = cluster.replicas.iter().filter(|replica| replica.role != "sandbox");
    join_all(asked.map(async |replica| (replica.role, replica.readyz().await))).await.into_iter().collect()
}

/// Something goes away for a while: `affected` say that they are not ready as long as it is, the others stay ready, nobody ends or floods its
/// log, and after its return all is as before. `killed` is who is started anew, if that is what is away.
async fn away<Goes, Comes>(market: &mut Market, affected: &[&str], killed: &str, goes: Goes, comes: Comes)
where
    Goes: AsyncFnOnce(&mut Cluster),
    Comes: AsyncFnOnce(&mut Cluster),
{
    let expected: BTreeMap<&str, bool> = ALL.map(|role| (role, !affected.contains(&role))).into();
    let (before, written) = (pids(&market.world.cluster), lines(&market.world.cluster));
    let began = Instant::now();
    goes(&mut market.world.cluster).await;
    wait::until("those who need it are not ready", PATIENCE, async || {
        let found = ready(&market.world.cluster).await;
        affected.iter().all(|role| !found[role])
    })
    .await;
    for _ in 0..LOOKS {
        market.post().await;
        assert_eq!(ready(&market.world.cluster).await, expected);
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    comes(&mut market.world.cluster).await;
    wait::until("all are ready again", PATIENCE, async || {
        ready(&market.world.cluster).await.values().all(|ready| *ready)
    })
    .await;
    market.sells().await;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    let allowed = LINES_AT_ONCE + (began.elapsed().as_secs_f64() * LINES_A_SECOND) as usize;
    for (role, now) in lines(&market.world.cluster) {
        let wrote = now - written[role];
        eprintln!("{role}: {wrote} lines of {allowed}");
        assert!(wrote <= allowed, "{role} wrote {wrote} lines where {allowed} are enough:\n{}", last(market, role));
    }
    for (replica, pid) in market.world.cluster.replicas.iter().zip(before) {
        assert!(replica.role == killed || replica.pid() == pid, "{} is another process", replica.role);
    }
}

fn last(market: &Market, role: &str) -> String {
    let replica = market.world.cluster.replicas.iter().find(|replica| replica.role == role);
    replica.map(leadflow_testkit::cluster::Replica::last_words).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_all_its_users_wait_for_it() {
    let mut market = Market::open().await;
    let users = ["accounts", "billing", "distribution", "notifier"];
    let cut = async |cluster: &mut Cluster| cluster.postgres_proxy.as_ref().unwrap().cut().await;
    let restore = async |cluster: &mut Cluster| cluster.postgres_proxy.as_ref().unwrap().restore().await.unwrap();
    away(&mut market, &users, "", cut, restore).await;
    // One that hangs is as good as away.
    let hang = async |cluster: &mut Cluster| cluster.postgres_proxy.as_ref().unwrap().blackhole();
    away(&mut market, &users, "", hang, restore).await;
    // What was posted meanwhile was accepted, and is sold now.
    let posted = i64::try_from(market.posted).unwrap();
    wait::until("what was posted meanwhile is sold", PATIENCE, async || {
        market.world.sold(market.campaign).await.iter().map(|(_, sold)| sold).sum::<i64>() >= posted
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_its_users_wait_for_it_and_suppliers_are_told() {
    let mut market = Market::open().await;
    let users = ["accounts", "billing", "distribution", "notifier", "ingest"];
    let cut = async |cluster: &mut Cluster| cluster.nats_proxy.as_ref().unwrap().cut().await;
    let restore = async |cluster: &mut Cluster| cluster.nats_proxy.as_ref().unwrap().restore().await.unwrap();
    away(&mut market, &users, "", cut, restore).await;
    market.world.cluster.nats_proxy.as_ref().unwrap().cut().await;
    wait::until("suppliers are told to post again", PATIENCE, async || market.post().await == Some(503)).await;
    market.world.cluster.nats_proxy.as_ref().unwrap().restore().await.unwrap();
    market.sells().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_billing_or_accounts_the_others_go_on_when_it_is_back() {
    let mut market = Market::open().await;
    for (role, affected) in [("billing", &["billing"][..]), ("accounts", &["accounts", "bff"])] {
        let index = market.world.cluster.indices(role)[0];
        let kill = async |cluster: &mut Cluster| cluster.replicas[index].kill9();
        let start = async |cluster: &mut Cluster| {
            cluster.replicas[index].spawn().unwrap();
            cluster.ready(index).await.unwrap();
        };
        away(&mut market, affected, role, kill, start).await;
    }
}
