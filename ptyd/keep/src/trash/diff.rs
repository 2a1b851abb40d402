use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{Id, Trash, TrashError};
use crate::compare::Side;
pub use crate::compare::{Diff, Digest};
use crate::fs::{open_absolute, reopen, stat_fd};

impl Trash {
    /// Compares a kept file with what is at its original place now: `-` is kept, `+` is present.
    ///
    /// # Errors
    /// The entry is unknown, has no origin, or one of the two cannot be read.
    pub fn diff(&self, id: Id) -> Result<Diff, TrashError> {
        let (place, entry) = self.entry(id)?;
        let original = entry.record.original().ok_or(TrashError::NoOrigin(id))?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let kept = rustix::fs::openat(&place.files, id.file_name(), flags, Mode::empty())
            .and_then(|fd| side(fd.as_fd()))
            .map_err(TrashError::refused(&entry.file, "read"))?;
        let present = match present(&original) {
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(Side::Absent),
            found => found,
        };
        let present = present.map_err(TrashError::refused(&original, "read"))?;
        Ok(crate::compare::diff(original.as_os_str().as_bytes(), kept, present))
    }
}

fn present(path: &Path) -> Result<Side, Errno> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::NOENT);
    };
    let dir = open_absolute(parent, false)?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    side(rustix::fs::openat(dir, name, flags, Mode::empty())?.as_fd())
}

fn side(object: std::os::fd::BorrowedFd) -> Result<Side, Errno> {
    let found = stat_fd(object)?;
    match found.kind {
        crate::fs::Kind::File => Side::read(reopen(object)?, found.size),
        crate::fs::Kind::Symlink => Ok(Side::Link(
            rustix::fs::readlinkat(object, c"", Vec::new())?.into_bytes(),
        )),
        other => Ok(Side::Other(other)),
    }
}
