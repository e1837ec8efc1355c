//! Messages that sellers pay for: counted once each, posted once a month.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use leadflow_billing::{
    app::usage::Usage,
    inbound::{usage_events::UsageEvents, usage_grpc::UsageService},
    workers::usage::step,
};
use leadflow_billing_domain::{Markups, UnitCost, UsageKind};
use leadflow_contracts::{
    billing::{
        GetUsageRequest, GetUsageResponse, GetUsageTermsRequest, SetUsageTermsRequest, UsageSum,
        usage_server::Usage as _,
    },
    events::{self, UsageRecorded},
};
use leadflow_kernel::{BuyerId, Clock as _, Currency, DeliveryId, ManualClock, SellerId, UserId};
use leadflow_messaging::consumer::{BatchHandler as _, HandleError};
use leadflow_platform::{
    audit::{self, ActorRole, Trail},
    grpc::stable_code,
};
use leadflow_testkit::StatementCounter;
use rust_decimal::Decimal;
use sqlx::PgPool;
use tonic::{Code, Request};

use crate::support::*;

const COSTS: [(UsageKind, &str); 3] =
    [(UsageKind::Email, "0.001"), (UsageKind::Sms, "0.0075"), (UsageKind::Webhook, "0.0006")];

pub fn usage_on(pool: PgPool, clock: &ManualClock) -> Usage {
    usage_with(pool, clock, &COSTS.map(|(kind, cost)| ("USD", kind, cost)))
}

/// With costs in these currencies.
pub fn usage_with(pool: PgPool, clock: &ManualClock, costs: &[(&str, UsageKind, &str)]) -> Usage {
    let cost = |(currency, kind, cost): &(&str, UsageKind, &str)| UnitCost {
        kind: *kind,
        currency: Currency::parse(currency).unwrap(),
        cost: dec(cost),
    };
    Usage::new(pool, Arc::new(clock.clone()), &costs.iter().map(cost).collect::<Vec<_>>())
}

/// Another replica's.
pub fn usage(world: &World) -> Usage {
    usage_on(leadflow_billing::connect(&world.settings()).unwrap(), &world.clock)
}

/// The time is `moment` now.
pub fn go_to(world: &World, moment: DateTime<Utc>) {
    world.clock.advance(moment - world.clock.now());
}

/// A seller whose month ends in `zone`.
pub async fn seller_in(world: &World, zone: &str) -> SellerId {
    let seller = SellerId::new();
    let record = events::SellerChanged { time_zone: zone.to_owned(), ..seller_changed(seller, 1) };
    apply(&world.replica(), &[message(&record)]).await.unwrap();
    seller
}

pub fn sent(seller: SellerId, kind: events::UsageKind, moment: &str) -> UsageRecorded {
    UsageRecorded {
        message_id: DeliveryId::new().to_string(),
        seller_id: seller.to_string(),
        buyer_id: String::new(),
        kind: kind.into(),
        units: 1,
        at_ms: at(moment).timestamp_millis(),
    }
}

pub fn many(count: usize, seller: SellerId, kind: events::UsageKind, moment: &str) -> Vec<UsageRecorded> {
    (0..count).map(|_| sent(seller, kind, moment)).collect()
}

pub async fn count(usage: &Usage, events: &[UsageRecorded]) -> Result<(), HandleError> {
    let batch: Vec<_> = events.iter().map(message).collect();
    UsageEvents::new(usage.clone()).handle(&batch).await
}

/// Month, amount and units of what was posted for a seller.
pub async fn posted(world: &World, seller: SellerId) -> Vec<(String, Decimal, i64)> {
    sqlx::query_as(
        "SELECT to_char(u.month, 'YYYY-MM'), -e.amount, u.units FROM billing.usage_postings u \
         JOIN billing.postings p ON p.posting_id = u.posting_id AND p.kind = 'usage' AND p.seller_id = u.seller_id \
         JOIN billing.entries e ON e.posting_id = p.posting_id \
         JOIN billing.accounts a ON a.account_id = e.account_id AND a.kind = 'seller_earnings' \
         WHERE u.seller_id = $1 AND e.amount = -u.amount ORDER BY u.month",
    )
    .bind(seller.uuid())
    .fetch_all(world.pool())
    .await
    .unwrap()
}

