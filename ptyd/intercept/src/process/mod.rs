//! Which processes a command has, as far as their notified calls show.
//!
//! A process is learnt of at its first notified call, its end from `exit_group`. A child that makes no
//! notified call and dies by a signal is not seen.

mod beginning;
mod common;
mod images;
mod inside;
mod layout;
mod observer;
mod parents;
pub(crate) mod procfs;
mod session;
mod stat;
mod table;

pub use beginning::Beginning;
pub(crate) use common::Common;
pub(crate) use inside::has_own_filters;
pub use inside::is_inside;
pub(crate) use layout::layouts_differ;
pub use observer::{ExecSettled, Fork, Observer};
pub(crate) use session::Session;
pub use stat::TaskStat;
pub(crate) use table::{Known, Table};

/// A file by device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Device number as in `st_dev`.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

impl FileId {
    /// The file whose attributes `stat` are.
    pub fn of(stat: &rustix::fs::Stat) -> Self {
        FileId {
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }

    /// The program image of task `tid`.
    ///
    /// # Errors
    /// `ENOENT` or `ESRCH` if it is gone, `EACCES` if we may not know.
    pub fn image(tid: i32) -> Result<Self, rustix::io::Errno> {
        rustix::fs::stat(format!("/proc/{tid}/exe")).map(|stat| Self::of(&stat))
    }
}
