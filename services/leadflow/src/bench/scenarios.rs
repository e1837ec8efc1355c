//! The measurements, one after the other on one set of processes.

use std::{ops::Range, time::Duration};

use anyhow::Context as _;
use leadflow_kernel::{Clock as _, SystemClock};
use leadflow_testkit::{
    TempDir,
    books::{self, Expectations},
    cluster::{Cluster, ClusterOptions},
    servers::{Nats, NatsOptions, SyncInterval},
};
use sqlx::PgPool;

use super::{
    Args, Scenario,
    book::{self, Counters},
    footprint,
    load::{self, Target, percentile},
    market::Market,
    old,
    receiver::Receiver,
    report::{Goal, Report, grouped, table},
    sick, sql,
    stand_in::{self, StandIn},
    usage,
};

/// nats-server's own setting.
const LAZY: SyncInterval = SyncInterval::Every(Duration::from_secs(120));
/// The longest a run may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(180);
/// Connections of the evenly paced load: enough that none is waited for.
const PACED_CONNECTIONS: usize = 128;

/// Measures what `args` ask for. Also says whether the books were right.
///
/// # Errors
/// When something cannot be started or a lead is lost.
pub async fn run(args: &Args) -> anyhow::Result<(Report, bool)> {
    let mut report = Report::default();
    if args.wants(Scenario::Webhooks) {
        sick::run(args, &mut report).await?;
    }
    if args.wants(Scenario::Footprint) {
        footprint::run(args, &mut report).await?;
    }
    let alone = |scenario: &Scenario| matches!(scenario, Scenario::Webhooks | Scenario::Footprint);
    if !args.only.is_empty() && args.only.iter().all(alone) {
        return Ok((report, true));
    }
    let mut numbers = Numbers(0);
    let bare =
        if args.wants(Scenario::Ingest) { Some(bare_acks(args, &mut report, &mut numbers).await?) } else { None };
    let mut bench = Bench::start(args, report, numbers).await?;
    let clean = bench.pipeline().await?;
    if let Some((lazy, synced)) = bare {
        bench.ingest(lazy, synced).await?;
    }
    if args.wants(Scenario::Limits) {
        bench.limits().await?;
    }
    Ok((bench.report, clean))
}

/// Numbers of leads, none given twice.
struct Numbers(u64);

impl Numbers {
    fn take(&mut self, count: u64) -> Range<u64> {
        let first = self.0;
        self.0 += count;
        first..self.0
    }
}

/// HTTP with one stored message a post: with nats-server's default, and with the chosen setting.
async fn bare_acks(args: &Args, report: &mut Report, numbers: &mut Numbers) -> anyhow::Result<(f64, f64)> {
    eprintln!("HTTP and a bare JetStream acknowledgement …");
    let mut rates = Vec::new();
    for sync in [LAZY, args.sync] {
        let folder = TempDir::new("bench-nats")?;
        let nats = Nats::start(NatsOptions { sync, ..NatsOptions::new(folder.path()) }).await?;
        let (mut stand_in, address) = stand_in::start(StandIn::Ack, &nats.url()).await?;
        let target =
            Target { address, api_key: "none".into(), campaigns: vec![leadflow_kernel::CampaignId::new()].into() };
        load::burst(&target, numbers.take(1_000), args.connections, true).await?;
        let posts = if sync == LAZY { args.leads() * 2 } else { args.leads() / 3 };
        let rate = load::burst(&target, numbers.take(posts), args.connections, true).await?.per_second();
        report.rate(format!("HTTP + one acknowledged message, sync_interval {sync}"), rate);
        rates.push(rate);
        stand_in.kill().await?;
    }
    Ok((rates[0], rates[1]))
}

struct Bench<'a> {
    args: &'a Args,
    cluster: Cluster,
    pool: PgPool,
    market: Market,
    receiver: Receiver,
    numbers: Numbers,
    report: Report,
    /// Leads a second with one replica and ten wallets, every webhook sent and recorded meanwhile.
    sent: f64,
    /// The same up to the written delivery row: receivers hang, so hardly any webhook is sent.
    settled: f64,
    /// The campaigns of ten buyers.
    target: Target,
}

