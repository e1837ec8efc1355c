//! Two replicas of every role, and each is restarted in turn while everybody is at work: nobody notices.

use crate::{
    traffic::{Connections, GRACE, ROLES, Traffic, doubled},
    world::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn each_replica_is_restarted_under_load_and_nobody_notices() {
    let mut world = World::start(doubled()).await;
    let traffic = Traffic::start(&world, Connections::Kept).await;
    for role in ROLES {
        for index in world.cluster.indices(role) {
            traffic.goes_on(&format!("before {role} stops")).await;
            let ended = world.cluster.replicas[index].stop(GRACE).await.unwrap();
            assert!(ended.success(), "{role}: {ended}\n{}", world.cluster.replicas[index].last_words());
            traffic.goes_on(&format!("without one {role}")).await;
            world.cluster.replicas[index].spawn().unwrap();
            world.cluster.ready(index).await.unwrap();
        }
    }
    traffic.goes_on("after all").await;
    traffic.finish(&world).await;
}
