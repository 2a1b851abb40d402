use std::collections::HashSet;
use std::time::Duration;

use rustix::io::Errno;

use super::list::records;
use super::place::Place;
use super::{Id, Record, Trash, TrashError};
use crate::fs::Time;

/// Which entries are to go: those that any of the conditions names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    pub ids: Vec<Id>,
    pub older_than: Option<Duration>,
    /// The oldest, until each mount's trash holds at most so many bytes.
    pub shrink_to: Option<u64>,
    pub all: bool,
}

impl Trash {
    /// Removes entries for ever, and returns their records, oldest first.
    ///
    /// # Errors
    /// An object cannot be removed (immutable), or a trash folder not be read. Entries removed until
    /// then are gone.
    pub fn purge(&self, selection: &Selection) -> Result<Vec<Record>, TrashError> {
        let mut purged = Vec::new();
        for place in self.all() {
            let gone = purge_place(&place, selection).map_err(TrashError::refused(&place.path, "purge"))?;
            purged.extend(gone);
        }
        purged.sort_by_key(|record| record.id);
        Ok(purged)
    }

    /// Removes what is older than the policy's `max_age`.
    ///
    /// # Errors
    /// As [`Trash::purge`].
    pub fn purge_expired(&self) -> Result<Vec<Record>, TrashError> {
        match self.limits.max_age {
            Some(age) => self.purge(&Selection {
                older_than: Some(age),
                ..Selection::default()
            }),
            None => Ok(Vec::new()),
        }
    }
}

fn purge_place(place: &Place, selection: &Selection) -> Result<Vec<Record>, Errno> {
    let locked = place.lock()?;
    let mut present = records(place)?;
    present.sort_by_key(|record| record.id);
    let oldest = selection.older_than.map(|age| Time::now().before(age));
    let named: HashSet<Id> = selection.ids.iter().copied().collect();
    let mut held: u64 = present.iter().map(|record| record.charge).sum();
    let mut purged = Vec::new();
    for record in present {
        let chosen = selection.all
            || named.contains(&record.id)
            || oldest.is_some_and(|oldest| record.time < oldest)
            || selection.shrink_to.is_some_and(|bytes| held > bytes);
        if chosen {
            locked.expunge(&record.id, record.charge)?;
            held -= record.charge;
            purged.push(record);
        }
    }
    locked.set_used(held)?;
    drop(locked); // deletions need not wait for the removal of what is out of the books
    place.sweep()?;
    Ok(purged)
}
