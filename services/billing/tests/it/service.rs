//! The whole service, as `leadflow serve billing` runs it.

use std::{sync::Arc, time::Duration};

use leadflow_billing::{Config, Deps, Listeners, config::PaymentSettings, outbound::stripe::StripeSettings};
use leadflow_billing_domain::{UnitCost, UsageKind};
use leadflow_contracts::{
    Event,
    billing::{
        CreditWalletRequest, GetWalletRequest, HoldOutcome, HoldRequest, PlaceHoldsRequest,
        billing_client::BillingClient,
    },
    events::{self, UsageRecorded},
    money_to_proto,
};
use leadflow_kernel::{BuyerId, Currency, EventId, SellerId};
use leadflow_messaging::{Envelope, dlq};
use leadflow_platform::{
    Env, Shutdown,
    grpc::{Caller, Channel, ServiceToken, channel, stable_code},
};
use leadflow_testkit::wait;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::Code;

use crate::support::*;

const DEADLINE: Duration = Duration::from_secs(5);

struct Running {
    client: BillingClient<Channel>,
    stop: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
}

async fn start(world: &World) -> Running {
    let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", grpc.local_addr().unwrap());
    let mut nothing_set = Env::from_pairs([]);
    let config = Config {
        database: world.settings(),
        token: ServiceToken::new("the services' secret"),
        distribution_url: "http://127.0.0.1:1".to_owned(),
        release_after: Duration::from_secs(60),
        release_every: Duration::from_secs(1),
        max_batch: 256,
        payments: PaymentSettings::read(&mut nothing_set),
        stripe: StripeSettings::read(&mut nothing_set),
        usage_costs: UsageKind::ALL.map(|kind| UnitCost { kind, currency: Currency::USD, cost: dec("0.01") }).into(),
        usage_every: Duration::from_secs(1),
    };
    let deps = Deps { bus: world.bus.clone(), clock: Arc::new(world.clock.clone()) };
    let stop = Shutdown::new();
    let task = tokio::spawn(leadflow_billing::run(config, deps, Listeners { grpc, http }, stop.clone()));
    Running { client: BillingClient::new(channel(&url, "BILLING_GRPC_URL").unwrap()), stop, task }
}

async fn publish<E: Event>(world: &World, event: &E) {
    world.bus.publish(&[Envelope::new(EventId::new(), event, at(SUNDAY))]).await.unwrap();
}