impl<'a> Bench<'a> {
    async fn start(args: &'a Args, report: Report, numbers: Numbers) -> anyhow::Result<Self> {
        eprintln!("Servers and services …");
        let binary = std::env::current_exe().context("this executable's path")?;
        let mut options = ClusterOptions { fsync: true, sync: args.sync, ..ClusterOptions::new(binary) };
        options.env.push(("RUST_LOG".to_owned(), "warn".to_owned()));
        // Every role has a share of the same few cores: more threads would only hand work to each other.
        let threads = std::thread::available_parallelism().map_or(1, |cores| (cores.get() / 2).max(1));
        options.env.push(("TOKIO_WORKER_THREADS".to_owned(), threads.to_string()));
        // Receivers that hang on purpose are not to be given up while a slow machine measures.
        options.env.push(("WEBHOOK_TIMEOUT_MS".to_owned(), PATIENCE.as_millis().to_string()));
        options.roles.retain(|(role, _)| *role != "sandbox");
        options.postgres =
            [("shared_preload_libraries", "pg_stat_statements"), ("shared_buffers", "512MB"), ("max_wal_size", "4GB")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec();
        let mut cluster = Cluster::start(options.replicas("distribution", 2)).await?;
        let pool = PgPool::connect(&cluster.postgres.url()).await?;
        sqlx::query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements").execute(&pool).await?;
        let receiver = Receiver::start().await?;
        let market = Market::open(&cluster, receiver.address).await?;
        let target = market.campaigns(4, false).await?;
        let second = cluster.indices("distribution")[1];
        cluster.replicas[second].kill9();
        Ok(Self { args, cluster, pool, market, receiver, numbers, report, sent: 0.0, settled: 0.0, target })
    }

    /// Everything that goes the whole way, then the books.
    async fn pipeline(&mut self) -> anyhow::Result<bool> {
        let (target, leads) = (self.target.clone(), self.args.leads());
        self.settle(&target, leads.min(3_000)).await.context("warming up")?;

        self.all_sent().await?;
        eprintln!("The whole way, one replica of each, every webhook sent …");
        let before = usage::cpu(&self.cluster);
        let (rate, counters) = self.settle(&target, leads).await?;
        let after = usage::cpu(&self.cluster);
        self.sent = rate;
        self.report.rate("settled leads, 1 replica, 10 wallets, every webhook sent", rate);
        self.per_lead("every webhook sent, attempts and results recorded", &counters, &before, &after, leads);
        self.all_sent().await?;
        self.hanging().await?;

        if self.args.wants(Scenario::Latency) {
            self.latency().await?;
        }
        if self.args.wants(Scenario::Replicas) {
            eprintln!("Two replicas of distribution …");
            let second = self.cluster.indices("distribution")[1];
            self.cluster.replicas[second].spawn()?;
            self.cluster.ready(second).await?;
            let (rate, _) = self.settle(&target, leads).await?;
            self.report.rate("settled leads, 2 replicas of distribution, 10 wallets", rate);
            self.report.note(memory(&self.cluster, "after the runs with 10 wallets"));
            self.cluster.replicas[second].kill9();
        }
        if self.args.wants(Scenario::Wallets) {
            self.wallets(leads).await?;
        }
        if self.args.wants(Scenario::Old) {
            let old = if self.args.quick { 50_000 } else { 1_000_000 };
            eprintln!("{} old leads …", grouped(old as f64));
            old::sold_leads(&self.pool, target.campaigns[0].uuid(), old).await?;
            let (rate, _) = self.settle(&target, leads).await?;
            self.report
                .rate(format!("settled leads, 10 wallets, after {} leads sold before", grouped(old as f64)), rate);
        }
        self.report.note(memory(&self.cluster, "at the end"));
        eprintln!("The books …");
        let books = books::check(&self.pool, &Expectations::settled()).await?;
        let verdict = if books.is_clean() {
            format!("The book checker found {} invariants to hold on everything above.", books.findings.len())
        } else {
            format!("**The books are broken:**\n\n```\n{books}\n```")
        };
        eprintln!("{books}");
        self.report.note(verdict);
        Ok(books.is_clean())
    }

    /// As far as plain SQL goes: deliveries are written, but hardly any is sent
    /// before the end. They are sent afterwards, so that the books can be checked on these too.
    async fn hanging(&mut self) -> anyhow::Result<()> {
        eprintln!("The whole way, one replica of each, receivers hang …");
        let (target, leads) = (self.target.clone(), self.args.leads());
        self.receiver.hang();
        let before = usage::cpu(&self.cluster);
        let (rate, counters) = self.settle(&target, leads).await?;
        let after = usage::cpu(&self.cluster);
        self.settled = rate;
        self.report.rate("settled leads, 1 replica, 10 wallets, receivers hang", rate);
        self.per_lead("deliveries written, receivers hang", &counters, &before, &after, leads);
        self.report.note(
            "*Every webhook sent*: while leads are posted and settled, every webhook is also signed, sent, answered and recorded \
             (attempt, result, event), on the same cores; the time ends with the last capture or delivery row, not with the last webhook.\n\n\
             *Receivers hang*: they take requests and answer none until the time has ended, so that each lead is received, \
             decided, held, captured and its delivery row written, which is what plain SQL writes too, and only 16 requests for \
             each buyer are under way. Then they answer, and everything is sent before anything else is measured.",
        );
        self.receiver.release();
        self.all_sent().await
    }

    /// Waits until no delivery waits to be sent.
    async fn all_sent(&self) -> anyhow::Result<()> {
        leadflow_testkit::wait::try_for("everything is delivered", PATIENCE, async || {
            // Asked seldom: it is the services that need the machine.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let pending = sqlx::query_scalar::<_, bool>(
                "SELECT EXISTS (SELECT FROM notifier.deliveries WHERE status = 'PENDING') \
                 OR EXISTS (SELECT FROM notifier.outbox)",
            );
            matches!(pending.fetch_one(&self.pool).await, Ok(false)).then_some(())
        })
        .await
        .context("webhooks are left to be sent")
    }

