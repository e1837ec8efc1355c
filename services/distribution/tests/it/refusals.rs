//! Leads that a buyer's own system does not take: who pays, and who gets them then.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use futures::future::join_all;
use leadflow_contracts::{
    Event as _,
    common::{Logic, Outcome},
    distribution::{RefusalPolicy, ReturnPolicy},
    events::{LeadAssigned, LeadRefusal, LeadRefused, LeadReturned},
    subjects,
};
use leadflow_distribution::{
    app::{App, Posted, Refusal},
    inbound::refusals::Refusals,
};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, Clock as _, DeliveryId, EventId};
use leadflow_messaging::{
    Envelope, Message,
    consumer::{self, BatchHandler, ConsumerSettings, HandleError},
};
use leadflow_testkit::wait;
use prost::Message as _;
use tonic::Code;
use uuid::Uuid;

use crate::support::*;

const SOLD_ON: RefusalPolicy = RefusalPolicy { credited: true, sold_on: true, max_share_percent_per_month: 100 };

fn taking(refusals: RefusalPolicy) -> ReturnPolicy {
    ReturnPolicy { refusals: Some(refusals), ..ReturnPolicy::default() }
}

/// A campaign of buyers who are in a waterfall, or equal.
async fn market(
    world: &World,
    app: &App,
    logic: Logic,
    buyers: usize,
    policy: ReturnPolicy,
) -> (Tenant, CampaignId, Vec<BuyerId>) {
    let tenant = world.tenant(app).await;
    let (campaign, buyers) = world.campaign(app, tenant, logic, buyers).await;
    take_back(app, tenant, campaign, policy).await;
    (tenant, campaign, buyers)
}

/// Who has the lead now, and did not refuse it.
async fn holder(world: &World, posted: &Posted) -> Option<(BuyerId, AssignmentId)> {
    let found: Option<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT buyer_id, assignment_id FROM distribution.assignments a WHERE lead_id = $1 \
         AND NOT EXISTS (SELECT FROM distribution.returns r WHERE r.assignment_id = a.assignment_id)",
    )
    .bind(posted.lead.uuid())
    .fetch_optional(world.pool())
    .await
    .unwrap();
    found.map(|(buyer, assignment)| (buyer.into(), assignment.into()))
}

fn refusal(tenant: Tenant, posted: &Posted, (buyer, assignment): (BuyerId, AssignmentId)) -> Refusal {
    Refusal {
        seller: tenant.seller,
        buyer,
        assignment,
        lead: posted.lead,
        duplicate: false,
        because: "not in our area".to_owned(),
    }
}

/// To whom leads were sold, as whoever charges them hears it from the stream.
#[derive(Clone, Default)]
struct Sold(Arc<Mutex<Vec<String>>>);

#[tonic::async_trait]
impl BatchHandler for Sold {
    async fn handle(&self, batch: &[Message]) -> Result<(), HandleError> {
        for message in batch.iter().filter(|message| message.kind == LeadAssigned::TYPE) {
            let event = message.decode::<LeadAssigned>().map_err(HandleError::permanent)?;
            self.0.lock().unwrap().extend(event.assignments.into_iter().map(|sale| sale.buyer_id));
        }
        Ok(())
    }
}

impl Sold {
    fn hear(world: &World) -> Self {
        let sold = Self::default();
        let settings = ConsumerSettings {
            stream: leadflow_contracts::streams::LEADS,
            consumer: leadflow_contracts::streams::LEADS_BILLING,
            max_batch: 16,
            pace: std::time::Duration::ZERO,
        };
        tokio::spawn(consumer::run(world.bus.clone(), settings, Arc::new(sold.clone()), world.stop()));
        sold
    }
}

