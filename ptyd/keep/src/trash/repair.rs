use std::collections::HashSet;
use std::ffi::CStr;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::list::{lost, read, records};
use super::place::{Locked, Place, write_info};
use super::{Id, Trash, TrashError};
use crate::fs::{names, stat};

/// What [`Trash::repair`] found and put right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Objects without a record: they have one now, without an origin.
    pub recovered: usize,
    /// Records without an object: the deletion had not happened, or the restore had.
    pub withdrawn: usize,
    /// Copies and removals that were not finished.
    pub swept: usize,
}

impl Trash {
    /// Puts right what killed processes left behind. Call it when a broker starts.
    ///
    /// # Errors
    /// A trash folder cannot be read or written.
    pub fn repair(&self) -> Result<Repaired, TrashError> {
        let mut repaired = Repaired::default();
        for place in self.all() {
            repair_place(&place, &mut repaired).map_err(TrashError::refused(&place.path, "repair"))?;
        }
        Ok(repaired)
    }
}

fn repair_place(place: &Place, repaired: &mut Repaired) -> Result<(), Errno> {
    let locked = place.lock()?;
    locked.settle(usize::MAX)?;
    let objects: HashSet<Id> = names(&place.files)?
        .iter()
        .filter_map(|name| Id::parse(name.to_bytes()))
        .collect();
    let mut known = HashSet::new();
    for name in names(&place.info)? {
        let id = name.to_bytes().strip_suffix(b".trashinfo").and_then(Id::parse);
        match id.filter(|id| objects.contains(id) && read(place, *id).is_some()) {
            Some(id) => drop(known.insert(id)),
            None => {
                rustix::fs::unlinkat(&place.info, &name, AtFlags::empty())?;
                repaired.withdrawn += usize::from(!id.is_some_and(|id| objects.contains(&id)));
            }
        }
    }
    for id in objects.difference(&known) {
        let found = stat(&place.files, &id.file_name())?;
        write_info(place.info.as_fd(), &lost(place, *id, &found)?)?;
        repaired.recovered += 1;
    }
    repaired.swept += abandoned(place)? + names(&place.expunged)?.len();
    place.sweep()?;
    recount(place, &locked)
}

/// Removes copies whose makers are gone.
fn abandoned(place: &Place) -> Result<usize, Errno> {
    let mut count = 0;
    for name in names(&place.incoming)? {
        if !being_made(place, &name) {
            rustix::fs::unlinkat(&place.incoming, &name, AtFlags::empty())?;
            count += 1;
        }
    }
    Ok(count)
}

fn being_made(place: &Place, name: &CStr) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(&place.incoming, name, flags, Mode::empty())
        .and_then(|file| rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive))
        .is_err_and(|errno| errno == Errno::WOULDBLOCK)
}

/// Counts anew what the place holds.
fn recount(place: &Place, locked: &Locked) -> Result<(), Errno> {
    let total = records(place)?.iter().map(|record| record.charge).sum();
    locked.set_used(total)
}
