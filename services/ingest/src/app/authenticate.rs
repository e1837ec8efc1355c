//! Who calls, and whether he may.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::App;
use crate::store::directory::{Seller, Supplier};

/// Why a caller is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Records are still being loaded: nobody can be known yet.
    #[error("the gateway is starting")]
    Starting,
    /// No such key (any more).
    #[error("the API key is not valid")]
    UnknownKey,
    /// The key's time is over.
    #[error("the API key has expired")]
    ExpiredKey,
    /// The supplier may not post now.
    #[error("this supplier is not active")]
    SupplierInactive,
    /// The seller takes no leads now.
    #[error("this seller is not active")]
    SellerInactive,
}

/// A caller who may post.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The supplier.
    pub supplier: Arc<Supplier>,
    /// Its tenant.
    pub seller: Arc<Seller>,
}

impl App {
    /// Finds whose key it is.
    ///
    /// # Errors
    /// [`AuthError`].
    pub fn authenticate(&self, api_key: &[u8]) -> Result<Caller, AuthError> {
        if !self.directory.is_loaded() {
            return Err(AuthError::Starting);
        }
        let owner = self.directory.key(&Sha256::digest(api_key).into()).ok_or(AuthError::UnknownKey)?;
        if owner.expires_at_ms != 0 && owner.expires_at_ms <= self.clock.now().timestamp_millis() {
            return Err(AuthError::ExpiredKey);
        }
        if !owner.supplier.active {
            return Err(AuthError::SupplierInactive);
        }
        let seller = owner.seller.filter(|seller| seller.active).ok_or(AuthError::SellerInactive)?;
        Ok(Caller { supplier: owner.supplier, seller })
    }
}
