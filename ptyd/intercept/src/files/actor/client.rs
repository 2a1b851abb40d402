//! What is known of a calling thread, kept from call to call.
//!
//! Reading `/proc/TID/status` costs more than a whole continued call, so that its groups are kept and only
//! what can change unseen is asked again: ids through the pidfd, capabilities through `capget(2)`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use rustix::fs::AtFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdGetfdFlags};

use super::Identity;
use crate::caller::{Caller, Status};
use crate::files::masks::Masks;
use crate::files::sys::{self, TaskInfo};
use crate::process::Common;

/// Threads that one worker remembers; beyond it, it starts afresh.
const REMEMBERED: usize = 128;

thread_local! {
    static KNOWN: RefCell<HashMap<i32, Rc<Client>>> = RefCell::new(HashMap::new());
}

/// The identity of a user namespace: device and inode of its nsfs file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Namespace(u64, u64);

impl Namespace {
    /// The user namespace of task `tid`.
    ///
    /// # Errors
    /// Those of `stat(2)` on `/proc/TID/ns/user`.
    pub fn of(tid: i32) -> Result<Self, Errno> {
        let stat = rustix::fs::stat(format!("/proc/{tid}/ns/user"))?;
        Ok(Namespace(stat.st_dev, stat.st_ino))
    }
}

/// A calling thread.
pub struct Client {
    /// The thread.
    pub tid: i32,
    /// Its process.
    pub tgid: i32,
    /// What its file access is checked by.
    pub identity: Identity,
    /// Real user id.
    pub ruid: u32,
    /// Real group id.
    pub rgid: u32,
    /// Permitted capabilities.
    pub permitted: u64,
    pidfd: Arc<OwnedFd>,
    info: Option<TaskInfo>,
    raw_effective: u64,
    /// Its mask with the count of changes under which it holds.
    mask: Cell<Option<(u64, u32)>>,
}

impl Client {
    /// The caller's thread as it is now. The answer is the caller's only if
    /// [`Caller::still_valid`] says so afterwards. `own`: our user namespace.
    ///
    /// # Errors
    /// `ESRCH` if it is gone, `EPERM` or `EACCES` if it cannot be read.
    pub fn of(caller: &Caller<'_>, own: Namespace) -> Result<Rc<Client>, Errno> {
        let groups = caller.common().and_then(Common::groups);
        let Some(groups) = groups else {
            return Client::read(caller, own).map(Rc::new);
        };
        let tid = caller.tid();
        let known = KNOWN.with_borrow(|known| known.get(&tid).cloned());
        if let Some(client) = known
            && client.still(groups)
        {
            return Ok(client);
        }
        let client = Rc::new(match caller.info()? {
            Some(info) => Client::told(caller, info, Arc::clone(groups))?,
            None => Client::read(caller, own)?,
        });
        KNOWN.with_borrow_mut(|known| {
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(tid, Rc::clone(&client));
        });
        Ok(client)
    }

    /// Whether nothing has changed since this was read; `groups`: those of every process of its command.
    fn still(&self, groups: &Arc<[u32]>) -> bool {
        // The pidfd holds the very thread: another one under its number is ESRCH.
        if self.info.is_none() || sys::task_info(self.pidfd.as_fd()).ok() != self.info {
            return false;
        }
        Arc::ptr_eq(groups, &self.identity.groups)
            && rustix::thread::capabilities(Pid::from_raw(self.tid)).is_ok_and(|sets| {
                sets.effective.bits() == self.raw_effective && sets.permitted.bits() == self.permitted
            })
    }

    /// From what the pidfd tells, where groups and namespace are those of the whole command.
    fn told(caller: &Caller<'_>, info: TaskInfo, groups: Arc<[u32]>) -> Result<Client, Errno> {
        let sets = rustix::thread::capabilities(Pid::from_raw(caller.tid()))?;
        let (effective, permitted) = (sets.effective.bits(), sets.permitted.bits());
        Ok(Client {
            tid: caller.tid(),
            tgid: caller.tgid()?,
            identity: Identity {
                euid: info.euid,
                egid: info.egid,
                fsuid: info.fsuid,
                fsgid: info.fsgid,
                groups,
                effective,
            },
            ruid: info.ruid,
            rgid: info.rgid,
            permitted,
            pidfd: Arc::clone(caller.shared_pidfd()?),
            info: Some(info),
            raw_effective: effective,
            mask: Cell::new(None),
        })
    }

    /// From all that procfs tells: it may be in a namespace, or have groups, that nobody told us of.
    fn read(caller: &Caller<'_>, own: Namespace) -> Result<Client, Errno> {
        let pidfd = Arc::clone(caller.shared_pidfd()?);
        let status: &Status = caller.status()?;
        let namespaced = status.effective.0 != 0 && Namespace::of(caller.tid())? != own;
        Ok(Client {
            tid: caller.tid(),
            tgid: status.tgid,
            identity: Identity::of(status, namespaced),
            ruid: status.uid[0],
            rgid: status.gid[0],
            permitted: if namespaced { 0 } else { status.permitted.0 },
            pidfd,
            info: None,
            raw_effective: status.effective.0,
            mask: Cell::new(None),
        })
    }

    /// Its file mode creation mask.
    ///
    /// # Errors
    /// As [`Client::of`].
    pub fn mask(&self, caller: &Caller<'_>, masks: &Masks) -> Result<u32, Errno> {
        if let Some((count, mask)) = self.mask.get()
            && count == masks.count()
        {
            return Ok(mask);
        }
        let status = caller.status()?;
        let count = masks.count();
        let holds = masks.may_remember(self.tgid, status.threads);
        self.mask.set(holds.then_some((count, status.umask)));
        Ok(status.umask)
    }

    /// A pidfd of the thread (of its process before Linux 6.9).
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// A duplicate of the thread's descriptor `number`.
    ///
    /// # Errors
    /// `EBADF` as the call itself would fail; `EPERM` if the thread may not be read.
    pub fn fetch_fd(&self, number: i32) -> Result<OwnedFd, Errno> {
        if number < 0 {
            return Err(Errno::BADF);
        }
        rustix::process::pidfd_getfd(self.pidfd(), number, PidfdGetfdFlags::empty())
    }

    /// Whether the thread has fewer descriptors open than its limit, so that one can be added. Threads
    /// of the same process can still take the last one.
    pub fn has_room(&self) -> bool {
        let count = rustix::fs::statx(
            rustix::fs::CWD,
            format!("/proc/{}/fd", self.tid),
            AtFlags::empty(),
            rustix::fs::StatxFlags::SIZE,
        );
        match (count, sys::open_descriptor_limit(self.tid)) {
            (Ok(count), Ok(limit)) => count.stx_size < limit,
            _ => true,
        }
    }
}
