//! A database, a NATS server, a clock, a purse in billing's place, and replicas of distribution.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use leadflow_contracts::{
    common::{self, Decision, DuplicateMatch, DuplicateRule, FieldDef, FieldType, Logic, Money, Outcome, Status},
    distribution::{
        Campaign, GetCampaignRequest, GetDecisionRequest, Lead, PutCampaignRequest, PutCategoryRequest,
        PutSubscriptionRequest, RequestReturnRequest, ReturnPolicy, Subscription,
        distribution_server::Distribution as _,
    },
};
use leadflow_distribution::{
    Buyer, MIGRATOR, Seller,
    app::{App, AppError, Catalogue, Posted},
    inbound::{catalogue::CatalogueService, grpc::Service, returns::ReturnsService},
    outbound::billing::{Hold, HoldOutcome, Holds, HoldsError},
};
use leadflow_kernel::{
    AssignmentId, BuyerId, CampaignId, CategoryId, Clock as _, Currency, LeadId, ManualClock, ReturnId, SellerId,
    SubscriptionId, SupplierId,
};
use leadflow_messaging::{
    Bus, BusSettings,
    outbox::{Outbox, Relay},
    topology,
};
use leadflow_platform::{
    Shutdown,
    db::{self, DbSettings},
    grpc::{Caller, ServiceToken, stable_code},
};
use leadflow_testkit::{TestDb, TestNats};
use sqlx::PgPool;
use tonic::{Code, Request, Response};

pub const PATIENCE: Duration = Duration::from_secs(30);
pub const TOKEN: &str = "a token of the tests";
/// Noon in UTC, early morning in New York.
pub const NOON: &str = "2026-11-22T12:00:00Z";

/// Billing in memory: how many leads each buyer can still pay for (absent: any number).
#[derive(Default)]
pub struct Purse {
    funds: Mutex<HashMap<BuyerId, u32>>,
    pub held: Mutex<HashMap<AssignmentId, BuyerId>>,
    pub down: AtomicBool,
    /// A campaign whose questions are refused for good.
    pub refuses: Mutex<Option<CampaignId>>,
    /// While a test holds this, billing has granted but not answered yet.
    pub gate: tokio::sync::Mutex<()>,
    /// How many questions were asked.
    pub asked: AtomicUsize,
    /// SQL to run after the next holds are granted, before the answer.
    pub after_grant: Mutex<Option<(PgPool, &'static str)>>,
}

impl Purse {
    pub fn set(&self, buyer: BuyerId, leads: u32) {
        self.funds.lock().unwrap().insert(buyer, leads);
    }

    pub fn held_for(&self, buyer: BuyerId) -> usize {
        self.held.lock().unwrap().values().filter(|one| **one == buyer).count()
    }

    pub fn held_ids(&self) -> HashSet<AssignmentId> {
        self.held.lock().unwrap().keys().copied().collect()
    }
}

#[tonic::async_trait]
impl Holds for Purse {
    async fn place(&self, _: SellerId, holds: &[Hold], _: Option<&str>) -> Result<Vec<HoldOutcome>, HoldsError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(HoldsError::Unavailable("down for a test".to_owned()));
        }
        let refuses = *self.refuses.lock().unwrap();
        if holds.iter().any(|hold| Some(hold.campaign) == refuses) {
            return Err(HoldsError::Refused("not understood, for a test".to_owned()));
        }
        let outcomes = {
            let (mut funds, mut held) = (self.funds.lock().unwrap(), self.held.lock().unwrap());
            holds
                .iter()
                .map(|hold| {
                    if held.contains_key(&hold.id) {
                        return HoldOutcome::Held;
                    }
                    if let Some(left) = funds.get_mut(&hold.buyer) {
                        if *left == 0 {
                            return HoldOutcome::InsufficientFunds;
                        }
                        *left -= 1;
                    }
                    held.insert(hold.id, hold.buyer);
                    HoldOutcome::Held
                })
                .collect()
        };
        self.asked.fetch_add(1, Ordering::SeqCst);
        drop(self.gate.lock().await);
        let after = self.after_grant.lock().unwrap().take();
        if let Some((pool, sql)) = after {
            sqlx::query(sql).execute(&pool).await.unwrap();
        }
        Ok(outcomes)
    }

    async fn release(&self, _: SellerId, ids: &[AssignmentId]) -> Result<(), HoldsError> {
        let (mut funds, mut held) = (self.funds.lock().unwrap(), self.held.lock().unwrap());
        for id in ids {
            if let Some(buyer) = held.remove(id)
                && let Some(left) = funds.get_mut(&buyer)
            {
                *left += 1;
            }
        }
        Ok(())
    }
}

