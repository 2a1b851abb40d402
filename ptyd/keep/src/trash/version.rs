use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::place::Place;
use super::record::Draft;
use super::{Cause, How, Kept, Meta, Trash, TrashError};
use crate::fs::{
    Contents, ENTRY_COST, Kind, Stat, apply, attributes_fd, copy_contents, open_absolute, path_of, reopen, stat_fd,
};

/// What became of the version that an operation is about to overwrite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    Kept(Box<Kept>),
    /// The operation may go on; the event says that its victim was not kept, and why.
    NotKept {
        reason: NotKept,
    },
}

/// Why a version was not kept although nothing failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    #[error("the file was empty")]
    Empty,
    #[error("not a regular file")]
    NotRegular,
    #[error("{size} bytes, more than version_size_limit ({limit}), and no shared blocks on this file system")]
    TooLarge { size: u64, limit: u64 },
}

impl NotKept {
    /// One word for the record.
    pub fn word(&self) -> &'static str {
        match self {
            NotKept::Empty => "empty",
            NotKept::NotRegular => "not_regular",
            NotKept::TooLarge { .. } => "too_large",
        }
    }
}

impl Trash {
    /// Keeps the contents of an open file before O_TRUNC, truncation to less, or a `fallocate(2)` that
    /// punches, zeroes or collapses. `file` may be opened in any way, also with O_PATH. Blocks are
    /// shared where the file system can (`FICLONE`), else copied up to `version_size_limit`.
    ///
    /// # Errors
    /// The version should have been kept and could not be (no space, quota, or the file may be written and not
    /// read): the operation is to be refused with [`TrashError::errno`].
    pub fn keep_version(&self, file: BorrowedFd, original: &Path, meta: &Meta) -> Result<Version, TrashError> {
        self.in_lasting_places(original, || self.keep_version_once(file, original, meta))
    }

    /// Fills the empty file `to` as a version of `from` is filled.
    ///
    /// # Errors
    /// `EFBIG` where no blocks are shared and it has more than `version_size_limit`; those of reading and writing.
    pub fn fill(&self, from: BorrowedFd, to: BorrowedFd) -> Result<(), Errno> {
        let size = stat_fd(from)?.size;
        match copy_contents(from, to, size, self.limits.version_size_limit)? {
            Contents::TooLarge => Err(Errno::FBIG),
            Contents::Reflinked | Contents::Copied => Ok(()),
        }
    }

    fn keep_version_once(&self, file: BorrowedFd, original: &Path, meta: &Meta) -> Result<Version, TrashError> {
        let refused = |errno| TrashError::refused(original, "keep a version")(errno);
        let found = stat_fd(file).map_err(refused)?;
        if found.kind != Kind::File {
            return Ok(Version::NotKept {
                reason: NotKept::NotRegular,
            });
        }
        // What was empty when it lost its name, as programs make themselves a file that nobody else sees, has nothing
        // that anybody could miss.
        let was_empty =
            || path_of(file).is_ok_and(|path| self.moved_here(&path).is_some_and(|record| record.size == 0));
        if found.size == 0 || was_empty() {
            return Ok(Version::NotKept { reason: NotKept::Empty });
        }
        // A file that its user may write and not read would be lost without a copy.
        let readable = reopen(file).map_err(refused)?;
        let place = self.place_near(&found, original, file).unwrap_or_else(|| self.home());
        let draft = Draft {
            original,
            meta,
            cause: Cause::Truncated,
        };
        let limit = self.limits.version_size_limit;
        Ok(match self.copy_file(&place, readable.as_fd(), &found, &draft)? {
            Some(kept) => Version::Kept(Box::new(kept)),
            None => Version::NotKept {
                reason: NotKept::TooLarge {
                    size: found.size,
                    limit,
                },
            },
        })
    }

    /// The place on a file's mount. A file descriptor does not lead to its mount's top, so its folder
    /// is sought by name; a wrong answer costs a shared block, never a version.
    fn place_near(&self, found: &Stat, original: &Path, file: BorrowedFd) -> Option<Arc<Place>> {
        if let Some(place) = self.all().into_iter().find(|place| place.mount == found.mount) {
            return Some(place);
        }
        let candidates = [path_of(file).ok()?, original.to_owned()];
        candidates
            .iter()
            .filter_map(|path| open_absolute(path.parent()?, true).ok())
            .find_map(|dir| {
                let same = stat_fd(&dir).is_ok_and(|stat| stat.mount == found.mount);
                same.then(|| self.place_on_mount_of(dir.as_fd()).ok().flatten())
                    .flatten()
            })
    }

    /// Copies a file into a place; none if it is too large to be copied.
    pub(super) fn copy_file(
        &self,
        place: &Arc<Place>,
        file: BorrowedFd,
        found: &Stat,
        draft: &Draft,
    ) -> Result<Option<Kept>, TrashError> {
        let refused = |errno| TrashError::refused(draft.original, "copy to the trash")(errno);
        // The copy is made outside the lock, where no other deletion waits for it.
        let charge = found.allocated + ENTRY_COST;
        let used = place.lock().and_then(|locked| locked.used()).map_err(refused)?;
        self.check_room(place, used.unwrap_or(0), charge)?;
        let record = draft.record(found, How::Copied, charge);
        let name = record.id.file_name();
        let drop_copy = || {
            let _ = rustix::fs::unlinkat(&place.incoming, &name, AtFlags::empty());
        };
        let result = receive(place, &name, file, found, self.limits.version_size_limit);
        let how = match &result {
            Ok((_, Contents::Reflinked)) => How::Reflinked,
            Ok((_, Contents::Copied)) => How::Copied,
            Ok((_, Contents::TooLarge)) => {
                drop_copy();
                return Ok(None);
            }
            Err(errno) => {
                drop_copy();
                return Err(refused(*errno));
            }
        };
        let kept = self.admit(place, super::Record { how, ..record }, |id| {
            rustix::fs::renameat_with(&place.incoming, &name, &place.files, id, RenameFlags::NOREPLACE)
        });
        if kept.is_err() {
            drop_copy();
        }
        kept.map(Some)
    }
}

/// Makes a copy in `incoming/`. It stays locked while its descriptor is open: repair leaves it alone.
fn receive(
    place: &Place,
    name: &std::ffi::CStr,
    file: BorrowedFd,
    found: &Stat,
    limit: u64,
) -> Result<(OwnedFd, Contents), Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let copy = rustix::fs::openat(&place.incoming, name, flags, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::flock(&copy, FlockOperation::LockExclusive)?;
    let contents = copy_contents(file, &copy, found.size, limit)?;
    if contents != Contents::TooLarge {
        apply(copy.as_fd(), &attributes_fd(file, found)?)?;
    }
    Ok((copy, contents))
}
