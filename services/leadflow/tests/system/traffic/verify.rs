//! What must be true when all is over.

use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

use leadflow_kernel::BuyerId;
use leadflow_messaging::{Bus, BusSettings, dlq};
use leadflow_testkit::{
    books::{self, Answer},
    wait,
};
use serde_json::json;

use super::Traffic;
use crate::{
    client::told,
    world::{PATIENCE, World, lead},
};

/// Everything pending must come to rest within this.
const SETTLE_WITHIN: Duration = Duration::from_secs(120);

impl Traffic {
    /// Ends it, waits until everything that it began is done, and looks at every effect.
    ///
    /// # Panics
    /// When anybody was failed, and when an effect is missing or was had twice.
    pub async fn finish(mut self, world: &World) {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.working.join_next().await {
            ended.unwrap();
        }
        self.nobody_was_failed("at the end");
        // Money that arrives sells leads that wait, which makes the wallet low again: that ends here.
        for buyer in &self.recharged {
            self.shared.cards.recharge(buyer, &json!({ "autoRechargeEnabled": false })).await;
        }
        let posted = std::mem::take(&mut *self.shared.answers.lock().unwrap());
        let answers: Vec<Answer> = posted.iter().map(|(id, (_, body))| told(id, body)).collect();
        let leads: Vec<_> = answers.iter().map(|answer| answer.lead_id).collect();
        books::wait_until_settled(&world.books, &leads, SETTLE_WITHIN).await.unwrap();
        let numbers = posted.into_iter().map(|(id, (n, _))| (id, n)).collect();
        let sold = self.every_sale_arrived(world, &numbers).await;

        let record = world.stripe_record().await;
        let paid = record.charges.iter().filter(|charge| charge.paid()).count();
        let expectations = books::Expectations { answers, stripe: Some(record), ..books::Expectations::settled() };
        let report = books::check(&world.books, &expectations).await.unwrap();
        assert!(report.is_clean(), "{report}");
        self.money_came_once(world, paid).await;
        self.turns_are_even(world).await;
        self.names_are_the_last(world).await;
        let settings = BusSettings { url: world.cluster.nats.url(), source: "test".into(), connect_within: PATIENCE };
        let letters = dlq::list(&Bus::connect(&settings).await.unwrap(), 1, 10).await.unwrap();
        assert!(letters.is_empty(), "put aside: {letters:#?}");
        println!(
            "{} leads, {sold} sales, {} answers to front ends, {paid} charges",
            leads.len(),
            self.shared.answered.load(Ordering::Relaxed)
        );
    }

    /// Each sale has one webhook, which arrived with what was posted. Gives how many.
    async fn every_sale_arrived(&self, world: &World, numbers: &HashMap<String, usize>) -> i64 {
        let pending = "SELECT count(*) FROM notifier.deliveries WHERE status <> 'DELIVERED'";
        wait::until("every webhook arrived", SETTLE_WITHIN, async || count(world, pending).await == 0).await;
        let bodies = self.receiver.bodies();
        let mut arrived: HashMap<&str, usize> = HashMap::new();
        for body in bodies.values().filter(|body| body["event"] == "lead.assigned") {
            let data = &body["data"];
            let n = *numbers.get(data["leadId"].as_str().unwrap()).expect("a lead that was answered");
            let (campaign, id) = (data["campaignId"].as_str().unwrap(), data["assignmentId"].as_str().unwrap());
            for (name, wanted) in lead(campaign.parse().unwrap(), n)["data"].as_object().unwrap() {
                assert_eq!(&data[name], wanted, "lead {n}: {name}");
            }
            *arrived.entry(id).or_default() += 1;
        }
        assert!(arrived.values().all(|times| *times == 1), "one webhook for each sale");
        let sold = count(world, "SELECT count(*) FROM distribution.assignments").await;
        assert_eq!(i64::try_from(arrived.len()).unwrap(), sold, "sales that arrived");
        sold
    }

    /// Each key of a top-up is one payment, and each payment one charge.
    async fn money_came_once(&self, world: &World, paid: usize) {
        let filled = i64::try_from(self.shared.filled.load(Ordering::Relaxed)).unwrap();
        let top_ups = "SELECT count(*) FROM billing.payments WHERE kind = 'top_up' AND state = 'succeeded'";
        assert_eq!(count(world, top_ups).await, filled, "top-ups that were answered");
        let recharges = "SELECT count(*) FROM billing.payments WHERE kind = 'recharge' AND state = 'succeeded'";
        let recharges = count(world, recharges).await;
        assert!(filled > 0 && recharges > 0, "{filled} top-ups, {recharges} recharges");
        assert_eq!(i64::try_from(paid).unwrap(), filled + recharges, "charges at Stripe");
    }

    async fn turns_are_even(&self, world: &World) {
        let mut sold: HashMap<BuyerId, i64> = self.even.iter().map(|buyer| (buyer.id.parse().unwrap(), 0)).collect();
        sold.extend(world.sold(self.shared.fair.campaign).await);
        let (least, most) = (sold.values().min().unwrap(), sold.values().max().unwrap());
        assert!(most - least <= 1 && *most > 0, "turns: {sold:?}");
    }

    async fn names_are_the_last(&self, world: &World) {
        let names = std::mem::take(&mut *self.shared.names.lock().unwrap());
        assert!(!names.is_empty());
        for (buyer, name) in names {
            let buyer: BuyerId = buyer.parse().unwrap();
            wait::until(format!("distribution knows that {buyer} is {name}"), PATIENCE, async || {
                let known: Option<String> =
                    sqlx::query_scalar("SELECT company_name FROM distribution.buyers WHERE buyer_id = $1")
                        .bind(buyer.uuid())
                        .fetch_optional(&world.books)
                        .await
                        .unwrap();
                known.as_ref() == Some(&name)
            })
            .await;
        }
    }
}

async fn count(world: &World, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&world.books).await.unwrap()
}
