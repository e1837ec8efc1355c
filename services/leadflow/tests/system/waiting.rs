//! Leads that wait for money sell when holds give it back, without anybody looking by chance.

use leadflow_contracts::{billing, common::Logic};
use leadflow_kernel::{AssignmentId, BuyerId, CampaignId, LeadId};
use leadflow_testkit::{books, wait};

use crate::world::{PATIENCE, Terms, World, doubled, lead, usd};

/// Holds the buyer's 25.00 for a sale that nobody will make, as a distribution that died before its commit does.
async fn forgotten_hold(world: &World, buyer: BuyerId, campaign: CampaignId) -> AssignmentId {
    let id = AssignmentId::new();
    let hold = billing::HoldRequest {
        hold_id: id.to_string(),
        buyer_id: buyer.to_string(),
        lead_id: LeadId::new().to_string(),
        campaign_id: campaign.to_string(),
        amount: usd("25.00"),
    };
    let request = world.request(billing::PlaceHoldsRequest { holds: vec![hold] });
    let answer = world.billing().place_holds(request).await.unwrap().into_inner();
    assert_eq!(answer.outcomes().collect::<Vec<_>>(), [billing::HoldOutcome::Held]);
    id
}

/// A lead that finds no money.
async fn unsold(world: &World, campaign: CampaignId, n: usize) {
    let answer = world.post(&lead(campaign, n), &[]).await.unwrap();
    let id: LeadId = answer.body["leadId"].as_str().unwrap().parse().unwrap();
    wait::until("the lead waits", PATIENCE, async || {
        let outcome: Option<i16> = sqlx::query_scalar("SELECT outcome FROM distribution.leads WHERE lead_id = $1")
            .bind(id.uuid())
            .fetch_optional(&world.books)
            .await
            .unwrap();
        outcome == Some(3)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_waits_is_sold_when_a_hold_gives_the_money_back() {
    let mut options = doubled();
    options.env.push(("BILLING_RELEASE_EVERY_SECONDS".into(), "1".into()));
    let world = World::start(options).await;
    let campaign = world.campaign(Logic::RoundRobin, "25.00", 0).await;
    let buyer = world.buyer("waits", 5, "25.00").await;
    world.subscribe(campaign, buyer, Terms::default()).await;
    let sold = async |number| {
        wait::until("the lead is sold", PATIENCE, async || world.sold(campaign).await == [(buyer, number)]).await
    };

    // By billing's release worker; an hour is made to pass.
    forgotten_hold(&world, buyer, campaign).await;
    unsold(&world, campaign, 1).await;
    sqlx::query("UPDATE billing.holds SET placed_at = placed_at - interval '1 hour'")
        .execute(&world.books)
        .await
        .unwrap();
    sold(1).await;

    // By whoever placed it and does not need it.
    world.settled(&[]).await;
    world.credit(buyer, "25.00", "once more").await;
    let hold = forgotten_hold(&world, buyer, campaign).await;
    unsold(&world, campaign, 2).await;
    let give_back = billing::ReleaseHoldsRequest { hold_ids: vec![hold.to_string()] };
    assert_eq!(world.billing().release_holds(world.request(give_back)).await.unwrap().into_inner().released, 1);
    sold(2).await;

    world.settled(&[]).await;
    let report = books::check(&world.books, &books::Expectations::settled()).await.unwrap();
    assert!(report.is_clean(), "{report}");
}