pub struct World {
    pub db: TestDb,
    // Ends with the world.
    _nats: TestNats,
    pub bus: Bus,
    pub clock: ManualClock,
    pub purse: Arc<Purse>,
    stop: Shutdown,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A seller with a category, and who posts.
#[derive(Clone, Copy)]
pub struct Tenant {
    pub seller: SellerId,
    pub category: CategoryId,
    pub supplier: SupplierId,
}

impl World {
    pub async fn new() -> Self {
        let migrators = [&MIGRATOR];
        let (db, nats) = tokio::join!(TestDb::create(&migrators), TestNats::start());
        let (db, nats) = (db.unwrap(), nats.unwrap());
        let settings = BusSettings { url: nats.url(), source: "distribution".to_owned(), connect_within: PATIENCE };
        let bus = Bus::connect(&settings).await.unwrap();
        let limits = topology::TopologySettings { max_bytes: 64 << 20, ..Default::default() };
        topology::ensure(&bus, limits).await.unwrap();
        let clock = ManualClock::at(NOON.parse().unwrap());
        Self { db, _nats: nats, bus, clock, purse: Arc::default(), stop: Shutdown::new() }
    }

    pub fn settings(&self) -> DbSettings {
        DbSettings { url: self.db.url(), role: None, application: "distribution-test", max_connections: 12 }
    }

    pub fn stop(&self) -> Shutdown {
        self.stop.child_token().into()
    }

    pub fn pool(&self) -> &PgPool {
        self.db.pool()
    }

    /// Another replica, with connections and a memory of its own.
    pub fn replica(&self) -> App {
        let pool = db::connect(&self.settings()).unwrap();
        self.app(pool.clone(), pool)
    }

    /// A replica on `pool` that publishes from `outbox`.
    pub fn app(&self, pool: PgPool, outbox: PgPool) -> App {
        let (relay, relaying) = Relay::new(Outbox::new("distribution"), outbox, self.bus.clone(), self.stop.clone());
        tokio::spawn(relaying);
        App::new(pool, relay, self.bus.clone(), Arc::new(self.clock.clone()), self.purse.clone())
    }

    /// Who answers questions.
    pub fn catalogue(&self) -> CatalogueService {
        CatalogueService::new(Catalogue::connect(&self.settings(), Arc::new(self.clock.clone())).unwrap())
    }

    /// Who undoes sales, as this replica.
    pub fn returns(&self, app: &App) -> ReturnsService {
        let catalogue = Catalogue::connect(&self.settings(), Arc::new(self.clock.clone())).unwrap();
        ReturnsService::new(app.clone(), catalogue)
    }

    pub async fn tenant(&self, app: &App) -> Tenant {
        let tenant = Tenant { seller: SellerId::new(), category: CategoryId::new(), supplier: SupplierId::new() };
        app.project_directory(vec![seller(tenant.seller, 1)], vec![]).await.unwrap();
        call(app).put_category(as_tenant(tenant.seller, category(tenant))).await.unwrap();
        tenant
    }

    pub async fn buyer(&self, app: &App, tenant: Tenant) -> BuyerId {
        let id = BuyerId::new();
        app.project_directory(vec![], vec![buyer(tenant.seller, id, 1)]).await.unwrap();
        id
    }

