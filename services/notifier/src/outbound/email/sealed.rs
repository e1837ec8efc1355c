use aes_gcm::{
    Aes256Gcm, Nonce,
    aead::{Aead as _, KeyInit as _, Payload},
};
use leadflow_contracts::events::MailContents;
use leadflow_kernel::MailId;
use leadflow_platform::grpc::ServiceToken;
use prost::Message as _;

/// What the key is derived for; accounts seals with the same.
const PURPOSE: &str = "mail contents";
const NONCE: usize = 12;

/// Opens what accounts has sealed.
#[derive(Clone)]
pub(super) struct Seal {
    /// Of each service token: what was sealed before one was replaced opens, too.
    ciphers: Vec<Aes256Gcm>,
}

impl Seal {
    pub(super) fn new(token: &ServiceToken) -> Self {
        Self { ciphers: token.derive_keys(PURPOSE).iter().map(|key| Aes256Gcm::new(key.into())).collect() }
    }

    /// Address, name and token.
    pub(super) fn open(&self, mail: MailId, sealed: &[u8]) -> Option<MailContents> {
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE)?;
        let id = mail.to_string();
        let plain = self.ciphers.iter().find_map(|cipher| {
            let payload = Payload { msg: ciphertext, aad: id.as_bytes() };
            cipher.decrypt(Nonce::from_slice(nonce), payload).ok()
        })?;
        MailContents::decode(plain.as_slice()).ok()
    }
}
