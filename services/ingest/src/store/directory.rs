//! Sellers, suppliers with their keys, campaigns and categories: every post is checked against
//! them without a call.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use leadflow_ingest_domain::Schema;
use leadflow_kernel::{CampaignId, CategoryId, SellerId, SupplierId};
use tokio::sync::Semaphore;

use super::limit::RateLimit;

/// SHA-256 of a key's text.
pub type KeyHash = [u8; 32];

/// A tenant.
#[derive(Debug)]
pub struct Seller {
    /// Its id.
    pub id: SellerId,
    /// The record's version.
    pub version: u64,
    /// Whether its suppliers may post.
    pub active: bool,
    /// What all its suppliers may post together.
    pub posts: Arc<RateLimit>,
}

/// Who posts.
#[derive(Debug)]
pub struct Supplier {
    /// Its id.
    pub id: SupplierId,
    /// Its tenant.
    pub seller_id: SellerId,
    /// The record's version.
    pub version: u64,
    /// Whether it may post.
    pub active: bool,
    /// Categories it may post to.
    pub categories: HashSet<CategoryId>,
    /// Its keys, with the millisecond each stops working; 0 is never.
    pub keys: Vec<(KeyHash, i64)>,
    /// What it may post.
    pub posts: Arc<RateLimit>,
    /// Room for bodies of its posts on their way here: who sends slowly keeps nobody else out.
    pub bodies: Arc<Semaphore>,
    /// What it may look up: as many, counted apart, so that polling does not use up posting.
    pub lookups: Arc<RateLimit>,
}

/// What leads are posted to. Whether it is active is decided where leads are decided.
#[derive(Debug)]
pub struct Campaign {
    /// Its id.
    pub id: CampaignId,
    /// Its tenant.
    pub seller_id: SellerId,
    /// Its category.
    pub category_id: CategoryId,
    /// The record's version.
    pub version: u64,
}

/// What a lead's data has to be.
#[derive(Debug)]
pub struct Category {
    /// Its id.
    pub id: CategoryId,
    /// The record's version.
    pub version: u64,
    /// Its fields.
    pub schema: Schema,
}

/// Whose a key is.
#[derive(Debug, Clone)]
pub struct KeyOwner {
    /// The supplier.
    pub supplier: Arc<Supplier>,
    /// Its tenant, if its record is known.
    pub seller: Option<Arc<Seller>>,
    /// The millisecond the key stops working; 0 is never.
    pub expires_at_ms: i64,
}

/// What a gateway let through, by whose limit it counts against.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Posts of a supplier.
    pub supplier_posts: Vec<(SupplierId, u32)>,
    /// Posts of all suppliers of a seller.
    pub seller_posts: Vec<(SellerId, u32)>,
    /// Look-ups of a supplier.
    pub lookups: Vec<(SupplierId, u32)>,
}

#[derive(Debug, Default)]
struct Records {
    sellers: HashMap<SellerId, Arc<Seller>>,
    suppliers: HashMap<SupplierId, Arc<Supplier>>,
    keys: HashMap<KeyHash, (SupplierId, i64)>,
    campaigns: HashMap<CampaignId, Arc<Campaign>>,
    categories: HashMap<CategoryId, Arc<Category>>,
}

/// All records. Reads take a shared lock for the time of a look-up or two.
#[derive(Debug, Default)]
pub struct Directory {
    records: RwLock<Records>,
    loaded: AtomicBool,
}

impl Directory {
    /// Whether everything that was stored when reading began is here.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    /// Says that it is.
    pub fn set_loaded(&self) {
        self.loaded.store(true, Ordering::Release);
    }

    /// Whose key this is. A look-up by hash: its time says nothing about keys that are near.
    #[must_use]
    pub fn key(&self, hash: &KeyHash) -> Option<KeyOwner> {
        let records = self.read();
        let (supplier_id, expires_at_ms) = *records.keys.get(hash)?;
        let supplier = records.suppliers.get(&supplier_id)?.clone();
        let seller = records.sellers.get(&supplier.seller_id).cloned();
        Some(KeyOwner { supplier, seller, expires_at_ms })
    }

    /// What was let through here since this was asked last.
    #[must_use]
    pub fn to_tell(&self) -> Taken {
        fn of<K: Copy>(limits: impl Iterator<Item = (K, u32)>) -> Vec<(K, u32)> {
            limits.filter(|(_, count)| *count > 0).collect()
        }
        let records = self.read();
        Taken {
            supplier_posts: of(records.suppliers.iter().map(|(id, supplier)| (*id, supplier.posts.to_tell()))),
            seller_posts: of(records.sellers.iter().map(|(id, seller)| (*id, seller.posts.to_tell()))),
            lookups: of(records.suppliers.iter().map(|(id, supplier)| (*id, supplier.lookups.to_tell()))),
        }
    }

