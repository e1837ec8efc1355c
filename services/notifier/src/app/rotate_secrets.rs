//! Stored secrets under another key: read with the one they were encrypted with, written with the first.

use leadflow_kernel::EndpointId;
use sqlx::PgPool;

use super::AppError;
use crate::{
    secrets::{Part, SecretKeys},
    store::sealed::{self, Resealed},
};

/// Goes once over all secrets that are not under the first key. What was done is done, whenever it ends; another one
/// begins with what is left. Services may work meanwhile, as long as they have both keys.
pub struct Rotation {
    pool: PgPool,
    keys: SecretKeys,
    after: Option<(EndpointId, Part)>,
}

/// What a part of a rotation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotatedPart {
    /// Are under the first key now.
    pub resealed: u64,
    /// Were set anew by their owners meanwhile.
    pub changed: u64,
    /// Cannot be read, though their key is there: somebody has changed them in the table.
    pub unreadable: Vec<EndpointId>,
}

impl Rotation {
    /// Over what is stored in `pool`.
    #[must_use]
    pub const fn new(pool: PgPool, keys: SecretKeys) -> Self {
        Self { pool, keys, after: None }
    }

    /// The next part, of up to `limit` secrets; `None` when all have been looked at.
    ///
    /// # Errors
    /// Those of PostgreSQL, after which it goes on where it was; [`AppError::Secrets`] without randomness.
    pub async fn step(&mut self, limit: u32) -> Result<Option<RotatedPart>, AppError> {
        let mut connection = self.pool.acquire().await?;
        let older: Vec<&str> = self.keys.older().collect();
        let found = sealed::sealed_with(&mut connection, &older, self.after, limit).await?;
        let Some(last) = found.last().map(|last| (last.endpoint, last.part)) else { return Ok(None) };
        let (mut resealed, mut unreadable) = (Vec::with_capacity(found.len()), Vec::new());
        for before in found {
            match self.keys.open_part(before.endpoint, before.part, &before.sealed) {
                Ok(clear) => {
                    let after = self.keys.seal_part(before.endpoint, before.part, &clear)?;
                    resealed.push(Resealed { before, after });
                }
                Err(_) => unreadable.push(before.endpoint),
            }
        }
        let done = sealed::reseal(&mut connection, &resealed).await?;
        self.after = Some(last);
        let changed = u64::try_from(resealed.len()).unwrap_or(u64::MAX).saturating_sub(done);
        Ok(Some(RotatedPart { resealed: done, changed, unreadable }))
    }

    /// How many secrets are encrypted with which key.
    ///
    /// # Errors
    /// Those of PostgreSQL.
    pub async fn keys_in_use(&self) -> Result<Vec<(String, i64)>, AppError> {
        Ok(sealed::keys_in_use(&mut *self.pool.acquire().await?).await?)
    }
}
