//! Every object through the real client, which refuses what is not as Stripe's.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use stripe::{Client, ClientBuilder, StripeError};
use stripe_core::{
    balance_transaction::ListBalanceTransaction,
    charge::{ListCharge, RetrieveCharge},
    customer::{CreateCustomer, ListCustomer, RetrieveCustomer},
    dispute::ListDispute,
    payment_intent::{
        CancelPaymentIntent, CreatePaymentIntent, CreatePaymentIntentOffSession, ListPaymentIntent,
        RetrievePaymentIntent, SearchPaymentIntent,
    },
    refund::{CreateRefund, ListRefund},
    setup_intent::{ConfirmSetupIntent, CreateSetupIntent, RetrieveSetupIntent},
};
use stripe_payment::payment_method::{AttachPaymentMethod, DetachPaymentMethod, ListPaymentMethod};
use stripe_types::Currency;

use super::text;
use crate::{Sandbox, start};

fn client(sandbox: &Sandbox) -> Client {
    ClientBuilder::new("sk_test_sandbox")
        .url(leadflow_sandbox::stripe_api(&sandbox.base))
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap()
}

fn debug(value: impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

#[tokio::test]
async fn a_card_is_stored_charged_and_given_back() {
    let sandbox = start().await;
    let client = client(&sandbox);
    let metadata = [("buyer".to_owned(), "buyer_1".to_owned())];
    let customer =
        CreateCustomer::new().email("bea@buyer.example").name("Bea").metadata(metadata).send(&client).await.unwrap();
    let id = customer.id.to_string();
    assert_eq!(customer.metadata.unwrap()["buyer"], "buyer_1");
    RetrieveCustomer::new(id.clone()).send(&client).await.unwrap();
    assert_eq!(ListCustomer::new().email("bea@buyer.example").send(&client).await.unwrap().data.len(), 1);

    let setup = CreateSetupIntent::new().customer(id.clone()).send(&client).await.unwrap();
    assert_eq!(setup.status.as_str(), "requires_payment_method");
    assert!(setup.client_secret.unwrap().starts_with(&format!("{}_secret_", setup.id)));
    let setup = ConfirmSetupIntent::new(setup.id).payment_method("pm_card_visa").send(&client).await.unwrap();
    assert_eq!(setup.status.as_str(), "succeeded");
    let setup = RetrieveSetupIntent::new(setup.id).expand(["payment_method".to_owned()]).send(&client).await.unwrap();
    let method = setup.payment_method.unwrap().into_object().unwrap();
    assert_eq!(method.customer.unwrap().id().to_string(), id);
    let listed = ListPaymentMethod::new().customer(id.clone()).send(&client).await.unwrap().data;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].card.as_ref().unwrap().last4, "4242");

    let intent = CreatePaymentIntent::new(5_000, Currency::USD)
        .customer(id.clone())
        .payment_method(method.id.to_string())
        .confirm(true)
        .off_session(CreatePaymentIntentOffSession::Bool(true))
        .metadata([("payment".to_owned(), "pay_1".to_owned())])
        .expand(["latest_charge.balance_transaction".to_owned()])
        .send(&client)
        .await
        .unwrap();
    assert_eq!((intent.status.as_str(), intent.amount_received), ("succeeded", 5_000));
    let charge = intent.latest_charge.unwrap().into_object().unwrap();
    assert_eq!(charge.metadata["payment"], "pay_1");
    assert_eq!(charge.balance_transaction.unwrap().into_object().unwrap().fee, 175);

    let found = SearchPaymentIntent::new("metadata['payment']:'pay_1'").send(&client).await.unwrap();
    assert_eq!(found.data.len(), 1);
    assert_eq!(ListPaymentIntent::new().customer(id).send(&client).await.unwrap().data.len(), 1);

    let refund = CreateRefund::new()
        .payment_intent(intent.id.to_string())
        .amount(2_000)
        .metadata([("refund".to_owned(), "refund_1".to_owned())])
        .send(&client)
        .await
        .unwrap();
    assert_eq!((refund.status.as_deref(), refund.amount), (Some("succeeded"), 2_000));
    let intent =
        RetrievePaymentIntent::new(intent.id).expand(["latest_charge".to_owned()]).send(&client).await.unwrap();
    assert_eq!(intent.latest_charge.unwrap().into_object().unwrap().amount_refunded, 2_000);
    let moved = ListBalanceTransaction::new().expand(["data.source".to_owned()]).send(&client).await.unwrap();
    assert_eq!(moved.data.iter().map(|it| it.amount).collect::<Vec<_>>(), [-2_000, 5_000]);
    assert!(debug(&moved.data[1].source).contains("pay_1"), "the source is expanded");
    DetachPaymentMethod::new(method.id).send(&client).await.unwrap();
}

