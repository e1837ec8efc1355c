use leadflow_contracts::{events, streams};
use leadflow_kernel::EventId;
use leadflow_messaging::{Envelope, dlq, topology};
use leadflow_testkit::TestNats;

use crate::{bus_to, bus_with_streams, settings};

#[tokio::test]
async fn of_several_servers_any_will_do() {
    let nats = TestNats::start().await.unwrap();
    // Nobody listens on the first one.
    let bus = bus_to(&format!("nats://127.0.0.1:1, {}", nats.url())).await;
    assert!(bus.is_connected());
}

#[tokio::test]
async fn made_twice_and_at_once_it_is_as_declared() {
    let nats = TestNats::start().await.unwrap();
    let url = nats.url();
    let (one, two) = tokio::join!(bus_to(&url), bus_to(&url));
    let (first, second) = tokio::join!(topology::ensure(&one, settings()), topology::ensure(&two, settings()));
    first.unwrap();
    second.unwrap();
    assert_eq!(topology::differences(&one, settings()).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn what_differs_on_the_server_is_named() {
    let nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let wanted = topology::TopologySettings { max_bytes: 32 << 20, ..settings() };
    let found = topology::differences(&bus, wanted).await.unwrap();
    assert!(found.contains(&"stream LEADS: max_bytes is not as declared".to_owned()), "{found:?}");
}

#[tokio::test]
async fn a_server_without_the_streams_is_told_apart() {
    let nats = TestNats::start().await.unwrap();
    let bus = bus_to(&nats.url()).await;
    let found = topology::differences(&bus, settings()).await.unwrap();
    assert!(found.iter().any(|line| line.starts_with("stream LEADS:")), "{found:?}");
}

#[tokio::test]
async fn streams_that_take_messages_are_told_from_those_that_do_not_and_nothing_is_left() {
    let nats = TestNats::start().await.unwrap();
    let bare = bus_to(&nats.url()).await;
    let missing: Vec<_> = bare.refusing_streams().await.into_iter().map(|(stream, _)| stream).collect();
    assert_eq!(missing, ["LEADS", "BILLING", "NOTIFY", "DIRECTORY", "DLQ"]);
    let bus = bus_with_streams(&nats).await;
    for _ in 0..2 {
        assert_eq!(bus.refusing_streams().await, []);
    }
    assert!(dlq::list(&bus, 1, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_notifications_only_what_somebody_wants_is_kept_until_he_has_it() {
    let nats = TestNats::start().await.unwrap();
    let bus = bus_with_streams(&nats).await;
    let at = chrono::DateTime::from_timestamp_millis(1_765_108_800_000).unwrap();
    let mail = events::MailWanted { mail_id: "m".to_owned(), ..Default::default() };
    let ended = events::DeliveryEnded { delivered: true, ..Default::default() };
    bus.publish(&[Envelope::new(EventId::new(), &ended, at), Envelope::new(EventId::new(), &mail, at)]).await.unwrap();
    let before = |rows: Vec<(String, String, u64, u64)>| {
        rows.into_iter()
            .filter(|(stream, ..)| stream == streams::NOTIFY)
            .map(|(_, consumer, pending, _)| (consumer, pending))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let wanted = [(streams::NOTIFY_BILLING, 0), (streams::NOTIFY_DISTRIBUTION, 0), (streams::NOTIFY_NOTIFIER, 1)]
        .map(|(consumer, pending)| (consumer.to_owned(), pending))
        .into();
    assert_eq!(before(topology::lag(&bus).await.unwrap()), wanted, "an arrived webhook is nobody's to keep");
    // Whoever starts later, also of an older release that knows no such consumer, loses nothing of it.
    topology::ensure(&bus, settings()).await.unwrap();
    assert_eq!(before(topology::lag(&bus).await.unwrap()), wanted);
    assert!(bus.refusing_streams().await.is_empty());
}
