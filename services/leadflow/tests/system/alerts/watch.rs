//! A Prometheus that watches the cluster, and what it says of alerts.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::{Duration, Instant},
};

use leadflow_testkit::{
    TempDir,
    cluster::Cluster,
    servers::{Prometheus, PrometheusOptions},
    wait,
};
use serde_json::Value;

use super::rules;
use crate::{client::Client, world::PATIENCE};

/// How long an alert may take to fire, or to end: gauges are looked up every 10 s, and some causes need half a minute to be seen.
const WITHIN: Duration = Duration::from_secs(180);
/// Seconds that a healthy cluster is looked at: longer than the longest `for:` and what a gauge takes to be looked up.
const HEALTHY: u32 = 32;
/// Prometheus itself has not looked anywhere for its first seconds.
const SETTLING: u32 = 8;

/// The programs of `make alert-check`.
pub struct Tools {
    prometheus: PathBuf,
    promtool: PathBuf,
}

impl Tools {
    /// None: this is a run without Prometheus.
    pub fn find() -> Option<Self> {
        let of = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        Some(Self { prometheus: of("LEADFLOW_PROMETHEUS")?, promtool: of("LEADFLOW_PROMTOOL")? })
    }

    /// promtool's own checks of the rules and of the configuration that compose has.
    pub fn check(&self, dir: &Path, short: &Path) {
        let config = std::fs::read_to_string(rules::root().join("deploy/prometheus/prometheus.yml")).unwrap();
        let place = "/etc/prometheus/alerts.yml";
        assert!(config.contains(place), "{config}");
        let (ours, copy) = (rules::root().join("deploy/prometheus/alerts.yml"), dir.join("checked.yml"));
        std::fs::write(&copy, config.replace(place, &ours.display().to_string())).unwrap();
        for (what, file) in [("rules", ours.as_path()), ("rules", short), ("config", copy.as_path())] {
            let output = Command::new(&self.promtool).args(["check", what]).arg(file).output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "promtool check {what} {}:\n{text}", file.display());
            let said =
                text.lines().map(str::trim).filter(|line| line.contains("SUCCESS")).collect::<Vec<_>>().join(", ");
            println!("alerts: promtool check {what}: {said}");
        }
    }
}

/// What an alert's labels must be, besides its name.
type Labels<'a> = &'a [(&'a str, &'a str)];

pub struct Watch {
    prometheus: Prometheus,
    client: Client,
    fired: Mutex<BTreeMap<String, Duration>>,
    _dir: TempDir,
}

impl Watch {
    /// Watches every process of `cluster`, when each has said that it is ready.
    pub async fn start(tools: &Tools, cluster: &Cluster) -> Self {
        let dir = TempDir::new("prometheus").unwrap();
        let short = dir.path().join("alerts.yml");
        std::fs::write(&short, rules::shortened(&rules::text())).unwrap();
        tools.check(dir.path(), &short);
        let client = Client::new();
        let mut targets = Vec::new();
        // The sandbox stands for what is outside.
        for replica in cluster.replicas.iter().filter(|replica| replica.role != "sandbox") {
            let port = replica.metrics.unwrap();
            let line = format!("leadflow_ready{{role=\"{}\"}} 1", replica.role);
            wait::until(format!("{} tells that it is ready", replica.role), PATIENCE, async || {
                let answer = client.get(&format!("http://127.0.0.1:{port}/metrics"), &[]).await;
                answer.is_ok_and(|answer| answer.body.as_str().is_some_and(|text| text.contains(&line)))
            })
            .await;
            targets.push((replica.role.to_owned(), port));
        }
        let options = PrometheusOptions {
            program: tools.prometheus.clone(),
            dir: dir.path().join("server"),
            rules: short,
            targets,
        };
        let prometheus = Prometheus::start(&options).await.unwrap();
        Self { prometheus, client, fired: Mutex::default(), _dir: dir }
    }

    async fn ask(&self, path: &str) -> Value {
        let url = format!("{}/api/v1/{path}", self.prometheus.url());
        self.client.get(&url, &[]).await.map_or(Value::Null, |answer| answer.body["data"].clone())
    }

    /// Labels of every alert that fires now; none while Prometheus does not answer.
    async fn firing(&self) -> Option<Vec<Value>> {
        let data = self.ask("alerts").await;
        let alerts = data["alerts"].as_array()?;
        Some(alerts.iter().filter(|alert| alert["state"] == "firing").map(|alert| alert["labels"].clone()).collect())
    }

    async fn value(&self, query: &str) -> f64 {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let data = self.ask(&format!("query?query={query}")).await;
        data["result"][0]["value"][1].as_str().and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    /// Looks at what nobody has harmed yet: no alert may have fired at any moment.
    pub async fn sees_nothing_wrong(&self) {
        let looked = async || self.value("time() - max(min_over_time(timestamp(leadflow_ready)[10m:1s]))").await;
        let enough = f64::from(SETTLING + HEALTHY);
        wait::until("Prometheus has looked for long enough", WITHIN, async || looked().await >= enough).await;
        let query = format!("query?query=count_over_time(ALERTS%7Balertstate%3D%22firing%22%7D%5B{HEALTHY}s%5D)");
        let fired = self.ask(&query).await;
        assert_eq!(fired["result"].as_array().map(Vec::len), Some(0), "fired on a healthy cluster: {fired:#}");
        let metrics = ["leadflow_leads_total", "leadflow_sale_debit_duration_seconds_count", "leadflow_messages_total"];
        for metric in metrics {
            assert!(self.value(&format!("sum({metric})")).await > 0.0, "nothing was measured: {metric}");
        }
    }

    /// Waits until an alert fires whose cause began then.
    pub async fn fires(&self, alert: &str, labels: Labels<'_>, began: Instant) {
        wait::until(format!("{alert} {labels:?} fires"), WITHIN, async || {
            self.is_firing(alert, labels).await == Some(true)
        })
        .await;
        let took = began.elapsed();
        println!("alerts: {alert} {labels:?} fires after {:.0} s", took.as_secs_f32());
        self.fired.lock().unwrap().entry(alert.to_owned()).or_insert(took);
    }

    /// Waits until it has ended.
    pub async fn ends(&self, alert: &str, labels: Labels<'_>) {
        wait::until(format!("{alert} {labels:?} ends"), WITHIN, async || {
            self.is_firing(alert, labels).await == Some(false)
        })
        .await;
        println!("alerts: {alert} {labels:?} has ended");
    }

    async fn is_firing(&self, alert: &str, labels: Labels<'_>) -> Option<bool> {
        let firing = self.firing().await?;
        Some(
            firing
                .iter()
                .any(|seen| seen["alertname"] == alert && labels.iter().all(|(name, value)| seen[name] == *value)),
        )
    }

    /// Waits until nothing fires but what stays for an hour after its cause.
    pub async fn is_calm(&self, but: &[&str]) {
        let mut last = Vec::new();
        let calm = wait::try_for("only what stays fires", WITHIN, async || {
            last = self.firing().await?;
            last.retain(|labels| !but.iter().any(|name| labels["alertname"] == *name));
            last.is_empty().then_some(())
        })
        .await;
        assert!(calm.is_ok(), "still firing: {last:#?}");
    }

    /// Each alert that has fired, with how long that took.
    pub fn fired(&self) -> BTreeMap<String, Duration> {
        self.fired.lock().unwrap().clone()
    }
}
