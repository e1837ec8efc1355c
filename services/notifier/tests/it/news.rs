//! What buyers are told, by which events.

use std::collections::HashMap;

use leadflow_contracts::{
    common, events,
    notifier::{EndpointEvents, PutEndpointRequest},
};
use leadflow_kernel::{AssignmentId, BuyerId, EndpointId, EventId, LeadId, PaymentId, ReturnId};
use leadflow_messaging::{Envelope, Message, consumer::BatchHandler as _};
use leadflow_notifier::{MailSettings, inbound::events::MoneyNews};
use leadflow_testkit::wait;
use serde_json::{Value, json};

use crate::{
    mails::Sandbox,
    parts::parts,
    receiver::Receiver,
    world::{PATIENCE, World, put, sold},
};

const ADDRESS: &str = "sam@buyer.example";

fn usd(amount: &str) -> Option<common::Money> {
    Some(common::Money { amount: amount.into(), currency: "USD".into() })
}

/// What endpoints are told of money: once each, and only those that asked.
#[tokio::test]
async fn endpoints_are_told_of_money_if_they_want_to_be() {
    let world = World::start().await;
    let (money, leads) = (Receiver::start().await, Receiver::start().await);
    let buyer = world.buyer_at(&leads.url).await;
    let names = ["wallet.low_balance", "payment.failed"].map(str::to_owned).to_vec();
    let wants = PutEndpointRequest {
        endpoint_id: EndpointId::new().to_string(),
        events: Some(EndpointEvents { names }),
        ..put(buyer, &money.url)
    };
    world.client().put_endpoint(world.call(wants)).await.unwrap();
    let low = events::WalletLowBalance {
        buyer_id: buyer.to_string(),
        seller_id: world.seller.to_string(),
        available: usd("12.50"),
        threshold: usd("100.00"),
    };
    let declined = events::PaymentChanged {
        payment_id: PaymentId::new().to_string(),
        buyer_id: buyer.to_string(),
        seller_id: world.seller.to_string(),
        news: events::PaymentNews::Declined.into(),
        recharge: true,
        amount: usd("250.00"),
        decline_code: "expired_card".into(),
        decline_message: "the card has expired".into(),
        next_attempt_at_ms: 0,
    };
    let succeeded = events::PaymentChanged { news: events::PaymentNews::Succeeded.into(), ..declined.clone() };
    let twice = Envelope::new(EventId::new(), &low, world.now());
    world.bus.publish(std::slice::from_ref(&twice)).await.unwrap();
    world.publish(&succeeded).await;
    world.publish(&declined).await;
    world.all_delivered(2).await;
    // Told twice under one id, which the stream may not notice after a while.
    let message = Message {
        id: twice.id,
        subject: twice.subject.clone(),
        kind: twice.kind.clone(),
        traceparent: None,
        payload: twice.payload.clone(),
        delivered: 2,
        sequence: 1,
    };
    let parts = parts(&world);
    let handler = MoneyNews { notifier: parts.notifier.clone(), dispatcher: parts.dispatcher.clone() };
    handler.handle(&[message]).await.unwrap();
    parts.dispatcher.drain(PATIENCE).await;
    let bodies: HashMap<String, Value> = money
        .got()
        .iter()
        .map(|got| serde_json::from_slice::<Value>(&got.body).unwrap())
        .map(|body| (body["event"].as_str().unwrap().to_owned(), body["data"].clone()))
        .collect();
    assert_eq!(money.got().len(), 2);
    let expected = json!({ "buyerId": buyer.to_string(), "available": 12.5, "threshold": 100.0, "currency": "USD" });
    assert_eq!(bodies["wallet.low_balance"], expected);
    assert_eq!(
        bodies["payment.failed"],
        json!({
            "paymentId": declined.payment_id, "buyerId": buyer.to_string(), "amount": 250.0, "currency": "USD",
            "recharge": true, "reason": "the card has expired", "nextAttemptAt": null,
        })
    );
    assert!(leads.got().is_empty());
    let listed = world.deliveries(buyer).await;
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|delivery| delivery.lead_id.is_empty() && delivery.assignment_id.is_empty()));
    let told = "SELECT count(*) FROM notifier.deliveries WHERE status = 'DELIVERED'";
    assert_eq!(world.count(told).await, 2);
}

