//! The live feed: everybody hears what is his, of every replica, whatever happens in between.

use std::time::{Duration, Instant};

use chrono::DateTime;
use http::Method;
use leadflow_contracts::events::DeliveryEnded;
use leadflow_kernel::EventId;
use leadflow_messaging::{Bus, BusSettings, Envelope};
use leadflow_testkit::wait;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
};

use crate::{
    client::Client,
    feed::{Feed, Told},
    world::{PATIENCE, World},
};

fn buyer_id(person: &crate::world::Person) -> &str {
    person.user["buyerId"].as_str().unwrap()
}

/// Reads until each of these has come, in whatever order, and gives everything that came.
async fn until_all(feed: &mut Feed, names: &[&str]) -> Vec<Told> {
    let mut heard: Vec<Told> = Vec::new();
    while !names.iter().all(|name| heard.iter().any(|told| told.name == *name)) {
        heard.push(feed.next().await.unwrap_or_else(|| panic!("the stream ended after {heard:?}")));
    }
    heard
}

fn one<'a>(heard: &'a [Told], name: &str) -> &'a Value {
    &heard.iter().find(|told| told.name == name).unwrap_or_else(|| panic!("no {name} in {heard:?}")).data
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_what_is_his_and_nothing_else_at_every_replica() {
    let world = World::replicated(2, &[]).await;
    let mine = world.tenant("mine").await;
    let theirs = world.tenant("theirs").await;
    // A second buyer of the tenant, who gets nothing.
    let rival = world.buyer("rival", &mine.invite_code).await;
    let sandbox = world.cluster.http_urls("sandbox")[0].clone();
    let hook = json!({ "webhookEnabled": true, "webhookUrl": format!("{sandbox}/hooks/live") });
    world.client.put("/api/notifications/preferences", &mine.buyer.token, &hook).await.ok(200);

    let [here, there] = [0, 1].map(|replica| Client::new(&world.cluster.http_urls("bff")[replica]));
    let mut seller = Feed::open(&here, &mine.seller.token).await;
    let mut seller_there = Feed::open(&there, &mine.seller.token).await;
    let mut buyer = Feed::open(&there, &mine.buyer.token).await;
    let mut rivals = Feed::open(&here, &rival.token).await;
    let mut other_seller = Feed::open(&here, &theirs.seller.token).await;
    let mut other_buyer = Feed::open(&there, &theirs.buyer.token).await;

    let lead = world.post_lead(&mine.api_key, &mine.campaign, 2).await["leadId"].as_str().unwrap().to_owned();
    let names = ["lead.received", "lead.decided", "lead.assigned", "delivery.succeeded"];
    for feed in [&mut seller, &mut seller_there] {
        let heard = until_all(feed, &names).await;
        for name in names {
            assert_eq!(one(&heard, name)["leadId"], lead.as_str(), "{name}");
        }
        assert_eq!(one(&heard, "lead.decided")["outcome"], "DISTRIBUTED");
        assert_eq!(one(&heard, "lead.decided")["price"], json!(25.0));
        assert_eq!(one(&heard, "lead.assigned")["buyerId"], buyer_id(&mine.buyer));
        assert!(heard.iter().all(|told| told.id.starts_with("evt_")), "{heard:?}");
    }
    let heard = until_all(&mut buyer, &["lead.assigned", "delivery.succeeded"]).await;
    assert_eq!(one(&heard, "lead.assigned")["leadId"], lead.as_str());
    assert!(heard.iter().all(|told| told.data["buyerId"] == buyer_id(&mine.buyer)), "{heard:?}");

    // Money for those who had nothing so far is the first that they hear.
    for (tenant, person, feed) in [(&mine, &rival, &mut rivals), (&theirs, &theirs.buyer, &mut other_buyer)] {
        world.credit(&tenant.seller, buyer_id(person), 7).await;
        let told = feed.next().await.unwrap();
        assert_eq!((told.name.as_str(), &told.data["buyerId"]), ("wallet.credited", &json!(buyer_id(person))));
        assert_eq!((&told.data["amount"], &told.data["type"]), (&json!(7.0), &json!("wallet.credited")));
    }
    let told = other_seller.next().await.unwrap();
    assert_eq!((told.name.as_str(), &told.data["buyerId"]), ("wallet.credited", &json!(buyer_id(&theirs.buyer))));
    let (_, before) = seller.until("wallet.credited").await;
    // Mails take their own time.
    assert!(before.iter().all(|told| told.name == "message.ended"), "{before:?}");

    // What is set up is told, too: the campaign to every buyer, the subscription to its own.
    let change = json!({ "description": "changed" });
    world.client.put(&format!("/api/campaigns/{}", mine.campaign), &mine.seller.token, &change).await.ok(200);
    let change = json!({ "subscriptionId": mine.subscription, "dailyCap": 5 });
    world.client.put("/api/campaigns/subscribe", &mine.buyer.token, &change).await.ok(200);
    let changed = |told: &Told| told.data["campaignId"] == mine.campaign.as_str();
    assert!(changed(&rivals.until("campaign.changed").await.0));
    let (told, _) = seller.until("subscription.changed").await;
    assert_eq!(told.data["subscriptionId"], mine.subscription.as_str());
    assert!(changed(&buyer.until("subscription.changed").await.0));
    world.credit(&mine.seller, buyer_id(&rival), 8).await;
    let (_, before) = rivals.until("wallet.credited").await;
    assert!(before.iter().all(|told| told.name == "campaign.changed"), "{before:?}");

    for feed in [&seller, &seller_there, &buyer, &rivals, &other_seller, &other_buyer] {
        for personal in ["John", "Doe", "john2@example.com", "2000002"] {
            assert!(!feed.all.contains(personal), "{personal} in {}", feed.all);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_bounded_show_that_they_live_and_end_with_their_session_and_process() {
    let mut world = World::with(&[
        ("BFF_STREAMS", "3"),
        ("BFF_STREAMS_PER_USER", "2"),
        ("BFF_SESSION_CHECK_MS", "200"),
        ("BFF_HEARTBEAT_MS", "200"),
    ])
    .await;
    let (seller, code) = world.seller("bounded").await;
    let buyer = world.buyer("bounded", &code).await;
    let client = world.client.clone();
    let mut first = Feed::open(&client, &seller.token).await;
    first.heartbeat().await;
    // By cookie, and after an earlier stream.
    let cookie = format!("leadflow_session={}", seller.token);
    let again = [("cookie", cookie.as_str()), ("last-event-id", "evt_1")];
    let mut second = Feed::begin(&client, &again).await.unwrap();
    assert_eq!(second.next().await.unwrap().name, "reload");
    assert_eq!(client.get("/api/events", &seller.token).await.refused(429), "too_many_streams");
    let third = Feed::open(&client, &buyer.token).await;
    let refused = client.get("/api/events", &buyer.token).await;
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(refused.refused(503), "streams_full");
    drop(third);
    wait::until("there is room again", PATIENCE, async || client.get("/api/events", &buyer.token).await.status == 200)
        .await;

    // Another session of the same user goes on when this one ends.
    let elsewhere = world.log_in(&seller.email).await;
    drop(second);
    let other = wait::until_some("there is room again", PATIENCE, async || {
        Feed::begin(&client, &[("authorization", &format!("Bearer {}", elsewhere.token))]).await.ok()
    });
    let mut other = other.await;
    client.call(Method::POST, "/api/auth/logout", &seller.token, None).await.ok(204);
    while first.next().await.is_some() {}
    client.post("/api/categories", &elsewhere.token, &json!({ "name": "Solar", "fields": [] })).await.ok(201);
    other.until("category.changed").await;

    let bff = world.cluster.indices("bff")[0];
    let begin = Instant::now();
    world.cluster.replicas[bff].terminate();
    while other.next().await.is_some() {}
    let replica = &mut world.cluster.replicas[bff];
    wait::until("the process has ended", PATIENCE, async || !replica.is_running()).await;
    assert!(begin.elapsed() < Duration::from_secs(15), "streams held up the stop: {:?}", begin.elapsed());
}

fn ended(seller: &str, buyer: &str, number: usize) -> Envelope {
    let event = DeliveryEnded {
        delivery_id: format!("{number}"),
        lead_id: "lead".to_owned(),
        buyer_id: buyer.to_owned(),
        seller_id: seller.to_owned(),
        error: "x".repeat(300),
        attempts: 8,
        ..DeliveryEnded::default()
    };
    Envelope::new(EventId::new(), &event, DateTime::from_timestamp_millis(1_765_108_800_000).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_too_slowly_or_was_cut_off_is_told_to_load_again_and_holds_up_nobody() {
    const EVENTS: usize = 20_000;
    let mut world = World::start().await;
    let (seller, code) = world.seller("slow").await;
    let buyer = world.buyer("slow", &code).await;
    let tenant = seller.user["sellerId"].as_str().unwrap().to_owned();
    let settings = BusSettings { url: world.cluster.nats.url(), source: "tests".to_owned(), connect_within: PATIENCE };
    let bus = Bus::connect(&settings).await.unwrap();

    // One who does not read at all, with little room on his side of the connection.
    let address = world.client.base.trim_start_matches("http://").parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut slow = socket.connect(address).await.unwrap();
    let head = format!("GET /api/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", seller.token);
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut text = String::new();
    read_until(&mut slow, &mut text, "event: ready").await;

    let mut quick = Feed::open(&world.client, &buyer.token).await;
    for begin in (0..EVENTS).step_by(100) {
        let events: Vec<_> = (begin..begin + 100).map(|n| ended(&tenant, buyer_id(&buyer), n)).collect();
        bus.publish(&events).await.unwrap();
        for number in begin..begin + 100 {
            let told = quick.next().await.unwrap();
            assert_eq!(
                (told.name.as_str(), told.data["deliveryId"].as_str()),
                ("delivery.failed", Some(number.to_string().as_str()))
            );
        }
    }
    read_until(&mut slow, &mut text, "event: reload").await;
    assert!(text.matches("event: delivery.failed").count() < EVENTS);
    assert_eq!(text.matches("event: reload").count(), 1);
    bus.publish(&[ended(&tenant, buyer_id(&buyer), EVENTS)]).await.unwrap();
    read_until(&mut slow, &mut text, &format!("\"deliveryId\":\"{EVENTS}\"")).await;

    world.cluster.nats.restart().await.unwrap();
    quick.until("reload").await;
    read_until(&mut slow, &mut text, "event: reload").await;
    world.credit(&seller, buyer_id(&buyer), 9).await;
    let (told, _) = quick.until("wallet.credited").await;
    assert_eq!(told.data["amount"], json!(9.0));
}

/// Reads until `text` has this behind what it had before.
async fn read_until(stream: &mut tokio::net::TcpStream, text: &mut String, wanted: &str) {
    let mut buffer = vec![0; 64 << 10];
    let from = text.len();
    while !text[from..].contains(wanted) {
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("a sign of life in time");
        let count = read.unwrap();
        assert!(count > 0, "the stream ended: {}", &text[from..]);
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
}
