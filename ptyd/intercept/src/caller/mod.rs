//! The task behind a notification: its memory, descriptors, credentials and places.

mod descriptor;
pub(crate) mod held;
mod interruption;
mod memory;
mod status;
mod texts;
mod words;

use std::cell::{Cell, OnceCell};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};

pub use descriptor::AddDescriptor;
pub use interruption::Interruption;
pub use memory::{MAX_ARGUMENT, MAX_ARGUMENTS};
pub use status::{Capabilities, Status};
pub(crate) use texts::Texts;
pub use words::Words;

use self::held::Stay;
use crate::files::actor::Client;
use crate::files::host::Host;
use crate::files::sys::{TaskInfo, task_info};
use crate::notification::Notification;
use crate::outcome::Outcome;
use crate::process::procfs::StatFile;
use crate::process::{Common, TaskStat};
use crate::serve::Service;
use crate::sys::listener;

/// A task that waits for our answer.
///
/// It waits killable: it can die at any time and its thread id can then be another's. What was read is
/// the caller's only if [`Caller::still_valid`] says so *afterwards*. What cannot be read is an error
/// that the call is denied with; it is never let through for that.
pub struct Caller<'a> {
    notification: Notification,
    listener: BorrowedFd<'a>,
    service: Option<&'a Arc<Service>>,
    home: Option<usize>,
    pidfd: OnceCell<Arc<OwnedFd>>,
    info: OnceCell<Option<TaskInfo>>,
    status: OnceCell<Status>,
    stat: OnceCell<TaskStat>,
    stat_file: Cell<Option<StatFile>>,
    stay: OnceCell<Arc<Stay>>,
    client: OnceCell<Rc<Client>>,
    process: OnceCell<Process>,
}

/// What the guard before all handlers knows of a caller.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// The process that the calling thread belongs to.
    pub tgid: i32,
    /// What all processes of its command have in common.
    pub common: Arc<Common>,
    /// While it stays the same the thread works in the same folder; none: nobody can tell.
    pub place: Option<u64>,
}

impl<'a> Caller<'a> {
    /// The task behind `notification`, which came from `listener`.
    pub fn new(notification: Notification, listener: BorrowedFd<'a>) -> Self {
        Caller {
            notification,
            listener,
            service: None,
            home: None,
            pidfd: OnceCell::new(),
            info: OnceCell::new(),
            status: OnceCell::new(),
            stat: OnceCell::new(),
            stat_file: Cell::new(None),
            stay: OnceCell::new(),
            client: OnceCell::new(),
            process: OnceCell::new(),
        }
    }

    /// `home`: the processor on which it is to go on, if that is another than the serving thread's.
    pub(crate) fn served(notification: Notification, service: &'a Arc<Service>, home: Option<usize>) -> Self {
        Caller {
            service: Some(service),
            home,
            ..Caller::new(notification, service.listener())
        }
    }

    /// Says that this handler is going to block: other calls of the command are served by another
    /// thread from now on. [`Caller::slow`] says it itself.
    pub fn will_block(&self) {
        if let Some(service) = self.service {
            service.relieve();
        }
    }

    /// The processor on which it is to go on, if that is another than the serving thread's.
    pub(crate) fn home(&self) -> Option<usize> {
        self.home
    }

    /// Where it stays beyond its answer.
    pub(crate) fn stay(&self) -> &Arc<Stay> {
        self.stay.get_or_init(Arc::default)
    }

