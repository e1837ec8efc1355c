//! The whole service: events in, answers and events out, billing over gRPC.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use leadflow_contracts::{
    billing::{
        CreditWalletRequest, CreditWalletResponse, GetWalletRequest, HoldOutcome, ListTransactionsRequest,
        ListTransactionsResponse, PlaceHoldsRequest, PlaceHoldsResponse, ReleaseHoldsRequest, ReleaseHoldsResponse,
        SetLowBalanceThresholdRequest, Wallet,
        billing_server::{Billing, BillingServer},
    },
    common::{self, Logic, Outcome},
    distribution::{ListPurchasesRequest, catalogue_client::CatalogueClient, distribution_client::DistributionClient},
    events::{
        BuyerChanged, Decisions, LeadReceived, SellerChanged, WalletCredited, WalletLimitsChanged, WalletReleased,
    },
};
use leadflow_distribution::{Config, Deps, Listeners};
use leadflow_kernel::{BuyerId, CampaignId, Clock as _, EventId, LeadId, SellerId, SystemClock};
use leadflow_messaging::Envelope;
use leadflow_platform::{
    Shutdown,
    grpc::{self, Caller, ServiceToken, channel, guard, tenant},
};
use leadflow_testkit::wait;
use prost::Message as _;
use tokio::net::TcpListener;
use tonic::{Code, Request, Response, Status};

use crate::support::*;

/// Grants as many holds as it has been given.
#[derive(Clone, Default)]
struct FakeBilling(Arc<AtomicU32>);

