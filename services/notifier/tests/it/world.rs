//! The service with everything around it, and short ways to call it.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_contracts::{
    Event, common, events,
    notifier::{
        Delivery, Endpoint, GetEndpointRequest, ListDeliveriesRequest, PutEndpointRequest, RotateEndpointSecretRequest,
        endpoints_client::EndpointsClient, notifier_client::NotifierClient,
    },
};
use leadflow_kernel::{
    AssignmentId, BuyerId, CampaignId, CategoryId, Clock as _, EndpointId, EventId, LeadId, ManualClock, SellerId,
    SupplierId,
};
use leadflow_messaging::{Bus, BusSettings, Envelope, topology};
use leadflow_notifier::{Config, Deps, Limits, Listeners, outbound::email::Places, secrets::SecretKeys};
use leadflow_platform::{
    Shutdown,
    db::DbSettings,
    grpc::{Caller, Channel, ServiceToken, channel},
};
use leadflow_testkit::{TestDb, TestNats, wait};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{Request, Response, Status};

pub const PATIENCE: Duration = Duration::from_secs(20);
/// Of a request to a receiver, in these tests: longer than any answer takes on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// Seconds after which a lease has ended for certain.
pub const LEASE: i64 = 126;
pub const SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
pub const TOKEN: &str = "a token of the tests";
pub const KEY: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=";

pub struct World {
    pub db: TestDb,
    _nats: TestNats,
    pub bus: Bus,
    pub clock: ManualClock,
    pub seller: SellerId,
    pub replicas: Vec<Replica>,
}

pub struct Replica {
    pub url: String,
    pub client: NotifierClient<Channel>,
    pub shutdown: Shutdown,
    pub service: JoinHandle<anyhow::Result<()>>,
}

impl World {
    /// Everything but the service.
    pub async fn empty() -> Self {
        let db = TestDb::create(&[&leadflow_notifier::MIGRATOR]).await.unwrap();
        let nats = TestNats::start().await.unwrap();
        let settings = BusSettings { url: nats.url(), source: "tests".into(), connect_within: PATIENCE };
        let bus = Bus::connect(&settings).await.unwrap();
        topology::ensure(&bus, topology::TopologySettings::default()).await.unwrap();
        let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        Self { db, _nats: nats, bus, clock, seller: SellerId::new(), replicas: Vec::new() }
    }

    pub async fn start() -> Self {
        let mut world = Self::empty().await;
        world.replica(|_| {}).await;
        world
    }

    pub fn config(&self) -> Config {
        Config {
            database: DbSettings {
                url: self.db.url(),
                role: None,
                application: "leadflow-notifier",
                max_connections: 8,
            },
            token: ServiceToken::new(TOKEN),
            keys: SecretKeys::parse(KEY).unwrap(),
            allow_loopback: true,
            timeout: TIMEOUT,
            limits: Limits::default(),
            poll: Duration::from_millis(20),
            mail: None,
            sendgrid_webhook_key: None,
            distribution_url: "http://127.0.0.1:9".to_owned(),
            billing_url: "http://127.0.0.1:9".to_owned(),
            email_per_second: 50,
            attempts_keep_months: 0,
            sms: None,
            sms_per_second: 50,
            frontend: "https://app.example.com".parse().unwrap(),
            public_url: "https://api.example.com".parse().unwrap(),
        }
    }

    pub async fn replica(&mut self, change: impl FnOnce(&mut Config)) {
        let mut config = self.config();
        change(&mut config);
        let bind = || TcpListener::bind("127.0.0.1:0");
        let listeners = Listeners { grpc: bind().await.unwrap(), http: bind().await.unwrap() };
        let url = format!("http://{}", listeners.grpc.local_addr().unwrap());
        let deps = Deps { bus: self.bus.clone(), clock: Arc::new(self.clock.clone()) };
        let shutdown = Shutdown::new();
        let service = tokio::spawn(leadflow_notifier::run(config, deps, listeners, shutdown.clone()));
        let client = NotifierClient::new(channel(&url, "NOTIFIER_URL").unwrap());
        self.replicas.push(Replica { url, client, shutdown, service });
    }

    /// Stops the first replica and waits until it has drained.
    pub async fn stop_one(&mut self) {
        let replica = self.replicas.remove(0);
        replica.shutdown.cancel();
        replica.service.await.unwrap().unwrap();
    }

    pub fn client(&self) -> NotifierClient<Channel> {
        self.replicas[0].client.clone()
    }

    pub fn endpoints(&self) -> EndpointsClient<Channel> {
        EndpointsClient::new(channel(&self.replicas[0].url, "NOTIFIER_URL").unwrap())
    }

