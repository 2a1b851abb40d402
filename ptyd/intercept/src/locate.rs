//! From a caller's words to the object that they mean, for the calls that are not file calls.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use rustix::fs::{Access, AtFlags, Mode, OFlags, StatxFlags};
use rustix::io::Errno;

use crate::caller::Caller;
use crate::exec::Headers;
use crate::files::actor::{self, Client};
use crate::files::folders::Folders;
use crate::files::host::{Host, ObjectId};
use crate::files::resolve::{At, Canonical, How, Pin, Place, Resolver, Root, Tasks, canonical, guard, task_of};
use crate::process::Common;

/// Folders that are links on many systems, and that nobody turns: all others are looked up for each start of a program.
const SYSTEMS: [&[u8]; 2] = [b"/bin/", b"/sbin/"];

/// Longer paths of folders are looked up each time.
const LONGEST: usize = 1024;

/// Resolves paths of a session's callers as the kernel would for them: with their root, working
/// directory, descriptors and rights, and `/proc/self` being theirs.
pub struct Locator {
    host: Host,
    tasks: Arc<dyn Tasks>,
    user_namespaces: bool,
    folders: Arc<Folders>,
    pub(crate) headers: Headers,
}

impl Locator {
    /// A locator for the session whose tasks `tasks` knows. `user_namespaces`: its policy grants them to
    /// some programs.
    ///
    /// # Errors
    /// Where `/proc` does not show us ourselves.
    pub fn new(tasks: Arc<dyn Tasks>, user_namespaces: bool) -> Result<Arc<Self>, Errno> {
        Ok(Arc::new(Locator {
            host: Host::new()?,
            tasks,
            user_namespaces,
            folders: Arc::default(),
            headers: Headers::default(),
        }))
    }

    /// What it knows of folders.
    pub fn folders(&self) -> Arc<Folders> {
        Arc::clone(&self.folders)
    }

    /// What is known of the calling thread.
    pub(crate) fn client(&self, caller: &Caller<'_>) -> Result<Rc<Client>, Errno> {
        caller.client(&self.host)
    }

    /// The object that `path` means from the caller's descriptor `folder` (or `AT_FDCWD`).
    pub(crate) fn object(&self, caller: &Caller<'_>, folder: i32, path: &CStr, follow: bool) -> Result<Pin, Errno> {
        let client = self.client(caller)?;
        let place = self.place(caller, &client, folder, path.to_owned())?;
        if !caller.still_valid() {
            return Err(Errno::SRCH);
        }
        let _acting = actor::look_as(&client.identity)?;
        let resolver = self.resolver(&client);
        let pin = resolver.object(&place, if follow { How::FOLLOW } else { How::NOFOLLOW })?;
        guard(&resolver, &pin)?;
        Ok(pin)
    }

    /// The file that `path` means for an exec, links followed: mostly by what is known of the system's folders.
    pub(crate) fn program(&self, caller: &Caller<'_>, path: &CStr) -> Result<Pin, Errno> {
        match self.known_program(caller, path) {
            Some(pin) => Ok(pin),
            None => self.object(caller, libc::AT_FDCWD, path, true),
        }
    }

    fn known_program(&self, caller: &Caller<'_>, path: &CStr) -> Option<Pin> {
        let path = path.to_bytes();
        let name = path.iter().rposition(|byte| *byte == b'/')? + 1;
        if !SYSTEMS.contains(&&path[..name]) || !caller.common().is_some_and(Common::at_our_root) {
            return None;
        }
        let mut folder = [0; LONGEST];
        let length = self.folders.find(&self.host, None, &path[..name], &mut folder).ok()?;
        let straight = Path::new(OsStr::from_bytes(&folder[..length])).join(OsStr::from_bytes(&path[name..]));
        let place = Place {
            path: CString::new(straight.into_os_string().into_vec()).ok()?,
            start: None,
            at: Some(At::root(0)),
            root: Root::Host,
        };
        let client = self.client(caller).ok()?;
        let _acting = actor::look_as(&client.identity).ok()?;
        let pin = self.resolver(&client).straight(&place)?;
        (pin.kind() == libc::S_IFREG).then_some(pin)
    }

