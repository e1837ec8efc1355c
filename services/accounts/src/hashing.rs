//! Hashing passwords: argon2id, beside the runtime's threads, a few at a time.

use std::{sync::Arc, time::Duration};

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version};
use leadflow_accounts_domain::Password;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

/// KiB of memory, passes and lanes: OWASP's first recommendation for argon2id.
const COST: (u32, u32, u32) = (19 * 1_024, 2, 1);
/// The longest that anybody waits for his turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// Why there is no answer about a password.
#[derive(Debug, thiserror::Error)]
pub enum HashingError {
    /// Too many others wait.
    #[error("too many passwords at once")]
    Busy,
    /// Not a hash, or no randomness.
    #[error("password hashing: {0}")]
    Failed(String),
}

/// Hashes and compares passwords. Clones share the bound on how many at once.
#[derive(Clone)]
pub struct Hasher {
    turns: Arc<Semaphore>,
    argon2: Argon2<'static>,
    nobodys: Arc<str>,
}

impl Hasher {
    /// A hasher that works on `at_once` (at least one) passwords at a time, each with 19 MiB of memory and a core for
    /// some tens of milliseconds.
    ///
    /// # Errors
    /// [`HashingError::Failed`] without randomness.
    pub fn new(at_once: usize) -> Result<Self, HashingError> {
        let (memory, passes, lanes) = COST;
        let params = Params::new(memory, passes, lanes, None).map_err(failed)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobodys = argon2.hash_password(b"nobody's password").map_err(failed)?.to_string();
        Ok(Self { turns: Arc::new(Semaphore::new(at_once.max(1))), argon2, nobodys: nobodys.into() })
    }

    /// The password's hash with a new salt, in the PHC string format.
    ///
    /// # Errors
    /// [`HashingError`].
    pub async fn hash(&self, password: Password) -> Result<String, HashingError> {
        let argon2 = self.argon2.clone();
        self.in_turn(move || {
            argon2.hash_password(password.reveal().as_bytes()).map(|hash| hash.to_string()).map_err(failed)
        })
        .await
    }

    /// Whether this is the password that was hashed. Without a hash the answer is no, after the same work.
    ///
    /// # Errors
    /// [`HashingError`].
    pub async fn verify(&self, password: Password, hash: Option<String>) -> Result<bool, HashingError> {
        let (argon2, nobodys) = (self.argon2.clone(), Arc::clone(&self.nobodys));
        self.in_turn(move || {
            let known = hash.is_some();
            let hash = PasswordHash::new(hash.as_deref().unwrap_or(&nobodys)).map_err(failed)?;
            Ok(argon2.verify_password(password.reveal().as_bytes(), &hash).is_ok() && known)
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HashingError> + Send + 'static,
    ) -> Result<T, HashingError> {
        let turn = timeout(TURN_WITHIN, Arc::clone(&self.turns).acquire_owned()).await;
        let turn: OwnedSemaphorePermit = turn.map_err(|_| HashingError::Busy)?.map_err(failed)?;
        spawn_blocking(move || {
            // Held by the work, which goes on when its caller has gone.
            let _turn = turn;
            work()
        })
        .await
        .map_err(failed)?
    }
}

fn failed(error: impl std::fmt::Display) -> HashingError {
    HashingError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::shown(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_password_that_was_hashed_is_right() {
        let hasher = Hasher::new(2).unwrap();
        let hash = hasher.hash(password("leads for lunch")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hasher.hash(password("leads for lunch")).await.unwrap());
        assert!(hasher.verify(password("leads for lunch"), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify(password("Leads for lunch"), Some(hash)).await.unwrap());
        assert!(!hasher.verify(password("nobody's password"), None).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn who_gets_no_turn_is_told_so() {
        let hasher = Hasher::new(1).unwrap();
        let _held = Arc::clone(&hasher.turns).acquire_owned().await.unwrap();
        assert!(matches!(hasher.hash(password("x")).await, Err(HashingError::Busy)));
    }
}
