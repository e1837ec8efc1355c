//! Endpoints' secrets at rest: AES-256-GCM, each bound to its endpoint, so that a ciphertext moved
//! to another row does not open.

use std::{collections::BTreeMap, fmt, sync::Arc};

use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use leadflow_kernel::EndpointId;
use leadflow_notifier_domain::{Credentials, Secret};
use sha2::{Digest, Sha256};

const NONCE: usize = 12;

/// The keys that secrets are encrypted with: the first encrypts, all decrypt.
#[derive(Clone, Default)]
pub struct SecretKeys {
    first: String,
    ciphers: Arc<BTreeMap<String, Aes256Gcm>>,
}

/// An encrypted secret, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Fingerprint of the key.
    pub key_id: String,
    /// Nonce and ciphertext.
    pub bytes: Vec<u8>,
}

/// Why a key or a secret is not usable. Never says what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// The setting.
    #[error("must be the base64 of 32 bytes, or several such, comma-separated")]
    Key,
    /// It was encrypted with a key that is not among those configured, or was changed.
    #[error("the endpoint's secret cannot be decrypted with the keys in SECRETS_KEY")]
    Open,
    /// The operating system gave no random bytes.
    #[error("no randomness")]
    Randomness,
}

impl SecretKeys {
    /// Reads the setting.
    ///
    /// # Errors
    /// [`SecretsError::Key`].
    pub fn parse(text: &str) -> Result<Self, SecretsError> {
        let mut keys = Self::default();
        let mut ciphers = BTreeMap::new();
        for encoded in text.split(',') {
            let key = STANDARD.decode(encoded.trim()).map_err(|_| SecretsError::Key)?;
            let cipher = Aes256Gcm::new_from_slice(&key).map_err(|_| SecretsError::Key)?;
            // A fingerprint instead of a name: nothing to keep in step, and it gives nothing away.
            let id = hex::encode(&Sha256::digest(&key)[..4]);
            if keys.first.is_empty() {
                keys.first.clone_from(&id);
            }
            ciphers.insert(id, cipher);
        }
        keys.ciphers = Arc::new(ciphers);
        Ok(keys)
    }

    /// The fingerprint of the key that encrypts; empty without keys.
    #[must_use]
    pub fn first(&self) -> &str {
        &self.first
    }

    /// The fingerprints of the keys that only decrypt.
    pub fn older(&self) -> impl Iterator<Item = &str> {
        self.ciphers.keys().map(String::as_str).filter(|id| *id != self.first)
    }

    /// Whether what was encrypted with this key can be decrypted.
    #[must_use]
    pub fn knows(&self, key_id: &str) -> bool {
        self.ciphers.contains_key(key_id)
    }

    /// A new random secret.
    ///
    /// # Errors
    /// [`SecretsError::Randomness`].
    pub fn make() -> Result<Secret, SecretsError> {
        random().map(Secret::from_random)
    }

    /// Encrypts an endpoint's secret.
    ///
    /// # Errors
    /// [`SecretsError::Randomness`], or [`SecretsError::Key`] when there is no key at all.
    pub fn seal(&self, endpoint: EndpointId, secret: &Secret) -> Result<Sealed, SecretsError> {
        self.seal_part(endpoint, Part::Secret, secret.text().as_bytes())
    }

    /// Encrypts something of an endpoint.
    ///
    /// # Errors
    /// As [`SecretKeys::seal`].
    pub fn seal_part(&self, endpoint: EndpointId, part: Part, clear: &[u8]) -> Result<Sealed, SecretsError> {
        let cipher = self.ciphers.get(&self.first).ok_or(SecretsError::Key)?;
        let nonce: [u8; NONCE] = random()?;
        let payload = Payload { msg: clear, aad: &part.bound_to(endpoint) };
        let ciphertext = cipher.encrypt(Nonce::from_slice(&nonce), payload).map_err(|_| SecretsError::Key)?;
        Ok(Sealed { key_id: self.first.clone(), bytes: [&nonce[..], &ciphertext].concat() })
    }

    /// Decrypts an endpoint's secret.
    ///
    /// # Errors
    /// [`SecretsError::Open`].
    pub fn open(&self, endpoint: EndpointId, sealed: &Sealed) -> Result<Secret, SecretsError> {
        self.open_secret(endpoint, Part::Secret, sealed)
    }

    /// Decrypts a secret of an endpoint: its own, or the one before.
    ///
    /// # Errors
    /// [`SecretsError::Open`].
    pub fn open_secret(&self, endpoint: EndpointId, part: Part, sealed: &Sealed) -> Result<Secret, SecretsError> {
        let text = String::from_utf8(self.open_part(endpoint, part, sealed)?).map_err(|_| SecretsError::Open)?;
        Secret::parse(&text).map_err(|_| SecretsError::Open)
    }

