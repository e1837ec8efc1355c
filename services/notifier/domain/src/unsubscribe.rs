//! The token in a mail's link by which its reader ends such mails without signing in: whose they are, which, and a
//! signature. It does not expire, because mails are kept for years.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use leadflow_kernel::BuyerId;
use sha2::Sha256;

/// What a buyer can do without being mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A lead that he bought.
    LeadAssigned,
    /// His wallet runs low.
    LowBalance,
    /// What became of a return that he asked for.
    ReturnDecided,
    /// What happened in a day.
    DailySummary,
}

impl Topic {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::LeadAssigned, Self::LowBalance, Self::ReturnDecided, Self::DailySummary];

    /// As messages of it are called.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::LeadAssigned => "LEAD_ASSIGNED",
            Self::LowBalance => "LOW_BALANCE",
            Self::ReturnDecided => "RETURN_DECIDED",
            Self::DailySummary => "DAILY_SUMMARY",
        }
    }

    /// In tokens: never given another meaning.
    const fn number(self) -> u8 {
        match self {
            Self::LeadAssigned => 1,
            Self::LowBalance => 2,
            Self::ReturnDecided => 3,
            Self::DailySummary => 4,
        }
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.number() == number)
    }
}

/// What [`UnsubscribeTokens`]' keys are derived for.
pub const UNSUBSCRIBE_PURPOSE: &str = "unsubscribe links";

const ID_BYTES: usize = 16;
/// Half of the MAC: 128 bits are not guessed.
const TAG_BYTES: usize = 16;
const SIGNED: usize = ID_BYTES + 1;

/// Writes and reads tokens.
#[derive(Clone)]
pub struct UnsubscribeTokens {
    /// The first writes, all read.
    keyed: Vec<Hmac<Sha256>>,
}

impl UnsubscribeTokens {
    /// With these keys, the one that writes first. Without any, nothing can be read.
    #[must_use]
    pub fn new(keys: &[[u8; 32]]) -> Self {
        let keyed = |key: &[u8; 32]| {
            // HMAC fills a key that is shorter than its block with zeros.
            let mut block = [0; 64];
            block[..32].copy_from_slice(key);
            Hmac::new(&block.into())
        };
        Self { keyed: keys.iter().map(keyed).collect() }
    }

    /// The token for a mail of this topic to this buyer; 44 letters, digits, `-` and `_`. Empty without a key.
    #[must_use]
    pub fn write(&self, buyer: BuyerId, topic: Topic) -> String {
        let Some(keyed) = self.keyed.first() else { return String::new() };
        let mut bytes = [0; SIGNED + TAG_BYTES];
        bytes[..ID_BYTES].copy_from_slice(buyer.as_bytes());
        bytes[ID_BYTES] = topic.number();
        let tag = mac(keyed, &bytes[..SIGNED]).finalize().into_bytes();
        bytes[SIGNED..].copy_from_slice(&tag[..TAG_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Whose mails shall end, and which; `None` for what was not written with one of the keys.
    #[must_use]
    pub fn read(&self, token: &str) -> Option<(BuyerId, Topic)> {
        let bytes: [u8; SIGNED + TAG_BYTES] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
        let (signed, tag) = bytes.split_at(SIGNED);
        // Compared in constant time.
        if !self.keyed.iter().any(|keyed| mac(keyed, signed).verify_truncated_left(tag).is_ok()) {
            return None;
        }
        let id: [u8; ID_BYTES] = signed[..ID_BYTES].try_into().ok()?;
        Some((BuyerId::from_uuid(uuid::Uuid::from_bytes(id)), Topic::from_number(signed[ID_BYTES])?))
    }
}

fn mac(keyed: &Hmac<Sha256>, signed: &[u8]) -> Hmac<Sha256> {
    let mut mac = keyed.clone();
    mac.update(signed);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_whose_mails_and_which() {
        let tokens = UnsubscribeTokens::new(&[[7; 32]]);
        for topic in Topic::ALL {
            let buyer = BuyerId::new();
            let token = tokens.write(buyer, topic);
            assert_eq!(token.len(), 44);
            assert_eq!(tokens.read(&token), Some((buyer, topic)));
        }
    }

    #[test]
    fn nothing_else_is_read() {
        let tokens = UnsubscribeTokens::new(&[[7; 32]]);
        let token = tokens.write(BuyerId::new(), Topic::DailySummary);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for place in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[place] ^= 1;
            assert_eq!(tokens.read(&URL_SAFE_NO_PAD.encode(forged)), None, "byte {place}");
        }
        for wrong in ["", "x", "é", &token[..43], &format!("{token}A"), &format!(" {token}")] {
            assert_eq!(tokens.read(wrong), None, "{wrong}");
        }
        assert_eq!(UnsubscribeTokens::new(&[[8; 32]]).read(&token), None);
        let keyless = UnsubscribeTokens::new(&[]);
        assert_eq!((keyless.read(&token), keyless.write(BuyerId::new(), Topic::LowBalance)), (None, String::new()));
    }

    #[test]
    fn a_key_that_is_being_replaced_still_reads() {
        let (old, buyer) = (UnsubscribeTokens::new(&[[7; 32]]), BuyerId::new());
        let both = UnsubscribeTokens::new(&[[8; 32], [7; 32]]);
        assert!(both.read(&old.write(buyer, Topic::LowBalance)).is_some());
        assert_eq!(old.read(&both.write(buyer, Topic::LowBalance)), None);
    }
}
