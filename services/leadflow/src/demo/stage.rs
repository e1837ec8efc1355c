//! A new tenant with everything that the run needs.

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use leadflow_contracts::common::Status;
use leadflow_kernel::{SellerId, SupplierId};
use serde_json::json;
use sqlx::PgPool;

use super::{cast::Cast, people};
use crate::seed::{Market, Places};

/// Calls at once while the stage is built.
const AT_ONCE: usize = 8;
/// Fast enough that the run is never the supplier's own fault.
const POSTS_PER_SECOND: u32 = 50_000;

/// Where the run takes place.
pub struct Stage {
    /// The tenant.
    pub market: Market,
    /// The supplier's key.
    pub key: String,
}

/// Makes the tenant, its campaigns and buyers, and waits until every service knows of them.
pub async fn build(places: Places, cast: &Cast, books: &PgPool) -> anyhow::Result<Stage> {
    let market = Market::new(places, SellerId::new())?;
    let supplier = SupplierId::new();
    market.create_seller("Silver Path Marketing", POSTS_PER_SECOND).await?;
    market.put_category(cast.category, "Medicare Supplement", people::fields()).await?;
    for campaign in &cast.campaigns {
        market.put_campaign(campaign).await?;
    }
    stream::iter(&cast.buyers)
        .map(|buyer| market.create_buyer(&buyer.spec))
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    // One after the other: ties in a rotation go by age.
    for (subscription, status) in &cast.subscriptions {
        market.put_subscription(subscription, *status).await?;
    }
    for buyer in &cast.buyers {
        if buyer.status != Status::Active {
            market.set_buyer_status(buyer.spec.id, buyer.status).await?;
        }
        if buyer.failing {
            market.put_hook(&buyer.spec.hook, "behaviour", &json!({ "mode": "fail", "status": 503 })).await?;
        }
    }
    market.create_supplier(supplier, "Silver Path Web Forms", &[cast.category], POSTS_PER_SECOND).await?;
    let key = market.new_key(supplier).await?;
    for campaign in &cast.campaigns {
        market.wait_for_gateway(&key, campaign.id).await?;
    }
    until_known(&market, books).await?;
    Ok(Stage { market, key })
}

/// Waits until the services that keep copies have the newest version of every buyer.
async fn until_known(market: &Market, books: &PgPool) -> anyhow::Result<()> {
    let behind = "SELECT count(*) FROM accounts.buyers a \
                  LEFT JOIN distribution.buyers d USING (buyer_id) LEFT JOIN billing.wallets w USING (buyer_id) \
                  WHERE a.seller_id = $1 AND (d.version = a.version AND w.version = a.version) IS NOT TRUE";
    let known = leadflow_testkit::wait::try_for("every service knows every buyer", super::PATIENCE, async || {
        let behind: i64 = sqlx::query_scalar(behind).bind(market.seller.uuid()).fetch_one(books).await.ok()?;
        (behind == 0).then_some(())
    });
    known.await.context("the stage is not ready")
}
