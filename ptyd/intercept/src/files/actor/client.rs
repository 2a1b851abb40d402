//! What is known of a calling thread, kept from call to call.
//!
//! Reading `/proc/TID/status` costs more than a whole continued call, so that its groups are kept and only
//! what can change unseen is asked again: ids through the pidfd, capabilities through `capget(2)`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use foldhash::fast::RandomState;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdGetfdFlags};

use super::Identity;
use crate::caller::{Caller, Status};
use crate::coarse;
use crate::files::host::ObjectId;
use crate::files::masks::Masks;
use crate::files::sys::{self, TaskInfo};
use crate::process::Common;

/// Threads that one worker remembers; beyond it, it starts afresh.
const REMEMBERED: usize = 128;

thread_local! {
    static KNOWN: RefCell<HashMap<i32, Rc<Client>, RandomState>> = RefCell::default();
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
    /// Its working directory with the stamp under which it holds.
    here: Cell<Option<(u64, ObjectId)>>,
    /// Capabilities that it has not got it cannot get.
    powerless: bool,
    room: Cell<Option<Room>>,
}

/// What is known of the room for descriptors that a thread has.
#[derive(Debug, Clone, Copy)]
struct Room {
    limit: u64,
    /// The lowest number that was free last.
    next: u64,
    /// By [`coarse::now`].
    looked: u64,
}

/// How long, in milliseconds, a limit is believed.
const TRUST: u64 = 1_000;

/// A thread that was given a number this far below its limit has room for one more, unless it took all between
/// meanwhile by calls that are not notified: what is made for it in vain is taken back then.
const FAR: u64 = 128;

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
        if let Some(client) = Client::known(tid)
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

    /// What was known of thread `tid`, or of one that had its number before: its pidfd tells them apart.
    pub fn known(tid: i32) -> Option<Rc<Client>> {
        let known = KNOWN.with_borrow(|known| known.get(&tid).cloned());
        known.filter(|client| client.info.is_some())
    }

    /// Whether nothing has changed since this was read; `groups`: those of every process of its command.
    fn still(&self, groups: &Arc<[u32]>) -> bool {
        // The pidfd holds the very thread: another one under its number is ESRCH.
        if self.info.is_none() || sys::task_info(self.pidfd.as_fd()).ok() != self.info {
            return false;
        }
        if !Arc::ptr_eq(groups, &self.identity.groups) {
            return false;
        }
        self.powerless
            || rustix::thread::capabilities(Pid::from_raw(self.tid)).is_ok_and(|sets| {
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
            here: Cell::new(None),
            powerless: caller.common().is_some_and(Common::is_powerless),
            room: Cell::new(None),
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
            here: Cell::new(None),
            powerless: false,
            room: Cell::new(None),
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
        let mask = status.umask.ok_or(Errno::SRCH)?;
        let count = masks.count();
        let holds = masks.may_remember(self.tgid, status.threads);
        self.mask.set(holds.then_some((count, mask)));
        Ok(mask)
    }

    /// The folder that it works in, if that was seen under this stamp.
    pub fn works_in(&self, stamp: u64) -> Option<ObjectId> {
        let (then, id) = self.here.get()?;
        (then == stamp).then_some(id)
    }

    /// Keeps what [`Client::works_in`] tells.
    pub fn set_works_in(&self, stamp: u64, id: ObjectId) {
        self.here.set(Some((stamp, id)));
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

    /// Whether a number below the thread's limit is free, so that a descriptor can be added. Threads
    /// of the same process can still take the last one.
    pub fn has_room(&self) -> bool {
        let count = rustix::fs::statx(
            rustix::fs::CWD,
            format!("/proc/{}/fd", self.tid),
            AtFlags::empty(),
            rustix::fs::StatxFlags::SIZE,
        );
        match (count, self.limit()) {
            (Ok(count), Ok(limit)) => count.stx_size < limit || self.has_number_below(limit),
            _ => true,
        }
    }

    /// [`Client::has_room`] for who has as many descriptors as the limit says: some may lie above a limit that was
    /// lowered after them, as those do that shells keep for themselves.
    fn has_number_below(&self, limit: u64) -> bool {
        let Ok(entries) = std::fs::read_dir(format!("/proc/{}/fd", self.tid)) else {
            return true;
        };
        let numbers = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
        (numbers.filter(|number| *number < limit).count() as u64) < limit
    }

    /// [`Client::has_room`] for what can be taken back, in most cases without a look.
    pub fn has_room_likely(&self) -> bool {
        match self.room.get() {
            Some(room) if coarse::now().saturating_sub(room.looked) < TRUST && room.next + FAR < room.limit => true,
            _ => self.has_room(),
        }
    }

    /// It was given this number, the lowest that was free.
    pub fn was_given(&self, number: i32) {
        let next = u64::try_from(number).unwrap_or(u64::MAX);
        let room = self.room.get().map(|room| Room { next, ..room });
        self.room.set(room);
    }

    fn limit(&self) -> Result<u64, Errno> {
        let limit = sys::open_descriptor_limit(self.tid)?;
        self.room.set(Some(Room {
            limit,
            next: u64::MAX - FAR,
            looked: coarse::now(),
        }));
        Ok(limit)
    }
}
