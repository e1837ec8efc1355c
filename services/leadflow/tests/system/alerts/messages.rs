//! Alerts about webhooks, mails, text messages, and consumers that stand.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Method;
use leadflow_contracts::{Event as _, common::Logic, events::LeadReceived};
use leadflow_kernel::{CampaignId, EventId};
use leadflow_messaging::Envelope;
use leadflow_testkit::wait;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::{Scene, load};
use crate::{
    operator,
    world::{PATIENCE, Terms, lead},
};

/// More leads than wait in memory for a receiver that has not answered yet.
const MORE_THAN_FIT: usize = 60;

/// Whose transaction is old: the runbook's words.
const OLD_TRANSACTIONS: &str = "SELECT pid, now() - xact_start AS since, state, query FROM pg_stat_activity WHERE now() - xact_start > interval '30 seconds'";

impl Scene {
    /// A campaign with one buyer, whose receiver has this name.
    pub async fn sold_to(&self, name: &str) -> CampaignId {
        let campaign = self.world.campaign(Logic::RoundRobin, "25.00", 0).await;
        let buyer = self.world.buyer(name, 5, "100000.00").await;
        self.world.subscribe(campaign, buyer, Terms::default()).await;
        campaign
    }

    /// Somebody publishes what is no lead. It is looked at, and dropped by number.
    pub async fn junk_is_put_aside(&self) {
        let began = Instant::now();
        let junk = Envelope {
            id: EventId::new(),
            subject: LeadReceived::default().subject(),
            kind: LeadReceived::TYPE.to_owned(),
            time: chrono::DateTime::UNIX_EPOCH,
            traceparent: None,
            payload: Bytes::from_static(b"\xff\xff\xff this is no lead"),
        };
        self.bus.publish(&[junk]).await.unwrap();
        self.watch.fires("DeadLetters", &[], began).await;
        let (dropped, text) = operator::run(&self.world, &["dlq", "drop", "1"]).await;
        assert!(dropped, "{text}");
        self.watch.ends("DeadLetters", &[]).await;
    }

    /// A buyer has taken his receiver down for good: it answers 410.
    pub async fn a_receiver_is_gone(&self, campaign: CampaignId) {
        load::behave(&self.shop, "gone", &json!({ "mode": "fail", "status": 410 })).await;
        let began = Instant::now();
        self.world.post(&lead(campaign, load::next()), &[]).await.unwrap();
        self.watch.fires("EndpointsDisabled", &[], began).await;
    }

    /// Two receivers hang, and notifier may make only one request at once (and one that is slow): a third one's webhooks wait.
    pub async fn receivers_hang(&self, hanging: [CampaignId; 2], patient: CampaignId) {
        for name in ["hangs0", "hangs1"] {
            load::behave(&self.shop, name, &json!({ "mode": "hang" })).await;
        }
        // Who is gone could not say so while others hang.
        wait::until("one receiver is switched off", PATIENCE, async || {
            self.count("SELECT count(*) FROM notifier.endpoints WHERE NOT enabled").await == 1
        })
        .await;
        let began = Instant::now();
        for (name, campaign) in ["hangs0", "hangs1"].into_iter().zip(hanging) {
            load::burst(&self.world, campaign, 2).await;
            wait::until(format!("{name} hangs"), PATIENCE, async || {
                let seen = self.shop.sandbox(Method::GET, &format!("/api/hooks?name={name}"), None).await;
                seen["received"].as_array().is_some_and(|received| !received.is_empty())
            })
            .await;
        }
        load::burst(&self.world, patient, MORE_THAN_FIT).await;
        // Ten minutes pass for what nobody has taken.
        self.meanwhile(
            "UPDATE notifier.deliveries d SET due_at = due_at - interval '10 minutes' FROM notifier.endpoints e \
             WHERE d.status = 'PENDING' AND d.lease IS NULL AND d.due_at > now() - interval '5 minutes' \
               AND e.endpoint_id = d.endpoint_id AND e.failing_since IS NULL",
            self.watch.fires("WebhooksOverdue", &[], began),
        )
        .await;
        for name in ["hangs0", "hangs1"] {
            load::behave(&self.shop, name, &load::well()).await;
        }
        self.watch.ends("WebhooksOverdue", &[]).await;
    }

