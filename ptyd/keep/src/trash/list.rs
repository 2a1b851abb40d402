use std::collections::{HashMap, HashSet};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agentsh_protocol::Bytes;
use rustix::io::Errno;

use super::locate::read_small;
use super::place::Place;
use super::{Cause, How, Id, Meta, Record, Trash, TrashError, ledger};
use crate::fs::{names, stat, tree_charge};

/// An entry and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub record: Record,
    /// The kept object itself: readable from outside a session.
    pub file: PathBuf,
    /// The trash folder.
    pub place: PathBuf,
}

impl Trash {
    /// All entries, oldest first. Objects whose records were lost are among them, without an origin.
    ///
    /// # Errors
    /// A trash folder cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, TrashError> {
        let mut entries = Vec::new();
        for place in self.all() {
            let found = records(&place).map_err(TrashError::refused(&place.path, "list"))?;
            entries.extend(found.into_iter().map(|record| entry(&place, record)));
        }
        entries.sort_by_key(|entry| entry.record.id);
        Ok(entries)
    }

    /// The entry of this id, of which the first or last characters (at least four) are enough while
    /// they stand for one entry only.
    ///
    /// # Errors
    /// [`TrashError::Unknown`], [`TrashError::Ambiguous`].
    pub fn show(&self, id: &str) -> Result<Entry, TrashError> {
        if let Some(id) = Id::parse(id.as_bytes()) {
            return self.entry(id).map(|(_, entry)| entry);
        }
        let mut fitting = self.list()?.into_iter().filter(|entry| {
            let full = entry.record.id.to_string();
            id.len() >= 4 && (full.starts_with(id) || full.ends_with(id))
        });
        match (fitting.next(), fitting.next()) {
            (Some(entry), None) => Ok(entry),
            (None, _) => Err(TrashError::Unknown(id.to_owned())),
            (Some(_), Some(_)) => Err(TrashError::Ambiguous(id.to_owned())),
        }
    }

    /// What is on record of the object that was moved here and lies at this path now; none for any other path. A
    /// program that had it open still has it, and sees it there.
    pub fn moved_here(&self, path: &Path) -> Option<Record> {
        let (folder, name) = (path.parent()?, path.file_name()?);
        let place = self
            .all()
            .into_iter()
            .find(|place| folder == place.path.join("files"))?;
        let record = ledger::record_of(&place, Id::parse(name.as_bytes())?)?;
        (record.how == How::Moved).then_some(record)
    }

    /// The entry of an id with its place.
    pub(super) fn entry(&self, id: Id) -> Result<(Arc<Place>, Entry), TrashError> {
        for place in self.all() {
            if let Ok(found) = stat(&place.files, &id.file_name()) {
                let record = match ledger::record_of(&place, id) {
                    Some(record) => record,
                    None => lost(&place, id, &found).map_err(TrashError::refused(&place.path, "read"))?,
                };
                let entry = entry(&place, record);
                return Ok((place, entry));
            }
        }
        Err(TrashError::Unknown(id.to_string()))
    }
}

fn entry(place: &Place, record: Record) -> Entry {
    let file = place.path.join("files").join(record.id.to_string());
    Entry {
        record,
        file,
        place: place.path.clone(),
    }
}

/// The records of a place's objects. Objects come first: a record without one is a deletion that has
/// not happened.
pub(super) fn records(place: &Place) -> Result<Vec<Record>, Errno> {
    let ids: HashSet<Id> = names(&place.files)?
        .iter()
        .filter_map(|name| Id::parse(name.to_bytes()))
        .collect();
    let mut found = Vec::with_capacity(ids.len());
    let mut recent: HashMap<Id, Record> = ledger::unsettled(place)
        .into_iter()
        .map(|record| (record.id, record))
        .collect();
    for id in ids {
        // What is in neither has been deleted since the ledger was read, or was lost.
        let record = recent.remove(&id).or_else(|| read(place, id));
        match record.or_else(|| ledger::record_of(place, id)) {
            Some(record) => found.push(record),
            None => match stat(&place.files, &id.file_name()) {
                Ok(stat) => found.push(lost(place, id, &stat)?),
                Err(Errno::NOENT) => {} // restored or purged meanwhile
                Err(errno) => return Err(errno),
            },
        }
    }
    Ok(found)
}

/// The record of an entry, if there is a whole one.
pub(super) fn read(place: &Place, id: Id) -> Option<Record> {
    let text = read_small(place.info.as_fd(), &id.info_name()).ok()?;
    Record::from_info(&text).filter(|record| record.id == id)
}

/// What can be said of an object without a record.
pub(super) fn lost(place: &Place, id: Id, found: &crate::fs::Stat) -> Result<Record, Errno> {
    Ok(Record {
        id,
        time: found.ctime,
        original: None::<Bytes>,
        meta: Meta::default(),
        cause: Cause::Recovered,
        how: How::Moved,
        kind: found.kind,
        size: found.size,
        charge: tree_charge(place.files.as_fd(), &id.file_name(), found)?,
        mode: found.mode,
        uid: found.uid,
        gid: found.gid,
        mtime: found.mtime,
        links: found.nlink,
    })
}
