use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;

use super::{Id, Trash, TrashError};
use crate::compare::{Diff, Side};
use crate::fs::open_absolute;

impl Trash {
    /// Compares a kept file with what is at its original place now: `-` is kept, `+` is present.
    ///
    /// # Errors
    /// The entry is unknown, has no origin, or one of the two cannot be read.
    pub fn diff(&self, id: Id) -> Result<Diff, TrashError> {
        let (place, entry) = self.entry(id)?;
        let original = entry.record.original().ok_or(TrashError::NoOrigin(id))?;
        let kept = Side::at(place.files.as_fd(), id.to_string().as_bytes())
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
    Side::at(open_absolute(parent, false)?.as_fd(), name.as_bytes())
}
