//! A running service with everything around it, and short ways to call it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_accounts::{
    Config, Deps, Listeners,
    app::people::PeopleRules,
    outbound::{google::GoogleSettings, mail::Sealer},
};
use leadflow_contracts::{
    Event,
    accounts::{
        Buyer, CreateApiKeyRequest, CreateApiKeyResponse, CreateBuyerRequest, CreateSellerRequest,
        CreateSupplierRequest, Supplier, User, accounts_client::AccountsClient, people_client::PeopleClient,
    },
    audit::{Entry, GetEntriesRequest, ListEntriesRequest, audit_client::AuditClient},
    events::{MailContents, MailWanted},
};
use leadflow_kernel::{ApiKeyId, BuyerId, CategoryId, ManualClock, SellerId, SupplierId};
use leadflow_messaging::{Bus, BusSettings, Message, directory, tail::Tail, topology};
use leadflow_platform::{
    Shutdown,
    db::DbSettings,
    grpc::{ACTOR, ACTOR_ROLE, Caller, Channel, ServiceToken, channel},
};
use leadflow_testkit::{TestDb, TestNats, wait};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{Request, Response, Status};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
const TOKEN: &str = "a token of the tests";

pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) nats: TestNats,
    pub(crate) bus: Bus,
    pub(crate) clock: ManualClock,
    pub(crate) client: AccountsClient<Channel>,
    people: PeopleClient<Channel>,
    audit: AuditClient<Channel>,
    rules: PeopleRules,
    google: Option<GoogleSettings>,
    shutdown: Shutdown,
    service: Option<JoinHandle<anyhow::Result<()>>>,
}

/// Messages of the directory, newest of each record first read, then as they come.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Message>>>);

impl directory::Sink for Seen {
    fn apply(&mut self, message: &Message) {
        self.0.lock().unwrap().push(message.clone());
    }
    fn loaded(&mut self) {}
}

impl Seen {
    /// All that was seen on the subject of `id`, decoded.
    pub(crate) fn of<E: Event>(&self, id: impl ToString) -> Vec<E> {
        let end = format!(".changed.{}", id.to_string());
        let messages = self.0.lock().unwrap();
        messages.iter().filter(|m| m.subject.ends_with(&end)).map(|m| m.decode().unwrap()).collect()
    }

    /// Waits for a message about `id` that `wanted` accepts.
    pub(crate) async fn wait_for<E: Event>(&self, id: impl ToString, wanted: impl Fn(&E) -> bool) -> E {
        let id = id.to_string();
        wait::until_some(format!("an event of {id}"), PATIENCE, async || self.of::<E>(&id).into_iter().find(&wanted))
            .await
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with_rules(PeopleRules::default()).await
    }

    /// With other rules for people than the usual ones.
    pub(crate) async fn with_rules(rules: PeopleRules) -> Self {
        let clock = ManualClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        Self::with(rules, None, clock).await
    }

    /// Known to this provider, whose time is `clock`'s.
    pub(crate) async fn with_google(google: GoogleSettings, clock: ManualClock) -> Self {
        Self::with(PeopleRules::default(), Some(google), clock).await
    }

    async fn with(rules: PeopleRules, google: Option<GoogleSettings>, clock: ManualClock) -> Self {
        let db = TestDb::create(&[&leadflow_accounts::MIGRATOR]).await.unwrap();
        let nats = TestNats::start().await.unwrap();
        let bus = Bus::connect(&BusSettings {
            url: nats.url(),
            source: "accounts".to_owned(),
            connect_within: Duration::from_secs(10),
        })
        .await
        .unwrap();
        topology::ensure(&bus, topology::TopologySettings::default()).await.unwrap();
        let Served { client, people, audit, shutdown, service } =
            serve(&db, &bus, &clock, &rules, google.clone()).await;
        Self { db, nats, bus, clock, client, people, audit, rules, google, shutdown, service: Some(service) }
    }

