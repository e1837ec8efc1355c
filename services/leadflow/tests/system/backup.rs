//! A backup that is taken under load, restored on new servers: whatever suppliers had been told by then is there, is done once, and everything goes on.

use std::{
    collections::HashSet,
    path::Path,
    process::Output,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
};
use leadflow_contracts::common::Logic;
use leadflow_kernel::DeliveryId;
use leadflow_testkit::{
    TempDir,
    books::{self, Answer},
    cluster::Cluster,
    wait,
};
use serde_json::Value;
use sqlx::{PgPool, types::Uuid};
use tokio::net::TcpListener;

use crate::{
    client::told,
    world::{PATIENCE, Terms, World, doubled, lead},
};

const POSTERS: usize = 8;
/// Leads before the backup begins, and after it has ended.
const LEADS: usize = 150;

type Arrived = Arc<Mutex<HashSet<String>>>;

/// Takes every webhook; keeps their ids.
async fn receiver(arrived: Arrived) -> String {
    let take = async move |headers: HeaderMap| {
        let id = headers["webhook-id"].to_str().unwrap().to_owned();
        arrived.lock().unwrap().insert(id);
        StatusCode::OK
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take)).await });
    url
}

async fn leadflow(world: &World, args: &[&std::ffi::OsStr]) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_leadflow"));
    command.args(args).envs(world.cluster.env()).current_dir(world.cluster.logs()).output().await.unwrap()
}

async fn backup(world: &World, to: &Path) -> Output {
    leadflow(world, &["backup".as_ref(), "--to".as_ref(), to.as_os_str()]).await
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_promised_before_a_backup_is_kept_by_whoever_is_restored_from_it() {
    let folder = TempDir::new("backup").unwrap();
    let copy = folder.path().join("copy");
    let world = Arc::new(World::start(doubled()).await);
    let campaign = world.campaign(Logic::RoundRobin, "1.00", 0).await;
    let arrived = Arrived::default();
    let receiver = receiver(arrived.clone()).await;
    for name in ["one", "two", "three"] {
        let buyer = world.buyer(name, 5, "5000.00").await;
        // The sandbox will be elsewhere afterwards.
        sqlx::query("UPDATE notifier.endpoints SET url = $1").bind(&receiver).execute(&world.books).await.unwrap();
        world.subscribe(campaign, buyer, Terms::default()).await;
    }

    let (next, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let answers: Arc<Mutex<Vec<(usize, Value)>>> = Arc::default();
    let posters: Vec<_> = (0..POSTERS)
        .map(|_| {
            let (world, next, stop, answers) = (world.clone(), next.clone(), stop.clone(), answers.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let key = format!("order-{n}");
                    let mut headers = vec![("idempotency-key", key.as_str())];
                    if n.is_multiple_of(3) {
                        headers.push(("prefer", "respond-async"));
                    }
                    let answer = world.post(&lead(campaign, n), &headers).await.unwrap();
                    assert!(answer.status.is_success(), "{answer:?}");
                    answers.lock().unwrap().push((n, answer.body));
                }
            })
        })
        .collect();
    let count = || answers.lock().unwrap().len();
    wait::until("leads are answered", PATIENCE, async || count() >= LEADS).await;
    let before = answers.lock().unwrap().clone();
    let taken = backup(&world, &copy).await;
    assert!(taken.status.success(), "{}", words(&taken));
    println!("{}", words(&taken));
    let until_now = count();
    wait::until("leads are answered after the backup", PATIENCE, async || count() >= until_now + LEADS).await;
    stop.store(true, Ordering::Relaxed);
    for poster in posters {
        poster.await.unwrap();
    }
    let again = backup(&world, &copy).await;
    assert!(!again.status.success() && words(&again).contains("exists"), "{}", words(&again));
    let full = leadflow(&world, &["restore".as_ref(), "--from".as_ref(), copy.as_os_str()]).await;
    assert!(!full.status.success() && words(&full).contains("have been used"), "{}", words(&full));
    let old = Arc::into_inner(world).unwrap();
    let (api_key, seller, category, supplier) = (old.api_key, old.seller, old.category, old.supplier);
    let (client, caller) = (old.client, old.caller);
    drop(old.cluster);

    // The disaster is over: new servers, the copy, and the roles.
    let mut options = doubled();
    options.restore = Some(copy);
    let cluster = Cluster::start(options).await.unwrap();
    let books = PgPool::connect(&cluster.postgres.url()).await.unwrap();
    let world = World { cluster, client, books, seller, category, supplier, api_key, caller };

    let promised: Vec<Value> = before.iter().map(|(_, body)| body.clone()).collect();
    world.settled(&promised).await;
    let promised: Vec<Answer> = before.iter().map(|(_, body)| told(body["leadId"].as_str().unwrap(), body)).collect();
    let expectations = books::Expectations { answers: promised, ..books::Expectations::settled() };
    let report = books::check(&world.books, &expectations).await.unwrap();
    assert!(report.is_clean(), "{report}");

    // A supplier who posts all of it again, as one does who is told of a disaster: what is there is not sold twice, what is not is taken.
    let posted = next.load(Ordering::Relaxed);
    let mut all = Vec::new();
    for n in 0..posted {
        let key = format!("order-{n}");
        wait::until("the gateway is well", PATIENCE, async || {
            match world.post(&lead(campaign, n), &[("idempotency-key", &key)]).await {
                Ok(answer) if answer.status.is_success() => {
                    all.push((n, answer.body));
                    true
                }
                _ => false,
            }
        })
        .await;
    }
    for (n, body) in &before {
        let now = &all.iter().find(|(other, _)| other == n).unwrap().1;
        assert_eq!(now["leadId"], body["leadId"], "the same lead");
    }
    let bodies: Vec<Value> = all.iter().map(|(_, body)| body.clone()).collect();
    world.settled(&bodies).await;
    let answers = bodies.iter().map(|body| told(body["leadId"].as_str().unwrap(), body)).collect();
    let expectations = books::Expectations { answers, ..books::Expectations::settled() };
    let report = books::check(&world.books, &expectations).await.unwrap();
    assert!(report.is_clean(), "{report}");
    let (leads, sales): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM distribution.leads), (SELECT count(*) FROM distribution.assignments)",
    )
    .fetch_one(&world.books)
    .await
    .unwrap();
    assert_eq!((leads, sales), (i64::try_from(posted).unwrap(), i64::try_from(posted).unwrap()), "each once");
    let deliveries: Vec<Uuid> =
        sqlx::query_scalar("SELECT delivery_id FROM notifier.deliveries").fetch_all(&world.books).await.unwrap();
    assert_eq!(deliveries.len(), posted, "one webhook a sale");
    let arrived = arrived.lock().unwrap();
    let missing = deliveries.into_iter().map(DeliveryId::from_uuid).filter(|id| !arrived.contains(&id.to_string()));
    assert_eq!(missing.count(), 0, "every webhook came");
}
