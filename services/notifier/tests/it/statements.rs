//! How many SQL statements a batch of sold leads takes does not depend on how many they are.

use std::{sync::Arc, time::Duration};

use leadflow_contracts::{Event as _, events::LeadAssigned};
use leadflow_kernel::{BuyerId, EventId};
use leadflow_messaging::{
    Message,
    consumer::BatchHandler as _,
    outbox::{Outbox, Relay},
};
use leadflow_notifier::{
    Limits, SCHEMA,
    app::Notifier,
    inbound::events::LeadsAssigned,
    outbound::{dispatcher::Dispatcher, webhook::Webhooks},
};
use leadflow_outbound_http::{Client, Options};
use leadflow_platform::{
    Shutdown,
    db::{self, DbSettings},
};
use leadflow_testkit::StatementCounter;
use prost::Message as _;

use crate::{
    receiver::Receiver,
    world::{World, put, sold},
};

const FEW: usize = 3;
const MANY: usize = 200;

fn message(event: &LeadAssigned) -> Message {
    Message {
        id: EventId::new(),
        subject: event.subject(),
        kind: LeadAssigned::TYPE.to_owned(),
        traceparent: None,
        payload: event.encode_to_vec().into(),
        delivered: 1,
        sequence: 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accepting_sold_leads() {
    let world = World::start().await;
    let receiver = Receiver::start().await;
    let buyers = async |count: usize, enabled: bool, reached: bool| {
        let buyers: Vec<BuyerId> = (0..count).map(|_| BuyerId::new()).collect();
        // Whoever has an address is mailed about each lead, unless he says otherwise.
        sqlx::query(
            "INSERT INTO notifier.buyers (buyer_id, seller_id, email, email_verified) \
             SELECT b, $2, CASE WHEN $3 THEN 'sam@buyer.example' ELSE '' END, true FROM unnest($1::uuid[]) AS b",
        )
        .bind(buyers.iter().map(|buyer| buyer.uuid()).collect::<Vec<_>>())
        .bind(world.seller.uuid())
        .bind(reached)
        .execute(world.db.pool())
        .await
        .unwrap();
        for buyer in &buyers {
            let mut request = put(*buyer, &receiver.url);
            request.enabled = enabled;
            world.client().put_endpoint(world.call(request)).await.unwrap();
        }
        buyers
    };
    let counter = StatementCounter::start(&world.db.url()).await.unwrap();
    let settings = DbSettings { url: counter.url().to_owned(), ..world.config().database };
    let pool = db::connect(&settings).unwrap();
    let stop = Shutdown::new();
    // Events are published, and results recorded, by others.
    let (relay, relaying) =
        Relay::new(Outbox::new(SCHEMA), world.db.pool().clone(), world.bus.clone(), stop.child_token());
    tokio::spawn(relaying);
    let client = Client::new(Options { allow_loopback: true, ..Options::default() }).unwrap();
    let (clock, keys) = (Arc::new(world.clock.clone()), world.config().keys);
    let notifier = Notifier::new(pool, relay, clock.clone(), keys.clone(), client.clone(), Duration::from_secs(60));
    let webhooks = Webhooks::new(client, keys, clock.clone());
    let (dispatcher, _results) =
        Dispatcher::new(webhooks, clock, Limits::default(), Duration::from_secs(5), stop.child_token());
    let handler = LeadsAssigned { notifier, dispatcher };

    for (enabled, reached) in [(true, false), (false, false), (true, true), (false, true)] {
        let (few, many) = (buyers(FEW, enabled, reached).await, buyers(MANY, enabled, reached).await);
        let mut executed = Vec::new();
        // Few leads of few buyers; many of one; many of many; one for all of many.
        let each = |buyers: &[BuyerId], leads: usize| -> Vec<LeadAssigned> {
            (0..leads).map(|at| sold(world.seller, &buyers[at % buyers.len()..][..1], world.now())).collect()
        };
        for events in
            [each(&few, FEW), each(&few[..1], MANY), each(&many, MANY), vec![sold(world.seller, &many, world.now())]]
        {
            let batch: Vec<_> = events.iter().map(message).collect();
            let _ = counter.take();
            handler.handle(&batch).await.unwrap();
            // Told twice, it is stored once, with as many questions.
            handler.handle(&batch).await.unwrap();
            executed.push(counter.take());
        }
        for more in &executed[1..] {
            assert_eq!(*more, executed[0], "enabled: {enabled}, reached: {reached}");
        }
        assert!((4..=16).contains(&executed[0].len()), "{:#?}", executed[0]);
        let mails = executed[0].iter().filter(|sql| sql.contains("INSERT INTO notifier.messages")).count();
        assert_eq!(mails, if reached { 2 } else { 0 }, "one for each time that it is told");
    }
    let of_each = i64::try_from(FEW + 3 * MANY).unwrap();
    assert_eq!(world.count("SELECT count(*) FROM notifier.deliveries").await, 4 * of_each);
    assert_eq!(world.count("SELECT count(*) FROM notifier.messages").await, 2 * of_each);
    stop.cancel();
}