    /// A buyer wants text messages, and there is nobody who sends them.
    pub async fn nobody_sends_texts(&self) {
        let began = Instant::now();
        let wish = |wanted: bool| json!({ "phoneNumber": "+12125550177", "smsOnLead": wanted });
        self.wish(&wish(true)).await;
        // An hour passes.
        self.meanwhile(
            "UPDATE notifier.messages SET due_at = due_at - interval '1 hour' \
             WHERE channel = 'SMS' AND status = 'WAITING' AND due_at > now() - interval '30 minutes'",
            self.watch.fires("MessagesOverdue", &[("channel", "SMS")], began),
        )
        .await;
        self.wish(&wish(false)).await;
        // Days pass: nobody needs to know any more.
        self.meanwhile(
            "UPDATE notifier.messages SET expires_at = now() WHERE channel = 'SMS' AND status = 'WAITING' AND expires_at > now()",
            self.watch.ends("MessagesOverdue", &[]),
        )
        .await;
    }

    async fn wish(&self, change: &Value) {
        let path = "/api/notifications/preferences";
        self.shop.until_done(Method::PUT, path, &self.mailed.token, "", Some(change)).await;
    }

    /// The mail server says "not now" to every recipient.
    pub async fn mails_are_not_taken(&self) {
        let began = Instant::now();
        let says = async |next: u32| {
            let behaviour = json!({ "status": 451, "next": next });
            self.shop.sandbox(Method::PUT, "/api/mails/behaviour", Some(&behaviour)).await;
        };
        says(1_000_000).await;
        self.watch.fires("MessagesFail", &[("channel", "EMAIL")], began).await;
        says(0).await;
        self.watch.ends("MessagesFail", &[]).await;
    }

    /// Somebody builds an index on the ledger without CONCURRENTLY: sales go on, and none of them is paid. The runbook's question
    /// finds him.
    pub async fn the_ledger_is_locked(&self) {
        let mut somebody = PgConnection::connect(&self.world.cluster.postgres.url()).await.unwrap();
        let began = Instant::now();
        somebody.execute("BEGIN; LOCK TABLE billing.postings IN SHARE MODE").await.unwrap();
        let consumer = [("stream", "LEADS"), ("consumer", leadflow_contracts::streams::LEADS_BILLING)];
        self.watch.fires("ConsumerStands", &consumer, began).await;
        let question = AssertSqlSafe(format!("SELECT pid, query FROM ({OLD_TRANSACTIONS}) AS old"));
        let found: Vec<(i32, String)> = sqlx::query_as(question).fetch_all(&self.world.books).await.unwrap();
        let locker = found.iter().find(|(_, query)| query.contains("LOCK TABLE"));
        let (pid, ..) = locker.unwrap_or_else(|| panic!("the runbook's question does not find him: {found:?}"));
        let ended: bool =
            sqlx::query_scalar("SELECT pg_terminate_backend($1)").bind(pid).fetch_one(&self.world.books).await.unwrap();
        assert!(ended);
        self.watch.fires("DebitsSlow", &[], began).await;
        tokio::join!(self.watch.ends("ConsumerStands", &[]), self.watch.ends("DebitsSlow", &[]));
    }

    /// Carries `sql` out again and again until `done`.
    pub async fn meanwhile(&self, sql: &'static str, done: impl Future<Output = ()>) {
        let enough = AtomicBool::new(false);
        let changing = async {
            while !enough.load(Ordering::Relaxed) {
                self.sql(sql).await;
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        let waiting = async {
            done.await;
            enough.store(true, Ordering::Relaxed);
        };
        tokio::join!(changing, waiting);
    }
}

#[test]
fn the_runbook_has_the_question_that_is_tried_here() {
    let runbook = std::fs::read_to_string(super::rules::root().join("docs/runbook.md")).unwrap();
    assert!(runbook.contains(OLD_TRANSACTIONS), "{OLD_TRANSACTIONS}");
}
