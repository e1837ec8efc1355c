//! A gateway with two tenants.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use leadflow_contracts::{
    Event,
    common::{FieldDef, FieldType, Status},
    distribution::distribution_server::DistributionServer,
    events::{ApiKey, CampaignChanged, CategoryChanged, SellerChanged, SupplierChanged},
    streams,
};
use leadflow_ingest::{Config, Deps};
use leadflow_kernel::{CampaignId, CategoryId, Clock as _, EventId, SellerId, SupplierId, SystemClock};
use leadflow_messaging::{Bus, BusSettings, Envelope, GroupCommitPublisher, GroupCommitSettings, consumer, topology};
use leadflow_platform::{Env, Shutdown, grpc};
use leadflow_testkit::{ChaosProxy, TestNats, wait};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    client::{self, Answer},
    fake::Fake,
};

pub const PATIENCE: Duration = Duration::from_secs(20);
const TOKEN: &str = "a service token for tests";
pub const KEY: &str = "sk_test_the_first_supplier";
pub const OTHER_KEY: &str = "sk_test_the_other_tenants";

/// What one tenant has.
pub struct Tenant {
    pub seller: SellerId,
    pub supplier: SupplierId,
    pub category: CategoryId,
    /// A category that the supplier may not post to, with a campaign.
    pub closed_category: CategoryId,
    pub campaign: CampaignId,
    pub closed_campaign: CampaignId,
}

pub struct World {
    pub nats: TestNats,
    /// Between the gateway and NATS.
    pub proxy: ChaosProxy,
    /// Past the proxy.
    pub bus: Bus,
    pub addr: SocketAddr,
    pub fake: Fake,
    pub tenant: Tenant,
    pub other: Tenant,
    pub shutdown: Shutdown,
    distribution_url: String,
    gateway: Option<JoinHandle<anyhow::Result<()>>>,
    fake_consumer: Option<JoinHandle<()>>,
}

impl World {
    /// With a distribution that decides.
    pub async fn start() -> Self {
        Self::with(|_| {}, true).await
    }

    /// With other settings, and with or without anybody who consumes leads.
    pub async fn with(change: impl FnOnce(&mut Config), deciding: bool) -> Self {
        Self::with_stream(change, deciding, 64 << 20).await
    }