pub fn months(posted: &[(String, Decimal, i64)]) -> Vec<(&str, String)> {
    posted.iter().map(|(month, amount, _)| (month.as_str(), amount.to_string())).collect()
}

pub async fn units(world: &World) -> i64 {
    world.count("SELECT coalesce(sum(units), 0)::bigint FROM billing.usage_months").await
}

/// The books with what has no wallet line.
pub async fn check_usage(world: &World) {
    for (rule, sql) in [
        (
            "postings sum to zero",
            "SELECT count(*) FROM (SELECT posting_id FROM billing.entries GROUP BY posting_id HAVING sum(amount) <> 0) x",
        ),
        (
            "every posting of messages is a month's, and has two lines",
            "SELECT count(*) FROM (SELECT * FROM billing.postings WHERE kind = 'usage') p FULL JOIN billing.usage_postings u USING (posting_id) WHERE p.posting_id IS NULL OR u.posting_id IS NULL OR (SELECT count(*) FROM billing.entries e JOIN billing.accounts a USING (account_id) WHERE e.posting_id = p.posting_id AND a.seller_id = p.seller_id) <> 2",
        ),
        (
            "what is posted is what the postings say",
            "SELECT count(*) FROM (SELECT seller_id, sum(posted_units) AS units FROM billing.usage_months GROUP BY seller_id) m FULL JOIN (SELECT seller_id, sum(units) AS units FROM billing.usage_postings GROUP BY seller_id) u USING (seller_id) WHERE coalesce(m.units, 0) <> coalesce(u.units, 0)",
        ),
        (
            "no id without its message",
            "SELECT count(*) FROM (SELECT sum(messages) AS counted FROM (SELECT messages FROM billing.usage_months UNION ALL SELECT messages FROM billing.usage_unpriced) a) m, (SELECT count(*) AS seen FROM billing.usage_seen) s WHERE counted < seen",
        ),
        (
            "all amounts together are within half a cent of all exact sums",
            "SELECT count(*) FROM (SELECT seller_id FROM billing.usage_postings GROUP BY seller_id HAVING abs(sum(exact - amount)) > 0.005) x",
        ),
        (
            "the lines of a posting are in its seller's currency",
            "SELECT count(*) FROM billing.usage_postings u JOIN billing.entries e USING (posting_id) JOIN billing.accounts a USING (account_id) JOIN billing.sellers s ON s.seller_id = u.seller_id WHERE a.currency <> s.currency",
        ),
    ] {
        assert_eq!(world.count(sql).await, 0, "{rule}");
    }
}