fn proto_hold(hold: &leadflow_billing_domain::HoldRequest) -> HoldRequest {
    HoldRequest {
        hold_id: hold.id.to_string(),
        buyer_id: hold.buyer.to_string(),
        lead_id: hold.lead.to_string(),
        campaign_id: hold.campaign.to_string(),
        amount: Some(money_to_proto(hold.price.money())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_take_records_credits_holds_and_sales_and_stop_cleanly() {
    let world = World::new().await;
    let (mut one, mut two) = (start(&world).await, start(&world).await);
    let caller = Caller::new(ServiceToken::new("the services' secret"));
    let (seller, buyer) = (SellerId::new(), BuyerId::new());
    publish(&world, &seller_changed(seller, 1)).await;
    publish(&world, &buyer_changed(seller, buyer, 1)).await;
    let get = GetWalletRequest { buyer_id: buyer.to_string() };
    let wallet = async |client: &BillingClient<Channel>| {
        let answer = client.clone().get_wallet(caller.request(get.clone(), seller, DEADLINE)).await;
        answer.ok().map(tonic::Response::into_inner)
    };
    wait::until("the wallet exists", PATIENCE, async || wallet(&one.client).await.is_some()).await;

    let credit = CreditWalletRequest {
        buyer_id: buyer.to_string(),
        credit_id: "pi_1".to_owned(),
        amount: proto_usd("1000.00"),
        description: "Card".to_owned(),
    };
    one.client.credit_wallet(caller.request(credit, seller, DEADLINE)).await.unwrap();
    let holds: Vec<_> = (0..60).map(|_| request(seller, buyer, "25.00")).collect();
    let ask = PlaceHoldsRequest { holds: holds.iter().map(proto_hold).collect() };
    let outcomes = two.client.place_holds(caller.request(ask, seller, DEADLINE)).await.unwrap().into_inner().outcomes;
    let held: Vec<_> = holds
        .iter()
        .zip(outcomes)
        .filter(|(_, outcome)| *outcome == i32::from(HoldOutcome::Held))
        .map(|(hold, _)| hold)
        .collect();
    assert_eq!(held.len(), 40);
    // Every sale is told twice, as two events.
    for hold in &held {
        publish(&world, &assigned(&[hold])).await;
        publish(&world, &assigned(&[hold])).await;
    }
    wait::until("all sales are paid", PATIENCE, async || {
        wallet(&two.client).await.is_some_and(|wallet| wallet.balance == proto_usd("0.00"))
    })
    .await;
    world.check_books().await;

    for running in [one, two] {
        running.stop.cancel();
        tokio::time::timeout(PATIENCE, running.task).await.expect("stops in time").unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_that_nobody_can_pay_ends_in_the_dead_letters_with_its_reason_and_holds_up_nothing() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "25.00").await;
    let running = start(&world).await;
    let (good, unpayable) = (request(seller, buyer, "25.00"), request(seller, buyer, "30.00"));
    billing.place_holds(seller, std::slice::from_ref(&good)).await.unwrap();
    publish(&world, &assigned(&[&unpayable])).await;
    publish(&world, &assigned(&[&good])).await;
    let letter = wait::until_some("a dead letter", PATIENCE, async || {
        dlq::list(&world.bus, 1, 10).await.ok().and_then(|letters| letters.into_iter().next())
    })
    .await;
    assert!(letter.error.contains(&unpayable.id.to_string()), "{}", letter.error);
    assert!(letter.error.contains("the wallet cannot pay it"), "{}", letter.error);
    wait::until("the good sale is paid", PATIENCE, async || amounts(&billing, seller, buyer).await.0 == "0.00").await;

    // Money arrives, and the letter is sent again.
    credit(&billing, seller, buyer, "30.00").await;
    dlq::redrive(&world.bus, &letter).await.unwrap();
    wait::until("the redriven sale is paid", PATIENCE, async || {
        world.count("SELECT count(*) FROM billing.postings WHERE kind = 'lead_purchase'").await == 2
    })
    .await;
    world.check_books().await;
    running.stop.cancel();
    running.task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_the_services_token_is_let_in_nowhere() {
    let world = World::new().await;
    let mut running = start(&world).await;
    for token in ["", "another secret of services"] {
        let caller = Caller::new(ServiceToken::new(token));
        let ask = caller.request(PlaceHoldsRequest::default(), SellerId::new(), DEADLINE);
        let status = running.client.place_holds(ask).await.unwrap_err();
        assert_eq!((status.code(), stable_code(&status)), (Code::Unauthenticated, "bad_service_token"));
    }
    running.stop.cancel();
    running.task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_count_messages_that_are_told_twice_and_post_them_when_the_month_is_over() {
    let world = World::new().await;
    let (one, two) = (start(&world).await, start(&world).await);
    let seller = SellerId::new();
    publish(&world, &seller_changed(seller, 1)).await;
    for number in (0..40).chain(0..40) {
        let sent = UsageRecorded {
            message_id: format!("dlv_{number}"),
            seller_id: seller.to_string(),
            buyer_id: String::new(),
            kind: events::UsageKind::Webhook.into(),
            units: 1,
            at_ms: at(SUNDAY).timestamp_millis(),
        };
        publish(&world, &sent).await;
    }
    let unreadable = UsageRecorded { message_id: "dlv_x".to_owned(), ..UsageRecorded::default() };
    publish(&world, &unreadable).await;
    wait::until("what cannot be read is put aside", PATIENCE, async || {
        dlq::list(&world.bus, 1, 10).await.unwrap().len() == 1
    })
    .await;
    let counted = "SELECT coalesce(sum(units), 0)::bigint FROM billing.usage_months";
    wait::until("all are counted", PATIENCE, async || world.count(counted).await == 40).await;
    world.clock.advance(chrono::TimeDelta::days(30));
    wait::until("the month is posted", PATIENCE, async || {
        world.count("SELECT count(*) FROM billing.usage_postings WHERE amount = 0.40").await == 1
    })
    .await;
    for running in [one, two] {
        running.stop.cancel();
        running.task.await.unwrap().unwrap();
    }
    assert_eq!(world.count("SELECT count(*) FROM billing.postings").await, 1);
    assert_eq!(world.count(counted).await, 40);
}