/// A buyer whom the directory knows.
async fn buyer(world: &World, verified: bool) -> BuyerId {
    let (buyer, seller) = (BuyerId::new(), world.seller);
    world
        .publish(&events::SellerChanged {
            seller_id: seller.to_string(),
            version: 1,
            company_name: "Acme Solar".into(),
            time_zone: "America/New_York".into(),
            ..events::SellerChanged::default()
        })
        .await;
    world.publish(&contact(world, buyer, 2, ADDRESS, verified)).await;
    wait::until("the buyer and his seller are known", PATIENCE, async || {
        world
            .count("SELECT count(*) FROM notifier.buyers JOIN notifier.sellers USING (seller_id) WHERE email <> ''")
            .await
            > 0
    })
    .await;
    // An older one that comes late.
    world.publish(&contact(world, buyer, 1, "old@buyer.example", false)).await;
    buyer
}

fn contact(world: &World, buyer: BuyerId, version: u64, email: &str, verified: bool) -> events::BuyerContact {
    events::BuyerContact {
        buyer_id: buyer.to_string(),
        seller_id: world.seller.to_string(),
        version,
        name: "Sam Lee".into(),
        email: email.into(),
        email_verified: verified,
        phone: String::new(),
    }
}

async fn with_mail() -> (Sandbox, World) {
    let (sandbox, mut world) = (Sandbox::start().await, World::empty().await);
    world.replica(|config| config.mail = Some(MailSettings::Smtp(sandbox.smtp.clone()))).await;
    (sandbox, world)
}

