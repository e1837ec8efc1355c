//! Typed, prefixed, sortable ids: TypeID 0.3 (a prefix, `_`, and 26 characters of Crockford base32
//! over a 128-bit UUID). Columns hold the plain UUID; people and contracts see the text.
//!
//! New ids are UUIDv7, so they sort by time. Ids that must be the same for a repeat of the same
//! request are UUIDv5 of what makes the request the same (see [`Id::derive`]).

use std::{cmp::Ordering, fmt, hash, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// What an id is of. One zero-sized type each, so that a lead's id cannot be passed as a buyer's.
pub trait Kind: 'static {
    /// The text before the underscore.
    const PREFIX: &'static str;
}

/// An id of one [`Kind`].
pub struct Id<K: Kind>(Uuid, PhantomData<fn() -> K>);

/// Why a text is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The prefix is another one, or missing.
    #[error("must start with \"{expected}_\"")]
    Prefix {
        /// The prefix of the kind asked for.
        expected: &'static str,
    },
    /// Not 26 lower-case base32 characters, or more than 128 bits.
    #[error("must be \"{expected}_\" and 26 lower-case base32 characters")]
    Malformed {
        /// The prefix of the kind asked for.
        expected: &'static str,
    },
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters after the underscore.
const SUFFIX_LEN: usize = 26;

impl<K: Kind> Id<K> {
    /// A new id that sorts after earlier ones (UUIDv7).
    #[must_use]
    pub fn new() -> Self {
        Self::from_uuid(Uuid::now_v7())
    }

    /// The id with this UUID.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The id that everybody who knows `parts` arrives at (UUIDv5). The parts are length-prefixed,
    /// so `["a", "bc"]` and `["ab", "c"]` differ; the kind's prefix is part of the name.
    #[must_use]
    pub fn derive(parts: &[&[u8]]) -> Self {
        let mut name = Vec::with_capacity(64);
        name.extend_from_slice(K::PREFIX.as_bytes());
        for part in parts {
            name.extend_from_slice(&(part.len() as u64).to_be_bytes());
            name.extend_from_slice(part);
        }
        Self::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, &name))
    }

    /// The UUID, as stored in columns.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The sixteen bytes, for deriving other ids.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl<K: Kind> Default for Id<K> {
    fn default() -> Self {
        Self::new()
    }
}
impl<K: Kind> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K: Kind> Copy for Id<K> {}
impl<K: Kind> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K: Kind> Eq for Id<K> {}
impl<K: Kind> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K: Kind> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K: Kind> hash::Hash for Id<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K: Kind> From<Uuid> for Id<K> {
    fn from(uuid: Uuid) -> Self {
        Self::from_uuid(uuid)
    }
}
impl<K: Kind> From<Id<K>> for Uuid {
    fn from(id: Id<K>) -> Self {
        id.0
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bits = self.0.as_u128();
        let mut suffix = [0_u8; SUFFIX_LEN];
        for slot in suffix.iter_mut().rev() {
            *slot = ALPHABET[(bits & 31) as usize];
            bits >>= 5;
        }
        f.write_str(K::PREFIX)?;
        f.write_str("_")?;
        f.write_str(std::str::from_utf8(&suffix).map_err(|_| fmt::Error)?)
    }
}
impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let malformed = IdError::Malformed { expected: K::PREFIX };
        let suffix = text
            .strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .ok_or(IdError::Prefix { expected: K::PREFIX })?;
        if suffix.len() != SUFFIX_LEN {
            return Err(malformed);
        }
        let mut bits: u128 = 0;
        for (position, byte) in suffix.bytes().enumerate() {
            let Some(value) = ALPHABET.iter().position(|&c| c == byte) else {
                return Err(malformed);
            };
            // 26 characters hold 130 bits: the first may only carry three.
            if position == 0 && value > 7 {
                return Err(malformed);
            }
            bits = (bits << 5) | value as u128;
        }
        Ok(Self::from_uuid(Uuid::from_u128(bits)))
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $marker:ident $alias:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $marker {}
        impl Kind for $marker {
            const PREFIX: &'static str = $prefix;
        }
        $(#[$doc])*
        pub type $alias = Id<$marker>;
    )*};
}

