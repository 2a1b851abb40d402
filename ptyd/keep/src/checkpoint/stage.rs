use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::pack::Reader;
use super::plan::Staged;
use super::{CheckpointError, Entry, Problem};
use crate::fs::{Kind, apply, expunge, make_private, open_absolute, open_private, path_of};

/// The folder beside the workspace, on its mount, in which a rollback lays out what is to come
/// (`new/`) and what has gone (`old/`).
#[derive(Debug)]
pub(crate) struct Stage {
    pub path: PathBuf,
    pub new: OwnedFd,
    pub old: OwnedFd,
}

impl Stage {
    /// Makes an empty one; what an earlier run left is cleared first.
    pub fn create(scratch: BorrowedFd, name: &std::ffi::CStr, owner: u32) -> Result<Stage, Errno> {
        let dir = make_private(scratch, name, owner)?;
        expunge(dir.as_fd())?;
        let new = make_private(&dir, c"new", owner)?;
        let old = make_private(&dir, c"old", owner)?;
        Ok(Stage {
            path: path_of(&dir)?,
            new,
            old,
        })
    }

    /// Opens the one that a journal names.
    pub fn open(path: PathBuf, owner: u32) -> Result<Stage, Errno> {
        let dir = open_absolute(&path, false)?;
        let (new, old) = (open_private(&dir, c"new", owner)?, open_private(&dir, c"old", owner)?);
        Ok(Stage { path, new, old })
    }

    /// Removes all that is in it.
    pub fn clear(&self) -> Result<(), Errno> {
        expunge(open_absolute(&self.path, false)?.as_fd())
    }

    /// Lays out what is to come. Contents are checked against their hashes.
    pub fn fill(&self, staged: &[Staged], reader: &mut Reader) -> Result<Vec<Problem>, CheckpointError> {
        let mut problems = Vec::new();
        for (number, item) in staged.iter().enumerate() {
            let name = numbered(number);
            match item {
                Staged::Link(first) => {
                    rustix::fs::linkat(&self.new, numbered(*first), &self.new, &name, AtFlags::empty())
                        .map_err(CheckpointError::refused(&self.path, "stage a link"))?;
                }
                Staged::Object(entry) => {
                    let missing = self.object(&name, entry, reader).map_err(|errno| match errno {
                        Errno::BADMSG => CheckpointError::Damaged {
                            file: entry.path(),
                            problem: "the store does not hold what was stored".to_owned(),
                        },
                        errno => CheckpointError::Refused {
                            path: entry.path(),
                            step: "stage",
                            errno,
                        },
                    })?;
                    problems.extend(
                        missing
                            .into_iter()
                            .map(|what| Problem::new(&entry.path.0, format!("may not be set: {what}"))),
                    );
                }
            }
        }
        Ok(problems)
    }

    fn object(&self, name: &std::ffi::CStr, entry: &Entry, reader: &mut Reader) -> Result<Vec<String>, Errno> {
        match entry.kind {
            Kind::File => {
                let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let file = File::from(rustix::fs::openat(&self.new, name, flags, Mode::RUSR | Mode::WUSR)?);
                reader.fill(&entry.contents.ok_or(Errno::NODATA)?, entry.size, &file)?;
                return apply(file.as_fd(), &entry.attr);
            }
            Kind::Symlink => {
                let target = entry.target.as_ref().ok_or(Errno::NODATA)?;
                rustix::fs::symlinkat(target.as_os_str(), &self.new, name)?;
            }
            kind => {
                let (major, minor) = entry.device.unwrap_or((0, 0));
                let device = rustix::fs::makedev(major, minor);
                rustix::fs::mknodat(&self.new, name, kind.file_type(), Mode::RUSR | Mode::WUSR, device)?;
            }
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = rustix::fs::openat(&self.new, name, flags, Mode::empty())?;
        apply(made.as_fd(), &entry.attr)
    }
}

/// The name of a number.
pub(crate) fn numbered(number: usize) -> CString {
    CString::new(number.to_string()).unwrap_or_default()
}
