//! A wallet that fills itself from a card, so that leads that waited for money are sold.

use bytes::Bytes;
use leadflow_contracts::{
    billing::Transaction,
    common::{Logic, Status},
};
use leadflow_kernel::{BuyerId, CampaignId, CategoryId, EventId, LeadId, SubscriptionId};
use leadflow_testkit::{
    books::{self, Answer},
    wait,
};
use rand::{SeedableRng as _, rngs::StdRng};
use rust_decimal::Decimal;
use serde_json::json;
use sqlx::PgPool;

use super::{
    PATIENCE, SEED,
    people::person,
    post,
    script::{Expect, Post},
    stage::Stage,
    table::{Align, Table, dollars},
    verify,
};
use crate::seed::{BuyerSpec, CampaignSpec, SubscriptionSpec};

/// Pays whatever it is charged with.
const CARD: &str = "pm_card_visa";
const FUNDS: &str = "30.00";
const PRICE: &str = "25.00";
const THRESHOLD: &str = "20.00";
const AMOUNT: &str = "50.00";
/// More than the first funds pay for.
const LEADS: usize = 3;
/// People of the other posts have lower numbers.
const FIRST_PERSON: usize = 200_000;

/// What became of it.
pub struct Played {
    /// What was answered to its posts.
    pub answers: Vec<Answer>,
    /// What was not as it had to be.
    pub problems: Vec<String>,
}

/// Plays it; `None` where no card can be charged.
pub async fn play(books: &PgPool, stage: &Stage, category: CategoryId, run: &str) -> anyhow::Result<Option<Played>> {
    let (market, buyer, campaign) = (&stage.market, BuyerId::new(), CampaignId::new());
    let spec = BuyerSpec {
        id: buyer,
        name: "Juniper Health".to_owned(),
        priority: 5,
        funds: FUNDS.to_owned(),
        weekly_limit: None,
        hook: format!("juniper-{run}"),
    };
    market.create_buyer(&spec).await?;
    if !market.store_test_card(buyer, CARD).await? {
        println!("  No card can be charged here (STRIPE_SECRET_KEY of a test account is not set).\n");
        return Ok(None);
    }
    let spec = CampaignSpec {
        id: campaign,
        category,
        name: "Dental and Vision".to_owned(),
        logic: Logic::RoundRobin,
        price: PRICE.to_owned(),
        duplicate_days: 30,
    };
    market.put_campaign(&spec).await?;
    let spec = SubscriptionSpec {
        id: SubscriptionId::new(),
        campaign,
        buyer,
        daily_cap: None,
        states: Vec::new(),
        waterfall: 0,
    };
    market.put_subscription(&spec, Status::Active).await?;
    market.recharge(buyer, THRESHOLD, AMOUNT).await?;
    market.wait_for_gateway(&stage.key, campaign).await?;
    println!(
        "  Juniper Health has ${FUNDS} and a card. Below ${THRESHOLD}, ${AMOUNT} are charged. {LEADS} leads of ${PRICE} come at once.\n"
    );
    let outcomes = post::post_all(stage, &posts(campaign), "posting  ").await;

    let purchases = |lines: &[Transaction]| lines.iter().filter(|line| line.r#type == "LEAD_PURCHASE").count();
    let mut lines = Vec::new();
    let filled = wait::try_for("every lead is paid, and the wallet is filled again", PATIENCE, async || {
        lines = market.statement(buyer).await.ok()?;
        let balance = lines.last().map_or(Decimal::ZERO, |line| decimal(line.balance_after.as_ref()));
        (purchases(&lines) == LEADS && balance >= decimal_of(THRESHOLD)).then_some(())
    })
    .await;
    println!("{}", statement(&lines));
    let answers = verify::claims(&outcomes);
    let leads: Vec<LeadId> = answers.iter().map(|answer| answer.lead_id).collect();
    let settled = books::wait_until_settled(books, &leads, PATIENCE).await;
    let problems = filled.err().map(|error| error.to_string()).into_iter();
    let problems = problems.chain(settled.err().map(|error| error.to_string())).collect();
    Ok(Some(Played { answers, problems }))
}

fn posts(campaign: CampaignId) -> Vec<Post> {
    let mut rng = StdRng::seed_from_u64(SEED);
    (FIRST_PERSON..FIRST_PERSON + LEADS)
        .map(|number| {
            let body = json!({ "campaignId": campaign, "data": person(&mut rng, number).data });
            Post {
                body: Bytes::from(body.to_string()),
                idempotency_key: Some(EventId::new().to_string()),
                respond_async: false,
                wrong_key: false,
                expect: Expect::Accepted,
            }
        })
        .collect()
}

fn statement(lines: &[Transaction]) -> String {
    let mut table = Table::new(&[
        ("Movement", Align::Left),
        ("", Align::Left),
        ("Amount", Align::Right),
        ("Balance", Align::Right),
    ]);
    for line in lines {
        table.row([
            line.r#type.replace('_', " ").to_lowercase(),
            line.payment_intent_id.clone(),
            dollars(decimal(line.amount.as_ref())),
            dollars(decimal(line.balance_after.as_ref())),
        ]);
    }
    table.to_string()
}

fn decimal(money: Option<&leadflow_contracts::common::Money>) -> Decimal {
    money.map_or(Decimal::ZERO, |money| decimal_of(&money.amount))
}

fn decimal_of(text: &str) -> Decimal {
    text.parse().unwrap_or_default()
}