kinds! {
    /// A tenant: who owns campaigns.
    Seller SellerId "seller";
    /// Who buys leads from one seller.
    Buyer BuyerId "buyer";
    /// Who posts leads to one seller.
    Supplier SupplierId "supplier";
    /// One API key of a supplier.
    ApiKey ApiKeyId "key";
    /// A kind of lead with its field definitions.
    Category CategoryId "cat";
    /// What a seller sells, to whom, how and for how much.
    Campaign CampaignId "camp";
    /// A buyer's standing order on a campaign.
    Subscription SubscriptionId "sub";
    /// One person who asked for an offer.
    Lead LeadId "lead";
    /// A lead sold to one buyer; also the id of the hold that pays for it.
    Assignment AssignmentId "asg";
    /// One balanced movement of money.
    Posting PostingId "post";
    /// One charge of a card.
    Payment PaymentId "pay";
    /// Money that goes back to a card.
    Refund RefundId "refund";
    /// A card that a buyer stored.
    Card CardId "card";
    /// A wish that one person's data be removed.
    Erasure ErasureId "era";
    /// A buyer's wish to undo a sale.
    Return ReturnId "return";
    /// One message to one endpoint.
    Delivery DeliveryId "dlv";
    /// A buyer's webhook address.
    Endpoint EndpointId "ep";
    /// One thing that happened.
    Event EventId "evt";
    /// A person who signs in.
    User UserId "user";
    /// One sign-in that is still good.
    Session SessionId "sess";
    /// One line of the record of who changed what.
    Audit AuditId "audit";
    /// One mail to a user.
    Mail MailId "mail";
    /// One e-mail or text message to a person.
    Message MessageId "msg";
    /// Somebody who is asked to sign in for a seller or a supplier.
    Invitation InvitationId "inv";
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_typeid_specifications_example_reads_and_prints() {
        // From the TypeID specification's valid.json ("uuidv7"): the suffix of a known UUID.
        let uuid: Uuid = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let id = LeadId::from_uuid(uuid);
        assert_eq!(id.to_string(), "lead_01h455vb4pex5vsknk084sn02q");
        assert_eq!("lead_01h455vb4pex5vsknk084sn02q".parse(), Ok(id));
    }

    #[test]
    fn another_kinds_prefix_is_refused() {
        let text = BuyerId::new().to_string();
        assert_eq!(text.parse::<LeadId>(), Err(IdError::Prefix { expected: "lead" }));
    }

    #[test]
    fn malformed_suffixes_are_refused() {
        for bad in [
            "lead_",
            "lead_01h455vb4pex5vsknk084sn02",
            "lead_01h455vb4pex5vsknk084sn02qq",
            "lead_81h455vb4pex5vsknk084sn02q",
            "lead_01H455VB4PEX5VSKNK084SN02Q",
            "lead_01h455vb4pex5vsknk084sn0il",
            "lead_01h455vb4pex5vsknk084sn02é",
        ] {
            assert!(bad.parse::<LeadId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn derived_ids_depend_on_every_part_and_its_borders() {
        let base = LeadId::derive(&[b"a", b"bc"]);
        assert_eq!(base, LeadId::derive(&[b"a", b"bc"]));
        assert_ne!(base, LeadId::derive(&[b"ab", b"c"]));
        assert_ne!(base.uuid(), AssignmentId::derive(&[b"a", b"bc"]).uuid());
    }

    proptest! {
        #[test]
        fn text_and_back_is_the_same_id(bits: u128) {
            let id = LeadId::from_uuid(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().parse::<LeadId>().unwrap(), id);
        }

        #[test]
        fn text_sorts_as_the_uuid_does(a: u128, b: u128) {
            let (x, y) = (LeadId::from_uuid(Uuid::from_u128(a)), LeadId::from_uuid(Uuid::from_u128(b)));
            prop_assert_eq!(x.cmp(&y), x.to_string().cmp(&y.to_string()));
        }
    }
}
