//! From the path of an exec to the file that it means for the caller.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::request::Place;
use crate::caller::Caller;
use crate::process::FileId;

const PIN: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// A file that is held, whatever becomes of its name.
pub struct Pin {
    fd: OwnedFd,
    stat: Stat,
}

impl Pin {
    /// Holds the object behind `fd`.
    pub fn new(fd: OwnedFd) -> Result<Pin, Errno> {
        let stat = rustix::fs::fstat(&fd)?;
        Ok(Pin { fd, stat })
    }

    /// Which file it is.
    pub fn file(&self) -> FileId {
        FileId::of(&self.stat)
    }

    /// Whether it is a regular file, the only kind that can be executed.
    pub fn is_regular(&self) -> bool {
        self.stat.st_mode & libc::S_IFMT == libc::S_IFREG
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.stat.st_mode & libc::S_IFMT == libc::S_IFLNK
    }

    /// Opens it for reading, with our rights.
    pub fn open(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        rustix::fs::openat(
            CWD,
            format!("/proc/self/fd/{}", self.fd.as_raw_fd()),
            flags,
            Mode::empty(),
        )
    }

    /// Where it is.
    pub fn place(&self) -> Result<Place, Errno> {
        let link = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
        let text = rustix::fs::readlinkat(CWD, link, Vec::with_capacity(256))?.into_bytes();
        Ok(place_of(text, &self.stat))
    }
}

/// The place that a link of procfs names, for the object with the attributes `stat`.
pub fn place_of(text: Vec<u8>, stat: &Stat) -> Place {
    let path = PathBuf::from(std::ffi::OsString::from_vec(text.clone()));
    if text.first() != Some(&b'/') {
        return Place::Nowhere;
    }
    let Some(before) = text.strip_suffix(b" (deleted)") else {
        return Place::At(path);
    };
    // A name may really end so: then it leads to this object.
    if rustix::fs::lstat(&path).is_ok_and(|there| FileId::of(&there) == FileId::of(stat)) {
        return Place::At(path);
    }
    match before.starts_with(b"/memfd:") && stat.st_nlink == 0 {
        true => Place::Nowhere,
        false => Place::Was(PathBuf::from(std::ffi::OsString::from_vec(before.to_vec()))),
    }
}

/// The object behind the caller's descriptor `number` itself (`AT_EMPTY_PATH`).
pub fn descriptor(caller: &Caller<'_>, number: i32) -> Result<Pin, Errno> {
    let fd = caller.fetch_fd(number)?;
    Pin::new(rustix::fs::openat(
        CWD,
        format!("/proc/self/fd/{}", fd.as_raw_fd()),
        PIN,
        Mode::empty(),
    )?)
}

/// The file that `path` means for the caller from its descriptor `folder` (or `AT_FDCWD`).
pub fn path(caller: &Caller<'_>, folder: i32, path: &CStr, follow: bool) -> Result<Pin, Errno> {
    let flags = if follow { PIN } else { PIN | OFlags::NOFOLLOW };
    let own = format!("/proc/{}", caller.tid());
    let text = path.to_bytes();
    for prefix in ["/proc/self/", "/proc/thread-self/", "/dev/fd/"] {
        if let Some(rest) = text.strip_prefix(prefix.as_bytes()) {
            let middle = if prefix == "/dev/fd/" { "/fd/" } else { "/" };
            let text = [own.as_bytes(), middle.as_bytes(), rest].concat();
            return Pin::new(rustix::fs::openat(CWD, text, flags, Mode::empty())?);
        }
    }
    let (start, resolve) = match (text.first(), folder) {
        (Some(b'/'), _) => (caller.root()?, ResolveFlags::IN_ROOT),
        (_, libc::AT_FDCWD) => (caller.cwd()?, ResolveFlags::empty()),
        _ => (caller.fetch_fd(folder)?, ResolveFlags::empty()),
    };
    let resolve = resolve | ResolveFlags::NO_MAGICLINKS;
    Pin::new(rustix::fs::openat2(start.as_fd(), path, flags, Mode::empty(), resolve)?)
}
