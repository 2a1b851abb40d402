use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Mode, RenameFlags};
use rustix::io::Errno;

use super::{Kind, Stat, names, open_beneath, open_dir, stat, stat_fd};

/// What an entry costs beside its blocks: its record and its inode.
pub(crate) const ENTRY_COST: u64 = 4096;

/// Removes everything in the folder `doomed`, whatever depth and modes it has.
///
/// Subfolders are first moved up into `doomed`: neither recursion nor descriptors grow with depth,
/// and what a killed run left is found again at the next one.
pub(crate) fn expunge(doomed: BorrowedFd) -> Result<(), Errno> {
    loop {
        let found = names(doomed)?;
        if found.is_empty() {
            return Ok(());
        }
        for name in found {
            match expunge_one(doomed, &name) {
                Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY) => {} // somebody else sweeps here too
                Err(errno) => return Err(errno),
            }
        }
    }
}

fn expunge_one(doomed: BorrowedFd, name: &CStr) -> Result<(), Errno> {
    match rustix::fs::unlinkat(doomed, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(errno),
    }
    make_writable(doomed, name)?;
    let dir = open_dir(doomed, name)?;
    for child in names(&dir)? {
        match rustix::fs::unlinkat(&dir, &child, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => continue,
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(errno) => return Err(errno),
        }
        make_writable(dir.as_fd(), &child)?;
        let unique = unique_name();
        rustix::fs::renameat_with(&dir, &child, doomed, &unique, RenameFlags::NOREPLACE)?;
    }
    rustix::fs::unlinkat(doomed, name, AtFlags::REMOVEDIR)
}

/// Moving or emptying a folder needs write permission on it, which an owner can give back.
fn make_writable(dir: BorrowedFd, name: &CStr) -> Result<(), Errno> {
    let found = stat(dir, name)?;
    if found.kind != Kind::Dir {
        return Err(Errno::PERM); // not removable, and no folder: an immutable file
    }
    if found.mode & 0o700 != 0o700 {
        rustix::fs::chmodat(dir, name, Mode::RWXU, AtFlags::empty())?;
    }
    Ok(())
}

/// A name that nothing else has.
pub(crate) fn unique_name() -> CString {
    CString::new(uuid::Uuid::now_v7().to_string()).unwrap_or_default()
}

/// What an object costs in the trash; for a folder, with everything in it.
pub(crate) fn tree_charge(dir: BorrowedFd, name: &CStr, found: &Stat) -> Result<u64, Errno> {
    let mut total = found.allocated + ENTRY_COST;
    if found.kind != Kind::Dir {
        return Ok(total);
    }
    let root = open_dir(dir, name)?;
    let mount = stat_fd(&root)?.mount;
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let folder = open_beneath(&root, &path)?;
        for child in names(&folder)? {
            let inner = stat(&folder, &child)?;
            total += inner.allocated;
            if inner.kind == Kind::Dir && inner.mount == mount {
                open.push(join(&path, &child));
            }
        }
    }
    Ok(total)
}

/// A relative path one name longer.
pub(crate) fn join(path: &[u8], name: &CStr) -> Vec<u8> {
    let mut joined = path.to_vec();
    if !joined.is_empty() {
        joined.push(b'/');
    }
    joined.extend_from_slice(name.to_bytes());
    joined
}
