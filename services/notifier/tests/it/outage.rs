//! Who takes mails is away for an hour: all that was to be told meanwhile is told afterwards, once, what is new before what is old,
//! and not in one heap. Time is the tests' clock.

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_kernel::{BuyerId, MessageId};
use leadflow_notifier::{Config, Deps, Listeners};
use leadflow_platform::Shutdown;
use leadflow_testkit::wait;
use tokio::{net::TcpListener, runtime::Runtime};
use uuid::Uuid;

use crate::{
    providers::{Mood, Provider},
    usage::Heard,
    world::{PATIENCE, World},
};

/// What a replica may hand over.
const PER_SECOND: u32 = 20;
/// A minute's.
const OLD: usize = 5;
const FRESH: usize = 60;

/// A replica that can be killed: all that it does is done by threads of its own.
struct Mortal(Option<Runtime>);

impl Mortal {
    async fn start(world: &World, config: Config) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let deps = Deps { bus: world.bus.clone(), clock: Arc::new(world.clock.clone()) };
        runtime.spawn(async {
            let bind = || TcpListener::bind("127.0.0.1:0");
            let listeners = Listeners { grpc: bind().await.unwrap(), http: bind().await.unwrap() };
            leadflow_notifier::run(config, deps, listeners, Shutdown::new()).await
        });
        Self(Some(runtime))
    }

    /// Whatever it does is not done any further.
    async fn kill(mut self) {
        let runtime = self.0.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE)).await.unwrap();
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A world whose replicas hand their mails to one provider.
struct Outage {
    world: World,
    provider: Provider,
    buyer: BuyerId,
    mortals: Vec<Mortal>,
    /// Leases of those who died.
    left_behind: Vec<Uuid>,
}

impl Outage {
    async fn start(world: World, provider: Provider, replicas: usize) -> Self {
        let buyer = BuyerId::new();
        sqlx::query(
            "WITH seller AS (INSERT INTO notifier.sellers VALUES ($1, 1, 'Acme Solar', 'America/New_York')) \
             INSERT INTO notifier.buyers (buyer_id, seller_id, contact_name, email, email_verified) \
             VALUES ($2, $1, 'Sam Lee', 'sam@buyer.example', true)",
        )
        .bind(world.seller.uuid())
        .bind(buyer.uuid())
        .execute(world.db.pool())
        .await
        .unwrap();
        let mut this = Self { world, provider, buyer, mortals: Vec::new(), left_behind: Vec::new() };
        for _ in 0..replicas {
            this.replica().await;
        }
        this
    }

    async fn replica(&mut self) {
        let mut config = self.world.config();
        config.mail = Some(self.provider.settings.clone());
        config.email_per_second = PER_SECOND;
        self.mortals.push(Mortal::start(&self.world, config).await);
    }

    /// The most that all who live hand over at one moment.
    fn most(&self) -> usize {
        self.mortals.len() * PER_SECOND as usize
    }

    /// Sells so many leads to the buyer, and waits until their mails are stored.
    async fn sell(&self, leads: usize) {
        let stored = "SELECT count(*) FROM notifier.messages";
        let wanted = self.world.count(stored).await + i64::try_from(leads).unwrap();
        for _ in 0..leads {
            self.world.sell(&[self.buyer]).await;
        }
        wait::until(format!("{wanted} mails are stored"), PATIENCE, async || self.world.count(stored).await == wanted)
            .await;
    }

    /// Waits until what can be tried now was tried: nothing is due, or as much was handed over as may be. How much was.
    async fn settled(&self) -> usize {
        wait::until_some("all that may be tried now was tried", PATIENCE, async || {
            let (busy, due, tried): (i64, i64, i64) = sqlx::query_as(
                "SELECT count(*) FILTER (WHERE lease IS NOT NULL AND lease <> ALL($2)), count(*) FILTER (WHERE due_at <= $1), \
                   (SELECT count(*) FROM notifier.message_attempts WHERE started_at = $1) \
                 FROM notifier.messages WHERE status = 'WAITING'",
            )
            .bind(self.world.now())
            .bind(&self.left_behind)
            .fetch_one(self.world.db.pool())
            .await
            .unwrap();
            let tried = usize::try_from(tried).unwrap();
            (busy == 0 && (due == 0 || tried >= self.most())).then_some(tried)
        })
        .await
    }

