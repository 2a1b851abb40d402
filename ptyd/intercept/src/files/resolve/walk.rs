//! Resolution component by component, `path_resolution(7)`.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::procfs::{self, Jump};
use super::{Entry, How, PIN, Place, Resolver, Root, path};
use crate::files::actor;
use crate::files::host::ObjectId;

/// `MAXSYMLINKS` of the kernel.
const MAX_LINKS: u32 = 40;

/// Where a walk ended.
pub enum End {
    /// At an object; whether the last step led to what a program of the session has open.
    Object {
        fd: OwnedFd,
        held: bool,
    },
    Missing(Entry),
}

enum Stop {
    Object(OwnedFd),
    Last(Entry),
}

pub struct Walk<'r> {
    resolver: &'r Resolver<'r>,
    how: How,
    root: OwnedFd,
    root_id: ObjectId,
    here: OwnedFd,
    rest: Vec<u8>,
    links: u32,
}

impl<'r> Walk<'r> {
    /// A walk along `place`, nothing of which has been looked at yet.
    pub fn new(resolver: &'r Resolver<'r>, place: &Place, how: How) -> Result<Self, Errno> {
        let absolute = place.path.as_bytes().starts_with(b"/");
        let duplicate = |fd: &OwnedFd| fd.try_clone().map_err(|_| Errno::MFILE);
        let (mut root, mut root_id) = match &place.root {
            Root::Host => (open_root()?, resolver.host.root()),
            Root::Other(fd, id) => (duplicate(fd)?, *id),
        };
        let scoped_root = how.resolve.contains(ResolveFlags::IN_ROOT);
        if absolute && how.resolve.contains(ResolveFlags::BENEATH) {
            return Err(Errno::XDEV);
        }
        let here = match &place.start {
            Some(start) if scoped_root || !absolute => duplicate(start)?,
            _ => duplicate(&root)?,
        };
        if how.resolve.intersects(ResolveFlags::IN_ROOT | ResolveFlags::BENEATH) {
            (root, root_id) = (duplicate(&here)?, ObjectId::of(&here)?);
        }
        Ok(Walk {
            resolver,
            how,
            root,
            root_id,
            here,
            rest: place.path.as_bytes().to_vec(),
            links: 0,
        })
    }

    /// Walks to the object.
    pub fn into_object(mut self) -> Result<End, Errno> {
        loop {
            let entry = match self.run()? {
                Stop::Object(fd) => return Ok(End::Object { fd, held: false }),
                Stop::Last(entry) => entry,
            };
            let slash = entry.name.as_bytes().ends_with(b"/");
            let fd = match self.open(entry.bare(), OFlags::empty()) {
                Err(Errno::NOENT) => return Ok(End::Missing(entry)),
                result => result?,
            };
            let stat = self.stat(&fd)?;
            if kind(&stat) == libc::S_IFLNK && (self.how.follow || slash) {
                self.rest = if slash { b"/".to_vec() } else { Vec::new() };
                let held = self.follow(&fd, entry.bare(), &stat, true)?;
                if self.rest.is_empty() {
                    return Ok(End::Object { fd: self.here, held });
                }
                continue;
            }
            if slash && kind(&stat) != libc::S_IFDIR {
                return Err(Errno::NOTDIR);
            }
            return Ok(End::Object { fd, held: false });
        }
    }

    /// Walks to the last component's folder.
    pub fn into_entry(mut self) -> Result<Entry, Errno> {
        match self.run()? {
            Stop::Last(entry) => Ok(entry),
            Stop::Object(parent) => Ok(Entry {
                parent,
                name: c".".to_owned(),
                at: None,
            }),
        }
    }

    /// Walks until one named component is left, or none.
    fn run(&mut self) -> Result<Stop, Errno> {
        let mut rest = std::mem::take(&mut self.rest);
        loop {
            let Some((name, after, slash)) = path::first(&rest) else {
                // The end, or the slashes behind a link: that must be a folder.
                let fd = self.open(b".", OFlags::DIRECTORY)?;
                return Ok(Stop::Object(fd));
            };
            if after.is_empty() && !matches!(name, b"." | b"..") {
                let mut name = name.to_vec();
                if slash {
                    name.push(b'/');
                }
                // It must be a folder, and one in which the caller may look for names, whatever comes of the name.
                let parent = self.open(b".", OFlags::DIRECTORY)?;
                let name = CString::new(name).map_err(|_| Errno::INVAL)?;
                return Ok(Stop::Last(Entry { parent, name, at: None }));
            }
            let next = match name {
                b"." => self.open(b".", OFlags::DIRECTORY)?,
                b".." => self.up()?,
                name => {
                    let fd = self.open(name, OFlags::empty())?;
                    let stat = self.stat(&fd)?;
                    if kind(&stat) == libc::S_IFLNK {
                        let name = name.to_vec();
                        self.rest = after.to_vec();
                        self.follow(&fd, &name, &stat, false)?;
                        rest = std::mem::take(&mut self.rest);
                        continue;
                    }
                    fd
                }
            };
            let after = after.to_vec();
            self.step_to(next)?;
            if after.is_empty() {
                return Ok(Stop::Object(self.here.try_clone().map_err(|_| Errno::MFILE)?));
            }
            rest = after;
        }
    }