    /// [`World::with`], where all leads on the stream may weigh `stream_bytes`.
    pub async fn with_stream(change: impl FnOnce(&mut Config), deciding: bool, stream_bytes: i64) -> Self {
        let mut world = Self::empty(change, deciding, stream_bytes).await;
        world.tenant = world.add_tenant(KEY).await;
        world.other = world.add_tenant(OTHER_KEY).await;
        world.ready().await;
        // The directory follows: records published after it was loaded arrive a moment later.
        let (addr, body) = (world.addr, "{}");
        for key in [KEY, OTHER_KEY] {
            wait::until("the tenant's key is known", PATIENCE, async || {
                client::send(addr, &client::request("GET /api/leads/ingest", &[("X-API-Key", key)], None)).await.status
                    == 400
            })
            .await;
        }
        for (key, campaign) in [
            (KEY, world.tenant.campaign),
            (KEY, world.tenant.closed_campaign),
            (OTHER_KEY, world.other.campaign),
            (OTHER_KEY, world.other.closed_campaign),
        ] {
            let body = format!(r#"{{"campaignId":"{campaign}","data":{body}}}"#);
            wait::until("the tenant's campaigns are known", PATIENCE, async || {
                let answer = world.post_with(&[("X-API-Key", key), JSON], &body).await;
                matches!(answer.code().as_str(), "validation_failed" | "category_not_allowed")
            })
            .await;
        }
        world
    }

    /// Without any records.
    pub async fn empty(change: impl FnOnce(&mut Config), deciding: bool, stream_bytes: i64) -> Self {
        let nats = TestNats::start().await.expect("nats-server");
        let bus = connect(nats.url()).await;
        topology::ensure(&bus, topology::TopologySettings { max_bytes: stream_bytes, ..Default::default() })
            .await
            .expect("topology");

        let shutdown = Shutdown::new();
        let fake = Fake::new(bus.clone());
        let grpc_listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let distribution_url = format!("http://{}", grpc_listener.local_addr().expect("address"));
        let token = grpc::ServiceToken::new(TOKEN);
        let mut routes = grpc::builder().expect("reflection");
        routes.add_service(DistributionServer::with_interceptor(fake.clone(), grpc::guard(&token)));
        tokio::spawn(grpc::serve(grpc_listener, routes, shutdown.clone()));
        let proxy = ChaosProxy::start(SocketAddr::from(([127, 0, 0, 1], nats.port()))).await.expect("proxy");
        let gateway_bus = connect(format!("nats://{}", proxy.addr())).await;
        let change = |config: &mut Config| {
            // Where nobody decides there is nothing to wait for.
            if !deciding {
                config.decision_wait = Duration::from_millis(50);
            }
            change(config);
        };
        let (addr, gateway) = gateway(&distribution_url, &gateway_bus, change, &shutdown).await;
        let (tenant, other) = (Tenant::new(), Tenant::new());
        let gateway = Some(gateway);
        let fake_consumer = None;
        let mut world =
            Self { nats, proxy, bus, addr, fake, tenant, other, shutdown, distribution_url, gateway, fake_consumer };
        if deciding {
            world.begin_to_decide();
        }
        world
    }

    /// Has leads consumed from now on.
    pub fn begin_to_decide(&mut self) {
        let leads = consumer::ConsumerSettings {
            stream: streams::LEADS,
            consumer: streams::LEADS_DISTRIBUTION,
            max_batch: 64,
            pace: std::time::Duration::ZERO,
        };
        let running = consumer::run(self.bus.clone(), leads, Arc::new(self.fake.clone()), self.shutdown.clone());
        self.fake_consumer = Some(tokio::spawn(running));
    }

    /// The address of another gateway on the same servers, ready.
    pub async fn second_gateway(&self) -> SocketAddr {
        let (addr, _) = gateway(&self.distribution_url, &self.bus, |_| {}, &self.shutdown).await;
        let ready = client::request("GET /readyz", &[], None);
        wait::until("the second gateway is ready", PATIENCE, async || client::send(addr, &ready).await.status == 200)
            .await;
        addr
    }

    /// Until `/readyz` says so.
    pub async fn ready(&self) {
        wait::until("the gateway is ready", PATIENCE, async || self.get("/readyz", &[]).await.status == 200).await;
    }

    /// Publishes the records of a tenant whose supplier has this key.
    pub async fn add_tenant(&self, key: &str) -> Tenant {
        let tenant = Tenant::new();
        self.publish(&tenant.seller_record()).await;
        for (category, campaign) in
            [(tenant.category, tenant.campaign), (tenant.closed_category, tenant.closed_campaign)]
        {
            self.publish(&tenant.category_record(category)).await;
            self.publish(&tenant.campaign_record(category, campaign)).await;
        }
        self.publish(&tenant.supplier_record(1, &[key])).await;
        tenant
    }

    /// Publishes one record.
    pub async fn publish<E: Event>(&self, event: &E) {
        let envelope = Envelope::new(EventId::new(), event, SystemClock.now());
        self.bus.publish(&[envelope]).await.expect("publish");
    }

    /// Leads on the stream that nobody has consumed.
    pub async fn stored(&self) -> u64 {
        let rows = topology::lag(&self.bus).await.expect("lag");
        let of_distribution = rows
            .iter()
            .filter(|(stream, consumer, ..)| stream == streams::LEADS && consumer == streams::LEADS_DISTRIBUTION);
        of_distribution.map(|(_, _, pending, unacknowledged)| pending + unacknowledged).sum()
    }

    /// Posts as the first tenant's supplier.
    pub async fn post(&self, body: &str) -> Answer {
        self.post_with(&[("X-API-Key", KEY), JSON], body).await
    }

    pub async fn post_with(&self, headers: &[(&str, &str)], body: &str) -> Answer {
        post_at(self.addr, headers, body).await
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        client::send(self.addr, &client::request(&format!("GET {path}"), headers, None)).await
    }

    /// A body that is accepted, for this last name.
    pub fn lead(&self, last_name: &str) -> String {
        body(self.tenant.campaign, last_name, "")
    }

    /// Stops the gateway and waits until it has ended.
    pub async fn stop(&mut self) {
        self.shutdown.cancel();
        if let Some(gateway) = self.gateway.take() {
            gateway.await.expect("no panic").expect("a clean end");
        }
        if let Some(consumer) = self.fake_consumer.take() {
            consumer.await.expect("no panic");
        }
    }
}

/// Posts to a gateway.
pub async fn post_at(addr: SocketAddr, headers: &[(&str, &str)], body: &str) -> Answer {
    client::send(addr, &client::request("POST /api/leads/ingest", headers, Some(body.as_bytes()))).await
}

async fn connect(url: String) -> Bus {
    let settings = BusSettings { url, source: "ingest".to_owned(), connect_within: Duration::from_secs(10) };
    Bus::connect(&settings).await.expect("connect")
}

async fn gateway(
    distribution_url: &str,
    bus: &Bus,
    change: impl FnOnce(&mut Config),
    shutdown: &Shutdown,
) -> (SocketAddr, JoinHandle<anyhow::Result<()>>) {
    let mut env = Env::from_pairs([("SERVICE_TOKEN", TOKEN), ("DISTRIBUTION_GRPC_URL", distribution_url)]);
    let mut config = Config::read(&mut env);
    env.finish().expect("settings");
    // What comes is waited for, however busy the machine is; tests of time limits set their own.
    (config.decision_wait, config.ack_timeout, config.lookup_timeout) = (PATIENCE, PATIENCE, PATIENCE);
    change(&mut config);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let addr = listener.local_addr().expect("address");
    let settings = GroupCommitSettings { ack_within: PATIENCE, ..GroupCommitSettings::default() };
    let (publisher, publishing) = GroupCommitPublisher::new(bus.clone(), settings, Shutdown::new());
    tokio::spawn(publishing);
    let deps = Deps { bus: bus.clone(), publisher: Arc::new(publisher), clock: Arc::new(SystemClock) };
    (addr, tokio::spawn(leadflow_ingest::run(config, deps, listener, shutdown.clone())))
}

pub const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A body that is accepted; `more` is put before `data`, e.g. `"test":true,`.
pub fn body(campaign: CampaignId, last_name: &str, more: &str) -> String {
    format!(
        r#"{{"campaignId":"{campaign}","state":"CA","quality":"HOT",{more}"data":{{"firstName":"John",
        "lastName":"{last_name}","email":"john@example.com","phone":"+1234567890","age":45}}}}"#
    )
}

