//! What a caller who is answered 202 takes along in `statusUrl`: proof that this lead was accepted
//! with this body. Any gateway can read it, also one that never saw the post or has forgotten it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use leadflow_kernel::{LeadId, SupplierId};
use leadflow_platform::grpc::ServiceToken;
use sha2::Sha256;

/// What the keys are derived for.
const PURPOSE: &str = "ingest receipts";
const HASH_BYTES: usize = 32;
/// Half of the MAC: 128 bits are not guessed.
const TAG_BYTES: usize = 16;

/// Writes and reads receipts. All gateways share the service token, and so the key.
#[derive(Clone)]
pub struct Receipts {
    /// Of each service token: the first writes, all read.
    keyed: Vec<Hmac<Sha256>>,
}

impl Receipts {
    /// With keys of their own made from the service tokens.
    #[must_use]
    pub fn new(token: &ServiceToken) -> Self {
        let keyed = |key: [u8; 32]| {
            // HMAC fills a key that is shorter than its block with zeros.
            let mut block = [0; 64];
            block[..32].copy_from_slice(&key);
            Hmac::new(&block.into())
        };
        // Without a token nobody is let in anyway; receipts are then written with the key of an empty one.
        let keys = token.derive_keys(PURPOSE);
        let keys = if keys.is_empty() { vec![token.derive_key(PURPOSE)] } else { keys };
        Self { keyed: keys.into_iter().map(keyed).collect() }
    }

    /// The receipt for an accepted post.
    #[must_use]
    pub fn write(&self, supplier_id: SupplierId, lead_id: LeadId, body_hash: [u8; HASH_BYTES]) -> String {
        // There is always a first.
        let tag = mac(&self.keyed[0], supplier_id, lead_id, &body_hash).finalize().into_bytes();
        let mut bytes = [0; HASH_BYTES + TAG_BYTES];
        bytes[..HASH_BYTES].copy_from_slice(&body_hash);
        bytes[HASH_BYTES..].copy_from_slice(&tag[..TAG_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The hash of the accepted body; `None` when the text is no receipt of this lead's.
    #[must_use]
    pub fn read(&self, supplier_id: SupplierId, lead_id: LeadId, text: &str) -> Option<[u8; HASH_BYTES]> {
        let bytes: [u8; HASH_BYTES + TAG_BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (body_hash, tag) = bytes.split_at(HASH_BYTES);
        let written = |keyed| mac(keyed, supplier_id, lead_id, body_hash).verify_truncated_left(tag).is_ok();
        if self.keyed.iter().any(written) { body_hash.try_into().ok() } else { None }
    }
}

fn mac(keyed: &Hmac<Sha256>, supplier_id: SupplierId, lead_id: LeadId, body_hash: &[u8]) -> Hmac<Sha256> {
    // All three have a fixed length.
    let mut mac = keyed.clone();
    mac.update(supplier_id.as_bytes());
    mac.update(lead_id.as_bytes());
    mac.update(body_hash);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_from_before_the_token_was_replaced_is_good_while_both_are_set() {
        let receipts = |tokens: &str| Receipts::new(&ServiceToken::new(tokens));
        let (supplier, lead) = (SupplierId::new(), LeadId::new());
        let old = receipts("the token of yesterday").write(supplier, lead, [7; 32]);
        let both = receipts("the token of tomorrow,the token of yesterday");
        assert_eq!(both.read(supplier, lead, &old), Some([7; 32]));
        assert_eq!(receipts("the token of tomorrow").read(supplier, lead, &old), None);
        let new = both.write(supplier, lead, [7; 32]);
        assert_eq!(receipts("the token of tomorrow").read(supplier, lead, &new), Some([7; 32]));
    }

    #[test]
    fn a_receipt_is_good_for_its_lead_its_supplier_and_its_key_only() {
        let receipts = Receipts::new(&ServiceToken::new("the token that all gateways share"));
        let (supplier, lead) = (SupplierId::new(), LeadId::new());
        let receipt = receipts.write(supplier, lead, [7; 32]);
        assert_eq!(receipts.read(supplier, lead, &receipt), Some([7; 32]));
        assert_eq!(receipts.read(supplier, LeadId::new(), &receipt), None);
        assert_eq!(receipts.read(SupplierId::new(), lead, &receipt), None);
        let others = Receipts::new(&ServiceToken::new("the token of another installation"));
        assert_eq!(others.read(supplier, lead, &receipt), None);
        let mut forged = receipt.clone().into_bytes();
        forged[0] = if forged[0] == b'A' { b'B' } else { b'A' };
        for wrong in [String::from_utf8(forged).unwrap(), String::new(), "x".repeat(64), "é".to_owned(), receipt + "A"]
        {
            assert_eq!(receipts.read(supplier, lead, &wrong), None, "{wrong}");
        }
    }
}
