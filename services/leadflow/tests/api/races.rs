//! The same thing at once, and a key that is replaced while its supplier posts: one outcome each.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::{Duration, Instant},
};

use futures::future::join_all;
use http::{Method, StatusCode};
use leadflow_testkit::{books, wait};
use serde_json::json;
use sqlx::PgPool;

use crate::{
    client::{Answer, Client},
    world::{PASSWORD, PATIENCE, World, id},
};

async fn count(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}

/// A client for each replica of the API.
fn clients(world: &World) -> Vec<Client> {
    world.cluster.http_urls("bff").iter().map(|url| Client::new(url)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_sellers_who_register_with_one_address_at_once_one_is_there() {
    let world = World::of(&[("bff", 2), ("accounts", 2)], &[]).await;
    let pool = PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    let clients = clients(&world);
    for round in 0..3 {
        let before = count(&pool, "SELECT count(*) FROM accounts.sellers").await;
        let answers = join_all((0..8).map(async |number: usize| {
            // The same address, written in different ways.
            let email = if number.is_multiple_of(2) { "One" } else { "one" };
            let body = json!({
                "email": format!("{email}{round}@seller.example"), "password": PASSWORD, "name": format!("Number {number}"),
                "role": "SELLER", "companyName": format!("Company {number}"),
            });
            clients[number % 2].post("/api/auth/register", "", &body).await
        }))
        .await;
        let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
        assert_eq!(made.len(), 1, "{made:?}");
        for answer in refused {
            assert_eq!(answer.refused(409), "email_exists");
        }
        // What was made is whole, and of the others there is nothing.
        assert_eq!(count(&pool, "SELECT count(*) FROM accounts.sellers").await, before + 1);
        let people = world.log_in(&format!("one{round}@seller.example")).await;
        assert_eq!(people.user["id"], made[0].body["user"]["id"]);
        let of = "SELECT count(*) FROM accounts.users u JOIN accounts.invite_codes c USING (seller_id)";
        assert_eq!(count(&pool, of).await, before + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_buyers_who_subscribe_twice_at_once_have_one_subscription_each() {
    let world = World::of(&[("bff", 2), ("distribution", 2)], &[]).await;
    let clients = clients(&world);
    let (seller, code) = world.seller("races").await;
    let buyers = [world.buyer("first", &code).await, world.buyer("second", &code).await];
    let category = world.category(&seller, "Solar").await;
    let campaign = world.campaign(&seller, &category).await;
    let body = json!({ "campaignId": campaign, "dailyCap": 10 });
    // Distribution hears of new buyers a moment later.
    for buyer in &buyers {
        wait::until("the buyer is known", PATIENCE, async || {
            let other = json!({ "campaignId": campaign, "dailyCap": -1 });
            clients[0].get("/api/campaigns", &buyer.token).await.status == 200
                && clients[0].post("/api/campaigns/subscribe", &buyer.token, &other).await.status == 422
        })
        .await;
    }
    let answers = join_all((0..8).map(async |number: usize| {
        let answer = clients[number % 2].post("/api/campaigns/subscribe", &buyers[number / 4].token, &body).await;
        (number / 4, answer)
    }))
    .await;
    for (at, _) in buyers.iter().enumerate() {
        let (made, refused): (Vec<_>, Vec<_>) =
            answers.iter().filter(|(of, _)| *of == at).map(|(_, answer)| answer).partition(|one| one.status == 201);
        assert_eq!((made.len(), refused.len()), (1, 3), "{answers:?}");
        for answer in refused {
            assert_eq!((answer.status, &answer.body["code"]), (StatusCode::CONFLICT, &json!("already_subscribed")));
        }
    }
    let seen = world.client.get(&format!("/api/campaigns/{campaign}"), &seller.token).await.ok(200);
    assert_eq!(seen["campaign"]["subscriptions"].as_array().unwrap().len(), 2, "{seen}");

    // Repeats of one request are one subscription, and all are told so.
    let other = world.campaign(&seller, &category).await;
    let body = json!({ "campaignId": other, "dailyCap": 10 }).to_string();
    let bearer = format!("Bearer {}", buyers[0].token);
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("idempotency-key", "once")];
    let repeats = join_all((0..6).map(async |number: usize| {
        let body = Some(body.clone().into());
        clients[number % 2].send(Method::POST, "/api/campaigns/subscribe", &headers, body).await
    }))
    .await;
    let ids: Vec<String> =
        repeats.into_iter().filter(|one| one.status == 201).map(|one| id(&one.body, "subscription")).collect();
    assert!(!ids.is_empty() && ids.iter().all(|one| *one == ids[0]), "{ids:?}");
    let seen = world.client.get(&format!("/api/campaigns/{other}"), &seller.token).await.ok(200);
    assert_eq!(seen["campaign"]["subscriptions"].as_array().unwrap().len(), 1, "{seen}");
}

/// A supplier who posts without a pause at every gateway.
struct Supplier {
    id: String,
    gateways: Vec<Client>,
    campaign: String,
    posted: AtomicU32,
}

impl Supplier {
    /// One lead, to every gateway at once with the same idempotency key: what became of each.
    async fn post(&self, key: &str) -> Vec<Answer> {
        let number = self.posted.fetch_add(1, Ordering::Relaxed);
        let body = json!({
            "campaignId": self.campaign, "state": "CA", "quality": "HOT",
            "data": {
                "firstName": "Ada", "lastName": "Doe", "email": format!("ada{number}@example.com"),
                "phone": format!("+1212{:07}", 2_000_000 + number), "age": 45,
            },
        })
        .to_string();
        let repeat = format!("lead-{number}");
        let headers = [("x-api-key", key), ("content-type", "application/json"), ("idempotency-key", repeat.as_str())];
        join_all(self.gateways.iter().map(async |gateway| {
            gateway.send(Method::POST, "/api/leads/ingest", &headers, Some(body.clone().into())).await
        }))
        .await
    }

    /// Whether each gateway takes the key, asked with a post that is refused for what is in it.
    async fn taken(&self, key: &str) -> Vec<bool> {
        let body = json!({ "campaignId": self.campaign, "data": {} }).to_string();
        let headers = [("x-api-key", key), ("content-type", "application/json")];
        join_all(self.gateways.iter().map(async |gateway| {
            let answer = gateway.send(Method::POST, "/api/leads/ingest", &headers, Some(body.clone().into())).await;
            assert!(matches!(answer.status.as_u16(), 401 | 422), "{}", answer.text);
            answer.status == 422
        }))
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rotated_while_its_supplier_posts() {
    let world = World::of(&[("bff", 1), ("ingest", 2)], &[]).await;
    let (seller, _) = world.seller("rotation").await;
    let category = world.category(&seller, "Solar").await;
    let campaign = world.campaign(&seller, &category).await;
    let body = json!({ "name": "Clicks Inc", "categories": [category], "postsPerSecond": 1_000 });
    let made = world.client.post("/api/suppliers", &seller.token, &body).await.ok(201);
    let gateways = world.cluster.http_urls("ingest").iter().map(|url| Client::without_document(url)).collect();
    let supplier = Supplier { id: id(&made, "supplier"), gateways, campaign, posted: AtomicU32::new(0) };
    let mut old = made["apiKey"].as_str().unwrap().to_owned();
    let rotate = async |seconds: u32| {
        let path = format!("/api/suppliers/{}/rotate-key", supplier.id);
        let answer = world.client.post(&path, &seller.token, &json!({ "overlapSeconds": seconds })).await.ok(200);
        answer["apiKey"].as_str().unwrap().to_owned()
    };
    let all = |taken: Vec<bool>, wanted: bool| taken.into_iter().all(|one| one == wanted);
    wait::until("both gateways know the key", PATIENCE, async || all(supplier.taken(&old).await, true)).await;

    // While both keys work not one post is refused, with either, at either gateway.
    let stop = AtomicBool::new(false);
    let posting = async |key: &str| {
        let mut answers = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let some = supplier.post(key).await;
            answers.extend(some.into_iter().map(|answer| (Instant::now(), answer)));
        }
        answers
    };
    let overlap = 4;
    let (mut before, mut new, mut ends) = (Vec::new(), String::new(), None);
    let during = {
        let driver = async {
            wait::until("posts are under way", PATIENCE, async || supplier.posted.load(Ordering::Relaxed) >= 10).await;
            ends = Some(Instant::now() + Duration::from_secs(overlap));
            new = rotate(u32::try_from(overlap).unwrap()).await;
            wait::until("both gateways know the new key", PATIENCE, async || all(supplier.taken(&new).await, true))
                .await;
            // The last posts begin well before the overlap ends.
            let at = supplier.posted.load(Ordering::Relaxed);
            let ends = ends.unwrap_or_else(Instant::now);
            while Instant::now() + Duration::from_secs(2) < ends && supplier.posted.load(Ordering::Relaxed) < at + 20 {
                before.extend(supplier.post(&new).await);
            }
            stop.store(true, Ordering::Relaxed);
        };
        let (mut one, two, ()) = tokio::join!(posting(&old), posting(&old), driver);
        one.extend(two);
        one
    };
    let accepted = |answer: &Answer| matches!(answer.status.as_u16(), 201 | 202);
    for (at, answer) in &during {
        // (On a machine that is busy for seconds the overlap may have ended.)
        let ended = answer.status == 401 && ends.is_some_and(|ends| *at >= ends);
        assert!(accepted(answer) || ended, "{}: {}", answer.status, answer.text);
    }
    assert!(before.iter().all(accepted), "{before:?}");
    assert!(during.len() >= 20, "{}", during.len());

    // It ends at its time at both, and the new one goes on.
    wait::until("the overlap has ended", PATIENCE, async || all(supplier.taken(&old).await, false)).await;
    assert!(ends.is_some_and(|ends| Instant::now() >= ends), "the old key ended before its time");
    assert!(all(supplier.taken(&new).await, true));

    // Ended at once means at every gateway within a second. (The quickest of a few: the machine may be busy.)
    let mut quickest = Duration::MAX;
    for _ in 0..5 {
        old = new;
        new = rotate(0).await;
        let answered = Instant::now();
        wait::until("the old key is refused everywhere", PATIENCE, async || all(supplier.taken(&old).await, false))
            .await;
        quickest = quickest.min(answered.elapsed());
        wait::until("the new key is taken everywhere", PATIENCE, async || all(supplier.taken(&new).await, true)).await;
        assert!(all(supplier.taken(&old).await, false), "an ended key came back");
    }
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");

    // Each lead that was accepted, at one gateway or at both, with whichever key, is one lead.
    let accepted: BTreeSet<String> = during
        .iter()
        .map(|(_, answer)| answer)
        .chain(&before)
        .filter(|answer| accepted(answer))
        .map(|answer| answer.body["leadId"].as_str().unwrap().to_owned())
        .collect();
    let pool = PgPool::connect(&world.cluster.postgres.url()).await.unwrap();
    let leads: Vec<_> = accepted.iter().map(|lead| lead.parse().unwrap()).collect();
    books::wait_until_settled(&pool, &leads, PATIENCE).await.unwrap();
    let stored = count(&pool, "SELECT count(*) FROM distribution.leads").await;
    assert_eq!(stored, i64::try_from(accepted.len()).unwrap());
    let posted = i64::from(supplier.posted.load(Ordering::Relaxed));
    assert!(stored <= posted, "{stored} leads of {posted} posts");
    let keys = "SELECT count(*) FROM accounts.api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())";
    assert_eq!(count(&pool, keys).await, 1);
}
