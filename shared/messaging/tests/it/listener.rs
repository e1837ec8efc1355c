use std::time::Duration;

use leadflow_messaging::{
    Bus, GroupCommitPublisher, GroupCommitSettings,
    listener::{Heard, Listener},
};
use leadflow_testkit::{TestNats, wait};
use tokio_util::sync::CancellationToken;

use crate::{PATIENCE, bus_to, bus_with_streams, credited};

async fn next(listener: &mut Listener) -> Heard {
    tokio::time::timeout(PATIENCE, listener.next()).await.expect("something is heard").expect("a connection")
}

/// The note on the next event, whatever gaps are told before it.
async fn note(listener: &mut Listener) -> String {
    loop {
        if let Heard::Event(message) = next(listener).await {
            return message.decode::<leadflow_contracts::events::WalletCredited>().unwrap().buyer_id;
        }
    }
}

async fn publish(bus: &Bus, note: &str) {
    let event = credited(note);
    wait::until("the stream takes it", PATIENCE, async || bus.publish(std::slice::from_ref(&event)).await.is_ok())
        .await;
}

#[tokio::test]
async fn what_is_stored_is_heard_by_everybody_who_listens_bundles_included() {
    let nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let (mut one, mut other) = (
        Listener::on(&bus, &["wallet.>", "lead.>"]).await.unwrap(),
        Listener::on(&bus, &["wallet.credited"]).await.unwrap(),
    );
    // One message for the three of them.
    bus.publish(&[credited("a"), credited("b"), credited("c")]).await.unwrap();
    // And the gateway's way of publishing many at once.
    let (publisher, task) =
        GroupCommitPublisher::new(bus_to(&nats.url()).await, GroupCommitSettings::default(), CancellationToken::new());
    tokio::spawn(task);
    publisher.publish(credited("d")).await.unwrap();
    for wanted in ["a", "b", "c", "d"] {
        assert_eq!(note(&mut one).await, wanted);
        assert_eq!(note(&mut other).await, wanted);
    }
}

#[tokio::test]
async fn a_cut_connection_is_told_and_what_comes_after_it_is_heard() {
    let mut nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let other = bus_to(&nats.url()).await;
    let mut listener = Listener::on(&bus, &["wallet.>"]).await.unwrap();
    publish(&other, "before").await;
    assert_eq!(note(&mut listener).await, "before");
    nats.kill9();
    nats.restart().await.unwrap();
    assert!(matches!(next(&mut listener).await, Heard::Gap));
    publish(&other, "after").await;
    assert_eq!(note(&mut listener).await, "after");
}

#[tokio::test]
async fn without_a_server_listening_says_so() {
    let mut nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    nats.kill9();
    wait::until("the client noticed", PATIENCE, async || !bus.is_connected()).await;
    let outcome = tokio::time::timeout(Duration::from_secs(15), Listener::on(&bus, &["wallet.>"])).await;
    assert!(outcome.expect("an answer in time").is_err());
}