    /// The object behind the caller's descriptor `number` itself (`AT_EMPTY_PATH`).
    pub(crate) fn descriptor(&self, caller: &Caller<'_>, number: i32) -> Result<Pin, Errno> {
        let client = self.client(caller)?;
        let fd = client.fetch_fd(number)?;
        self.resolver(&client).own_descriptor(fd.as_fd())
    }

    /// A duplicate of the caller's descriptor `number`.
    pub(crate) fn take_fd(&self, caller: &Caller<'_>, number: i32) -> Result<OwnedFd, Errno> {
        caller.take_fd(&self.host, number)
    }

    /// The task whose folder of procfs the descriptor is.
    pub(crate) fn task_of(&self, fd: BorrowedFd<'_>) -> Result<i32, Errno> {
        task_of(&self.host, fd)
    }

    /// The program image of process `tgid`, which may have no name any more.
    pub(crate) fn image(&self, tgid: i32) -> Result<Pin, Errno> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(self.host.proc(), format!("{tgid}/exe"), flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&fd)?;
        Ok(Pin::seen(fd, stat))
    }

    /// Whether the root folder of task `tid` is ours; false where that cannot be known.
    pub(crate) fn is_at_our_root(&self, tid: i32) -> bool {
        self.root_of(tid).is_ok_and(|id| id == self.host.root())
    }

    /// Whether a command stays in the user namespace in which it begins.
    pub(crate) fn keeps_to_one_namespace(&self) -> bool {
        !self.user_namespaces
    }

    fn root_of(&self, tid: i32) -> Result<ObjectId, Errno> {
        let mask = StatxFlags::INO | StatxFlags::MNT_ID;
        let statx = rustix::fs::statx(self.host.proc(), format!("{tid}/root"), AtFlags::empty(), mask)?;
        Ok(ObjectId::from(&statx))
    }

    /// The path under which policy knows a pinned object.
    pub(crate) fn canonical(&self, pin: &Pin) -> Result<Canonical, Errno> {
        if let Some(at) = &pin.at {
            return Ok(Canonical::At(at.path.clone()));
        }
        canonical(&self.host, pin.fd.as_fd(), &pin.stat)
    }

    /// Whether the caller may execute a pinned file, by the file's permissions.
    pub(crate) fn may_execute(&self, caller: &Caller<'_>, pin: &Pin) -> Result<(), Errno> {
        let client = self.client(caller)?;
        let _acting = actor::act_as(&client.identity, None)?;
        let number = rustix::path::DecInt::from_fd(&pin.fd);
        rustix::fs::accessat(self.host.descriptors(), number, Access::EXEC_OK, AtFlags::EACCESS)
    }

    /// Opens a pinned regular file for reading, with our own rights.
    pub(crate) fn reopen(&self, pin: &Pin) -> Result<OwnedFd, Errno> {
        let number = rustix::path::DecInt::from_fd(&pin.fd);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        rustix::fs::openat(self.host.descriptors(), number, flags, Mode::empty())
    }

    fn resolver<'r>(&'r self, client: &'r Client) -> Resolver<'r> {
        Resolver {
            host: &self.host,
            client,
            tasks: &*self.tasks,
        }
    }

    fn place(&self, caller: &Caller<'_>, client: &Client, folder: i32, path: CString) -> Result<Place, Errno> {
        let start = match (path.as_bytes().first(), folder) {
            (Some(b'/'), _) => None,
            (_, libc::AT_FDCWD) => Some(caller.cwd()?),
            _ => Some(client.fetch_fd(folder)?),
        };
        let root = self.root(caller)?;
        // What is moved from now on is not seen; the path is asked for at once.
        let at = (start.is_none() && matches!(root, Root::Host)).then(|| At::root(0));
        Ok(Place { path, start, at, root })
    }

    fn root(&self, caller: &Caller<'_>) -> Result<Root, Errno> {
        if caller.common().is_some_and(Common::at_our_root) {
            return Ok(Root::Host);
        }
        let id = self.root_of(caller.tid())?;
        if id == self.host.root() {
            return Ok(Root::Host);
        }
        Ok(Root::Other(caller.root()?, id))
    }
}
