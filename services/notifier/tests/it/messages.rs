//! The queue of messages, with a provider that does as it is told.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_kernel::{BuyerId, LeadId, MessageId};
use leadflow_messaging::outbox::{Outbox, Relay};
use leadflow_notifier::{
    SCHEMA,
    app::{Notifier, Queue},
    outbound::carrier::{Carrier, NotSent, Sent, Written},
    store::messages::{MessageJob, NewMessage},
};
use leadflow_notifier_domain::{Channel, MessageKind};
use leadflow_outbound_http::{Client, Options};
use leadflow_platform::Shutdown;

use crate::world::World;

/// A provider that is there or away, and remembers what it took.
#[derive(Clone, Default)]
struct Provider {
    away: Arc<AtomicBool>,
    refuses: Arc<AtomicBool>,
    not_before: Arc<Mutex<Option<DateTime<Utc>>>>,
    took: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    fn took(&self) -> Vec<String> {
        self.took.lock().unwrap().clone()
    }
}

impl Carrier for Provider {
    type Letter = String;

    fn channel(&self) -> Channel {
        Channel::Sms
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn write(&self, job: &MessageJob, now: DateTime<Utc>) -> Written<String> {
        match *self.not_before.lock().unwrap() {
            Some(at) if now < at => Written::NotBefore(at),
            _ => Written::Letter {
                to: "+15550100".to_owned(),
                letter: String::from_utf8(job.contents.clone()).unwrap(),
                units: 2,
            },
        }
    }

    async fn send(&self, _: &MessageJob, _: &str, letter: &String) -> Result<Sent, NotSent> {
        tokio::task::yield_now().await;
        if self.away.load(Ordering::Relaxed) {
            let retry_after = Some(Duration::from_secs(30));
            return Err(NotSent::Later { status_code: 503, why: "away".to_owned(), retry_after, unsure: false });
        }
        if self.refuses.load(Ordering::Relaxed) {
            return Err(NotSent::Refused { status_code: 400, why: "no such number".to_owned() });
        }
        self.took.lock().unwrap().push(letter.clone());
        Ok(Sent { provider_id: Some(format!("id of {letter}")), status_code: 201, units: None })
    }
}

fn notifier(world: &World) -> Notifier {
    let (relay, relaying) =
        Relay::new(Outbox::new(SCHEMA), world.db.pool().clone(), world.bus.clone(), Shutdown::new());
    tokio::spawn(relaying);
    let (clock, keys) = (Arc::new(world.clock.clone()), world.config().keys);
    let client = Client::new(Options::default()).unwrap();
    Notifier::new(world.db.pool().clone(), relay, clock, keys, client, Duration::from_secs(60))
}

fn message(world: &World, text: &str) -> NewMessage {
    NewMessage {
        id: MessageId::derive(&[text.as_bytes()]),
        seller: Some(world.seller),
        buyer: Some(BuyerId::new()),
        channel: Channel::Sms,
        kind: MessageKind::LeadAssigned,
        lead: Some(LeadId::new()),
        contents: text.as_bytes().to_vec(),
        expires_at: world.now() + TimeDelta::hours(24),
        received_at: None,
        traceparent: None,
    }
}

async fn accept(notifier: &Notifier, world: &World, texts: impl IntoIterator<Item = String>) {
    let new: Vec<_> = texts.into_iter().map(|text| message(world, &text)).collect();
    notifier.accept_messages(&new).await.unwrap();
    notifier.accept_messages(&new).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_for_an_hour_gets_everything_once_news_first_and_not_in_one_heap() {
    const PER_SECOND: usize = 20;
    let world = World::empty().await;
    let (one, other, provider) = (notifier(&world), notifier(&world), Provider::default());
    let queues = [0; 2].map(|_| Queue::new(provider.clone(), u32::try_from(PER_SECOND).unwrap()));
    let round = async || {
        let (a, b) = tokio::join!(one.send_messages(&queues[0]), other.send_messages(&queues[1]));
        a.unwrap() + b.unwrap()
    };
    provider.away.store(true, Ordering::Relaxed);
    let mut told = 0;
    for _ in 0..360 {
        accept(&one, &world, [format!("old {told}")]).await;
        told += 1;
        round().await;
        world.advance(10);
    }
    assert!(provider.took().is_empty());
    assert_eq!(world.count("SELECT count(*) FROM notifier.messages WHERE status = 'WAITING'").await, told);
    // Nobody was called more often than the schedule says: 10 s, 20 s … 10 min.
    let most = world.count("SELECT max(attempts_made)::int8 FROM notifier.messages").await;
    assert!((8..=16).contains(&most), "{most}");

    // All of them are due at once, and then it is back.
    world.advance(600);
    provider.away.store(false, Ordering::Relaxed);
    accept(&one, &world, (0..30).map(|n| format!("new {n}"))).await;
    let mut seconds = 0;
    while provider.took().len() < usize::try_from(told).unwrap() + 30 {
        let before = provider.took().len();
        while round().await > 0 {}
        let sent = provider.took().len() - before;
        assert!(sent > 0 && sent <= 2 * PER_SECOND, "{sent} in a second by two replicas");
        world.advance(1);
        seconds += 1;
        assert!(seconds < 60);
    }
    let took = provider.took();
    let last_new = took.iter().rposition(|text| text.starts_with("new")).unwrap();
    // Two replicas take turns at the same rows, so a few old ones may be between the last of the new.
    assert!(last_new < 30 + 2 * PER_SECOND, "news wait behind what is old: {last_new}");
    assert_eq!(took.iter().collect::<HashSet<_>>().len(), took.len(), "something was sent twice");
    assert_eq!(
        world.count("SELECT count(*) FROM notifier.messages WHERE status = 'SENT' AND contents IS NULL").await,
        told + 30
    );
    // Every attempt is on record, and nothing else.
    assert_eq!(
        world.count("SELECT count(*) FROM notifier.message_attempts").await,
        world.count("SELECT sum(attempts_made)::int8 FROM notifier.messages").await
    );
    assert_eq!(
        world.count("SELECT count(*) FROM notifier.message_attempts WHERE status_code = 201 AND error = ''").await,
        told + 30
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_ends_once_and_its_end_is_told() {
    let world = World::empty().await;
    let (notifier, provider) = (notifier(&world), Provider::default());
    let queue = Queue::new(provider.clone(), 20);
    accept(&notifier, &world, ["sent".to_owned()]).await;
    assert_eq!(notifier.send_messages(&queue).await.unwrap(), 1);
    let (recipient, provider_id, units): (String, String, i32) =
        sqlx::query_as("SELECT recipient, provider_id, units FROM notifier.messages")
            .fetch_one(world.db.pool())
            .await
            .unwrap();
    assert_eq!((recipient.as_str(), provider_id.as_str(), units), ("+15550100", "id of sent", 2));

    provider.refuses.store(true, Ordering::Relaxed);
    accept(&notifier, &world, ["refused".to_owned()]).await;
    assert_eq!(notifier.send_messages(&queue).await.unwrap(), 1);

    provider.refuses.store(false, Ordering::Relaxed);
    sqlx::query("INSERT INTO notifier.suppressions VALUES ('SMS', '+15550100', 'STOPPED', 'it answered STOP', now())")
        .execute(world.db.pool())
        .await
        .unwrap();
    accept(&notifier, &world, ["unwanted".to_owned()]).await;
    assert_eq!(notifier.send_messages(&queue).await.unwrap(), 1);

    provider.away.store(true, Ordering::Relaxed);
    sqlx::query("DELETE FROM notifier.suppressions").execute(world.db.pool()).await.unwrap();
    accept(&notifier, &world, ["late".to_owned()]).await;
    assert_eq!(notifier.send_messages(&queue).await.unwrap(), 1);
    world.advance(24 * 3_600);
    assert_eq!(notifier.send_messages(&queue).await.unwrap(), 0, "it is of no use any more");
    assert_eq!(notifier.expire_messages().await.unwrap(), 1);
    assert_eq!(notifier.expire_messages().await.unwrap(), 0);

    let ends: Vec<(String, i32, String)> =
        sqlx::query_as("SELECT status, attempts_made, error FROM notifier.messages ORDER BY created_at, status DESC")
            .fetch_all(world.db.pool())
            .await
            .unwrap();
    let mut ends: Vec<_> =
        ends.iter().map(|(status, tries, error)| (status.as_str(), *tries, error.as_str())).collect();
    ends.sort_unstable();
    assert_eq!(
        ends,
        [
            ("EXPIRED", 1, "away"),
            ("REFUSED", 1, "no such number"),
            ("SENT", 1, ""),
            ("SUPPRESSED", 0, "it answered STOP")
        ]
    );
    assert_eq!(provider.took(), ["sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_to_be_sent_yet_waits_without_an_attempt() {
    let world = World::empty().await;
    let (notifier, provider) = (notifier(&world), Provider::default());
    let queue = Queue::new(provider.clone(), 20);
    let morning = world.now() + TimeDelta::hours(6);
    *provider.not_before.lock().unwrap() = Some(morning);
    accept(&notifier, &world, ["quiet".to_owned()]).await;
    assert_eq!(notifier.send_messages(&queue).await.unwrap(), 1);
    assert_eq!(notifier.send_messages(&queue).await.unwrap(), 0);
    assert_eq!(world.count("SELECT attempts_made::int8 FROM notifier.messages").await, 0);
    world.advance(6 * 3_600);
    assert_eq!(notifier.send_messages(&queue).await.unwrap(), 1);
    assert_eq!(provider.took(), ["quiet"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_dies_before_recording_leaves_a_message_that_another_sends_when_the_lease_has_ended() {
    let world = World::empty().await;
    let (notifier, provider) = (notifier(&world), Provider::default());
    let queue = Queue::new(provider.clone(), 20);
    accept(&notifier, &world, ["twice at most".to_owned()]).await;
    // Taken, and never heard of again.
    sqlx::query("UPDATE notifier.messages SET lease = gen_random_uuid(), due_at = $1")
        .bind(world.now() + TimeDelta::from_std(notifier.message_lease).unwrap())
        .execute(world.db.pool())
        .await
        .unwrap();
    assert_eq!(notifier.send_messages(&queue).await.unwrap(), 0);
    world.clock.advance(TimeDelta::from_std(notifier.message_lease).unwrap());
    assert_eq!(notifier.send_messages(&queue).await.unwrap(), 1);
    assert_eq!(world.count("SELECT count(*) FROM notifier.messages WHERE status = 'SENT'").await, 1);
}
