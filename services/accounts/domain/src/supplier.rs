//! Who posts leads to one seller, and the keys it does so with.

use chrono::{DateTime, TimeDelta, Utc};
use leadflow_kernel::{ApiKeyId, CategoryId, SellerId, SupplierId};

use crate::{ApiKey, Invalid, MAX_LIVE_KEYS, MAX_OVERLAP_SECONDS, Name, PostsPerSecond, Reason, Refusal, Status};

/// The categories a supplier may post to: sorted, each once. Empty is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Categories(Vec<CategoryId>);

impl Categories {
    /// The most categories of one supplier.
    pub const MAX: usize = 500;

    /// Sorts them and drops repeats.
    ///
    /// # Errors
    /// [`Reason::TooMany`].
    pub fn new(mut ids: Vec<CategoryId>) -> Result<Self, Invalid> {
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > Self::MAX {
            return Err(Invalid::new("category_ids", Reason::TooMany { max: Self::MAX }));
        }
        Ok(Self(ids))
    }

    /// The ids, sorted.
    #[must_use]
    pub fn ids(&self) -> &[CategoryId] {
        &self.0
    }
}

/// What a new supplier is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSupplier {
    /// Made by the caller.
    pub id: SupplierId,
    /// The company.
    pub name: Name,
    /// What it may post to.
    pub categories: Categories,
    /// How fast it may post.
    pub posts_per_second: PostsPerSecond,
}

impl NewSupplier {
    /// Everything that makes two requests to create it the same request.
    #[must_use]
    pub fn content(&self) -> Vec<String> {
        let mut content = vec![self.name.as_str().to_owned(), self.posts_per_second.get().to_string()];
        content.extend(self.categories.ids().iter().map(ToString::to_string));
        content
    }

    /// The record it becomes: no keys yet.
    #[must_use]
    pub fn into_supplier(self, seller_id: SellerId) -> Supplier {
        Supplier {
            id: self.id,
            seller_id,
            version: 1,
            name: self.name,
            status: Status::Active,
            categories: self.categories,
            posts_per_second: self.posts_per_second,
            keys: Vec::new(),
        }
    }
}

/// A supplier as it is, with its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supplier {
    /// Its id.
    pub id: SupplierId,
    /// Whose supplier it is.
    pub seller_id: SellerId,
    /// Counts its changes and those of its keys, from 1.
    pub version: u64,
    /// The company.
    pub name: Name,
    /// Whether it may post.
    pub status: Status,
    /// What it may post to.
    pub categories: Categories,
    /// How fast it may post.
    pub posts_per_second: PostsPerSecond,
    /// Every key that works, and the newest of those that do not.
    pub keys: Vec<ApiKey>,
}

/// What to change; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct SupplierChange {
    /// The company.
    pub name: Option<Name>,
    /// Whether it may post.
    pub status: Option<Status>,
    /// What it may post to.
    pub categories: Option<Categories>,
    /// How fast it may post.
    pub posts_per_second: Option<PostsPerSecond>,
}

/// A key that was just made.
#[derive(Debug, Clone)]
pub struct KeyMaterial {
    /// Its id, made by the caller.
    pub id: ApiKeyId,
    /// SHA-256 of its text.
    pub sha256: [u8; 32],
    /// Its first characters.
    pub hint: String,
}

impl Supplier {
    /// The keys that work at `now`.
    pub fn live_keys(&self, now: DateTime<Utc>) -> impl Iterator<Item = &ApiKey> {
        self.keys.iter().filter(move |key| key.is_live(now))
    }

