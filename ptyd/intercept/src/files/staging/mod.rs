//! New versions of files whose content decides, written in place.
//!
//! What an open for writing would do to such a file is known only when the writer closes it. Until then the
//! writer has a file without a name in the same folder, and everybody else the old version. When nobody has the
//! new one open for writing any more, it is read, judged and takes the name by a rename, or is dropped.
//!
//! The kernel says that a writer has closed it (`inotify(7)`); the session's next notified call looks as well, so
//! that whoever wrote sees the outcome with whatever it does next by a call that is judged.

mod place;
mod watch;

use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use rustix::fs::Stat;
use rustix::io::Errno;

use super::engine::FileEngine;
use super::resolve::Pin;
use watch::Watch;

/// The largest file that is read to be judged; what is larger counts as unknown.
pub const MOST: u64 = 1 << 20;

/// All of a file that is not larger than [`MOST`].
pub fn read(file: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        match rustix::io::retry_on_intr(|| rustix::io::pread(file, &mut part, bytes.len() as u64))? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&part[..count]),
        }
        if bytes.len() as u64 > MOST {
            return Err(Errno::FBIG);
        }
    }
}

/// A version that waits for its writers.
#[derive(Debug)]
pub struct Staged {
    /// The folder, `O_PATH`, and the name that is to be taken.
    pub parent: OwnedFd,
    pub name: CString,
    /// What has the name now.
    pub base: Pin,
    /// Its content.
    pub before: Vec<u8>,
    /// The new version, open for reading.
    pub file: OwnedFd,
    /// Its attributes before anything was written.
    pub stat: Stat,
    /// Whether the name was made by the same open.
    pub created: bool,
    /// Who opened it.
    pub tid: i32,
    pub tgid: i32,
    /// How many descriptors of ours can write to it: those that a caller is just given.
    pub held: AtomicUsize,
}

/// A descriptor that can write to a version, for as long as a worker has it. It has it for longer than its caller may
/// need to write and close it, so that whoever looks for writers waits for the worker.
#[derive(Debug)]
pub struct Writer {
    fd: Option<OwnedFd>,
    staged: Arc<Staged>,
}

impl Writer {
    fn new(fd: OwnedFd, staged: Arc<Staged>) -> Writer {
        staged.held.fetch_add(1, Ordering::AcqRel);
        Writer { fd: Some(fd), staged }
    }

    /// The descriptor.
    pub fn fd(&self) -> Option<&OwnedFd> {
        self.fd.as_ref()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.fd.take());
        self.staged.held.fetch_sub(1, Ordering::AcqRel);
    }
}

/// All that wait in one session.
#[derive(Debug)]
pub struct Staging {
    engine: Weak<FileEngine>,
    /// How many there are, for the calls that only want to know whether there are any.
    count: AtomicUsize,
    waiting: Mutex<Vec<Arc<Staged>>>,
    watch: OnceLock<Watch>,
}

impl Staging {
    /// None wait.
    pub fn new(engine: Weak<FileEngine>) -> Self {
        Staging {
            engine,
            count: AtomicUsize::new(0),
            waiting: Mutex::default(),
            watch: OnceLock::new(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Arc<Staged>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a version whose writer is about to be given `fd`.
    ///
    /// # Errors
    /// Its end could not be noticed.
    pub fn add(&self, staged: Staged, fd: OwnedFd) -> Result<Writer, Errno> {
        let mut waiting = self.waiting();
        self.watch()?.add(&staged.file)?;
        let staged = Arc::new(staged);
        waiting.push(Arc::clone(&staged));
        self.count.store(waiting.len(), Ordering::Release);
        Ok(Writer::new(fd, staged))
    }

    fn watch(&self) -> Result<&Watch, Errno> {
        if let Some(watch) = self.watch.get() {
            return Ok(watch);
        }
        let watch = Watch::start(self.engine.clone())?;
        Ok(self.watch.get_or_init(|| watch))
    }

    /// Opens the version that somebody writes already to take the place of `base`, if there is one; it is not judged
    /// meanwhile.
    ///
    /// # Errors
    /// Those of `open`, which is given the version.
    pub fn join(
        &self,
        base: &Pin,
        open: impl FnOnce(&OwnedFd) -> Result<OwnedFd, Errno>,
    ) -> Result<Option<Writer>, Errno> {
        let waiting = self.waiting();
        let Some(staged) = waiting.iter().find(|staged| staged.base.is(&base.stat)) else {
            return Ok(None);
        };
        let fd = open(&staged.file)?;
        Ok(Some(Writer::new(fd, Arc::clone(staged))))
    }

    /// Judges and places what nobody writes to any more. One load where nothing waits.
    pub fn settle(&self, engine: &FileEngine) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut waiting = self.waiting();
        waiting.retain(|staged| !place::settle(engine, staged));
        self.count.store(waiting.len(), Ordering::Release);
    }

    /// The engine, for a thread that outlives the call.
    fn engine(&self) -> Weak<FileEngine> {
        self.engine.clone()
    }
}
