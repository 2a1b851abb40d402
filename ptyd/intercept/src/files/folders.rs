//! Where folders are that were looked up a moment ago.
//!
//! Programs open many files in few folders. What a folder's name leads to is remembered for a second, as a
//! canonical path, so that nothing is held open. A stale entry can only put another path before the judge:
//! it serves calls that are continued alone, where the hull decides what is really opened, and starts of programs in the
//! system's folders,
//! where what runs is compared afterwards with the file that was judged.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use foldhash::fast::RandomState;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::here;
use super::host::{Host, ObjectId};
use super::resolve::{At, Canonical, canonical, is_procfs};
use crate::caller::Caller;
use crate::coarse;

/// How long an entry is believed, in milliseconds: what others than the session move meanwhile is not seen.
const TRUST: u64 = 1_000;

/// Entries from which on all are forgotten.
const REMEMBERED: usize = 1024;

/// From where a relative path is meant.
pub struct Start {
    tid: i32,
    /// A descriptor of that task, or `AT_FDCWD`.
    folder: i32,
    id: ObjectId,
    /// The folder itself, where it was taken from the task.
    held: Option<OwnedFd>,
}

impl Start {
    /// The caller's descriptor `folder`, or its working directory (`AT_FDCWD`). None: only a careful look can tell.
    pub fn of(host: &Host, caller: &Caller<'_>, folder: i32) -> Option<Start> {
        let tid = caller.tid();
        if folder == libc::AT_FDCWD {
            return Some(Start::working(tid, here::of(host, caller).ok()?));
        }
        // By a pidfd this costs half of what procfs takes.
        let held = caller.take_fd(host, folder).ok()?;
        Some(Start {
            tid,
            folder,
            id: ObjectId::of(&held).ok()?,
            held: Some(held),
        })
    }

    /// The working directory of task `tid`, which is `id`.
    pub fn working(tid: i32, id: ObjectId) -> Start {
        let folder = libc::AT_FDCWD;
        let held = None;
        Start { tid, folder, id, held }
    }

    /// The folder, where it is in hand.
    pub fn held(&self) -> Option<BorrowedFd<'_>> {
        self.held.as_ref().map(AsFd::as_fd)
    }
}

/// The identity of the folder that a path starts at, none for the root.
type Origin = Option<ObjectId>;

/// Longer paths are looked up each time.
const LONGEST: usize = 1024;

/// What was looked up.
#[derive(Default)]
pub struct Folders {
    known: RwLock<Known>,
    /// Counts changes of the session that may make a name lead elsewhere.
    changes: AtomicU64,
}

#[derive(Default)]
struct Known {
    folders: HashMap<Origin, HashMap<Box<[u8]>, Folder, RandomState>, RandomState>,
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

    /// Counts such changes.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Puts the canonical path of the folder `name` into `into` and returns its length. `start`: what `name` is
    /// relative to.
    ///
    /// # Errors
    /// `ENOENT` if there is no such folder; any other: only a careful look can tell.
    pub fn find(&self, host: &Host, start: Option<&Start>, name: &[u8], into: &mut [u8]) -> Result<usize, Errno> {
        let from = start.map(|start| start.id);
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
            path: look(host, start, name)?,
            changes,
        };
        let length = copy(&folder.path, into)?;
        self.remember(from, name, folder);
        Ok(length)
    }

    /// Pins the folder `start` by its canonical path, where it still lies there, and says so.
    pub fn pin(&self, host: &Host, start: &Start) -> Option<(OwnedFd, At)> {
        let mut path = [0; LONGEST];
        let changes = self.changes();
        let length = self.find(host, Some(start), b"", &mut path).ok()?;
        let path = &path[..length];
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let straight = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let folder = rustix::fs::openat2(CWD, path, flags, Mode::empty(), straight).ok()?;
        let path = PathBuf::from(OsStr::from_bytes(path));
        (ObjectId::of(&folder).ok()? == start.id).then_some((folder, At { path, changes }))
    }

    fn remember(&self, from: Origin, name: &[u8], folder: Folder) {
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

fn copy(path: &[u8], into: &mut [u8]) -> Result<usize, Errno> {
    into.get_mut(..path.len())
        .ok_or(Errno::NAMETOOLONG)?
        .copy_from_slice(path);
    Ok(path.len())
}

/// The canonical path of a folder that is reached without links of procfs and does not lie there.
fn look(host: &Host, start: Option<&Start>, name: &[u8]) -> Result<Box<[u8]>, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = match start.filter(|start| start.held.is_none()) {
        None => None,
        Some(start) => {
            let mut link = [0; 32];
            let link = here::link_of(start.tid, start.folder, &mut link).ok_or(Errno::BADF)?;
            let opened = rustix::fs::openat(host.proc(), link, flags, Mode::empty()).map_err(|_| Errno::OPNOTSUPP)?;
            if ObjectId::of(&opened)? != start.id {
                return Err(Errno::AGAIN);
            }
            Some(opened)
        }
    };
    let held = opened.as_ref().map(AsFd::as_fd).or_else(|| start?.held());
    let start: BorrowedFd<'_> = held.unwrap_or(CWD);
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
