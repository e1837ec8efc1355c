//! Alerts about roles and servers that are away.

use std::time::Instant;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};
use leadflow_contracts::{billing, events::LeadReceived};
use leadflow_kernel::{AssignmentId, Clock as _, EventId, LeadId, SystemClock};
use leadflow_messaging::Envelope;
use leadflow_testkit::wait;

use super::{Scene, load};
use crate::world::{PATIENCE, usd};

/// More than the rule of ConsumerLags bears.
const BACKLOG: usize = 10_050;
/// At once.
const PUBLISHING: usize = 256;
/// Bytes of a large lead.
const LARGE: usize = 200 << 10;

impl Scene {
    /// Every replica of accounts is gone: nobody's session can be looked up. And every one of distribution: leads pile up until there is no room, a hold that nobody needs cannot be asked about;
    /// when it is back, all that waited is decided, late.
    pub async fn those_who_decide_go(&mut self) {
        let accounts = Instant::now();
        self.kill("accounts");
        let began = Instant::now();
        self.kill("distribution");
        let this = &*self;
        let gone = [("role", "distribution")];
        tokio::join!(
            this.watch.fires("RoleNotReady", &gone, began),
            this.watch.fires("RoleNotReady", &[("role", "accounts")], accounts),
            this.watch.fires("ApiRequestsFail", &[], accounts),
            this.a_hold_stays(),
            this.the_stream_fills_up(began),
        );
        for role in ["accounts", "distribution"] {
            let index = self.world.cluster.indices(role)[0];
            self.start(index).await;
        }
        self.watch.fires("DecisionsSlow", &[], began).await;
        let this = &*self;
        for alert in [
            "RoleNotReady",
            "ApiRequestsFail",
            "HoldsStay",
            "ConsumerLags",
            "StreamFillsUp",
            "SupplierRequestsFail",
            "DecisionsSlow",
        ] {
            this.watch.ends(alert, &[]).await;
        }
    }

    async fn a_hold_stays(&self) {
        let began = Instant::now();
        let id = AssignmentId::new();
        let hold = billing::HoldRequest {
            hold_id: id.to_string(),
            buyer_id: self.steady.to_string(),
            lead_id: LeadId::new().to_string(),
            campaign_id: self.campaign.to_string(),
            amount: usd("25.00"),
        };
        let request = self.world.request(billing::PlaceHoldsRequest { holds: vec![hold] });
        self.world.billing().place_holds(request).await.unwrap();
        self.sql("UPDATE billing.holds SET placed_at = placed_at - interval '1 hour' WHERE state = 'held'").await;
        self.watch.fires("HoldsStay", &[], began).await;
    }

    async fn the_stream_fills_up(&self, began: Instant) {
        let backlog = stream::iter(0..BACKLOG)
            .map(|_| self.test_lead(16, SystemClock.now()))
            .map(async |lead| self.bus.publish(&[lead]).await);
        let refused =
            backlog.buffer_unordered(PUBLISHING).filter(|done| std::future::ready(done.is_err())).count().await;
        assert_eq!(refused, 0, "there is room for {BACKLOG} leads");
        let lagging = [("stream", "LEADS"), ("consumer", leadflow_contracts::streams::LEADS_DISTRIBUTION)];
        self.watch.fires("ConsumerLags", &lagging, began).await;
        // As long as any fits.
        for size in [LARGE, LARGE / 20, LARGE / 400] {
            while self.bus.publish(&[self.test_lead(size, SystemClock.now())]).await.is_ok() {}
        }
        tokio::join!(
            self.watch.fires("StreamFillsUp", &[("stream", "LEADS")], began),
            self.watch.fires("SupplierRequestsFail", &[], began)
        );
    }

    /// A lead that is decided and not sold, with a text of so many characters, received then.
    pub fn test_lead(&self, size: usize, received_at: DateTime<Utc>) -> Envelope {
        let event = LeadReceived {
            lead_id: LeadId::new().to_string(),
            seller_id: self.world.seller.to_string(),
            supplier_id: self.world.supplier.to_string(),
            campaign_id: self.campaign.to_string(),
            category_id: self.world.category.to_string(),
            state: "CA".into(),
            data_json: format!("{{\"email\":\"{}@example.com\",\"lastName\":\"{}\"}}", load::next(), "x".repeat(size))
                .into(),
            test: true,
            received_at_ms: received_at.timestamp_millis(),
            body_hash: vec![7; 32].into(),
            ..Default::default()
        };
        Envelope::new(EventId::new(), &event, SystemClock.now())
    }

    /// nats-server is gone: every role that needs it says so, and events stay in the outbox. When it is back they are published.
    pub async fn nats_goes(&mut self) {
        let began = Instant::now();
        self.world.cluster.nats.kill9();
        let this = &*self;
        let credit = async {
            this.world.credit(this.steady, "10.00", "while NATS is away").await;
            // An hour passes: an event's age is in its id.
            this.meanwhile(
                "UPDATE billing.outbox SET id = (lpad(to_hex(((extract(epoch FROM now()) - 3600) * 1000)::bigint), 12, '0') \
                   || substr(replace(id::text, '-', ''), 13))::uuid \
                 WHERE id = (SELECT id FROM billing.outbox ORDER BY id LIMIT 1) \
                   AND ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint > (extract(epoch FROM now()) - 1800) * 1000",
                this.watch.fires("OutboxStuck", &[("schema", "billing")], began),
            )
            .await;
        };
        tokio::join!(credit, this.watch.fires("RoleNotReady", &[("role", "ingest")], began));
        self.world.cluster.nats.restart().await.unwrap();
        for index in 0..self.world.cluster.replicas.len() {
            self.world.cluster.ready(index).await.unwrap();
        }
        for alert in ["RoleNotReady", "OutboxStuck"] {
            self.watch.ends(alert, &[]).await;
        }
        let published = async || self.count("SELECT count(*) FROM billing.outbox").await == 0;
        wait::until("what waited is published", PATIENCE, published).await;
    }

    fn kill(&mut self, role: &str) {
        for index in self.world.cluster.indices(role) {
            self.world.cluster.replicas[index].kill9();
        }
    }
}
