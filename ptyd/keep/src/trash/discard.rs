use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, RenameFlags};
use rustix::io::Errno;

use super::place::Place;
use super::record::Draft;
use super::{Cause, How, Kept, Meta, Trash, TrashError};
use crate::fs::{Attributes, ENTRY_COST, Kind, Stat, apply, attributes, open_dir, stat, tree_charge};

/// Programs take locks by giving a small file a second name and counting its names (gpg, mail programs): the name that
/// goes must go, so that files up to this size, in bytes, which have other names are copied instead of moved; so is what
/// has no bytes, a FIFO or a link.
const LOCK_SIZE: u64 = 4096;

/// Whether the name of such an object must go when it is deleted or replaced.
pub(super) fn names_count(found: &Stat) -> bool {
    let is_small = match found.kind {
        Kind::Dir => false,
        Kind::File => found.size <= LOCK_SIZE,
        _ => true,
    };
    is_small && found.nlink > 1
}

/// What kind of deletion was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// `unlink(2)`: anything but a folder.
    Unlink,
    /// `rmdir(2)`: an empty folder.
    Rmdir,
    /// Anything, a folder with all that is in it.
    Tree,
}

impl Trash {
    /// Moves `name` in the folder `parent` to the trash, in place of deleting it.
    ///
    /// `original` is the resolved path for the record; it is used for nothing else here. The object
    /// is renamed, so that owner, times, links and attributes stay what they were; if the
    /// kernel would refuse the deletion it refuses the rename (sticky and immutable objects,
    /// folders that may not be written). An empty folder is described and then really removed. Where
    /// the mount can have no trash, a file or link is copied to the home place first; a small file with other
    /// names is copied too, and so is a FIFO, a link or a device with other names.
    ///
    /// # Errors
    /// The deletion is refused and nothing is done: with the kernel's error number, or EDQUOT if the
    /// trash is full. See [`TrashError::errno`].
    pub fn discard(
        &self,
        parent: BorrowedFd,
        name: &CStr,
        removal: Removal,
        original: &Path,
        meta: &Meta,
    ) -> Result<Kept, TrashError> {
        self.in_lasting_places(original, || self.discard_once(parent, name, removal, original, meta))
    }

    fn discard_once(
        &self,
        parent: BorrowedFd,
        name: &CStr,
        removal: Removal,
        original: &Path,
        meta: &Meta,
    ) -> Result<Kept, TrashError> {
        let refused = |errno| TrashError::refused(original, "delete")(errno);
        if name.is_empty() || name.to_bytes().contains(&b'/') || matches!(name.to_bytes(), b"." | b"..") {
            return Err(refused(Errno::INVAL));
        }
        let found = stat(parent, name).map_err(refused)?;
        let draft = Draft {
            original,
            meta,
            cause: Cause::Removed,
        };
        let place = self.place_on_mount(found.mount, parent).map_err(refused)?;
        match (removal, found.kind) {
            (Removal::Unlink, Kind::Dir) => Err(refused(Errno::ISDIR)),
            (Removal::Rmdir, Kind::Dir) => self.remove_empty(place.as_ref(), parent, name, &found, &draft),
            (Removal::Rmdir, _) => Err(refused(Errno::NOTDIR)),
            _ => self.move_in(place.as_ref(), parent, name, &found, &draft),
        }
    }

    fn move_in(
        &self,
        place: Option<&Arc<Place>>,
        parent: BorrowedFd,
        name: &CStr,
        found: &Stat,
        draft: &Draft,
    ) -> Result<Kept, TrashError> {
        let Some(place) = place else {
            return self.copy_out(&self.home(), parent, name, found, draft);
        };
        if names_count(found) {
            match self.copy_out(place, parent, name, found, draft) {
                // It is moved.
                Err(error) if error.is_beyond_copies() => {}
                kept => return kept,
            }
        }
        let charge = tree_charge(parent, name, found).map_err(TrashError::refused(draft.original, "measure"))?;
        let record = draft.record(found, How::Moved, charge);
        let kept = self.admit(place, record, |id| {
            rustix::fs::renameat_with(parent, name, &place.files, id, RenameFlags::NOREPLACE)
        });
        match kept {
            // One mount, and still two worlds: project quotas, encrypted folders, overlay layers.
            Err(TrashError::Refused { errno: Errno::XDEV, .. }) => {
                self.copy_out(&self.home(), parent, name, found, draft)
            }
            kept => kept,
        }
    }

    /// Copies a file or link to a place and then deletes it.
    fn copy_out(
        &self,
        place: &Arc<Place>,
        parent: BorrowedFd,
        name: &CStr,
        found: &Stat,
        draft: &Draft,
    ) -> Result<Kept, TrashError> {
        let kept = self.copy_in(place, parent, name, found, draft)?;
        // Not deleted if another object has taken the name meanwhile: that one is not kept.
        let removed = stat(parent, name).and_then(|now| match now.same_object(found) {
            true => rustix::fs::unlinkat(parent, name, AtFlags::empty()),
            false => Err(Errno::BUSY),
        });
        if let Err(errno) = removed {
            self.retract(&kept)?;
            return Err(TrashError::refused(draft.original, "delete")(errno));
        }
        Ok(kept)
    }

    fn remove_empty(
        &self,
        place: Option<&Arc<Place>>,
        parent: BorrowedFd,
        name: &CStr,
        found: &Stat,
        draft: &Draft,
    ) -> Result<Kept, TrashError> {
        let place = place.map_or_else(|| self.home(), Arc::clone);
        self.describe_dir(&place, parent, name, found, draft, || {
            rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
        })
    }

    /// Keeps the attributes of a folder, then does `finish`; if that fails nothing is kept.
    pub(super) fn describe_dir(
        &self,
        place: &Arc<Place>,
        parent: BorrowedFd,
        name: &CStr,
        found: &Stat,
        draft: &Draft,
        finish: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<Kept, TrashError> {
        let record = draft.record(found, How::Described, ENTRY_COST);
        self.admit(place, record, |id| {
            let told = attributes(parent, name, found)?;
            rustix::fs::mkdirat(&place.files, id, Mode::RWXU)?;
            // Owner, mode and times stand in the record; only extended attributes need a carrier.
            let done = keep_xattrs(place.files.as_fd(), id, told).and_then(|()| finish());
            if done.is_err() {
                let _ = rustix::fs::unlinkat(&place.files, id, AtFlags::REMOVEDIR);
            }
            done
        })
    }
}

fn keep_xattrs(files: BorrowedFd, id: &CStr, told: Attributes) -> Result<(), Errno> {
    if told.xattrs.is_empty() {
        return Ok(());
    }
    let dir = open_dir(files, id)?;
    let own = crate::fs::stat_fd(&dir)?;
    let wanted = Attributes {
        mode: own.mode,
        uid: own.uid,
        gid: own.gid,
        ..told
    };
    apply(dir.as_fd(), &wanted).map(|_| ())
}