    /// The service that it is served by.
    pub(crate) fn service(&self) -> Option<&'a Arc<Service>> {
        self.service
    }

    /// What the kernel reported.
    pub fn notification(&self) -> &Notification {
        &self.notification
    }

    pub(crate) fn listener(&self) -> BorrowedFd<'a> {
        self.listener
    }

    /// The calling thread in our pid namespace.
    pub fn tid(&self) -> i32 {
        self.notification.tid
    }

    /// Argument register `index` (0 to 5).
    pub fn arg(&self, index: usize) -> u64 {
        self.notification.args.get(index).copied().unwrap_or(0)
    }

    /// Argument register `index` as the kernel reads an `int` from it: the upper half is ignored.
    pub fn arg_i32(&self, index: usize) -> i32 {
        self.arg(index) as i32
    }

    /// Argument register `index` as the kernel reads an `unsigned int` from it.
    pub fn arg_u32(&self, index: usize) -> u32 {
        self.arg(index) as u32
    }

    /// Keeps what was found out about the caller for the handlers behind the guard.
    pub(crate) fn is_of(&self, process: Process) {
        // Asked once per call; what was found out first stays.
        let _ = self.process.set(process);
    }

    /// What the guard found out; nothing where no guard stands before the handler.
    pub(crate) fn process(&self) -> Option<&Process> {
        self.process.get()
    }

    /// What the guard knows of the whole command.
    pub(crate) fn common(&self) -> Option<&Common> {
        self.process().map(|process| &*process.common)
    }

    /// Whether the caller still waits for this answer. One ioctl.
    pub fn still_valid(&self) -> bool {
        listener::id_valid(self.listener, self.notification.id)
    }

    /// Answers now, for handlers that have something to do afterwards; they then return
    /// [`Outcome::Answered`]. False if the caller is gone.
    pub fn answer(&self, outcome: Outcome) -> bool {
        crate::serve::answer(self, outcome)
    }

    /// A pidfd of the calling thread (of its process before Linux 6.9), checked to be the caller's.
    ///
    /// # Errors
    /// `ESRCH` if the caller is gone.
    pub fn pidfd(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.shared_pidfd().map(AsFd::as_fd)
    }

    pub(crate) fn shared_pidfd(&self) -> Result<&Arc<OwnedFd>, Errno> {
        if let Some(pidfd) = self.pidfd.get() {
            return Ok(pidfd);
        }
        let pidfd = self.open_pidfd()?;
        if !self.still_valid() {
            return Err(Errno::SRCH);
        }
        Ok(self.pidfd.get_or_init(|| Arc::new(pidfd)))
    }

    /// What its pidfd tells, asked once; nothing where the kernel does not tell.
    pub(crate) fn info(&self) -> Result<Option<TaskInfo>, Errno> {
        if let Some(info) = self.info.get() {
            return Ok(*info);
        }
        let info = match task_info(self.pidfd()?) {
            Ok(info) => Some(info),
            Err(Errno::SRCH) => return Err(Errno::SRCH),
            Err(_) => None,
        };
        Ok(*self.info.get_or_init(|| info))
    }

    /// The process that the calling thread belongs to.
    pub(crate) fn tgid(&self) -> Result<i32, Errno> {
        match self.info()? {
            Some(info) => i32::try_from(info.tgid).map_err(|_| Errno::SRCH),
            None => Ok(self.status()?.tgid),
        }
    }

    /// `/proc/TGID/stat` of its process, read once.
    pub(crate) fn stat(&self, tgid: i32, few: bool) -> Result<TaskStat, Errno> {
        if let Some(stat) = self.stat.get() {
            return Ok(*stat);
        }
        let stat = match few {
            true => {
                let (stat, file) = TaskStat::with_file(tgid)?;
                self.stat_file.set(Some(file));
                stat
            }
            false => TaskStat::read(tgid)?,
        };
        Ok(*self.stat.get_or_init(|| stat))
    }

    /// [`Caller::stat`] by a file of its process that was opened before, as long as that tells.
    pub(crate) fn stat_by(&self, file: &StatFile) {
        if self.stat.get().is_none()
            && let Ok(stat) = TaskStat::by(file)
        {
            // Read once.
            let _ = self.stat.set(stat);
        }
    }

    /// The file from which [`Caller::stat`] was read, if that can tell more later.
    pub(crate) fn take_stat_file(&self) -> Option<StatFile> {
        self.stat_file.take()
    }

    /// What is known of the thread's rights, found out once.
    pub(crate) fn client(&self, host: &Host) -> Result<Rc<Client>, Errno> {
        if let Some(client) = self.client.get() {
            return Ok(Rc::clone(client));
        }
        let client = Client::of(self, host.namespace())?;
        Ok(Rc::clone(self.client.get_or_init(|| client)))
    }

    /// [`Caller::fetch_fd`] by a pidfd that may be kept from an earlier call: that of a thread which has ended gives
    /// nothing, and it is opened anew.
    pub(crate) fn take_fd(&self, host: &Host, number: i32) -> Result<OwnedFd, Errno> {
        let known = Client::known(self.tid()).map(|client| client.fetch_fd(number));
        match known {
            Some(Ok(fd)) => Ok(fd),
            _ => self.client(host)?.fetch_fd(number),
        }
    }

    /// Whether its process has no other thread; false where that cannot be known.
    pub fn is_only_thread(&self) -> bool {
        // Itself, its parent, and a folder for each thread.
        let links = rustix::fs::statx(
            CWD,
            format!("/proc/{}/task", self.tid()),
            rustix::fs::AtFlags::empty(),
            rustix::fs::StatxFlags::NLINK,
        );
        links.is_ok_and(|links| links.stx_nlink == 3) && self.still_valid()
    }

    /// The number of its process, as far as that is known; else of the thread.
    pub fn process_id(&self) -> i32 {
        match self.process() {
            Some(process) => process.tgid,
            None => self.tgid().unwrap_or(self.tid()),
        }
    }

    fn open_pidfd(&self) -> Result<OwnedFd, Errno> {
        // PIDFD_THREAD has the value of O_EXCL.
        let thread = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);
        let tid = Pid::from_raw(self.tid()).ok_or(Errno::SRCH)?;
        match rustix::process::pidfd_open(tid, thread) {
            Err(Errno::INVAL) => {
                let leader = Pid::from_raw(self.status()?.tgid).ok_or(Errno::SRCH)?;
                if leader != tid && !crate::sys::same_descriptors(leader, tid) {
                    return Err(Errno::BADF);
                }
                rustix::process::pidfd_open(leader, PidfdFlags::empty())
            }
            result => result,
        }
    }

    /// A duplicate of the caller's descriptor `number`: the same open file (`pidfd_getfd(2)`).
    ///
    /// # Errors
    /// `EBADF` as the call itself would fail; `EPERM` if the caller may not be read.
    pub fn fetch_fd(&self, number: i32) -> Result<OwnedFd, Errno> {
        if number < 0 {
            return Err(Errno::BADF);
        }
        rustix::process::pidfd_getfd(self.pidfd()?, number, PidfdGetfdFlags::empty())
    }

    /// The caller's `/proc/TID/status`, read once.
    ///
    /// # Errors
    /// `ESRCH` if the caller is gone, `EACCES` if the file cannot be understood.
    pub fn status(&self) -> Result<&Status, Errno> {
        if let Some(status) = self.status.get() {
            return Ok(status);
        }
        let status = Status::read(self.tid())?;
        Ok(self.status.get_or_init(|| status))
    }

    /// The caller's root folder, as an `O_PATH` descriptor.
    ///
    /// # Errors
    /// `EACCES` if the caller may not be read, `ESRCH` or `ENOENT` if it is gone.
    pub fn root(&self) -> Result<OwnedFd, Errno> {
        self.place("root")
    }

    /// The caller's working directory (which may be deleted), as an `O_PATH` descriptor.
    ///
    /// # Errors
    /// As [`Caller::root`].
    pub fn cwd(&self) -> Result<OwnedFd, Errno> {
        self.place("cwd")
    }

    fn place(&self, name: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, format!("/proc/{}/{name}", self.tid()), flags, Mode::empty())
    }
}
