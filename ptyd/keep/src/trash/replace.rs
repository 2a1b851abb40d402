use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, OFlags};
use rustix::io::Errno;

use super::discard::names_count;
use super::place::Place;
use super::record::Draft;
use super::{Cause, How, Kept, Meta, Trash, TrashError};
use crate::fs::{ENTRY_COST, Kind, Stat, make_like, open_contents, stat};

impl Trash {
    /// Keeps `name` in `parent`, over which something is about to be renamed: the object gets a
    /// second name in the trash, whatever its size, and stays where it is, so that the rename
    /// replaces it atomically as ever. Where a second name cannot be had (`protected_hardlinks`,
    /// other mounts), or names may be counted (`names_count`), the object is copied. If the rename then fails, call
    /// [`Trash::retract`].
    ///
    /// # Errors
    /// The object is not kept, and the rename is to be refused: see [`TrashError::errno`]. ENOENT:
    /// there is nothing to keep.
    pub fn keep_replaced(
        &self,
        parent: BorrowedFd,
        name: &CStr,
        original: &Path,
        meta: &Meta,
    ) -> Result<Kept, TrashError> {
        self.in_lasting_places(original, || self.keep_replaced_once(parent, name, original, meta))
    }

    fn keep_replaced_once(
        &self,
        parent: BorrowedFd,
        name: &CStr,
        original: &Path,
        meta: &Meta,
    ) -> Result<Kept, TrashError> {
        let refused = |errno| TrashError::refused(original, "keep")(errno);
        let found = stat(parent, name).map_err(refused)?;
        let draft = Draft {
            original,
            meta,
            cause: Cause::Replaced,
        };
        let place = self.place_on_mount(found.mount, parent).map_err(refused)?;
        match (&place, found.kind) {
            // Only an empty folder can be replaced.
            (_, Kind::Dir) => self.describe_dir(
                &place.unwrap_or_else(|| self.home()),
                parent,
                name,
                &found,
                &draft,
                || Ok(()),
            ),
            (Some(place), _) if names_count(&found) => match self.copy_in(place, parent, name, &found, &draft) {
                Err(error) if error.is_beyond_copies() => self.link_in(place, parent, name, &found, &draft),
                kept => kept,
            },
            (Some(place), _) => match self.link_in(place, parent, name, &found, &draft) {
                Err(TrashError::Refused {
                    errno: Errno::PERM | Errno::XDEV | Errno::MLINK | Errno::OPNOTSUPP,
                    ..
                }) => self.copy_in(place, parent, name, &found, &draft),
                kept => kept,
            },
            (None, _) => self.copy_in(&self.home(), parent, name, &found, &draft),
        }
    }

    fn link_in(
        &self,
        place: &Arc<Place>,
        parent: BorrowedFd,
        name: &CStr,
        found: &Stat,
        draft: &Draft,
    ) -> Result<Kept, TrashError> {
        let record = draft.record(found, How::Linked, found.allocated + ENTRY_COST);
        self.admit(place, record, |id| {
            rustix::fs::linkat(parent, name, &place.files, id, AtFlags::empty())
        })
    }

    /// Copies anything but a folder into a place; the original stays.
    pub(super) fn copy_in(
        &self,
        place: &Arc<Place>,
        parent: BorrowedFd,
        name: &CStr,
        found: &Stat,
        draft: &Draft,
    ) -> Result<Kept, TrashError> {
        let refused = |errno| TrashError::refused(draft.original, "copy to the trash")(errno);
        if found.kind == Kind::File {
            let file = open_contents(parent, name, OFlags::NOFOLLOW).map_err(refused)?;
            if !crate::fs::stat_fd(&file).map_err(refused)?.same_object(found) {
                return Err(refused(Errno::BUSY));
            }
            let kept = self.copy_file(place, file.as_fd(), found, draft)?;
            return kept.ok_or_else(|| TrashError::NoPlace {
                path: draft.original.to_owned(),
            });
        }
        let record = draft.record(found, How::Copied, ENTRY_COST);
        self.admit(place, record, |id| {
            make_like(parent, name, found, place.files.as_fd(), id)
        })
    }

    /// Takes back what was kept for an operation that then failed. Only what left the original in
    /// place can be taken back.
    ///
    /// # Errors
    /// The entry was moved, not copied, or is gone.
    pub fn retract(&self, kept: &Kept) -> Result<(), TrashError> {
        let id = kept.record.id;
        let place = self.all().into_iter().find(|place| place.path == kept.place);
        let Some(place) = place.filter(|_| kept.record.how != How::Moved) else {
            return Err(TrashError::Unknown(id.to_string()));
        };
        let removed = place.lock().and_then(|locked| {
            locked.expunge(&id, kept.record.charge)?;
            place.sweep()
        });
        removed.map_err(TrashError::refused(&place.path, "take back"))
    }
}
