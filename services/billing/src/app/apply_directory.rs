//! Taking over sellers' and buyers' records from the directory.

use std::collections::HashMap;

use leadflow_billing_domain::{Account, Changes};
use leadflow_kernel::{BuyerId, Currency, EventId, SellerId};
use leadflow_messaging::Envelope;

use super::{AppError, Billing};
use crate::{
    outbound::events,
    store::directory::{self, BuyerRecord, SellerRecord},
};

impl Billing {
    /// Takes over records, of any tenants, that are newer than what is known: a buyer's first one makes
    /// his wallet, later ones change its limits and status. A repeat changes nothing (records carry
    /// versions), so no record of seen events is needed.
    ///
    /// # Errors
    /// [`AppError::Database`]; asking again is safe.
    pub async fn apply_directory(&self, sellers: &[SellerRecord], buyers: &[BuyerRecord]) -> Result<(), AppError> {
        let sellers = newest(sellers, |record| record.id.uuid(), |record| record.version);
        let buyers = newest(buyers, |record| record.id.uuid(), |record| record.version);
        let mut transaction = self.begin().await?;
        let concerned = sellers.iter().map(|record| record.id).chain(buyers.iter().map(|record| record.seller));
        let mut currencies: HashMap<SellerId, Option<Currency>> =
            directory::lock_sellers(&mut transaction, concerned).await?.into_iter().collect();
        directory::save_sellers(&mut transaction, &sellers).await?;

        let mut accounts = Vec::new();
        for record in &sellers {
            let currency = record.terms.currency;
            match currencies.insert(record.id, Some(currency)).flatten() {
                None => {
                    // Heard of for the first time; wallets made before that have no accounts yet.
                    let waiting = directory::buyers_of(&mut transaction, record.id).await?;
                    accounts.extend(directory::accounts_of_seller(record.id).map(|account| (account, currency)));
                    accounts.extend(waiting.into_iter().map(|buyer| (Account::wallet(record.id, buyer), currency)));
                }
                Some(first) if first != currency => {
                    currencies.insert(record.id, Some(first));
                    tracing::error!(seller_id = %record.id, %first, ignored = %currency, "a seller's currency cannot change");
                }
                Some(_) => {}
            }
        }

        let known: HashMap<BuyerId, BuyerRecord> =
            directory::lock_allowances(&mut transaction, buyers.iter().map(|record| record.id))
                .await?
                .into_iter()
                .map(|record| (record.id, record))
                .collect();
        let now = self.clock.now();
        let mut news = Vec::new();
        let mut newer = Vec::with_capacity(buyers.len());
        for record in buyers {
            match known.get(&record.id) {
                Some(known) if known.seller != record.seller => {
                    tracing::error!(buyer_id = %record.id, "a buyer cannot move to another seller; record ignored");
                    continue;
                }
                Some(known) if known.version >= record.version => continue,
                Some(known) if record.allowance.is_news_after(&known.allowance) => {
                    let event = events::limits_changed(record.id, record.seller);
                    news.push(Envelope::new(EventId::new(), &event, now));
                }
                Some(_) => {}
                None => {
                    if let Some(Some(currency)) = currencies.get(&record.seller) {
                        accounts.push((Account::wallet(record.seller, record.id), *currency));
                    }
                }
            }
            newer.push(record);
        }
        directory::save_buyers(&mut transaction, &newer).await?;
        directory::open_accounts(&mut transaction, &accounts).await?;
        self.commit(transaction, &Changes::default(), news).await?;
        Ok(())
    }
}

/// One record an id, the newest, in id order.
fn newest<T: Copy>(records: &[T], id: impl Fn(&T) -> uuid::Uuid, version: impl Fn(&T) -> i64) -> Vec<T> {
    let mut sorted = records.to_vec();
    sorted.sort_by_key(|record| (id(record), std::cmp::Reverse(version(record))));
    sorted.dedup_by_key(|record| id(record));
    sorted
}
