//! Who hears what.

use leadflow_contracts::{Event, common, events};
use leadflow_kernel::EventId;

use super::*;
use crate::live::queue::Next;

fn message<E: Event>(event: &E) -> Message {
    Message {
        id: EventId::new(),
        subject: event.subject(),
        kind: E::TYPE.to_owned(),
        traceparent: None,
        payload: event.encode_to_vec().into(),
        delivered: 1,
        sequence: 0,
    }
}

fn live() -> Live {
    let pause = Duration::from_secs(15);
    let settings = LiveSettings { most: 100, most_per_user: 1, heartbeat: pause, session_check: pause };
    Live::new(settings, Shutdown::new())
}

fn listener(live: &Live, tenant: SellerId, party: Party) -> Listener {
    live.listen(tenant, party, EventId::new().to_string(), "session".to_owned(), false).unwrap_or_else(|_| panic!())
}

/// The names of all that waits for a listener, and its text.
async fn heard(listener: &Listener) -> (Vec<String>, String) {
    let mut text = String::new();
    listener.queue.end_after_what_waits();
    loop {
        match listener.queue.next().await {
            Next::Frame(frame) => text.push_str(std::str::from_utf8(&frame).unwrap()),
            Next::Opening(_) => {}
            Next::End => break,
        }
    }
    let names = text.lines().filter_map(|line| line.strip_prefix("event: ")).map(str::to_owned).collect();
    (names, text)
}

#[tokio::test]
async fn of_one_lead_each_party_hears_its_own_part() {
    let (live, tenant, winner, supplier) = (live(), SellerId::new(), BuyerId::new(), SupplierId::new());
    let listeners = [
        (tenant, Party::Seller),
        (tenant, Party::Buyer(winner)),
        (tenant, Party::Supplier(supplier)),
        (tenant, Party::Buyer(BuyerId::new())),
        (tenant, Party::Supplier(SupplierId::new())),
        (SellerId::new(), Party::Seller),
        (SellerId::new(), Party::Buyer(winner)),
        (SellerId::new(), Party::Supplier(supplier)),
    ]
    .map(|(tenant, party)| listener(&live, tenant, party));
    live.listening();
    let data = br#"{"firstName":"John","email":"john@example.com"}"#.as_slice();
    let price = Some(common::Money { amount: "25.00".to_owned(), currency: "USD".to_owned() });
    live.tell(&message(&events::LeadReceived {
        lead_id: "lead_1".to_owned(),
        seller_id: tenant.to_string(),
        supplier_id: supplier.to_string(),
        data_json: data.into(),
        raw_json: data.into(),
        reference: "john@example.com".to_owned(),
        ..Default::default()
    }));
    live.tell(&message(&events::LeadAssigned {
        lead_id: "lead_1".to_owned(),
        seller_id: tenant.to_string(),
        supplier_id: supplier.to_string(),
        data_json: data.into(),
        assignments: vec![events::Assignment { buyer_id: winner.to_string(), price, ..Default::default() }],
        ..Default::default()
    }));
    live.tell(&message(&events::DeliveryEnded {
        buyer_id: winner.to_string(),
        seller_id: tenant.to_string(),
        delivered: true,
        ..Default::default()
    }));
    // Of nobody: it is passed over.
    live.tell(&message(&events::WalletCredited::default()));
    let wanted: [&[&str]; 8] = [
        &["lead.received", "lead.decided", "lead.assigned", "delivery.succeeded"],
        &["lead.assigned", "delivery.succeeded"],
        &["lead.received", "lead.decided"],
        &[],
        &[],
        &[],
        &[],
        &[],
    ];
    for (at, listener) in listeners.iter().enumerate() {
        let (names, text) = heard(listener).await;
        assert_eq!(names, wanted[at], "listener {at}");
        assert!(!text.contains("John") && !text.contains("john@"), "{text}");
        assert!(at != 2 || !text.contains("buyer_"), "a supplier hears of a buyer: {text}");
    }
    drop(listeners);
    let room = live.room();
    assert_eq!((room.all, room.tenants.len(), room.users.len()), (0, 0, 0));
}