    async fn waiting(&self) -> i64 {
        self.world.count("SELECT count(*) FROM notifier.messages WHERE status = 'WAITING'").await
    }

    /// Which were stored at or after `from`.
    async fn since(&self, from: DateTime<Utc>) -> HashSet<MessageId> {
        let ids: Vec<Uuid> = sqlx::query_scalar("SELECT message_id FROM notifier.messages WHERE created_at >= $1")
            .bind(from)
            .fetch_all(self.world.db.pool())
            .await
            .unwrap();
        ids.into_iter().map(MessageId::from_uuid).collect()
    }

    /// An hour without a provider: half of it it says that it is busy, and half of it nobody is there. `between` happens in the middle.
    async fn hour(&mut self, between: impl AsyncFnOnce(&mut Self)) {
        let mut between = Some(between);
        self.provider.behave(Mood::Busy);
        for minute in 0..60 {
            self.sell(OLD).await;
            self.settled().await;
            if minute == 30 {
                if let Some(between) = between.take() {
                    between(self).await;
                }
                self.provider.cut().await;
            }
            self.world.advance(60);
        }
        assert!(self.provider.took().is_empty());
        assert_eq!(self.waiting().await, 60 * i64::try_from(OLD).unwrap(), "nothing is lost");
        let most = self.world.count("SELECT max(attempts_made)::int8 FROM notifier.messages").await;
        assert!((6..=16).contains(&most), "{most} attempts at one mail");
    }

