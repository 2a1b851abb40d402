//! What every call does first: take the caller's words, then its rights.

use std::cell::Cell;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};
use rustix::io::Errno;

use super::Handle;
use crate::caller::Caller;
use crate::files::actor::{self, Acting, Client, Identity};
use crate::files::engine::FileEngine;
use crate::files::folders::Start;
use crate::files::host::ObjectId;
use crate::files::resolve::{At, Canonical, Entry, How, Pin, Place, Resolver, Root, canonical, guard, of_name};
use crate::outcome::Outcome;
use crate::process::Common;

/// A call in work. The thread acts as the caller from [`Call::act`] until this is dropped.
pub struct Call<'e, 'c> {
    /// The engine.
    pub engine: &'e FileEngine,
    /// The caller.
    pub caller: &'e Caller<'c>,
    /// What is known of it.
    pub client: Rc<Client>,
    acting: Option<Acting>,
    /// Whether it is looked up where start folders are.
    locates: bool,
    /// Whether an object lies deeper than the kernel puts into words, so that its path is not known.
    too_deep: Cell<bool>,
}

impl<'e, 'c> Call<'e, 'c> {
    /// A call of `caller`, nothing of whose memory has been read.
    pub fn new(engine: &'e FileEngine, caller: &'e Caller<'c>) -> Result<Self, Outcome> {
        let client = caller.client(&engine.host)?;
        Ok(Call {
            engine,
            caller,
            client,
            acting: None,
            locates: false,
            too_deep: Cell::new(false),
        })
    }

    /// Carries the call out by its handler. What the kernel has no words for is found once more, below a start folder of
    /// which it is known where it is.
    pub fn carried_out(mut self, handler: Handle) -> Outcome {
        let outcome = match handler(&mut self) {
            Err(Outcome::Errno(Errno::NAMETOOLONG)) if self.too_deep.get() => {
                self.rest();
                self.locates = true;
                handler(&mut self)
            }
            result => result,
        };
        outcome.unwrap_or_else(|outcome| outcome)
    }

    /// The path that register `index` points to.
    pub fn path(&self, index: usize) -> Result<CString, Outcome> {
        Ok(self.caller.read_path(self.caller.arg(index))?)
    }

    /// Where register `path` points to, from the folder in register `folder`.
    pub fn place_at(&self, folder: usize, path: usize) -> Result<Place, Outcome> {
        let text = self.path(path)?;
        self.place(self.caller.arg_i32(folder), text)
    }

    /// Where register `path` points to, from the working directory.
    pub fn place_here(&self, path: usize) -> Result<Place, Outcome> {
        let text = self.path(path)?;
        self.place(libc::AT_FDCWD, text)
    }

    /// What `path` means from the caller's descriptor `folder` (or `AT_FDCWD`).
    pub fn place(&self, folder: i32, path: CString) -> Result<Place, Outcome> {
        let (start, at) = match (path.as_bytes().first(), folder) {
            (Some(b'/'), _) => (None, None),
            (_, libc::AT_FDCWD) => self.working_folder()?,
            (first, _) => match self.client.fetch_fd(folder) {
                // The kernel looks at the path first: where an empty one is no way to name anything, that is the error.
                Err(Errno::BADF) if first.is_none() => (None, None),
                start => (Some(start?), None),
            },
        };
        let root = self.root()?;
        let at = match (&start, &root) {
            (Some(start), _) if self.locates && at.is_none() => self.located(start),
            (None, Root::Host) if path.as_bytes().starts_with(b"/") => Some(At::root(self.engine.folders.changes())),
            _ => at,
        };
        Ok(Place { path, start, at, root })
    }

    /// Where a folder is, however deep.
    fn located(&self, folder: &OwnedFd) -> Option<At> {
        let changes = self.engine.folders.changes();
        let found = canonical(&self.engine.host, folder.as_fd(), &rustix::fs::fstat(folder).ok()?);
        match found {
            Ok(Canonical::At(path)) => Some(At { path, changes }),
            _ => None,
        }
    }

