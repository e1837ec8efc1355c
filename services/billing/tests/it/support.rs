//! A database, a NATS server, a clock, and any number of replicas of billing on them.

use std::{collections::HashSet, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use leadflow_billing::{
    MIGRATOR,
    app::{Billing, NewCredit},
    inbound::{directory_events::DirectoryEvents, lead_events::LeadEvents},
};
use leadflow_billing_domain::{HoldRequest, Price, Wallet};
use leadflow_contracts::{
    Event, common,
    events::{Assignment, BuyerChanged, LeadAssigned, SellerChanged},
    money_to_proto,
};
use leadflow_kernel::{
    AssignmentId, BuyerId, CampaignId, CategoryId, Currency, EventId, LeadId, ManualClock, Money, SellerId, SupplierId,
};
use leadflow_messaging::{
    Bus, BusSettings, CoreMessages, Message,
    consumer::{BatchHandler as _, HandleError},
    outbox::{Outbox, Relay},
    topology,
};
use leadflow_platform::{Shutdown, db::DbSettings};
use leadflow_testkit::{TestDb, TestNats};
use rust_decimal::Decimal;
use sqlx::PgPool;

pub const PATIENCE: Duration = Duration::from_secs(20);

/// Sunday, 22 November 2026, noon in UTC.
pub const SUNDAY: &str = "2026-11-22T12:00:00Z";

pub struct World {
    pub db: TestDb,
    pub nats: TestNats,
    pub bus: Bus,
    pub clock: ManualClock,
    stop: Shutdown,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    pub async fn new() -> Self {
        let migrators = [&MIGRATOR];
        let (db, nats) = tokio::join!(TestDb::create(&migrators), TestNats::start());
        let (db, nats) = (db.unwrap(), nats.unwrap());
        let settings = BusSettings { url: nats.url(), source: "billing".to_owned(), connect_within: PATIENCE };
        let bus = Bus::connect(&settings).await.unwrap();
        let limits = topology::TopologySettings { max_bytes: 64 << 20, ..Default::default() };
        topology::ensure(&bus, limits).await.unwrap();
        let clock = ManualClock::at(SUNDAY.parse().unwrap());
        Self { db, nats, bus, clock, stop: Shutdown::new() }
    }

    pub fn settings(&self) -> DbSettings {
        DbSettings { url: self.db.url(), role: None, application: "billing-test", max_connections: 12 }
    }

    /// Another replica, with connections of its own.
    pub fn replica(&self) -> Billing {
        let pool = leadflow_billing::connect(&self.settings()).unwrap();
        self.billing(pool.clone(), pool)
    }

    /// A replica on `pool` that publishes from `outbox`.
    pub fn billing(&self, pool: PgPool, outbox: PgPool) -> Billing {
        let (relay, relaying) = Relay::new(Outbox::new("billing"), outbox, self.bus.clone(), self.stop.clone());
        tokio::spawn(relaying);
        Billing::new(pool, relay, Arc::new(self.clock.clone()))
    }

    pub fn pool(&self) -> &PgPool {
        self.db.pool()
    }

    /// A tenant with one buyer who has `balance`.
    pub async fn tenant(&self, billing: &Billing, balance: &str) -> (SellerId, BuyerId) {
        let seller = SellerId::new();
        apply(billing, &[message(&seller_changed(seller, 1))]).await.unwrap();
        let buyer = self.buyer(billing, seller, balance).await;
        (seller, buyer)
    }

    /// Another buyer of a tenant, who has `balance`.
    pub async fn buyer(&self, billing: &Billing, seller: SellerId, balance: &str) -> BuyerId {
        let buyer = BuyerId::new();
        apply(billing, &[message(&buyer_changed(seller, buyer, 1))]).await.unwrap();
        if dec(balance) > Decimal::ZERO {
            credit(billing, seller, buyer, balance).await;
        }
        buyer
    }

    /// Whether the books of this database are in order; the same questions the book checker asks.
    pub async fn check_books(&self) {
        for (rule, sql) in [
            (
                "postings sum to zero",
                "SELECT count(*) FROM (SELECT posting_id FROM billing.entries GROUP BY posting_id HAVING sum(amount) <> 0) x",
            ),
            (
                "every posting has exactly one wallet line",
                "SELECT count(*) FROM billing.postings p WHERE (SELECT count(*) FROM billing.entries e WHERE e.posting_id = p.posting_id AND e.number IS NOT NULL) <> 1",
            ),
            (
                "every entry has its posting and account",
                "SELECT count(*) FROM billing.entries e WHERE NOT EXISTS (SELECT FROM billing.postings p WHERE p.posting_id = e.posting_id) OR NOT EXISTS (SELECT FROM billing.accounts a WHERE a.account_id = e.account_id)",
            ),
            (
                "a balance is the sum of its lines",
                "SELECT count(*) FROM billing.wallets w LEFT JOIN billing.accounts a ON a.buyer_id = w.buyer_id AND a.kind = 'buyer_wallet' WHERE w.balance <> coalesce((SELECT sum(amount) FROM billing.entries e WHERE e.account_id = a.account_id), 0) OR w.lines <> (SELECT count(*) FROM billing.entries e WHERE e.account_id = a.account_id)",
            ),
            (
                "statements are chains",
                "SELECT count(*) FROM (SELECT balance_after - amount AS before, number, lag(balance_after, 1, 0.00) OVER w AS last, row_number() OVER w AS place FROM billing.entries WHERE number IS NOT NULL WINDOW w AS (PARTITION BY account_id ORDER BY number)) x WHERE before <> last OR number <> place",
            ),
            (
                "held is the sum of open holds",
                "SELECT count(*) FROM billing.wallets w WHERE w.held <> coalesce((SELECT sum(amount) FROM billing.holds h WHERE h.buyer_id = w.buyer_id AND h.state = 'held'), 0)",
            ),
            (
                "captured holds and purchases match",
                "SELECT count(*) FROM billing.holds h FULL JOIN (SELECT * FROM billing.postings WHERE kind = 'lead_purchase') p ON p.assignment_id = h.hold_id WHERE (h.state = 'captured') IS DISTINCT FROM (p.posting_id IS NOT NULL) OR (h.state = 'captured' AND h.posting_id <> p.posting_id)",
            ),
        ] {
            let broken: i64 = sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap();
            assert_eq!(broken, 0, "{rule}");
        }
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.pool()).await.unwrap()
    }
}

