use std::ffi::{CStr, CString, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{Kind, Stat, stat_fd};

/// The longest path handed to the kernel in one call; longer ones are walked in pieces (`PATH_MAX` is 4096).
const PIECE: usize = 3000;

/// A folder opened for reading, not through a symbolic link.
pub(crate) fn open_dir(dir: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

/// A folder below `root` by its relative path of any length (empty: `root` itself), with no symbolic
/// link and no other mount on the way (`openat2(2)`, Linux 5.6).
pub(crate) fn open_beneath(root: impl AsFd, relative: &[u8]) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    walk(root, relative, resolve)
}

/// A folder by its absolute path of any length; `follow` says whether symbolic links are taken.
pub(crate) fn open_absolute(path: &Path, follow: bool) -> Result<OwnedFd, Errno> {
    let bytes = path.as_os_str().as_bytes();
    let relative = bytes.strip_prefix(b"/").ok_or(Errno::INVAL)?;
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let resolve = match follow {
        true => ResolveFlags::empty(),
        false => ResolveFlags::NO_SYMLINKS,
    };
    walk(root, relative, resolve)
}

fn walk(root: impl AsFd, relative: &[u8], resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut rest = relative;
    let mut current: Option<OwnedFd> = None;
    loop {
        let (piece, after) = split(rest);
        let piece: &[u8] = if piece.is_empty() { b"." } else { piece };
        let from = current.as_ref().map_or(root.as_fd(), |fd| fd.as_fd());
        let next = rustix::fs::openat2(from, piece, flags, Mode::empty(), resolve)?;
        match after {
            Some(after) => rest = after,
            None => return Ok(next),
        }
        current = Some(next);
    }
}

/// Cuts a long path at a slash.
fn split(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    if path.len() <= PIECE {
        return (path, None);
    }
    match path[..PIECE].iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], Some(&path[at + 1..])),
        None => (path, None),
    }
}

/// The names in a folder, without `.` and `..`.
pub(crate) fn names(dir: impl AsFd) -> Result<Vec<CString>, Errno> {
    let mut found = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            found.push(entry.file_name().to_owned());
        }
    }
    Ok(found)
}

/// Makes a folder of mode 0700 if it is missing, and opens it as [`open_private`] does.
pub(crate) fn make_private(dir: impl AsFd, name: &CStr, owner: u32) -> Result<OwnedFd, Errno> {
    match rustix::fs::mkdirat(dir.as_fd(), name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => open_private(dir, name, owner),
        Err(errno) => Err(errno),
    }
}

/// Opens a folder that is `owner`'s and open to nobody else. EPERM if it is not: somebody else may
/// have made it first.
pub(crate) fn open_private(dir: impl AsFd, name: &CStr, owner: u32) -> Result<OwnedFd, Errno> {
    let fd = open_dir(dir, name)?;
    let stat = stat_fd(&fd)?;
    match stat.uid == owner && stat.mode & 0o077 == 0 {
        true => Ok(fd),
        false => Err(Errno::PERM),
    }
}

/// The topmost folder of the mount on which `dir` is, as far up as this process' root.
pub(crate) fn mount_top(dir: impl AsFd) -> Result<OwnedFd, Errno> {
    let mut current = open_path_dir(&dir, c".")?;
    while let Some(up) = climb(&current)? {
        current = up;
    }
    Ok(current)
}

/// The folder above, if it is another one on the same mount.
pub(crate) fn climb(dir: impl AsFd) -> Result<Option<OwnedFd>, Errno> {
    let here = stat_fd(&dir)?;
    let up = open_path_dir(&dir, c"..")?;
    let above: Stat = stat_fd(&up)?;
    Ok((above.kind == Kind::Dir && above.mount == here.mount && !above.same_object(&here)).then_some(up))
}

fn open_path_dir(dir: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(
        dir,
        name,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// The path of a descriptor as procfs tells it: for people and for finding it again, never for decisions.
pub(crate) fn path_of(fd: impl AsFd) -> Result<PathBuf, Errno> {
    let link = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    let target = rustix::fs::readlink(link.as_str(), Vec::new())?;
    Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
}