    /// The caller's working directory, and where it is if that is known.
    fn working_folder(&self) -> Result<(Option<OwnedFd>, Option<At>), Errno> {
        let process = self.caller.process().filter(|process| process.common.at_our_root());
        let Some(stamp) = process.and_then(|process| process.place) else {
            return Ok((Some(self.open_task("cwd")?), None));
        };
        let (host, folders) = (&self.engine.host, &self.engine.folders);
        if let Some(id) = self.client.works_in(stamp)
            && let Some((folder, at)) = folders.pin(host, &Start::working(self.client.tid, id))
        {
            return Ok((Some(folder), Some(at)));
        }
        let folder = self.open_task("cwd")?;
        self.client.set_works_in(stamp, ObjectId::of(&folder)?);
        Ok((Some(folder), None))
    }

    /// As [`Call::place`], with the start folder taken even where the path is absolute (`RESOLVE_IN_ROOT`).
    pub fn place_scoped(&self, folder: i32, path: CString) -> Result<Place, Outcome> {
        let start = match folder {
            libc::AT_FDCWD => self.open_task("cwd")?,
            folder => self.client.fetch_fd(folder)?,
        };
        let root = self.root()?;
        Ok(Place {
            path,
            start: Some(start),
            at: None,
            root,
        })
    }

    fn root(&self) -> Result<Root, Errno> {
        if self.caller.common().is_some_and(Common::at_our_root) {
            return Ok(Root::Host);
        }
        let path = format!("{}/root", self.client.tid);
        let mask = StatxFlags::INO | StatxFlags::MNT_ID;
        let id = ObjectId::from(&rustix::fs::statx(
            self.engine.host.proc(),
            path,
            AtFlags::empty(),
            mask,
        )?);
        if id == self.engine.host.root() {
            return Ok(Root::Host);
        }
        Ok(Root::Other(self.open_task("root")?, id))
    }

    fn open_task(&self, name: &str) -> Result<OwnedFd, Errno> {
        let path = format!("{}/{name}", self.client.tid);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(self.engine.host.proc(), path, flags, Mode::empty())
    }

    /// Ends the reading: from here on the thread has the caller's rights, and its umask if something may
    /// be made.
    pub fn act(&mut self, makes: bool) -> Result<(), Outcome> {
        let client = Rc::clone(&self.client);
        self.act_as(&client.identity, makes)
    }

    /// [`Call::act`] with the ids that `access(2)` asks for.
    pub fn act_as(&mut self, identity: &Identity, makes: bool) -> Result<(), Outcome> {
        let umask = match makes {
            true => Some(self.client.mask(self.caller, &self.engine.masks)?),
            false => None,
        };
        if !self.caller.still_valid() {
            return Err(Outcome::Answered);
        }
        self.acting = Some(actor::act_as(identity, umask)?);
        Ok(())
    }

    /// Ends the acting.
    pub fn rest(&mut self) {
        self.acting = None;
    }

    /// Whether the caller can be given one more descriptor: asked before anything is made or cut, by the reader, who
    /// alone may. `undone`: what is made in vain can be taken back.
    pub fn has_room(&self, undone: bool) -> Result<bool, Errno> {
        let client = &self.client;
        actor::as_reader(|| {
            Ok(if undone {
                client.has_room_likely()
            } else {
                client.has_room()
            })
        })
    }

