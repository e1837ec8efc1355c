//! The key that secrets are stored with is replaced while services work.

use leadflow_contracts::notifier::PutEndpointRequest;
use leadflow_kernel::{BuyerId, EndpointId};
use leadflow_notifier::{
    app::{RotatedPart, Rotation},
    secrets::SecretKeys,
    store::sealed::{self, Resealed},
};

use crate::{
    receiver::Receiver,
    world::{World, code, put},
};

const OLD: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=";
const NEW: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn keys(list: &[&str]) -> SecretKeys {
    SecretKeys::parse(&list.join(",")).unwrap()
}

/// Endpoints with secrets of their own.
async fn buyers(world: &World, count: usize, url: &str) -> Vec<(BuyerId, String)> {
    let mut made = Vec::new();
    for _ in 0..count {
        let buyer = BuyerId::new();
        let request = PutEndpointRequest { secret: String::new(), ..put(buyer, url) };
        let endpoint = world.client().put_endpoint(world.call(request)).await.unwrap().into_inner();
        made.push((buyer, endpoint.secret));
    }
    made
}

async fn all_are_as_they_were(world: &World, made: &[(BuyerId, String)]) {
    for (buyer, secret) in made {
        assert_eq!(world.endpoint(*buyer).await.secret, *secret);
    }
}

/// How many secrets are under which key.
async fn left(rotation: &Rotation) -> Vec<(String, i64)> {
    rotation.keys_in_use().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_dies_half_way_is_taken_up_by_the_next() {
    let receiver = Receiver::start().await;
    let mut world = World::empty().await;
    world.replica(|config| config.keys = keys(&[OLD])).await;
    let made = buyers(&world, 5, &receiver.url).await;
    // Services get both keys before anything is written with the new one, and have both until all is.
    world.stop_one().await;
    world.replica(|config| config.keys = keys(&[NEW, OLD])).await;
    let (new, old) = (keys(&[NEW]).first().to_owned(), keys(&[OLD]).first().to_owned());

    let mut first = Rotation::new(world.db.pool().clone(), keys(&[NEW, OLD]));
    let part = first.step(2).await.unwrap().unwrap();
    assert_eq!(part, RotatedPart { resealed: 2, changed: 0, unreadable: Vec::new() });
    // It dies here.
    let mut mixed = vec![(new.clone(), 2), (old.clone(), 3)];
    mixed.sort();
    assert_eq!(left(&first).await, mixed);
    drop(first);
    all_are_as_they_were(&world, &made).await;
    world.sell(&made.iter().map(|(buyer, _)| *buyer).collect::<Vec<_>>()).await;
    world.all_delivered(5).await;

    let mut second = Rotation::new(world.db.pool().clone(), keys(&[NEW, OLD]));
    let mut resealed = 0;
    while let Some(part) = second.step(2).await.unwrap() {
        resealed += part.resealed;
    }
    assert_eq!(resealed, 3);
    assert_eq!(left(&second).await, [(new.clone(), 5)]);
    // Again, it has nothing to do.
    assert_eq!(Rotation::new(world.db.pool().clone(), keys(&[NEW, OLD])).step(2).await.unwrap(), None);
    // The old key can go.
    world.stop_one().await;
    world.replica(|config| config.keys = keys(&[NEW])).await;
    all_are_as_they_were(&world, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_work_and_owners_change_secrets_while_it_goes_on() {
    let receiver = Receiver::start().await;
    let mut world = World::empty().await;
    // In the middle of a rollout: one writes with the old key, one with the new; both read both.
    world.replica(|config| config.keys = keys(&[OLD, NEW])).await;
    let mut made = buyers(&world, 40, &receiver.url).await;
    world.replica(|config| config.keys = keys(&[NEW, OLD])).await;
    let mut rotation = Rotation::new(world.db.pool().clone(), keys(&[NEW, OLD]));
    let mut parts = 0;
    let mut turn = made.clone().into_iter().enumerate();
    while let Some(part) = rotation.step(3).await.unwrap() {
        assert!(part.unreadable.is_empty());
        parts += 1;
        // Between any two parts an owner asks for a new secret, from either replica, and a lead is delivered.
        let Some((at, (buyer, _))) = turn.next() else { continue };
        let secret = SecretKeys::make().unwrap().text().to_owned();
        let request = PutEndpointRequest { secret: secret.clone(), ..put(buyer, &receiver.url) };
        world.replicas[at % 2].client.clone().put_endpoint(world.call(request)).await.unwrap();
        made[at].1 = secret;
        world.sell(&[buyer]).await;
    }
    // Up to twenty of them were moved by their owners.
    assert!(parts > 6, "{parts}");
    all_are_as_they_were(&world, &made).await;
    let sold = i64::from(parts.min(40));
    world.all_delivered(sold).await;
    // What the replica with the old key first wrote behind the rotation's back is left for another pass.
    let mut again = Rotation::new(world.db.pool().clone(), keys(&[NEW, OLD]));
    while again.step(50).await.unwrap().is_some() {}
    assert_eq!(left(&again).await, [(keys(&[NEW]).first().to_owned(), 40)]);
}

#[tokio::test]
async fn a_secret_that_its_owner_changes_at_that_moment_stays_his() {
    let receiver = Receiver::start().await;
    let mut world = World::empty().await;
    world.replica(|config| config.keys = keys(&[OLD])).await;
    let made = buyers(&world, 1, &receiver.url).await;
    let (old, both) = (keys(&[OLD]), keys(&[NEW, OLD]));
    let mut connection = world.db.pool().acquire().await.unwrap();
    let before = sealed::sealed_with(&mut connection, &[old.first()], None, 10).await.unwrap().pop().unwrap();
    let after = both.seal(before.endpoint, &old.open(before.endpoint, &before.sealed).unwrap()).unwrap();
    // He is faster.
    let secret = SecretKeys::make().unwrap().text().to_owned();
    let request = PutEndpointRequest { secret: secret.clone(), ..put(made[0].0, &receiver.url) };
    world.client().put_endpoint(world.call(request)).await.unwrap();
    let replaced = sealed::reseal(&mut connection, &[Resealed { before, after }]).await.unwrap();
    assert_eq!(replaced, 0);
    assert_eq!(world.endpoint(made[0].0).await.secret, secret);
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_holds_nothing_up() {
    let receiver = Receiver::start().await;
    let mut world = World::empty().await;
    world.replica(|config| config.keys = keys(&[OLD])).await;
    let made = buyers(&world, 3, &receiver.url).await;
    let broken = EndpointId::derive(&[made[1].0.as_bytes()]);
    sqlx::query("UPDATE notifier.endpoints SET secret = '\\x00' WHERE endpoint_id = $1")
        .bind(broken.uuid())
        .execute(world.db.pool())
        .await
        .unwrap();
    let mut rotation = Rotation::new(world.db.pool().clone(), keys(&[NEW, OLD]));
    let (mut resealed, mut unreadable) = (0, Vec::new());
    while let Some(part) = rotation.step(1).await.unwrap() {
        resealed += part.resealed;
        unreadable.extend(part.unreadable);
    }
    assert_eq!((resealed, unreadable), (2, vec![broken]));
    // A service without the key says so, and serves the others.
    world.stop_one().await;
    world.replica(|config| config.keys = keys(&[NEW])).await;
    let request =
        leadflow_contracts::notifier::GetEndpointRequest { buyer_id: made[1].0.to_string(), ..Default::default() };
    assert_eq!(code(world.client().get_endpoint(world.call(request)).await), "internal");
    assert_eq!(world.endpoint(made[0].0).await.secret, made[0].1);
}
