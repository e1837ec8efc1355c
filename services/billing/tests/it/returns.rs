//! Sales that are undone: the money comes back once, as it was booked, in whatever order the events come.

use futures::future::join_all;
use leadflow_billing::{app::Billing, inbound::lead_events::LeadEvents};
use leadflow_billing_domain::HoldRequest;
use leadflow_contracts::{
    events::{LeadReturned, WalletCredited},
    money_to_proto, subjects,
};
use leadflow_kernel::{BuyerId, ReturnId, SellerId};
use leadflow_messaging::{
    Message,
    consumer::{BatchHandler as _, HandleError},
};

use crate::support::*;

fn returned(hold: &HoldRequest) -> LeadReturned {
    LeadReturned {
        return_id: ReturnId::new().to_string(),
        assignment_id: hold.id.to_string(),
        lead_id: hold.lead.to_string(),
        buyer_id: hold.buyer.to_string(),
        seller_id: hold.seller.to_string(),
        campaign_id: hold.campaign.to_string(),
        campaign_name: "Solar Florida".to_owned(),
        price: Some(money_to_proto(hold.price.money())),
        reason: "wrong_number".to_owned(),
        decided_at_ms: 1,
    }
}

async fn handle(billing: &Billing, batch: &[Message]) -> Result<(), HandleError> {
    LeadEvents::new(billing.clone()).handle(batch).await
}

async fn sold(billing: &Billing, seller: SellerId, buyer: BuyerId, price: &str) -> HoldRequest {
    let hold = request(seller, buyer, price);
    billing.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap();
    hold
}