    /// It is back: everything is told.
    async fn back(&self) {
        self.settled().await;
        self.provider.behave(Mood::Takes);
        self.provider.restore().await;
        // What had failed is due at once, and there are news.
        self.world.advance(3_600);
        let back = self.world.now();
        self.sell(FRESH).await;
        let fresh = self.since(back).await;
        let all = self.since(DateTime::UNIX_EPOCH).await;
        let mut seconds = 0;
        while self.waiting().await > 0 {
            let before = self.provider.took().len();
            let left = all.len() - before;
            self.settled().await;
            let now = self.world.now();
            let at_once = self.provider.took().iter().filter(|took| took.at == now).count();
            assert!(at_once <= self.most(), "{at_once} in a second");
            assert!(left == 0 || at_once > 0, "{left} wait");
            self.world.advance(1);
            seconds += 1;
            assert!(seconds < 120);
        }
        // In any second of that time, and not only in those that the clock was set to.
        let took = self.provider.took();
        for one in &took {
            let second = took.iter().filter(|other| one.at <= other.at && other.at < one.at + TimeDelta::seconds(1));
            assert!(second.count() <= self.most());
        }
        // A quarter of the places is for what is old, and in the first second the news were not there yet.
        let last_fresh = took.iter().filter(|took| fresh.contains(&took.id)).map(|took| took.at).max().unwrap();
        let needed = FRESH.div_ceil(self.most() * 3 / 4) + 2;
        assert!(last_fresh <= back + TimeDelta::seconds(i64::try_from(needed).unwrap()), "{}", last_fresh - back);
        let last = took.iter().map(|took| took.at).max().unwrap();
        assert!(last > last_fresh, "what is old was not told before what is new");

        assert!(took.iter().all(|took| took.raw.windows(8).any(|words| words == b"New lead")));
        let times = self.provider.times();
        assert_eq!(times.keys().copied().collect::<HashSet<_>>(), all);
        assert!(times.values().all(|times| *times == 1), "{times:?}");
        assert_eq!(
            self.world.count("SELECT count(*) FROM notifier.messages WHERE status = 'SENT' AND contents IS NULL").await,
            i64::try_from(all.len()).unwrap()
        );
        // Each attempt is on record, and each message is paid for once.
        assert_eq!(
            self.world.count("SELECT count(*) FROM notifier.message_attempts").await,
            self.world.count("SELECT sum(attempts_made)::int8 FROM notifier.messages").await
        );
        let heard = Heard::on(&self.world);
        assert_eq!(heard.wait_for(all.len()).await.len(), all.len());
        wait::until("all is published", PATIENCE, async || {
            self.world.count("SELECT count(*) FROM notifier.outbox").await == 0
        })
        .await;
        assert_eq!(heard.messages().len(), all.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sendgrid_is_away_for_an_hour() {
    let world = World::empty().await;
    let provider = Provider::sendgrid(&world.clock).await;
    let mut outage = Outage::start(world, provider, 1).await;
    outage.hour(async |_| {}).await;
    outage.back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_is_away_for_an_hour_and_two_replicas_wait_for_it() {
    let world = World::empty().await;
    let provider = Provider::smtp(&world.clock).await;
    let mut outage = Outage::start(world, provider, 2).await;
    outage.hour(async |_| {}).await;
    outage.back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_replicas_is_killed_while_its_requests_hang_and_another_takes_its_place() {
    let world = World::empty().await;
    let provider = Provider::sendgrid(&world.clock).await;
    let mut outage = Outage::start(world, provider, 2).await;
    outage
        .hour(async |outage| {
            outage.provider.behave(Mood::Hangs);
            let before = outage.provider.asked();
            // More than one of the two may have at hand.
            outage.world.advance(3_600);
            wait::until("both have requests at hand", PATIENCE, async || {
                outage.provider.asked() == before + outage.most()
            })
            .await;
            outage.mortals.remove(0).kill().await;
            // The other one's end, too: nobody is there any more, and it takes what it had back.
            outage.provider.cut().await;
            let taken = "SELECT count(*) FROM notifier.messages WHERE lease IS NOT NULL";
            wait::until("only what the dead one had is left", PATIENCE, async || {
                outage.world.count(taken).await == i64::from(PER_SECOND)
            })
            .await;
            outage.left_behind =
                sqlx::query_scalar("SELECT DISTINCT lease FROM notifier.messages WHERE lease IS NOT NULL")
                    .fetch_all(outage.world.db.pool())
                    .await
                    .unwrap();
            outage.replica().await;
        })
        .await;
    outage.back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_told_while_there_are_always_more_news_than_may_be_told() {
    const FAILED: usize = 60;
    let world = World::empty().await;
    let provider = Provider::sendgrid(&world.clock).await;
    let outage = Outage::start(world, provider, 1).await;
    outage.provider.behave(Mood::Busy);
    for _ in 0..FAILED / outage.most() {
        outage.sell(outage.most()).await;
        outage.settled().await;
        outage.world.advance(1);
    }
    let failed = outage.since(DateTime::UNIX_EPOCH).await;
    assert_eq!(outage.world.count("SELECT count(*) FROM notifier.messages WHERE attempts_made = 1").await, 60);
    // Due again; as many as may be are tried, and are not due for a while. So what is sold now waits.
    outage.world.advance(60);
    outage.settled().await;
    outage.provider.behave(Mood::Takes);
    let (mut seconds, mut told) = (0, 0);
    while told < FAILED {
        outage.sell(outage.most() + 5).await;
        outage.world.advance(1);
        outage.settled().await;
        let now = outage.world.now();
        let took = outage.provider.took();
        let (old, new): (Vec<_>, Vec<_>) =
            took.iter().filter(|took| took.at == now).partition(|took| failed.contains(&took.id));
        told += old.len();
        assert_eq!(old.len() + new.len(), outage.most());
        assert!(new.len() > outage.most() / 2, "{} new ones in a second", new.len());
        seconds += 1;
        assert!(seconds <= FAILED, "{told} of {FAILED} in {seconds} s");
    }
    assert!(outage.provider.times().values().all(|times| *times == 1));
}
