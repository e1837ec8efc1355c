//! Ids that look like Stripe's.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// Makes ids from a seed, so that the same calls make the same ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ids {
    seed: String,
    next: u64,
}

/// Letters and digits of an id after its prefix.
const LENGTH: usize = 24;

impl Ids {
    pub(super) fn new(seed: &str) -> Self {
        Self { seed: seed.to_owned(), next: 1 }
    }

    /// `prefix_` and letters and digits.
    pub(super) fn next(&mut self, prefix: &str) -> String {
        const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let hash = digest(&SHA256, format!("{}/{}", self.seed, self.next).as_bytes());
        self.next += 1;
        let mut id = String::with_capacity(prefix.len() + 1 + LENGTH);
        id.push_str(prefix);
        id.push('_');
        id.extend(
            hash.as_ref().iter().take(LENGTH).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])),
        );
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_seeds_make_other_ids() {
        let (mut one, mut two) = (Ids::new("a"), Ids::new("b"));
        let ids: std::collections::BTreeSet<_> = (0..1_000).flat_map(|_| [one.next("pi"), two.next("pi")]).collect();
        assert_eq!(ids.len(), 2_000);
        assert_eq!(Ids::new("a").next("cus"), Ids::new("a").next("cus"));
    }
}