    /// Decrypts something of an endpoint.
    ///
    /// # Errors
    /// [`SecretsError::Open`].
    pub fn open_part(&self, endpoint: EndpointId, part: Part, sealed: &Sealed) -> Result<Vec<u8>, SecretsError> {
        let cipher = self.ciphers.get(&sealed.key_id).ok_or(SecretsError::Open)?;
        let (nonce, ciphertext) = sealed.bytes.split_at_checked(NONCE).ok_or(SecretsError::Open)?;
        let payload = Payload { msg: ciphertext, aad: &part.bound_to(endpoint) };
        cipher.decrypt(Nonce::from_slice(nonce), payload).map_err(|_| SecretsError::Open)
    }

    /// Encrypts an endpoint's headers and credentials; `None` when there are none.
    ///
    /// # Errors
    /// As [`SecretKeys::seal`].
    pub fn seal_credentials(
        &self,
        endpoint: EndpointId,
        credentials: &Credentials,
    ) -> Result<Option<Sealed>, SecretsError> {
        if credentials.is_empty() {
            return Ok(None);
        }
        let clear = serde_json::to_vec(credentials).map_err(|_| SecretsError::Open)?;
        self.seal_part(endpoint, Part::Format, &clear).map(Some)
    }

    /// Decrypts them.
    ///
    /// # Errors
    /// [`SecretsError::Open`].
    pub fn open_credentials(&self, endpoint: EndpointId, sealed: Option<&Sealed>) -> Result<Credentials, SecretsError> {
        let Some(sealed) = sealed else { return Ok(Credentials::default()) };
        let clear = self.open_part(endpoint, Part::Format, sealed)?;
        serde_json::from_slice(&clear).map_err(|_| SecretsError::Open)
    }
}

/// What of an endpoint is encrypted. One does not open as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Headers and credentials.
    Format,
    /// The secret before this one.
    OldSecret,
    /// What deliveries are signed with.
    Secret,
}

impl Part {
    /// All, in the order of their names.
    pub const ALL: [Self; 3] = [Self::Format, Self::OldSecret, Self::Secret];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::OldSecret => "old_secret",
            Self::Secret => "secret",
        }
    }

    fn bound_to(self, endpoint: EndpointId) -> Vec<u8> {
        match self {
            // The first there was; its ciphertexts are bound to the endpoint alone.
            Self::Secret => endpoint.as_bytes().to_vec(),
            other => [endpoint.as_bytes(), other.name().as_bytes()].concat(),
        }
    }
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKeys({} of them)", self.ciphers.len())
    }
}

fn random<const N: usize>() -> Result<[u8; N], SecretsError> {
    let mut bytes = [0; N];
    rand::TryRng::try_fill_bytes(&mut rand::rngs::SysRng, &mut bytes).map_err(|_| SecretsError::Randomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
    const NEW: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU=";

    #[test]
    fn a_secret_opens_only_for_its_endpoint_and_unchanged() {
        let keys = SecretKeys::parse(OLD).unwrap();
        let (endpoint, secret) = (EndpointId::new(), SecretKeys::make().unwrap());
        let sealed = keys.seal(endpoint, &secret).unwrap();
        assert_eq!(keys.open(endpoint, &sealed).unwrap(), secret);
        assert_eq!(keys.open(EndpointId::new(), &sealed), Err(SecretsError::Open));
        let mut changed = sealed.clone();
        *changed.bytes.last_mut().unwrap() ^= 1;
        assert_eq!(keys.open(endpoint, &changed), Err(SecretsError::Open));
        assert_eq!(keys.open(endpoint, &Sealed { bytes: vec![1], ..sealed }), Err(SecretsError::Open));
    }

    #[test]
    fn one_part_does_not_open_as_another() {
        let keys = SecretKeys::parse(OLD).unwrap();
        let (endpoint, secret) = (EndpointId::new(), SecretKeys::make().unwrap());
        for part in Part::ALL {
            let sealed = keys.seal_part(endpoint, part, secret.text().as_bytes()).unwrap();
            for other in Part::ALL {
                assert_eq!(keys.open_secret(endpoint, other, &sealed).is_ok(), part == other);
            }
        }
    }

    #[test]
    fn a_key_can_be_replaced_without_losing_secrets() {
        let (endpoint, secret) = (EndpointId::new(), SecretKeys::make().unwrap());
        let sealed = SecretKeys::parse(OLD).unwrap().seal(endpoint, &secret).unwrap();
        let both = SecretKeys::parse(&format!("{NEW}, {OLD}")).unwrap();
        assert_eq!(both.open(endpoint, &sealed).unwrap(), secret);
        let renewed = both.seal(endpoint, &secret).unwrap();
        let new = SecretKeys::parse(NEW).unwrap();
        assert_eq!(new.open(endpoint, &renewed).unwrap(), secret);
        assert_eq!(new.open(endpoint, &sealed), Err(SecretsError::Open));
    }

    #[test]
    fn only_32_bytes_are_a_key() {
        for bad in ["", "abc", "QUJD", &format!("{OLD},"), &format!("{OLD}{OLD}")] {
            assert!(SecretKeys::parse(bad).is_err(), "{bad}");
        }
    }
}
