//! The path of a folder that lies deeper than the kernel puts into words (`PATH_MAX`): programs get there step by step.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, StatxFlags};
use rustix::io::Errno;

use crate::files::actor;
use crate::files::host::ObjectId;

/// Longer paths have no rule: to find them takes a look at every folder above.
const LONGEST: usize = 64 << 10;

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The names on the way up from `folder` to one whose path `known` tells. That one may be moved meanwhile, by whom the
/// rules for both places allow it.
///
/// # Errors
/// `ENAMETOOLONG` for what is no folder, or lies below one that cannot be listed, or deeper than 64 KiB.
pub fn path(
    folder: BorrowedFd<'_>,
    known: impl Fn(BorrowedFd<'_>) -> Result<Option<PathBuf>, Errno>,
) -> Result<PathBuf, Errno> {
    let climbed = actor::as_reader(|| {
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut length = 0;
        let mut here = rustix::fs::openat(folder, ".", FOLDER, Mode::empty())?;
        loop {
            let above = rustix::fs::openat(&here, "..", FOLDER, Mode::empty())?;
            let name = name_of(&here, &above)?.ok_or(Errno::NAMETOOLONG)?;
            length += name.len() + 1;
            names.push(name);
            match known(above.as_fd()) {
                Ok(Some(mut path)) => {
                    names.iter().rev().for_each(|name| path.push(OsStr::from_bytes(name)));
                    return Ok(path);
                }
                Err(Errno::NAMETOOLONG) if length < LONGEST => here = above,
                _ => return Err(Errno::NAMETOOLONG),
            }
        }
    });
    climbed.map_err(|_| Errno::NAMETOOLONG)
}

/// What `folder` is called in the one above.
fn name_of(folder: &OwnedFd, above: &OwnedFd) -> Result<Option<Vec<u8>>, Errno> {
    // With its mount: one folder can be mounted under several names.
    let wanted = ObjectId::of(folder)?;
    let is = |name: &CStr| {
        let mask = StatxFlags::INO | StatxFlags::MNT_ID;
        let there = rustix::fs::statx(above, name, AtFlags::SYMLINK_NOFOLLOW, mask);
        there.is_ok_and(|there| ObjectId::from(&there) == wanted)
    };
    let list = || {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Dir::new(rustix::fs::openat(above, ".", flags, Mode::empty())?)
    };
    let find = |all: bool| {
        for entry in list()? {
            let entry = entry?;
            let name = entry.file_name();
            let likely = all || entry.ino() == wanted.inode();
            if likely && !matches!(name.to_bytes(), b"." | b"..") && is(name) {
                return Ok(Some(name.to_bytes().to_vec()));
            }
        }
        Ok(None)
    };
    match find(false)? {
        // What is mounted on a folder has another number than the list says.
        None => find(true),
        found => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::host::Host;
    use crate::files::resolve::{Canonical, canonical};

    #[test]
    fn folders_beyond_the_longest_path_have_one() -> std::io::Result<()> {
        let top = std::env::temp_dir().join(format!("agentsh-deep-{}", std::process::id()));
        std::fs::create_dir(&top)?;
        let name = "n".repeat(200);
        let mut here = rustix::fs::open(&top, FOLDER, Mode::empty())?;
        let mut expected = std::fs::canonicalize(&top)?;
        let host = Host::new()?;
        for _ in 0..45 {
            rustix::fs::mkdirat(&here, &name, Mode::RWXU)?;
            here = rustix::fs::openat(&here, &name, FOLDER, Mode::empty())?;
            expected.push(&name);
            let found = canonical(&host, here.as_fd(), &rustix::fs::fstat(&here)?);
            assert_eq!(found, Ok(Canonical::At(expected.clone())));
        }
        let file = rustix::fs::openat(&here, "file", OFlags::CREATE | OFlags::RDWR, Mode::RWXU)?;
        let found = canonical(&host, file.as_fd(), &rustix::fs::fstat(&file)?);
        assert_eq!(found, Err(Errno::NAMETOOLONG), "nobody knows what it is called");
        std::fs::remove_dir_all(&top)
    }
}
