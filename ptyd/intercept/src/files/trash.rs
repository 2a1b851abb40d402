//! Who keeps what is about to be lost.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// How something is about to be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// `unlink(2)`: this name of the object.
    Unlink,
    /// `rmdir(2)` of an empty folder.
    Rmdir,
    /// Another object takes its name (`rename(2)`).
    Replace,
    /// Its content is cut to this many bytes (`O_TRUNC`, `truncate(2)`).
    Truncate(u64),
    /// A part of its content is zeroed, punched or collapsed (`fallocate(2)`).
    Punch,
}

/// What is about to be lost.
#[derive(Debug, Clone, Copy)]
pub struct Doomed<'a> {
    /// The folder (`O_PATH`) and name by which it goes; none for a file that is only cut through a descriptor.
    pub entry: Option<(BorrowedFd<'a>, &'a CStr)>,
    /// The object (`O_PATH`); none where it goes by its name alone ([`Loss::Unlink`], [`Loss::Rmdir`]).
    pub object: Option<BorrowedFd<'a>>,
    /// Its canonical path.
    pub path: &'a Path,
    /// How it goes.
    pub loss: Loss,
    /// Whose doing it is: a process.
    pub tgid: i32,
    /// The rule by which it is kept, by the judge's own number.
    pub rule: Option<u32>,
}

/// What the trash has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It holds the content by a link or copy of its own, under this number; the call goes on.
    Copy(u64),
    /// It moved the object away, under this number: the name is gone already (only for [`Loss::Unlink`],
    /// where the engine has checked that the caller may remove it).
    Moved(u64),
    /// It keeps no version, for this reason (a word for the record); the call goes on.
    Nothing(&'static str),
}

/// Keeps things before they are lost. Called with the worker's own rights.
pub trait Trash: Send + Sync {
    /// Keeps `doomed`, before anything has happened to it.
    ///
    /// # Errors
    /// The call is refused with it: what cannot be kept is not deleted.
    fn keep(&self, doomed: &Doomed<'_>) -> Result<Kept, Errno>;

    /// Where the object was that the trash moved to this path ([`Kept::Moved`]); none for every other path.
    fn origin(&self, path: &Path) -> Option<PathBuf>;

    /// Fills the empty file `to` with the content of `from`, as a version of it would be kept. Needs no rights but these
    /// descriptors.
    ///
    /// # Errors
    /// `EFBIG` for what is too large to be kept.
    fn fill(&self, from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<(), Errno>;

    /// Says whether the loss of what was kept came about; if not, it need not be kept.
    fn settle(&self, kept: Kept, lost: bool);
}
