//! From the caller's words to the object that they mean, as the kernel would find it for the caller.
//!
//! In the common case this is one `openat2(2)` that pins the object (`O_PATH`) and refuses magic links.
//! Whatever that cannot say for the caller (its own root folder, procfs, where `self` would be us) is
//! walked component by component.

mod canonical;
mod deep;
mod path;
mod procfs;
mod terminal;
mod walk;

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

pub use canonical::{Canonical, canonical, of_name};
pub use procfs::{Tasks, guard, is_procfs, link_text, task_of};
pub use terminal::controlling_terminal;

use super::actor::Client;
use super::host::{Host, ObjectId};
use walk::{End, Walk};

/// Where something surely was when the session had moved so many names ([`Folders::changes`]).
///
/// [`Folders::changes`]: super::folders::Folders::changes
#[derive(Debug, Clone)]
pub struct At {
    /// Its canonical path.
    pub path: PathBuf,
    /// The count of moves.
    pub changes: u64,
}

impl At {
    /// The root folder.
    pub fn root(changes: u64) -> At {
        At {
            path: PathBuf::from("/"),
            changes,
        }
    }

    /// Where `name` in this folder is, if it is a plain way down.
    fn below(&self, name: &[u8]) -> Option<At> {
        let plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
        name.split(|byte| *byte == b'/').all(plain).then(|| At {
            path: self.path.join(OsStr::from_bytes(name)),
            changes: self.changes,
        })
    }
}

/// An object that is held, whatever becomes of its name.
#[derive(Debug)]
pub struct Pin {
    /// `O_PATH` descriptor.
    pub fd: OwnedFd,
    /// Its attributes when it was pinned.
    pub stat: Stat,
    /// Whether it may lie in procfs, where more than its path must be looked at.
    pub procfs: bool,
    /// Where it was found, if that is known.
    pub at: Option<At>,
    /// Whether a program of the session had it open (not merely as `O_PATH`), and so keeps it when its name goes.
    pub held: bool,
}

impl Pin {
    fn new(fd: OwnedFd) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(&fd)?;
        Ok(Pin::seen(fd, stat))
    }

    /// One whose attributes are known.
    pub fn seen(fd: OwnedFd, stat: Stat) -> Self {
        Pin {
            fd,
            stat,
            procfs: true,
            at: None,
            held: false,
        }
    }

    /// One that was seen not to lie in procfs.
    ///
    /// # Errors
    /// Those of `fstat(2)`.
    pub fn plain(fd: OwnedFd) -> Result<Self, Errno> {
        let pin = Pin::new(fd)?;
        Ok(Pin { procfs: false, ..pin })
    }

    /// `S_IFMT` part of the mode.
    pub fn kind(&self) -> u32 {
        self.stat.st_mode & libc::S_IFMT
    }

    /// Whether `other` is the same inode.
    pub fn is(&self, other: &Stat) -> bool {
        (self.stat.st_dev, self.stat.st_ino) == (other.st_dev, other.st_ino)
    }
}

/// A name in a folder that is held.
#[derive(Debug)]
pub struct Entry {
    /// The folder, `O_PATH`.
    pub parent: OwnedFd,
    /// The last component with its trailing slash, if it had one.
    pub name: CString,
    /// Where the folder is, if that is known.
    pub at: Option<At>,
}

impl Entry {
    /// The name without a trailing slash.
    pub fn bare(&self) -> &[u8] {
        let name = self.name.as_bytes();
        name.strip_suffix(b"/").unwrap_or(name)
    }

    /// Whether it is a name at all, not `.`, `..` or the root: the kernel refuses these for every call
    /// that makes or removes a name.
    pub fn is_name(&self) -> bool {
        !matches!(self.bare(), b"" | b"." | b"..")
    }

