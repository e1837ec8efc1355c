//! Reserving the price of assignments, a whole batch in one transaction.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_billing_domain::{Books, HoldOutcome, HoldRequest, Period};
use leadflow_kernel::{BuyerId, SellerId};
use leadflow_messaging::outbox;

use super::{AppError, Billing};
use crate::store::{
    holds, place,
    recharges::{self, Want},
    wallets,
};

/// A lead that waits is asked about every quarter of an hour; that it still waits is written down at most so often.
const WANT_IS_STALE: TimeDelta = TimeDelta::minutes(10);

impl Billing {
    /// Reserves what can be paid, in the order asked, and answers each request in that order.
    /// Idempotent by the hold's id.
    ///
    /// # Errors
    /// [`AppError::Database`]: then nothing is reserved, or (when the commit's answer was lost) all of it;
    /// asking again is safe.
    pub async fn place_holds(&self, tenant: SellerId, asked: &[HoldRequest]) -> Result<Vec<HoldOutcome>, AppError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        // Nearly always every id is new and the wallets are as this process left them: then one statement
        // does it. One hold that exists shows when the new ones are inserted.
        match self.place_on_known(tenant, asked).await {
            Ok(Some(outcomes)) => return Ok(outcomes),
            Ok(None) => {}
            Err(error) if is_taken(&error) => {}
            Err(error) => return Err(error.into()),
        }
        self.place(tenant, asked).await
    }

    /// `None`: not with what is known; nothing was written.
    async fn place_on_known(
        &self,
        tenant: SellerId,
        asked: &[HoldRequest],
    ) -> Result<Option<Vec<HoldOutcome>>, sqlx::Error> {
        let Some(assumed) = self.known.guess(tenant, asked.iter().map(|request| request.buyer)) else {
            return Ok(None);
        };
        let mut books = Books::new(assumed.iter().copied(), []);
        let now = self.clock.now();
        let outcomes: Vec<_> = asked.iter().map(|request| books.place(request, now)).collect();
        if outcomes.iter().any(|outcome| *outcome != HoldOutcome::Held) {
            // A refusal must be founded on what is, not on what was.
            return Ok(None);
        }
        let changes = books.into_changes();
        let (told, pending) = outbox::Rows::of(self.events_of(&changes));
        let right = place::if_unchanged(&self.pool, tenant, &assumed, &changes, &told).await?;
        self.known.judged(right);
        if !right {
            return Ok(None);
        }
        self.known.learn(&changes.wallets);
        self.relay.send(pending);
        Ok(Some(outcomes))
    }

    async fn place(&self, tenant: SellerId, asked: &[HoldRequest]) -> Result<Vec<HoldOutcome>, AppError> {
        let mut transaction = self.begin().await?;
        let wallets = wallets::lock(&mut transaction, Some(tenant), asked.iter().map(|request| request.buyer)).await?;
        self.known.learn(&wallets);
        // After the locks, so that it sees what this transaction waited for.
        let holds = holds::load(&mut transaction, asked.iter().map(|request| request.id)).await?;
        let mut books = Books::new(wallets, holds);
        let now = self.clock.now();
        let outcomes: Vec<HoldOutcome> = asked.iter().map(|request| books.place(request, now)).collect();
        let wants = wants(&books, asked, &outcomes, now);
        if !wants.is_empty() {
            recharges::want(&mut transaction, tenant, &wants, now, now - WANT_IS_STALE).await?;
        }
        self.commit(transaction, &books.into_changes(), Vec::new()).await?;
        Ok(outcomes)
    }
}

/// What was refused for nothing but lack of money: the dearest of each wallet, in the order of their ids.
fn wants(books: &Books, asked: &[HoldRequest], outcomes: &[HoldOutcome], now: DateTime<Utc>) -> Vec<Want> {
    let mut wants: BTreeMap<BuyerId, Want> = BTreeMap::new();
    for (request, outcome) in asked.iter().zip(outcomes) {
        let Some(wallet) = books.wallet(request.seller, request.buyer) else { continue };
        let (price, period) = (request.price.amount(), Period::at(now, wallet.terms.time_zone));
        if *outcome == HoldOutcome::InsufficientFunds && wallet.lacks_only_money(price, period) {
            let want = Want { buyer: request.buyer, price, available: wallet.available() };
            wants.entry(request.buyer).and_modify(|known| known.price = known.price.max(price)).or_insert(want);
        }
    }
    wants.into_values().collect()
}

fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