    /// Stops the service and waits until it has drained.
    pub(crate) async fn stop(&mut self) {
        self.shutdown.cancel();
        if let Some(service) = self.service.take() {
            service.await.unwrap().unwrap();
        }
    }

    /// Starts it again after [`World::stop`].
    pub(crate) async fn start_again(&mut self) {
        let Served { client, people, audit, shutdown, service } =
            serve(&self.db, &self.bus, &self.clock, &self.rules, self.google.clone()).await;
        (self.client, self.people, self.audit) = (client, people, audit);
        (self.shutdown, self.service) = (shutdown, Some(service));
    }

    /// A second replica on the same database; it ends with the test.
    pub(crate) async fn replica(&self) -> AccountsClient<Channel> {
        serve(&self.db, &self.bus, &self.clock, &self.rules, self.google.clone()).await.client
    }

    /// The people of a second replica on the same database; it ends with the test.
    pub(crate) async fn people_of_a_replica(&self) -> PeopleClient<Channel> {
        serve(&self.db, &self.bus, &self.clock, &self.rules, self.google.clone()).await.people
    }

    pub(crate) fn audit(&self) -> AuditClient<Channel> {
        self.audit.clone()
    }

    /// All that is written down for this tenant, the newest first.
    pub(crate) async fn entries(&self, tenant: SellerId) -> Vec<Entry> {
        let request = ListEntriesRequest { limit: 200, ..Default::default() };
        let listed = self.audit().list_entries(as_tenant(tenant, request)).await.unwrap().into_inner();
        let audit_ids = listed.keys.into_iter().map(|key| key.audit_id).collect();
        let request = GetEntriesRequest { audit_ids };
        self.audit().get_entries(as_tenant(tenant, request)).await.unwrap().into_inner().entries
    }

    pub(crate) fn people(&self) -> PeopleClient<Channel> {
        self.people.clone()
    }

    /// The mails that are asked for from now on.
    pub(crate) async fn mails(&self) -> Mails {
        let tail = Tail::on(&self.bus, "notification.mail_wanted").await.unwrap();
        Mails { tail, sealer: Sealer::new(&ServiceToken::new(TOKEN)) }
    }

    /// Follows the directory from its current state.
    pub(crate) fn follow(&self) -> Seen {
        let seen = Seen::default();
        let nouns = &["seller", "buyer", "supplier"];
        let (bus, sink, shutdown) = (self.bus.clone(), seen.clone(), self.shutdown.clone());
        tokio::spawn(async move { directory::follow(bus, nouns, sink, shutdown).await });
        seen
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(self.db.pool()).await.unwrap()
    }

    pub(crate) async fn outbox_is_empty(&self) {
        wait::until("an empty outbox", PATIENCE, async || {
            self.count("SELECT count(*) FROM accounts.outbox").await == 0
        })
        .await;
    }

    pub(crate) async fn seller(&self) -> SellerId {
        let id = SellerId::new();
        let request = CreateSellerRequest { company_name: "Acme Leads".into(), ..seller_request(id) };
        self.client().create_seller(as_tenant(id, request)).await.unwrap();
        id
    }

    pub(crate) async fn buyer(&self, seller: SellerId) -> Buyer {
        let answer = self.client().create_buyer(as_tenant(seller, buyer_request(BuyerId::new()))).await;
        answer.unwrap().into_inner()
    }

    pub(crate) async fn supplier(&self, seller: SellerId) -> Supplier {
        let answer = self.client().create_supplier(as_tenant(seller, supplier_request(SupplierId::new()))).await;
        answer.unwrap().into_inner()
    }

    pub(crate) async fn key(&self, seller: SellerId, supplier: &Supplier) -> CreateApiKeyResponse {
        let request =
            CreateApiKeyRequest { supplier_id: supplier.supplier_id.clone(), key_id: ApiKeyId::new().to_string() };
        self.client().create_api_key(as_tenant(seller, request)).await.unwrap().into_inner()
    }