impl World {
    /// Whether everything that was undone sums to nothing with its sale, account by account.
    async fn check_returns(&self, undone: i64) {
        self.check_books().await;
        assert_eq!(self.count("SELECT count(*) FROM billing.postings WHERE kind = 'lead_return'").await, undone);
        let left = "SELECT count(*) FROM (SELECT p.assignment_id, e.account_id FROM billing.postings p \
             JOIN billing.entries e USING (posting_id) WHERE p.assignment_id IN \
               (SELECT assignment_id FROM billing.postings WHERE kind = 'lead_return') \
             GROUP BY 1, 2 HAVING sum(e.amount) <> 0 OR count(*) <> 2) x";
        assert_eq!(self.count(left).await, 0, "a return is its sale, the other way round");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_returned_sale_is_given_back_as_it_was_booked_and_told() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let hold = sold(&billing, seller, buyer, "25.01").await;
    handle(&billing, &[message(&assigned(&[&hold]))]).await.unwrap();
    // A fee of another day takes nothing else back than what was kept.
    let mut dearer = seller_changed(seller, 2);
    dearer.platform_fee_percent = "40".to_owned();
    apply(&billing, &[message(&dearer)]).await.unwrap();
    let mut credited = world.bus.subscribe_core(subjects::WALLET_CREDITED).await.unwrap();
    handle(&billing, &[message(&returned(&hold))]).await.unwrap();
    let event: WalletCredited = next(&mut credited).await;
    assert_eq!(
        (event.buyer_id, event.amount, event.available),
        (buyer.to_string(), proto_usd("25.01"), proto_usd("100.00"))
    );
    let page = billing.statement(seller, buyer, None, 10).await.unwrap();
    let line = &page.lines[0];
    assert_eq!((line.kind.as_str(), line.amount, line.balance_after), ("lead_return", dec("25.01"), dec("100.00")));
    assert_eq!((line.assignment, line.description.as_str()), (Some(hold.id), "Return: Solar Florida"));
    assert_eq!(event.posting_id, line.posting.to_string());
    assert_eq!(world.count("SELECT sum(amount)::bigint FROM billing.entries JOIN billing.accounts USING (account_id) WHERE kind <> 'external_funding' AND kind <> 'buyer_wallet'").await, 0);
    let wallet = billing.wallet(seller, buyer).await.unwrap();
    assert_eq!((wallet.week.amount, wallet.month.amount), (dec("0.00"), dec("0.00")));
    assert_eq!(world.count("SELECT count(*) FROM billing.holds WHERE state = 'captured'").await, 1);
    world.check_returns(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_a_sale_and_its_return_does_not_matter() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let mut undone = 0;
    for together in [true, false] {
        for return_first in [true, false] {
            let hold = sold(&billing, seller, buyer, "10.00").await;
            let mut events = [message(&assigned(&[&hold])), message(&returned(&hold))];
            if return_first {
                events.reverse();
            }
            for batch in events.chunks(if together { 2 } else { 1 }) {
                handle(&billing, batch).await.unwrap();
            }
            undone += 1;
            assert_eq!(amounts(&billing, seller, buyer).await.0, "100.00");
            world.check_returns(undone).await;
        }
    }
    assert_eq!(world.count("SELECT count(*) FROM billing.holds WHERE state = 'captured'").await, undone);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_return_delivered_many_times_at_once_gives_back_once() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let (seller, buyer) = world.tenant(&replicas[0], "1000.00").await;
    let other = world.buyer(&replicas[0], seller, "1000.00").await;
    let mut holds = Vec::new();
    for n in 0..20 {
        holds.push(sold(&replicas[0], seller, if n % 2 == 0 { buyer } else { other }, "10.00").await);
    }
    // Half of the sales are still on their way.
    let mut batch: Vec<_> = holds.iter().skip(10).map(|hold| message(&assigned(&[hold]))).collect();
    batch.extend(holds.iter().map(|hold| message(&returned(hold))));
    let late: Vec<_> = holds.iter().map(|hold| message(&assigned(&[hold]))).collect();
    let mut all = join_all([0, 1, 0, 1].map(|replica| handle(&replicas[replica], &batch))).await;
    all.extend(join_all([handle(&replicas[0], &late), handle(&replicas[1], &late)]).await);
    // What two replicas did at the same moment comes again, and finds it done.
    for outcome in all {
        assert!(matches!(outcome, Ok(()) | Err(HandleError::Transient(_))), "{outcome:?}");
    }
    handle(&replicas[0], &batch).await.unwrap();
    for buyer in [buyer, other] {
        assert_eq!(amounts(&replicas[1], seller, buyer).await.0, "1000.00");
    }
    world.check_returns(20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_returned_lead_counted_as_spent_is_free_again_while_its_window_lasts() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "1000.00").await;
    let (first, second) = (sold(&billing, seller, buyer, "30.00").await, sold(&billing, seller, buyer, "20.00").await);
    handle(&billing, &[message(&assigned(&[&first])), message(&assigned(&[&second]))]).await.unwrap();
    handle(&billing, &[message(&returned(&first))]).await.unwrap();
    let spent = async || {
        let wallet = billing.wallet(seller, buyer).await.unwrap();
        (wallet.week.amount.to_string(), wallet.month.amount.to_string())
    };
    assert_eq!(spent().await, ("20.00".to_owned(), "20.00".to_owned()));
    // Monday: a new week in the same month.
    world.clock.advance(chrono::TimeDelta::days(1));
    let third = sold(&billing, seller, buyer, "5.00").await;
    handle(&billing, &[message(&assigned(&[&third])), message(&returned(&second))]).await.unwrap();
    assert_eq!(spent().await, ("5.00".to_owned(), "5.00".to_owned()));
    world.check_returns(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_lead_is_on_the_statement_twice_and_credits_nothing() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "0.00").await;
    let hold = sold(&billing, seller, buyer, "0.00").await;
    handle(&billing, &[message(&assigned(&[&hold])), message(&returned(&hold))]).await.unwrap();
    let page = billing.statement(seller, buyer, None, 10).await.unwrap();
    let lines: Vec<_> = page.lines.iter().map(|line| (line.kind.as_str(), line.amount)).collect();
    assert_eq!(lines, [("lead_return", dec("0")), ("lead_purchase", dec("0"))]);
    world.check_returns(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_its_sale_gives_nothing_back_and_the_rest_of_the_batch_is_done() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let (stranger, thief) = world.tenant(&billing, "100.00").await;
    let (one, two) = (sold(&billing, seller, buyer, "25.00").await, sold(&billing, seller, buyer, "10.00").await);
    handle(&billing, &[message(&assigned(&[&one])), message(&assigned(&[&two]))]).await.unwrap();
    let mut dearer = returned(&one);
    dearer.price = proto_usd("26.00");
    let mut stolen = returned(&one);
    (stolen.seller_id, stolen.buyer_id) = (stranger.to_string(), thief.to_string());
    let never_paid = returned(&request(seller, world.buyer(&billing, seller, "0.00").await, "5.00"));
    for wrong in [dearer, stolen, never_paid] {
        let both = [message(&wrong), message(&returned(&two))];
        assert!(matches!(handle(&billing, &both).await, Err(HandleError::Permanent(_))), "{wrong:?}");
        assert!(matches!(handle(&billing, &both[..1]).await, Err(HandleError::Permanent(_))), "{wrong:?}");
    }
    world.check_returns(0).await;
    handle(&billing, &[message(&returned(&two))]).await.unwrap();
    assert_eq!(amounts(&billing, seller, buyer).await.0, "75.00");
    assert_eq!(amounts(&billing, stranger, thief).await.0, "100.00");
    world.check_returns(1).await;
}
