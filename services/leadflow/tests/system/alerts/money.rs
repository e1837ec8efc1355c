//! Alerts about cards and the payment provider.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use futures::future::join_all;
use http::Method;
use leadflow_testkit::wait;
use serde_json::{Value, json};

use super::Scene;
use crate::{operator, world::PATIENCE};

/// Buyers whose cards decline: the rule bears five an hour.
const POOR: usize = 8;

impl Scene {
    /// A key at fraud protection's mercy, or many poor buyers: more recharges are declined than paid.
    pub async fn recharges_are_declined(&self) {
        let began = Instant::now();
        let low = json!({ "autoRechargeEnabled": true, "autoRechargeThreshold": 20, "autoRechargeAmount": 100 });
        join_all((0..POOR).map(async |n| {
            let buyer = self.shop.buyer(&format!("poor{n}"), "pm_card_chargeCustomerFail").await;
            self.shop.recharge(&buyer, &low).await;
        }))
        .await;
        self.watch.fires("RechargesFail", &[], began).await;
    }

    /// The provider answers 500 to everything about charges: calls fail, what became of charges is not known, and an event that asks for its
    /// charge fails on every try. When it is well again, all of that ends; the event, after somebody has it tried again.
    pub async fn the_provider_fails(&self) {
        let buyer = self.shop.buyer("unlucky", "pm_card_visa").await;
        let told = |method: Option<&str>| {
            let mut rule = json!({ "fault": "status", "status": 500, "path": "payment_intents", "next": 1_000_000 });
            if let Some(method) = method {
                rule["method"] = method.into();
            }
            json!({ "rules": [rule] })
        };
        let began = Instant::now();
        self.stripe(&told(Some("GET"))).await;
        // Paid; the event of it cannot be worked off.
        self.shop.top_up(&buyer, "unlucky-paid", 50).await;
        self.an_event_is_given_up().await;
        self.watch.fires("ProviderEventsGivenUp", &[], began).await;

        let began = Instant::now();
        self.stripe(&told(None)).await;
        let enough = AtomicBool::new(false);
        let buying = async {
            let mut n = 0;
            while !enough.load(Ordering::Relaxed) {
                let body = json!({ "amount": 20 });
                let key = format!("unlucky-{n}");
                let _ = self.shop.send(Method::POST, "/api/payments/wallet", &buyer.token, &key, Some(&body)).await;
                // Three hours pass.
                self.sql(
                    "UPDATE billing.payments SET created_at = created_at - interval '3 hours' \
                          WHERE attempt_at IS NOT NULL AND created_at > now() - interval '2 hours'",
                )
                .await;
                n += 1;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        let watching = async {
            tokio::join!(
                self.watch.fires("PaymentProviderFails", &[], began),
                self.watch.fires("PaymentsUnsettled", &[], began)
            );
            enough.store(true, Ordering::Relaxed);
        };
        tokio::join!(buying, watching);

        self.stripe(&json!({})).await;
        let (retried, text) = operator::run(&self.world, &["provider-events", "retry", "--all"]).await;
        assert!(retried, "{text}");
        // It is asked with growing pauses; they are over.
        self.sql("UPDATE billing.payments SET attempt_at = now() WHERE attempt_at IS NOT NULL").await;
        tokio::join!(
            self.watch.ends("ProviderEventsGivenUp", &[]),
            self.watch.ends("PaymentsUnsettled", &[]),
            self.watch.ends("PaymentProviderFails", &[])
        );
    }

    /// Nineteen tries have failed, and half a day has passed: the next one is the last.
    async fn an_event_is_given_up(&self) {
        wait::until("an event is given up", PATIENCE, async || {
            self.sql(
                "UPDATE billing.provider_events SET attempts = 19, next_at = now() \
                      WHERE state = 'waiting' AND attempts BETWEEN 1 AND 18",
            )
            .await;
            self.count("SELECT count(*) FROM billing.provider_events WHERE state = 'given_up'").await > 0
        })
        .await;
    }

    /// Somebody has corrected a row by hand: yesterday's top-up names a charge that the provider does not know. Billing compares once a
    /// day; it starts anew, and today's comparison was not made yet.
    pub async fn the_books_differ(&mut self) {
        let began = Instant::now();
        let changed = self
            .sql(
                "UPDATE billing.payments SET intent_id = 'wrong_' || intent_id, settled_at = settled_at - interval '1 day' \
                 WHERE kind = 'top_up' AND state = 'succeeded'",
            )
            .await;
        assert_eq!(changed, 1);
        self.compare_anew().await;
        self.watch.fires("BooksDiffer", &[], began).await;
        let (agreed, text) = operator::run(&self.world, &["reconcile"]).await;
        assert!(!agreed && text.contains("missing_charge"), "{text}");
    }

    /// It is put right, and compared again.
    pub async fn the_books_agree(&mut self) {
        self.sql(
            "UPDATE billing.payments SET intent_id = replace(intent_id, 'wrong_', '') WHERE intent_id LIKE 'wrong_%'",
        )
        .await;
        self.compare_anew().await;
        self.watch.ends("BooksDiffer", &[]).await;
    }

    async fn compare_anew(&mut self) {
        let index = self.world.cluster.indices("billing")[0];
        self.world.cluster.replicas[index].kill9();
        self.sql("DELETE FROM billing.reconciliations").await;
        self.start(index).await;
    }

    async fn stripe(&self, behaviour: &Value) {
        self.shop.sandbox(Method::PUT, "/api/stripe/behaviour", Some(behaviour)).await;
    }
}
