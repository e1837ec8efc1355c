//! What cards' owners dispute: each dispute by itself, as the provider's records show it now.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use leadflow_billing_domain::DisputeState;
use leadflow_kernel::Money;

use super::{Comparison, Difference, DifferenceKind, Reconciler, booked};
use crate::{
    app::{AppError, payments::DisputeNews},
    outbound::records::ProviderDispute,
    store::reconcile::{self, OurDispute},
};

impl Reconciler {
    /// Compares every dispute that either side's books show.
    pub(super) async fn disputes(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        found: &mut Comparison,
    ) -> Result<(), AppError> {
        let shown = std::mem::take(&mut found.disputed);
        let mut ours: BTreeMap<String, OurDispute> = {
            let mut connection = self.billing.pool.acquire().await?;
            let names: Vec<String> = shown.iter().cloned().collect();
            let known = reconcile::disputes(&mut connection, from, to, &names).await?;
            known.into_iter().map(|dispute| (dispute.id.clone(), dispute)).collect()
        };
        found.ours += u32::try_from(ours.len()).unwrap_or(u32::MAX);
        for id in shown {
            let known = ours.remove(&id);
            self.compare_dispute(&id, known.as_ref(), to, found).await?;
        }
        for (id, known) in &ours {
            self.compare_dispute(id, Some(known), to, found).await?;
        }
        Ok(())
    }

    async fn compare_dispute(
        &self,
        id: &str,
        ours: Option<&OurDispute>,
        to: DateTime<Utc>,
        found: &mut Comparison,
    ) -> Result<(), AppError> {
        let theirs = self.records.dispute_now(id).await?.and_then(|dispute| Some((dispute.status.money()?, dispute)));
        let difference = Difference {
            kind: DifferenceKind::DisputeDiffers,
            provider_id: id.to_owned(),
            payment: ours.map(|ours| ours.payment),
            ours: ours.map(|ours| taken(ours.state, ours.amount)),
            theirs: theirs.as_ref().map(|(state, dispute)| taken(*state, dispute.amount)),
            at: ours.map_or(to, |ours| ours.at),
            settled: false,
        };
        match (ours, theirs) {
            (None, None) => {}
            (Some(ours), Some((state, theirs))) if (ours.state, ours.amount) == (state, theirs.amount) => {}
            (Some(_), None) => found.add(Difference { kind: DifferenceKind::MissingDispute, ..difference }),
            (known, Some((state, theirs))) => {
                let settled = self.tell(theirs, state).await?;
                let kind =
                    if known.is_some() { DifferenceKind::DisputeDiffers } else { DifferenceKind::UnknownDispute };
                found.add(Difference { kind, settled, ..difference });
            }
        }
        Ok(())
    }

    /// Whether that changed something.
    async fn tell(&self, dispute: ProviderDispute, state: DisputeState) -> Result<bool, AppError> {
        // One without an intent is of a charge that is not ours.
        let Some(intent) = dispute.intent else { return Ok(false) };
        let news = DisputeNews { id: dispute.id, intent, payment: None, state, amount: dispute.amount };
        booked(self.news.dispute(&news).await)
    }
}

/// What a dispute has taken by now: nothing when it was won.
fn taken(state: DisputeState, amount: Money) -> Money {
    if state == DisputeState::Won { Money::zero(amount.currency()) } else { amount }
}
