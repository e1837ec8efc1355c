//! The calls of `Payments` that are about money: what they answer, and their refusals.

use std::{sync::Arc, time::Duration};

use leadflow_billing::{
    app::{cards::Cards, provider_events::ProviderEvents, reconcile::Reconciler},
    inbound::payments_grpc::Service,
    outbound::{NotConfigured, stripe::Signatures},
};
use leadflow_contracts::{
    billing::{
        ConfigureRechargeRequest, GetPaymentRequest, GetRechargeRequest, PaymentState, RefundBalanceRequest,
        RefundState, TopUpRequest, payments_server::Payments as _,
    },
    common::Money,
};
use leadflow_kernel::{BuyerId, PaymentId, SellerId};
use leadflow_platform::grpc::stable_code;
use tonic::{Code, Request, Status};

use super::{Shop, provider::Card};
use crate::support::*;

fn service(shop: &Shop) -> Service {
    let (billing, payments) = (shop.billing.clone(), shop.payments.clone());
    let (provider, news) = (Arc::new(shop.provider.clone()), Arc::new(payments.clone()));
    let cards = Cards::new(billing.clone(), payments.clone(), provider.clone(), Arc::new(NotConfigured));
    let signatures = Signatures::new(Vec::new(), Duration::from_secs(300));
    let events = ProviderEvents::new(
        billing.clone(),
        cards.clone(),
        news.clone(),
        provider.clone(),
        Arc::new(NotConfigured),
        signatures,
    );
    Service::new(
        cards,
        payments,
        events,
        Reconciler::new(billing, provider, Arc::new(NotConfigured), news),
        String::new(),
    )
}

fn call<T>(tenant: SellerId, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-leadflow-tenant", tenant.to_string().parse().unwrap());
    request
}

fn refused<T>(answer: Result<T, Status>) -> (Code, String) {
    let status = answer.err().expect("a refusal");
    (status.code(), stable_code(&status).to_owned())
}

fn code(code: Code, word: &str) -> (Code, String) {
    (code, word.to_owned())
}

