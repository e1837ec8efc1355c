//! Spreading calls over the replicas of a service that can be reached.
//!
//! The balancer itself gives an unreachable replica its share of the calls, and all of those fail. So
//! a task tries every address and takes those that do not answer out of the balance until they do. A
//! replica that has just died costs calls for at most one round.

use std::time::Duration;

use tokio::{net::TcpStream, sync::mpsc::Sender};
use tonic::transport::{Channel, Endpoint, channel::Change};

/// How often each address is tried, and how long it has to answer.
const EVERY: Duration = Duration::from_millis(500);

/// A channel over `endpoints`, all of which are believed in at first.
pub(super) fn channel(endpoints: Vec<Endpoint>) -> Channel {
    let (channel, changes) = Channel::balance_channel(endpoints.len().max(1) * 2);
    tokio::spawn(watch(endpoints, changes));
    channel
}

/// Ends when the channel is gone.
async fn watch(endpoints: Vec<Endpoint>, changes: Sender<Change<usize, Endpoint>>) {
    let mut in_balance = vec![false; endpoints.len()];
    let mut wanted = vec![true; endpoints.len()];
    loop {
        for (number, endpoint) in endpoints.iter().enumerate() {
            let change = match (in_balance[number], wanted[number]) {
                (false, true) => Change::Insert(number, endpoint.clone()),
                (true, false) => Change::Remove(number),
                _ => continue,
            };
            if changes.send(change).await.is_err() {
                return;
            }
            in_balance[number] = wanted[number];
        }
        tokio::select! {
            () = changes.closed() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        wanted = futures::future::join_all(endpoints.iter().map(answers)).await;
        if !wanted.contains(&true) {
            // Calls shall fail at once, not wait for a replica to appear.
            wanted.fill(true);
        }
    }
}

async fn answers(endpoint: &Endpoint) -> bool {
    let uri = endpoint.uri();
    let Some(host) = uri.host() else { return false };
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let connected = TcpStream::connect((host.trim_matches(['[', ']']), port));
    tokio::time::timeout(EVERY, connected).await.is_ok_and(|outcome| outcome.is_ok())
}
