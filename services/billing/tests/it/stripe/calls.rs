//! Each call, with each of Stripe's test cards.

use std::sync::Arc;

use chrono::TimeDelta;
use http::Method;
use leadflow_billing::outbound::{
    NotConfigured,
    provider::{
        Decline, IntentStatus, MovementKind, NewCustomer, PaymentProvider as _, ProviderError, RefundOrder,
        RefundStatus,
    },
    records::{DisputeStatus, ProviderRecords as _},
    stripe::Stripe,
};
use leadflow_kernel::{BuyerId, Clock as _, Currency, Money, PaymentId, RefundId, SellerId, SystemClock};
use serde_json::{Value, json};

use super::{Sandbox, charge, text};
use crate::support::usd;

async fn start() -> (Sandbox, Stripe) {
    let sandbox = Sandbox::start(Arc::new(SystemClock)).await;
    let stripe = sandbox.stripe();
    (sandbox, stripe)
}

fn code(error: &ProviderError) -> &str {
    match error {
        ProviderError::Refused { code, .. } => code,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_card_pays_once_and_says_whose_it_was() {
    let (sandbox, stripe) = start().await;
    let (customer, card) = sandbox.customer_with(&stripe, "pm_card_visa").await;
    let order = charge(&customer, &card);
    let intent = stripe.charge(&order).await.unwrap();
    assert_eq!((&intent.status, intent.amount), (&IntentStatus::Succeeded, usd("50.00")));
    assert_eq!((intent.payment, intent.refunded), (Some(order.payment), usd("0")));
    assert!(intent.charge.as_deref().is_some_and(|id| id.starts_with("ch_")));
    assert_eq!(stripe.charge(&order).await.unwrap(), intent);
    assert_eq!(stripe.intent(&intent.id).await.unwrap(), intent);
    assert_eq!(stripe.find_intent(&customer, order.payment).await.unwrap(), Some(intent));
    assert_eq!(stripe.find_intent(&customer, PaymentId::new()).await.unwrap(), None);
    let charges = sandbox.charges().await;
    assert_eq!(charges.len(), 1);
    assert_eq!(charges[0]["metadata"]["payment_id"], json!(order.payment.to_string()));
    assert_eq!(charges[0]["metadata"]["buyer_id"], json!(order.buyer.to_string()));
    assert_eq!(charges[0]["metadata"]["seller_id"], json!(order.seller.to_string()));
}

#[tokio::test]
async fn a_declined_card_is_an_answer_with_its_reason() {
    let (sandbox, stripe) = start().await;
    let (customer, card) = sandbox.customer_with(&stripe, "pm_card_chargeCustomerFail").await;
    let order = charge(&customer, &card);
    let declined = |code: &str| IntentStatus::Declined(Decline { code: code.to_owned() });
    let intent = stripe.charge(&order).await.unwrap();
    assert_eq!((&intent.status, intent.payment), (&declined("generic_decline"), Some(order.payment)));
    assert_eq!(intent.client_secret, None);
    assert_eq!(stripe.charge(&order).await.unwrap().status, intent.status);
    assert_eq!(stripe.intent(&intent.id).await.unwrap().status, intent.status);

    let (customer, card) = sandbox.customer_with(&stripe, "pm_card_visa").await;
    for reason in ["insufficient_funds", "lost_card", "expired_card", "incorrect_cvc", "processing_error"] {
        sandbox.control(Method::PUT, &format!("/cards/{card}"), json!({ "decline": reason })).await;
        let intent = stripe.charge(&charge(&customer, &card)).await.unwrap();
        assert_eq!(intent.status, declined(reason));
    }
    assert!(sandbox.charges().await.iter().all(|charge| charge["status"] == "failed"));
}

#[tokio::test]
async fn cards_that_decline_when_stored_are_refused_with_their_reason() {
    let (_sandbox, stripe) = start().await;
    let customer = stripe.create_customer(&somebody()).await.unwrap();
    for (card, reason) in [
        ("pm_card_chargeDeclined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "lost_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error"),
    ] {
        let error = stripe.attach_card(&customer, card).await.unwrap_err();
        assert_eq!(code(&error), reason, "{card}");
    }
}

fn somebody() -> NewCustomer {
    NewCustomer { buyer: BuyerId::new(), seller: SellerId::new(), email: String::new(), name: String::new() }
}

#[tokio::test]
async fn authentication_is_asked_for_where_the_owner_is_and_a_decline_where_he_is_not() {
    let (sandbox, stripe) = start().await;
    let (customer, card) = sandbox.customer_with(&stripe, "pm_card_authenticationRequired").await;
    let away = stripe.charge(&charge(&customer, &card)).await.unwrap();
    assert_eq!(away.status, IntentStatus::Declined(Decline { code: "authentication_required".to_owned() }));

    let mut order = charge(&customer, &card);
    order.off_session = false;
    let asked = stripe.charge(&order).await.unwrap();
    assert_eq!((&asked.status, asked.payment), (&IntentStatus::RequiresAction, Some(order.payment)));
    let secret = asked.client_secret.clone().unwrap();
    sandbox.control(Method::POST, "/authenticate", json!({"clientSecret": secret, "confirms": true})).await;
    let paid = stripe.intent(&asked.id).await.unwrap();
    assert_eq!((&paid.status, paid.client_secret.as_deref()), (&IntentStatus::Succeeded, None));
    // Too late to be given up.
    assert_eq!(stripe.cancel(&asked.id).await.unwrap().status, IntentStatus::Succeeded);

    let mut order = charge(&customer, &card);
    order.off_session = false;
    let asked = stripe.charge(&order).await.unwrap();
    let secret = asked.client_secret.clone().unwrap();
    sandbox.control(Method::POST, "/authenticate", json!({"clientSecret": secret, "confirms": false})).await;
    let refused = stripe.intent(&asked.id).await.unwrap();
    assert!(
        matches!(&refused.status, IntentStatus::Declined(why) if why.code == "payment_intent_authentication_failure")
    );

    let mut order = charge(&customer, &card);
    order.off_session = false;
    let asked = stripe.charge(&order).await.unwrap();
    assert_eq!(stripe.cancel(&asked.id).await.unwrap().status, IntentStatus::Canceled);
    assert_eq!(stripe.cancel(&asked.id).await.unwrap().status, IntentStatus::Canceled);
}

#[tokio::test]
async fn money_goes_back_once_and_never_more_than_was_paid() {
    let (sandbox, stripe) = start().await;
    let (customer, card) = sandbox.customer_with(&stripe, "pm_card_visa").await;
    let order = charge(&customer, &card);
    let intent = stripe.charge(&order).await.unwrap();
    let mut back = RefundOrder {
        refund: RefundId::new(),
        payment: order.payment,
        intent: intent.id.clone(),
        amount: usd("20.00"),
    };
    let refund = stripe.refund(&back).await.unwrap();
    assert_eq!((refund.status, refund.amount), (RefundStatus::Succeeded, usd("20.00")));
    assert_eq!(stripe.refund(&back).await.unwrap(), refund);
    assert_eq!(stripe.intent(&intent.id).await.unwrap().refunded, usd("20.00"));
    let found = stripe.refund_now(&refund.id).await.unwrap().unwrap();
    assert_eq!(
        (found.ours, found.payment, found.intent),
        (Some(back.refund), Some(order.payment), Some(intent.id.clone()))
    );

    // Somebody at the dashboard.
    let id = intent.charge.unwrap();
    sandbox.control(Method::POST, &format!("/charges/{id}/refund"), json!({"amount": 1000})).await;
    let all = stripe.refunds_of(&intent.id).await.unwrap();
    assert_eq!(all.iter().map(|refund| refund.ours).collect::<Vec<_>>(), [None, Some(back.refund)]);

    back.refund = RefundId::new();
    back.amount = usd("20.01");
    assert!(matches!(stripe.refund(&back).await, Err(ProviderError::Refused { .. })));
    assert_eq!(stripe.refund_now("re_nobody").await.unwrap(), None);
    assert_eq!(stripe.intent(&intent.id).await.unwrap().refunded, usd("30.00"));
}

#[tokio::test]
async fn a_card_is_one_customers() {
    let (sandbox, stripe) = start().await;
    let (mine, card) = sandbox.customer_with(&stripe, "pm_card_visa").await;
    let (theirs, _) = sandbox.customer_with(&stripe, "pm_card_mastercard").await;
    let again = stripe.attach_card(&mine, &card).await.unwrap();
    assert_eq!((again.brand.as_str(), again.last4.as_str(), &again.payment_method), ("visa", "4242", &card));
    for (customer, card) in [(&theirs, card.as_str()), (&mine, "pm_nobody"), (&mine, "pm_x/detach"), (&mine, "")] {
        let error = stripe.attach_card(customer, card).await.unwrap_err();
        assert_eq!(code(&error), "resource_missing", "{card}");
    }
    let held = stripe.card_now(&card).await.unwrap().unwrap();
    assert_eq!(held.customer.as_ref(), Some(&mine));
    for _ in 0..2 {
        stripe.detach_card(&card).await.unwrap();
        assert_eq!(stripe.card_now(&card).await.unwrap().unwrap().customer, None);
    }
    stripe.detach_card("pm_nobody").await.unwrap();
    assert_eq!(stripe.card_now("pm_nobody").await.unwrap(), None);
}

#[tokio::test]
async fn the_balance_shows_what_moved_and_for_which_payment() {
    let (sandbox, stripe) = start().await;
    let from = SystemClock.now() - TimeDelta::minutes(1);
    let (customer, card) = sandbox.customer_with(&stripe, "pm_card_visa").await;
    let order = charge(&customer, &card);
    let intent = stripe.charge(&order).await.unwrap();
    let back = RefundOrder {
        refund: RefundId::new(),
        payment: order.payment,
        intent: intent.id.clone(),
        amount: usd("12.34"),
    };
    let refund = stripe.refund(&back).await.unwrap();
    let disputed = intent.charge.clone().unwrap();
    sandbox.control(Method::POST, &format!("/charges/{disputed}/dispute"), json!({"amount": 2000})).await;
    for _ in 0..101 {
        stripe.charge(&charge(&customer, &card)).await.unwrap();
    }
    let to = SystemClock.now() + TimeDelta::minutes(1);
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = stripe.movements(from, to, after.as_deref()).await.unwrap();
        after = page.movements.last().map(|last| last.id.clone());
        all.extend(page.movements);
        if !page.more {
            break;
        }
    }
    let of = |kind| all.iter().filter(|moved| moved.kind == kind).collect::<Vec<_>>();
    assert_eq!(of(MovementKind::Charge).len(), 102);
    let first = of(MovementKind::Charge).into_iter().find(|moved| moved.payment == Some(order.payment)).unwrap();
    assert_eq!(
        (first.amount, first.intent.as_ref(), Some(&first.source)),
        (usd("50.00"), Some(&intent.id), intent.charge.as_ref())
    );
    assert!(first.fee.is_positive());
    let went = of(MovementKind::Refund);
    assert_eq!((went.len(), went[0].amount, &went[0].source), (1, usd("-12.34"), &refund.id));
    assert_eq!((went[0].payment, went[0].intent.as_ref()), (Some(order.payment), Some(&intent.id)));
    let taken = of(MovementKind::Dispute);
    assert_eq!((taken.len(), taken[0].amount, taken[0].intent.as_ref()), (1, usd("-20.00"), Some(&intent.id)));
    let dispute = stripe.dispute_now(&taken[0].source).await.unwrap().unwrap();
    assert_eq!((dispute.status, dispute.amount, dispute.intent), (DisputeStatus::Open, usd("20.00"), Some(intent.id)));
    assert!(stripe.movements(to, to + TimeDelta::days(1), None).await.unwrap().movements.is_empty());
    // A period that ends within a second has that second's movements.
    let last = all.iter().map(|moved| moved.at).max().unwrap();
    let page = stripe.movements(last, last + TimeDelta::milliseconds(1), None).await.unwrap();
    assert!(!page.movements.is_empty());
}

#[tokio::test]
async fn what_a_currency_cannot_pay_is_refused_before_stripe_is_asked() {
    let (sandbox, stripe) = start().await;
    let mut order = charge("cus_1", "pm_1");
    order.amount = Money::parse("500.50", Currency::parse("JPY").unwrap()).unwrap();
    assert_eq!(code(&stripe.charge(&order).await.unwrap_err()), "invalid_amount");
    assert_eq!(sandbox.record().await["charges"], json!([]));
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_not_repeated() {
    let sandbox = Sandbox::start(Arc::new(SystemClock)).await;
    let stripe = Stripe::new("sk_live_supersecret", &sandbox.settings()).unwrap();
    let error = stripe.create_customer(&somebody()).await.unwrap_err();
    assert!(matches!(error, ProviderError::NotConfigured), "{error}");
    assert!(!error.to_string().contains("supersecret"), "{error}");
    assert!(Stripe::new("sk_test_\n", &sandbox.settings()).is_err());
}

#[tokio::test]
async fn without_a_key_nothing_is_asked() {
    assert!(matches!(NotConfigured.charge(&charge("cus_1", "pm_1")).await, Err(ProviderError::NotConfigured)));
    assert!(matches!(NotConfigured.refund_now("re_1").await, Err(ProviderError::NotConfigured)));
}

#[tokio::test]
async fn customers_of_one_buyer_are_one() {
    let (sandbox, stripe) = start().await;
    let new = somebody();
    let first = stripe.create_customer(&new).await.unwrap();
    assert_eq!(stripe.create_customer(&new).await.unwrap(), first);
    let kept: Value = sandbox.look("customers?limit=100").await;
    assert_eq!(kept["data"].as_array().unwrap().len(), 1);
    assert_eq!(text(&kept["data"][0]["metadata"]["buyer_id"]), new.buyer.to_string());
    // The same key with other words: Stripe refuses, so the words are written down before.
    let other = NewCustomer { email: "other@buyer.example".to_owned(), ..new };
    assert_eq!(code(&stripe.create_customer(&other).await.unwrap_err()), "idempotency_error");
}
