//! The gRPC service `Payments`, with its workers.

use std::{sync::Arc, time::Duration};

use leadflow_billing::{Config, Deps, Listeners, outbound::stripe::StripeSettings};
use leadflow_contracts::billing::{
    AttachCardRequest, CreateSetupIntentRequest, ListCardsRequest, ReceiveProviderEventRequest, ReconcileRequest,
    RemoveCardRequest, SetPrimaryCardRequest, TopUpRequest, payments_client::PaymentsClient,
};
use leadflow_kernel::{BuyerId, Clock as _, SellerId};
use leadflow_platform::{
    Env, Shutdown,
    grpc::{Caller, Channel, ServiceToken, channel, stable_code},
};
use leadflow_sandbox::stripe::signature;
use leadflow_testkit::wait;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::Code;

use super::{SECRET, Sandbox, Shop};
use crate::support::{PATIENCE, World, proto_usd};

const TOKEN: &str = "the services' secret";
const DEADLINE: Duration = Duration::from_secs(10);

struct Running {
    client: PaymentsClient<Channel>,
    stop: Shutdown,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

async fn start(world: &World, stripe: StripeSettings) -> Running {
    let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", grpc.local_addr().unwrap());
    let base =
        [("DATABASE_URL", "postgres://x"), ("SERVICE_TOKEN", TOKEN), ("DISTRIBUTION_GRPC_URL", "http://127.0.0.1:1")];
    let config = Config { database: world.settings(), stripe, ..Config::read(&mut Env::from_pairs(base)) };
    let deps = Deps { bus: world.bus.clone(), clock: Arc::new(world.clock.clone()) };
    let stop = Shutdown::new();
    let task = tokio::spawn(leadflow_billing::run(config, deps, Listeners { grpc, http }, stop.clone()));
    Running { client: PaymentsClient::new(channel(&url, "BILLING_GRPC_URL").unwrap()), stop, task }
}

fn token() -> ServiceToken {
    ServiceToken::new(TOKEN)
}

fn ask<T>(seller: SellerId, message: T) -> tonic::Request<T> {
    Caller::new(token()).request(message, seller, DEADLINE)
}

fn setup(buyer: BuyerId) -> CreateSetupIntentRequest {
    CreateSetupIntentRequest {
        buyer_id: buyer.to_string(),
        email: "bea@buyer.example".to_owned(),
        name: "Bea".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_are_stored_by_webhook_and_by_call_and_codes_are_stable() {
    let world = World::new().await;
    let sandbox = Sandbox::start(Arc::new(world.clock.clone())).await;
    let (seller, buyer) = world.tenant(&world.replica(), "0").await;
    let mut running = start(&world, sandbox.settings()).await;
    let client = &mut running.client;
    let begun = client.create_setup_intent(ask(seller, setup(buyer))).await.unwrap().into_inner();
    assert_eq!(begun.publishable_key, "pk_test_sandbox");
    assert!(begun.customer_id.starts_with("cus_"));
    sandbox.confirm(&begun.client_secret, "4242424242424242").await;
    for event in sandbox.events().await {
        let body = event.to_string();
        let signature = signature(body.as_bytes(), &[SECRET.to_owned()], world.clock.now());
        let request = ReceiveProviderEventRequest { body: body.into(), signature };
        assert!(
            client
                .receive_provider_event(Caller::new(token()).unbound(request.clone(), DEADLINE))
                .await
                .unwrap()
                .into_inner()
                .new
        );
        assert!(
            !client
                .receive_provider_event(Caller::new(token()).unbound(request, DEADLINE))
                .await
                .unwrap()
                .into_inner()
                .new
        );
    }
    let list = ListCardsRequest { buyer_id: buyer.to_string() };
    let cards = wait::try_for("the card", PATIENCE, async || {
        let cards = client.clone().list_cards(ask(seller, list.clone())).await.unwrap().into_inner().cards;
        (!cards.is_empty()).then_some(cards)
    })
    .await
    .unwrap();
    assert_eq!((cards.len(), cards[0].last4.as_str(), cards[0].is_primary), (1, "4242", true));

    let attach = |card: &str| AttachCardRequest {
        buyer_id: buyer.to_string(),
        payment_method_id: card.to_owned(),
        set_as_primary: true,
        ..AttachCardRequest::default()
    };
    let amex = client.attach_card(ask(seller, attach("pm_card_amex"))).await.unwrap().into_inner();
    assert!(amex.is_primary);
    let primary = SetPrimaryCardRequest { buyer_id: buyer.to_string(), card: cards[0].payment_method_id.clone() };
    assert_eq!(client.set_primary_card(ask(seller, primary)).await.unwrap().into_inner().id, cards[0].id);

    for (card, code, word) in [
        ("pm_nobody", Code::NotFound, "card_not_found"),
        ("nonsense", Code::NotFound, "card_not_found"),
        ("pm_card_chargeDeclined", Code::FailedPrecondition, "payment_refused"),
    ] {
        let refusal = client.attach_card(ask(seller, attach(card))).await.unwrap_err();
        assert_eq!((refusal.code(), stable_code(&refusal)), (code, word), "{card}");
    }
    let refusal = client.create_setup_intent(ask(seller, setup(BuyerId::new()))).await.unwrap_err();
    assert_eq!((refusal.code(), stable_code(&refusal)), (Code::NotFound, "wallet_not_found"));
    for card in ["", "pm_\u{7}"] {
        let remove = RemoveCardRequest { buyer_id: buyer.to_string(), card: card.to_owned() };
        let refusal = client.remove_card(ask(seller, remove)).await.unwrap_err();
        assert_eq!((refusal.code(), stable_code(&refusal)), (Code::InvalidArgument, "invalid_field"));
    }
    let remove = RemoveCardRequest { buyer_id: buyer.to_string(), card: cards[0].id.clone() };
    let removed = client.remove_card(ask(seller, remove)).await.unwrap().into_inner();
    assert_eq!((removed.primary_card_id, removed.recharge_turned_off), (amex.id, false));

    let bad = ReceiveProviderEventRequest { body: "{}".into(), signature: "t=1,v1=00".to_owned() };
    let refusal = client.receive_provider_event(Caller::new(token()).unbound(bad, DEADLINE)).await.unwrap_err();
    assert_eq!((refusal.code(), stable_code(&refusal)), (Code::InvalidArgument, "bad_signature"));

    let now = world.clock.now().timestamp_millis();
    let day = 86_400_000;
    let period = |from_ms, to_ms| Caller::new(token()).unbound(ReconcileRequest { from_ms, to_ms }, DEADLINE);
    let found = client.reconcile(period(now - day, now + day)).await.unwrap().into_inner();
    assert_eq!((found.differences.len(), found.ours, found.theirs), (0, 0, 0));
    for (from, to) in [(now, now), (now - 101 * day, now), (i64::MIN, now)] {
        let refusal = client.reconcile(period(from, to)).await.unwrap_err();
        assert_eq!((refusal.code(), stable_code(&refusal)), (Code::InvalidArgument, "invalid_field"));
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_payments_say_so_and_wallets_work() {
    let world = World::new().await;
    let (seller, buyer) = world.tenant(&world.replica(), "10.00").await;
    let mut running = start(&world, StripeSettings::read(&mut Env::from_pairs([]))).await;
    let client = &mut running.client;
    let refusal = client.create_setup_intent(ask(seller, setup(buyer))).await.unwrap_err();
    assert_eq!((refusal.code(), stable_code(&refusal)), (Code::FailedPrecondition, "payments_not_configured"));
    let request = ReconcileRequest { from_ms: 0, to_ms: 1_000 };
    let refusal = client.reconcile(Caller::new(token()).unbound(request, DEADLINE)).await.unwrap_err();
    assert_eq!((refusal.code(), stable_code(&refusal)), (Code::FailedPrecondition, "payments_not_configured"));
    let request = ReceiveProviderEventRequest { body: "{}".into(), signature: "t=1,v1=00".to_owned() };
    let refusal = client.receive_provider_event(Caller::new(token()).unbound(request, DEADLINE)).await.unwrap_err();
    assert_eq!((refusal.code(), stable_code(&refusal)), (Code::FailedPrecondition, "webhooks_not_configured"));
    let list = ListCardsRequest { buyer_id: buyer.to_string() };
    assert!(client.list_cards(ask(seller, list)).await.unwrap().into_inner().cards.is_empty());
    running.end().await;
}

/// A replica that is stopped in the middle leaves what it had begun to the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_whose_answer_is_lost_is_credited_by_the_workers_once() {
    let world = World::new().await;
    let sandbox = Sandbox::start(Arc::new(world.clock.clone())).await;
    let shop = Shop::open(&world, &sandbox);
    let (seller, buyer) = world.tenant(&shop.billing, "0").await;
    shop.store(seller, buyer, "pm_card_visa").await;
    let rule = serde_json::json!({"fault": "lostAnswer", "path": "payment_intents", "method": "POST"});
    sandbox.misbehave(serde_json::json!([rule])).await;
    let mut running = start(&world, sandbox.settings()).await;
    let new = TopUpRequest {
        buyer_id: buyer.to_string(),
        request_id: "r-1".to_owned(),
        amount: proto_usd("50.00"),
        card: String::new(),
    };
    running.client.top_up(ask(seller, new)).await.unwrap();
    wait::try_for("the money", PATIENCE, async || {
        // Workers ask again after a while.
        world.clock.advance(chrono::TimeDelta::seconds(30));
        let wallet = shop.billing.wallet(seller, buyer).await.unwrap();
        (wallet.balance == crate::support::dec("50.00")).then_some(())
    })
    .await
    .unwrap();
    assert_eq!(sandbox.charges().await.len(), 1);
    running.end().await;
    world.check_books().await;
}
