//! Recognising a person by e-mail address or phone number without knowing them: by keyed hashes.

use hmac::{Hmac, KeyInit as _, Mac as _};
use leadflow_kernel::SellerId;
use sha2::Sha256;

/// What the keys of [`Recogniser`] are derived for.
pub const ERASURE_PURPOSE: &str = "erasures of persons";

/// RFC 5321: a path is at most 256 octets with its brackets.
const MAX_EMAIL: usize = 254;
/// As many digits as E.164 has at most, and at least.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=15;

/// The hash by which one is recognised.
pub type Hash = [u8; 32];

/// Whom it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Of the e-mail address.
    pub email: Option<Hash>,
    /// Of the phone number.
    pub phone: Option<Hash>,
}

/// Why nobody is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unnamed {
    /// Neither is given.
    #[error("an e-mail address or a phone number is needed")]
    Nobody,
    /// Not an address.
    #[error("must be an e-mail address")]
    Email,
    /// Not a number.
    #[error("must be a phone number")]
    Phone,
}

impl Unnamed {
    /// The field that is wrong.
    #[must_use]
    pub const fn field(self) -> &'static str {
        if matches!(self, Self::Phone) { "phone" } else { "email" }
    }
}

/// Hashes addresses and numbers, and finds them in texts.
#[derive(Clone)]
pub struct Recogniser {
    /// The first writes, all recognise.
    keyed: Vec<Hmac<Sha256>>,
}

impl Recogniser {
    /// With these keys, the one that writes first. Without any, everybody has the same hash: to be used in tests only.
    #[must_use]
    pub fn new(keys: &[[u8; 32]]) -> Self {
        let keyed = |key: &[u8; 32]| {
            // HMAC fills a key that is shorter than its block with zeros.
            let mut block = [0; 64];
            block[..32].copy_from_slice(key);
            Hmac::new(&block.into())
        };
        let keys = if keys.is_empty() { &[[0; 32]][..] } else { keys };
        Self { keyed: keys.iter().map(keyed).collect() }
    }

    /// The hashes of whom a tenant names; an empty text names nothing.
    ///
    /// # Errors
    /// [`Unnamed`].
    pub fn name(&self, seller: SellerId, email: &str, phone: &str) -> Result<Wanted, Unnamed> {
        let (email, phone) = (email.trim(), phone.trim());
        if email.is_empty() && phone.is_empty() {
            return Err(Unnamed::Nobody);
        }
        let named = |text: &str, kind: Kind, wrong: Unnamed| {
            if text.is_empty() {
                return Ok(None);
            }
            let canonical = kind.canonical(text).ok_or(wrong)?;
            let keyed = self.keyed.first().ok_or(wrong)?;
            Ok(Some(hash(keyed, seller, kind, &canonical)))
        };
        Ok(Wanted {
            email: named(email, Kind::Email, Unnamed::Email)?,
            phone: named(phone, Kind::Phone, Unnamed::Phone)?,
        })
    }

    /// Whether `text`, or a word of it, is one of those who are wanted.
    #[must_use]
    pub fn finds(&self, seller: SellerId, wanted: &Wanted, text: &str) -> bool {
        let is = |kind: Kind, word: &str, hash_of: &Hash| {
            kind.canonical(word).is_some_and(|canonical| {
                self.keyed.iter().any(|keyed| hash(keyed, seller, kind, &canonical) == *hash_of)
            })
        };
        wanted.email.is_some_and(|hash| text.contains('@') && addresses(text).any(|word| is(Kind::Email, word, &hash)))
            || wanted.phone.is_some_and(|hash| numbers(text).any(|word| is(Kind::Phone, word, &hash)))
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Email,
    Phone,
}

impl Kind {
    /// The form in which two ways of writing are the same, as the gateway normalises them.
    fn canonical(self, text: &str) -> Option<String> {
        match self {
            Self::Email => {
                let text = text.trim();
                let (name, host) = text.split_once('@')?;
                let fine = !name.is_empty() && host.contains('.') && text.len() <= MAX_EMAIL && !host.contains('@');
                let fine = fine && !text.contains(|c: char| c.is_whitespace() || c.is_control());
                fine.then(|| text.to_lowercase())
            }
            Self::Phone => {
                let text = text.trim();
                let international = text.starts_with('+');
                // "+44 (0)20 …": the bracketed zero is dialled only inside the country.
                let digits: String = text.replacen("(0)", "", 1).chars().filter(char::is_ascii_digit).collect();
                let digits = match digits.strip_prefix("011") {
                    Some(rest) if !international && digits.len() > 11 => rest.to_owned(),
                    _ if !international && digits.len() == 10 => format!("1{digits}"),
                    _ => digits,
                };
                DIGITS.contains(&digits.len()).then_some(digits)
            }
        }
    }

