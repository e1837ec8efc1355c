//! Rows in order of their making, which remember what changed, so that a file can follow.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Something with an id.
pub(super) trait Row: Serialize + DeserializeOwned {
    /// Its table's name in the file.
    const TABLE: &'static str;

    fn id(&self) -> &str;
}

/// A row that was made, changed or taken away since it was last asked.
#[derive(Debug, Clone, PartialEq, Serialize, serde::Deserialize)]
pub struct Change {
    /// The table.
    #[serde(rename = "t")]
    pub(super) table: String,
    /// The place in the table.
    #[serde(rename = "s")]
    pub(super) seq: u64,
    /// The row; none was taken away.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(super) row: Option<Value>,
}

/// Rows by place and by id.
#[derive(Debug, Clone)]
pub(super) struct Table<T> {
    rows: BTreeMap<u64, T>,
    places: HashMap<String, u64>,
    next: u64,
    changed: BTreeSet<u64>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), places: HashMap::new(), next: 1, changed: BTreeSet::new() }
    }
}

impl<T: Row> Table<T> {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Puts a new row at the end, in the place of one with its id.
    pub(super) fn insert(&mut self, row: T) {
        self.remove(row.id());
        let seq = self.next;
        self.next += 1;
        self.places.insert(row.id().to_owned(), seq);
        self.rows.insert(seq, row);
        self.changed.insert(seq);
    }

    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.rows.get(self.places.get(id)?)
    }

    /// For changing it.
    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut T> {
        let seq = *self.places.get(id)?;
        self.changed.insert(seq);
        self.rows.get_mut(&seq)
    }

    pub(super) fn place(&self, id: &str) -> Option<u64> {
        self.places.get(id).copied()
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<T> {
        let seq = self.places.remove(id)?;
        self.changed.insert(seq);
        self.rows.remove(&seq)
    }

    /// Takes the oldest away.
    pub(super) fn remove_oldest(&mut self) -> Option<T> {
        let id = self.oldest()?.id().to_owned();
        self.remove(&id)
    }

    pub(super) fn oldest(&self) -> Option<&T> {
        self.rows.values().next()
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.rows.values()
    }

    /// Oldest first, with places.
    pub(super) fn places(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.rows.iter().map(|(seq, row)| (*seq, row))
    }

    /// Moves what changed since the last call into `into`.
    pub(super) fn drain(&mut self, into: &mut Vec<Change>) {
        for seq in std::mem::take(&mut self.changed) {
            into.push(self.change(seq));
        }
    }

    /// Every row, as if all were new.
    pub(super) fn dump(&self, into: &mut Vec<Change>) {
        into.extend(self.rows.keys().map(|seq| self.change(*seq)));
    }

    fn change(&self, seq: u64) -> Change {
        // Rows are made of texts, numbers and maps by text: they can always be written.
        let row = self.rows.get(&seq).and_then(|row| serde_json::to_value(row).ok());
        Change { table: T::TABLE.to_owned(), seq, row }
    }

    /// Takes over a change that was written before; false: it is not this table's.
    pub(super) fn restore(&mut self, change: &Change) -> Result<bool, serde_json::Error> {
        if change.table != T::TABLE {
            return Ok(false);
        }
        self.next = self.next.max(change.seq + 1);
        if let Some(old) = self.rows.remove(&change.seq) {
            self.places.remove(old.id());
        }
        if let Some(row) = &change.row {
            let row: T = serde_json::from_value(row.clone())?;
            self.places.insert(row.id().to_owned(), change.seq);
            self.rows.insert(change.seq, row);
        }
        Ok(true)
    }
}