    /// Gives an endpoint this secret, or a new one when it is empty.
    pub async fn rotate_secret(&self, buyer: BuyerId, endpoint: &str, secret: &str) -> Endpoint {
        let request = RotateEndpointSecretRequest {
            buyer_id: buyer.to_string(),
            endpoint_id: endpoint.to_owned(),
            secret: secret.to_owned(),
        };
        self.endpoints().rotate_endpoint_secret(self.call(request)).await.unwrap().into_inner()
    }

    pub fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn call<T>(&self, message: T) -> Request<T> {
        call_as(self.seller, message)
    }

    /// A buyer with an endpoint at `url`.
    pub async fn buyer_at(&self, url: &str) -> BuyerId {
        let buyer = BuyerId::new();
        self.client().put_endpoint(self.call(put(buyer, url))).await.unwrap();
        buyer
    }

    pub async fn endpoint(&self, buyer: BuyerId) -> Endpoint {
        let request = GetEndpointRequest { buyer_id: buyer.to_string(), ..GetEndpointRequest::default() };
        self.client().get_endpoint(self.call(request)).await.unwrap().into_inner()
    }

    pub async fn deliveries(&self, buyer: BuyerId) -> Vec<Delivery> {
        let request = ListDeliveriesRequest { buyer_id: buyer.to_string(), limit: 200, before: String::new() };
        self.client().list_deliveries(self.call(request)).await.unwrap().into_inner().deliveries
    }

    /// Waits until the buyer's only delivery is as wanted.
    pub async fn delivery_when(&self, buyer: BuyerId, what: &str, wanted: impl Fn(&Delivery) -> bool) -> Delivery {
        wait::until_some(what, PATIENCE, async || self.deliveries(buyer).await.into_iter().find(&wanted)).await
    }

    /// Publishes a lead sold to `buyers`.
    pub async fn sell(&self, buyers: &[BuyerId]) -> events::LeadAssigned {
        let event = sold(self.seller, buyers, self.now());
        self.publish(&event).await;
        event
    }

    pub async fn publish<E: Event>(&self, event: &E) {
        let envelope = Envelope::new(EventId::new(), event, self.now());
        self.bus.publish(&[envelope]).await.unwrap();
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.db.pool()).await.unwrap()
    }

    pub async fn all_delivered(&self, deliveries: i64) {
        wait::until(format!("{deliveries} deliveries have arrived"), PATIENCE, async || {
            self.count("SELECT count(*) FROM notifier.deliveries WHERE status = 'DELIVERED'").await == deliveries
        })
        .await;
    }
}

pub fn call_as<T>(seller: SellerId, message: T) -> Request<T> {
    Caller::new(ServiceToken::new(TOKEN)).request(message, seller, PATIENCE)
}

pub fn put(buyer: BuyerId, url: &str) -> PutEndpointRequest {
    PutEndpointRequest {
        endpoint_id: EndpointId::derive(&[buyer.as_bytes()]).to_string(),
        buyer_id: buyer.to_string(),
        url: url.to_owned(),
        secret: SECRET.to_owned(),
        enabled: true,
        expected_version: None,
        ..PutEndpointRequest::default()
    }
}

pub fn sold(seller: SellerId, buyers: &[BuyerId], at: DateTime<Utc>) -> events::LeadAssigned {
    events::LeadAssigned {
        lead_id: LeadId::new().to_string(),
        seller_id: seller.to_string(),
        supplier_id: SupplierId::new().to_string(),
        campaign_id: CampaignId::new().to_string(),
        campaign_name: "Solar West".into(),
        category_id: CategoryId::new().to_string(),
        category_name: "Solar".into(),
        state: "CA".into(),
        quality: "HOT".into(),
        data_json: br#"{"firstName":"John","email":"john@example.com","leadId":"forged"}"#.as_slice().into(),
        assignments: buyers
            .iter()
            .map(|buyer| events::Assignment {
                assignment_id: AssignmentId::new().to_string(),
                buyer_id: buyer.to_string(),
                subscription_id: leadflow_kernel::SubscriptionId::new().to_string(),
                price: Some(common::Money { amount: "25.00".into(), currency: "USD".into() }),
            })
            .collect(),
        received_at_ms: at.timestamp_millis(),
        assigned_at_ms: at.timestamp_millis(),
    }
}

/// Where links lead in these tests.
pub fn places() -> Places {
    Places { pages: "https://app.example.com".parse().unwrap(), api: "https://api.example.com".parse().unwrap() }
}

/// The stable code of a refusal.
pub fn code<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> String {
    leadflow_platform::grpc::stable_code(&answer.unwrap_err()).to_owned()
}
