//! Where folders are that were looked up a moment ago.
//!
//! Programs open many files in few folders. What a folder's name leads to is remembered for a second, as a
//! canonical path, so that nothing is held open. A stale entry can only put another path before the judge:
//! it serves calls that are continued alone, where the hull decides what is really opened.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use foldhash::fast::RandomState;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags};
use rustix::io::Errno;

use super::host::{Host, ObjectId};
use super::resolve::{Canonical, canonical, is_procfs};
use crate::coarse;

/// How long an entry is believed, in milliseconds: what others than the session move meanwhile is not seen.
const TRUST: u64 = 1_000;

/// Entries from which on all are forgotten.
const REMEMBERED: usize = 1024;

/// From where a path is meant: the identity of that folder, none for the root.
type Start = Option<ObjectId>;

/// What was looked up.
#[derive(Default)]
pub struct Folders {
    known: RwLock<Known>,
    /// Counts changes of the session that may make a name lead elsewhere.
    changes: AtomicU64,
}

#[derive(Default)]
struct Known {
    folders: HashMap<Start, HashMap<Box<[u8]>, Folder, RandomState>, RandomState>,
    count: usize,
}

struct Folder {
    path: Box<[u8]>,
    /// By [`coarse::now`].
    looked: u64,
    changes: u64,
}

impl Folders {
    /// A name was moved or made a link: no entry is believed any more.
    pub fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Puts the canonical path of the folder `name` into `into` and returns its length. `start` is a link of
    /// procfs to the folder that `name` is relative to.
    ///
    /// # Errors
    /// `ENOENT` if there is no such folder; any other: only a careful look can tell.
    pub fn find(&self, host: &Host, start: Option<&str>, name: &[u8], into: &mut [u8]) -> Result<usize, Errno> {
        let from = match start {
            None => None,
            Some(link) => Some(identity(host, link).map_err(|_| Errno::OPNOTSUPP)?),
        };
        let changes = self.changes.load(Ordering::Acquire);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.folders.get(&from).and_then(|names| names.get(name));
        if let Some(folder) = found
            && folder.changes == changes
            && coarse::now().saturating_sub(folder.looked) < TRUST
        {
            return copy(&folder.path, into);
        }
        drop(known);
        let folder = Folder {
            looked: coarse::now(),
            path: look(host, start, from, name)?,
            changes,
        };
        let length = copy(&folder.path, into)?;
        self.remember(from, name, folder);
        Ok(length)
    }

    fn remember(&self, from: Start, name: &[u8], folder: Folder) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.count >= REMEMBERED {
            *known = Known::default();
        }
        if known
            .folders
            .entry(from)
            .or_default()
            .insert(name.into(), folder)
            .is_none()
        {
            known.count += 1;
        }
    }
}

fn identity(host: &Host, link: &str) -> Result<ObjectId, Errno> {
    let mask = StatxFlags::INO | StatxFlags::MNT_ID;
    rustix::fs::statx(host.proc(), link, AtFlags::empty(), mask).map(|statx| ObjectId::from(&statx))
}

fn copy(path: &[u8], into: &mut [u8]) -> Result<usize, Errno> {
    into.get_mut(..path.len())
        .ok_or(Errno::NAMETOOLONG)?
        .copy_from_slice(path);
    Ok(path.len())
}

/// The canonical path of a folder that is reached without links of procfs and does not lie there.
fn look(host: &Host, start: Option<&str>, from: Start, name: &[u8]) -> Result<Box<[u8]>, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let held = match start {
        None => None,
        Some(link) => Some(rustix::fs::openat(host.proc(), link, flags, Mode::empty()).map_err(|_| Errno::OPNOTSUPP)?),
    };
    if let (Some(held), Some(from)) = (&held, from)
        && ObjectId::of(held)? != from
    {
        return Err(Errno::AGAIN);
    }
    let start: BorrowedFd<'_> = held.as_ref().map_or(CWD, AsFd::as_fd);
    let name = if name.is_empty() { b"." } else { name };
    let folder = rustix::fs::openat2(start, name, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)?;
    if is_procfs(&folder)? {
        return Err(Errno::OPNOTSUPP);
    }
    let stat = rustix::fs::fstat(&folder)?;
    match canonical(host, folder.as_fd(), &stat) {
        Ok(Canonical::At(path)) => Ok(path.as_os_str().as_bytes().into()),
        _ => Err(Errno::OPNOTSUPP),
    }
}
