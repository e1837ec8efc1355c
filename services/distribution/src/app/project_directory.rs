//! Keeping what is known of sellers and buyers, from the directory.

use std::collections::HashMap;

use leadflow_kernel::{BuyerId, SellerId};

use super::{App, AppError};
use crate::store::{
    projections::{self, Buyer, Seller},
    retention, routing,
};

impl App {
    /// Stores what is newer than what is known, and tells every decision that depends on it.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn project_directory(&self, sellers: Vec<Seller>, buyers: Vec<Buyer>) -> Result<(), AppError> {
        let (sellers, buyers) = (newest_sellers(sellers), newest_buyers(buyers));
        let mut transaction = self.pool.begin().await?;
        let sellers = projections::put_sellers(&mut transaction, &sellers).await?;
        let buyers = projections::put_buyers(&mut transaction, &buyers).await?;
        if !sellers.is_empty() || !buyers.is_empty() {
            let campaigns = projections::campaigns_of(&mut transaction, &sellers, &buyers).await?;
            routing::bump(&mut transaction, &campaigns).await?;
            self.look_again(&mut transaction, &campaigns).await?;
            retention::wake(&mut transaction, &sellers, self.clock.now()).await?;
        }
        transaction.commit().await?;
        self.retry_wanted.notify_one();
        Ok(())
    }
}

fn newest_sellers(sellers: Vec<Seller>) -> Vec<Seller> {
    let mut newest: HashMap<SellerId, Seller> = HashMap::new();
    for seller in sellers {
        if newest.get(&seller.id).is_none_or(|known| known.version < seller.version) {
            newest.insert(seller.id, seller);
        }
    }
    newest.into_values().collect()
}

fn newest_buyers(buyers: Vec<Buyer>) -> Vec<Buyer> {
    let mut newest: HashMap<BuyerId, Buyer> = HashMap::new();
    for buyer in buyers {
        if newest.get(&buyer.id).is_none_or(|known| known.version < buyer.version) {
            newest.insert(buyer.id, buyer);
        }
    }
    newest.into_values().collect()
}
