//! Card payments on real PostgreSQL, with a provider in memory.

mod calls;
mod disputes;
mod histories;
mod provider;
mod recharges;
mod refunds;
mod top_ups;

use std::sync::Arc;

use chrono::TimeDelta;
use leadflow_billing::app::{
    AppError, Billing,
    payments::{CardAttempts, NewTopUp, PaymentView, Payments, Policy, RechargeChange},
};
use leadflow_billing_domain::{Bounds, PaymentState, Price};
use leadflow_kernel::{BuyerId, CardId, EventId, SellerId};

use self::provider::FakeProvider;
use crate::support::*;

/// A world with a provider in it.
pub struct Shop {
    pub world: World,
    pub provider: FakeProvider,
    pub billing: Billing,
    pub payments: Payments,
    pub seller: SellerId,
    pub buyer: BuyerId,
}

impl Shop {
    /// With one buyer, who has a card and so much.
    pub async fn open(balance: &str) -> Self {
        let world = World::new().await;
        let provider = FakeProvider::new();
        let billing = world.replica();
        let (seller, buyer) = world.tenant(&billing, balance).await;
        let payments = charging(&billing, &provider);
        let shop = Self { world, provider, billing, payments, seller, buyer };
        shop.store_card(buyer, "pm_1", true).await;
        shop
    }

    /// Another replica.
    pub fn replica(&self) -> Payments {
        charging(&self.world.replica(), &self.provider)
    }

    pub async fn store_card(&self, buyer: BuyerId, payment_method: &str, primary: bool) -> CardId {
        let card = CardId::new();
        for sql in [
            "INSERT INTO billing.customers (buyer_id, seller_id, email, name, provider_id, created_at) \
             SELECT $1, $2, '', '', 'cus_' || $1, now() WHERE $3 <> $1 AND $4 <> '' AND $5 IS NOT NULL ON CONFLICT DO NOTHING",
            "INSERT INTO billing.cards (card_id, seller_id, buyer_id, payment_method, brand, last4, exp_month, exp_year, is_primary, \
               created_at) VALUES ($3, $2, $1, $4, 'visa', '4242', 12, 2030, $5, now())",
        ] {
            sqlx::query(sql)
                .bind(buyer.uuid())
                .bind(self.seller.uuid())
                .bind(card.uuid())
                .bind(payment_method)
                .bind(primary)
                .execute(self.world.pool())
                .await
                .unwrap();
        }
        card
    }

    pub fn order(&self, request: &str, amount: &str) -> NewTopUp {
        NewTopUp {
            seller: self.seller,
            buyer: self.buyer,
            request: request.to_owned(),
            amount: usd(amount),
            card: String::new(),
        }
    }

    pub async fn top_up(&self, amount: &str) -> PaymentView {
        self.payments.top_up(self.order(&EventId::new().to_string(), amount)).await.unwrap()
    }

    /// Balance, held and available.
    pub async fn amounts(&self) -> (String, String, String) {
        amounts(&self.billing, self.seller, self.buyer).await
    }

    pub async fn available(&self) -> String {
        self.amounts().await.2
    }

    /// Turns recharging on.
    pub async fn recharge(&self, threshold: &str, amount: &str, cover: bool) {
        let change = RechargeChange {
            enabled: Some(true),
            threshold: Some(Price::new(usd(threshold)).unwrap()),
            amount: Some(usd(amount)),
            cover_waiting_lead: Some(cover),
            most_a_day: Some(5),
        };
        self.payments.configure_recharge(None, self.seller, self.buyer, change).await.unwrap();
    }

    /// The books are in order, also those of cards, and what cards paid is what the provider has.
    pub async fn check_books(&self) {
        self.world.check_books().await;
        for (rule, sql) in [
            (
                "a payment that succeeded has one posting of its amount, and the other way round",
                "SELECT count(*) FROM billing.payments p \
                 FULL JOIN (SELECT * FROM billing.postings WHERE kind IN ('top_up', 'recharge')) b ON b.payment_id = p.payment_id \
                 LEFT JOIN billing.entries e ON e.posting_id = b.posting_id AND e.number IS NOT NULL \
                 WHERE (p.state = 'succeeded') IS DISTINCT FROM (b.posting_id IS NOT NULL) \
                   OR (p.state = 'succeeded' AND (e.amount <> p.received OR p.posting_id <> b.posting_id))",
            ),
            (
                "what is owed is the account's",
                "SELECT count(*) FROM billing.wallets w WHERE w.debt <> -coalesce((SELECT sum(e.amount) FROM billing.entries e \
                 JOIN billing.accounts a USING (account_id) WHERE a.kind = 'buyer_debt' AND a.buyer_id = w.buyer_id), 0)",
            ),
            (
                "what went back is what is booked",
                "SELECT count(*) FROM billing.payments p WHERE p.refunded <> \
                 coalesce((SELECT sum(CASE WHEN r.state <> 'failed' THEN r.amount WHEN r.request_id IS NULL THEN -r.amount ELSE 0 END) \
                           FROM billing.refunds r WHERE r.payment_id = p.payment_id), 0)",
            ),
        ] {
            assert_eq!(self.world.count(sql).await, 0, "{rule}");
        }
    }

    /// What card money our ledger says the provider has, in cents.
    pub async fn clearing(&self) -> i64 {
        self.world
            .count(
                "SELECT coalesce(-sum(e.amount) * 100, 0)::bigint FROM billing.entries e \
                 JOIN billing.accounts a USING (account_id) WHERE a.kind = 'card_clearing'",
            )
            .await
    }

    pub fn pass(&self, time: TimeDelta) {
        self.world.clock.advance(time);
    }
}

fn charging(billing: &Billing, provider: &FakeProvider) -> Payments {
    let policy = Policy {
        bounds: Bounds { least: dec("10"), most: dec("1000") },
        suspend_on_dispute: true,
        confirm_within: TimeDelta::minutes(60),
        card_attempts: CardAttempts { tried: 1_000, declined: 1_000 },
    };
    let provider = Arc::new(provider.clone());
    Payments::new(billing.clone(), provider.clone(), provider, policy)
}

fn refused<T>(result: Result<T, AppError>) -> String {
    result.err().expect("a refusal").to_string()
}

fn state(view: &PaymentView) -> PaymentState {
    view.payment.state
}
