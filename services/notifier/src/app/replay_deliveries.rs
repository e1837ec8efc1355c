//! Sends ended deliveries again: one, or those of a time.

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_kernel::{BuyerId, DeliveryId, EndpointId, SellerId};
use leadflow_platform::db::TenantTx;
use serde_json::json;

use super::{
    Actor, AppError, Notifier,
    audit::{self, TRAIL},
};
use crate::{
    model::Endpoint,
    store::{
        endpoints,
        replay::{self, Range},
    },
};

/// The most that one call makes due.
pub const MAX_REPLAY: u32 = 10_000;
/// The longest time that one call is about.
pub const MAX_REPLAY_RANGE: TimeDelta = TimeDelta::days(31);

/// What shall be sent again.
#[derive(Debug, Clone)]
pub enum Replay {
    /// One.
    One(DeliveryId),
    /// Those of an endpoint that were made in a time.
    Time {
        /// Where to.
        endpoint: EndpointId,
        /// Made then or later.
        from: DateTime<Utc>,
        /// Made before then.
        until: DateTime<Utc>,
        /// Only what did not arrive.
        failed_only: bool,
        /// Those after this one.
        after: Option<DeliveryId>,
    },
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// How many are on their way.
    pub count: u32,
    /// There are more, after this one.
    pub next_after: Option<DeliveryId>,
}

impl Notifier {
    /// Each keeps its id, so a receiver knows it again, and gets a new schedule.
    ///
    /// # Errors
    /// [`AppError::NotFound`], [`AppError::EndpointOff`], [`AppError::DeliveryWaits`], [`AppError::DeliveryRefused`] (its lead
    /// was given back), [`AppError::DeliveryMasked`] (of a time those are passed over), [`AppError::Field`] for a time that is none or longer than [`MAX_REPLAY_RANGE`].
    pub async fn replay_deliveries(
        &self,
        actor: Actor,
        seller: SellerId,
        buyer: BuyerId,
        what: Replay,
    ) -> Result<Replayed, AppError> {
        let now = self.clock.now();
        let mut tx = self.tenants.begin(seller).await?;
        let (endpoint, replayed, told) = match what {
            Replay::One(delivery) => {
                let found = replay::lock(&mut tx, seller, buyer, delivery).await?;
                let found = found.ok_or(AppError::NotFound("delivery"))?;
                match found.status.as_str() {
                    "PENDING" => return Err(AppError::DeliveryWaits),
                    "REFUSED" => return Err(AppError::DeliveryRefused),
                    _ if found.masked => return Err(AppError::DeliveryMasked),
                    _ => {}
                }
                let endpoint = usable(&mut tx, seller, buyer, found.endpoint).await?;
                replay::one(&mut tx, seller, delivery, now).await?;
                let told = json!({ "buyer": buyer.to_string(), "delivery": delivery.to_string(), "count": 1 });
                (endpoint, Replayed { count: 1, next_after: None }, told)
            }
            Replay::Time { endpoint, from, until, failed_only, after } => {
                if until <= from || until - from > MAX_REPLAY_RANGE {
                    return Err(AppError::Field("until", "must be after the beginning, by at most 31 days"));
                }
                let endpoint = usable(&mut tx, seller, buyer, endpoint).await?;
                let range =
                    Range { seller, buyer, endpoint: endpoint.id, from, until, failed_only, after, limit: MAX_REPLAY };
                let (count, last) = replay::range(&mut tx, &range, now).await?;
                let told = json!({
                    "buyer": buyer.to_string(), "from": from, "until": until, "failedOnly": failed_only, "count": count,
                });
                (endpoint, Replayed { count, next_after: last.filter(|_| count == MAX_REPLAY) }, told)
            }
        };
        if replayed.count > 0 {
            TRAIL.write(&mut tx, Some(seller), now, audit::replayed(actor, &endpoint, told)).await?;
        }
        tx.commit().await?;
        Ok(replayed)
    }
}

async fn usable(tx: &mut TenantTx, seller: SellerId, buyer: BuyerId, id: EndpointId) -> Result<Endpoint, AppError> {
    let found = endpoints::of_buyer(tx, seller, buyer, Some(id)).await?.ok_or(AppError::NotFound("endpoint"))?;
    if found.off().is_some() { Err(AppError::EndpointOff) } else { Ok(found) }
}
