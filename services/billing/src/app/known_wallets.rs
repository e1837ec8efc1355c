//! What this process last saw of wallets. Only ever a guess: whoever decides by it must have the
//! database compare it with the truth before anything is written. Of balance and held sum only the
//! difference is followed: captures, which change both alike, are not.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use leadflow_billing_domain::{Terms, Wallet};
use leadflow_kernel::{BuyerId, Optimism, SellerId};

/// Wallets remembered at once, some 25 MB; then it begins anew.
const MOST: usize = 100_000;

/// Wallets by buyer.
#[derive(Default)]
pub struct KnownWallets {
    wallets: Mutex<HashMap<BuyerId, Wallet>>,
    optimism: Optimism,
}

impl KnownWallets {
    /// The tenant's wallets of these buyers, each once and in id order; `None` when one is not known, or
    /// when guesses were wrong of late because other replicas change the same wallets.
    pub fn guess(&self, tenant: SellerId, buyers: impl IntoIterator<Item = BuyerId>) -> Option<Vec<Wallet>> {
        if !self.optimism.tries() {
            return None;
        }
        let mut ids: Vec<BuyerId> = buyers.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        let known = self.wallets.lock().unwrap_or_else(PoisonError::into_inner);
        ids.into_iter().map(|id| known.get(&id).copied().filter(|wallet| wallet.seller == tenant)).collect()
    }

    /// The terms of the tenant's wallet of this buyer.
    pub fn terms(&self, tenant: SellerId, buyer: BuyerId) -> Option<Terms> {
        let known = self.wallets.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&buyer).filter(|wallet| wallet.seller == tenant).map(|wallet| wallet.terms)
    }

    /// Remembers wallets as they were committed or read under their locks.
    pub fn learn<'a>(&self, wallets: impl IntoIterator<Item = &'a Wallet>) {
        let mut known = self.wallets.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > MOST {
            known.clear();
        }
        known.extend(wallets.into_iter().map(|wallet| (wallet.buyer, *wallet)));
    }

    /// Whether the last guess was right.
    pub fn judged(&self, right: bool) {
        if right { self.optimism.right() } else { self.optimism.wrong() }
    }
}