    fn open(&self, name: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let open = || rustix::fs::openat(&self.here, name, PIN | OFlags::NOFOLLOW | flags, Mode::empty());
        match open() {
            // A process may always see itself and its own descriptors (`proc(5)`, `proc_pid_fd(5)`); we are another one.
            Err(Errno::ACCESS | Errno::PERM | Errno::NOENT)
                if procfs::is_own(self.resolver, self.here.as_fd(), name) =>
            {
                actor::as_reader(open)
            }
            result => result,
        }
    }

    fn stat(&self, fd: &OwnedFd) -> Result<Stat, Errno> {
        procfs::look(self.resolver, fd.as_fd(), |fd| rustix::fs::fstat(fd))
    }

    fn identity(&self, fd: &OwnedFd) -> Result<ObjectId, Errno> {
        procfs::look(self.resolver, fd.as_fd(), |fd| ObjectId::of(fd))
    }

    fn up(&mut self) -> Result<OwnedFd, Errno> {
        if self.identity(&self.here)? != self.root_id {
            return self.open(b"..", OFlags::DIRECTORY);
        }
        if self.how.resolve.contains(ResolveFlags::BENEATH) {
            return Err(Errno::XDEV);
        }
        self.open(b".", OFlags::DIRECTORY)
    }

    fn step_to(&mut self, next: OwnedFd) -> Result<(), Errno> {
        if self.how.resolve.contains(ResolveFlags::NO_XDEV)
            && self.identity(&next)?.mount() != self.identity(&self.here)?.mount()
        {
            return Err(Errno::XDEV);
        }
        self.here = next;
        Ok(())
    }

    /// Follows the link `fd`, found as `name`: afterwards `here` and `rest` say where to go on. Whether `here` is what a
    /// program of the session has open.
    fn follow(&mut self, fd: &OwnedFd, name: &[u8], stat: &Stat, last: bool) -> Result<bool, Errno> {
        self.links += 1;
        if self.links > MAX_LINKS || self.how.resolve.contains(ResolveFlags::NO_SYMLINKS) {
            return Err(Errno::LOOP);
        }
        if last {
            self.may_follow(stat)?;
        }
        let target = if procfs::is_procfs(fd)? {
            match procfs::follow(self.resolver, self.here.as_fd(), fd.as_fd(), name)? {
                Jump::Text(text) => text,
                Jump::Object(object, held) => return self.jump(object).map(|()| held),
            }
        } else {
            rustix::fs::readlinkat(fd, "", Vec::new())?.into_bytes()
        };
        if target.is_empty() {
            return Err(Errno::NOENT);
        }
        if target.starts_with(b"/") {
            if self.how.resolve.contains(ResolveFlags::BENEATH) {
                return Err(Errno::XDEV);
            }
            let root = self.root.try_clone().map_err(|_| Errno::MFILE)?;
            self.step_to(root)?;
        }
        let mut rest = target;
        if !self.rest.is_empty() {
            rest.push(b'/');
            rest.append(&mut self.rest);
        }
        self.rest = rest;
        Ok(false)
    }

    fn jump(&mut self, object: OwnedFd) -> Result<(), Errno> {
        if self.how.resolve.contains(ResolveFlags::NO_MAGICLINKS) {
            return Err(Errno::LOOP);
        }
        if self
            .how
            .resolve
            .intersects(ResolveFlags::BENEATH | ResolveFlags::IN_ROOT)
        {
            return Err(Errno::XDEV);
        }
        self.step_to(object)
    }

    /// `fs.protected_symlinks`: in a sticky folder that everybody may write to, only links of one's own
    /// or of the folder's owner are followed.
    fn may_follow(&self, link: &Stat) -> Result<(), Errno> {
        if !self.resolver.host.protected_symlinks || link.st_uid == self.resolver.client.identity.fsuid {
            return Ok(());
        }
        let folder = rustix::fs::fstat(&self.here)?;
        let guarded = folder.st_mode & (libc::S_ISVTX | libc::S_IWOTH) == libc::S_ISVTX | libc::S_IWOTH;
        if guarded && folder.st_uid != link.st_uid {
            return Err(Errno::ACCESS);
        }
        Ok(())
    }
}

fn kind(stat: &Stat) -> u32 {
    stat.st_mode & libc::S_IFMT
}

fn open_root() -> Result<OwnedFd, Errno> {
    rustix::fs::openat(CWD, "/", PIN | OFlags::DIRECTORY, Mode::empty())
}