    /// The supplier after the change, one version on; `None` when the change changes nothing.
    ///
    /// # Errors
    /// [`Refusal::Archived`].
    pub fn changed(&self, change: SupplierChange) -> Result<Option<Self>, Refusal> {
        let mut next = Self {
            name: change.name.unwrap_or_else(|| self.name.clone()),
            status: change.status.unwrap_or(self.status),
            categories: change.categories.unwrap_or_else(|| self.categories.clone()),
            posts_per_second: change.posts_per_second.unwrap_or(self.posts_per_second),
            ..self.clone()
        };
        if next == *self {
            return Ok(None);
        }
        self.status.changeable("supplier")?;
        next.version += 1;
        Ok(Some(next))
    }

    /// The supplier with one more key.
    ///
    /// # Errors
    /// [`Refusal::Archived`], [`Refusal::KeyExists`] or [`Refusal::TooManyKeys`].
    pub fn with_key(&self, key: KeyMaterial, now: DateTime<Utc>) -> Result<Self, Refusal> {
        self.status.changeable("supplier")?;
        if self.keys.iter().any(|old| old.id == key.id) {
            return Err(Refusal::KeyExists);
        }
        if self.live_keys(now).count() >= MAX_LIVE_KEYS {
            return Err(Refusal::TooManyKeys { max: MAX_LIVE_KEYS });
        }
        let mut next = self.clone();
        next.version += 1;
        next.keys.push(ApiKey {
            id: key.id,
            sha256: key.sha256,
            hint: key.hint,
            created_at: now,
            expires_at: None,
            revoked_at: None,
        });
        Ok(next)
    }

    /// The supplier with a new key, whose other keys stop working after `overlap_seconds` (or when
    /// they would anyway, if that is sooner).
    ///
    /// # Errors
    /// As [`Supplier::with_key`]; [`Refusal::Invalid`] for an overlap of more than 30 days.
    pub fn rotated(&self, key: KeyMaterial, overlap_seconds: u32, now: DateTime<Utc>) -> Result<Self, Refusal> {
        if overlap_seconds > MAX_OVERLAP_SECONDS {
            let reason = Reason::Range { min: 0, max: MAX_OVERLAP_SECONDS };
            return Err(Invalid::new("overlap_seconds", reason).into());
        }
        let end = now + TimeDelta::seconds(overlap_seconds.into());
        let mut next = self.clone();
        for old in next.keys.iter_mut().filter(|old| old.is_live(now)) {
            old.expires_at = Some(old.expires_at.map_or(end, |before| before.min(end)));
        }
        next.with_key(key, now)
    }

