//! Blocking calls that are made for a caller, and given up when it has a signal or is gone.
//!
//! A caller that waits killable does not see a signal that it handles, so somebody must look. One
//! thread of the process does, only while there is a slow call: it interrupts the serving thread's
//! blocking call, again and again until the call has ended. Most calls that may block do not: it is woken
//! for one that still goes on when the watch of serving threads looks ([`late`]).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::caller::{Caller, Interruption, held};
use crate::outcome::Outcome;
use crate::serve::Service;
use crate::sys::interrupt::{self, ThreadId};

/// How often waiting callers are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What is done within this time has not blocked: another thread would have taken as long to start.
const AT_ONCE: Duration = Duration::from_micros(500);

struct Entry {
    thread: ThreadId,
    tid: i32,
    id: u64,
    listener: Listener,
}

/// What keeps the caller's listener open as long as it is looked at.
enum Listener {
    Served(Arc<Service>),
    Own(OwnedFd),
}

impl Listener {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Listener::Served(service) => service.listener(),
            Listener::Own(fd) => fd.as_fd(),
        }
    }
}

static WATCHED: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
static SOMEBODY: Condvar = Condvar::new();
/// Whether the calls in `WATCHED` are being looked at.
static LOOKING: AtomicBool = AtomicBool::new(false);
static WATCH: LazyLock<Result<(), Errno>> = LazyLock::new(|| {
    interrupt::prepare()?;
    held::thread("slow calls")
        .stack_size(128 << 10)
        .spawn(watch)
        .map(|_| ())
        .map_err(|_| Errno::AGAIN)
});

fn watch() {
    let mut entries = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        LOOKING.store(!entries.is_empty(), Ordering::Relaxed);
        entries = match entries.is_empty() {
            true => SOMEBODY.wait(entries).unwrap_or_else(PoisonError::into_inner),
            false => {
                SOMEBODY
                    .wait_timeout(entries, LOOK)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
        for entry in entries.iter() {
            if Interruption::of(entry.tid, entry.id, entry.listener.fd()) != Interruption::None {
                entry.thread.interrupt();
            }
        }
    }
}

/// Calls that were begun a while ago are looked at from now on.
pub fn late() {
    // With the lock, so that the wake-up is not lost between the watch's last look and its sleep.
    let entries = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if !entries.is_empty() && !LOOKING.load(Ordering::Relaxed) {
        SOMEBODY.notify_one();
    }
}

struct Watched(ThreadId);

impl Watched {
    fn new(caller: &Caller<'_>) -> Result<Self, Errno> {
        (*WATCH)?;
        let thread = ThreadId::current();
        let listener = match caller.service() {
            Some(service) => Listener::Served(Arc::clone(service)),
            None => Listener::Own(caller.listener().try_clone_to_owned().map_err(|_| Errno::NFILE)?),
        };
        let nobody_looks_later = matches!(listener, Listener::Own(_));
        let entry = Entry {
            thread,
            tid: caller.tid(),
            id: caller.notification().id,
            listener,
        };
        WATCHED.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        if nobody_looks_later {
            SOMEBODY.notify_one();
        }
        Ok(Watched(thread))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        WATCHED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|entry| entry.thread != self.0);
    }
}

impl Caller<'_> {
    /// Makes a call that will block for long; see [`Caller::interruptible`].
    ///
    /// # Errors
    /// As [`Caller::interruptible`].
    pub fn slow<T>(&self, call: impl FnMut() -> Result<T, Errno>) -> Result<T, Outcome> {
        self.will_block();
        self.interruptible(call)
    }

    /// Makes a call that blocks for long in some cases and is over at once in others: it is announced if the command's
    /// last one of the kind took long. One that does so unannounced is noticed by the watch.
    ///
    /// # Errors
    /// As [`Caller::interruptible`].
    pub fn perhaps_slow<T>(&self, call: impl FnMut() -> Result<T, Errno>) -> Result<T, Outcome> {
        let Some(service) = self.service() else {
            return self.slow(call);
        };
        if service.was_slow() {
            self.will_block();
        }
        let begun = Instant::now();
        let result = self.interruptible(call);
        service.took(begun.elapsed() > AT_ONCE);
        result
    }

    /// Makes a call that may block. `call` is repeated after `EINTR` unless the caller has a deliverable
    /// signal or is gone; what then is to be answered is the error.
    ///
    /// # Errors
    /// The call's own error; [`Outcome::Restart`] or `EINTR` for a signal; [`Outcome::Answered`] for a
    /// caller that is gone.
    pub fn interruptible<T>(&self, mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Outcome> {
        let _watched = Watched::new(self)?;
        let mut seen = false;
        loop {
            match call() {
                Err(Errno::INTR) => match self.interruption() {
                    Interruption::None => seen = false,
                    // Another thread may be about to take it: only one that stays is this caller's.
                    Interruption::Signal if !seen => seen = true,
                    Interruption::Signal => return Err(Outcome::Errno(Errno::INTR)),
                    Interruption::Restart => return Err(Outcome::Restart),
                    Interruption::Gone => return Err(Outcome::Answered),
                },
                result => return result.map_err(Outcome::Errno),
            }
        }
    }
}
