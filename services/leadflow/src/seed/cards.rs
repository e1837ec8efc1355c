//! Cards, and wallets that fill themselves.

use anyhow::Context as _;
use leadflow_contracts::billing::{AttachCardRequest, ConfigureRechargeRequest, ListTransactionsRequest, Transaction};
use leadflow_kernel::BuyerId;
use leadflow_platform::grpc::stable_code;

use super::market::{Market, usd};

/// The longest statement that is read.
const LINES: u32 = 200;

impl Market {
    /// Stores one of Stripe's test cards for a buyer. False where no payment provider is configured, or one that takes no test cards.
    pub async fn store_test_card(&self, buyer: BuyerId, payment_method: &str) -> anyhow::Result<bool> {
        let request = AttachCardRequest {
            buyer_id: buyer.to_string(),
            payment_method_id: payment_method.to_owned(),
            set_as_primary: true,
            ..Default::default()
        };
        match self.payments.clone().attach_card(self.request(request)).await {
            Ok(_) => Ok(true),
            Err(status) if matches!(stable_code(&status), "payments_not_configured" | "card_not_found") => Ok(false),
            Err(status) => Err(status).context("store a card"),
        }
    }

    /// Below `threshold` dollars the wallet is filled with `amount` from the card.
    pub async fn recharge(&self, buyer: BuyerId, threshold: &str, amount: &str) -> anyhow::Result<()> {
        let request = ConfigureRechargeRequest {
            buyer_id: buyer.to_string(),
            enabled: Some(true),
            threshold: Some(usd(threshold)),
            amount: Some(usd(amount)),
            ..Default::default()
        };
        self.repeat("turn automatic recharging on", async || {
            self.payments.clone().configure_recharge(self.request(request.clone())).await
        })
        .await
        .map(|_| ())
    }

    /// The movements of a wallet, the oldest first.
    pub async fn statement(&self, buyer: BuyerId) -> anyhow::Result<Vec<Transaction>> {
        let request = ListTransactionsRequest { buyer_id: buyer.to_string(), limit: LINES, before: String::new() };
        let listed = self
            .repeat("read a statement", async || {
                self.billing.clone().list_transactions(self.request(request.clone())).await
            })
            .await?;
        Ok(listed.transactions.into_iter().rev().collect())
    }
}
