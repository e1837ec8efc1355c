//! How long healthy webhooks wait while others hang and fail: one notifier with its servers, sales straight to the stream,
//! and 200 receivers in this process.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::post,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use leadflow_contracts::{
    common, events,
    notifier::{PutEndpointRequest, notifier_client::NotifierClient},
};
use leadflow_kernel::{
    AssignmentId, BuyerId, CampaignId, CategoryId, Clock as _, EndpointId, EventId, LeadId, SellerId, SubscriptionId,
    SupplierId, SystemClock,
};
use leadflow_messaging::{Bus, BusSettings, Envelope, topology};
use leadflow_platform::grpc::{self, Caller, ServiceToken};
use leadflow_testkit::{
    cluster::{Cluster, ClusterOptions, SERVICE_TOKEN},
    wait,
};
use sqlx::PgPool;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Args,
    load::{number_in, percentile},
    report::{Goal, Report, grouped, table},
    usage,
};

const PATIENCE: Duration = Duration::from_secs(180);
/// Sales that are published together.
const CHUNK: usize = 250;
/// What the healthy ones may wait longer because of the others.
const MORE: f64 = 1_000.0;

/// How many receivers of each kind.
#[derive(Debug, Clone, Copy)]
struct Crowd {
    healthy: usize,
    hanging: usize,
    failing: usize,
}

const ALONE: Crowd = Crowd { healthy: 160, hanging: 0, failing: 0 };
const WITH_SICK: Crowd = Crowd { hanging: 20, failing: 20, ..ALONE };

/// What was measured.
struct Outcome {
    /// Of healthy endpoints, from publishing the sale to the webhook's arrival; sorted.
    times: Vec<Duration>,
    /// Resident MiB of the notifier: with the endpoints set, and the most since it began.
    memory: (f64, f64),
    /// Webhooks that came to healthy endpoints more than once.
    twice: u64,
    /// Requests that failing endpoints answered, and that hanging ones took.
    sick: (u64, u64),
}

/// Measures; a fresh notifier each time.
///
/// # Errors
/// When something cannot be started or a webhook does not arrive.
pub async fn run(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let each = if args.quick { 10 } else { 50 };
    let mut memory = Vec::new();
    for pace in [None, Some(if args.quick { 500.0 } else { 250.0 })] {
        let when = pace.map_or_else(|| "all at once".to_owned(), |pace| format!("at {}/s", grouped(pace)));
        let mut least = 0.0;
        for crowd in [ALONE, WITH_SICK] {
            let sick = crowd.hanging + crowd.failing;
            let total = grouped(((crowd.healthy + sick) * each) as f64);
            let among = match sick {
                0 => format!("{total} to {} healthy endpoints", crowd.healthy),
                _ => format!("{total}, {} more endpoints hang, {} fail", crowd.hanging, crowd.failing),
            };
            eprintln!("Webhooks {when}: {among} …");
            // The same for each endpoint, however many there are.
            let share = pace.map(|pace| pace * (crowd.healthy + sick) as f64 / 200.0);
            let outcome = one(args, crowd, each, share).await.with_context(|| format!("{when}, {among}"))?;
            let millis = |share| percentile(&outcome.times, share).as_secs_f64() * 1e3;
            report.millis(format!("webhooks {when}, {among}: healthy ones' p50"), millis(0.5), Goal::None);
            let goal = if sick == 0 { Goal::None } else { Goal::AtMost(least + MORE) };
            least = millis(0.99);
            report.millis(format!("webhooks {when}, {among}: healthy ones' p99"), least, goal);
            let (before, peak) = outcome.memory;
            memory.push((
                format!("{when}: {among}"),
                format!(
                    "{before:.0} MiB before, at most {peak:.0} MiB; {} twice; failing answered {}, hanging took {}",
                    outcome.twice, outcome.sick.0, outcome.sick.1
                ),
            ));
        }
    }
    report.note(format!("Resident memory of the notifier, and what else came:\n\n{}", table(["webhooks", ""], memory)));
    Ok(())
}

