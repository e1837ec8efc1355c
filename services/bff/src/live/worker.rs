//! Listens to NATS while somebody listens to us, and looks now and then whether those who do still may.

use std::{collections::HashSet, time::Duration};

use leadflow_contracts::accounts::CheckSessionsRequest;
use leadflow_kernel::Backoff;
use leadflow_messaging::{
    Bus, BusSettings,
    listener::{Heard, Listener},
};
use tokio::time::Instant;

use super::{decode::SUBJECTS, hub::Live};
use crate::outbound::services::Services;

const RETRY: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
/// How long the connection to NATS is tried before it is said to be away.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Sessions that are asked about at once.
const SESSIONS: usize = 500;
/// Looks in a row that may fail before the streams end: nobody listens for long whom nobody vouches for.
const UNCHECKED: u32 = 6;

/// Runs until shutdown.
pub async fn run(live: Live, services: Services, nats_url: String) {
    tokio::join!(hear(&live, &nats_url), check(&live, &services));
}

async fn hear(live: &Live, nats_url: &str) {
    let settings = BusSettings { url: nats_url.to_owned(), source: "bff".to_owned(), connect_within: CONNECT_WITHIN };
    let mut bus = None;
    let whole = async {
        let mut count = live.count();
        let mut failures = 0;
        // Ends with the last clone of `live`, which is here.
        while count.wait_for(|listeners| *listeners > 0).await.is_ok() {
            match listener(&mut bus, &settings).await {
                Ok(mut listener) => {
                    failures = 0;
                    let closed = tell(live, &mut listener).await;
                    live.deaf();
                    if closed {
                        bus = None;
                    }
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(failures, %error, "the live feed hears nothing");
                    tokio::time::sleep(RETRY.delay(failures, rand::random())).await;
                }
            }
        }
    };
    tokio::select! {
        () = whole => {}
        () = live.shutdown().cancelled() => {}
    }
    if let Some(bus) = bus {
        bus.close().await;
    }
}

async fn listener(bus: &mut Option<Bus>, settings: &BusSettings) -> Result<Listener, leadflow_messaging::BusError> {
    let bus = match bus {
        Some(bus) => bus,
        None => bus.insert(Bus::connect(settings).await?),
    };
    Listener::on(bus, &SUBJECTS).await
}

/// Tells what is heard until nobody listens any more, or the connection was closed for good (true).
async fn tell(live: &Live, listener: &mut Listener) -> bool {
    live.listening();
    let mut count = live.count();
    loop {
        tokio::select! {
            heard = listener.next() => match heard {
                Some(Heard::Event(message)) => live.tell(&message),
                Some(Heard::Gap) => live.listening(),
                None => return true,
            },
            nobody = count.wait_for(|listeners| *listeners == 0) => {
                drop(nobody);
                return false;
            }
        }
    }
}

async fn check(live: &Live, services: &Services) {
    let mut failures = 0;
    let mut next = Instant::now();
    loop {
        next += live.settings().session_check;
        tokio::select! {
            () = live.shutdown().cancelled() => return,
            () = tokio::time::sleep_until(next) => {}
        }
        next = Instant::now();
        let sessions = live.sessions();
        let mut failed = false;
        for some in sessions.chunks(SESSIONS) {
            let message = CheckSessionsRequest { session_ids: some.to_vec() };
            match services.people().check_sessions(services.unbound(message)).await {
                Ok(answer) => {
                    let good: HashSet<String> = answer.into_inner().good_session_ids.into_iter().collect();
                    let ended: Vec<_> = some.iter().map(String::as_str).filter(|id| !good.contains(*id)).collect();
                    live.end(&ended);
                }
                Err(status) => {
                    failed = true;
                    tracing::warn!(code = ?status.code(), failures, "sessions of listeners cannot be checked");
                }
            }
        }
        failures = if failed { failures + 1 } else { 0 };
        if failures >= UNCHECKED {
            live.end(&sessions.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