pub fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub fn usd(text: &str) -> Money {
    Money::parse(text, Currency::USD).unwrap()
}

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub fn seller_changed(seller: SellerId, version: u64) -> SellerChanged {
    SellerChanged {
        seller_id: seller.to_string(),
        version,
        company_name: "Sunny Leads".to_owned(),
        status: common::Status::Active.into(),
        time_zone: "America/New_York".to_owned(),
        currency: "USD".to_owned(),
        platform_fee_percent: "5".to_owned(),
        posts_per_second: 0,
        retention_days: 0,
    }
}

pub fn buyer_changed(seller: SellerId, buyer: BuyerId, version: u64) -> BuyerChanged {
    BuyerChanged {
        buyer_id: buyer.to_string(),
        seller_id: seller.to_string(),
        version,
        company_name: "Roofs and Sons".to_owned(),
        status: common::Status::Active.into(),
        priority: 5,
        weekly_spending_limit: None,
        monthly_spending_limit: None,
    }
}

pub fn proto_usd(amount: &str) -> Option<common::Money> {
    Some(common::Money { amount: amount.to_owned(), currency: "USD".to_owned() })
}

/// An event as a consumer receives it.
pub fn message<E: Event>(event: &E) -> Message {
    Message {
        id: EventId::new(),
        subject: event.subject(),
        kind: E::TYPE.to_owned(),
        traceparent: None,
        payload: event.encode_to_vec().into(),
        delivered: 1,
        sequence: 1,
    }
}

/// The next event on a subject.
pub async fn next<E: Event>(messages: &mut CoreMessages) -> E {
    let payload = tokio::time::timeout(PATIENCE, messages.next()).await.expect("an event").unwrap();
    E::decode(payload).unwrap()
}

pub async fn apply(billing: &Billing, batch: &[Message]) -> Result<(), HandleError> {
    DirectoryEvents::new(billing.clone()).handle(batch).await
}

pub async fn capture(billing: &Billing, batch: &[Message]) -> Result<(), HandleError> {
    LeadEvents::new(billing.clone()).handle(batch).await
}

pub async fn credit(billing: &Billing, seller: SellerId, buyer: BuyerId, amount: &str) -> Wallet {
    let new = NewCredit {
        seller,
        buyer,
        id: EventId::new().to_string(),
        amount: usd(amount),
        description: "Card".to_owned(),
    };
    billing.credit_wallet(None, new).await.unwrap().wallet
}

pub fn request(seller: SellerId, buyer: BuyerId, price: &str) -> HoldRequest {
    HoldRequest {
        id: AssignmentId::new(),
        seller,
        buyer,
        lead: LeadId::new(),
        campaign: CampaignId::new(),
        price: Price::new(usd(price)).unwrap(),
    }
}

/// The event that says these were sold, of one lead.
pub fn assigned(holds: &[&HoldRequest]) -> LeadAssigned {
    LeadAssigned {
        lead_id: holds[0].lead.to_string(),
        seller_id: holds[0].seller.to_string(),
        supplier_id: SupplierId::new().to_string(),
        campaign_id: holds[0].campaign.to_string(),
        campaign_name: "Solar Florida".to_owned(),
        category_id: CategoryId::new().to_string(),
        category_name: "Solar".to_owned(),
        assignments: holds
            .iter()
            .map(|hold| Assignment {
                assignment_id: hold.id.to_string(),
                buyer_id: hold.buyer.to_string(),
                subscription_id: String::new(),
                price: Some(money_to_proto(hold.price.money())),
            })
            .collect(),
        ..LeadAssigned::default()
    }
}

/// Balance, held and available, as text.
pub async fn amounts(billing: &Billing, seller: SellerId, buyer: BuyerId) -> (String, String, String) {
    let wallet = billing.wallet(seller, buyer).await.unwrap();
    let text = |amount: Decimal| format!("{amount:.2}");
    (text(wallet.balance), text(wallet.held), text(wallet.available()))
}

pub fn set<T: Eq + std::hash::Hash>(items: impl IntoIterator<Item = T>) -> HashSet<T> {
    items.into_iter().collect()
}
