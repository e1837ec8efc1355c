//! Spreading calls over the replicas of a service that can be reached.
//!
//! Where they are is told by URLs, one for each, or by a name that resolves to all of them (a service of compose, a headless one of
//! Kubernetes), which is looked up again and again: replicas come and go. The balancer itself gives an unreachable replica its share
//! of the calls, and all of those fail. So a task tries every address and takes those that do not answer out of the balance until they
//! do. A replica that has just died costs calls for at most one round.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use tokio::{net::TcpStream, sync::mpsc::Sender};
use tonic::transport::{self, Endpoint, channel::Change};

use super::{Channel, client::endpoint};

/// How often each address is tried, and how long it has to answer.
const EVERY: Duration = Duration::from_millis(500);
/// Every how many rounds names are looked up; at once where none of a name's addresses answers.
const LOOK_UP_EVERY: u32 = 6;
/// Changes that may wait for the balancer.
const CHANGES: usize = 64;

/// Finds a name's addresses; none when it cannot.
pub(super) type Resolver = Box<dyn Fn(String) -> BoxFuture<'static, BTreeSet<SocketAddr>> + Send + Sync>;

/// Whether a service may have more than one replica behind this address.
pub(super) fn is_name(endpoint: &Endpoint) -> bool {
    let host = host(endpoint);
    // A certificate is for the name.
    endpoint.uri().scheme_str() == Some("http") && host != "localhost" && host.parse::<std::net::IpAddr>().is_err()
}

/// A channel over the replicas at `endpoints`, all of which are believed in at first.
pub(super) fn channel(endpoints: Vec<Endpoint>, resolver: Resolver) -> Channel {
    let (channel, changes) = transport::Channel::balance_channel(CHANGES);
    let answering = Arc::new(AtomicUsize::new(endpoints.len()));
    tokio::spawn(watch(endpoints, changes, resolver, Arc::clone(&answering)));
    Channel::balanced(channel, answering)
}

/// The system's resolver.
pub(super) fn system() -> Resolver {
    Box::new(|name| {
        Box::pin(async move { tokio::net::lookup_host(name).await.map(|found| found.collect()).unwrap_or_default() })
    })
}

/// A replica, as far as is known: its address, or the name of a service that does not resolve, so that calls fail at once.
type Key = String;

/// Ends when the channel is gone.
async fn watch(
    named: Vec<Endpoint>,
    changes: Sender<Change<Key, Endpoint>>,
    resolver: Resolver,
    count: Arc<AtomicUsize>,
) {
    // Believed in at first, by name: the first call need not wait for the resolver.
    let mut known: BTreeMap<Key, Endpoint> = named.iter().map(|one| (one.uri().to_string(), one.clone())).collect();
    let mut wanted: BTreeSet<Key> = known.keys().cloned().collect();
    let mut in_balance: BTreeSet<Key> = BTreeSet::new();
    let mut round = 0_u32;
    loop {
        // What is new before what goes: the balance is never empty.
        for key in wanted.difference(&in_balance).cloned().collect::<Vec<_>>() {
            let Some(endpoint) = known.get(&key) else { continue };
            if changes.send(Change::Insert(key.clone(), endpoint.clone())).await.is_err() {
                return;
            }
            in_balance.insert(key);
        }
        for key in in_balance.difference(&wanted).cloned().collect::<Vec<_>>() {
            if changes.send(Change::Remove(key.clone())).await.is_err() {
                return;
            }
            in_balance.remove(&key);
        }
        if round > 0 {
            tokio::select! {
                () = changes.closed() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
        if round.is_multiple_of(LOOK_UP_EVERY) || wanted.is_empty() {
            known = look_up(&named, &resolver).await;
        }
        round = round.wrapping_add(1).max(1);
        let answering = join_all(known.iter().map(async |(key, one)| answers(one).await.then(|| key.clone()))).await;
        wanted = answering.into_iter().flatten().collect();
        count.store(wanted.len(), Ordering::Relaxed);
        if wanted.is_empty() {
            // Calls shall fail at once, not wait for a replica to appear. And perhaps they have moved.
            known = look_up(&named, &resolver).await;
            wanted = known.keys().cloned().collect();
        }
    }
}

/// The replicas behind `named`.
async fn look_up(named: &[Endpoint], resolver: &Resolver) -> BTreeMap<Key, Endpoint> {
    let found = join_all(named.iter().map(async |one| {
        let itself = || vec![(one.uri().to_string(), one.clone())];
        if !is_name(one) {
            return itself();
        }
        let port = port(one);
        let addresses = resolver(format!("{}:{port}", host(one))).await;
        let replicas: Vec<_> = addresses
            .into_iter()
            .filter_map(|address| {
                let url = format!("http://{address}");
                endpoint(url.clone()).ok().map(|replica| (url, replica))
            })
            .collect();
        if replicas.is_empty() { itself() } else { replicas }
    }))
    .await;
    found.into_iter().flatten().collect()
}

fn host(endpoint: &Endpoint) -> &str {
    endpoint.uri().host().unwrap_or_default().trim_matches(['[', ']'])
}

fn port(endpoint: &Endpoint) -> u16 {
    let uri = endpoint.uri();
    uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })
}