    /// Posts so many leads as fast as they are taken and waits for the last one's delivery and capture.
    async fn settle(&mut self, target: &Target, leads: u64) -> anyhow::Result<(f64, Counters)> {
        self.receiver.clear();
        // Row counters are published a second late.
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let before = Counters::read(&self.pool).await?;
        let began = SystemClock.now();
        load::burst(target, self.numbers.take(leads), self.args.connections, true).await?;
        let ended = book::rest(&self.pool, &before, leads, PATIENCE).await?;
        let took = (ended - began).to_std().unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let after = Counters::read(&self.pool).await?;
        Ok((leads as f64 / took.as_secs_f64(), after.per_lead_since(&before, leads)))
    }

    fn per_lead(&mut self, run: &str, counters: &Counters, before: &usage::Cpu, after: &usage::Cpu, leads: u64) {
        let round_trips = counters.statements.map_or_else(
            || "not known: this PostgreSQL has no pg_stat_statements".to_owned(),
            |statements| format!("{statements:.2} (calls in pg_stat_statements, BEGIN and COMMIT included)"),
        );
        let rows = [
            ("rows inserted, updated or deleted".to_owned(), format!("{:.1}", counters.rows)),
            ("WAL bytes".to_owned(), grouped(counters.wal_bytes)),
            ("bytes stored, indexes and dead rows included".to_owned(), grouped(counters.stored_bytes)),
            ("SQL statements".to_owned(), round_trips),
            ("transactions".to_owned(), format!("{:.3}", counters.commits)),
        ];
        self.report
            .note(format!("For each lead (1 replica, 10 wallets; {run}):\n\n{}", table(["for each lead", ""], rows)));
        let spent = |name: &String| after.get(name).unwrap_or(&0.0) - before.get(name).unwrap_or(&0.0);
        let total: f64 = after.keys().map(spent).sum();
        let rows = after.keys().map(|name| {
            let seconds = spent(name);
            let value = format!("{:.0} µs ({:.0} %)", seconds * 1e6 / leads as f64, 100.0 * seconds / total.max(1e-9));
            (name.clone(), value)
        });
        self.report.note(format!(
            "Where the time goes: CPU for each lead in that run, {:.0} µs in all:\n\n{}",
            total * 1e6 / leads as f64,
            table(["process", "CPU for each lead"], rows)
        ));
    }

    async fn latency(&mut self) -> anyhow::Result<()> {
        // Of two maxima the larger, which is the stricter.
        let rate = self.args.rate.unwrap_or(self.sent.max(self.settled) / 4.0);
        eprintln!("Latency at {} leads a second …", grouped(rate));
        let seconds = if self.args.quick { 4.0 } else { 10.0 };
        self.receiver.clear();
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let before = Counters::read(&self.pool).await?;
        let numbers = self.numbers.take((rate * seconds) as u64);
        sqlx::query("SELECT pg_stat_statements_reset()").execute(&self.pool).await?;
        let (outcome, due) = load::paced(&self.target, numbers.clone(), rate, PACED_CONNECTIONS).await?;
        book::rest(&self.pool, &before, numbers.end - numbers.start, PATIENCE).await?;
        book::say_slowest(&self.pool).await?;
        let missing = || numbers.clone().any(|number| self.receiver.arrival(number).is_none());
        leadflow_testkit::wait::try_for("every webhook arrives", PATIENCE, async || (!missing()).then_some(()))
            .await
            .context("a webhook did not arrive")?;
        let mut arrivals: Vec<Duration> = numbers
            .clone()
            .zip(&due)
            .filter_map(|(number, due)| Some(self.receiver.arrival(number)?.saturating_duration_since(*due)))
            .collect();
        arrivals.sort_unstable();
        let millis = |sorted: &[Duration], share| percentile(sorted, share).as_secs_f64() * 1e3;
        let which = if self.args.rate.is_some() { "as asked for" } else { "a quarter of the maximum" };
        let at = format!("at {}/s, {which}", grouped(rate));
        self.report.millis(format!("post to decision p50 {at}"), millis(&outcome.latencies, 0.5), Goal::AtMost(5.0));
        self.report.millis(format!("post to decision p99 {at}"), millis(&outcome.latencies, 0.99), Goal::AtMost(25.0));
        self.report.millis(format!("post to webhook p50 {at}"), millis(&arrivals, 0.5), Goal::None);
        self.report.millis(format!("post to webhook p99 {at}"), millis(&arrivals, 0.99), Goal::AtMost(150.0));
        Ok(())
    }