    /// What the name leads to now, the link itself if it is one.
    ///
    /// # Errors
    /// `ENOENT`, and others of `stat(2)`.
    pub fn stat(&self) -> Result<Stat, Errno> {
        rustix::fs::statat(&self.parent, self.bare(), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Pins what the name leads to now, the link itself if it is one.
    ///
    /// # Errors
    /// `ENOENT`, and others of `open(2)`.
    pub fn pin(&self) -> Result<Pin, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Pin::new(rustix::fs::openat(&self.parent, self.bare(), flags, Mode::empty())?)
    }
}

/// Where a path leads.
#[derive(Debug)]
pub enum Found {
    /// To this object.
    Object(Pin),
    /// To no object; a call that makes one would make it here.
    Missing(Entry),
}

/// How a path is to be understood.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Follow a symbolic link in the last component.
    pub follow: bool,
    /// `RESOLVE_*` of `openat2(2)`.
    pub resolve: ResolveFlags,
}

impl How {
    /// Follows every link.
    pub const FOLLOW: How = How {
        follow: true,
        resolve: ResolveFlags::empty(),
    };
    /// Leaves a link in the last component alone.
    pub const NOFOLLOW: How = How {
        follow: false,
        resolve: ResolveFlags::empty(),
    };
}

/// The caller's root folder.
#[derive(Debug)]
pub enum Root {
    /// Ours.
    Host,
    /// Another (`chroot(2)`).
    Other(OwnedFd, ObjectId),
}

/// A path in the caller's terms, with the folders that give it its meaning.
#[derive(Debug)]
pub struct Place {
    /// The text, as read once from the caller's memory.
    pub path: CString,
    /// Where a relative path starts; nothing where the path is absolute, or is empty and starts at no descriptor at all.
    pub start: Option<OwnedFd>,
    /// Where the start folder is, if that is known; for an absolute path, our root folder if it starts there.
    pub at: Option<At>,
    /// Where an absolute path starts.
    pub root: Root,
}

impl Place {
    fn start(&self) -> BorrowedFd<'_> {
        self.start.as_ref().map_or(CWD, AsFd::as_fd)
    }

    /// Where `path` (this one, or a part of it from its beginning) leads, if it is a plain way down without links.
    fn straight(&self, path: &[u8]) -> Option<At> {
        let at = self.at.as_ref()?;
        at.below(path.strip_prefix(b"/").unwrap_or(path))
    }
}

/// Resolves for one caller.
pub struct Resolver<'a> {
    /// Ourselves.
    pub host: &'a Host,
    /// The caller.
    pub client: &'a Client,
    /// Which tasks belong to the caller's session.
    pub tasks: &'a dyn Tasks,
}

const PIN: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