fn top_up(buyer: BuyerId, request: &str, amount: Option<Money>) -> TopUpRequest {
    TopUpRequest { buyer_id: buyer.to_string(), request_id: request.to_owned(), amount, card: String::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_answers_with_the_wallet_and_its_line_and_a_decline_with_words() {
    let shop = Shop::open("5.00").await;
    let service = service(&shop);
    let paid =
        service.top_up(call(shop.seller, top_up(shop.buyer, "a", proto_usd("50.00")))).await.unwrap().into_inner();
    assert_eq!((paid.state(), paid.intent_id.as_str()), (PaymentState::Succeeded, "pi_1"));
    assert_eq!(paid.wallet.as_ref().unwrap().available, proto_usd("55.00"));
    let line = paid.transaction.as_ref().unwrap();
    assert_eq!((line.r#type.as_str(), line.payment_intent_id.as_str()), ("TOP_UP", "pi_1"));
    assert_eq!((&line.balance_before, &line.balance_after), (&proto_usd("5.00"), &proto_usd("55.00")));
    let get = GetPaymentRequest { payment_id: paid.id.clone() };
    assert_eq!(service.get_payment(call(shop.seller, get)).await.unwrap().into_inner(), paid);

    shop.provider.card("pm_1", Card::Declines("expired_card"));
    let order = top_up(shop.buyer, "b", proto_usd("50.00"));
    let declined = service.top_up(call(shop.seller, order)).await.unwrap().into_inner();
    assert_eq!((declined.state(), declined.decline_code.as_str()), (PaymentState::Declined, "expired_card"));
    assert_eq!(declined.decline_message, "The card has expired. Add a card that is valid.");
    assert!(declined.posting_id.is_empty() && declined.transaction.is_none());

    shop.provider.card("pm_1", Card::WantsItsOwner);
    let order = top_up(shop.buyer, "c", proto_usd("50.00"));
    let asked = service.top_up(call(shop.seller, order)).await.unwrap().into_inner();
    assert_eq!((asked.state(), asked.client_secret.as_str()), (PaymentState::RequiresAction, "pi_3_secret"));
    shop.check_books().await;
}

/// An amount that is not money was once charged and never credited.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_an_amount_an_id_or_the_tenants_is_refused_before_anything_is_charged() {
    let shop = Shop::open("0.00").await;
    let service = service(&shop);
    let bad = ["", "1e3", "50.001", "+50", "NaN", "-50.00", "0", "99999999999999"];
    let euros = Money { amount: "50.00".to_owned(), currency: "EUR".to_owned() };
    for amount in bad.map(proto_usd).into_iter().chain([None, Some(euros)]) {
        let answer = service.top_up(call(shop.seller, top_up(shop.buyer, "r", amount.clone()))).await;
        assert_eq!(refused(answer), code(Code::InvalidArgument, "invalid_field"), "{amount:?}");
    }
    for request in ["", "a\nb", &"x".repeat(201)] {
        let answer = service.top_up(call(shop.seller, top_up(shop.buyer, request, proto_usd("50.00")))).await;
        assert_eq!(refused(answer), code(Code::InvalidArgument, "invalid_field"), "{request:?}");
    }
    let (stranger, _) = shop.world.tenant(&shop.billing, "0.00").await;
    let order = || top_up(shop.buyer, "r", proto_usd("50.00"));
    assert_eq!(refused(service.top_up(call(stranger, order())).await), code(Code::NotFound, "wallet_not_found"));
    let card = TopUpRequest { card: "pm_of_nobody".to_owned(), ..order() };
    assert_eq!(refused(service.top_up(call(shop.seller, card)).await), code(Code::NotFound, "card_not_found"));
    let cardless = shop.world.buyer(&shop.billing, shop.seller, "0.00").await;
    let none = top_up(cardless, "r", proto_usd("50.00"));
    assert_eq!(refused(service.top_up(call(shop.seller, none)).await), code(Code::FailedPrecondition, "no_card"));
    assert_eq!(shop.provider.calls(), 0);

    let paid = service.top_up(call(shop.seller, order())).await.unwrap().into_inner();
    let other = top_up(shop.buyer, "r", proto_usd("51.00"));
    assert_eq!(refused(service.top_up(call(shop.seller, other)).await), code(Code::AlreadyExists, "payment_exists"));
    for (tenant, payment_id) in [(stranger, paid.id), (shop.seller, PaymentId::new().to_string())] {
        let get = GetPaymentRequest { payment_id };
        assert_eq!(refused(service.get_payment(call(tenant, get)).await), code(Code::NotFound, "payment_not_found"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recharging_is_shown_as_it_was_set_and_what_is_absent_stays() {
    let shop = Shop::open("5.00").await;
    let service = service(&shop);
    let get = || GetRechargeRequest { buyer_id: shop.buyer.to_string() };
    let shown = service.get_recharge(call(shop.seller, get())).await.unwrap().into_inner();
    assert_eq!((shown.enabled, shown.most_a_day, shown.amount), (false, 3, proto_usd("0.00")));
    let on = ConfigureRechargeRequest {
        buyer_id: shop.buyer.to_string(),
        enabled: Some(true),
        threshold: proto_usd("50.00"),
        amount: proto_usd("100.00"),
        ..ConfigureRechargeRequest::default()
    };
    let shown = service.configure_recharge(call(shop.seller, on.clone())).await.unwrap().into_inner();
    assert!(shown.enabled && !shown.cover_waiting_lead);
    assert_eq!((&shown.threshold, &shown.amount), (&proto_usd("50.00"), &proto_usd("100.00")));
    let most =
        ConfigureRechargeRequest { most_a_day: Some(7), enabled: None, threshold: None, amount: None, ..on.clone() };
    let changed = service.configure_recharge(call(shop.seller, most)).await.unwrap().into_inner();
    assert_eq!(changed, leadflow_contracts::billing::Recharge { most_a_day: 7, ..shown });
    assert_eq!(service.get_recharge(call(shop.seller, get())).await.unwrap().into_inner(), changed);

    for bad in [
        ConfigureRechargeRequest { most_a_day: Some(0), ..on.clone() },
        ConfigureRechargeRequest { amount: proto_usd("1.00"), ..on.clone() },
        ConfigureRechargeRequest { threshold: proto_usd("-1.00"), ..on.clone() },
        ConfigureRechargeRequest { buyer_id: "buyer".to_owned(), ..on.clone() },
    ] {
        let answer = service.configure_recharge(call(shop.seller, bad)).await;
        assert_eq!(refused(answer), code(Code::InvalidArgument, "invalid_field"));
    }
    let (stranger, _) = shop.world.tenant(&shop.billing, "0.00").await;
    let not_found = code(Code::NotFound, "wallet_not_found");
    assert_eq!(refused(service.get_recharge(call(stranger, get())).await), not_found);
    assert_eq!(refused(service.configure_recharge(call(stranger, on.clone())).await), not_found);
    let cardless = shop.world.buyer(&shop.billing, shop.seller, "0.00").await;
    let without = ConfigureRechargeRequest { buyer_id: cardless.to_string(), ..on };
    let answer = service.configure_recharge(call(shop.seller, without)).await;
    assert_eq!(refused(answer), code(Code::FailedPrecondition, "no_card"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_tells_of_each_payment_and_says_why_it_cannot_be() {
    let shop = Shop::open("5.00").await;
    let service = service(&shop);
    service.top_up(call(shop.seller, top_up(shop.buyer, "a", proto_usd("50.00")))).await.unwrap();
    let order = |request: &str, amount: &str| RefundBalanceRequest {
        buyer_id: shop.buyer.to_string(),
        request_id: request.to_owned(),
        amount: proto_usd(amount),
        reason: "Leaves".to_owned(),
    };
    let answer = service.refund_balance(call(shop.seller, order("r", "20.00"))).await.unwrap().into_inner();
    assert_eq!(answer.refunds.len(), 1);
    assert_eq!((answer.refunds[0].state(), &answer.refunds[0].amount), (RefundState::Succeeded, &proto_usd("20.00")));
    assert_eq!(answer.wallet.unwrap().available, proto_usd("35.00"));
    let (stranger, _) = shop.world.tenant(&shop.billing, "0.00").await;
    let long = RefundBalanceRequest { reason: "x".repeat(501), ..order("s", "1.00") };
    for (tenant, request, expected) in [
        (shop.seller, order("r", "21.00"), code(Code::AlreadyExists, "refund_exists")),
        (shop.seller, order("s", "35.01"), code(Code::FailedPrecondition, "insufficient_balance")),
        (shop.seller, order("s", "30.01"), code(Code::FailedPrecondition, "not_refundable")),
        (shop.seller, order("s", "0.00"), code(Code::InvalidArgument, "invalid_field")),
        (shop.seller, order("", "1.00"), code(Code::InvalidArgument, "invalid_field")),
        (shop.seller, long, code(Code::InvalidArgument, "invalid_field")),
        (stranger, order("s", "1.00"), code(Code::NotFound, "wallet_not_found")),
    ] {
        assert_eq!(refused(service.refund_balance(call(tenant, request)).await), expected);
    }
    assert_eq!(shop.provider.taken(), 3_000);
    shop.check_books().await;
}
