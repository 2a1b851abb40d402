//! The records of what was kept last, before each has a file of its own in `info/`.
//!
//! A deletion appends one line here and makes no file, which would cost as much as the deletion itself.
//! Settling, off the path of deletions, gives every record whose object is there its file. It may be
//! interrupted anywhere: what is not known to be settled is settled again.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;

use super::list::read;
use super::place::{Locked, Place, write_all, write_info};
use super::{Id, Record, Trash, TrashError};
use crate::fs::stat;

/// Records that are settled under one lock: a deletion waits for no more.
const CHUNK: usize = 128;

/// Appends a record. The line begins with a line end of its own, so that one which was cut short
/// spoils nothing but itself.
pub(super) fn append(ledger: BorrowedFd, record: &Record) -> Result<(), Errno> {
    let mut line = Vec::with_capacity(512);
    line.push(b'\n');
    serde_json::to_writer(&mut line, record).map_err(|_| Errno::INVAL)?;
    line.push(b'\n');
    write_all(ledger, &line)
}

/// The records from byte `from` on, each with the position behind it.
fn records_from(ledger: BorrowedFd, from: u64) -> Result<Vec<(Record, u64)>, Errno> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match rustix::io::retry_on_intr(|| rustix::io::pread(ledger, &mut buffer[..], from + bytes.len() as u64))? {
            0 => break,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    let mut at = from;
    let mut found = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        at += line.len() as u64;
        if let Ok(record) = serde_json::from_slice(line) {
            found.push((record, at));
        }
    }
    Ok(found)
}

/// The record of an entry that may have no file yet.
pub(super) fn record_of(place: &Place, id: Id) -> Option<Record> {
    // Settled between two looks it has one.
    read(place, id)
        .or_else(|| unsettled(place).into_iter().find(|record| record.id == id))
        .or_else(|| read(place, id))
}

/// All records of the ledger.
pub(super) fn unsettled(place: &Place) -> Vec<Record> {
    let found = records_from(place.ledger.as_fd(), 0).unwrap_or_default();
    found.into_iter().map(|(record, _)| record).collect()
}

impl Trash {
    /// Gives every record its file in `info/`, for other programs. Call it off the path of deletions.
    ///
    /// # Errors
    /// A record cannot be written; nothing is lost then.
    pub fn settle(&self) -> Result<(), TrashError> {
        self.make_anew(); // it may be that only `info/` was removed, which no deletion notices
        for place in self.all() {
            let settle = || -> Result<(), Errno> {
                while place.lock()?.settle(CHUNK)? {}
                Ok(())
            };
            settle().map_err(TrashError::refused(&place.path, "write the records"))?;
        }
        Ok(())
    }
}

impl Locked<'_> {
    /// Settles at most so many records; whether there are more.
    pub fn settle(&self, most: usize) -> Result<bool, Errno> {
        let ledger = self.place().ledger.as_fd();
        let length = u64::try_from(rustix::fs::fstat(ledger)?.st_size).unwrap_or(0);
        if length == 0 {
            return Ok(false);
        }
        let from = Some(self.settled()?).filter(|from| *from <= length).unwrap_or(0);
        let found = records_from(ledger, from)?;
        for (record, _) in found.iter().take(most) {
            self.give_file(record)?;
        }
        if found.len() > most {
            self.set_settled(found[most - 1].1)?;
            return Ok(true);
        }
        // In this order: in between everything is settled once more.
        self.set_settled(0)?;
        rustix::fs::ftruncate(ledger, 0)?;
        Ok(false)
    }

    fn give_file(&self, record: &Record) -> Result<(), Errno> {
        let place = self.place();
        match stat(&place.files, &record.id.file_name()) {
            Ok(_) => {}
            // It was not deleted after all, or is restored or purged.
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(errno),
        }
        match write_info(place.info.as_fd(), record) {
            Err(Errno::EXIST) if read(place, record.id).is_some() => Ok(()),
            Err(Errno::EXIST) => {
                rustix::fs::unlinkat(&place.info, record.id.info_name(), rustix::fs::AtFlags::empty())?;
                write_info(place.info.as_fd(), record)
            }
            written => written,
        }
    }
}