impl Tenant {
    fn new() -> Self {
        Self {
            seller: SellerId::new(),
            supplier: SupplierId::new(),
            category: CategoryId::new(),
            closed_category: CategoryId::new(),
            campaign: CampaignId::new(),
            closed_campaign: CampaignId::new(),
        }
    }

    pub fn seller_record(&self) -> SellerChanged {
        SellerChanged {
            seller_id: self.seller.to_string(),
            version: 1,
            status: Status::Active.into(),
            ..SellerChanged::default()
        }
    }

    pub fn supplier_record(&self, version: u64, keys: &[&str]) -> SupplierChanged {
        let key = |text: &&str| ApiKey { sha256: Sha256::digest(text).to_vec().into(), ..ApiKey::default() };
        SupplierChanged {
            supplier_id: self.supplier.to_string(),
            seller_id: self.seller.to_string(),
            version,
            status: Status::Active.into(),
            category_ids: vec![self.category.to_string()],
            keys: keys.iter().map(key).collect(),
            ..SupplierChanged::default()
        }
    }

    fn category_record(&self, category: CategoryId) -> CategoryChanged {
        let field = |name: &str, r#type: FieldType| FieldDef {
            name: name.to_owned(),
            r#type: r#type.into(),
            required: true,
            ..FieldDef::default()
        };
        let optional = |name: &str, r#type, options: &[&str]| FieldDef {
            required: false,
            options: options.iter().map(|&option| option.to_owned()).collect(),
            ..field(name, r#type)
        };
        CategoryChanged {
            category_id: category.to_string(),
            seller_id: self.seller.to_string(),
            version: 1,
            status: Status::Active.into(),
            fields: vec![
                field("firstName", FieldType::Text),
                field("lastName", FieldType::Text),
                field("email", FieldType::Email),
                field("phone", FieldType::Phone),
                field("age", FieldType::Number),
                optional("smoker", FieldType::Boolean, &[]),
                optional("birthDate", FieldType::Date, &[]),
                optional("home", FieldType::State, &[]),
                optional("zip", FieldType::Zip, &[]),
                optional("page", FieldType::Url, &[]),
                optional("coverage", FieldType::Select, &["Medicare Supplement", "Final Expense"]),
            ],
            ..CategoryChanged::default()
        }
    }

    fn campaign_record(&self, category: CategoryId, campaign: CampaignId) -> CampaignChanged {
        CampaignChanged {
            campaign_id: campaign.to_string(),
            seller_id: self.seller.to_string(),
            version: 1,
            category_id: category.to_string(),
            status: Status::Active.into(),
            ..CampaignChanged::default()
        }
    }
}