    /// A campaign with this many subscribers, each a buyer of its own.
    pub async fn campaign(&self, app: &App, tenant: Tenant, logic: Logic, buyers: usize) -> (CampaignId, Vec<BuyerId>) {
        let campaign = put_campaign(app, tenant, campaign(tenant, logic)).await.campaign_id.parse().unwrap();
        let mut ids = Vec::new();
        for _ in 0..buyers {
            let buyer = self.buyer(app, tenant).await;
            // The clock decides who is older.
            self.clock.advance(chrono::TimeDelta::seconds(1));
            put_subscription(app, tenant, subscription(campaign, buyer)).await;
            ids.push(buyer);
        }
        (campaign, ids)
    }

    pub fn post(&self, tenant: Tenant, campaign: CampaignId) -> Posted {
        Posted {
            lead: LeadId::new(),
            seller: tenant.seller,
            supplier: tenant.supplier,
            campaign,
            category: tenant.category,
            state: "CA".to_owned(),
            quality: "HOT".to_owned(),
            data: r#"{"email":"ann@example.com","phone":"+12125550100"}"#.to_owned(),
            raw: None,
            unknown_fields: vec![],
            reference: "r1".to_owned(),
            test: false,
            received_at: self.clock.now(),
            body_hash: vec![1; 32],
            reply_subject: String::new(),
            traceparent: None,
        }
    }

    pub fn posts(&self, tenant: Tenant, campaign: CampaignId, count: usize) -> Vec<Posted> {
        (0..count).map(|_| self.post(tenant, campaign)).collect()
    }

    /// Looks again until nothing is due.
    pub async fn retry(&self, app: &App) {
        while app.retry_unsold().await.unwrap() {}
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap()
    }

    /// How many leads each of these buyers bought.
    pub async fn bought(&self, buyers: &[BuyerId]) -> Vec<usize> {
        let rows: Vec<uuid::Uuid> =
            sqlx::query_scalar("SELECT buyer_id FROM distribution.assignments").fetch_all(self.pool()).await.unwrap();
        buyers.iter().map(|buyer| rows.iter().filter(|row| **row == buyer.uuid()).count()).collect()
    }

