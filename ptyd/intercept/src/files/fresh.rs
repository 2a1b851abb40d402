//! A file that nobody ever had, with what was judged in it.
//!
//! A lease tells that nobody has a file open for writing, or mapped so. It does not know of pages that the kernel holds on
//! to: a `process_vm_writev(2)` into a mapping, or a direct read into it (`O_DIRECT`), writes to the file's pages
//! however long ago mapping and descriptors are gone. So what was read is copied, and the copy takes the name.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Stat, Uid, XattrFlags};
use rustix::io::Errno;

use super::calls::{attributes, path_to};
use super::sys;

/// A file without a name in `parent` that looks like `of` and holds `bytes`, open for reading. It is made by whoever the
/// thread acts for. `descriptors`: where numbers of ours are links.
///
/// # Errors
/// `EOPNOTSUPP` where the file system makes no such files; those of `open(2)`, `write(2)`, `chown(2)`, `setxattr(2)`.
pub fn like(descriptors: BorrowedFd<'_>, parent: impl AsFd, of: impl AsFd, bytes: &[u8]) -> Result<OwnedFd, Errno> {
    let stat = rustix::fs::fstat(&of)?;
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let made = rustix::fs::openat(parent, ".", flags, Mode::RUSR | Mode::WUSR).map_err(|errno| match errno {
        Errno::ISDIR | Errno::INVAL | Errno::NOENT => Errno::OPNOTSUPP,
        other => other,
    })?;
    let number = rustix::path::DecInt::from_fd(&made);
    let file = rustix::fs::openat(descriptors, number, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    write(&made, bytes)?;
    // While it can be written: a mode of no writing refuses attributes.
    give_attributes(&made, of)?;
    give_looks(&made, &stat)?;
    give_times(&made, &stat)?;
    Ok(file)
}

/// Writes the whole of it.
///
/// # Errors
/// Those of `pwrite(2)`; `ENOSPC` if there is no room for all.
pub fn write(made: &OwnedFd, bytes: &[u8]) -> Result<(), Errno> {
    match rustix::io::pwrite(made, bytes, 0)? == bytes.len() {
        true => Ok(()),
        false => Err(Errno::NOSPC),
    }
}

/// Gives it the owner and mode of `of`.
///
/// # Errors
/// Those of `fchown(2)`.
pub fn give_looks(made: &OwnedFd, of: &Stat) -> Result<(), Errno> {
    let made_by = rustix::fs::fstat(made)?;
    if (made_by.st_uid, made_by.st_gid) != (of.st_uid, of.st_gid) {
        rustix::fs::fchown(made, Some(Uid::from_raw(of.st_uid)), Some(Gid::from_raw(of.st_gid)))?;
    }
    rustix::fs::fchmod(made, Mode::from_raw_mode(of.st_mode & 0o7777))
}

/// Gives it the times of `of`.
///
/// # Errors
/// Those of `utimensat(2)`.
pub fn give_times(made: &OwnedFd, of: &Stat) -> Result<(), Errno> {
    let nanoseconds = |part| i64::try_from(part).unwrap_or(0);
    let (access, modification) = (nanoseconds(of.st_atime_nsec), nanoseconds(of.st_mtime_nsec));
    sys::set_times(made.as_fd(), Some(&[of.st_atime, access, of.st_mtime, modification]))
}

/// Gives `made` the attributes of `of`, and no others: a folder's default ACL is not the file's.
fn give_attributes(made: &OwnedFd, of: impl AsFd) -> Result<(), Errno> {
    let (from, to) = (path_to(of), path_to(made));
    let wanted = attributes(&from)?;
    for name in attributes(&to)?.iter().filter(|name| !wanted.contains(name)) {
        rustix::fs::removexattr(&to, name)?;
    }
    let mut value = vec![0; if wanted.is_empty() { 0 } else { 64 << 10 }];
    for name in wanted {
        let length = rustix::fs::getxattr(&from, &name, value.as_mut_slice())?;
        rustix::fs::setxattr(&to, &name, &value[..length], XattrFlags::empty())?;
    }
    Ok(())
}

/// Gives `file`, which has no name, that of `name` in `parent`: a name of its own for the moment in which it takes it.
///
/// # Errors
/// Those of `link(2)` and `rename(2)`.
pub fn take_name(descriptors: BorrowedFd<'_>, file: &OwnedFd, parent: impl AsFd, name: &CStr) -> Result<(), Errno> {
    // No two files of one folder have the same.
    let passing = format!(".agentsh-new-{}", rustix::fs::fstat(file)?.st_ino);
    let passing = CString::new(passing).map_err(|_| Errno::INVAL)?;
    let number = rustix::path::DecInt::from_fd(file);
    rustix::fs::linkat(descriptors, number, &parent, &passing, AtFlags::SYMLINK_FOLLOW)?;
    rustix::fs::renameat(&parent, &passing, &parent, name).inspect_err(|_| {
        let _ = rustix::fs::unlinkat(&parent, &passing, AtFlags::empty());
    })
}