    /// The supplier without that key; `None` when it was revoked before. An archived supplier's
    /// keys can be revoked too.
    ///
    /// # Errors
    /// [`Refusal::KeyUnknown`].
    pub fn without_key(&self, id: ApiKeyId, now: DateTime<Utc>) -> Result<Option<Self>, Refusal> {
        let mut next = self.clone();
        let key = next.keys.iter_mut().find(|key| key.id == id).ok_or(Refusal::KeyUnknown)?;
        if key.revoked_at.is_some() {
            return Ok(None);
        }
        key.revoked_at = Some(now);
        next.version += 1;
        Ok(Some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    fn supplier() -> Supplier {
        NewSupplier {
            id: SupplierId::new(),
            name: Name::parse("name", "Leads Inc").unwrap(),
            categories: Categories::default(),
            posts_per_second: PostsPerSecond::default(),
        }
        .into_supplier(SellerId::new())
    }

    fn key(number: u8) -> KeyMaterial {
        KeyMaterial { id: ApiKeyId::derive(&[&[number]]), sha256: [number; 32], hint: format!("sk_{number}") }
    }

    fn live(supplier: &Supplier, now: DateTime<Utc>) -> Vec<u8> {
        supplier.live_keys(now).map(|key| key.sha256[0]).collect()
    }

    #[test]
    fn categories_are_a_set() {
        let (a, b) = (CategoryId::derive(&[b"a"]), CategoryId::derive(&[b"b"]));
        assert_eq!(Categories::new(vec![a, b, a]), Categories::new(vec![b, a]));
        assert!(Categories::new((0..501_u32).map(|n| CategoryId::derive(&[&n.to_be_bytes()])).collect()).is_err());
    }

    #[test]
    fn no_more_keys_work_than_may() {
        let mut supplier = supplier();
        for number in 0..5 {
            supplier = supplier.with_key(key(number), at(0)).unwrap();
        }
        assert_eq!(supplier.version, 6);
        assert_eq!(supplier.with_key(key(9), at(0)), Err(Refusal::TooManyKeys { max: 5 }));
        let freed = supplier.without_key(key(0).id, at(1)).unwrap().unwrap();
        assert_eq!(live(&freed.with_key(key(9), at(1)).unwrap(), at(1)), [1, 2, 3, 4, 9]);
    }

    #[test]
    fn a_keys_id_is_used_once() {
        let supplier = supplier().with_key(key(1), at(0)).unwrap();
        assert_eq!(supplier.with_key(key(1), at(1)), Err(Refusal::KeyExists));
        let revoked = supplier.without_key(key(1).id, at(1)).unwrap().unwrap();
        assert_eq!(revoked.with_key(key(1), at(2)), Err(Refusal::KeyExists));
    }

    #[test]
    fn after_a_rotation_the_old_key_works_for_the_overlap() {
        let rotated = supplier().with_key(key(1), at(0)).unwrap().rotated(key(2), 60, at(10)).unwrap();
        assert_eq!(live(&rotated, at(69)), [1, 2]);
        assert_eq!(live(&rotated, at(70)), [2]);
    }

    #[test]
    fn a_rotation_without_overlap_ends_the_old_keys_at_once() {
        let mut full = supplier();
        for number in 0..5 {
            full = full.with_key(key(number), at(0)).unwrap();
        }
        assert_eq!(full.rotated(key(9), 1, at(1)), Err(Refusal::TooManyKeys { max: 5 }));
        assert_eq!(live(&full.rotated(key(9), 0, at(1)).unwrap(), at(1)), [9]);
    }

    #[test]
    fn a_second_rotation_does_not_lengthen_the_first_ones_overlap() {
        let once = supplier().with_key(key(1), at(0)).unwrap().rotated(key(2), 60, at(0)).unwrap();
        let twice = once.rotated(key(3), 600, at(10)).unwrap();
        assert_eq!(live(&twice, at(59)), [1, 2, 3]);
        assert_eq!(live(&twice, at(60)), [2, 3]);
    }

    #[test]
    fn an_overlap_is_at_most_thirty_days() {
        let supplier = supplier();
        assert!(supplier.rotated(key(1), MAX_OVERLAP_SECONDS, at(0)).is_ok());
        assert!(matches!(
            supplier.rotated(key(1), MAX_OVERLAP_SECONDS + 1, at(0)),
            Err(Refusal::Invalid(i)) if i.field == "overlap_seconds"
        ));
    }

    #[test]
    fn revoking_is_at_once_and_can_be_repeated() {
        let supplier = supplier().with_key(key(1), at(0)).unwrap();
        let revoked = supplier.without_key(key(1).id, at(5)).unwrap().unwrap();
        assert_eq!(live(&revoked, at(5)), [0_u8; 0]);
        assert_eq!(revoked.without_key(key(1).id, at(6)), Ok(None));
        assert_eq!(revoked.without_key(key(2).id, at(6)), Err(Refusal::KeyUnknown));
    }

    #[test]
    fn an_archived_supplier_gets_no_keys_but_can_lose_them() {
        let supplier = supplier().with_key(key(1), at(0)).unwrap();
        let archived = Supplier { status: Status::Archived, ..supplier };
        assert_eq!(archived.with_key(key(2), at(1)), Err(Refusal::Archived { what: "supplier" }));
        assert_eq!(archived.rotated(key(2), 0, at(1)), Err(Refusal::Archived { what: "supplier" }));
        assert!(archived.without_key(key(1).id, at(1)).unwrap().is_some());
    }
}