async fn mail(sandbox: &Sandbox, subject: &str) -> Value {
    wait::until_some(format!("a mail: {subject}"), PATIENCE, async || {
        sandbox.arrived().await.into_iter().find(|mail| mail["subject"] == subject)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_hears_of_what_happens() {
    let (sandbox, world) = with_mail().await;
    let buyer = buyer(&world, true).await;
    let (buyer_id, seller_id) = (buyer.to_string(), world.seller.to_string());
    world.sell(&[buyer]).await;
    let low = events::WalletLowBalance {
        buyer_id: buyer_id.clone(),
        seller_id: seller_id.clone(),
        available: usd("9.50"),
        threshold: usd("50.00"),
    };
    world.publish(&low).await;
    let payment = |news: events::PaymentNews, recharge, amount| events::PaymentChanged {
        payment_id: PaymentId::new().to_string(),
        buyer_id: buyer_id.clone(),
        seller_id: seller_id.clone(),
        news: news.into(),
        recharge,
        amount: usd(amount),
        decline_code: "insufficient_funds".into(),
        decline_message: "The card has too little money.".into(),
        next_attempt_at_ms: 0,
    };
    world.publish(&payment(events::PaymentNews::Declined, true, "101.00")).await;
    // Whoever pays by hand is told at once, by the page.
    world.publish(&payment(events::PaymentNews::Declined, false, "102.00")).await;
    world.publish(&payment(events::PaymentNews::ActionNeeded, true, "103.00")).await;
    world
        .publish(&events::RechargeTurnedOff {
            buyer_id: buyer_id.clone(),
            seller_id: seller_id.clone(),
            because: "The card was declined three times.".into(),
        })
        .await;
    let decided = events::ReturnDecided {
        return_id: ReturnId::new().to_string(),
        assignment_id: AssignmentId::new().to_string(),
        lead_id: LeadId::new().to_string(),
        buyer_id: buyer_id.clone(),
        seller_id: seller_id.clone(),
        campaign_name: "Solar West".into(),
        approved: true,
        reason: "wrong_number".into(),
        note: String::new(),
        price: usd("25.00"),
        decided_at_ms: world.now().timestamp_millis(),
    };
    world.publish(&decided).await;
    world.publish(&decided).await;
    world
        .publish(&events::EndpointDisabled {
            endpoint_id: EndpointId::new().to_string(),
            buyer_id: buyer_id.clone(),
            seller_id,
            reason: "it answered 410".into(),
            failing_since_ms: world.now().timestamp_millis(),
        })
        .await;
    for (subject, told) in [
        ("New lead: Solar West, CA", "john@example.com"),
        ("Your balance is low: $9.50", "$50.00"),
        ("Your card was declined: $101.00", "The card has too little money."),
        ("Please confirm a payment of $103.00", "recharges your wallet"),
        ("Your wallet is not recharged any more", "three times"),
        ("Your return was accepted", "wrong number"),
        ("Your webhook was switched off", "it answered 410"),
    ] {
        let mail = mail(&sandbox, subject).await;
        assert_eq!(mail["to"], serde_json::json!([ADDRESS]), "{subject}");
        for part in ["text", "html"] {
            let text = mail[part].as_str().unwrap();
            assert!(text.contains(told) && text.contains("Sam Lee"), "{subject}: {text}");
        }
    }
    wait::until("all are recorded", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.messages WHERE status = 'SENT'").await == 7
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM notifier.messages WHERE recipient = 'sam@buyer.example'").await, 7);
    assert_eq!(world.count("SELECT count(*) FROM notifier.messages WHERE lead_id IS NOT NULL").await, 2);
    assert_eq!(sandbox.arrived().await.len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_told_twice_is_one_mail_and_an_address_that_nobody_confirmed_gets_no_personal_data() {
    let (sandbox, world) = with_mail().await;
    let (one, other) = (buyer(&world, false).await, BuyerId::new());
    // The other buyer is known, and has no address.
    world.publish(&contact(&world, other, 1, "", false)).await;
    wait::until("both are known", PATIENCE, async || world.count("SELECT count(*) FROM notifier.buyers").await == 2)
        .await;
    let sale = sold(world.seller, &[one, other], world.now());
    world.publish(&sale).await;
    world.publish(&sale).await;
    let first = mail(&sandbox, "New lead: Solar West, CA").await;
    for part in ["text", "html"] {
        let text = first[part].as_str().unwrap();
        assert!(text.contains("J.") && !text.contains("John") && !text.contains("john@example.com"), "{text}");
    }
    wait::until("it is recorded", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.messages WHERE status = 'SENT' AND contents IS NULL").await == 1
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM notifier.messages").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_want_it_or_has_no_address_is_not_mailed_also_when_he_changes_his_mind_meanwhile() {
    let world = {
        let mut world = World::empty().await;
        world.replica(|_| {}).await;
        world
    };
    let buyer = buyer(&world, true).await;
    world.sell(&[buyer]).await;
    let waiting = "SELECT count(*) FROM notifier.messages WHERE status = 'WAITING'";
    wait::until("the mail waits for a provider", PATIENCE, async || world.count(waiting).await == 1).await;
    sqlx::query(
        "INSERT INTO notifier.preferences (buyer_id, seller_id, email_on_lead, updated_at) VALUES ($1, $2, false, now())",
    )
    .bind(buyer.uuid())
    .bind(world.seller.uuid())
    .execute(world.db.pool())
    .await
    .unwrap();
    // From now on there is nothing to store.
    let sale = world.sell(&[buyer]).await;
    world
        .publish(&events::WalletLowBalance {
            buyer_id: BuyerId::new().to_string(),
            seller_id: world.seller.to_string(),
            available: usd("9.50"),
            threshold: usd("50.00"),
        })
        .await;
    wait::until("a message to somebody unknown waits", PATIENCE, async || world.count(waiting).await == 2).await;
    let lead = sale.lead_id.parse::<LeadId>().unwrap();
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM notifier.messages WHERE lead_id = $1")
        .bind(lead.uuid())
        .fetch_one(world.db.pool())
        .await
        .unwrap();
    assert_eq!(stored, 0);
    // A provider at last: what he does not want any more is suppressed, and who is unknown waits.
    let (sandbox, mut world) = (Sandbox::start().await, world);
    world.replica(|config| config.mail = Some(MailSettings::Smtp(sandbox.smtp.clone()))).await;
    wait::until("it is suppressed", PATIENCE, async || {
        world.count("SELECT count(*) FROM notifier.messages WHERE status = 'SUPPRESSED' AND error LIKE '%want%'").await
            == 1
    })
    .await;
    wait::until("it is tried again later", PATIENCE, async || {
        world
            .count("SELECT count(*) FROM notifier.messages WHERE status = 'WAITING' AND error LIKE '%not known%'")
            .await
            == 1
    })
    .await;
    assert!(sandbox.arrived().await.is_empty());
}
