//! How many SQL statements something takes does not depend on how many holds, sales or wallets there are.

use std::{collections::HashSet, sync::Arc};

use chrono::TimeDelta;
use leadflow_billing::{
    app::{Billing, SeenHold},
    outbound::assignments::{Assignments, AssignmentsError},
    workers::release::Releaser,
};
use leadflow_billing_domain::{HoldOutcome, HoldRequest, Price};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, SellerId};
use leadflow_platform::db::DbSettings;
use leadflow_testkit::StatementCounter;

use crate::support::*;

const FEW: usize = 3;
const MANY: usize = 240;

/// Knows of no assignment.
struct Nothing;

#[async_trait::async_trait]
impl Assignments for Nothing {
    async fn known(
        &self,
        _: SellerId,
        _: &[(AssignmentId, CampaignId)],
    ) -> Result<HashSet<AssignmentId>, AssignmentsError> {
        Ok(HashSet::new())
    }
}

/// A replica whose statements are counted, apart from those that publish its events.
async fn counted(world: &World) -> (Billing, StatementCounter) {
    let counter = StatementCounter::start(&world.db.url()).await.unwrap();
    let pool = leadflow_billing::connect(&DbSettings { url: counter.url().to_owned(), ..world.settings() }).unwrap();
    (world.billing(pool, world.pool().clone()), counter)
}

/// What `work` executes, in alphabetical order.
async fn statements(counter: &StatementCounter, work: impl Future<Output = ()>) -> Vec<String> {
    let _ = counter.take();
    work.await;
    let mut executed = counter.take();
    executed.sort_unstable();
    assert!(executed.iter().any(|sql| sql.contains("SELECT")), "nothing was counted: {executed:?}");
    executed
}

/// So many buyers of a tenant, each with `funds` and below his threshold after the first hold.
async fn buyers(world: &World, billing: &Billing, count: usize, funds: usize) -> (SellerId, Vec<BuyerId>) {
    let (seller, first) = world.tenant(billing, "0.00").await;
    let buyers: Vec<BuyerId> = (0..count).map(|at| if at == 0 { first } else { BuyerId::new() }).collect();
    let records: Vec<_> = buyers.iter().map(|buyer| message(&buyer_changed(seller, *buyer, 1))).collect();
    apply(billing, &records).await.unwrap();
    let threshold = Price::new(usd(&(funds - 10).to_string())).unwrap();
    for buyer in &buyers {
        credit(billing, seller, *buyer, &funds.to_string()).await;
        billing.set_low_balance_threshold(None, seller, *buyer, threshold).await.unwrap();
    }
    (seller, buyers)
}

#[tokio::test(flavor = "multi_thread")]
async fn holding_paying_and_giving_back() {
    let world = World::new().await;
    let plain = world.replica();
    let (mut cases, mut limits) = (Vec::new(), Vec::new());
    // Few leads of few buyers; many leads of one buyer; many leads of as many buyers.
    for (leads, wallets) in [(FEW, FEW), (MANY, 1), (MANY, MANY)] {
        let (seller, buyers) = buyers(&world, &plain, wallets, 100 * leads / wallets).await;
        let holds =
            |_| -> Vec<HoldRequest> { (0..leads).map(|at| request(seller, buyers[at % wallets], "25.00")).collect() };
        let (billing, counter) = counted(&world).await;
        let place = async |holds: &[HoldRequest]| {
            let outcomes = billing.place_holds(seller, holds).await.unwrap();
            assert!(outcomes.iter().all(|outcome| *outcome == HoldOutcome::Held));
        };
        let (sold, back, forgotten) = (holds(0), holds(1), holds(2));
        let mut executed = vec![statements(&counter, place(&sold)).await];
        // Asked again, and partly new.
        executed.push(statements(&counter, place(&sold)).await);
        executed.push(statements(&counter, place(&[&sold[..1], &back].concat())).await);
        let events: Vec<_> = sold.iter().map(|hold| message(&assigned(&[hold]))).collect();
        for _ in 0..2 {
            executed.push(statements(&counter, async { capture(&billing, &events).await.unwrap() }).await);
        }
        let seen: Vec<_> = back.iter().map(|hold| SeenHold { id: hold.id, attempts: None }).collect();
        let work = async { assert_eq!(billing.release_holds(seller, &seen).await.unwrap() as usize, leads) };
        executed.push(statements(&counter, work).await);
        executed.push(statements(&counter, place(&forgotten)).await);
        world.clock.advance(TimeDelta::seconds(61));
        let releaser = Releaser::new(billing.clone(), Arc::new(Nothing), TimeDelta::seconds(60));
        let work = async { assert_eq!(releaser.step().await.unwrap().released as usize, leads) };
        executed.push(statements(&counter, work).await);
        cases.push(executed);

        // A look at the directory: as many records, all of them newer, with a limit lifted.
        let records: Vec<_> = buyers.iter().map(|buyer| message(&buyer_changed(seller, *buyer, 2))).collect();
        limits.push(statements(&counter, async { apply(&billing, &records).await.unwrap() }).await);
    }
    for case in &cases[1..] {
        for (few, many) in cases[0].iter().zip(case) {
            assert_eq!(few, many);
        }
    }
    assert!(cases[0].iter().all(|executed| executed.len() <= 10), "{:#?}", cases[0]);
    // What nearly every batch is takes one round trip: new holds on known wallets, and paying holds that stand.
    assert_eq!([cases[0][6].len(), cases[0][3].len()], [1, 1], "{:#?}", cases[0]);
    assert!(limits.iter().all(|executed| *executed == limits[0]), "{limits:#?}");
    world.check_books().await;
}