async fn one(args: &Args, crowd: Crowd, each: usize, pace: Option<f64>) -> anyhow::Result<Outcome> {
    let binary = std::env::current_exe().context("this executable's path")?;
    let mut options = ClusterOptions { fsync: true, sync: args.sync, ..ClusterOptions::new(binary) };
    options.roles = vec![("notifier", 1)];
    options.env.push(("RUST_LOG".to_owned(), "warn".to_owned()));
    let cluster = Cluster::start(options).await?;
    let pool = PgPool::connect(&cluster.postgres.url()).await?;
    let settings =
        BusSettings { url: cluster.nats.url(), source: "bench".into(), connect_within: Duration::from_secs(10) };
    let bus = Bus::connect(&settings).await?;
    topology::ensure(&bus, topology::TopologySettings::default()).await?;
    let receivers = Receivers::start().await?;
    let seller = SellerId::new();
    let buyers = endpoints(&cluster, seller, crowd, receivers.address).await?;
    let pid = cluster.replicas[0].pid().context("no notifier")?;
    let before = usage::resident(pid).context("the notifier's memory")?;

    let count = buyers.len() * each;
    let published = publish(&bus, seller, &buyers, count, pace).await?;
    let healthy = || (0..count).filter(|number| number % buyers.len() < crowd.healthy);
    let there = || healthy().all(|number| receivers.shared.arrival(number).is_some());
    wait::try_for("every healthy endpoint has its webhooks", PATIENCE, async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        there().then_some(())
    })
    .await?;
    wait::try_for("a delivery is written for each sale", PATIENCE, async || {
        let written = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM notifier.deliveries").fetch_one(&pool).await;
        matches!(written, Ok(written) if usize::try_from(written) == Ok(count)).then_some(())
    })
    .await?;
    let mut times: Vec<Duration> = healthy()
        .filter_map(|number| Some(receivers.shared.arrival(number)?.saturating_duration_since(published[number])))
        .collect();
    times.sort_unstable();
    let peak = usage::peak(pid).context("the notifier's memory")?;
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let shared = &receivers.shared;
    Ok(Outcome {
        times,
        memory: (before, peak),
        twice: load(&shared.twice),
        sick: (load(&shared.failed), load(&shared.hung)),
    })
}

/// A buyer with an endpoint for each receiver, the healthy ones first.
async fn endpoints(
    cluster: &Cluster,
    seller: SellerId,
    crowd: Crowd,
    address: SocketAddr,
) -> anyhow::Result<Vec<BuyerId>> {
    let client = NotifierClient::new(grpc::channel(&cluster.grpc_urls("notifier"), "bench")?);
    let caller = Caller::new(ServiceToken::new(SERVICE_TOKEN));
    let kinds = [("healthy", crowd.healthy), ("hanging", crowd.hanging), ("failing", crowd.failing)];
    let kinds = kinds.into_iter().flat_map(|(kind, count)| std::iter::repeat_n(kind, count));
    stream::iter(kinds)
        .map(|kind| {
            let (mut client, buyer) = (client.clone(), BuyerId::new());
            let put = PutEndpointRequest {
                endpoint_id: EndpointId::new().to_string(),
                buyer_id: buyer.to_string(),
                url: format!("http://{address}/{kind}"),
                secret: "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".into(),
                enabled: true,
                expected_version: None,
                ..PutEndpointRequest::default()
            };
            let request = caller.request(put, seller, Duration::from_secs(10));
            async move { client.put_endpoint(request).await.map(|_| buyer) }
        })
        .buffered(8)
        .try_collect()
        .await
        .context("an endpoint is refused")
}

