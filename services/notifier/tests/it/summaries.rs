//! Each morning buyers hear of the day before.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_messaging::outbox::{Outbox, Relay};
use leadflow_notifier::{
    SCHEMA,
    app::Notifier,
    outbound::numbers::{Bought, Numbers},
};
use leadflow_outbound_http::{Client, Options};
use leadflow_platform::Shutdown;
use leadflow_testkit::wait;
use std::sync::Mutex;

use crate::{
    mails::{Sandbox, mails_of},
    world::World,
};

type Asked = (BuyerId, DateTime<Utc>, DateTime<Utc>);

/// Distribution and billing, as far as a summary needs them.
#[derive(Default)]
struct Known {
    away: Mutex<bool>,
    idle: Mutex<Vec<BuyerId>>,
    asked: Mutex<Vec<Asked>>,
}

#[async_trait::async_trait]
impl Numbers for Known {
    async fn of(
        &self,
        _: SellerId,
        buyer: BuyerId,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Bought, String> {
        if *self.away.lock().unwrap() {
            return Err("away".to_owned());
        }
        self.asked.lock().unwrap().push((buyer, from, until));
        if self.idle.lock().unwrap().contains(&buyer) {
            return Ok(Bought { spent: "$0.00".into(), ..Bought::default() });
        }
        Ok(Bought { leads: 3, spent: "$75.00".into(), returned: 1, available: Some("$20.00".into()) })
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

async fn buyer(world: &World, zone: &str, wanted: bool) -> BuyerId {
    let buyer = BuyerId::new();
    sqlx::query(
        "WITH seller AS (INSERT INTO notifier.sellers VALUES ($1, 1, 'Acme Solar', 'America/New_York') ON CONFLICT DO NOTHING), \
         wishes AS (INSERT INTO notifier.preferences (buyer_id, seller_id, daily_summary, time_zone, updated_at) \
           VALUES ($2, $1, $3, $4, now())) \
         INSERT INTO notifier.buyers (buyer_id, seller_id, contact_name, email, email_verified) \
         VALUES ($2, $1, 'Sam Lee', $5, true)",
    )
    .bind(world.seller.uuid())
    .bind(buyer.uuid())
    .bind(wanted)
    .bind(zone)
    .bind(format!("{}@buyer.example", &buyer.to_string()[6..]))
    .execute(world.db.pool())
    .await
    .unwrap();
    buyer
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_summed_up_once_in_the_buyers_morning_and_not_when_nothing_happened() {
    let (sandbox, world, known) = (Sandbox::start().await, World::empty().await, Known::default());
    let (one, other) = (notifier(&world), notifier(&world));
    let here = buyer(&world, "", true).await;
    let there = buyer(&world, "Europe/Zurich", true).await;
    let idle = buyer(&world, "", true).await;
    let _unwilling = buyer(&world, "", false).await;
    known.idle.lock().unwrap().push(idle);
    let round = async || {
        let (a, b) = tokio::join!(one.sum_up_days(&known), other.sum_up_days(&known));
        a.unwrap() + b.unwrap()
    };
    // 2027-01-16, a Saturday, three in the morning in New York.
    world.clock.advance(time("2027-01-16T08:00:00Z") - world.now());
    assert_eq!(round().await, 1, "it is morning in Zurich");
    assert_eq!(known.asked.lock().unwrap()[0], (there, time("2027-01-14T23:00:00Z"), time("2027-01-15T23:00:00Z")));
    world.clock.advance(time("2027-01-16T11:59:59Z") - world.now());
    assert_eq!(round().await, 0);

    *known.away.lock().unwrap() = true;
    world.advance(1);
    assert_eq!(round().await, 0, "nobody knows the numbers");
    *known.away.lock().unwrap() = false;
    assert_eq!(round().await, 1, "one of two replicas");
    assert_eq!(round().await, 0);
    assert_eq!(world.count("SELECT count(*) FROM notifier.messages").await, 2);
    let asked = known.asked.lock().unwrap().len();
    assert_eq!(round().await, 0);
    assert_eq!(known.asked.lock().unwrap().len(), asked, "nobody is asked again");

    assert_eq!(one.send_messages(&mails_of(&sandbox)).await.unwrap(), 2);
    let mails = sandbox.arrived().await;
    let address = format!("{}@buyer.example", &here.to_string()[6..]);
    let mail = mails.iter().find(|mail| mail["to"][0] == address.as_str()).unwrap();
    assert_eq!(mail["subject"], "Friday, 15 January: 3 leads");
    let text = mail["text"].as_str().unwrap();
    for told in ["Leads bought: 3", "Spent: $75.00", "Given back: 1", "Left in your wallet: $20.00"] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let link = mail["links"].as_array().unwrap().iter().filter_map(|link| link.as_str());
    let link = link.clone().find(|link| link.contains("/unsubscribe?token=")).unwrap();
    let token = link.split_once("token=").unwrap().1;
    let tokens = leadflow_notifier::unsubscribe_tokens(&world.config().token);
    assert_eq!(tokens.read(token), Some((here, leadflow_notifier::Topic::DailySummary)));

    // The next morning is another day.
    world.advance(24 * 3_600);
    assert_eq!(round().await, 2);
    wait::until("mails are there", crate::world::PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.messages WHERE kind = 'DAILY_SUMMARY'").await == 4
    })
    .await;
}