#[tokio::test]
async fn declines_disputes_and_failed_refunds_are_read_too() {
    let sandbox = start().await;
    let client = client(&sandbox);
    let (customer, method) = sandbox.customer_with("pm_card_chargeCustomerFail").await;
    let declined = CreatePaymentIntent::new(5_000, Currency::EUR)
        .customer(customer.clone())
        .payment_method(method)
        .confirm(true)
        .off_session(CreatePaymentIntentOffSession::Bool(true))
        .send(&client)
        .await
        .unwrap_err();
    let StripeError::Stripe(error, 402) = declined else { panic!("{declined:?}") };
    assert_eq!(error.decline_code.as_deref(), Some("generic_decline"));
    assert_eq!(error.code.as_ref().unwrap().as_str(), "card_declined");
    let intent = error.payment_intent.unwrap();
    assert_eq!(intent.status.as_str(), "requires_payment_method");
    let kept = RetrievePaymentIntent::new(intent.id.clone()).send(&client).await.unwrap();
    assert_eq!(kept.last_payment_error.unwrap().payment_method.unwrap().card.unwrap().last4, "0341");
    RetrieveCharge::new(error.charge.unwrap()).send(&client).await.unwrap();
    let canceled = CancelPaymentIntent::new(intent.id).send(&client).await.unwrap();
    assert_eq!(canceled.status.as_str(), "canceled");

    let refused = AttachPaymentMethod::new("pm_card_chargeDeclinedInsufficientFunds")
        .customer(customer.clone())
        .send(&client)
        .await
        .unwrap_err();
    let StripeError::Stripe(error, 402) = refused else { panic!("{refused:?}") };
    assert_eq!(error.decline_code.as_deref(), Some("insufficient_funds"));

    let setup = CreateSetupIntent::new().customer(customer.clone()).send(&client).await.unwrap();
    let refused = ConfirmSetupIntent::new(setup.id).payment_method("pm_card_chargeDeclined").send(&client).await;
    let StripeError::Stripe(error, 402) = refused.unwrap_err() else { panic!() };
    assert_eq!(error.setup_intent.unwrap().status.as_str(), "requires_payment_method");

    let asked = CreatePaymentIntent::new(5_000, Currency::EUR)
        .payment_method("pm_card_authenticationRequired")
        .confirm(true)
        .return_url("https://example.com/back")
        .send(&client)
        .await
        .unwrap();
    assert_eq!(asked.status.as_str(), "requires_action");
    assert!(asked.next_action.unwrap().redirect_to_url.unwrap().url.unwrap().starts_with(&sandbox.base));

    sandbox.paid("pm_card_createDispute").await;
    let disputes = ListDispute::new().send(&client).await.unwrap().data;
    assert_eq!(disputes[0].balance_transactions[0].amount, -5_000);
    sandbox.control(Method::POST, &format!("/disputes/{}/close", disputes[0].id), &json!({"won": true})).await;
    assert_eq!(ListDispute::new().send(&client).await.unwrap().data[0].balance_transactions.len(), 2);

    let paid = sandbox.paid("pm_card_visa").await;
    let refund = CreateRefund::new().payment_intent(text(&paid["id"])).send(&client).await.unwrap();
    sandbox.control(Method::POST, &format!("/refunds/{}/fail", refund.id), &json!({})).await;
    let refunds = ListRefund::new().send(&client).await.unwrap().data;
    assert_eq!(refunds[0].status.as_deref(), Some("failed"));
    assert!(refunds[0].failure_balance_transaction.is_some());
    assert_eq!(ListCharge::new().send(&client).await.unwrap().data.len(), 3);
    assert_eq!(ListBalanceTransaction::new().limit(100).send(&client).await.unwrap().data.len(), 6);
}

#[tokio::test]
async fn every_event_is_read_by_the_clients_own_words() {
    let sandbox = start().await;
    let mut payment = sandbox.paid("pm_card_createDispute").await;
    let dispute = text(&sandbox.look("disputes").await["data"][0]["id"]);
    sandbox.control(Method::POST, &format!("/disputes/{dispute}/close"), &json!({"won": true})).await;
    payment = sandbox.look(&format!("payment_intents/{}", text(&payment["id"]))).await;
    assert_eq!(payment["status"], "succeeded");
    let refund = sandbox.make("refunds", &[("payment_intent", &text(&sandbox.paid("pm_card_visa").await["id"]))]).await;
    sandbox.control(Method::POST, &format!("/refunds/{}/fail", text(&refund["id"])), &json!({})).await;
    let (_, method) = sandbox.customer_with("pm_card_visa").await;
    sandbox.make(&format!("payment_methods/{method}/detach"), &[]).await;
    let events = sandbox.look("events?limit=100").await;
    let mut unread = Vec::new();
    for event in events["data"].as_array().unwrap() {
        match stripe_webhook::Webhook::insecure(&event.to_string()) {
            Ok(read) if debug(&read.data.object).starts_with("Unknown") => unread.push(event["type"].clone()),
            Ok(_) => {}
            Err(error) => panic!("{error}: {event:#}"),
        }
    }
    assert_eq!(unread, Vec::<Value>::new());
}
