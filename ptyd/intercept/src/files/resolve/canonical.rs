//! The path under which policy knows an object.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::Stat;
use rustix::io::Errno;

use super::deep;
use crate::files::host::Host;

const DELETED: &[u8] = b" (deleted)";

/// What a file of `memfd_secret(2)` is called, and its file system (`linux/magic.h`).
const SECRET: &[u8] = b"/secretmem";
const SECRET_MAGIC: i64 = 0x5345_434d;

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canonical {
    /// Under this absolute path of the host.
    At(PathBuf),
    /// It was under this path and has no name there any more.
    Was(PathBuf),
    /// It never had a path: a pipe, a socket, a memory file.
    Nowhere,
}

impl Canonical {
    /// The path that rules are compared with.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Canonical::At(path) | Canonical::Was(path) => Some(path),
            Canonical::Nowhere => None,
        }
    }
}

/// The kernel's own path of the pinned object `fd` (`/proc/self/fd/N`, whose text is made from the
/// object, not from what the caller wrote).
///
/// # Errors
/// `ENAMETOOLONG` for an object deeper than `PATH_MAX` that is no folder: what it is called is not known.
pub fn canonical(host: &Host, fd: BorrowedFd<'_>, stat: &Stat) -> Result<Canonical, Errno> {
    place(host, fd, || Ok(*stat))
}

/// [`canonical`]; the object is looked at only where its path leaves a doubt.
fn place(host: &Host, fd: BorrowedFd<'_>, stat: impl FnOnce() -> Result<Stat, Errno>) -> Result<Canonical, Errno> {
    let number = rustix::path::DecInt::from_fd(fd);
    let text = match rustix::fs::readlinkat(host.descriptors(), number, Vec::with_capacity(256)) {
        Ok(text) => text.into_bytes(),
        Err(Errno::NAMETOOLONG) => return deep::path(fd, |above| kernels(host, above)).map(Canonical::At),
        Err(errno) => return Err(errno),
    };
    if text.first() != Some(&b'/') {
        return Ok(Canonical::Nowhere);
    }
    let Some(before) = text.strip_suffix(DELETED) else {
        return Ok(Canonical::At(owned(text)));
    };
    let stat = stat()?;
    // A name may really end so: then it leads to this object.
    let literal = rustix::fs::lstat(Path::new(OsStr::from_bytes(&text)));
    if literal.is_ok_and(|there| (there.st_dev, there.st_ino) == (stat.st_dev, stat.st_ino)) {
        return Ok(Canonical::At(owned(text)));
    }
    if (before.starts_with(b"/memfd:") && stat.st_nlink == 0) || (before == SECRET && is_secret(fd)) {
        return Ok(Canonical::Nowhere);
    }
    Ok(Canonical::Was(owned(before.to_vec())))
}

fn is_secret(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstatfs(fd).is_ok_and(|system| system.f_type == SECRET_MAGIC)
}

/// The path of a folder that has one in the kernel's words.
fn kernels(host: &Host, folder: BorrowedFd<'_>) -> Result<Option<PathBuf>, Errno> {
    let number = rustix::path::DecInt::from_fd(folder);
    let text = rustix::fs::readlinkat(host.descriptors(), number, Vec::with_capacity(4096))?.into_bytes();
    Ok((text.first() == Some(&b'/') && !text.ends_with(DELETED)).then(|| owned(text)))
}

/// The path of `name` in the pinned folder `parent`.
///
/// # Errors
/// As [`canonical`]; `ENOENT` if the folder has no path any more.
pub fn of_name(host: &Host, parent: impl AsFd, name: &[u8]) -> Result<PathBuf, Errno> {
    match place(host, parent.as_fd(), || rustix::fs::fstat(&parent))? {
        Canonical::At(mut path) => {
            path.push(OsStr::from_bytes(name));
            Ok(path)
        }
        Canonical::Was(_) | Canonical::Nowhere => Err(Errno::NOENT),
    }
}

fn owned(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}
