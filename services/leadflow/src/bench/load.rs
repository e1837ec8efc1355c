//! The load: suppliers with kept connections.

use std::{
    net::SocketAddr,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use leadflow_kernel::CampaignId;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// The longest any answer may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where leads are posted, and for which campaigns.
#[derive(Clone)]
pub struct Target {
    /// The gateway, or a stand-in for it.
    pub address: SocketAddr,
    /// The supplier's key.
    pub api_key: Arc<str>,
    /// Leads go to these in turn.
    pub campaigns: Arc<[CampaignId]>,
}

/// What became of a load.
#[derive(Debug, Default, Clone)]
pub struct Outcome {
    /// Answers with 2xx.
    pub accepted: u64,
    /// First post to last answer.
    pub took: Duration,
    /// From when a post was due to its answer, sorted.
    pub latencies: Vec<Duration>,
}

impl Outcome {
    /// Accepted posts a second.
    pub fn per_second(&self) -> f64 {
        self.accepted as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

/// The value below which this share of `sorted` lies.
pub fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    sorted.get(((sorted.len() as f64 * share) as usize).min(last)).copied().unwrap_or_default()
}

/// Posts the leads numbered `numbers`, as fast as `connections` allow, each waiting for its answer.
///
/// # Errors
/// When a connection fails or an answer is not 2xx.
pub async fn burst(
    target: &Target,
    numbers: Range<u64>,
    connections: usize,
    respond_async: bool,
) -> anyhow::Result<Outcome> {
    let next = Arc::new(AtomicU64::new(numbers.start));
    let began = Instant::now();
    let mut suppliers = JoinSet::new();
    for _ in 0..connections {
        let (target, next, end) = (target.clone(), Arc::clone(&next), numbers.end);
        suppliers.spawn(async move {
            let mut line = Line::open(target.address).await?;
            let mut latencies = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return anyhow::Ok(latencies);
                }
                let posted = Instant::now();
                line.post(&target, number, respond_async).await?;
                latencies.push(posted.elapsed());
            }
        });
    }
    gather(suppliers, began).await
}

/// Posts at an even `rate` a second, whatever the answers take: an answer that comes late delays no
/// other post, and the time that a post waited for a free connection counts as its own.
///
/// # Errors
/// As [`burst`].
pub async fn paced(
    target: &Target,
    numbers: Range<u64>,
    rate: f64,
    connections: usize,
) -> anyhow::Result<(Outcome, Vec<Instant>)> {
    let next = Arc::new(AtomicU64::new(0));
    let count = numbers.end - numbers.start;
    let began = Instant::now() + Duration::from_millis(100);
    let due = move |index: u64| began + Duration::from_secs_f64(index as f64 / rate);
    let mut suppliers = JoinSet::new();
    for _ in 0..connections {
        let (target, next, first) = (target.clone(), Arc::clone(&next), numbers.start);
        suppliers.spawn(async move {
            let mut line = Line::open(target.address).await?;
            let mut latencies = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    return anyhow::Ok(latencies);
                }
                sleep_until(due(index)).await;
                line.post(&target, first + index, false).await?;
                latencies.push(due(index).elapsed());
            }
        });
    }
    let outcome = gather(suppliers, began).await?;
    Ok((outcome, (0..count).map(due).collect()))
}

async fn gather(mut suppliers: JoinSet<anyhow::Result<Vec<Duration>>>, began: Instant) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    while let Some(ended) = suppliers.join_next().await {
        outcome.latencies.extend(ended.context("a supplier's task")??);
    }
    outcome.took = began.elapsed();
    outcome.accepted = outcome.latencies.len() as u64;
    outcome.latencies.sort_unstable();
    Ok(outcome)
}

/// Whether the target refuses an empty lead of this campaign for its fields: it knows key and campaign.
pub async fn is_known(target: &Target, campaign: CampaignId) -> bool {
    let asked = async {
        let mut line = Line::open(target.address).await?;
        let body = format!(r#"{{"campaignId":"{campaign}","data":{{}}}}"#);
        anyhow::Ok(line.send(target, body.into(), false).await?.0.as_u16() == 422)
    };
    asked.await.unwrap_or(false)
}

/// One kept connection.
struct Line(SendRequest<Full<Bytes>>);

impl Line {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    async fn post(&mut self, target: &Target, number: u64, respond_async: bool) -> anyhow::Result<()> {
        let (status, body) = self.send(target, lead(target, number), respond_async).await?;
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body[..body.len().min(300)]));
        Ok(())
    }

    async fn send(&mut self, target: &Target, body: Bytes, respond_async: bool) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut request = Request::post("/api/leads/ingest")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("x-api-key", &*target.api_key);
        if respond_async {
            request = request.header("prefer", "respond-async");
        }
        let request = request.body(Full::new(body))?;
        let answered = async {
            self.0.ready().await?;
            let response = self.0.send_request(request).await?;
            let status = response.status();
            Ok((status, response.into_body().collect().await?.to_bytes()))
        };
        tokio::time::timeout(PATIENCE, answered).await.context("no answer in time")?
    }
}

/// A lead of a person who is nobody else.
fn lead(target: &Target, number: u64) -> Bytes {
    let campaign = target.campaigns[(number % target.campaigns.len() as u64) as usize];
    let phone = 2_000_000 + number;
    format!(
        r#"{{"campaignId":"{campaign}","state":"CA","quality":"HOT","data":{{"firstName":"Ada","lastName":"Lovelace","email":"bench{number}@example.com","phone":"+1212{phone:07}","age":45}}}}"#
    )
    .into()
}

/// The number of the lead in a text that holds its e-mail address.
pub fn number_in(text: &[u8]) -> Option<u64> {
    const MARK: &[u8] = b"\"bench";
    let at = text.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let digits = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&text[at..at + digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lead_is_found_again_by_its_address() {
        let target = Target {
            address: ([127, 0, 0, 1], 1).into(),
            api_key: "k".into(),
            campaigns: vec![CampaignId::new()].into(),
        };
        assert_eq!(number_in(&lead(&target, 4711)), Some(4711));
        assert_eq!(number_in(b"{}"), None);
    }

    #[test]
    fn percentiles_of_few_and_many() {
        let sorted: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&sorted, 0.5), Duration::from_millis(51));
        assert_eq!(percentile(&sorted, 0.99), Duration::from_millis(100));
        assert_eq!(percentile(&[], 0.99), Duration::ZERO);
    }
}