const WEBHOOK: events::UsageKind = events::UsageKind::Webhook;
const EMAIL: events::UsageKind = events::UsageKind::Email;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_counted_once_however_often_and_by_how_many_it_is_told() {
    let world = World::new().await;
    let seller = seller_in(&world, "America/New_York").await;
    let (one, two) = (usage(&world), usage(&world));
    let mut events = many(60, seller, WEBHOOK, "2026-11-22T11:00:00Z");
    // The same message twice in one batch, too.
    events.push(events[0].clone());
    let turned: Vec<_> = events.iter().rev().cloned().collect();
    let half = &events[..30];
    let all = join_all([count(&one, &events), count(&two, &turned), count(&one, half), count(&two, half)]).await;
    all.into_iter().for_each(|outcome| outcome.unwrap());
    count(&one, &turned).await.unwrap();
    assert_eq!(units(&world).await, 60);
    let sms = UsageRecorded { units: 3, ..sent(seller, events::UsageKind::Sms, "2026-11-22T11:00:00Z") };
    count(&two, &[sms.clone(), sms]).await.unwrap();
    assert_eq!(units(&world).await, 63);
    check_usage(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_to_be_known_is_not_counted() {
    let world = World::new().await;
    let seller = seller_in(&world, "UTC").await;
    let usage = usage(&world);
    let old = sent(seller, WEBHOOK, "2026-10-23T11:59:59Z");
    let good = sent(seller, WEBHOOK, "2026-10-23T12:00:00Z");
    for bad in [old, sent(seller, WEBHOOK, "2026-11-22T13:00:01Z")] {
        let outcome = count(&usage, &[good.clone(), bad]).await;
        assert!(matches!(outcome, Err(HandleError::Permanent(_))), "{outcome:?}");
    }
    assert_eq!(units(&world).await, 0, "a batch is counted as a whole or not");
    count(&usage, std::slice::from_ref(&good)).await.unwrap();

    // It is known for longer than it would be counted.
    world.clock.advance(TimeDelta::days(30));
    assert_eq!(step(&usage).await.unwrap().forgotten, 0);
    count(&usage, std::slice::from_ref(&good)).await.unwrap_err();
    world.clock.advance(TimeDelta::days(4));
    assert_eq!(step(&usage).await.unwrap().forgotten, 1);
    count(&usage, &[good]).await.unwrap_err();
    assert_eq!(units(&world).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_statements_a_batch_takes_does_not_depend_on_its_size() {
    let world = World::new().await;
    let sellers = [seller_in(&world, "UTC").await, seller_in(&world, "Asia/Tokyo").await];
    let counter = StatementCounter::start(&world.db.url()).await.unwrap();
    let settings = leadflow_platform::db::DbSettings { url: counter.url().to_owned(), ..world.settings() };
    let usage = usage_on(leadflow_billing::connect(&settings).unwrap(), &world.clock);
    let moment = "2026-11-22T11:00:00Z";
    count(&usage, &many(1, sellers[0], WEBHOOK, moment)).await.unwrap();
    let mut executed = Vec::new();
    for size in [1, 300] {
        let batch = [many(size, sellers[0], WEBHOOK, moment), many(size, sellers[1], EMAIL, moment)].concat();
        let _ = counter.take();
        count(&usage, &batch).await.unwrap();
        executed.push(counter.take());
    }
    assert_eq!(executed[0], executed[1]);
    assert_eq!(executed[0].len(), 3, "two questions, and one statement that counts: {executed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_posted_once_after_its_end_where_the_tenant_lives() {
    let world = World::new().await;
    let (tokyo, los_angeles) = (seller_in(&world, "Asia/Tokyo").await, seller_in(&world, "America/Los_Angeles").await);
    let replicas = [usage(&world), usage(&world), usage(&world)];
    for seller in [tokyo, los_angeles] {
        // 16:00 in UTC: in Tokyo it is December, in Los Angeles a morning of November.
        go_to(&world, at("2026-11-30T16:00:00Z"));
        count(&replicas[0], &many(1_000, seller, EMAIL, "2026-11-20T00:00:00Z")).await.unwrap();
        count(&replicas[0], &many(100, seller, WEBHOOK, "2026-11-30T16:00:00Z")).await.unwrap();
    }
    // 1,000 mails at 0.001 and 15 %; 100 webhooks at 0.0006.
    for (now, in_tokyo, in_los_angeles) in [
        ("2026-12-01T14:59:59Z", vec![], vec![]),
        ("2026-12-01T15:00:00Z", vec![("2026-11", "1.15")], vec![]),
        ("2026-12-02T07:59:59Z", vec![("2026-11", "1.15")], vec![]),
        ("2026-12-02T08:00:00Z", vec![("2026-11", "1.15")], vec![("2026-11", "1.21")]),
        ("2027-01-01T15:00:00Z", vec![("2026-11", "1.15"), ("2026-12", "0.06")], vec![("2026-11", "1.21")]),
        ("2027-02-15T00:00:00Z", vec![("2026-11", "1.15"), ("2026-12", "0.06")], vec![("2026-11", "1.21")]),
    ] {
        go_to(&world, at(now));
        for outcome in join_all(replicas.iter().map(step)).await {
            outcome.unwrap();
        }
        let wanted =
            |list: Vec<(&'static str, &str)>| list.into_iter().map(|(m, a)| (m, a.to_owned())).collect::<Vec<_>>();
        assert_eq!(months(&posted(&world, tokyo).await), wanted(in_tokyo), "Tokyo at {now}");
        assert_eq!(months(&posted(&world, los_angeles).await), wanted(in_los_angeles), "Los Angeles at {now}");
    }
    check_usage(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_is_in_the_next_months_posting() {
    let world = World::new().await;
    let seller = seller_in(&world, "UTC").await;
    let usage = usage(&world);
    count(&usage, &many(50, seller, EMAIL, "2026-11-20T00:00:00Z")).await.unwrap();
    go_to(&world, at("2026-12-02T00:00:00Z"));
    assert_eq!(step(&usage).await.unwrap().posted, 1);
    // Of November, told when that is posted; another price makes another row, the same price the same one.
    count(&usage, &many(50, seller, EMAIL, "2026-11-30T23:59:59Z")).await.unwrap();
    count(&usage, &many(100, seller, WEBHOOK, "2026-11-30T23:59:59Z")).await.unwrap();
    assert_eq!(step(&usage).await.unwrap().posted, 0);
    // Nothing is sent in December.
    go_to(&world, at("2027-01-01T23:59:59Z"));
    assert_eq!(step(&usage).await.unwrap().posted, 0);
    go_to(&world, at("2027-01-02T00:00:00Z"));
    assert_eq!(step(&usage).await.unwrap().posted, 1);
    // 50 × 0.00115 = 0.0575, then 0.0575 + 0.06.
    let found = posted(&world, seller).await;
    assert_eq!(months(&found), [("2026-11", "0.06".to_owned()), ("2026-12", "0.12".to_owned())]);
    assert_eq!(found.iter().map(|(_, _, units)| *units).collect::<Vec<_>>(), [50, 150]);
    check_usage(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counting_and_posting_at_once_lose_nothing() {
    let world = World::new().await;
    let seller = seller_in(&world, "UTC").await;
    let replicas = [usage(&world), usage(&world)];
    go_to(&world, at("2026-12-02T00:00:00Z"));
    for round in 0..6 {
        let batches: Vec<_> = (0..4).map(|_| many(25, seller, EMAIL, "2026-11-30T23:00:00Z")).collect();
        let counting = join_all(batches.iter().enumerate().map(|(at, batch)| count(&replicas[at % 2], batch)));
        let posting = join_all(replicas.iter().map(step));
        let (counted, posted) = tokio::join!(counting, posting);
        counted.into_iter().for_each(|outcome| outcome.unwrap());
        posted.into_iter().for_each(|outcome| assert!(outcome.is_ok()));
        // Next month, so that there is something to post again.
        go_to(&world, at("2026-12-02T00:00:00Z") + TimeDelta::days(3 * round));
    }
    go_to(&world, at("2027-03-02T00:00:00Z"));
    for _ in 0..2 {
        join_all(replicas.iter().map(step)).await.into_iter().for_each(|outcome| assert!(outcome.is_ok()));
    }
    assert_eq!(units(&world).await, 600);
    let posted = posted(&world, seller).await;
    assert_eq!(posted.iter().map(|(_, _, units)| units).sum::<i64>(), 600);
    check_usage(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_posting_that_fails_and_other_sellers_do_not_suffer() {
    let world = World::new().await;
    let (one, other, foreign) = (seller_in(&world, "UTC").await, seller_in(&world, "UTC").await, SellerId::new());
    let euros = events::SellerChanged { currency: "EUR".to_owned(), ..seller_changed(foreign, 1) };
    apply(&world.replica(), &[message(&euros)]).await.unwrap();
    let unknown = SellerId::new();
    let usage = usage(&world);
    for seller in [one, other, foreign, unknown] {
        count(&usage, &many(100, seller, EMAIL, "2026-11-20T00:00:00Z")).await.unwrap();
    }
    // The last statement of the first seller's posting fails.
    sqlx::query("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$")
        .execute(world.pool())
        .await
        .unwrap();
    let refuse = format!(
        "CREATE TRIGGER refuse BEFORE INSERT ON billing.postings FOR EACH ROW WHEN (NEW.seller_id = '{}') EXECUTE FUNCTION refuse()",
        one.uuid()
    );
    sqlx::query(sqlx::AssertSqlSafe(refuse)).execute(world.pool()).await.unwrap();
    go_to(&world, at("2026-12-10T00:00:00Z"));
    step(&usage).await.unwrap_err();
    assert_eq!(posted(&world, one).await, []);
    assert_eq!(world.count("SELECT count(*) FROM billing.usage_postings").await, 1);
    assert_eq!(months(&posted(&world, other).await), [("2026-11", "0.12".to_owned())]);
    sqlx::query("DROP TRIGGER refuse ON billing.postings").execute(world.pool()).await.unwrap();
    assert_eq!(step(&usage).await.unwrap().posted, 1);
    assert_eq!(months(&posted(&world, one).await), [("2026-11", "0.12".to_owned())]);
    // Whose record comes late, and who pays in another currency.
    apply(&world.replica(), &[message(&seller_changed(unknown, 1))]).await.unwrap();
    assert_eq!(step(&usage).await.unwrap().posted, 1);
    assert_eq!(posted(&world, foreign).await, [], "there is no price in euros");
    check_usage(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terms_in_force_when_it_was_sent_count_and_who_changed_them_is_known() {
    let world = World::new().await;
    let (seller, other) = (seller_in(&world, "UTC").await, seller_in(&world, "UTC").await);
    let usage = usage(&world);
    let before = many(10, seller, EMAIL, "2026-11-22T12:00:00Z");
    world.clock.advance(TimeDelta::hours(1));
    let actor = audit::Actor { user: UserId::new(), role: Some(ActorRole::Admin) };
    let markups = Markups { email: Some(dec("100")), webhook: Some(dec("0.5")), sms: None };
    for _ in 0..2 {
        usage.set_markups(Some(actor), seller, markups).await.unwrap();
    }
    world.clock.advance(TimeDelta::hours(1));
    // What was sent before is told of afterwards.
    count(&usage, &[before, many(10, seller, EMAIL, "2026-11-22T13:00:00Z")].concat()).await.unwrap();
    count(&usage, &many(10, other, EMAIL, "2026-11-22T14:00:00Z")).await.unwrap();
    // The platform's own costs are others from now on; what was sent before keeps its price.
    world.clock.advance(TimeDelta::hours(1));
    let dearer = usage_with(world.pool().clone(), &world.clock, &[("USD", UsageKind::Email, "0.5")]);
    count(&dearer, &many(10, seller, EMAIL, "2026-11-22T14:59:59Z")).await.unwrap();
    count(&dearer, &many(10, seller, EMAIL, "2026-11-22T15:00:00Z")).await.unwrap();
    let rows: Vec<(Decimal, Decimal, i64)> = sqlx::query_as(
        "SELECT cost, markup_percent, units FROM billing.usage_months WHERE seller_id = $1 ORDER BY cost, markup_percent",
    )
    .bind(seller.uuid())
    .fetch_all(world.pool())
    .await
    .unwrap();
    assert_eq!(rows, [(dec("0.001"), dec("15"), 10), (dec("0.001"), dec("100"), 20), (dec("0.5"), dec("100"), 10)]);
    let mut connection = world.pool().acquire().await.unwrap();
    let trail = Trail::new("billing");
    let (keys, total) = trail.keys(&mut connection, Some(seller), None, None, 10).await.unwrap();
    assert_eq!(total, 1, "choosing the same again changes nothing");
    let ids: Vec<_> = keys.iter().map(|key| key.id).collect();
    let entry = trail.entries(&mut connection, Some(seller), &ids).await.unwrap().remove(0);
    assert_eq!(
        (entry.action.as_ref(), entry.actor, entry.subject_id),
        ("usage.terms_set", Some(actor), seller.to_string())
    );
    let value = |value: Option<serde_json::Value>| value.unwrap()["emailMarkup"].as_str().unwrap().to_owned();
    assert_eq!((value(entry.before), value(entry.after)), ("15".to_owned(), "100".to_owned()));
}

fn call<T>(tenant: SellerId, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-leadflow-tenant", tenant.to_string().parse().unwrap());
    request
}

fn sum(sum: Option<UsageSum>) -> (u64, String, String, String, String) {
    let sum = sum.unwrap();
    (sum.messages, sum.base, sum.markup, sum.total, sum.posted)
}

fn words(messages: u64, [base, markup, total, posted]: [&str; 4]) -> (u64, String, String, String, String) {
    (messages, base.to_owned(), markup.to_owned(), total.to_owned(), posted.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_tells_what_was_sent_for_whom_and_what_is_posted() {
    let world = World::new().await;
    let (seller, other) = (seller_in(&world, "UTC").await, seller_in(&world, "UTC").await);
    let usage = usage(&world);
    let service = UsageService::new(usage.clone());
    let buyer = BuyerId::new();
    let to_buyer = |events: Vec<UsageRecorded>| {
        events.into_iter().map(|event| UsageRecorded { buyer_id: buyer.to_string(), ..event }).collect::<Vec<_>>()
    };
    let november =
        [to_buyer(many(100, seller, WEBHOOK, "2026-11-22T11:00:00Z")), many(10, seller, EMAIL, "2026-11-22T11:00:00Z")]
            .concat();
    count(&usage, &november).await.unwrap();
    go_to(&world, at("2026-12-05T00:00:00Z"));
    assert_eq!(step(&usage).await.unwrap().posted, 1);
    count(&usage, &to_buyer(many(1, seller, WEBHOOK, "2026-12-04T11:00:00Z"))).await.unwrap();

    let range = |from: &str, until: &str| GetUsageRequest {
        from_ms: at(from).timestamp_millis(),
        until_ms: at(until).timestamp_millis(),
    };
    let ask = async |tenant, range| -> GetUsageResponse {
        service.get_usage(call(tenant, range)).await.unwrap().into_inner()
    };
    let report = ask(seller, range("2026-11-30T00:00:00Z", "2026-12-01T00:00:01Z")).await;
    let kinds: Vec<_> = report.kinds.iter().map(|one| (one.month.as_str(), one.kind(), sum(one.sum.clone()))).collect();
    assert_eq!(
        kinds,
        [
            ("2026-12", WEBHOOK, words(1, ["0.0006", "0", "0.0006", "0"])),
            ("2026-11", EMAIL, words(10, ["0.01", "0.0015", "0.0115", "0.0115"])),
            ("2026-11", WEBHOOK, words(100, ["0.06", "0", "0.06", "0.06"])),
        ]
    );
    assert_eq!(sum(report.sum), words(111, ["0.0706", "0.0015", "0.0721", "0.0715"]));
    let buyers: Vec<_> = report.buyers.into_iter().map(|one| (one.buyer_id, sum(one.sum))).collect();
    assert_eq!(
        buyers,
        [
            (buyer.to_string(), words(101, ["0.0606", "0", "0.0606", "0.06"])),
            (String::new(), words(10, ["0.01", "0.0015", "0.0115", "0.0115"])),
        ]
    );
    let posting = report.postings.first().unwrap();
    assert_eq!((posting.month.as_str(), posting.amount.clone()), ("2026-11", proto_usd("0.07")));
    assert_eq!(report.terms.unwrap().terms.len(), 3);
    assert_eq!(ask(seller, range("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z")).await.kinds.len(), 2);
    let theirs = ask(other, range("2026-11-01T00:00:00Z", "2026-12-05T00:00:00Z")).await;
    assert!(theirs.kinds.is_empty() && theirs.buyers.is_empty() && theirs.postings.is_empty());

    for (from_ms, until_ms) in [(0, 1), (5, 5), (9, 8), (1, i64::MAX), (-5, 5), (1, 800 * 24 * 3_600_000)] {
        let refusal = service.get_usage(call(seller, GetUsageRequest { from_ms, until_ms })).await.unwrap_err();
        assert_eq!((refusal.code(), stable_code(&refusal)), (Code::InvalidArgument, "invalid_field"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_are_asked_for_chosen_and_refused() {
    let world = World::new().await;
    let (seller, other) = (seller_in(&world, "UTC").await, seller_in(&world, "UTC").await);
    let service = UsageService::new(usage(&world));
    let set = |email: Option<&str>, sms: Option<&str>| SetUsageTermsRequest {
        email_markup_percent: email.map(str::to_owned),
        sms_markup_percent: sms.map(str::to_owned),
        webhook_markup_percent: None,
    };
    let chosen = service.set_usage_terms(call(seller, set(Some("12.3450"), Some("0")))).await.unwrap().into_inner();
    let terms: Vec<_> = chosen
        .terms
        .iter()
        .map(|term| (term.kind(), term.cost.as_str(), term.markup_percent.as_str(), term.usual))
        .collect();
    let wanted = [
        (EMAIL, "0.001", "12.345", false),
        (events::UsageKind::Sms, "0.0075", "0", false),
        (WEBHOOK, "0.0006", "0", true),
    ];
    assert_eq!(terms, wanted);
    let shown = service.get_usage_terms(call(seller, GetUsageTermsRequest {})).await.unwrap().into_inner();
    assert_eq!(shown, chosen);
    let theirs = service.get_usage_terms(call(other, GetUsageTermsRequest {})).await.unwrap().into_inner();
    assert!(theirs.terms.iter().all(|term| term.usual));
    for bad in ["-1", "999.1", "1.00001", "", "NaN", "1e2", "ten"] {
        let refusal = service.set_usage_terms(call(seller, set(Some(bad), None))).await.unwrap_err();
        assert_eq!((refusal.code(), stable_code(&refusal)), (Code::InvalidArgument, "invalid_field"), "{bad}");
    }
    // All at once: a chain of changes, and one of them is what holds.
    let replicas = [usage(&world), usage(&world)];
    let percents = ["1", "2", "3", "4", "5", "6"];
    join_all(percents.iter().enumerate().map(|(at, percent)| {
        let markups = Markups { email: Some(dec(percent)), ..Markups::default() };
        replicas[at % 2].set_markups(None, seller, markups)
    }))
    .await
    .into_iter()
    .for_each(|outcome| assert!(outcome.is_ok()));
    let now = service.get_usage_terms(call(seller, GetUsageTermsRequest {})).await.unwrap().into_inner();
    let last: String = sqlx::query_scalar(
        "SELECT after->>'emailMarkup' FROM billing.audit_entries WHERE after->>'emailMarkup' NOT IN \
           (SELECT before->>'emailMarkup' FROM billing.audit_entries)",
    )
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert_eq!(now.terms[0].markup_percent, last);
    assert_eq!(world.clock.now(), at(SUNDAY));
}