    pub(crate) fn client(&self) -> AccountsClient<Channel> {
        self.client.clone()
    }
}

/// Mails as somebody sees them who may open them.
pub(crate) struct Mails {
    tail: Tail,
    sealer: Sealer,
}

impl Mails {
    /// The next one to this address.
    pub(crate) async fn next_to(&mut self, email: &str) -> (MailWanted, MailContents) {
        let next = async {
            loop {
                let (message, _) = self.tail.next().await.unwrap();
                let mail: MailWanted = message.decode().unwrap();
                let contents = self.sealer.open(&mail).unwrap();
                if contents.email == email {
                    return (mail, contents);
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("a mail")
    }
}

struct Served {
    client: AccountsClient<Channel>,
    people: PeopleClient<Channel>,
    audit: AuditClient<Channel>,
    shutdown: Shutdown,
    service: JoinHandle<anyhow::Result<()>>,
}

async fn serve(
    db: &TestDb,
    bus: &Bus,
    clock: &ManualClock,
    rules: &PeopleRules,
    google: Option<GoogleSettings>,
) -> Served {
    let config = Config {
        database: DbSettings { url: db.url(), role: None, application: "accounts-test", max_connections: 8 },
        token: ServiceToken::new(TOKEN),
        people: rules.clone(),
        google,
    };
    let listeners = Listeners {
        grpc: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        http: TcpListener::bind("127.0.0.1:0").await.unwrap(),
    };
    let address = format!("http://{}", listeners.grpc.local_addr().unwrap());
    let deps = Deps { bus: bus.clone(), clock: Arc::new(clock.clone()) };
    let shutdown = Shutdown::new();
    let service = tokio::spawn(leadflow_accounts::run(config, deps, listeners, shutdown.clone()));
    let channel = channel(&address, "ACCOUNTS_URL").unwrap();
    Served {
        client: AccountsClient::new(channel.clone()),
        people: PeopleClient::new(channel.clone()),
        audit: AuditClient::new(channel),
        shutdown,
        service,
    }
}

/// A call in nobody's name.
pub(crate) fn unbound<T>(message: T) -> Request<T> {
    Caller::new(ServiceToken::new(TOKEN)).unbound(message, PATIENCE)
}

/// A call in the name of `tenant`.
pub(crate) fn as_tenant<T>(tenant: SellerId, message: T) -> Request<T> {
    Caller::new(ServiceToken::new(TOKEN)).request(message, tenant, PATIENCE)
}

/// A call in the name of `tenant` that `user` makes, who is `role`.
pub(crate) fn by<T>(user: &User, role: &str, tenant: SellerId, message: T) -> Request<T> {
    let mut request = as_tenant(tenant, message);
    request.metadata_mut().insert(ACTOR, user.user_id.parse().unwrap());
    request.metadata_mut().insert(ACTOR_ROLE, role.parse().unwrap());
    request
}

/// The stable code of a refusal.
pub(crate) fn code<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> String {
    leadflow_platform::grpc::stable_code(&answer.expect_err("must be refused")).to_owned()
}

pub(crate) fn seller_request(id: SellerId) -> CreateSellerRequest {
    CreateSellerRequest { seller_id: id.to_string(), company_name: "Acme Leads".into(), ..Default::default() }
}

pub(crate) fn buyer_request(id: BuyerId) -> CreateBuyerRequest {
    CreateBuyerRequest { buyer_id: id.to_string(), company_name: "XYZ Agency".into(), ..Default::default() }
}

pub(crate) fn supplier_request(id: SupplierId) -> CreateSupplierRequest {
    CreateSupplierRequest {
        supplier_id: id.to_string(),
        name: "Leads Inc".into(),
        category_ids: vec![CategoryId::derive(&[b"medicare"]).to_string()],
        posts_per_second: 0,
    }
}

/// Milliseconds of the clock.
pub(crate) fn ms(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}