    /// Counts what another gateway let through. Whom this one does not know yet costs nothing here.
    pub fn taken_elsewhere(&self, taken: &Taken) {
        let records = self.read();
        for (id, count) in &taken.supplier_posts {
            records.suppliers.get(id).inspect(|supplier| supplier.posts.taken_elsewhere(*count));
        }
        for (id, count) in &taken.seller_posts {
            records.sellers.get(id).inspect(|seller| seller.posts.taken_elsewhere(*count));
        }
        for (id, count) in &taken.lookups {
            records.suppliers.get(id).inspect(|supplier| supplier.lookups.taken_elsewhere(*count));
        }
    }

    /// A campaign with its category, if that is known.
    #[must_use]
    pub fn campaign(&self, id: CampaignId) -> Option<(Arc<Campaign>, Option<Arc<Category>>)> {
        let records = self.read();
        let campaign = records.campaigns.get(&id)?.clone();
        let category = records.categories.get(&campaign.category_id).cloned();
        Some((campaign, category))
    }

    /// Takes over a seller's record unless a newer one is here; `posts_per_second` is its limit.
    pub fn put_seller(&self, id: SellerId, version: u64, active: bool, posts_per_second: u32) {
        let mut records = self.write();
        let known = records.sellers.get(&id);
        if known.is_some_and(|known| known.version >= version) {
            return;
        }
        let posts = kept_or_new(known.map(|known| &known.posts), posts_per_second);
        records.sellers.insert(id, Arc::new(Seller { id, version, active, posts }));
    }

    /// Takes over a supplier's record unless a newer one is here. The limits in `supplier` are used
    /// only if they differ from the known ones: a change of anything else refills no burst.
    pub fn put_supplier(&self, mut supplier: Supplier) {
        let mut records = self.write();
        if let Some(known) = records.suppliers.get(&supplier.id).cloned() {
            if known.version >= supplier.version {
                return;
            }
            supplier.posts = kept_or_new(Some(&known.posts), supplier.posts.per_second());
            supplier.lookups = kept_or_new(Some(&known.lookups), supplier.lookups.per_second());
            supplier.bodies = known.bodies.clone();
            for (hash, _) in &known.keys {
                records.keys.remove(hash);
            }
        }
        for &(hash, expires_at_ms) in &supplier.keys {
            records.keys.insert(hash, (supplier.id, expires_at_ms));
        }
        records.suppliers.insert(supplier.id, Arc::new(supplier));
    }

    /// Takes over a campaign's record unless a newer one is here.
    pub fn put_campaign(&self, campaign: Campaign) {
        let mut records = self.write();
        if records.campaigns.get(&campaign.id).is_none_or(|known| known.version < campaign.version) {
            records.campaigns.insert(campaign.id, Arc::new(campaign));
        }
    }

    /// Takes over a category's record unless a newer one is here.
    pub fn put_category(&self, category: Category) {
        let mut records = self.write();
        if records.categories.get(&category.id).is_none_or(|known| known.version < category.version) {
            records.categories.insert(category.id, Arc::new(category));
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Records> {
        self.records.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Records> {
        self.records.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kept_or_new(known: Option<&Arc<RateLimit>>, per_second: u32) -> Arc<RateLimit> {
    match known {
        Some(known) if known.per_second() == per_second.max(1) => known.clone(),
        _ => Arc::new(RateLimit::new(per_second)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supplier(id: SupplierId, version: u64, keys: &[u8], per_second: u32) -> Supplier {
        Supplier {
            id,
            seller_id: SellerId::new(),
            version,
            active: true,
            categories: HashSet::new(),
            keys: keys.iter().map(|&byte| ([byte; 32], 0)).collect(),
            posts: Arc::new(RateLimit::new(per_second)),
            bodies: Arc::new(Semaphore::new(1)),
            lookups: Arc::new(RateLimit::new(per_second)),
        }
    }

    #[test]
    fn a_revoked_key_is_forgotten_and_an_old_version_ignored() {
        let (directory, id) = (Directory::default(), SupplierId::new());
        directory.put_supplier(supplier(id, 2, &[1, 2], 5));
        directory.put_supplier(supplier(id, 3, &[2], 5));
        directory.put_supplier(supplier(id, 2, &[1], 5));
        assert!(directory.key(&[1; 32]).is_none());
        assert_eq!(directory.key(&[2; 32]).map(|owner| owner.supplier.version), Some(3));
    }

    #[test]
    fn a_change_of_something_else_does_not_refill_the_limit() {
        let (directory, id) = (Directory::default(), SupplierId::new());
        directory.put_supplier(supplier(id, 1, &[1], 1));
        let take = || directory.key(&[1; 32]).map(|owner| owner.supplier.posts.take().is_ok());
        assert_eq!((take(), take()), (Some(true), Some(false)));
        directory.put_supplier(supplier(id, 2, &[1], 1));
        assert_eq!(take(), Some(false));
        directory.put_supplier(supplier(id, 3, &[1], 2));
        assert_eq!(take(), Some(true));
    }
}
