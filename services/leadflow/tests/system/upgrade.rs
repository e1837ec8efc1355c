//! The release before this one runs, with data and under load, and this one takes its place: schema first, then replica by replica.
//!
//! `LEADFLOW_PREVIOUS` is the executable of the release before; `make upgrade-check` builds it.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Output,
};

use leadflow_testkit::wait;
use tokio::process::Command;

use crate::{
    traffic::{Connections, GRACE, Traffic, doubled},
    world::{PATIENCE, World},
};

const OURS: &str = env!("CARGO_BIN_EXE_leadflow");
/// What calls before what is called: a release that stops without a word fails calls of callers that are as old as itself.
const FIRST: [&str; 2] = ["bff", "ingest"];
const THEN: [&str; 4] = ["accounts", "distribution", "billing", "notifier"];
/// Goes back and forward again: its schema changes most.
const UNDECIDED: &str = "distribution";

#[tokio::test(flavor = "multi_thread")]
async fn a_release_takes_the_place_of_the_one_before_under_load() {
    let Some(previous) = std::env::var_os("LEADFLOW_PREVIOUS").map(PathBuf::from) else {
        println!("skipped: LEADFLOW_PREVIOUS names no executable of the release before; run: make upgrade-check");
        return;
    };
    let mut options = doubled();
    options.binary.clone_from(&previous);
    let mut world = World::start(options).await;
    let traffic = Traffic::start(&world, Connections::New).await;
    for _ in 0..5 {
        traffic.goes_on("the release before").await;
    }

    let before = level(&world).await;
    let (one, two, three) = tokio::join!(migrate(&world), migrate(&world), migrate(&world));
    for run in [one, two, three, migrate(&world).await] {
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }
    println!("migrations: {before} of the release before, {} of this one", level(&world).await);
    traffic.goes_on("the release before with the schema of this one").await;

    for role in FIRST {
        for index in world.cluster.indices(role) {
            replace(&mut world, &traffic, index, Path::new(OURS)).await;
        }
    }
    for replica in 0..2 {
        for role in THEN {
            let index = world.cluster.indices(role)[replica];
            replace(&mut world, &traffic, index, Path::new(OURS)).await;
        }
    }
    for binary in [previous.as_path(), Path::new(OURS)] {
        for index in world.cluster.indices(UNDECIDED) {
            replace(&mut world, &traffic, index, binary).await;
        }
    }
    traffic.goes_on("this release").await;
    traffic.finish(&world).await;
}

/// Stops a replica and starts it from this executable. Nobody is given to it any more before it stops, as in a cluster.
async fn replace(world: &mut World, traffic: &Traffic, index: usize, binary: &Path) {
    let (role, address) = {
        let replica = &world.cluster.replicas[index];
        (replica.role, SocketAddr::from(([127, 0, 0, 1], replica.http)))
    };
    let take_out = |world: &World, out| {
        if let Some(balancer) = world.cluster.balancer(role) {
            balancer.take_out(address, out);
        }
    };
    take_out(world, true);
    traffic.goes_on(&format!("before one {role} stops")).await;
    let replica = &mut world.cluster.replicas[index];
    let ended = replica.stop(GRACE).await.unwrap();
    assert!(ended.success(), "{role}: {ended}\n{}", replica.last_words());
    traffic.goes_on(&format!("without one {role}")).await;
    let replica = &mut world.cluster.replicas[index];
    replica.use_binary(binary);
    replica.spawn().unwrap();
    world.cluster.ready(index).await.unwrap();
    take_out(world, false);
    if let Some(balancer) = world.cluster.balancer(role) {
        wait::until("the balancer knows it", PATIENCE, async || balancer.gives(address)).await;
    }
}

async fn migrate(world: &World) -> Output {
    Command::new(OURS).arg("migrate").envs(world.cluster.env()).current_dir("/").output().await.unwrap()
}

/// Migrations that the schemas have.
async fn level(world: &World) -> i64 {
    let level = "SELECT (SELECT count(*) FROM accounts._sqlx_migrations) + (SELECT count(*) FROM billing._sqlx_migrations) \
                 + (SELECT count(*) FROM distribution._sqlx_migrations) + (SELECT count(*) FROM notifier._sqlx_migrations)";
    sqlx::query_scalar(level).fetch_one(&world.books).await.unwrap()
}
