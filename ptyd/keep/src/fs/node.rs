use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::{Kind, Stat, apply, attributes};

/// Makes the like of a link, fifo, socket or device, which have no contents of their own, with its attributes; `found`
/// was read of it before. A device may need a privilege (`mknod(2)`).
///
/// # Errors
/// EXDEV for files and folders; the kernel's refusals. Nothing has been made then.
pub(crate) fn make_like(from: BorrowedFd, name: &CStr, found: &Stat, to: BorrowedFd, like: &CStr) -> Result<(), Errno> {
    let told = attributes(from, name, found)?;
    match found.kind {
        Kind::File | Kind::Dir => return Err(Errno::XDEV),
        Kind::Symlink => {
            let target = rustix::fs::readlinkat(from, name, Vec::new())?;
            rustix::fs::symlinkat(target, to, like)?;
        }
        kind => {
            let device = rustix::fs::makedev(found.rdev.0, found.rdev.1);
            rustix::fs::mknodat(to, like, kind.file_type(), Mode::RUSR | Mode::WUSR, device)?;
        }
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let given = rustix::fs::openat(to, like, flags, Mode::empty()).and_then(|made| apply(made.as_fd(), &told));
    if given.is_err() {
        let _ = rustix::fs::unlinkat(to, like, AtFlags::empty());
    }
    given.map(|_| ())
}