    /// 1,000 wallets that buy, then as many idle ones beside them as make 100,000.
    async fn wallets(&mut self, leads: u64) -> anyhow::Result<()> {
        let (campaigns, all) = if self.args.quick { (10, 10_000) } else { (100, 100_000) };
        eprintln!("{} wallets …", campaigns * 10);
        let many = self.market.campaigns(campaigns, true).await?;
        let (rate, _) = self.settle(&many, leads).await?;
        self.report
            .rate(format!("settled leads, {campaigns} campaigns, {} wallets", grouped(campaigns as f64 * 10.0)), rate);
        eprintln!("{all} wallets …");
        let idle = all - i64::try_from(campaigns)? * 10 - 10;
        book::idle_wallets(&self.pool, self.market.seller.uuid(), idle).await?;
        let (rate, _) = self.settle(&many, leads).await?;
        self.report.rate(
            format!(
                "settled leads, {campaigns} campaigns, {} wallets, all but {} of them idle",
                grouped(all as f64),
                campaigns * 10
            ),
            rate,
        );
        Ok(())
    }

    /// The gateway alone, as the bare acknowledgement is: nobody consumes what it stores.
    async fn ingest(&mut self, lazy: f64, synced: f64) -> anyhow::Result<()> {
        eprintln!("The gateway alone …");
        for replica in &mut self.cluster.replicas {
            if replica.role != "ingest" {
                replica.kill9();
            }
        }
        load::burst(&self.target, self.numbers.take(1_000), self.args.connections, true).await?;
        let posts = self.numbers.take(self.args.leads() * 2);
        let outcome = load::burst(&self.target, posts, self.args.connections, true).await?;
        let (rate, sync) = (outcome.per_second(), self.args.sync);
        self.report.ratio(
            format!("ingest (respond-async, sync_interval {sync}) / bare acks that are not synced"),
            rate,
            lazy,
            0.8,
        );
        self.report.figure(
            format!("ingest (respond-async, sync_interval {sync}) / bare acks with the same setting"),
            format!("{} / {} = {:.2}", grouped(rate), grouped(synced), rate / synced),
            None,
            Goal::None,
        );
        let p99 = percentile(&outcome.latencies, 0.99).as_secs_f64() * 1e3;
        self.report.millis("ingest respond-async p99 at full load", p99, Goal::None);
        Ok(())
    }

    /// The database alone, and the handler that everybody writes first.
    async fn limits(&mut self) -> anyhow::Result<()> {
        eprintln!("Plain SQL …");
        for replica in &mut self.cluster.replicas {
            replica.kill9();
        }
        let leads = i64::try_from(self.args.leads())?;
        let campaigns: Vec<_> = self.target.campaigns.iter().map(|id| id.uuid()).collect();
        let batches = sql::prepare(&self.pool, leads, &campaigns).await?;
        let mut limit = 0.0_f64;
        for connections in [1, 2] {
            sql::again(&self.pool).await?;
            let rate = sql::write(&self.pool, batches, connections).await?;
            self.report
                .rate(format!("plain SQL, the same rows in the same batches, {connections} connection(s)"), rate);
            limit = limit.max(rate);
        }
        eprintln!("One transaction for each lead …");
        sql::again(&self.pool).await?;
        let (mut stand_in, address) = stand_in::start(StandIn::Transaction, &self.cluster.postgres.url()).await?;
        let target = Target { address, ..self.target.clone() };
        load::burst(&target, self.numbers.take(200), self.args.connections, false).await?;
        let posts = self.numbers.take(if self.args.quick { 1_000 } else { 4_000 });
        let single = load::burst(&target, posts, self.args.connections, false).await?.per_second();
        stand_in.kill().await?;
        self.report.rate("one transaction for each lead (16 connections to the database)", single);
        for (run, rate) in [("receivers hang", self.settled), ("every webhook sent", self.sent)] {
            self.report.ratio(format!("settled leads, {run} / plain SQL"), rate, limit, 0.5);
            self.report.ratio(format!("settled leads, {run} / one transaction for each lead"), rate, single, 4.0);
        }
        Ok(())
    }
}

fn memory(cluster: &Cluster, when: &str) -> String {
    let rows = usage::memory(cluster).into_iter().map(|(name, mib)| (name, format!("{mib:.0} MiB")));
    format!("Resident memory {when}:\n\n{}", table(["process", "resident"], rows))
}