#[tokio::test]
async fn a_refused_lead_goes_from_buyer_to_buyer_until_nobody_is_left() {
    let world = World::new().await;
    let app = world.replica();
    let sold = Sold::hear(&world);
    let (tenant, campaign, buyers) = market(&world, &app, Logic::Waterfall, 3, taking(SOLD_ON)).await;
    let mut returned = world.bus.subscribe_core(subjects::LEAD_RETURNED).await.unwrap();
    let mut decided = world.bus.subscribe_core(subjects::LEAD_RETURN_DECIDED).await.unwrap();
    let posted = world.post(tenant, campaign);
    decide(&app, std::slice::from_ref(&posted)).await;
    let mut had = Vec::new();
    for left in (0..3).rev() {
        let has = holder(&world, &posted).await.expect("somebody has it");
        assert!(!had.contains(&has.0), "nobody gets it twice");
        had.push(has.0);
        let refused = refusal(tenant, &posted, has);
        app.refuse_lead(&refused).await.unwrap();
        let payload = tokio::time::timeout(PATIENCE, returned.next()).await.expect("an event").unwrap();
        let event = LeadReturned::decode(payload).unwrap();
        assert_eq!((event.assignment_id, event.reason.as_str()), (has.1.to_string(), "refused_by_receiver"));
        assert_eq!(event.price, Some(usd("25.00")));
        assert_eq!(outcome(&app, &posted).await, (Outcome::Unsold, "refused_by_buyer".to_owned()));
        // Told again, it changes nothing: nobody is paid back twice.
        app.refuse_lead(&refused).await.unwrap();
        world.retry(&app).await;
        let wanted = if left > 0 { Outcome::Distributed } else { Outcome::Unsold };
        assert_eq!(outcome(&app, &posted).await.0, wanted);
        // A late repeat of the first refusal does not touch the second sale.
        app.refuse_lead(&refused).await.unwrap();
        world.check_books().await;
    }
    assert_eq!(had.len(), buyers.len());
    // Each sale is another event: none is taken for a repeat.
    let each: Vec<_> = had.iter().map(BuyerId::to_string).collect();
    wait::until("each buyer is charged", PATIENCE, async || *sold.0.lock().unwrap() == each).await;
    assert_eq!(world.count("SELECT count(*) FROM distribution.returns WHERE by_receiver AND automatic").await, 3);
    assert_eq!(
        world.count("SELECT count(*) FROM distribution.audit_entries WHERE action = 'return.approved'").await,
        3
    );
    // Nobody asked, so nobody is told of a decision: the first that is told is another lead's.
    let silent = tokio::time::timeout(std::time::Duration::ZERO, decided.next()).await;
    assert!(silent.is_err(), "a refusal is nobody's wish");
    // Its time runs out as that of any lead that nobody bought.
    world.clock.advance(TimeDelta::days(4));
    while app.expire_unsold().await.unwrap() > 0 {}
    assert_eq!(outcome(&app, &posted).await.0, Outcome::Expired);
    world.check_books().await;
}

#[tokio::test]
async fn without_a_policy_the_buyer_pays_and_without_selling_on_the_lead_stays() {
    let world = World::new().await;
    let app = world.replica();
    for (policy, credited) in [
        (ReturnPolicy::default(), 0),
        (taking(RefusalPolicy { credited: true, sold_on: false, max_share_percent_per_month: 100 }), 1),
    ] {
        let (tenant, campaign, buyers) = market(&world, &app, Logic::RoundRobin, 2, policy).await;
        let posted = world.post(tenant, campaign);
        decide(&app, std::slice::from_ref(&posted)).await;
        let has = holder(&world, &posted).await.unwrap();
        app.refuse_lead(&refusal(tenant, &posted, has)).await.unwrap();
        world.retry(&app).await;
        assert_eq!(outcome(&app, &posted).await.0, Outcome::Distributed);
        assert_eq!(world.bought(&buyers).await.iter().sum::<usize>(), 1);
        assert_eq!(world.count("SELECT count(*) FROM distribution.returns").await, credited);
    }
    world.check_books().await;
}

