//! What changed, for a file that follows, and back from it.

use super::{core::Core, ids::Ids, table::Change};

const IDS: &str = "ids";

impl Core {
    /// What changed since the last call of this.
    pub fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        self.customers.drain(&mut changes);
        self.methods.drain(&mut changes);
        self.setups.drain(&mut changes);
        self.intents.drain(&mut changes);
        self.charges.drain(&mut changes);
        self.refunds.drain(&mut changes);
        self.disputes.drain(&mut changes);
        self.movements.drain(&mut changes);
        self.events.drain(&mut changes);
        self.keys.drain(&mut changes);
        self.webhooks.drain(&mut changes);
        // Ids of requests alone are of no interest to a file.
        if !changes.is_empty() && self.ids_written.as_ref() != Some(&self.ids) {
            changes.push(self.ids_change());
            self.ids_written = Some(self.ids.clone());
        }
        changes
    }

    /// Everything there is, as if all of it had just been made.
    #[must_use]
    pub fn dump(&self) -> Vec<Change> {
        let mut changes = vec![self.ids_change()];
        self.customers.dump(&mut changes);
        self.methods.dump(&mut changes);
        self.setups.dump(&mut changes);
        self.intents.dump(&mut changes);
        self.charges.dump(&mut changes);
        self.refunds.dump(&mut changes);
        self.disputes.dump(&mut changes);
        self.movements.dump(&mut changes);
        self.events.dump(&mut changes);
        self.keys.dump(&mut changes);
        self.webhooks.dump(&mut changes);
        changes
    }

    /// Takes a change over that another one wrote.
    ///
    /// # Errors
    /// When it is of no known form.
    pub fn restore(&mut self, change: &Change) -> Result<(), serde_json::Error> {
        if change.table == IDS {
            self.ids = serde_json::from_value::<Ids>(change.row.clone().unwrap_or_default())?;
            return Ok(());
        }
        // A table that this version does not know is left out.
        let _ = self.customers.restore(change)?
            || self.methods.restore(change)?
            || self.setups.restore(change)?
            || self.intents.restore(change)?
            || self.charges.restore(change)?
            || self.refunds.restore(change)? && {
                let id = change.row.as_ref().and_then(|row| row["id"].as_str());
                self.note_late(id.unwrap_or_default());
                true
            }
            || self.disputes.restore(change)?
            || self.movements.restore(change)?
            || self.events.restore(change)?
            || self.keys.restore(change)?
            || self.webhooks.restore(change)?;
        Ok(())
    }

    fn ids_change(&self) -> Change {
        // Two fields that can always be written.
        Change { table: IDS.to_owned(), seq: 0, row: serde_json::to_value(&self.ids).ok() }
    }
}