#[tonic::async_trait]
impl Billing for FakeBilling {
    async fn place_holds(&self, request: Request<PlaceHoldsRequest>) -> Result<Response<PlaceHoldsResponse>, Status> {
        tenant(&request)?;
        let outcome = |_| {
            let had = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            i32::from(if had.is_ok() { HoldOutcome::Held } else { HoldOutcome::InsufficientFunds })
        };
        Ok(Response::new(PlaceHoldsResponse { outcomes: request.into_inner().holds.iter().map(outcome).collect() }))
    }
    async fn release_holds(&self, _: Request<ReleaseHoldsRequest>) -> Result<Response<ReleaseHoldsResponse>, Status> {
        Ok(Response::new(ReleaseHoldsResponse::default()))
    }
    async fn credit_wallet(&self, _: Request<CreditWalletRequest>) -> Result<Response<CreditWalletResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
    async fn set_low_balance_threshold(
        &self,
        _: Request<SetLowBalanceThresholdRequest>,
    ) -> Result<Response<Wallet>, Status> {
        Err(Status::unimplemented("not here"))
    }
    async fn get_wallet(&self, _: Request<GetWalletRequest>) -> Result<Response<Wallet>, Status> {
        Err(Status::unimplemented("not here"))
    }
    async fn list_transactions(
        &self,
        _: Request<ListTransactionsRequest>,
    ) -> Result<Response<ListTransactionsResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leads_go_in_as_events_and_come_out_sold() {
    let world = World::new().await;
    let token = ServiceToken::new(TOKEN);
    let stop = Shutdown::new();
    let money = FakeBilling::default();
    let (billing, billing_url) = listener().await;
    let mut routes = grpc::builder().unwrap();
    routes.add_service(BillingServer::with_interceptor(money.clone(), guard(&token)));
    tokio::spawn(grpc::serve(billing, routes, world.stop()));
    let (grpc_listener, url) = listener().await;
    let (http_listener, http_url) = listener().await;
    let config = Config {
        database: world.settings(),
        token: token.clone(),
        billing_url,
        max_batch: 256,
        // Only events wake anybody here.
        retry_everything_every: 100 * PATIENCE,
        retention_days: 0,
    };
    let deps = Deps { bus: world.bus.clone(), clock: Arc::new(SystemClock) };
    let listeners = Listeners { grpc: grpc_listener, http: http_listener };
    let running = tokio::spawn(leadflow_distribution::run(config, deps, listeners, stop.clone()));

    // What accounts says of tenant and buyer arrives as directory events.
    let now = SystemClock.now();
    let (seller, buyer) = (SellerId::new(), BuyerId::new());
    let known = SellerChanged {
        seller_id: seller.to_string(),
        version: 1,
        company_name: "Acme".into(),
        status: common::Status::Active.into(),
        time_zone: "America/New_York".into(),
        currency: "USD".into(),
        ..SellerChanged::default()
    };
    let bought = BuyerChanged {
        buyer_id: buyer.to_string(),
        seller_id: seller.to_string(),
        version: 1,
        status: common::Status::Active.into(),
        priority: 5,
        ..BuyerChanged::default()
    };
    let tell = |event| async { world.bus.publish(&[event]).await.unwrap() };
    tell(Envelope::new(EventId::new(), &known, now)).await;
    tell(Envelope::new(EventId::new(), &bought, now)).await;
    wait::until("the buyer to be known", PATIENCE, async || {
        world.count("SELECT count(*) FROM distribution.buyers CROSS JOIN distribution.sellers").await == 1
    })
    .await;

    let mut client = DistributionClient::new(channel(&url, "URL").unwrap());
    let tenant =
        Tenant { seller, category: leadflow_kernel::CategoryId::new(), supplier: leadflow_kernel::SupplierId::new() };
    let stranger = Caller::new(ServiceToken::new("another token of the tests"));
    let refused = client.put_category(stranger.request(category(tenant), seller, PATIENCE)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    client.put_category(as_tenant(seller, category(tenant))).await.unwrap();
    let made = client.put_campaign(as_tenant(seller, campaign(tenant, Logic::RoundRobin))).await.unwrap().into_inner();
    let campaign: CampaignId = made.campaign_id.parse().unwrap();
    client.put_subscription(as_tenant(seller, subscription(campaign, buyer))).await.unwrap();

    let mut gateway = world.bus.subscribe_core("gateway.here").await.unwrap();
    money.0.store(1, Ordering::SeqCst);
    let lead = LeadId::new();
    let received = |lead: LeadId| LeadReceived {
        lead_id: lead.to_string(),
        seller_id: seller.to_string(),
        supplier_id: tenant.supplier.to_string(),
        campaign_id: campaign.to_string(),
        category_id: tenant.category.to_string(),
        state: "CA".into(),
        data_json: r#"{"email":"ann@example.com"}"#.into(),
        received_at_ms: now.timestamp_millis(),
        body_hash: vec![1; 32].into(),
        reply_subject: "gateway.here".into(),
        ..LeadReceived::default()
    };
    tell(Envelope::new(EventId::new(), &received(lead), now)).await;
    let answer = Decisions::decode(gateway.next().await.unwrap()).unwrap().decisions.remove(0);
    assert_eq!((answer.lead_id, answer.outcome), (lead.to_string(), i32::from(Outcome::Distributed)));

    // The next ones find no money; each sells when there is some.
    let credited = WalletCredited { buyer_id: buyer.to_string(), seller_id: seller.to_string(), ..Default::default() };
    let released = WalletReleased { buyer_id: buyer.to_string(), seller_id: seller.to_string(), ..Default::default() };
    let changed = WalletLimitsChanged { buyer_id: buyer.to_string(), seller_id: seller.to_string() };
    let news = [
        Envelope::new(EventId::new(), &credited, now),
        Envelope::new(EventId::new(), &released, now),
        Envelope::new(EventId::new(), &changed, now),
    ];
    for (sold, event) in (2..).zip(news) {
        tell(Envelope::new(EventId::new(), &received(LeadId::new()), now)).await;
        let answer = Decisions::decode(gateway.next().await.unwrap()).unwrap().decisions.remove(0);
        assert_eq!(answer.outcome(), Outcome::Unsold);
        money.0.store(1, Ordering::SeqCst);
        tell(event).await;
        wait::until("the lead that waits to be sold", PATIENCE, async || {
            world.count("SELECT count(*) FROM distribution.assignments").await == sold
        })
        .await;
    }

    let mut questions = CatalogueClient::new(channel(&url, "URL").unwrap());
    let ask = ListPurchasesRequest { buyer_id: buyer.to_string(), page: 1, limit: 10, ..Default::default() };
    let found = questions.list_purchases(as_tenant(seller, ask.clone())).await.unwrap().into_inner();
    assert_eq!((found.total, found.purchases.len()), (4, 4));
    let refused = questions.list_purchases(stranger.request(ask, seller, PATIENCE)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);

    let answer = readiness(&http_url).await;
    assert!(answer.contains("200 OK") && answer.contains(r#""ready":true"#), "{answer}");
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(world.count("SELECT count(*) FROM distribution.outbox").await, 0, "everything was told before the end");
}

/// A plain request, so that no HTTP client is needed for one line.
async fn readiness(url: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}