#[tokio::test]
async fn what_was_broadcast_is_credited_and_not_sold_again() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, campaign, buyers) = market(&world, &app, Logic::Broadcast, 3, taking(SOLD_ON)).await;
    let posted = world.post(tenant, campaign);
    decide(&app, std::slice::from_ref(&posted)).await;
    for _ in 0..2 {
        let found: (Uuid, Uuid) = sqlx::query_as(
            "SELECT buyer_id, assignment_id FROM distribution.assignments a WHERE NOT EXISTS ( \
               SELECT FROM distribution.returns r WHERE r.assignment_id = a.assignment_id) ORDER BY buyer_id LIMIT 1",
        )
        .fetch_one(world.pool())
        .await
        .unwrap();
        app.refuse_lead(&refusal(tenant, &posted, (found.0.into(), found.1.into()))).await.unwrap();
    }
    world.retry(&app).await;
    assert_eq!(outcome(&app, &posted).await.0, Outcome::Distributed);
    assert_eq!(world.bought(&buyers).await, [1, 1, 1]);
    assert_eq!(world.count("SELECT count(*) FROM distribution.returns WHERE by_receiver").await, 2);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_refusals_come_at_once_the_share_is_exact_and_returns_have_their_own() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let quarter = RefusalPolicy { credited: true, sold_on: true, max_share_percent_per_month: 25 };
    let both = ReturnPolicy { auto_approve: true, max_share_percent_per_month: 10, ..policy() };
    let refusals = ReturnPolicy { refusals: Some(quarter), ..both };
    let (tenant, campaign, buyers) = market(&world, &replicas[0], Logic::RoundRobin, 1, refusals).await;
    let posts = world.posts(tenant, campaign, 20);
    decide(&replicas[0], &posts).await;
    let mut wanted = Vec::new();
    for posted in &posts {
        let has = holder(&world, posted).await.unwrap();
        wanted.push(refusal(tenant, posted, has));
    }
    // Each twice at once, at two replicas.
    let told = join_all(wanted.iter().enumerate().flat_map(|(n, one)| [(n, one), (n + 1, one)]).map(|(n, one)| {
        let app = &replicas[n % 2];
        app.refuse_lead(one)
    }))
    .await;
    for answer in told {
        answer.unwrap();
    }
    assert_eq!(world.count("SELECT count(*) FROM distribution.returns WHERE by_receiver").await, 5, "a quarter");
    world.retry(&replicas[0]).await;
    assert_eq!(world.bought(&buyers).await, [20], "there is nobody else");
    // The share of what he asks back himself is not used up by them: a tenth of twenty.
    let service = world.returns(&replicas[0]);
    let mut taken = 0;
    for posted in &posts {
        let Some((buyer, assignment)) = holder(&world, posted).await else { continue };
        let request = as_tenant(tenant.seller, wish(buyer, &assignment.to_string()));
        let answer = leadflow_contracts::distribution::returns_server::Returns::request_return(&service, request).await;
        match answer {
            Ok(_) => taken += 1,
            Err(status) => assert_eq!(status.code(), Code::FailedPrecondition),
        }
    }
    assert_eq!(taken, 2);
    world.check_books().await;
}

#[tokio::test]
async fn what_is_refused_on_its_day_leaves_the_cap_where_returns_do() {
    let world = World::new().await;
    let app = world.replica();
    let policy = ReturnPolicy { counts_out_of_caps: true, ..taking(SOLD_ON) };
    let (tenant, campaign, buyers) = market(&world, &app, Logic::RoundRobin, 1, policy).await;
    let mut capped = subscription(campaign, buyers[0]);
    unsubscribe(&app, tenant, campaign, buyers[0]).await;
    capped.daily_cap = Some(1);
    put_subscription(&app, tenant, capped).await;
    let posts = world.posts(tenant, campaign, 2);
    decide(&app, &posts).await;
    let mut sold = None;
    for posted in &posts {
        if let Some(has) = holder(&world, posted).await {
            sold = Some((posted, has));
        }
    }
    let (posted, has) = sold.expect("one is sold, the other waits for room");
    app.refuse_lead(&refusal(tenant, posted, has)).await.unwrap();
    world.retry(&app).await;
    assert_eq!(world.bought(&buyers).await, [2], "the other one has the room now");
    assert_eq!(outcome(&app, posted).await.0, Outcome::Unsold, "and this one nobody else wants");
    world.check_books().await;
}