    const fn prefix(self) -> &'static [u8] {
        match self {
            Self::Email => b"email\0",
            Self::Phone => b"phone\0",
        }
    }
}

fn hash(keyed: &Hmac<Sha256>, seller: SellerId, kind: Kind, canonical: &str) -> Hash {
    let mut mac = keyed.clone();
    mac.update(seller.as_bytes());
    mac.update(kind.prefix());
    mac.update(canonical.as_bytes());
    mac.finalize().into_bytes().into()
}

/// What may be addresses in a text: the whole, and each of its words.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let border = |c: char| {
        c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '(' | ')' | '"' | '\'' | '[' | ']' | ':' | '|')
    };
    text.split(border).map(|word| word.trim_matches(|c| matches!(c, '.' | '!' | '?'))).filter(|word| word.contains('@'))
}

/// What may be numbers in a text: the longest stretches that look like one, and each of their words.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let part = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '+' | '\u{a0}');
    text.split(move |c: char| !part(c)).flat_map(|stretch| std::iter::once(stretch).chain(stretch.split_whitespace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seller() -> SellerId {
        SellerId::derive(&[b"mine"])
    }

    fn recogniser() -> Recogniser {
        Recogniser::new(&[[7; 32]])
    }

    #[test]
    fn ways_of_writing_one_person_are_one_person() {
        let of = recogniser();
        let ann = of.name(seller(), " Ann@Example.COM", "(212) 555-0100").unwrap();
        assert_eq!(of.name(seller(), "ann@example.com", "+12125550100").unwrap(), ann);
        let by_email = Wanted { phone: None, ..ann };
        let by_phone = Wanted { email: None, ..ann };
        for text in
            ["ann@example.com", "ANN@example.com", "write to <Ann@Example.com>, please.", "mailto:ann@example.com"]
        {
            assert!(of.finds(seller(), &by_email, text), "{text}");
            assert!(!of.finds(seller(), &by_phone, text), "{text}");
        }
        for text in [
            "+12125550100",
            "2125550100",
            "12125550100",
            "212.555.0100 x45",
            "tel:+1-212-555-0100",
            "call 212 555 0100!",
            "45 2125550100",
            "212-555-0100 ext. 2",
        ] {
            assert!(of.finds(seller(), &by_phone, text), "{text}");
            assert!(!of.finds(seller(), &by_email, text), "{text}");
        }
        let london = of.name(seller(), "", "+44 (0)20 7946 0018").unwrap();
        for text in ["+442079460018", "011 44 20 7946 0018", "442079460018"] {
            assert!(of.finds(seller(), &london, text), "{text}");
        }
    }

    #[test]
    fn nobody_else_is_taken_for_him() {
        let of = recogniser();
        let ann = of.name(seller(), "ann@example.com", "+12125550100").unwrap();
        for text in
            ["", "joann@example.com", "ann@example.com.au", "ann@example", "+12125550101", "2125550100999", "0100", "@"]
        {
            assert!(!of.finds(seller(), &ann, text), "{text}");
        }
        let theirs = SellerId::derive(&[b"theirs"]);
        assert!(!of.finds(theirs, &ann, "ann@example.com"), "a tenant's hash is of no use for another's");
        assert_ne!(of.name(theirs, "ann@example.com", "").unwrap().email, ann.email);
        assert!(!Recogniser::new(&[[8; 32]]).finds(seller(), &ann, "ann@example.com"), "nor is another key's");
        assert!(
            Recogniser::new(&[[8; 32], [7; 32]]).finds(seller(), &ann, "ann@example.com"),
            "an older key's is known"
        );
    }

    #[test]
    fn who_is_not_named_is_refused() {
        let of = recogniser();
        assert_eq!(of.name(seller(), " ", ""), Err(Unnamed::Nobody));
        for bad in ["ann", "ann@", "@example.com", "ann@example", "a b@example.com", "a@b@c.d"] {
            assert_eq!(of.name(seller(), bad, "").map_err(Unnamed::field), Err("email"), "{bad}");
        }
        for bad in ["123", "anna", "1234567890123456"] {
            assert_eq!(of.name(seller(), "", bad).map_err(Unnamed::field), Err("phone"), "{bad}");
        }
    }
}