async fn answers(endpoint: &Endpoint) -> bool {
    let connected = TcpStream::connect((host(endpoint), port(endpoint)));
    tokio::time::timeout(EVERY, connected).await.is_ok_and(|outcome| outcome.is_ok())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use leadflow_testkit::wait;
    use tokio::net::TcpListener;
    use tonic::transport::{Server, server::TcpIncoming};
    use tonic_health::{
        ServingStatus,
        pb::{HealthCheckRequest, health_client::HealthClient},
        server::health_reporter,
    };

    use super::*;

    /// A replica at `host` that says `status` of itself.
    async fn replica(host: &str, port: u16, status: ServingStatus) -> SocketAddr {
        let listener = TcpListener::bind((host, port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (reporter, service) = health_reporter();
        reporter.set_service_status("", status).await;
        tokio::spawn(Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(listener)));
        address
    }

    async fn seen(channel: &Channel) -> BTreeSet<i32> {
        let mut client = HealthClient::new(channel.clone());
        let mut seen = BTreeSet::new();
        for _ in 0..50 {
            if let Ok(answer) = client.check(HealthCheckRequest { service: String::new() }).await {
                seen.insert(answer.into_inner().status);
            }
        }
        seen
    }

    #[tokio::test]
    async fn a_name_stands_for_all_replicas_and_they_may_come_and_go() {
        const ONE: i32 = ServingStatus::Serving as i32;
        const OTHER: i32 = ServingStatus::NotServing as i32;
        let one = replica("127.0.0.2", 0, ServingStatus::Serving).await;
        let other = replica("127.0.0.3", one.port(), ServingStatus::NotServing).await;
        let addresses = Arc::new(Mutex::new(BTreeSet::from([one])));
        let told = addresses.clone();
        let resolver: Resolver = Box::new(move |name| {
            assert_eq!(name, format!("billing.invalid:{}", one.port()));
            let told = told.lock().unwrap().clone();
            Box::pin(async move { told })
        });
        let named = endpoint(format!("http://billing.invalid:{}", one.port())).unwrap();
        assert!(is_name(&named));
        let channel = channel(vec![named], resolver);
        let until = async |what: &str, wanted: BTreeSet<i32>| {
            wait::until(what, Duration::from_secs(30), async || seen(&channel).await == wanted).await;
        };
        until("the one replica answers", BTreeSet::from([ONE])).await;
        addresses.lock().unwrap().insert(other);
        until("both answer", BTreeSet::from([ONE, OTHER])).await;
        addresses.lock().unwrap().remove(&one);
        until("the one that is left answers", BTreeSet::from([OTHER])).await;
    }

    #[test]
    fn addresses_and_this_machine_are_no_names() {
        for (url, name) in [
            ("http://127.0.0.1:1", false),
            ("http://[::1]:1", false),
            ("http://localhost:1", false),
            ("https://billing:1", false),
            ("http://billing:1", true),
        ] {
            assert_eq!(is_name(&endpoint(url.to_owned()).unwrap()), name, "{url}");
        }
    }
}