    /// Resolves for this caller.
    pub fn resolver(&self) -> Resolver<'_> {
        Resolver {
            host: &self.engine.host,
            client: &self.client,
            tasks: &*self.engine.parts.tasks,
        }
    }

    /// The object at `place`, if any worker may touch it.
    pub fn object(&self, place: &Place, how: How) -> Result<Pin, Outcome> {
        self.object_or_empty(place, 0, how)
    }

    /// [`Call::object`], or with `AT_EMPTY_PATH` in `flags` and an empty path the descriptor's own object.
    pub fn object_or_empty(&self, place: &Place, flags: i32, how: How) -> Result<Pin, Outcome> {
        let pin = self.pinned(place, flags, how)?;
        guard(&self.resolver(), &pin)?;
        Ok(pin)
    }

    /// [`Call::object_or_empty`] for attributes, which procfs shows of every process.
    pub fn pinned(&self, place: &Place, flags: i32, how: How) -> Result<Pin, Outcome> {
        if place.path.is_empty() && flags & libc::AT_EMPTY_PATH == 0 {
            return Err(Outcome::Errno(Errno::NOENT));
        }
        Ok(self.resolver().object(place, how)?)
    }

    /// The folder and last name at `place`.
    pub fn entry(&self, place: &Place) -> Result<Entry, Outcome> {
        Ok(self.resolver().entry(place)?)
    }

    /// The canonical path of a pinned object. What the trash took in has none: for whoever has it open it is deleted.
    pub fn path_of(&self, pin: &Pin) -> Result<Canonical, Errno> {
        if let Some(path) = self.still(pin.at.as_ref()) {
            return Ok(Canonical::At(path.to_owned()));
        }
        let found = self.kernels_path_of(pin)?;
        match self.origin(pin, &found)? {
            Some(origin) => Ok(Canonical::Was(origin)),
            None => Ok(found),
        }
    }

    /// Whether a file that lost the name by which it is known, and so `was` somewhere, is still there under another, which
    /// nobody can tell and to which only certain content may come.
    pub fn content_is_elsewhere(&self, pin: &Pin, was: &Canonical) -> Result<bool, Errno> {
        let may_be = matches!(was, Canonical::Was(_)) && pin.kind() == libc::S_IFREG && pin.stat.st_nlink > 0;
        let judged = may_be && self.engine.parts.judge.judges_content();
        Ok(judged && matches!(self.kernels_path_of(pin)?, Canonical::Was(_)))
    }

    fn kernels_path_of(&self, pin: &Pin) -> Result<Canonical, Errno> {
        let found = canonical(&self.engine.host, pin.fd.as_fd(), &pin.stat);
        if found == Err(Errno::NAMETOOLONG) {
            self.too_deep.set(true);
        }
        found
    }

    /// Whether a pinned object lies in the trash, and the session deals with it as whoever had it open.
    pub fn is_discarded(&self, pin: &Pin) -> Result<bool, Errno> {
        Ok(pin.held && self.origin(pin, &self.kernels_path_of(pin)?)?.is_some())
    }

    fn origin(&self, pin: &Pin, found: &Canonical) -> Result<Option<PathBuf>, Errno> {
        match found {
            Canonical::At(path) if pin.held => actor::as_reader(|| Ok(self.engine.parts.trash.origin(path))),
            _ => Ok(None),
        }
    }

    /// Whether it surely is where it was found: the session has moved nothing since.
    pub fn is_still_there(&self, pin: &Pin) -> bool {
        self.still(pin.at.as_ref()).is_some()
    }

    /// The canonical path of a name.
    pub fn path_of_entry(&self, entry: &Entry) -> Result<PathBuf, Errno> {
        if let Some(folder) = self.still(entry.at.as_ref()) {
            return Ok(folder.join(OsStr::from_bytes(entry.bare())));
        }
        of_name(&self.engine.host, &entry.parent, entry.bare())
    }

    /// Where it is, if the session has moved no name since that was seen.
    fn still<'a>(&self, at: Option<&'a At>) -> Option<&'a Path> {
        at.filter(|at| at.changes == self.engine.folders.changes())
            .map(|at| at.path.as_path())
    }

    /// The folder in which descriptor numbers of ours are links to what they pin.
    pub fn descriptors(&self) -> BorrowedFd<'_> {
        self.engine.host.descriptors()
    }
}

/// `/proc/self/fd/N`, for calls that take a path only.
pub fn path_to(fd: impl AsFd) -> CString {
    let number = rustix::path::DecInt::from_fd(fd);
    let text = [b"/proc/self/fd/", number.as_bytes()].concat();
    CString::new(text).unwrap_or_else(|_| CStr::to_owned(c"/proc/self/fd/-1"))
}

/// A call that only the file system's answer decides.
pub fn done(result: Result<(), Errno>) -> Result<Outcome, Outcome> {
    result.map(|()| Outcome::Value(0)).map_err(Outcome::Errno)
}