/// Publishes `count` sales to `buyers` in turn, all at once or `pace` a second. Gives when each was published.
async fn publish(
    bus: &Bus,
    seller: SellerId,
    buyers: &[BuyerId],
    count: usize,
    pace: Option<f64>,
) -> anyhow::Result<Vec<Instant>> {
    let mut published = Vec::with_capacity(count);
    let began = Instant::now();
    // Evenly means a few at a time, twenty times a second.
    let chunk = pace.map_or(CHUNK, |pace| ((pace / 20.0).ceil() as usize).max(1));
    while published.len() < count {
        let first = published.len();
        if let Some(pace) = pace {
            sleep_until(began + Duration::from_secs_f64(first as f64 / pace)).await;
        }
        let numbers = first..(first + chunk).min(count);
        let sales: Vec<Envelope> = numbers
            .map(|number| {
                let sale = sale(seller, buyers[number % buyers.len()], number);
                Envelope::new(EventId::new(), &sale, SystemClock.now())
            })
            .collect();
        published.extend(std::iter::repeat_n(Instant::now(), sales.len()));
        bus.publish(&sales).await.context("a sale is not published")?;
    }
    Ok(published)
}

fn sale(seller: SellerId, buyer: BuyerId, number: usize) -> events::LeadAssigned {
    let now = SystemClock.now().timestamp_millis();
    events::LeadAssigned {
        lead_id: LeadId::new().to_string(),
        seller_id: seller.to_string(),
        supplier_id: SupplierId::new().to_string(),
        campaign_id: CampaignId::new().to_string(),
        campaign_name: "Medicare West".into(),
        category_id: CategoryId::new().to_string(),
        category_name: "Medicare Supplement".into(),
        state: "CA".into(),
        quality: "HOT".into(),
        data_json: format!(r#"{{"firstName":"Ada","lastName":"Bench","email":"bench{number}@example.com"}}"#).into(),
        assignments: vec![events::Assignment {
            assignment_id: AssignmentId::new().to_string(),
            buyer_id: buyer.to_string(),
            subscription_id: SubscriptionId::new().to_string(),
            price: Some(common::Money { amount: "25.00".into(), currency: "USD".into() }),
        }],
        received_at_ms: now,
        assigned_at_ms: now,
    }
}

/// The receivers, at one address: what is called `hanging` takes requests and never answers, `failing` answers 500.
struct Receivers {
    address: SocketAddr,
    shared: Arc<Shared>,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Shared {
    /// By the sale's number.
    arrivals: Mutex<Vec<Option<Instant>>>,
    twice: AtomicU64,
    failed: AtomicU64,
    hung: AtomicU64,
}

impl Receivers {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (address, shared) = (listener.local_addr()?, Arc::new(Shared::default()));
        let app = Router::new().route("/{kind}", post(arrived)).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "the receivers ended");
            }
        });
        Ok(Self { address, shared, _serving: AbortOnDropHandle::new(serving) })
    }
}

impl Shared {
    fn arrival(&self, number: usize) -> Option<Instant> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).get(number).copied().flatten()
    }

    fn note(&self, number: usize) {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if arrivals.len() <= number {
            arrivals.resize(number + 1, None);
        }
        if arrivals[number].is_some() {
            self.twice.fetch_add(1, Ordering::Relaxed);
        } else {
            arrivals[number] = Some(Instant::now());
        }
    }
}

async fn arrived(State(shared): State<Arc<Shared>>, Path(kind): Path<String>, body: Bytes) -> StatusCode {
    match kind.as_str() {
        "hanging" => {
            shared.hung.fetch_add(1, Ordering::Relaxed);
            std::future::pending().await
        }
        "failing" => {
            shared.failed.fetch_add(1, Ordering::Relaxed);
            StatusCode::INTERNAL_SERVER_ERROR
        }
        _ => {
            if let Some(number) = number_in(&body).and_then(|number| usize::try_from(number).ok()) {
                shared.note(number);
            }
            StatusCode::OK
        }
    }
}
