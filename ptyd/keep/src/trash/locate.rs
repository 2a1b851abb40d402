use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agentsh_protocol::Bytes;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::error::OPENING;
use super::place::{Place, write_all};
use super::{Trash, TrashError};
use crate::fs::{climb, make_private, mount_top, open_absolute, open_private, path_of, stat_fd};

/// The list, in the home place, of the places on other mounts.
const KNOWN: &std::ffi::CStr = c"places";

/// Opens the trash of the state folder.
pub(super) fn home(state: &Path, owner: u32, reading: bool) -> Result<Arc<Place>, TrashError> {
    let path = state.join("trash");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
        .and_then(|()| open_absolute(state, true))
        .and_then(|parent| Place::open(parent.as_fd(), c"trash", owner, reading))
        .map(Arc::new)
        .map_err(TrashError::refused(path, OPENING))
}

impl Trash {
    /// The name of a trash folder at a mount's top or in a workspace.
    pub fn folder_name(uid: u32) -> String {
        format!(".agentsh-trash-{uid}")
    }

    /// Makes sure that the mount on which `dir` lies has a trash, before anything is deleted there,
    /// and returns its folder. Call it with the supervisor's own credentials: what
    /// [`Trash::discard`] has to make itself is made with those of the calling thread.
    ///
    /// # Errors
    /// [`TrashError::NoPlace`]: this mount can have none; deletions there are kept by copying.
    pub fn prepare(&self, dir: BorrowedFd) -> Result<PathBuf, TrashError> {
        match self.place_on_mount_of(dir) {
            Ok(Some(place)) => Ok(place.path.clone()),
            Ok(None) => Err(TrashError::NoPlace {
                path: path_of(dir).unwrap_or_default(),
            }),
            Err(errno) => Err(TrashError::refused(path_of(dir).unwrap_or_default(), "find its mount")(
                errno,
            )),
        }
    }

    /// An empty private folder on the mount of `dir`, for staging.
    pub(crate) fn scratch(&self, dir: BorrowedFd) -> Result<Option<OwnedFd>, Errno> {
        let make = || match self.place_on_mount_of(dir)? {
            Some(place) => make_private(&place.dir, c"staged", self.owner).map(Some),
            None => Ok(None),
        };
        match make() {
            Err(Errno::NOENT) => {
                self.make_anew();
                make()
            }
            made => made,
        }
    }

    /// The place on the mount of `dir`, made if need be.
    pub(super) fn place_on_mount_of(&self, dir: BorrowedFd) -> Result<Option<Arc<Place>>, Errno> {
        self.place_on_mount(stat_fd(dir)?.mount, dir)
    }

    /// [`Trash::place_on_mount_of`] where the mount is known.
    pub(super) fn place_on_mount(&self, mount: u64, dir: BorrowedFd) -> Result<Option<Arc<Place>>, Errno> {
        // Held while a place is made: two threads must not make two.
        let mut places = self.lock_places();
        if let Some(place) = places.iter().find(|place| place.mount == mount) {
            return Ok(Some(Arc::clone(place)));
        }
        let Some(place) = self.make(dir, mount) else {
            return Ok(None);
        };
        let place = Arc::new(place);
        places.others.push(Arc::clone(&place));
        remember(&places.home, &place.path)?;
        Ok(Some(place))
    }

    /// At the mount's top; else as far above the workspace as its owner may write, so that who looks through the
    /// workspace does not come upon it; else in the workspace.
    fn make(&self, dir: BorrowedFd, mount: u64) -> Option<Place> {
        let name = CString::new(Self::folder_name(self.owner)).ok()?;
        let open = |folder: BorrowedFd<'_>| Place::open(folder, &name, self.owner, false).ok();
        let top = mount_top(dir).ok().and_then(|top| open(top.as_fd()));
        if top.is_some() {
            return top;
        }
        let workspace = open_absolute(self.workspace.as_ref()?, true).ok()?;
        if stat_fd(&workspace).ok()?.mount != mount {
            return None;
        }
        let way = std::iter::successors(Some(workspace), |folder| climb(folder).ok().flatten());
        let folders: Vec<OwnedFd> = way.collect();
        folders.iter().rev().find_map(|folder| open(folder.as_fd()))
    }

    /// Opens the places noted before. One that is gone, or is not safe any more, is left out.
    pub(super) fn open_known(&self) {
        let mut places = self.lock_places();
        let known = read_small(places.home.dir.as_fd(), KNOWN).unwrap_or_default();
        for line in known.split(|byte| *byte == b'\n') {
            let Ok(path) = serde_json::from_slice::<Bytes>(line) else {
                continue;
            };
            let path = PathBuf::from(path.as_os_str());
            if let Ok(place) = open_noted(&path, self.owner, self.reading)
                && places.iter().all(|open| open.path != place.path)
            {
                places.others.push(Arc::new(place));
            }
        }
    }
}

/// Notes in the home place another one, where the next [`Trash::open`] finds it.
pub(super) fn remember(home: &Place, path: &Path) -> Result<(), Errno> {
    let mut line = serde_json::to_vec(&Bytes::from(path)).map_err(|_| Errno::INVAL)?;
    line.push(b'\n');
    let known = read_small(home.dir.as_fd(), KNOWN)?;
    if known.split_inclusive(|byte| *byte == b'\n').any(|old| old == line) {
        return Ok(());
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&home.dir, KNOWN, flags, Mode::RUSR | Mode::WUSR)?;
    write_all(file.as_fd(), &line)
}

fn open_noted(path: &Path, owner: u32, reading: bool) -> Result<Place, Errno> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::INVAL);
    };
    let name = CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)?;
    let parent = open_absolute(parent, false)?;
    open_private(&parent, &name, owner)?; // it is there: opening does not make it
    Place::open(parent.as_fd(), &name, owner, reading)
}

/// The contents of a small file of ours; empty if it is missing.
pub(super) fn read_small(dir: BorrowedFd, name: &std::ffi::CStr) -> Result<Vec<u8>, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::openat(dir, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(Vec::new()),
        Err(errno) => return Err(errno),
    };
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::fs::File::from(file), &mut bytes)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(bytes)
}