#[tokio::test]
async fn a_foreign_sale_is_not_found_and_an_old_lead_is_not_sold_again() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, campaign, buyers) = market(&world, &app, Logic::RoundRobin, 2, taking(SOLD_ON)).await;
    let stranger = world.tenant(&app).await;
    let posted = world.post(tenant, campaign);
    decide(&app, std::slice::from_ref(&posted)).await;
    let has = holder(&world, &posted).await.unwrap();
    let foreign = app.refuse_lead(&refusal(stranger, &posted, has)).await;
    assert_eq!(foreign.unwrap_err().to_string(), "no such assignment");
    let other = buyers.iter().copied().find(|buyer| *buyer != has.0).unwrap();
    let not_his = app.refuse_lead(&refusal(tenant, &posted, (other, has.1))).await;
    assert_eq!(not_his.unwrap_err().to_string(), "no such assignment");
    // A receiver that answers after three days: the sale is undone, and the lead has had its time.
    world.clock.advance(TimeDelta::hours(73));
    app.refuse_lead(&refusal(tenant, &posted, has)).await.unwrap();
    world.retry(&app).await;
    assert_eq!(outcome(&app, &posted).await.0, Outcome::Distributed);
    assert_eq!(world.count("SELECT count(*) FROM distribution.returns WHERE by_receiver").await, 1);
    world.check_books().await;
}

#[tokio::test]
async fn the_event_does_it_and_told_twice_it_is_done_once() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, campaign, _) = market(&world, &app, Logic::RoundRobin, 2, taking(SOLD_ON)).await;
    let posted = world.post(tenant, campaign);
    decide(&app, std::slice::from_ref(&posted)).await;
    let (buyer, assignment) = holder(&world, &posted).await.unwrap();
    let stop = world.stop();
    let consuming = tokio::spawn(consumer::run(
        world.bus.clone(),
        ConsumerSettings {
            stream: leadflow_contracts::streams::NOTIFY,
            consumer: leadflow_contracts::streams::NOTIFY_DISTRIBUTION,
            max_batch: 16,
            pace: std::time::Duration::ZERO,
        },
        std::sync::Arc::new(Refusals::new(app.clone())),
        stop.clone(),
    ));
    let event = LeadRefused {
        delivery_id: DeliveryId::new().to_string(),
        assignment_id: assignment.to_string(),
        lead_id: posted.lead.to_string(),
        buyer_id: buyer.to_string(),
        seller_id: tenant.seller.to_string(),
        refusal: LeadRefusal::Duplicate.into(),
        because: "already a customer".to_owned(),
        at_ms: world.clock.now().timestamp_millis(),
    };
    for _ in 0..2 {
        let envelope = Envelope::new(EventId::new(), &event, world.clock.now());
        world.bus.publish(&[envelope]).await.unwrap();
    }
    wait::until("the sale is undone", PATIENCE, async || {
        world.count("SELECT count(*) FROM distribution.returns WHERE reason = 'duplicate_at_receiver'").await == 1
    })
    .await;
    world.retry(&app).await;
    let next = holder(&world, &posted).await.expect("sold to the next").0;
    assert_ne!(next, buyer);
    stop.cancel();
    consuming.await.unwrap();
    world.check_books().await;
}

#[tokio::test]
async fn what_a_receiver_says_of_a_lead_whose_data_is_removed_is_not_written_down() {
    let world = World::new().await;
    let app = world.replica();
    let (tenant, campaign, _) = market(&world, &app, Logic::RoundRobin, 1, taking(SOLD_ON)).await;
    let (kept, gone) = (world.post(tenant, campaign), world.post(tenant, campaign));
    decide(&app, &[kept.clone(), gone.clone()]).await;
    sqlx::query("UPDATE distribution.leads SET masked_at = received_at WHERE lead_id = $1")
        .bind(gone.lead.uuid())
        .execute(world.pool())
        .await
        .unwrap();
    for posted in [&kept, &gone] {
        let has = holder(&world, posted).await.unwrap();
        app.refuse_lead(&refusal(tenant, posted, has)).await.unwrap();
        let note: String = sqlx::query_scalar("SELECT note FROM distribution.returns WHERE lead_id = $1")
            .bind(posted.lead.uuid())
            .fetch_one(world.pool())
            .await
            .unwrap();
        assert_eq!(note, if posted.lead == kept.lead { "not in our area" } else { "" });
    }
}