#[tokio::test]
async fn of_payments_the_seller_and_that_buyer_hear() {
    let (live, tenant, buyer) = (live(), SellerId::new(), BuyerId::new());
    let listeners = [
        (tenant, Party::Seller),
        (tenant, Party::Buyer(buyer)),
        (tenant, Party::Buyer(BuyerId::new())),
        (tenant, Party::Supplier(SupplierId::new())),
        (SellerId::new(), Party::Seller),
    ]
    .map(|(tenant, party)| listener(&live, tenant, party));
    live.listening();
    let (buyer_id, seller_id) = (buyer.to_string(), tenant.to_string());
    let payment = |news: events::PaymentNews| events::PaymentChanged {
        payment_id: "pay_1".to_owned(),
        buyer_id: buyer_id.clone(),
        seller_id: seller_id.clone(),
        news: news.into(),
        ..Default::default()
    };
    for news in [events::PaymentNews::Succeeded, events::PaymentNews::Declined, events::PaymentNews::ActionNeeded] {
        live.tell(&message(&payment(news)));
    }
    let ids = (buyer_id.clone(), seller_id.clone());
    live.tell(&message(&events::RechargeTurnedOff { buyer_id: ids.0, seller_id: ids.1, because: "x".repeat(999) }));
    let (buyer_id, seller_id) = (buyer.to_string(), tenant.to_string());
    live.tell(&message(&events::PaymentRefunded { buyer_id, seller_id, ..Default::default() }));
    for (closed, won) in [(false, false), (true, true)] {
        let (buyer_id, seller_id) = (buyer.to_string(), tenant.to_string());
        live.tell(&message(&events::DisputeChanged { buyer_id, seller_id, closed, won, ..Default::default() }));
    }
    let (buyer_id, seller_id) = (buyer.to_string(), tenant.to_string());
    live.tell(&message(&events::WalletLimitsChanged { buyer_id, seller_id }));
    let all = [
        "payment.succeeded",
        "payment.declined",
        "payment.action_needed",
        "payment.recharge_turned_off",
        "payment.refunded",
        "payment.dispute_opened",
        "payment.dispute_closed",
        "wallet.limits_changed",
    ];
    let wanted: [&[&str]; 5] = [&all, &all, &[], &[], &[]];
    for (at, listener) in listeners.iter().enumerate() {
        let (names, text) = heard(listener).await;
        assert_eq!(names, wanted[at], "listener {at}");
        assert!(!text.contains(&"x".repeat(400)), "{text}");
    }
}

#[tokio::test]
async fn a_user_and_a_replica_have_a_bound() {
    let live = live();
    let listen = |user: &str| live.listen(SellerId::new(), Party::Seller, user.to_owned(), "session".to_owned(), false);
    let first = listen("sam").unwrap_or_else(|_| panic!());
    assert_eq!(listen("sam").err(), Some(Full::User));
    let others: Vec<_> = (0..99).map(|number| listen(&number.to_string()).unwrap_or_else(|_| panic!())).collect();
    assert_eq!(listen("bea").err(), Some(Full::Replica));
    drop(first);
    assert!(listen("sam").is_ok());
    drop(others);
}

#[tokio::test]
async fn of_a_message_its_buyer_and_seller_hear_and_of_peoples_links_nobody() {
    let (live, tenant, buyer) = (live(), SellerId::new(), BuyerId::new());
    let listeners = [
        (tenant, Party::Seller),
        (tenant, Party::Buyer(buyer)),
        (tenant, Party::Buyer(BuyerId::new())),
        (SellerId::new(), Party::Seller),
    ]
    .map(|(tenant, party)| listener(&live, tenant, party));
    live.listening();
    let event = events::MessageEnded {
        message_id: leadflow_kernel::MessageId::new().to_string(),
        seller_id: tenant.to_string(),
        buyer_id: buyer.to_string(),
        channel: "EMAIL".to_owned(),
        kind: "LEAD_ASSIGNED".to_owned(),
        status: "BOUNCED".to_owned(),
        error: "no such user".to_owned(),
        lead_id: String::new(),
        at_ms: 1_800_000_000_000,
    };
    let link = events::MessageEnded { buyer_id: String::new(), kind: "RESET_PASSWORD".to_owned(), ..event.clone() };
    for told in [event, link] {
        live.tell(&message(&told));
    }
    for (listener, wanted) in listeners.iter().zip([1, 1, 0, 0]) {
        let (names, text) = heard(listener).await;
        let ended: Vec<_> = names.iter().filter(|name| *name == "message.ended").collect();
        assert_eq!(ended.len(), wanted, "{text}");
        assert!(!text.contains("RESET_PASSWORD"), "{text}");
        assert!(wanted == 0 || text.contains("\"status\":\"BOUNCED\""), "{text}");
    }
}
