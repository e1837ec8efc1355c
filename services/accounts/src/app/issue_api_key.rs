//! A new key of a supplier, beside the old ones or in their place.

use leadflow_accounts_domain::{KeyMaterial, KeyText, RANDOM_BYTES, Refusal, Supplier};
use leadflow_kernel::{ApiKeyId, SellerId, SupplierId};
use rand::{TryRng, rngs::SysRng};
use sha2::{Digest, Sha256};

use super::{
    Accounts, Actor, AppError,
    audit::{self, Change},
    open_seller,
};
use crate::{
    outbound::events,
    store::{api_keys, suppliers},
};

/// What becomes of the supplier's other keys.
#[derive(Debug, Clone, Copy)]
pub enum OtherKeys {
    /// They work on.
    Keep,
    /// They work for this many seconds more.
    EndAfter(u32),
}

impl Accounts {
    /// Makes a key and returns its text, which is not kept: it cannot be shown again, so a repeat
    /// with the same `key_id` is refused.
    ///
    /// # Errors
    /// [`AppError::NotFound`], [`AppError::Refused`], [`AppError::Randomness`].
    pub async fn issue_api_key(
        &self,
        actor: Actor,
        seller_id: SellerId,
        supplier_id: SupplierId,
        key_id: ApiKeyId,
        others: OtherKeys,
    ) -> Result<(KeyText, Supplier), AppError> {
        let text = random_key()?;
        let key = KeyMaterial { id: key_id, sha256: Sha256::digest(text.reveal()).into(), hint: text.hint() };
        let now = self.clock.now();
        let mut transaction = self.tenants.begin(seller_id).await?;
        open_seller(&mut transaction, seller_id).await?;
        let supplier = suppliers::find_locked(&mut transaction, seller_id, supplier_id, now)
            .await?
            .ok_or(AppError::NotFound("supplier"))?;
        let next = match others {
            OtherKeys::Keep => supplier.with_key(key, now)?,
            OtherKeys::EndAfter(seconds) => supplier.rotated(key, seconds, now)?,
        };
        let Some((new, old)) = next.keys.split_last() else {
            return Err(Refusal::KeyUnknown.into());
        };
        // Taken by another supplier, another tenant, or a key of this one that ended long ago.
        if !api_keys::insert(&mut transaction, &next, new).await? {
            return Err(Refusal::KeyExists.into());
        }
        api_keys::update(&mut transaction, seller_id, old).await?;
        let noted = Change::new("api_key.created", key_id)
            .by(actor)
            .from(audit::supplier(&supplier, now))
            .to(audit::supplier(&next, now));
        self.note(&mut transaction, noted, seller_id).await?;
        suppliers::update(&mut transaction, &next, now).await?;
        self.commit(transaction, &events::supplier_changed(&next, now)).await?;
        Ok((text, next))
    }
}

fn random_key() -> Result<KeyText, AppError> {
    let mut bytes = [0_u8; RANDOM_BYTES];
    SysRng.try_fill_bytes(&mut bytes).map_err(|error| AppError::Randomness(error.to_string()))?;
    Ok(KeyText::from_random(bytes))
}
