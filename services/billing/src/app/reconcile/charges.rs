//! What cards paid.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::{Comparison, Difference, DifferenceKind, Reconciler};
use crate::{
    app::{AppError, payments::Heard},
    outbound::provider::{IntentStatus, Movement, MovementKind},
    store::reconcile::{self, OurCharge},
};

/// Payments that are read at once.
const PAGE: i64 = 500;

impl Reconciler {
    /// Looks for ours of each of theirs.
    pub(super) async fn their_charges(&self, moved: &[Movement], found: &mut Comparison) -> Result<(), AppError> {
        let charges: Vec<&Movement> = moved.iter().filter(|moved| moved.kind == MovementKind::Charge).collect();
        let payments: Vec<_> = charges.iter().filter_map(|charge| charge.payment).collect();
        let intents: Vec<String> = charges.iter().filter_map(|charge| charge.intent.clone()).collect();
        let ours = {
            let mut connection = self.billing.pool.acquire().await?;
            reconcile::charges(&mut connection, &payments, &intents).await?
        };
        let by_intent: HashMap<&str, &OurCharge> =
            ours.iter().filter_map(|ours| Some((ours.intent.as_deref()?, ours))).collect();
        let by_payment: HashMap<_, &OurCharge> = ours.iter().map(|ours| (ours.payment, ours)).collect();
        for charge in charges {
            found.theirs += 1;
            let by_intent = charge.intent.as_deref().and_then(|intent| by_intent.get(intent).copied());
            // A payment that is known by another intent was not charged by this one: then a card has paid twice.
            let by_payment = charge.payment.and_then(|payment| by_payment.get(&payment).copied());
            let ours = by_intent.or_else(|| by_payment.filter(|ours| ours.intent.is_none()));
            match ours {
                Some(ours) if found.seen.insert(ours.payment) => self.compare_charge(ours, charge, found).await?,
                _ => found.add(Difference::theirs(DifferenceKind::UnknownCharge, charge)),
            }
        }
        Ok(())
    }

    async fn compare_charge(
        &self,
        ours: &OurCharge,
        charge: &Movement,
        found: &mut Comparison,
    ) -> Result<(), AppError> {
        if ours.credited {
            if ours.amount != charge.amount {
                let difference =
                    Difference::ours(DifferenceKind::AmountDiffers, ours, ours.amount, Some(charge.amount));
                found.add(Difference { provider_id: charge.source.clone(), ..difference });
            }
            return Ok(());
        }
        let mut difference = Difference::theirs(DifferenceKind::UncreditedCharge, charge);
        difference.payment = Some(ours.payment);
        if let Some(intent) = charge.intent.as_deref()
            && let Some(intent) = self.intent(intent).await?
        {
            difference.settled = self.news.charge(&intent).await? == Heard::Booked;
        }
        found.add(difference);
        Ok(())
    }

    /// Looks for theirs of each of ours that their books of this time have not shown.
    pub(super) async fn our_charges(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        found: &mut Comparison,
    ) -> Result<(), AppError> {
        let mut last: Option<OurCharge> = None;
        loop {
            let page = {
                let mut connection = self.billing.pool.acquire().await?;
                reconcile::credited(&mut connection, from, to, last.as_ref(), PAGE).await?
            };
            for ours in &page {
                found.ours += 1;
                if !found.seen.contains(&ours.payment) {
                    self.look_for(ours, found).await?;
                }
            }
            if i64::try_from(page.len()).is_ok_and(|read| read < PAGE) {
                return Ok(());
            }
            last = page.into_iter().next_back();
        }
    }

    async fn look_for(&self, ours: &OurCharge, found: &mut Comparison) -> Result<(), AppError> {
        let theirs = match ours.intent.as_deref() {
            Some(intent) => self.intent(intent).await?.filter(|intent| intent.status == IntentStatus::Succeeded),
            None => None,
        };
        match theirs {
            Some(theirs) if theirs.amount == ours.amount => {}
            Some(theirs) => {
                found.add(Difference::ours(DifferenceKind::AmountDiffers, ours, ours.amount, Some(theirs.amount)))
            }
            None => found.add(Difference::ours(DifferenceKind::MissingCharge, ours, ours.amount, None)),
        }
        Ok(())
    }
}