impl Resolver<'_> {
    /// The object that `place` leads to, or where it would be made. With an empty path this is the start
    /// folder's descriptor itself (`AT_EMPTY_PATH`); whether that is allowed is the call's affair.
    ///
    /// # Errors
    /// Those of `open(2)` for a path, and `EACCES` for what no worker opens.
    pub fn find(&self, place: &Place, how: How) -> Result<Found, Errno> {
        if place.path.is_empty() {
            let Some(start) = &place.start else {
                return Err(Errno::BADF);
            };
            return self.own_descriptor(start.as_fd()).map(Found::Object);
        }
        if let Root::Host = place.root
            && let Some(result) = self.find_at_once(place, how)
        {
            return result;
        }
        match Walk::new(self, place, how)?.into_object()? {
            End::Object { fd, held } => {
                let stat = procfs::look(self, fd.as_fd(), |fd| rustix::fs::fstat(fd))?;
                Ok(Found::Object(Pin {
                    held,
                    ..Pin::seen(fd, stat)
                }))
            }
            End::Missing(entry) => Ok(Found::Missing(entry)),
        }
    }

    /// [`Resolver::find`] for calls that need the object.
    ///
    /// # Errors
    /// `ENOENT` where there is none.
    pub fn object(&self, place: &Place, how: How) -> Result<Pin, Errno> {
        match self.find(place, how)? {
            Found::Object(pin) => Ok(pin),
            Found::Missing(_) => Err(Errno::NOENT),
        }
    }

    /// The folder and last component of `place`, for calls on a name.
    ///
    /// # Errors
    /// Those of `open(2)` for the folder.
    pub fn entry(&self, place: &Place) -> Result<Entry, Errno> {
        if place.path.is_empty() {
            return Err(Errno::NOENT);
        }
        if let Root::Host = place.root
            && let Some(entry) = self.entry_at_once(place)
        {
            return Ok(entry);
        }
        if place.path.as_bytes().iter().all(|byte| *byte == b'/') {
            // The root has no name; the kernel says so itself when it sees the same.
            let parent = match &place.root {
                Root::Host => rustix::fs::openat(CWD, "/", PIN | OFlags::DIRECTORY, Mode::empty())?,
                Root::Other(root, _) => root.try_clone().map_err(|_| Errno::MFILE)?,
            };
            return Ok(Entry {
                parent,
                name: c"/".to_owned(),
                at: None,
            });
        }
        Walk::new(self, place, How::NOFOLLOW)?.into_entry()
    }

    /// Pins the object behind a descriptor of ours (a duplicate of the caller's).
    ///
    /// # Errors
    /// Those of `open(2)`.
    pub fn own_descriptor(&self, fd: BorrowedFd<'_>) -> Result<Pin, Errno> {
        let held = !rustix::fs::fcntl_getfl(fd)?.contains(OFlags::PATH);
        let number = rustix::path::DecInt::from_fd(fd);
        let pin = Pin::new(rustix::fs::openat(self.host.descriptors(), number, PIN, Mode::empty())?)?;
        Ok(Pin { held, ..pin })
    }

    /// The common case. `None` where only a walk can tell.
    fn find_at_once(&self, place: &Place, how: How) -> Option<Result<Found, Errno>> {
        let flags = if how.follow { PIN } else { PIN | OFlags::NOFOLLOW };
        let opened = match self.find_straight(place, flags, how.resolve) {
            Some(Ok(found)) => return Some(Ok(Found::Object(found))),
            // Without a link on the way: another look would find the same.
            Some(Err(Errno::NOENT)) => Err(Errno::NOENT),
            _ => self.open_plain(place.start(), &place.path, flags, how.resolve),
        };
        match opened {
            Ok(Some(fd)) => Some(Pin::plain(fd).map(Found::Object)),
            // The name is missing where its folder is there and the name is nothing, not a dangling link.
            Err(Errno::NOENT) if how.resolve.is_empty() => {
                let Some(entry) = self.entry_at_once(place) else {
                    return self.lacks_a_folder(place).then_some(Err(Errno::NOENT));
                };
                match entry.stat() {
                    Err(Errno::NOENT) if entry.is_name() => Some(Ok(Found::Missing(entry))),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether a folder on the way surely is missing: the nearest one that is there has no such name, not even a link's.
    fn lacks_a_folder(&self, place: &Place) -> bool {
        let mut way = place.path.as_bytes().to_vec();
        while let Some(split) = path::split(&way) {
            let Ok(folder) = CString::new(split.folder.as_slice()) else {
                return false;
            };
            match self.open_plain(place.start(), &folder, PIN | OFlags::DIRECTORY, ResolveFlags::empty()) {
                Ok(Some(parent)) => {
                    let (name, at) = (split.name, None);
                    let entry = Entry { parent, name, at };
                    return entry.is_name() && entry.stat().err() == Some(Errno::NOENT);
                }
                Err(Errno::NOENT) if split.folder != way => way = split.folder,
                _ => return false,
            }
        }
        false
    }

    /// The object that `place` leads to without a link on the way; none: only another look can tell.
    pub fn straight(&self, place: &Place) -> Option<Pin> {
        self.find_straight(place, PIN, ResolveFlags::empty())?.ok()
    }

    /// An object below a folder of which it is known where it is, on a way without links: so is the object.
    fn find_straight(&self, place: &Place, flags: OFlags, resolve: ResolveFlags) -> Option<Result<Pin, Errno>> {
        let at = place.straight(place.path.as_bytes())?;
        let resolve = resolve | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
        let fd = match rustix::fs::openat2(place.start(), &place.path, flags, Mode::empty(), resolve) {
            Ok(fd) => fd,
            Err(errno) => return Some(Err(errno)),
        };
        let stat = rustix::fs::fstat(&fd).ok()?;
        self.host.is_not_procfs(&stat).then(|| {
            Ok(Pin {
                procfs: false,
                at: Some(at),
                ..Pin::seen(fd, stat)
            })
        })
    }

    /// Where an open would make something, or the object that is there.
    ///
    /// # Errors
    /// As [`Resolver::find`].
    pub fn find_or_make(&self, place: &Place, how: How) -> Result<Found, Errno> {
        if let Root::Host = place.root
            && how.resolve.is_empty()
            && !place.path.is_empty()
            && let Some(found) = self.look_for_new(place)
        {
            return Ok(found);
        }
        self.find(place, how)
    }

    /// The folder first: in most cases nothing is there. None where only another way can tell.
    fn look_for_new(&self, place: &Place) -> Option<Found> {
        let entry = self.entry_at_once(place)?;
        if !entry.is_name() || entry.name.as_bytes().ends_with(b"/") {
            return None;
        }
        let flags = PIN | OFlags::NOFOLLOW;
        let fd = match rustix::fs::openat(&entry.parent, &entry.name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => return Some(Found::Missing(entry)),
            Err(_) => return None,
        };
        let stat = rustix::fs::fstat(&fd).ok()?;
        let link = stat.st_mode & libc::S_IFMT == libc::S_IFLNK;
        let plain = !link && self.host.is_not_procfs(&stat);
        plain.then(|| {
            Found::Object(Pin {
                procfs: false,
                at: entry.at.as_ref().and_then(|at| at.below(entry.name.as_bytes())),
                ..Pin::seen(fd, stat)
            })
        })
    }

    fn entry_at_once(&self, place: &Place) -> Option<Entry> {
        let split = path::split(place.path.as_bytes())?;
        // A bare name: the folder is in hand.
        if split.folder == b"."
            && let Some(start) = &place.start
        {
            let parent = match place.at {
                Some(_) => start.try_clone().ok()?,
                // A descriptor may be no folder, or one in which the caller may not look for names.
                None => self
                    .open_plain(start.as_fd(), c".", PIN | OFlags::DIRECTORY, ResolveFlags::empty())
                    .ok()??,
            };
            return Some(Entry {
                parent,
                name: split.name,
                at: place.at.clone(),
            });
        }
        let flags = PIN | OFlags::DIRECTORY;
        let folder = split.folder.strip_suffix(b"/").unwrap_or(&split.folder);
        let straight = place.straight(folder).zip(CString::new(folder).ok());
        if let Some((at, folder)) = straight
            && let Ok(Some(parent)) = self.open_plain(place.start(), &folder, flags, ResolveFlags::NO_SYMLINKS)
        {
            return Some(Entry {
                parent,
                name: split.name,
                at: Some(at),
            });
        }
        let folder = CString::new(split.folder).ok()?;
        let parent = self
            .open_plain(place.start(), &folder, flags, ResolveFlags::empty())
            .ok()??;
        Some(Entry {
            parent,
            name: split.name,
            at: None,
        })
    }

    /// Opens without magic links; `Ok(None)` if the result lies in procfs, where the way there may have
    /// gone through a `self` that was ours.
    fn open_plain(
        &self,
        start: BorrowedFd<'_>,
        path: &CStr,
        flags: OFlags,
        resolve: ResolveFlags,
    ) -> Result<Option<OwnedFd>, Errno> {
        let resolve = resolve | ResolveFlags::NO_MAGICLINKS;
        let fd = rustix::fs::openat2(start, path, flags, Mode::empty(), resolve)?;
        Ok((!procfs::is_procfs(&fd)?).then_some(fd))
    }
}