    /// What must be true of the tables at any time when nothing is under way.
    pub async fn check_books(&self) {
        for (rule, sql) in [
            (
                "leads count their sales",
                "SELECT count(*) FROM distribution.leads l WHERE NOT l.test AND l.buyers_assigned <> \
                 (SELECT count(*) FROM distribution.assignments a WHERE a.lead_id = l.lead_id)",
            ),
            (
                "only distributed leads are sold",
                "SELECT count(*) FROM distribution.assignments a JOIN distribution.leads l USING (lead_id) \
                 LEFT JOIN distribution.returns r USING (assignment_id) \
                 WHERE l.test OR (l.outcome <> 2 AND r.by_receiver IS NOT TRUE)",
            ),
            (
                "what is for sale ends",
                "SELECT count(*) FROM distribution.leads WHERE (outcome = 3 AND NOT test) AND expires_at IS NULL",
            ),
            (
                "prices add up",
                "SELECT count(*) FROM distribution.leads l WHERE NOT test AND price <> \
                 (SELECT sum(price) FROM distribution.assignments a WHERE a.lead_id = l.lead_id)",
            ),
            (
                "caps count sales and are kept",
                "SELECT count(*) FROM distribution.subscriptions s JOIN distribution.subscription_rotation r \
                 USING (subscription_id) WHERE r.sold_today > s.daily_cap",
            ),
            (
                "what counts for caps is what was sold that day and not taken out",
                "SELECT count(*) FROM distribution.subscription_rotation r JOIN distribution.sellers z ON z.seller_id = \
                   (SELECT seller_id FROM distribution.campaign_routing c WHERE c.campaign_id = r.campaign_id) \
                 WHERE (SELECT count(*) FROM distribution.subscriptions s WHERE s.campaign_id = r.campaign_id AND s.buyer_id = \
                          (SELECT buyer_id FROM distribution.subscriptions o WHERE o.subscription_id = r.subscription_id)) = 1 \
                   AND r.sold_today <> \
                   (SELECT count(*) FROM distribution.assignments a LEFT JOIN distribution.returns b USING (assignment_id) \
                    WHERE a.subscription_id = r.subscription_id AND b.out_of_caps IS NOT TRUE \
                      AND (a.assigned_at AT TIME ZONE z.time_zone)::date = r.cap_day)",
            ),
            (
                "the rotation moved once a sale",
                "SELECT count(*) FROM distribution.campaign_routing r WHERE next_seq - 1 <> \
                 (SELECT count(*) FROM distribution.assignments a WHERE a.campaign_id = r.campaign_id)",
            ),
            (
                "campaigns count their leads",
                "SELECT count(*) FROM distribution.campaign_routing r WHERE leads <> (SELECT count(*) \
                 FROM distribution.leads l WHERE l.campaign_id = r.campaign_id AND l.seller_id = r.seller_id AND NOT l.test)",
            ),
        ] {
            let broken: i64 = sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap();
            assert_eq!(broken, 0, "{rule}");
        }
        let sold: Vec<uuid::Uuid> = sqlx::query_scalar("SELECT assignment_id FROM distribution.assignments")
            .fetch_all(self.pool())
            .await
            .unwrap();
        let held = self.purse.held_ids();
        assert!(sold.iter().all(|id| held.contains(&AssignmentId::from_uuid(*id))), "every sale is paid for");
    }
}

pub fn call(app: &App) -> Service {
    Service::new(app.clone())
}

/// The code and the stable code of a call that must be refused.
pub fn refusal<T>(answer: Result<Response<T>, tonic::Status>) -> (Code, String) {
    let status = answer.err().expect("a refusal");
    (status.code(), stable_code(&status).to_owned())
}

pub fn as_tenant<T>(seller: SellerId, message: T) -> Request<T> {
    Caller::new(ServiceToken::new(TOKEN)).request(message, seller, PATIENCE)
}

pub fn seller(id: SellerId, version: u64) -> Seller {
    Seller {
        id,
        version,
        company_name: "Acme Leads".to_owned(),
        status: leadflow_distribution_domain::Status::Active,
        time_zone: "America/New_York".to_owned(),
        currency: Currency::USD,
        retention_days: 0,
    }
}

pub fn buyer(seller: SellerId, id: BuyerId, version: u64) -> Buyer {
    Buyer {
        id,
        seller,
        version,
        company_name: "Best Insurance".to_owned(),
        status: leadflow_distribution_domain::Status::Active,
        priority: 5,
    }
}

pub fn category(tenant: Tenant) -> PutCategoryRequest {
    let field =
        |name: &str, kind: FieldType| FieldDef { name: name.to_owned(), r#type: kind.into(), ..FieldDef::default() };
    PutCategoryRequest {
        category_id: tenant.category.to_string(),
        name: "Medicare".to_owned(),
        status: Status::Active.into(),
        fields: vec![field("email", FieldType::Email), field("phone", FieldType::Phone)],
        expected_version: None,
    }
}

pub fn campaign(tenant: Tenant, logic: Logic) -> PutCampaignRequest {
    PutCampaignRequest {
        campaign_id: CampaignId::new().to_string(),
        category_id: tenant.category.to_string(),
        name: "Medicare California".to_owned(),
        status: Status::Active.into(),
        logic: logic.into(),
        price: Some(usd("25.00")),
        allow_state_selection: true,
        ..PutCampaignRequest::default()
    }
}

/// Everything may be returned for a week, for two reasons.
pub fn policy() -> ReturnPolicy {
    ReturnPolicy {
        days: 7,
        max_share_percent_per_month: 100,
        reasons: vec!["wrong_number".to_owned(), "not_interested".to_owned()],
        auto_approve: false,
        counts_out_of_caps: false,
        refusals: None,
    }
}

/// Has a campaign take sales back.
pub async fn take_back(app: &App, tenant: Tenant, campaign: CampaignId, policy: ReturnPolicy) {
    let wanted = GetCampaignRequest { campaign_id: campaign.to_string() };
    let known = call(app).get_campaign(as_tenant(tenant.seller, wanted)).await.unwrap().into_inner();
    let request = PutCampaignRequest {
        campaign_id: known.campaign_id,
        category_id: known.category_id,
        name: known.name,
        description: known.description,
        status: known.status,
        logic: known.logic,
        price: known.price,
        allow_state_selection: known.allow_state_selection,
        duplicates: known.duplicates,
        lead_ttl_hours: known.lead_ttl_hours,
        returns: Some(policy),
        expected_version: None,
    };
    put_campaign(app, tenant, request).await;
}

/// A buyer wants a sale undone.
pub fn wish(buyer: BuyerId, assignment: &str) -> RequestReturnRequest {
    RequestReturnRequest {
        return_id: ReturnId::new().to_string(),
        assignment_id: assignment.to_owned(),
        buyer_id: buyer.to_string(),
        reason: "wrong_number".to_owned(),
        note: "rings at a bakery".to_owned(),
    }
}

pub fn no_repeats(fields: &[&str]) -> DuplicateRule {
    DuplicateRule {
        window_days: 30,
        fields: fields.iter().map(|&field| field.to_owned()).collect(),
        r#match: DuplicateMatch::Any.into(),
    }
}

pub fn subscription(campaign: CampaignId, buyer: BuyerId) -> PutSubscriptionRequest {
    PutSubscriptionRequest {
        subscription_id: SubscriptionId::new().to_string(),
        campaign_id: campaign.to_string(),
        buyer_id: buyer.to_string(),
        status: Status::Active.into(),
        ..PutSubscriptionRequest::default()
    }
}

pub async fn put_campaign(app: &App, tenant: Tenant, request: PutCampaignRequest) -> Campaign {
    call(app).put_campaign(as_tenant(tenant.seller, request)).await.unwrap().into_inner()
}

pub async fn put_subscription(app: &App, tenant: Tenant, request: PutSubscriptionRequest) -> Subscription {
    call(app).put_subscription(as_tenant(tenant.seller, request)).await.unwrap().into_inner()
}

/// The request that writes a subscription as it is.
pub fn as_put(made: &Subscription) -> PutSubscriptionRequest {
    PutSubscriptionRequest {
        subscription_id: made.subscription_id.clone(),
        campaign_id: made.campaign_id.clone(),
        buyer_id: made.buyer_id.clone(),
        status: made.status,
        daily_cap: made.daily_cap,
        states: made.states.clone(),
        waterfall_priority: made.waterfall_priority,
        seller_waterfall_priority: made.seller_waterfall_priority,
        expected_version: None,
    }
}

/// Archives the buyer's subscription to the campaign.
pub async fn unsubscribe(app: &App, tenant: Tenant, campaign: CampaignId, buyer: BuyerId) {
    let wanted = GetCampaignRequest { campaign_id: campaign.to_string() };
    let view = call(app).get_campaign(as_tenant(tenant.seller, wanted)).await.unwrap().into_inner();
    let live =
        view.subscriptions.iter().find(|one| one.buyer_id == buyer.to_string() && one.status() != Status::Archived);
    let archived = PutSubscriptionRequest { status: Status::Archived.into(), ..as_put(live.unwrap()) };
    put_subscription(app, tenant, archived).await;
}

pub async fn decision(app: &App, posted: &Posted) -> Decision {
    let request = GetDecisionRequest {
        lead_id: posted.lead.to_string(),
        supplier_id: posted.supplier.to_string(),
        body_hash: posted.body_hash.clone().into(),
    };
    call(app).get_decision(as_tenant(posted.seller, request)).await.unwrap().into_inner().decision.unwrap()
}

pub async fn outcome(app: &App, posted: &Posted) -> (Outcome, String) {
    let decision = decision(app, posted).await;
    (decision.outcome(), decision.reason)
}

pub async fn lead(app: &App, posted: &Posted) -> Lead {
    let request = leadflow_contracts::distribution::GetLeadRequest { lead_id: posted.lead.to_string() };
    call(app).get_lead(as_tenant(posted.seller, request)).await.unwrap().into_inner()
}

/// Decides as the consumer loop does: what can be tried again is.
pub async fn decide(app: &App, posted: &[Posted]) {
    for _ in 0..50 {
        match app.decide_batch(posted).await {
            Ok(()) => return,
            Err(AppError::Database(_) | AppError::Holds(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("fifty tries were not enough");
}

pub fn usd(amount: &str) -> Money {
    common::Money { amount: amount.to_owned(), currency: "USD".to_owned() }
}
