//! Holds that nobody captured.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use chrono::TimeDelta;
use leadflow_billing::{
    app::{Billing, SeenHold},
    outbound::assignments::{Assignments, AssignmentsError},
    workers::release::{Releaser, Step},
};
use leadflow_billing_domain::{HoldOutcome, HoldRequest};
use leadflow_contracts::{events::WalletReleased, subjects};
use leadflow_kernel::{AssignmentId, CampaignId, SellerId};

use crate::support::*;

/// Distribution, as far as the worker asks it.
#[derive(Default)]
struct FakeDistribution {
    known: HashSet<AssignmentId>,
    away: bool,
    /// Placed again by distribution while it is being asked, as a retry of an undecided batch does.
    places_again: Option<(Billing, HoldRequest)>,
    asked: Mutex<Vec<(SellerId, usize)>>,
}

#[async_trait::async_trait]
impl Assignments for FakeDistribution {
    async fn known(
        &self,
        tenant: SellerId,
        asked: &[(AssignmentId, CampaignId)],
    ) -> Result<HashSet<AssignmentId>, AssignmentsError> {
        self.asked.lock().unwrap().push((tenant, asked.len()));
        if self.away {
            return Err(AssignmentsError::Call("away".to_owned()));
        }
        if let Some((billing, hold)) = &self.places_again {
            billing.place_holds(tenant, std::slice::from_ref(hold)).await.unwrap();
        }
        Ok(self.known.clone())
    }
}

fn releaser(billing: &Billing, distribution: FakeDistribution) -> (Releaser, Arc<FakeDistribution>) {
    let distribution = Arc::new(distribution);
    (Releaser::new(billing.clone(), distribution.clone(), TimeDelta::seconds(60)), distribution)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_hold_that_distribution_does_not_know_is_given_back_and_a_known_one_stays() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let (sold, orphan) = (request(seller, buyer, "25.00"), request(seller, buyer, "30.00"));
    billing.place_holds(seller, &[sold.clone(), orphan.clone()]).await.unwrap();
    let mut told = world.bus.subscribe_core(subjects::WALLET_RELEASED).await.unwrap();
    let (releaser, distribution) =
        releaser(&billing, FakeDistribution { known: set([sold.id]), ..FakeDistribution::default() });
    assert_eq!(releaser.step().await.unwrap(), Step::default(), "too young to ask about");
    assert!(distribution.asked.lock().unwrap().is_empty());

    world.clock.advance(TimeDelta::seconds(61));
    let young = request(seller, buyer, "5.00");
    billing.place_holds(seller, std::slice::from_ref(&young)).await.unwrap();
    let expected = Step { stale: 2, assigned: 1, released: 1, unknown: 0 };
    assert_eq!(releaser.step().await.unwrap(), expected);
    assert_eq!(amounts(&billing, seller, buyer).await, ("100.00".to_owned(), "30.00".to_owned(), "70.00".to_owned()));
    let event: WalletReleased = next(&mut told).await;
    assert_eq!((event.buyer_id, event.amount), (buyer.to_string(), proto_usd("30.00")));
    // The sale's event arrives late; the orphan is placed again by a retry.
    capture(&billing, &[message(&assigned(&[&sold]))]).await.unwrap();
    assert_eq!(billing.place_holds(seller, &[orphan]).await.unwrap(), [HoldOutcome::Held]);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_placed_again_while_distribution_is_asked_is_not_released() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    let hold = request(seller, buyer, "25.00");
    billing.place_holds(seller, std::slice::from_ref(&hold)).await.unwrap();
    world.clock.advance(TimeDelta::seconds(61));
    let fake = FakeDistribution { places_again: Some((world.replica(), hold.clone())), ..FakeDistribution::default() };
    let (releaser, _) = releaser(&billing, fake);
    assert_eq!(releaser.step().await.unwrap(), Step { stale: 1, ..Step::default() });
    assert_eq!(amounts(&billing, seller, buyer).await.1, "25.00");
    capture(&billing, &[message(&assigned(&[&hold]))]).await.unwrap();
    assert_eq!(amounts(&billing, seller, buyer).await.0, "75.00");
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_stepping_at_once_release_each_hold_once() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let (seller, buyer) = world.tenant(&replicas[0], "100.00").await;
    let (neighbour_seller, neighbour) = world.tenant(&replicas[0], "100.00").await;
    let holds: Vec<_> = (0..20).map(|_| request(seller, buyer, "5.00")).collect();
    replicas[0].place_holds(seller, &holds).await.unwrap();
    let other = request(neighbour_seller, neighbour, "5.00");
    replicas[0].place_holds(neighbour_seller, &[other]).await.unwrap();
    world.clock.advance(TimeDelta::seconds(61));
    let (one, _) = releaser(&replicas[0], FakeDistribution::default());
    let (two, asked) = releaser(&replicas[1], FakeDistribution::default());
    let (one, two) = tokio::join!(one.step(), two.step());
    assert_eq!(one.unwrap().released + two.unwrap().released, 21);
    assert!(asked.asked.lock().unwrap().iter().all(|(tenant, count)| {
        (*tenant == seller && *count <= 20) || (*tenant == neighbour_seller && *count == 1)
    }));
    assert_eq!(amounts(&replicas[0], seller, buyer).await.2, "100.00");
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_released_while_distribution_does_not_answer() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "100.00").await;
    billing.place_holds(seller, &[request(seller, buyer, "25.00")]).await.unwrap();
    world.clock.advance(TimeDelta::seconds(61));
    let (releaser, _) = releaser(&billing, FakeDistribution { away: true, ..FakeDistribution::default() });
    assert_eq!(releaser.step().await.unwrap(), Step { stale: 1, unknown: 1, ..Step::default() });
    assert_eq!(amounts(&billing, seller, buyer).await.1, "25.00");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_old_holds_than_one_question_may_name_are_all_looked_at() {
    let world = World::new().await;
    let billing = world.replica();
    let (seller, buyer) = world.tenant(&billing, "2000.00").await;
    let holds: Vec<_> = (0..1_500).map(|_| request(seller, buyer, "1.00")).collect();
    billing.place_holds(seller, &holds).await.unwrap();
    world.clock.advance(TimeDelta::seconds(61));
    let known = holds[..1_200].iter().map(|hold| hold.id).collect();
    let (releaser, _) = releaser(&billing, FakeDistribution { known, ..FakeDistribution::default() });
    let expected = Step { stale: 1_500, assigned: 1_200, released: 300, unknown: 0 };
    assert_eq!(releaser.step().await.unwrap(), expected);
    world.check_books().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_and_a_capture_of_one_hold_at_once_end_it_once() {
    let world = World::new().await;
    let replicas = [world.replica(), world.replica()];
    let (seller, buyer) = world.tenant(&replicas[0], "1000.00").await;
    let holds: Vec<_> = (0..20).map(|_| request(seller, buyer, "10.00")).collect();
    replicas[0].place_holds(seller, &holds).await.unwrap();
    for hold in &holds {
        let event = [message(&assigned(&[hold]))];
        let seen = [SeenHold { id: hold.id, attempts: Some(1) }];
        let (captured, released) =
            tokio::join!(capture(&replicas[0], &event), replicas[1].release_holds(seller, &seen));
        captured.unwrap();
        assert!(released.unwrap() <= 1);
    }
    assert_eq!(
        amounts(&replicas[0], seller, buyer).await,
        ("800.00".to_owned(), "0.00".to_owned(), "800.00".to_owned()),
        "every sale is paid, also one whose hold was released just before"
    );
    world.check_books().await;
}
