//! What went back to cards: of each charge as a whole, because what somebody gave back on the provider's own pages is booked as a whole.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use leadflow_kernel::PaymentId;

use super::{Comparison, Difference, DifferenceKind, Reconciler, booked};
use crate::{
    app::{AppError, payments::RefundNews},
    outbound::{provider::RefundStatus, records::FoundRefund},
    store::reconcile::{self, OurCharge},
};

impl Reconciler {
    /// Compares every charge of which either side's books show that something went back.
    pub(super) async fn refunds(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        found: &mut Comparison,
    ) -> Result<(), AppError> {
        let intents: Vec<String> = std::mem::take(&mut found.refunded).into_iter().collect();
        let mut ours: BTreeMap<PaymentId, OurCharge> = {
            let mut connection = self.billing.pool.acquire().await?;
            let refunded = reconcile::refunded(&mut connection, from, to).await?;
            found.ours += u32::try_from(refunded.len()).unwrap_or(u32::MAX);
            let told_of = reconcile::charges(&mut connection, &[], &intents).await?;
            refunded.into_iter().chain(told_of).map(|ours| (ours.payment, ours)).collect()
        };
        // A charge that is not ours was told of already.
        while let Some((_, ours)) = ours.pop_first() {
            self.compare_refunds(&ours, found).await?;
        }
        Ok(())
    }

    async fn compare_refunds(&self, ours: &OurCharge, found: &mut Comparison) -> Result<(), AppError> {
        let Some(id) = ours.intent.as_deref() else { return Ok(()) };
        // The charge itself is not there: that is told as such.
        let Some(intent) = self.intent(id).await? else { return Ok(()) };
        // Each of ours first: sums may agree although one failed and another was made elsewhere.
        let (mut heard, mut failed) = (false, false);
        for refund in self.records.refunds_of(id).await?.into_iter().filter(|found| found.ours.is_some()) {
            let FoundRefund { refund, ours, .. } = refund;
            let (status, amount) = (refund.status, refund.amount);
            let news = RefundNews { id: refund.id, refund: ours, intent: id.to_owned(), status, amount };
            let changed = booked(self.news.refund(&news).await)?;
            heard |= changed;
            failed |= changed && status == RefundStatus::Failed;
        }
        let (mine, theirs) = (ours.refunded.amount(), intent.refunded.amount());
        // What we have ordered may be on its way.
        let agree = theirs <= mine && mine <= theirs + ours.unconfirmed.amount();
        if agree && !failed {
            return Ok(());
        }
        let kind = if theirs > mine {
            DifferenceKind::UnknownRefund
        } else if theirs.is_zero() {
            DifferenceKind::MissingRefund
        } else {
            DifferenceKind::RefundDiffers
        };
        let mut difference = Difference::ours(kind, ours, ours.refunded, Some(intent.refunded));
        difference.settled = booked(self.news.charge_refunded(id).await)? || heard;
        found.add(difference);
        Ok(())
    }
}
