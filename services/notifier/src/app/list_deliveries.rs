//! A buyer's deliveries with their attempts.

use leadflow_kernel::{BuyerId, DeliveryId, SellerId};

use super::{AppError, Notifier};
use crate::store::{
    attempts::{self, AttemptRow},
    deliveries::{self, DeliveryRow},
};

/// The most deliveries on one page.
pub const MAX_PAGE: u32 = 200;
/// Bytes of responses on one page; an answer must stay below gRPC's 4 MiB. What is beyond is cut.
const RESPONSES: usize = 2 << 20;
/// Beyond that, this much of each response is shown.
const CUT: usize = 256;

/// A delivery and its attempts.
#[derive(Debug, Clone)]
pub struct DeliveryView {
    /// The delivery.
    pub delivery: DeliveryRow,
    /// In order.
    pub attempts: Vec<AttemptRow>,
}

impl Notifier {
    /// Newest first; `before` is the last one of the page before.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn list_deliveries(
        &self,
        seller: SellerId,
        buyer: BuyerId,
        before: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<DeliveryView>, AppError> {
        let mut tx = self.tenants.begin(seller).await?;
        let found = deliveries::of_buyer(&mut tx, seller, buyer, before, limit.clamp(1, MAX_PAGE)).await?;
        let ids: Vec<DeliveryId> = found.iter().map(|delivery| delivery.id).collect();
        let mut tried = attempts::of(&mut tx, &ids).await?;
        let mut shown = Vec::with_capacity(found.len());
        let mut left = RESPONSES;
        for delivery in found {
            let mut attempts: Vec<_> = tried.extract_if(.., |attempt| attempt.delivery == delivery.id).collect();
            for attempt in &mut attempts {
                if attempt.response.len() > left.max(CUT) {
                    let end = attempt.response.floor_char_boundary(CUT);
                    attempt.response.truncate(end);
                }
                left = left.saturating_sub(attempt.response.len());
            }
            shown.push(DeliveryView { delivery, attempts });
        }
        Ok(shown)
    }
}
